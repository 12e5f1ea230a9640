"""State of the bots for operators: serving models, live quality, levels, history."""

import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from freqai_signals.ledger.ledger import Ledger
from freqai_signals.ledger.live_quality import live_quality, rolling_quality
from freqai_signals.ledger.questions import loss_sums
from freqai_signals.ledger.sql_tables import CHAIN_ROOTS
from freqai_signals.live.status.daily_summary import skill_text, skill_with_error
from freqai_signals.live.status.events import clock_text, history, pair_health
from freqai_signals.live.status.heartbeat import Heartbeat, heartbeats
from freqai_signals.live.status.problems import open_problems
from freqai_signals.registry.registry import Registry
from freqai_signals.registry.versions import Scope
from freqai_signals.schema import STRENGTH_COLUMN, TOTAL, SignalClass
from freqai_signals.settings import DriftSettings
from freqai_signals.signals.counters import SignalCount
from freqai_signals.terminal import span_text, time_text, utc_text

_NEWEST = 10
_DAY = 86_400
_ROLLING_ROWS = 500
_POINTS = 8


def status(
    ledger: Ledger, registry: Path, days: float, events: int = 30, folders: Sequence[Path] = (),
    drift: DriftSettings | None = None,
) -> dict[str, Any]:  # fmt: skip
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
        Where heartbeats, damaged ledgers and rows not yet written may lie, beside the registry's
        own.
    drift
        From which the consequences of levels follow; the defaults if None.
    """
    now, places = int(time.time()), {place.resolve() for place in (registry.parent, *folders)}
    newest = ledger.newest_candle()
    since = int((newest or now) - days * _DAY)
    scored, sums = ledger.scored(since), loss_sums(ledger, since)
    found = live_quality(scored)
    rows = ledger.rows("predictions", since)
    scopes, health = Registry(registry), pair_health(ledger, drift or DriftSettings())
    beats = [beat for place in sorted(places) for beat in heartbeats(place)]
    serving = [_serving(scope, ledger, now) for scope in scopes.scopes()]
    files = _left_files(places)
    skill, error = skill_with_error(sums)
    return {
        "days": days,
        "newest_candle": clock_text(newest) if newest else "",
        "bots": [_bot(beat, now) for beat in beats],
        "serving": serving,
        "problems": [
            problem.as_dict() for problem in open_problems(beats, serving, health, files, now)
        ],
        "skill": skill if np.isfinite(skill) else None,
        "skill_error": error if np.isfinite(error) else None,
        "skill_text": skill_text(sums),
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
        "ledger_files": files,
    }


def _bot(beat: Heartbeat, now: int) -> dict[str, Any]:
    """A bot's sign of life, in words and as times."""
    due = beat.next_training
    plan = f"next {time_text(due)} (in {span_text(due - now)})" if due > now else "due now"
    if beat.training_since:
        plan = f"runs since {time_text(beat.training_since)}"
    elif not due:
        plan = "no model was trained yet"
    expiry = f"; the model expires {time_text(beat.expires)}" if beat.expires else ""
    return {
        "name": beat.name,
        "bot": beat.bot,
        "liveness": str(beat.liveness(now)),
        "sentence": beat.sentence(now),
        "last_loop": time_text(beat.time),
        "decided": f"until {time_text(beat.decided)}" if beat.decided else "",
        "pairs": len(beat.pairs),
        "training": plan + expiry,
        "heartbeat": asdict(beat),
    }


def _serving(scope: Scope, ledger: Ledger, now: int) -> dict[str, Any]:
    """What serves a scope, how old it is, and whether a newer model is refused."""
    found: dict[str, Any] = {
        "scope": scope.name,
        "version": scope.serving,
        "pinned": scope.pinned,
        "pin": " (pinned)" * scope.pinned,
        "data_until": "",
        "age": "",
        "holdout": "",
        "refused": "",
    }
    newest = scope.versions[-1] if scope.versions else None
    if newest and newest.verdict.startswith("refuse") and newest.version != scope.serving:
        found["refused"] = f"{newest.version} {newest.reason}"
    if scope.serving:
        version = scope.get(scope.serving)
        found["data_until"] = utc_text(version.last)
        registered = datetime.fromisoformat(version.registered).timestamp()
        found["age"] = span_text(now - registered)
        skill = _holdout_skill(ledger, scope)
        found["holdout"] = "no test of the gate" if skill is None else f"skill {100 * skill:+.1f} %"
    return found


def _holdout_skill(ledger: Ledger, scope: Scope) -> float | None:
    """Skill on the hold-out by which the gate judged the serving model."""
    rows = ledger.rows("model_decisions")
    mine = rows[(rows["scope"] == scope.name) & (rows["challenger"] == scope.serving)]
    evidence = json.loads(mine["evidence"].iloc[-1]) if len(mine) else {}
    return evidence.get("skill")


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
