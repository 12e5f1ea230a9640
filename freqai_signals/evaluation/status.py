"""What an operator wants to know at a glance: who speaks, how good it has been, what is wrong."""

import json
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from freqai_signals.evaluation.ledger import Ledger
from freqai_signals.evaluation.live_quality import LiveQuality, live_quality
from freqai_signals.models.registry import Registry

_NEWEST = 10
_DAY = 86_400


def status(ledger: Ledger, registry: Path, days: float) -> dict[str, Any]:
    """Everything that is shown, for JSON.

    Parameters
    ----------
    ledger
        Of the bots.
    registry
        Folder of the registry; it may be absent.
    days
        Span of the live quality, counted back from now.
    """
    since = int(time.time() - days * _DAY)
    found = live_quality(ledger.scored(since))
    rows = ledger.rows("predictions", since)
    return {
        "days": days,
        "serving": [
            {"scope": scope.name, "version": scope.serving, "pinned": scope.pinned}
            for scope in Registry(registry).scopes()
        ],
        "levels": ledger.levels(),
        "rows": rows.groupby("kind").size().to_dict(),
        "quality": {name: [item.as_dict() for item in group] for name, group in found.items()},
        "decisions": _newest(ledger, "model_decisions", since),
        "drift_events": _newest(ledger, "drift_events", since),
    }


def print_status(found: dict[str, Any], console: Console) -> None:
    """Print what :func:`status` found as tables."""
    _print(console, "Serving models", found["serving"])
    levels = [{"pair": pair, "level": level} for pair, level in found["levels"].items()]
    _print(console, "Levels", levels)
    for name, group in found["quality"].items():
        lines = [_line(item) for item in group if item["rows"]]
        _print(console, f"Live quality by {name}, last {found['days']:g} days", lines)
    recorded = [{"rows": kind, "number": count} for kind, count in found["rows"].items()]
    _print(console, "Recorded candles (only live ones are scored)", recorded)
    decisions = [
        {key: row[key] for key in ("scope", "challenger", "verdict", "reason")}
        for row in found["decisions"]
    ]
    _print(console, "Newest model decisions", decisions)
    events = [
        {key: row[key] for key in ("pair", "time", "detector", "level", "detail")}
        for row in found["drift_events"]
    ]
    _print(console, "Newest drift events", events)


def _newest(ledger: Ledger, table: str, since: int) -> list[dict[str, Any]]:
    rows = ledger.rows(table, since).sort_values("recorded", kind="stable").tail(_NEWEST)
    if "candle" in rows:
        stamps = [time.strftime("%Y-%m-%d %H:%M", time.gmtime(c)) for c in rows["candle"]]
        rows = rows.assign(time=stamps)
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


def _print(console: Console, title: str, rows: list[dict[str, Any]]) -> None:
    if not rows:
        console.print(f"{title}: none")
        return
    table = Table(title=title, title_justify="left")
    for name in rows[0]:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(str(value) for value in row.values()))
    console.print(table)
