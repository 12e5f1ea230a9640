"""State of the bots for operators: serving models, live quality, levels, history."""

import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from freqai_signals.ledger.ledger import Ledger
from freqai_signals.ledger.live_quality import LiveQuality, live_quality, rolling_quality
from freqai_signals.ledger.sql_tables import CHAIN_ROOTS
from freqai_signals.live.events import clock_text, history, pair_health
from freqai_signals.registry.registry import Registry
from freqai_signals.schema import STRENGTH_COLUMN, TOTAL, SignalClass
from freqai_signals.signals.counters import SignalCount
from freqai_signals.terminal import print_line, print_table

_NEWEST = 10
_DAY = 86_400
_ROLLING_ROWS = 500
_POINTS = 8


def status(
    ledger: Ledger, registry: Path, days: float, events: int = 30, folders: Sequence[Path] = ()
) -> dict[str, Any]:
    """State of all bots of a ledger, as JSON values.

    Parameters
    ----------
    ledger
        Of the bots.
    registry
        Folder of the registry; may be absent.
    days
        Span of the live quality, counted back from the newest candle in the ledger.
    events
        Number of newest events in the history.
    folders
        Where damaged ledgers and rows not yet written may lie, beside the registry's own.
    """
    newest = ledger.newest_candle()
    since = int((newest or time.time()) - days * _DAY)
    scored = ledger.scored(since)
    found = live_quality(scored)
    rows = ledger.rows("predictions", since)
    scopes, health = Registry(registry), pair_health(ledger)
    return {
        "days": days,
        "newest_candle": clock_text(newest) if newest else "",
        "serving": [
            {"scope": scope.name, "version": scope.serving, "pinned": scope.pinned}
            for scope in scopes.scopes()
        ],
        "levels": ledger.levels() | {item["pair"]: item["level"] for item in health},
        "health": health,
        "signals": _signals(ledger, [(item["bot"], item["pair"]) for item in health]),
        "rows": rows.groupby("kind").size().to_dict(),
        "quality": {name: [item.as_dict() for item in group] for name, group in found.items()},
        "rolling": _rolling(scored),
        "decisions": _newest(ledger, "model_decisions"),
        "drift_events": _newest(ledger, "drift_events"),
        "history": history(ledger, scopes, events),
        "roots": _roots(ledger),
        "ledger_files": _left_files({registry.parent, *folders}),
    }


def print_status(found: dict[str, Any]) -> None:
    """Print the result of :func:`status` as tables: models, levels, quality, history."""
    print_table("Serving models", found["serving"])
    monitored = {item["pair"] for item in found["health"]}
    others = [
        {"bot": "", "pair": pair, "level": level, "since": "", "updated": "", "why": ""}
        for pair, level in found["levels"].items()
        if pair not in monitored
    ]
    print_table("Levels", [*found["health"], *others])
    print_table(
        "Signals since the ledger began",
        [{key: _text(value) for key, value in item.items()} for item in found["signals"]],
    )
    for name, group in found["quality"].items():
        lines = [_line(item) for item in group if item["rows"]]
        print_table(f"Live quality by {name}, last {found['days']:g} days", lines)
    print_table(
        f"Live quality of the last {_ROLLING_ROWS} scored rows, over time",
        [{key: _text(value) for key, value in point.items()} for point in found["rolling"]],
    )
    print_line(f"Newest candle in the ledger: {found['newest_candle'] or 'none'} UTC")
    recorded = [{"rows": kind, "number": count} for kind, count in found["rows"].items()]
    print_table("Recorded candles (only live ones are scored)", recorded)
    decisions = [
        {key: row[key] for key in ("scope", "challenger", "verdict", "reason")}
        for row in found["decisions"]
    ]
    print_table("Newest model decisions", decisions)
    print_table("History", found["history"])
    print_table("Daily roots of the ledger, the newest of each bot", found["roots"])
    if found["ledger_files"]:
        print_table("Beside the ledger: damaged, or not written yet", found["ledger_files"])


def _roots(ledger: Ledger) -> list[dict[str, Any]]:
    """Whoever notes one can tell later that nothing before it was rewritten."""
    rows = ledger.rows(CHAIN_ROOTS.name).sort_values("day").groupby("bot").tail(1)
    return [
        {"bot": row["bot"], "day": clock_text(int(row["day"]) * _DAY)[:10], "root": row["hash"]}
        for row in rows.to_dict("records")
    ]


def _left_files(folders: Iterable[Path]) -> list[dict[str, Any]]:
    names = ("ledger-unwritten-*.jsonl", "*.damaged-*")
    found = sorted({path for folder in folders for name in names for path in folder.glob(name)})
    return [{"file": path.name, "bytes": path.stat().st_size} for path in found]


def _signals(ledger: Ledger, monitored: list[tuple[str, str]]) -> list[dict[str, Any]]:
    """Emitted signals by bot and pair, also of monitored pairs without any, and in total."""
    rows = ledger.signals().rename(columns={"strength": STRENGTH_COLUMN})
    kinds = {kind.name.lower(): int(kind) for kind in SignalClass}
    dates = pd.to_datetime(rows["candle"], unit="s", utc=True)
    rows = rows.assign(date=dates, signal=rows["signal"].map(kinds))
    counts: dict[Any, SignalCount] = dict.fromkeys(monitored, SignalCount())
    counts |= {key: SignalCount.of(part) for key, part in rows.groupby(["bot", "pair"])}
    if not counts:
        return []
    together = sum(counts.values(), SignalCount())
    return [
        {"bot": bot, "pair": pair, **asdict(count), "last_time": _minute(count.last_time)}
        for (bot, pair), count in [*sorted(counts.items()), (("", TOTAL), together)]
    ]


def _minute(iso: str) -> str:
    """An ISO time in the format of :func:`clock_text`."""
    return iso[:16].replace("T", " ")


def _rolling(scored: pd.DataFrame) -> list[dict[str, Any]]:
    """Rolling quality at evenly spaced rows, the newest among them; empty with too few rows."""
    rolling = rolling_quality(scored, _ROLLING_ROWS).dropna()
    chosen = rolling.iloc[:: -1 * max(len(rolling) // _POINTS, 1)].iloc[:_POINTS][::-1]
    return [
        {"candle": clock_text(int(row["candle"]))}
        | {name: float(row[name]) for name in ("log_loss", "skill", "accuracy")}
        for row in chosen.to_dict("records")
    ]


def _newest(ledger: Ledger, table: str) -> list[dict[str, Any]]:
    rows = ledger.rows(table).sort_values("recorded", kind="stable").tail(_NEWEST)
    if "candle" in rows:
        rows = rows.assign(time=[clock_text(int(candle)) for candle in rows["candle"]])
    loaded: list[dict[str, Any]] = json.loads(rows.to_json(orient="records"))
    return loaded


def _line(item: dict[str, Any]) -> dict[str, str]:
    shown = LiveQuality.__dataclass_fields__.keys() - {"precision", "signals"}
    line = {key: _text(value) for key, value in item.items() if key in shown}
    tiers = [
        f"{name} {_text(value)} of {item['signals'][name]}"
        for name, value in item["precision"].items()
        if item["signals"][name]
    ]
    return line | {"precision": ", ".join(tiers) or "-"}


def _text(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.4f}" if isinstance(value, float) else str(value)
