"""Expected value and direction on later candles: what was stated, and what came of it.

``python -m benchmarks.bench_value --datadir DIR --timerange FROM-TO``, without a folder on the
simulated market. Models of the shipped recipe, each trained on the window before the candles that
it predicts and carrying on the evidence of the one before, walk through the timerange once; then

1. the trade that the strategy would make on every row (its stop, horizon and next-candle entry)
   against the expected one, by groups of the expected return;
2. ways to calibrate direction, each fitted on the evidence that the model of the time had.

Errors are of blocks of five days.
"""

import argparse
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rich.console import Console
from scipy.optimize import minimize
from scipy.special import expit, logit
from sklearn.isotonic import IsotonicRegression

from benchmarks.harness import RESULTS
from benchmarks.quality.data import ROUND_TRIP_COST, load, tables
from benchmarks.quality.variants import changed
from benchmarks.quality.walk import Span
from freqai_signals.config import settings_from_config
from freqai_signals.dataset.pair_tables import Table, thinned, training_rows
from freqai_signals.dataset.rows import TRADE_FACTS, Window
from freqai_signals.metrics import block_slope
from freqai_signals.model.direction import (
    DirectionHistory,
    bent,
    direction_log_odds,
    direction_slopes,
)
from freqai_signals.model.signal_model import SignalModel
from freqai_signals.schema import RETURN_SCALE_COLUMN, SignalClass
from freqai_signals.settings import SignalSettings
from freqai_signals.signals.outputs import model_outputs, trade_cost
from freqai_signals.terminal import TableColumn, print_table
from freqai_signals.training.fit import Request, train
from freqai_signals.training.past_predictions import evidence_block

RETRAIN_DAYS = 30
BLOCK_DAYS = 5
PRIOR_OUTCOMES = 50.0
Floats = NDArray[np.float64]
Map = Callable[[Floats], Floats]
_KEY = "benchmark"


@dataclass(frozen=True)
class Step:
    """One model's predictions of the candles after its window."""

    model: SignalModel
    overlap: float
    rows: pd.DataFrame


def walk(tables_: Mapping[str, Table], settings: SignalSettings, span: Span) -> list[Step]:
    """Train and predict, window by window."""
    steps: list[Step] = []
    for first, stop in span.steps():
        begin = first - settings.candles_per_day * settings.train_period_days
        window = Window(begin, first, settings.label_horizon_candles, settings.row_step)
        rows = training_rows(tables_, window)
        model = train(Request(rows, settings, steps[-1].model if steps else None), _KEY)
        overlap = float(np.mean(rows.event_end - rows.start)) / settings.row_step
        parts = [_predicted(model, tables_[pair], pair, (first, stop)) for pair in sorted(tables_)]
        steps.append(Step(model, overlap, pd.concat(parts, ignore_index=True)))
        print(f"{model.card.last[:10]}: {'; '.join(model.card.warnings) or 'trades'}", flush=True)
    return steps


def _predicted(
    model: SignalModel, table: Table, pair: str, candles: tuple[int, int]
) -> pd.DataFrame:
    known = training_rows({pair: table}, Window(candles[0], int(table.numbers[-1]) + 1))
    known = known.take(known.start < candles[1])
    assert model.fit is not None, model.card.reason
    frame = pd.DataFrame(known.features, columns=list(known.names))
    frame[RETURN_SCALE_COLUMN] = known.trade[:, TRADE_FACTS.index(RETURN_SCALE_COLUMN)]
    outputs = model_outputs(model, frame, ROUND_TRIP_COST, pair=pair)
    trades = {name: known.trade[:, i] for i, name in enumerate(TRADE_FACTS[:3])}
    facts = {"pair": pair, "candle": known.start, "label": known.label}
    facts |= {"odds": direction_log_odds(model.fit.raw(known.columns(model.names).features))}
    facts |= {"cost": trade_cost(model, pair, ROUND_TRIP_COST)}
    outputs = outputs.assign(scale=frame[RETURN_SCALE_COLUMN], **trades, **facts)
    outputs["slope"], outputs["estimate"] = model.fit.value.slope, model.fit.value.estimate
    return outputs[outputs["do_predict"] == 1]


# The trade


def trade_table(rows: pd.DataFrame, day: int) -> list[dict[str, Any]]:
    """Expected and realised net return by group of the predicted move, and of decided rows."""
    rows = rows[np.isfinite(rows["trade_long"])]
    margin = (rows["proba_buy"] - rows["proba_sell"]).to_numpy(np.float64)
    move = margin * rows["scale"].to_numpy(np.float64)
    gain = np.where(margin > 0, rows["trade_long"], rows["trade_short"])
    block = rows["candle"].to_numpy(np.int64) // (BLOCK_DAYS * day)
    size, expected = np.abs(move), np.abs(move) * rows["slope"].to_numpy(np.float64)
    acted = (rows["&-signal"] != SignalClass.HOLD).to_numpy()
    decided = acted & (rows["expected_return"] > 0).to_numpy()
    groups: dict[str, NDArray[np.bool_]] = {"every row": size >= 0, "predicted buy or sell": acted}
    for share in (0.5, 0.25, 0.1, 0.03, 0.01):
        groups[f"{share:.0%} with the largest move"] = size >= np.quantile(size, 1 - share)
    groups["decided: expected return above 0"] = decided
    if decided.any():
        cuts = np.quantile(expected[decided], [0.25, 0.5, 0.75, 0.9])
        for i in range(5):
            inside = np.digitize(expected, cuts) == i
            groups[f"decided, group {i + 1} of 5"] = decided & inside
    cost = rows["cost"].to_numpy(np.float64)
    return [
        _group(name, chosen, (size, expected, gain, cost), block)
        for name, chosen in groups.items()
        if chosen.any()
    ]


def _group(
    name: str, chosen: NDArray[np.bool_], values: tuple[Floats, ...], block: NDArray[np.int64]
) -> dict[str, Any]:
    size, expected, gain, cost = (part[chosen] for part in values)
    stated = block_slope(size, gain, block[chosen])
    shrunk = block_slope(expected, gain, block[chosen])
    mean, error = _mean(gain, block[chosen])
    return {
        "rows of": name, "rows": int(chosen.sum()), "margin x scale": 1e4 * size.mean(),
        "expected": 1e4 * expected.mean(), "realised": 1e4 * mean, "±": 1e4 * error,
        "cost": 1e4 * cost.mean(), "slope on move": stated.value, "its ±": stated.error,
        "slope on expected": shrunk.value, "and its ±": shrunk.error,
    }  # fmt: skip


def _mean(values: Floats, block: NDArray[np.int64]) -> tuple[float, float]:
    names, place = np.unique(block, return_inverse=True)
    off = np.bincount(place, values - values.mean())
    error = np.sqrt(np.square(off).sum() * len(names) / max(len(names) - 1, 1)) / len(values)
    return float(values.mean()), float(error)


# Direction


def _by_basis(basis: Callable[[Floats], Floats], upper: float) -> Callable[..., Map]:
    """Maximum a posteriori weights of a basis, with the shipped prior."""

    def fitted(history: DirectionHistory, overlap: float) -> Map:
        parts, odds = basis(history.log_odds), history.log_odds
        prior, sign = expit(0.45 * odds), np.where(history.bought, 1.0, -1.0)

        def loss(weights: Floats) -> float:
            score = parts @ weights
            seen = np.logaddexp(0.0, -sign * score).mean() * len(odds) / overlap
            expected = prior * np.logaddexp(0, -score) + (1 - prior) * np.logaddexp(0, score)
            return float(seen + PRIOR_OUTCOMES * expected.mean())

        # Slopes are not negative; an intercept, where there is one, is free.
        count = parts.shape[1]
        bounds = [(0.0, upper), (0.0, upper), (None, None)][:count]
        start = np.array([0.45, 0.45, 0.0])[:count]
        weights = minimize(loss, start, bounds=bounds, method="L-BFGS-B").x
        return lambda x: basis(x) @ weights

    return fitted


def _venn_abers(history: DirectionHistory, overlap: float) -> Map:
    """Inductive Venn-Abers on a thousand bins of the log-odds, read off at a hundred points."""
    odds = history.log_odds
    edges = np.quantile(odds, np.linspace(0, 1, 1001))
    place = np.clip(np.searchsorted(edges, odds) - 1, 0, 999)
    count = np.bincount(place, minlength=1000)
    used = count > 0
    rate = np.bincount(place, history.bought, minlength=1000)[used] / count[used]
    middle = np.bincount(place, odds, minlength=1000)[used] / count[used]
    weight = np.append(count[used] / overlap, 1.0)
    points, merged = np.unique(np.quantile(odds, np.linspace(0, 1, 101))), []
    for point in points:
        ends = [
            IsotonicRegression(out_of_bounds="clip")
            .fit(np.append(middle, point), np.append(rate, one), weight)
            .predict([point])[0]
            for one in (0.0, 1.0)
        ]
        merged.append(ends[1] / (1.0 - ends[0] + ends[1]))
    scores = logit(np.clip(merged, 1e-4, 1 - 1e-4))
    return lambda x: np.interp(x, points, scores)


def _shipped(block: int) -> Callable[..., Map]:
    def fitted(history: DirectionHistory, overlap: float) -> Map:
        found = direction_slopes(history, 0.45, overlap, block)

        def apply(odds: Floats) -> Floats:
            inside, beyond = bent(odds, found.knot)
            return found.inner * inside + found.outer * beyond

        return apply

    return fitted


def _beta(x: Floats) -> Floats:
    return np.column_stack([-np.logaddexp(0, -x), np.logaddexp(0, x), np.ones(len(x))])


def methods(settings: SignalSettings) -> dict[str, Callable[..., Map]]:
    """Maps of raw to calibrated log-odds, each made of past predictions and their overlap."""
    return {
        "uncalibrated": lambda history, overlap: lambda x: x,
        "one slope, at most 1": _by_basis(lambda x: x[:, None], 1.0),
        "one slope": _by_basis(lambda x: x[:, None], 9.0),
        "beta calibration": _by_basis(_beta, 9.0),
        "Venn-Abers": _venn_abers,
        "two slopes (shipped)": _shipped(evidence_block(settings)),
    }


def direction_table(steps: list[Step], settings: SignalSettings) -> list[dict[str, Any]]:
    """Log loss of direction given a move, and slopes on the stated log-odds, by method."""
    moved = [step.rows[step.rows["label"] != SignalClass.HOLD] for step in steps]
    together = pd.concat(moved, ignore_index=True)
    bought = (together["label"] == SignalClass.BUY).to_numpy()
    block = together["candle"].to_numpy(np.int64) // (BLOCK_DAYS * settings.candles_per_day)
    size = together["odds"].abs().to_numpy(np.float64)
    scores = {
        name: np.concatenate([
            method(step.model.history, step.overlap)(part["odds"].to_numpy(np.float64))
            for step, part in zip(steps, moved, strict=True)
        ])
        for name, method in methods(settings).items()
    }  # fmt: skip
    loss = {name: np.logaddexp(0, np.where(bought, -z, z)) for name, z in scores.items()}
    table = []
    for name, score in scores.items():
        gain, error = _mean(loss["one slope, at most 1"] - loss[name], block)
        row = {"calibration": name, "nats better than one slope": 1e5 * gain, "±": 1e5 * error}
        for share in (1.0, 0.1, 0.05, 0.01):
            chosen = size >= np.quantile(size, 1 - share)
            slope, its = _logistic_slope(score[chosen], bought[chosen], block[chosen])
            row[f"slope, surest {share:.0%}"] = f"{slope:.2f} ± {its:.2f}"
        table.append(row)
    return table


def _logistic_slope(
    score: Floats, bought: NDArray[np.bool_], block: NDArray[np.int64]
) -> tuple[float, float]:
    """Slope of the outcome's log-odds on the stated ones."""
    slope = 1.0
    for _ in range(50):
        buy = expit(slope * score)
        information = float((np.square(score) * buy * (1 - buy)).sum())
        slope += float((score * (bought - buy)).sum()) / max(information, 1e-12)
    _, place = np.unique(block, return_inverse=True)
    scatter = np.square(np.bincount(place, score * (bought - expit(slope * score)))).sum()
    return slope, float(np.sqrt(scatter)) / max(information, 1e-12)


def tier_table(steps: list[Step], settings: SignalSettings) -> list[dict[str, Any]]:
    """Direction right among moves, against stated, by tier and quarter of the span."""
    rows = pd.concat([step.rows for step in steps], ignore_index=True)
    rows = rows[rows["label"] != SignalClass.HOLD]
    day, decision = settings.candles_per_day, settings.decision
    edges = (decision.weak, decision.medium, decision.strong, 2.0)
    first, last = rows["candle"].min(), rows["candle"].max() + 1
    quarter = ((rows["candle"] - first) * 4 // (last - first)).to_numpy()
    up = (rows["proba_buy"] >= rows["proba_sell"]).to_numpy()
    right = up == (rows["label"] == SignalClass.BUY).to_numpy()
    best = rows[["proba_buy", "proba_sell"]].max(axis=1)
    stated = (best / (rows["proba_buy"] + rows["proba_sell"])).to_numpy(np.float64)
    confidence = rows["confidence"].to_numpy()
    block = rows["candle"].to_numpy(np.int64) // (BLOCK_DAYS * day)
    table = []
    for i, name in enumerate(("weak", "medium", "strong")):
        row: dict[str, Any] = {"tier": name}
        for part in range(4):
            inside = (confidence >= edges[i]) & (confidence < edges[i + 1]) & (quarter == part)
            if inside.any():
                gap, error = _mean(right[inside] - stated[inside], block[inside])
                shown = f"{right[inside].mean():.3f} ({stated[inside].mean():.3f})"
                row[f"quarter {part + 1}"] = f"{shown} {gap / error:+.1f} errors"
        table.append(row)
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--datadir", type=Path, help="freqtrade's candles; else simulated")
    parser.add_argument("--timerange", default="20240105-20240305", help="to predict")
    parser.add_argument("--pairs", nargs="*", help="default: the config's whitelist")
    parser.add_argument("--threads", type=int, default=2, help="of each training")
    parser.add_argument("--name", default="value", help="of the file in benchmarks/results")
    arguments = parser.parse_args()
    config = json.loads(Path("config.json").read_text())
    settings = changed(settings_from_config(config), {"booster": {"threads": arguments.threads}})
    pairs = arguments.pairs or config["exchange"]["pair_whitelist"]
    settings = thinned(settings, len(pairs))
    source = load(arguments.datadir, pairs, settings.timeframe)
    steps = walk(
        tables(source, settings), settings, Span.of(arguments.timerange, settings, RETRAIN_DAYS)
    )
    rows = pd.concat([step.rows for step in steps], ignore_index=True)
    shown = {
        "Trades, bp before costs": trade_table(rows, settings.candles_per_day),
        "Direction, 1e-5 nats": direction_table(steps, settings),
        "Direction right (stated), and how far apart": tier_table(steps, settings),
    }
    console = Console(width=200)
    for title, table in shown.items():
        columns = [TableColumn(name, is_number=i > 0) for i, name in enumerate(table[0])]
        print_table(title, [_texts(row) for row in table], console, columns)
    values = [step.model.card.metrics["trade"] | {"last": step.model.card.last} for step in steps]
    target = RESULTS / f"{arguments.name}.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps({"source": source.name, "models": values} | shown, indent=1))
    print(f"written to {target}")


def _texts(row: dict[str, Any]) -> dict[str, str]:
    return {
        name: f"{value:.2f}" if isinstance(value, float) else f"{value}"
        for name, value in row.items()
    }


if __name__ == "__main__":
    main()
