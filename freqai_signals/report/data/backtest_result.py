"""freqtrade's own result of a backtest: trades, the market's change, looks at the span."""

import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import pandas as pd
import pyarrow as pa

from freqai_signals.report.data.frames import TRADE_COLUMNS, empty

_UNREADABLE: Final = (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile, pa.ArrowInvalid)
_SLACK_SECONDS: Final = 2
"""freqtrade cuts start and end of a run, which the record is written within, to whole seconds."""


@dataclass(frozen=True)
class BacktestResult:
    """What freqtrade stored of one backtest.

    Attributes
    ----------
    file
        Name of the zip; empty if none belongs to the record.
    facts
        freqtrade's statistics without trades.
    trades
        Columns of :data:`~freqai_signals.report.data.frames.TRADE_COLUMNS`.
    market
        ``date`` (days) and ``buy_and_hold``, a fraction since the start.
    looks
        Backtests whose result is still there and whose span overlaps this one, itself included.
    """

    file: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    trades: pd.DataFrame = field(default_factory=lambda: empty(TRADE_COLUMNS))
    market: pd.DataFrame = field(default_factory=lambda: empty(("date", "buy_and_hold")))
    looks: int = 0


def find_result(userdir: Path, identifier: str, at: datetime) -> BacktestResult:
    """The result of the backtest that wrote a record.

    Parameters
    ----------
    userdir
        freqtrade's user folder.
    identifier
        FreqAI identifier of the record.
    at
        When the record was last written: within the run, or just after it.

    Returns
    -------
    BacktestResult
        An empty one where the result was not stored (``--export none``), deleted or damaged.
    """
    folder = userdir / "backtest_results"
    moment = at.timestamp()
    # Newest first: the record belongs to the last run that had begun when it was written.
    for meta, start in sorted(_started(folder), key=lambda item: -item[1]):
        if start > moment:
            continue
        found = _read(meta.with_name(meta.name.removesuffix(".meta.json") + ".zip"), identifier)
        if found is None:
            continue
        # That run was over by then, so the result of the record's own was not stored.
        if moment > float(found.facts["backtest_run_end_ts"]) + _SLACK_SECONDS:
            break
        return found
    return BacktestResult()


def _started(folder: Path) -> Iterator[tuple[Path, float]]:
    for path in folder.glob("*.meta.json"):
        for facts in _metas(path):
            yield path, float(facts.get("backtest_start_time", 0.0))


def _metas(path: Path) -> list[dict[str, Any]]:
    try:
        return [dict(facts) for facts in json.loads(path.read_text()).values()]
    except _UNREADABLE:
        return []


def _read(path: Path, identifier: str) -> BacktestResult | None:
    try:
        with zipfile.ZipFile(path) as archive:
            stored = json.loads(archive.read(f"{path.stem}.json"))["strategy"]
            for found in stored.values():
                if found.get("freqai_identifier", identifier) == identifier:
                    market = _market(archive, f"{path.stem}_market_change.feather")
                    facts = {key: value for key, value in found.items() if key != "trades"}
                    trades = _trades(found["trades"])
                    return BacktestResult(
                        path.name, facts, trades, market, _looks(path.parent, facts)
                    )
    except _UNREADABLE:
        return None
    return None


def _trades(stored: list[dict[str, Any]]) -> pd.DataFrame:
    if not stored:
        return empty(TRADE_COLUMNS)
    rows = pd.DataFrame(stored)
    return pd.DataFrame(
        {
            "pair": rows["pair"],
            "open_date": pd.to_datetime(rows["open_date"], utc=True),
            "close_date": pd.to_datetime(rows["close_date"], utc=True),
            "is_short": rows["is_short"].astype(bool),
            "enter_tag": rows["enter_tag"].fillna(""),
            "exit_reason": rows["exit_reason"].fillna(""),
            "stake": rows["stake_amount"].astype(float),
            "profit": rows["profit_abs"].astype(float),
            "net_return": rows["profit_ratio"].astype(float),
            "cost": rows["fee_open"].astype(float) + rows["fee_close"].astype(float),
        }
    )


def _market(archive: zipfile.ZipFile, name: str) -> pd.DataFrame:
    if name not in archive.namelist():
        return empty(("date", "buy_and_hold"))
    change = pd.read_feather(io.BytesIO(archive.read(name)))
    day = pd.to_datetime(change["date"], utc=True).dt.floor("D")
    last = change.groupby(day)["rel_mean"].last()
    return pd.DataFrame({"date": last.index, "buy_and_hold": last.to_numpy(float)})


def _looks(folder: Path, facts: Mapping[str, Any]) -> int:
    """Stored backtests whose span overlaps."""
    # Milliseconds in freqtrade's result, seconds in its meta files.
    first, last = facts["backtest_start_ts"] / 1000, facts["backtest_end_ts"] / 1000
    metas = [meta for path in folder.glob("*.meta.json") for meta in _metas(path)]
    return sum(
        meta.get("backtest_start_ts", 0) < last and meta.get("backtest_end_ts", 0) > first
        for meta in metas
    )
