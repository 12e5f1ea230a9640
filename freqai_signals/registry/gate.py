"""Whether a newly trained model (challenger) may replace the serving one (champion).

Both are judged on rows that neither was trained on. The challenger's serving boosters are refitted
on all rows, so nothing in its window is out of sample for them; its early-stopped boosters, trained
by the same recipe on the rows before the purged tail, are tested in their place. The champion is
tested itself, on those tail rows that start after its own last outcome was known. The labels are
those of the rows at hand, not those that either model was trained with.

Two biases remain. The challenger's tested boosters lack the tail (54 of 360 days by default), which
cost 0.0023 of skill where the refit was measured; ``tolerance`` makes up for about that. In its
favour, its number of rounds and one slope of its calibration were chosen on the tail.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from freqai_signals.dataset.rows import TrainingRows
from freqai_signals.metrics import MeanTest, Probabilities, candle_means, log_losses, mean_test
from freqai_signals.model.signal_model import SignalModel
from freqai_signals.settings import GateSettings

_FEW_DAYS: Final = 15.0
_REMEDY: Final = (
    "; so few days rarely suffice: use a longer freqai.train_period_days or data_split_parameters."
    "test_size, a weaker test with gate.prior_significance (0.05), or none with gate.where never"
)
TARGET: Final = ("labels", "label_horizon_candles", "timeframe")
"""Settings that define what a model predicts."""


class Verdict(StrEnum):
    """The gate's answers."""

    ACCEPT = "accept"
    FIRST_ACCEPTED = "first_accepted"
    REFUSE_WORSE_THAN_CHAMPION = "refuse_worse_than_champion"
    REFUSE_WORSE_THAN_PRIOR = "refuse_worse_than_prior"
    REFUSE_NO_MODEL = "refuse_no_model"


@dataclass(frozen=True)
class Decision:
    """A verdict with its evidence.

    Attributes
    ----------
    verdict
        See :class:`Verdict`.
    reason
        One sentence with the decisive numbers.
    challenger, champion
        Versions; champion is empty if there was none.
    evidence
        ``skill`` against the class prior, ``gain`` on it and its lower bound ``gain_bound`` (nats),
        ``days``; where both could be compared ``excess`` loss over the champion's with the lower
        bound ``excess_bound`` (nats) and ``common_days``, ``common_rows``.
    """

    verdict: Verdict
    reason: str
    challenger: str
    champion: str = ""
    evidence: Mapping[str, float] = field(default_factory=dict)

    @property
    def accepted(self) -> bool:
        """Whether the challenger may serve."""
        return self.verdict in (Verdict.ACCEPT, Verdict.FIRST_ACCEPTED)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self) | {"verdict": str(self.verdict)}


def judge(
    challenger: SignalModel,
    champion: SignalModel | None,
    rows: TrainingRows,
    settings: GateSettings,
    candles_per_day: int,
) -> Decision:
    """Decide whether a challenger may serve.

    Parameters
    ----------
    challenger
        Newly trained, or from the model store.
    champion
        The serving model; None or an abstaining one if nothing serves.
    rows
        Training rows of the challenger.
    settings
        Significance levels, tolerance, least skill, least common days.
    candles_per_day
        Base candles in 24 hours.

    Returns
    -------
    Decision
        Uses outcomes known when the challenger was trained, nothing later.
    """
    version = challenger.card.version
    old = champion.card.version if champion is not None and champion.fit is not None else ""
    if challenger.fit is None:
        return Decision(Verdict.REFUSE_NO_MODEL, challenger.card.reason, version, old)
    held = challenger.holdout.rows_of(rows)
    losses = log_losses(held.label, challenger.holdout.probabilities.astype(np.float64))
    # Before the comparison: beating a bad champion does not make a useless model serve.
    evidence, reason = _against_prior(challenger, held, losses, settings, candles_per_day)
    if reason:
        return Decision(Verdict.REFUSE_WORSE_THAN_PRIOR, reason, version, old, evidence)
    if champion is None or champion.fit is None:
        reason = f"no model serves yet; it beats the class prior, {_shown(evidence)}"
        return Decision(Verdict.FIRST_ACCEPTED, reason, version, "", evidence)
    why_not = _incomparable(champion, challenger, rows.names)
    # Rows up to here the champion was trained on: on them it would win by memory.
    common = held.start > champion.trained_until
    days = _days(held.start[common], candles_per_day)
    evidence |= {"common_days": days, "common_rows": float(common.sum())}
    if not why_not and days < settings.minimum_days:
        why_not = f"{days:.1f} days are new to both, fewer than {settings.minimum_days:g}"
    if why_not:
        reason = f"not compared with {old}: {why_not}; it beats the class prior, {_shown(evidence)}"
        return Decision(Verdict.ACCEPT, reason, version, old, evidence)
    test = _excess(champion, held.take(common), losses[common], days)
    bound = test.bound(settings.significance)
    evidence |= {"excess": test.mean, "excess_bound": bound}
    refused = bound > settings.tolerance
    numbers = f"log loss {test.mean:+.4f} nats against it on {days:.1f} days that are new to both"
    reason = (
        f"worse than {old}: {numbers}, surely {bound:+.4f} or more; {settings.tolerance:+.4f} is "
        f"allowed"
        if refused
        else f"not worse than {old}: {numbers}; {_shown(evidence)}"
    )
    verdict = Verdict.REFUSE_WORSE_THAN_CHAMPION if refused else Verdict.ACCEPT
    return Decision(verdict, reason, version, old, evidence)


def abstaining(challenger: SignalModel, decision: Decision) -> SignalModel:
    """The refused challenger without its boosters: it abstains, with the reason in its card.

    Its calibration history stays, so that the next model can continue it. It has no key: its
    outputs are not those of the model of that key.
    """
    card = replace(challenger.card, key="", reason=f"{decision.verdict}: {decision.reason}")
    return replace(challenger, card=card, fit=None)


def _against_prior(
    challenger: SignalModel,
    held: TrainingRows,
    losses: NDArray[np.float64],
    settings: GateSettings,
    candles_per_day: int,
) -> tuple[dict[str, float], str]:
    """Evidence, and why the challenger does not beat the class prior; empty if it does."""
    prior = np.broadcast_to(challenger.holdout.prior, (len(held), 3))
    of_prior = log_losses(held.label, prior)
    days = _days(held.start, candles_per_day)
    test = mean_test(candle_means(held.start, of_prior - losses), days)
    skill = test.mean / float(of_prior.mean())
    bound = test.bound(settings.prior_significance)
    evidence = {"skill": skill, "gain": test.mean, "gain_bound": bound, "days": days}
    if bound > 0 and skill >= settings.minimum_skill:
        return evidence, ""
    if skill < settings.minimum_skill:
        least = f"at least {100 * settings.minimum_skill:g} % is needed"
        return evidence, f"does not beat the class prior: {_shown(evidence)}, {least}"
    reason = f"not sure enough that it beats the class prior: {_shown(evidence)}"
    if np.isfinite(bound):
        # The bound is the gain less so many standard errors, which fall with the root of the days.
        needed = days * ((test.mean - bound) / test.mean) ** 2
        more = max(np.ceil(needed - days), 1.0)
        reason += f"; such a skill needs about {more:.0f} more held-out days to show"
    # A good model of few days fails like this, and would at every retraining.
    return evidence, reason + _REMEDY * (days < _FEW_DAYS)


def _shown(evidence: Mapping[str, float]) -> str:
    return f"skill {100 * evidence['skill']:+.2f} % on {evidence['days']:.1f} held-out days"


def other_target(model: SignalModel, settings: Mapping[str, Any]) -> str:
    """Why a model predicts something else than these settings ask for; empty if it does not.

    Parameters
    ----------
    model
        Trained with any settings.
    settings
        As a card holds them; only :data:`TARGET` is read.
    """
    changed = [name for name in TARGET if model.card.settings.get(name) != settings.get(name)]
    return f"it predicts something else ({', '.join(changed)} changed)" if changed else ""


def _incomparable(champion: SignalModel, challenger: SignalModel, names: Sequence[str]) -> str:
    """Why the two cannot be compared on rows with features ``names``; empty if they can."""
    why_not = other_target(champion, challenger.card.settings)
    if why_not:
        return why_not
    missing = set(champion.names) - set(names)
    return f"it reads {len(missing)} features that are no longer made" if missing else ""


def _excess(
    champion: SignalModel, rows: TrainingRows, losses: NDArray[np.float64], days: float
) -> MeanTest:
    """Test of the challenger's losses minus the champion's."""
    of_champion = log_losses(rows.label, calibrated(champion, rows))
    return mean_test(candle_means(rows.start, losses - of_champion), days)


def calibrated(model: SignalModel, rows: TrainingRows) -> Probabilities:
    """Calibrated probabilities of every row, also of those that would not be trusted live."""
    assert model.fit is not None
    return model.fit.calibrated(rows.columns(model.names).features)


def _days(start: NDArray[np.int64], candles_per_day: int) -> float:
    return float(np.ptp(start) + 1) / candles_per_day if len(start) else 0.0
