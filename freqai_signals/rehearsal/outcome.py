"""Result of a rehearsal, from its decision log, ledger and trades."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from freqai_signals.config import POOL_FILE, settings_from_config
from freqai_signals.dataset.pair_tables import add_labels
from freqai_signals.live.decision_log import LiveRow
from freqai_signals.model import artefact
from freqai_signals.model.signal_model import SignalModel
from freqai_signals.rehearsal.bot import STRATEGY, log_of, record_of, trades_of
from freqai_signals.rehearsal.checks import (
    Check,
    CheckContext,
    flat_memory,
    no_crash,
    no_duplicate_entry,
    no_missed_exit,
)
from freqai_signals.rehearsal.ledger_view import LedgerView
from freqai_signals.rehearsal.lost_rows import no_lost_row
from freqai_signals.rehearsal.parity import ABSTAINING, History, Parity, compare
from freqai_signals.rehearsal.run_record import RunRecord, tuned_settings
from freqai_signals.rehearsal.scenario import load_candles
from freqai_signals.schema import LABEL_COLUMN, OUTCOME_COLUMN, REALISED_RETURN_COLUMN
from freqai_signals.settings import SignalSettings
from freqai_signals.signals.predictions import read_frame
from freqai_signals.trading.columns import exit_columns
from freqai_signals.trading.protections import STOPPED

_OURS: Final = ("/strategies/", "/freqai_models/", "/freqai_signals/")


@dataclass(frozen=True)
class Outcome:
    """Result of a rehearsal.

    Attributes
    ----------
    parity
        Live compared with history.
    frames
        Pair to predictions and decisions from the history, with outcomes where known.
    trades
        Rows of the bot's database.
    delays
        Shape ``(n,)``, seconds of the wall clock from a candle's close to its decision.
    run
        Market time, incidents, faults, memory, exit status.
    checks
        Results of all checks.
    folder
        Of the rehearsal.
    """

    parity: Parity
    frames: Mapping[str, pd.DataFrame]
    trades: list[dict[str, Any]]
    delays: np.ndarray
    run: RunRecord
    checks: tuple[Check, ...]
    folder: Path

    @property
    def passed(self) -> bool:
        """Whether every check passed, and live equals history on at least one candle."""
        equal = self.parity.share == 1.0 and self.parity.candles > 0
        return equal and all(check.passed for check in self.checks)


def judged(
    folder: Path,
    absent: tuple[tuple[str, int, int], ...] = (),
    lost: frozenset[str] = frozenset(),
) -> Outcome:
    """Check the finished rehearsal of a folder, with the thresholds of its bot.

    Parameters
    ----------
    folder
        Of the rehearsal.
    absent
        More spans in which the bot's pairlist left a pair out; see ``Incidents``.
    lost
        Versions that could never be stored; see :class:`~freqai_signals.rehearsal.parity.History`.

    Raises
    ------
    ValueError
        If there is none.
    """
    run = RunRecord.read(folder)
    away = (*run.incidents.absent, *absent)
    run = replace(run, incidents=replace(run.incidents, absent=away))
    config = json.loads((folder / "config.json").read_text())
    settings = tuned_settings(settings_from_config(config), folder)
    pairs = tuple(config["exchange"]["pair_whitelist"])
    candles = load_candles(Path(run.candles), pairs, settings, run.shift_ms, run.incidents)
    market = _resolved_pool(folder / "user_data", config)
    return outcome(folder, run, candles, settings, market, lost)


def outcome(
    folder: Path,
    run: RunRecord,
    candles: Mapping[str, pd.DataFrame],
    settings: SignalSettings,
    market: tuple[str, ...] = (),
    lost: frozenset[str] = frozenset(),
) -> Outcome:
    """Compare and score the records of a folder's bot; ``market`` is its pool, if not all pairs.

    Decisions after the end do not count: the bot was stopping, so the ledger may lack them.
    """
    recorded = [row for row in record_of(folder).rows() if 1000 * row.written < run.stop_ms]
    trades, models = trades_of(folder), _Models(folder / "user_data")
    view = LedgerView.of(settings, folder / "user_data")
    was_away = partial(run.incidents.soon_away, candle_ms=1000 * settings.candle_seconds)
    rows, differences = view.applied(recorded, models.number, was_away) if view else (recorded, [])
    stops, own_rules = _stops(trades, settings), run.strategy != STRATEGY
    history = History(candles, settings, stops, models, own_rules, market, lost)
    parity = compare(rows, history)
    parity = replace(parity, mismatches=(*differences, *parity.mismatches))
    costs = {row.pair: row.cost for row in rows}
    frames = {
        pair: _with_outcomes(frame, candles[pair], settings, costs[pair])
        for pair, frame in parity.expected.items()
    }
    context = CheckContext(
        stop=run.stop_ms // 1000,
        speed=run.speed,
        candle_seconds=settings.candle_seconds,
        horizon=settings.label_horizon_candles if settings.exits.horizon else None,
        incidents=run.incidents,
    )
    decided = {(row.pair, int(pd.Timestamp(row.date).timestamp())) for row in recorded}
    checks = [
        no_crash(run.exit_status, log_of(folder), _OURS),
        no_duplicate_entry(trades),
        flat_memory(run.memory),
    ]
    if not own_rules:
        # Horizon and signals to leave are rules of our strategy.
        exits = _exit_signals(frames, recorded, settings, run)
        checks.insert(2, no_missed_exit(trades, exits, context))
    if view is not None:
        checks.append(no_lost_row(decided, view.predictions, tuple(candles), context))
    (folder / "parity.json").write_text(json.dumps(parity.as_dict(), indent=1, default=str))
    return Outcome(
        parity=parity,
        frames=frames,
        trades=trades,
        delays=_delays(recorded, settings, run) / run.speed,
        run=run,
        checks=tuple(checks),
        folder=folder,
    )


class _Models:
    """Models of a bot's store by the first 48 bits of their key, each read once."""

    def __init__(self, user_data: Path) -> None:
        self._user_data = user_data
        self._read: dict[int, SignalModel | None] = {}

    def __call__(self, number: int) -> SignalModel | None:
        if number not in self._read:
            found = self._files(f"{number:012x}")
            self._read[number] = artefact.read(found[0]) if found else None
        return self._read[number]

    def number(self, version: str) -> int:
        """Leading 48 bits of the key of a version, whose name ends with 40 of them; 0 if gone."""
        found = self._files(version.rpartition("-")[2])
        return int(found[0].name[:12], 16) if found else 0

    def _files(self, key: str) -> list[Path]:
        """In the store, or where the rehearsal moved the store of that time."""
        present = (self._user_data / "signals" / "models").glob(f"{key}*.model")
        return sorted(present) or sorted((self._user_data / "removed").rglob(f"{key}*.model"))


def _resolved_pool(user_data: Path, config: Mapping[str, Any]) -> tuple[str, ...]:
    """The pool that the bot has resolved and stored; empty where its config names one."""
    path = user_data / "models" / str(config["freqai"].get("identifier")) / POOL_FILE
    try:
        return tuple(json.loads(path.read_text())["pairs"])
    except (OSError, ValueError, KeyError, TypeError):
        return ()


def _stops(trades: list[dict[str, Any]], settings: SignalSettings) -> dict[str, list[int]]:
    stops: dict[str, list[int]] = {}
    for trade in trades:
        if trade["close_date"] and trade["exit_reason"] in STOPPED:
            # freqtrade stores UTC without a zone.
            closed = pd.Timestamp(trade["close_date"], tz="UTC").timestamp()
            stops.setdefault(trade["pair"], []).append(int(closed) // settings.candle_seconds)
    return stops


def _exit_signals(
    frames: Mapping[str, pd.DataFrame],
    rows: list[LiveRow],
    settings: SignalSettings,
    run: RunRecord,
) -> dict[str, list[int]]:
    """Times at which the bot decided a candle with an exit signal; see ``no_missed_exit``."""
    written: dict[tuple[str, str], float] = {}
    for row in rows:
        if row.trust not in ABSTAINING:
            # Of a candle decided twice the first decision could be acted on first. Rows bear the
            # time of the bot's clock.
            closed = pd.Timestamp(row.date).timestamp() + settings.candle_seconds
            written.setdefault((row.pair, row.date), run.true_time(row.written, closed))
    signals: dict[str, list[int]] = {}
    for pair, frame in frames.items():
        read = read_frame(frame, settings.candle_seconds)
        columns = exit_columns(read, len(frame), settings.exits)
        for side, name in (("exit_long", pair), ("exit_short", f"{pair} short")):
            dates = frame.loc[columns[side] == 1, "date"].map(lambda date: date.isoformat())
            signals[name] = [int(written[pair, date]) for date in dates if (pair, date) in written]
    return signals


def _delays(rows: list[LiveRow], settings: SignalSettings, run: RunRecord) -> np.ndarray:
    """Market seconds from a candle's close to its first decision, unless the bot was away."""
    spans: dict[tuple[str, str], tuple[float, float]] = {}
    for row in rows:
        closed = pd.Timestamp(row.date).timestamp() + settings.candle_seconds
        spans.setdefault((row.pair, row.date), (closed, run.true_time(row.written, closed)))
    away = run.incidents.away
    return np.array(
        [
            decided - closed
            for closed, decided in spans.values()
            if not any(start < 1000 * decided and 1000 * closed < stop for start, stop in away)
        ]
    )


def _with_outcomes(
    frame: pd.DataFrame, candles: pd.DataFrame, settings: SignalSettings, cost: float
) -> pd.DataFrame:
    labelled = add_labels(candles, settings, cost).set_index("date")
    labelled = labelled.reindex(pd.DatetimeIndex(frame["date"]))
    return frame.assign(
        **{
            OUTCOME_COLUMN: labelled[LABEL_COLUMN].to_numpy(),
            REALISED_RETURN_COLUMN: labelled[REALISED_RETURN_COLUMN].to_numpy(),
        }
    )
