"""Which share of the skill that the simulated market offers was captured."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks.quality.data import POSTERIOR_ROWS, Source, posterior
from benchmarks.quality.measures import Outcomes
from freqai_signals.sandbox.attainable import SkillShare, share_of_attainable_skill
from freqai_signals.sandbox.barrier_posterior import SimulatedPosterior
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
        self._settings = settings
        self._known = {
            i: self._best(source, pair, candles) for i, pair in enumerate(source.candles)
        }

    def share(self, rows: Outcomes, pair: int) -> SkillShare:
        """Skill of the rows of a pair at the chosen candles against the best there is."""
        numbers, best = self._known[pair]
        own = rows.take(rows.pair == pair)
        _, here, there = np.intersect1d(own.candle, numbers, return_indices=True)
        chosen = own.take(here)
        return share_of_attainable_skill(
            chosen.probabilities,
            _take(best, there),
            chosen.label.astype(np.int64),
            chosen.prior.mean(axis=0),
        )

    def share_of_all(self, rows: Outcomes) -> float:
        """Mean skill of all pairs over mean attainable skill, at the chosen candles."""
        shares = [self.share(rows, pair) for pair in self._known]
        model = np.average([s.model for s in shares], weights=[s.rows for s in shares])
        best = np.average([s.attainable for s in shares], weights=[s.rows for s in shares])
        return float(model / best)

    def _best(self, source: Source, pair: str, candles: tuple[int, int]) -> tuple[Any, Any]:
        dates = source.candles[pair]["date"]
        first = int(dates.iloc[0].timestamp()) // self._settings.candle_seconds
        stop = min(candles[1] - first, len(dates) - self._settings.label_horizon_candles)
        begin = candles[0] - first
        step = max((stop - begin) // POSTERIOR_ROWS, 1)
        rows = np.arange(begin, stop, step, dtype=np.int64)
        return rows + first, posterior(source, self._settings, pair, rows)


def _take(best: Any, rows: Any) -> Any:
    if isinstance(best, SimulatedPosterior):
        return replace(best, proba=best.proba[rows], halves=best.halves[:, rows])
    return best[rows]


def captured(
    ceiling: Ceiling | None, rows: Outcomes, pairs: tuple[str, ...]
) -> Mapping[str, float]:
    """Share captured by pair and in total; empty on real candles."""
    if ceiling is None:
        return {}
    by_pair = {pair: ceiling.share(rows, i).share for i, pair in enumerate(pairs)}
    return {"all": ceiling.share_of_all(rows), **by_pair}
