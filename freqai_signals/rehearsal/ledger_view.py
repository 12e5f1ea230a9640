"""The ledger compared with the decision log: models, predictions and decisions of each candle."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pandas as pd

from freqai_signals.ledger.candle_rows import Kind
from freqai_signals.ledger.damage import sqlite_file
from freqai_signals.ledger.database import ledger_url
from freqai_signals.ledger.ledger import Ledger
from freqai_signals.ledger.sql_tables import PREDICTIONS
from freqai_signals.live.decision_log import LiveRow
from freqai_signals.rehearsal.parity import TOLERANCE, Mismatch
from freqai_signals.schema import (
    CONFIDENCE_COLUMN,
    EXPECTED_RETURN_COLUMN,
    LABEL_COLUMN,
    PROBA_COLUMNS,
    SignalClass,
)
from freqai_signals.settings import SignalSettings

_SAME: Final = {
    LABEL_COLUMN: "predicted",
    **{name: name for name in (*PROBA_COLUMNS, CONFIDENCE_COLUMN, EXPECTED_RETURN_COLUMN)},
}


class LedgerView:
    """Predictions and levels in a bot's ledger.

    Parameters
    ----------
    predictions
        The ledger's table.
    events
        Its table of drift events.
    """

    def __init__(self, predictions: pd.DataFrame, events: pd.DataFrame) -> None:
        self.predictions = predictions
        self._rows: dict[tuple[str, int], Mapping[Any, Any]] = {}
        records: list[dict[Any, Any]] = predictions.to_dict("records")
        for row in records:
            # A candle predicted later has a second row if another model served by then.
            if row["kind"] != Kind.GAP or (row["pair"], row["candle"]) not in self._rows:
                self._rows[row["pair"], row["candle"]] = row
        self._levels: dict[str, list[tuple[int, str]]] = {}
        levels = events[events["detector"] == "health"] if len(events) else events
        changes: list[dict[Any, Any]] = levels.to_dict("records")
        for event in sorted(changes, key=lambda event: int(event["candle"])):
            self._levels.setdefault(event["pair"], []).append((event["candle"], event["level"]))

    @classmethod
    def of(cls, settings: SignalSettings, user_data: Path) -> "LedgerView | None":
        """The ledger of a bot's data folder; None if it is switched off."""
        if not settings.ledger.enabled:
            return None
        predictions, events = [pd.DataFrame(columns=PREDICTIONS.columns.keys())], [pd.DataFrame()]
        for url in ledger_urls(settings, user_data):
            with closing(Ledger(url, read_only=True)) as ledger:
                predictions.append(ledger.rows("predictions"))
                events.append(ledger.rows("drift_events"))
        return cls(_joined(predictions), _joined(events))

    def applied(
        self,
        live: Iterable[LiveRow],
        number: Callable[[str], int],
        was_away: Callable[[float], bool] = lambda decided_ms: False,
    ) -> tuple[list[LiveRow], list[Mismatch]]:
        """Live rows with the model that the ledger names, and every value that differs.

        Rows of a candle that was decided more than once stand one after the other.

        Parameters
        ----------
        live
            Rows of the decision log, in the order of writing. A bot that starts again before the
            next candle decides one once more, maybe with a newer model or a pair's candle that was
            late, remembers that, and writes no second row: the ledger has to hold one of them.
        number
            Leading 48 bits of the key of the model of a version; 0 where it is gone. Then the row's
            own stands, which is the same unless the gate refused the model.
        was_away
            Whether the bot ended soon after a time (ms). A kill may take a row that was not written
            yet; the one that the next start writes for its candle is of another prediction.
        """
        rows, differences = [], []
        for (pair, candle), decided in _by_candle(live).items():
            entry = self._rows.get((pair, candle))
            if entry is None:
                differences.append(Mismatch(pair, decided[-1].date, "row", "decided", "", _NO_ROW))
                rows += decided
                continue
            found = [self._differences(one, entry) for one in decided]
            held = [not wrong for wrong in found]
            if not any(held) and not (
                entry["kind"] == Kind.GAP and was_away(1000 * decided[-1].written)
            ):
                differences += found[-1]
                held[-1] = True
            named = number(entry["model_version"])
            # The ledger names a model that the gate refused, too; its row predicts nothing. It
            # cannot name the model of a decision that it does not hold.
            rows += [
                replace(one, model=named or one.model) if one.model and is_held else one
                for one, is_held in zip(decided, held, strict=True)
            ]
        return rows, differences

    def _differences(self, row: LiveRow, entry: Mapping[Any, Any]) -> list[Mismatch]:
        found: list[tuple[str, float | str, float | str]] = [
            (name, row.values[name], float(entry[column]))
            for name, column in _SAME.items()
            # Written so that NaN counts as a difference.
            if not abs(row.values[name] - float(entry[column])) <= TOLERANCE
        ]
        if row.model and not _predicted_by(row, entry):
            found.append(("model_version", f"{row.model:012x}", entry["model_version"]))
        signal = "none" if row.signal < 0 else SignalClass(row.signal).name.lower()
        decided, kept = (signal, row.reason), (entry["signal"], entry["reason"])
        if decided != kept and not self._limited(row, kept):
            found.append(("signal", "/".join(decided), "/".join(kept)))
        return [Mismatch(row.pair, row.date, *values, _DIFFERS) for values in found]

    def _limited(self, row: LiveRow, kept: tuple[str, str]) -> bool:
        """Whether the pair's level removed the signal after it was decided."""
        candle = int(pd.Timestamp(row.date).timestamp())
        levels = [level for since, level in self._levels.get(row.pair, ()) if since <= candle]
        return bool(levels) and kept == ("none", levels[-1])


def ledger_urls(settings: SignalSettings, user_data: Path) -> list[str]:
    """A bot's ledgers, oldest first: SQLite files that were removed, and the present one, if any.

    A rehearsal moves what it removes to ``removed``, numbered.
    """
    if not settings.ledger.enabled:
        return []
    url = ledger_url(settings.ledger, user_data)
    file = sqlite_file(url)
    if file is None:
        return [url]
    removed = sorted(
        user_data.glob(f"removed/*/{file.name}"), key=lambda path: int(path.parent.name[:4])
    )
    return [f"sqlite:///{path}" for path in (*removed, file) if path.is_file()]


def _by_candle(live: Iterable[LiveRow]) -> dict[tuple[str, int], list[LiveRow]]:
    found: dict[tuple[str, int], list[LiveRow]] = {}
    for row in live:
        candle = int(pd.Timestamp(row.date).timestamp())
        found.setdefault((row.pair, candle), []).append(row)
    return found


def _predicted_by(row: LiveRow, entry: Mapping[Any, Any]) -> bool:
    """Whether a row has a model, and the ledger names the same."""
    # A version ends with ten digits of the key, the log holds twelve.
    end = f"-{row.model:012x}"[:11]
    return bool(row.model) and str(entry["model_version"]).endswith(end)


def _joined(frames: list[pd.DataFrame]) -> pd.DataFrame:
    filled = [frame for frame in frames if len(frame)]
    return pd.concat(filled, ignore_index=True) if filled else frames[0]


_NO_ROW: Final = "the ledger has no row"
_DIFFERS: Final = "the ledger has another value"
