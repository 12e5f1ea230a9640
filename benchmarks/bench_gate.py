"""Error rates of the gate at its defaults: bad models passed, good models refused.

``python -m benchmarks.bench_gate`` or ``make bench``. Each simulated market of two pairs gives a
champion, trained on 60 days, and challengers trained on the 60 days that end ten days later: an
equal one (same recipe), a poisoned one (all labels shuffled) and a half poisoned one (half of them
shuffled). First models of shorter windows show how much history the test against the class prior
needs.
"""

import argparse
from collections import Counter
from dataclasses import replace
from typing import Final

import numpy as np
from joblib import Parallel, delayed

from benchmarks.harness import save
from benchmarks.quality.data import Source, tables
from freqai_signals.dataset.pair_tables import training_rows
from freqai_signals.dataset.rows import TrainingRows, Window
from freqai_signals.model.signal_model import SignalModel
from freqai_signals.registry.gate import judge
from freqai_signals.sandbox.exchange.timeframes import resample
from freqai_signals.sandbox.market.generator import simulate
from freqai_signals.sandbox.market.spec import MarketSpec
from freqai_signals.settings import SignalSettings
from freqai_signals.training.fit import Request, train

PAIRS: Final = ("BTC/USDT", "ETH/USDT")
WARM_UP_DAYS: Final = 8
TRAIN_DAYS: Final = 60
LATER_DAYS: Final = 10
SHORTER_DAYS: Final = (7, 15, 30, 120)
SETTINGS: Final = SignalSettings.model_validate(
    {
        "timeframe": "15m",
        "label_horizon_candles": 8,
        "indicator_periods_candles": (4, 12, 36),
        "features": {"groups": ("momentum", "candle_shape", "volatility", "calendar"),
                     "higher_timeframes": ()},
        "model": {"row_step": 1},
        "booster": {"rounds": 200, "min_child_samples": 50, "threads": 1},
        "validation": {"min_rows": 100},
        "train_period_days": TRAIN_DAYS,
    }
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--markets", type=int, default=6, help="simulated (default: 6)")
    parser.add_argument("--processes", type=int, default=2)
    arguments = parser.parse_args()
    work = (delayed(verdicts)(seed) for seed in range(arguments.markets))
    found: list[dict[str, str]] = Parallel(n_jobs=arguments.processes)(work)
    counted = {name: Counter(one[name] for one in found) for name in found[0]}
    print(f"verdicts of the gate at its defaults, {arguments.markets} simulated markets")
    for name, verdict in counted.items():
        shares = ", ".join(f"{kind} {count}" for kind, count in verdict.most_common())
        print(f"{name:44} {shares}")
    save("gate", {}, markets=arguments.markets, verdicts=counted)


def verdicts(seed: int) -> dict[str, str]:
    """The gate's verdict on each challenger of one market."""
    market = _Market(seed)
    champion = _trained(market(TRAIN_DAYS, 0))
    later = market(TRAIN_DAYS, LATER_DAYS)
    rng = np.random.default_rng(seed)
    noise, half = poisoned(later, rng, 1.0), poisoned(later, rng, 0.5)
    cases = {
        "equal challenger": (_trained(later), champion, later),
        "half poisoned challenger": (_trained(half), champion, later),
        "poisoned challenger": (_trained(noise), champion, later),
        "poisoned first model": (_trained(noise), None, later),
        "first model of noise, tested on noise": (_trained(noise), None, noise),
        f"first model of {TRAIN_DAYS} days": (champion, None, market(TRAIN_DAYS, 0)),
    }
    for days in SHORTER_DAYS:
        rows = market(days, 0)
        cases[f"first model of {days} days"] = (_trained(rows), None, rows)
    return {
        name: str(judge(new, old, rows, SETTINGS.gate, SETTINGS.candles_per_day).verdict)
        for name, (new, old, rows) in cases.items()
    }


def poisoned(rows: TrainingRows, rng: np.random.Generator, share: float) -> TrainingRows:
    """The same rows with the labels of a share of them shuffled."""
    chosen = np.flatnonzero(rng.random(len(rows)) < share)
    label = rows.label.copy()
    label[chosen] = rng.permutation(label[chosen])
    return replace(rows, label=label)


def _trained(rows: TrainingRows) -> SignalModel:
    return train(Request(rows, SETTINGS))


class _Market:
    """Training rows of one simulated market, by length and end of the window."""

    def __init__(self, seed: int) -> None:
        longest = max(*SHORTER_DAYS, TRAIN_DAYS)
        self._end = WARM_UP_DAYS + longest
        spec = MarketSpec(pairs=PAIRS, days=self._end + LATER_DAYS, seed=seed)
        candles = {p: resample(simulate(spec, p).candles, SETTINGS.timeframe) for p in PAIRS}
        self._tables = tables(Source("market", candles), SETTINGS)
        self._first = int(next(iter(self._tables.values())).numbers[0])

    def __call__(self, days: int, later: int) -> TrainingRows:
        stop = self._first + (self._end + later) * SETTINGS.candles_per_day
        start = stop - days * SETTINGS.candles_per_day
        return training_rows(self._tables, Window(start, stop, SETTINGS.label_horizon_candles, 1))


if __name__ == "__main__":
    main()
