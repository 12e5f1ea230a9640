"""Captured share of the attainable skill on the simulated market."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.data import POSTERIOR_ROWS, Source, posterior
from benchmarks.quality.measures import Outcomes
from benchmarks.quality.observer import Observer
from freqai_signals.sandbox.posterior.barrier_posterior import SimulatedPosterior
from freqai_signals.sandbox.posterior.horizon_posterior import latent_state
from freqai_signals.sandbox.posterior.skill_share import attainable_skill, log_loss_skill
from freqai_signals.settings import SignalSettings


class Ceiling:
    """Best possible probabilities at some candles of each pair, computed once for all variants.

    Parameters
    ----------
    source
        With a simulated market.
    settings
        Labels and horizon.
    candles
        First candle number that is tested and the one after the last.
    """

    def __init__(self, source: Source, settings: SignalSettings, candles: tuple[int, int]) -> None:
        assert source.simulated is not None
        self._settings = settings
        self._known: dict[int, tuple[NDArray[np.int64], Any, Any]] = {}
        observer = Observer(source.simulated)
        for i, pair in enumerate(source.pairs):
            first, rows = self._rows(source, pair, candles)
            states = latent_state(source.simulated, pair, rows), observer.state(pair, rows)
            best, shown = (posterior(source, settings, pair, state, rows) for state in states)
            self._known[i] = rows + first, best, shown

    def captured(self, rows: Outcomes, pair: int) -> dict[str, float]:
        """Skills at the chosen candles of a pair against the same prior.

        Returns
        -------
        dict
            ``model``; ``attainable`` by one who knows the latent state; ``shown`` by one who knows
            the market's law and sees its candles; ``rows``.
        """
        numbers, best, shown = self._known[pair]
        own = rows.take(rows.pair == pair)
        _, here, there = np.intersect1d(own.candle, numbers, return_indices=True)
        chosen = own.take(here)
        truth, prior = chosen.label.astype(np.int64), chosen.prior.mean(axis=0)
        return {
            "model": log_loss_skill(chosen.probabilities, truth, prior),
            "attainable": attainable_skill(_take(best, there), truth, prior),
            "shown": attainable_skill(_take(shown, there), truth, prior),
            "rows": float(len(chosen)),
        }

    def _rows(
        self, source: Source, pair: str, candles: tuple[int, int]
    ) -> tuple[int, NDArray[np.int64]]:
        """Number of the pair's first candle, and the sampled positions."""
        dates = source.candles[pair]["date"]
        first = int(dates.iloc[0].timestamp()) // self._settings.candle_seconds
        stop = min(candles[1] - first, len(dates) - self._settings.label_horizon_candles)
        begin = candles[0] - first
        step = max((stop - begin) // POSTERIOR_ROWS, 1)
        return first, np.arange(begin, stop, step, dtype=np.int64)


def captured(
    ceiling: Ceiling | None, rows: Outcomes, pairs: Mapping[str, int]
) -> Mapping[str, Mapping[str, float]]:
    """Skills and shares captured, by pair (name to index) and of all; empty on real candles.

    ``share`` is the model's skill over the attainable one, ``share_of_shown`` over the shown one.
    """
    if ceiling is None:
        return {}
    by_pair = {pair: ceiling.captured(rows, i) for pair, i in pairs.items()}
    weights = [found["rows"] for found in by_pair.values()]
    mean = {
        key: float(np.average([found[key] for found in by_pair.values()], weights=weights))
        for key in ("model", "attainable", "shown")
    }
    return {
        name: {
            **found,
            "share": found["model"] / found["attainable"],
            "share_of_shown": found["model"] / found["shown"],
        }
        for name, found in {"all": mean | {"rows": sum(weights)}, **by_pair}.items()
    }


def _take(best: Any, rows: Any) -> Any:
    if isinstance(best, SimulatedPosterior):
        return replace(best, proba=best.proba[rows], halves=best.halves[:, rows])
    return best[rows]
