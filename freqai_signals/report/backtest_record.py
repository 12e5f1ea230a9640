"""What a backtest said and what happened, kept on disk for the report."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pandas as pd
import pyarrow as pa

from freqai_signals.files import write_atomically
from freqai_signals.schema import (
    DECISION_SIGNAL_COLUMN,
    EVENT_END_COLUMN,
    LABEL_COLUMN,
    MODEL_COLUMNS,
    MODEL_ID_COLUMN,
    OUTCOME_COLUMN,
    PRIOR_COLUMNS,
    REALISED_RETURN_COLUMN,
    REASON_COLUMN,
    STRENGTH_COLUMN,
    TRUST_COLUMN,
)
from freqai_signals.settings import SignalSettings
from freqai_signals.signals.decide import NO_SIGNAL

_DECISIONS: Final = (DECISION_SIGNAL_COLUMN, STRENGTH_COLUMN, REASON_COLUMN)
_FACTS: Final = (*PRIOR_COLUMNS, MODEL_ID_COLUMN)
_RUN_FILE: Final = "run.json"


class RecordMissing(ValueError):
    """There is nothing to report on, or it cannot be read; the message says what to do."""


@dataclass(frozen=True)
class Run:
    """One backtest as the report sees it.

    Attributes
    ----------
    facts
        Timerange, settings, round-trip cost, horizon, when it was written.
    frames
        Pair to its rows from the first prediction on: ``date``, the model's columns,
        ``do_predict``, class priors and model id, decisions, and the outcome with its return.
    features
        Pair to ``date`` and the model's features of the rows that became signals; empty where
        they were not kept.
    """

    facts: dict[str, Any]
    frames: dict[str, pd.DataFrame]
    features: dict[str, pd.DataFrame] = field(default_factory=dict)


@dataclass(frozen=True)
class BacktestRecord:
    """Writes one backtest's rows, one file a pair; every backtest begins anew.

    Attributes
    ----------
    folder
        Where the files of this identifier go.
    settings, round_trip_cost, timerange, datadir
        What the rows were made with.
    """

    folder: Path
    settings: SignalSettings
    round_trip_cost: float
    timerange: str
    datadir: str = ""
    _files: dict[str, str] = field(default_factory=dict, init=False)

    @classmethod
    def of(
        cls, config: Mapping[str, Any], settings: SignalSettings, round_trip_cost: float
    ) -> "BacktestRecord":
        """The record of a backtest with freqtrade's config."""
        folder = Path(config["user_data_dir"]) / "signals" / "reports"
        return cls(
            folder / config["freqai"]["identifier"],
            settings,
            round_trip_cost,
            str(config.get("timerange", "")),
            str(Path(config["datadir"]).resolve()),
        )

    def add(
        self,
        pair: str,
        frame: pd.DataFrame,
        labels: pd.DataFrame,
        features: pd.DataFrame | None = None,
    ) -> None:
        """Store the rows of one pair.

        Parameters
        ----------
        pair
            Full name.
        frame
            The strategy's frame after its decisions; its ``&-signal`` is the predicted class.
        labels
            Labels of the same rows, in the same order: there, ``&-signal`` is what happened.
        features
            What the model was given, indexed like ``frame`` or a part of it; those of signals are
            kept.
        """
        outcome = {OUTCOME_COLUMN: LABEL_COLUMN}
        outcome |= {name: name for name in (EVENT_END_COLUMN, REALISED_RETURN_COLUMN)}
        frame = frame.assign(**{new: labels[name].to_numpy() for new, name in outcome.items()})
        wanted = ["date", *MODEL_COLUMNS, TRUST_COLUMN, *_FACTS, *_DECISIONS]
        wanted += [OUTCOME_COLUMN, EVENT_END_COLUMN, REALISED_RETURN_COLUMN]
        rows = frame.reindex(columns=wanted)
        rows = rows[rows[MODEL_ID_COLUMN].fillna(0) > 0].reset_index(drop=True)
        self.folder.mkdir(parents=True, exist_ok=True)
        name = f"{pair.replace('/', '_').replace(':', '_')}.feather"
        _write(self.folder / name, rows)
        if features is None:
            (self.folder / _features_of(name)).unlink(missing_ok=True)
        else:
            emitted = frame[DECISION_SIGNAL_COLUMN] != NO_SIGNAL
            kept = features.loc[features.index.intersection(frame.index[emitted])]
            kept.insert(0, "date", frame["date"])
            _write(self.folder / _features_of(name), kept.reset_index(drop=True))
        self._files[pair] = name
        facts = self._facts() | {"files": self._files}
        write_atomically(self.folder / _RUN_FILE, json.dumps(facts, indent=1).encode())
        if len(self._files) == 1:
            self._forget_earlier()

    def _forget_earlier(self) -> None:
        """Remove files of an earlier backtest: pairs that this one may not have."""
        own = {name for file in self._files.values() for name in (file, _features_of(file))}
        for path in self.folder.glob("*.feather"):
            if path.name not in own:
                path.unlink(missing_ok=True)

    def _facts(self) -> dict[str, Any]:
        return {
            "timerange": self.timerange,
            "datadir": self.datadir,
            "round_trip_cost": self.round_trip_cost,
            "settings": self.settings.model_dump(mode="json"),
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
        }


def read_run(folder: Path) -> Run:
    """Read the rows of the last backtest of one identifier.

    Raises
    ------
    RecordMissing
        If there are none, or a file is damaged; the message names it.
    """
    try:
        facts = dict(json.loads((folder / _RUN_FILE).read_text()))
        files = dict(facts.pop("files"))
        # A version with other settings may have written them.
        SignalSettings.model_validate(facts["settings"])
    except FileNotFoundError:
        raise RecordMissing(f"no backtest to report on in {folder}; run one first") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        message = f"{folder / _RUN_FILE} cannot be read: {error}; backtest again"
        raise RecordMissing(message) from error
    frames = {pair: _read(folder / name) for pair, name in files.items()}
    kept = {pair: folder / _features_of(name) for pair, name in files.items()}
    features = {pair: _read(path) for pair, path in kept.items() if path.is_file()}
    return Run(facts, frames, features)


def _features_of(name: str) -> str:
    return f"{Path(name).stem}.features.feather"


def _write(path: Path, rows: pd.DataFrame) -> None:
    sink = pa.BufferOutputStream()
    rows.to_feather(sink)
    write_atomically(path, sink.getvalue().to_pybytes())


def _read(path: Path) -> pd.DataFrame:
    try:
        return pd.read_feather(path)
    except (OSError, ValueError, pa.ArrowInvalid) as error:
        raise RecordMissing(f"{path} cannot be read: {error}; backtest again") from error
