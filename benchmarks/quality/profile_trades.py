"""What the trades of a profile would have earned, walk-forward over years of real candles.

``make bench-quality PROFILE=futures-1h``. Models, scores, marks and decisions are those of the
package; only the fills are simple: in at the close of the signal's candle, out at the close
``label_horizon_candles`` later, one open trade a pair, taker fees, no funding, no stop.
"""

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table as Shown

from benchmarks.harness import RESULTS
from benchmarks.quality.data import Source, candle_files, tables, without_holes
from benchmarks.quality.measures import Estimate, ratio
from benchmarks.quality.tables import write_json
from benchmarks.quality.variants import Variant, tried
from benchmarks.quality.walk import Span
from freqai_signals.dataset.pair_tables import Table, training_rows
from freqai_signals.dataset.rows import Window, candle_numbers
from freqai_signals.model.signal_model import SignalModel
from freqai_signals.profiles import expectation
from freqai_signals.sandbox.market.market_files import read_candles
from freqai_signals.schema import DECISION_SIGNAL_COLUMN, RETURN_SCALE_COLUMN, SignalClass
from freqai_signals.settings import SignalSettings
from freqai_signals.signals.decide import PairContext, decide
from freqai_signals.signals.extremes import with_marks
from freqai_signals.signals.outputs import model_outputs
from freqai_signals.training.fit import Request, train

COST: Final = 0.001
"""Two taker fees of 0.05 %, what Binance USD-M futures charge without discounts."""

FOLDERS: Final = (Path("../shared/data-long"), Path("../shared/data"))
TIMERANGE: Final = "20200101-20241231"
RETRAIN_DAYS: Final = 60

_KEY: Final = "benchmark"
_PER_BP: Final = 1e4


@dataclass(frozen=True)
class Trades:
    """Entries of all pairs in time order; arrays of shape ``(n,)``.

    ``day`` since 1970, ``side`` +1 or -1, ``gross`` return of the side, ``free`` where no earlier
    trade of the pair is still open.
    """

    pair: NDArray[np.object_]
    day: NDArray[np.int64]
    side: NDArray[np.int64]
    gross: NDArray[np.float64]
    free: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.day)

    def take(self, rows: NDArray[np.bool_]) -> "Trades":
        """Some of the entries."""
        return Trades(
            self.pair[rows], self.day[rows], self.side[rows], self.gross[rows], self.free[rows]
        )

    def net(self, cost: float) -> Estimate:
        """Mean return after costs with the error of resampled blocks of days."""
        return ratio(self.gross - cost, np.ones(len(self)), self.day)


def spot_of(pairs: Sequence[str]) -> list[str]:
    """Spot pairs of futures pairs: that is what years of candles there are.

    Examples
    --------
    >>> spot_of(["BTC/USDT:USDT", "ETH/USDT"])
    ['BTC/USDT', 'ETH/USDT']
    """
    return [pair.partition(":")[0] for pair in pairs]


def load_longest(folders: Sequence[Path], pairs: Sequence[str], timeframe: str) -> Source:
    """Candles of each pair from the first folder that has them; pairs that none has are left out.

    Raises
    ------
    ValueError
        If no folder has any of the pairs.
    """
    frames = {}
    for pair in pairs:
        found = [path for path in candle_files(folders, pair, timeframe) if path.is_file()]
        if found:
            frames[pair] = without_holes(read_candles(found[0]), timeframe)
    if not frames:
        raise ValueError(
            f"no {timeframe} candles of {', '.join(pairs)} in {list(map(str, folders))}"
        )
    return Source("+".join(folder.name for folder in folders), frames)


def scored(
    source: Source, made: Mapping[str, Table], settings: SignalSettings, span: Span
) -> dict[str, pd.DataFrame]:
    """Each pair's candles with what the models of its time said; none before the first model."""
    said: dict[str, list[pd.DataFrame]] = {pair: [] for pair in made}
    previous: SignalModel | None = None
    for first, stop in span.steps():
        days = settings.candles_per_day * settings.train_period_days
        window = Window(
            first - days, first, settings.longest_horizon_candles, settings.model.row_step
        )
        previous = train(Request(training_rows(made, window), settings, previous), _KEY)
        for pair, table in made.items():
            rows = np.flatnonzero((table.numbers >= first) & (table.numbers < stop))
            if not len(rows):
                continue
            features = table.features.iloc[rows].reset_index(drop=True)
            features[RETURN_SCALE_COLUMN] = table.labels[RETURN_SCALE_COLUMN].to_numpy()[rows]
            traded = source.candles[pair]["volume"].to_numpy()[rows] > 0
            outputs = model_outputs(previous, features, COST, traded, scored=True)
            said[pair].append(outputs.set_index(rows))
    frames = {}
    for pair, parts in said.items():
        if parts:
            frames[pair] = source.candles[pair].join(pd.concat(parts), how="left")
            frames[pair]["do_predict"] = frames[pair]["do_predict"].fillna(0)
    return frames


def trades_of(frame: pd.DataFrame, pair: str, settings: SignalSettings) -> Trades:
    """Entries that the rules let through, with what the price did until the horizon."""
    marked = with_marks(frame, settings)
    decided = decide(marked, settings.decision, PairContext(settings.candle_seconds))
    signal = decided[DECISION_SIGNAL_COLUMN].to_numpy()
    horizon = settings.label_horizon_candles
    acted = (signal == SignalClass.BUY) | (signal == SignalClass.SELL)
    acted[len(acted) - horizon :] = False
    rows = np.flatnonzero(acted)
    side = signal[rows].astype(np.int64) - 1
    close = frame["close"].to_numpy(np.float64)
    day = candle_numbers(frame["date"], 86400)[rows]
    gross = side * (close[rows + horizon] / close[rows] - 1.0)
    names = np.full(len(rows), pair, dtype=object)
    return Trades(names, day, side, gross, _free(rows, horizon))


def _free(rows: NDArray[np.intp], horizon: int) -> NDArray[np.bool_]:
    """Whether each entry comes when the one taken before it has ended."""
    taken = np.zeros(len(rows), dtype=np.bool_)
    ends = -1
    for place, row in enumerate(rows.tolist()):
        if row >= ends:
            taken[place], ends = True, row + horizon
    return taken


def groups(trades: Trades) -> Iterator[tuple[str, Trades]]:
    """All entries, those of each year, those of each pair, longs and shorts."""
    year = trades.day.astype("datetime64[D]").astype("datetime64[Y]").astype(np.int64) + 1970
    yield "all", trades
    for value in np.unique(year):
        yield str(value), trades.take(year == value)
    yield "2023-2024", trades.take(year >= 2023)
    for pair in np.unique(trades.pair.astype(str)):
        yield str(pair), trades.take(trades.pair == pair)
    yield "long", trades.take(trades.side > 0)
    yield "short", trades.take(trades.side < 0)


def report(trades: Trades) -> dict[str, dict[str, Any]]:
    """Numbers of every group: signals and what they earned, trades and what they earned."""
    return {
        name: {
            "signals": len(part),
            "signal_net": part.net(COST),
            "trades": int(part.free.sum()),
            "trade_net": part.take(part.free).net(COST),
            "trade_gross": part.take(part.free).net(0.0),
        }
        for name, part in groups(trades)
    }


def run(settings: SignalSettings, source: Source, span: Span) -> Trades:
    """Walk the profile forward and collect its entries."""
    frames = scored(source, tables(source, settings, COST), settings, span)
    found = [trades_of(frame, pair, settings) for pair, frame in frames.items()]
    names = ("pair", "day", "side", "gross", "free")
    return Trades(*(np.concatenate([getattr(part, name) for part in found]) for name in names))


def benchmark(
    settings: SignalSettings, pairs: Sequence[str], arguments: argparse.Namespace
) -> None:
    """Walk a profile and its variations forward, print their tables, write them as JSON."""
    folders = [arguments.datadir] if arguments.datadir else FOLDERS
    source = load_longest(folders, spot_of(pairs), settings.timeframe)
    timerange = arguments.timerange or TIMERANGE
    span = Span.of(timerange, settings, arguments.retrain_days or RETRAIN_DAYS)
    recipes = [Variant("ours", settings), *(tried(settings, words) for words in arguments.tried)]
    work = (delayed(run)(recipe.settings, source, span) for recipe in recipes)
    made = Parallel(n_jobs=min(arguments.processes, len(recipes)))(work)
    results = {recipe.name: report(trades) for recipe, trades in zip(recipes, made, strict=True)}
    show(results, settings, Console(width=arguments.width))
    name = arguments.name or f"quality-{settings.profile}-{source.name}"
    target = RESULTS / f"{name}.json"
    write_json(target, facts(source, timerange, settings), results)
    print(f"written to {target}")


def show(
    results: Mapping[str, Mapping[str, Mapping[str, Any]]],
    settings: SignalSettings,
    console: Console,
) -> None:
    """Print a table for each recipe, and what is known of the profile from elsewhere."""
    for name, result in results.items():
        title = f"{name}: bp a trade after {COST * _PER_BP:.0f} bp of fees, ± block-bootstrap error"
        table = Shown(title=title, title_justify="left")
        for column in ("", "signals", "net", "trades", "net", "gross"):
            table.add_column(column, justify="left" if not column else "right")
        for group, found in result.items():
            table.add_row(
                group,
                f"{found['signals']:,}",
                found["signal_net"].text(_PER_BP, 1),
                f"{found['trades']:,}",
                found["trade_net"].text(_PER_BP, 1),
                found["trade_gross"].text(_PER_BP, 1),
            )
        console.print(table)
    for sentence in expectation(settings):
        console.print(sentence)


def facts(source: Source, timerange: str, settings: SignalSettings) -> dict[str, Any]:
    """What the tables were made from, for the JSON file."""
    spans = {
        pair: [str(frame["date"].iloc[0]), str(frame["date"].iloc[-1])]
        for pair, frame in source.candles.items()
    }
    return {
        "source": source.name,
        "candles": spans,
        "timerange": timerange,
        "round_trip_cost": COST,
        "settings": json.loads(settings.model_dump_json()),
    }
