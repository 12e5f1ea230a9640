"""Live, FreqAI asks pair by pair for a model: who trains the pool's next one, and who takes it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum


class RetrainStep(Enum):
    """What a pair does when FreqAI finds its model too old."""

    REUSE = "reuse"
    TRAIN = "train"


@dataclass(frozen=True)
class Trained:
    """Who holds the newest model of the pool, and when it was trained (seconds since 1970)."""

    pair: str
    time: int


def newest(trained: Mapping[str, int]) -> Trained | None:
    """The newest model among pairs, the alphabetically first of equals; None if there is none.

    Parameters
    ----------
    trained
        Pair to the time its model was trained, 0 where it has none.

    Examples
    --------
    >>> newest({"ETH/USDT": 50, "BTC/USDT": 50, "SOL/USDT": 0})
    Trained(pair='BTC/USDT', time=50)
    """
    # min of these is the newest, and of equals the first by name.
    held = [(-time, pair) for pair, time in trained.items() if time > 0]
    if not held:
        return None
    time, pair = min(held)
    return Trained(pair, -time)


def next_step(own: int, pool: Trained | None, now: int, retrain_seconds: float) -> RetrainStep:
    """Whether a pair whose model is due adopts the pool's newest model or trains the next one.

    A model is adopted while a pair that had trained it itself would still keep it, so that one
    training a schedule serves all pairs, however many there are and whenever they join.

    Parameters
    ----------
    own
        When the pair's own model was trained, seconds since 1970; 0 if it has none.
    pool
        The newest model of the pool.
    now
        Seconds since 1970.
    retrain_seconds
        Age from which a model is replaced; 0 trains whenever asked.

    Examples
    --------
    >>> next_step(own=0, pool=Trained("BTC/USDT", 1000), now=1500, retrain_seconds=3600)
    <RetrainStep.REUSE: 'reuse'>
    >>> next_step(own=1000, pool=Trained("BTC/USDT", 1000), now=9000, retrain_seconds=3600)
    <RetrainStep.TRAIN: 'train'>
    """
    # A pair that holds the newest model itself has nothing to adopt.
    if pool is None or pool.time <= own or now - pool.time > retrain_seconds:
        return RetrainStep.TRAIN
    return RetrainStep.REUSE
