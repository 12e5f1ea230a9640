"""Predictions, decisions and outcomes of a backtest, stored for the report."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pandas as pd
import pyarrow as pa
from pydantic import ValidationError

from freqai_signals.config import ignored_keys
from freqai_signals.files import feather, write_atomically
from freqai_signals.model.signing import installation_key
from freqai_signals.report.data.climatology import BASELINE_COLUMNS, climatology_of
from freqai_signals.report.data.feature_shift import References, feature_shift, unknown_model
from freqai_signals.report.data.looks import Look, add_look
from freqai_signals.report.data.predicted_trades import known_at, predicted_trade_returns
from freqai_signals.report.model_usage import trained_on
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
    TRADE_COST_COLUMN,
    TRADE_RETURN_COLUMN,
    TRUST_COLUMN,
)
from freqai_signals.settings import SignalSettings
from freqai_signals.signals.decide import NO_SIGNAL

_DECISIONS: Final = (DECISION_SIGNAL_COLUMN, STRENGTH_COLUMN, REASON_COLUMN)
_FACTS: Final = (*PRIOR_COLUMNS, MODEL_ID_COLUMN)
RUN_FILE: Final = "run.json"
_NEEDED: Final = ("date", *MODEL_COLUMNS, TRUST_COLUMN, *_FACTS, *_DECISIONS, OUTCOME_COLUMN)

FORMAT: Final = 3
"""Of a record; 2 added ``known_at`` and the list of pairs, 3 the shift against training rows."""

KNOWN_AT_COLUMN: Final = "known_at"

SAMPLED_COLUMN: Final = "sampled"
"""Whether a row of features belongs to the even sample of all predicted rows."""

_SAMPLE: Final = 2000
"""Predicted rows a pair whose features are kept, besides those of signals."""


class RecordMissing(ValueError):
    """There is no backtest to report on, or it cannot be read; the message has the remedy."""


@dataclass(frozen=True)
class Run:
    """The stored rows of one backtest.

    Attributes
    ----------
    facts
        Timerange, settings, round-trip cost, horizon, when it was written.
    frames
        Pair to its rows from the first prediction on: ``date``, the model's columns,
        ``do_predict``, class priors and model id, decisions, and the outcome with its return.
    features
        Pair to ``date``, ``sampled`` and the model's features, of the rows that became signals and
        of an even sample of all; empty where they were not kept.
    shifts
        Pair to the table of :func:`feature_shift`; empty in records before format 3.
    """

    facts: dict[str, Any]
    frames: dict[str, pd.DataFrame]
    features: dict[str, pd.DataFrame] = field(default_factory=dict)
    shifts: dict[str, pd.DataFrame] = field(default_factory=dict)

    @property
    def settings(self) -> SignalSettings:
        """What the backtest ran with.

        Raises
        ------
        RecordMissing
            If another version of this package wrote settings that this one does not have.
        """
        try:
            return SignalSettings.model_validate(self.facts["settings"])
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(str(part) for part in first["loc"])
            raise RecordMissing(
                f"the backtest's record of {self.facts['at']} holds settings that this version "
                f"does not know ({error.error_count()}, first {key}: {first['msg']}); another "
                "version wrote it: backtest again"
            ) from error


@dataclass(frozen=True)
class BacktestRecord:
    """Writes the rows of one backtest, one file a pair, in place of those of the last one.

    Attributes
    ----------
    folder
        Folder of this identifier.
    settings, round_trip_cost, timerange, datadir
        What the rows were made with.
    pairs
        Those of the whole backtest: a record with fewer was not finished.
    ignored
        What of the config did nothing, a line each.
    reference_of
        What the model of an id keeps of its training rows; asked once a pair and model.
    """

    folder: Path
    settings: SignalSettings
    round_trip_cost: float
    timerange: str
    datadir: str = ""
    pairs: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    reference_of: References = field(default=unknown_model, repr=False)
    _files: dict[str, str] = field(default_factory=dict, init=False)
    _look: list[Look] = field(default_factory=list, init=False)

    @classmethod
    def of(
        cls, config: Mapping[str, Any], settings: SignalSettings, round_trip_cost: float
    ) -> "BacktestRecord":
        """The record of a backtest with freqtrade's config."""
        folder = Path(config["user_data_dir"])
        key = installation_key(folder, settings.registry.sign)
        return cls(
            folder / "signals" / "reports" / config["freqai"]["identifier"],
            settings,
            round_trip_cost,
            str(config.get("timerange", "")),
            str(Path(config["datadir"]).resolve()),
            tuple(config["exchange"].get("pair_whitelist", ())),
            ignored_keys(config),
            trained_on(folder / "signals" / "models", key),
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
            Labels of the same rows, in the same order: their ``&-signal`` is the realised class.
        features
            Features of the model, indexed like ``frame`` or a part of it; those of signals and of
            a sample are stored.
        """
        outcome = {OUTCOME_COLUMN: LABEL_COLUMN}
        outcome |= {name: name for name in (EVENT_END_COLUMN, REALISED_RETURN_COLUMN)}
        frame = frame.assign(**{new: labels[name].to_numpy() for new, name in outcome.items()})
        frame[TRADE_RETURN_COLUMN] = predicted_trade_returns(frame, labels, self.settings)
        frame[KNOWN_AT_COLUMN] = known_at(frame, self.settings.candle_seconds)
        frame[list(BASELINE_COLUMNS)] = climatology_of(frame, self.settings)
        wanted = ["date", *MODEL_COLUMNS, TRUST_COLUMN, *_FACTS, *_DECISIONS]
        wanted += [OUTCOME_COLUMN, EVENT_END_COLUMN, REALISED_RETURN_COLUMN, KNOWN_AT_COLUMN]
        wanted += [*BASELINE_COLUMNS, TRADE_RETURN_COLUMN, TRADE_COST_COLUMN]
        # FreqAI fills rows before the first prediction with zeros or NaN.
        ids = frame.reindex(columns=[MODEL_ID_COLUMN])[MODEL_ID_COLUMN]
        rows = frame[ids.fillna(0) > 0].reindex(columns=wanted).reset_index(drop=True)
        self.folder.mkdir(parents=True, exist_ok=True)
        name = f"{pair.replace('/', '_').replace(':', '_')}.feather"
        write_atomically(self.folder / name, feather(rows))
        self._add_features(name, frame, features)
        self._files[pair] = name
        # After the pair's files: what run.json names is always complete.
        facts = self._facts() | {"files": self._files}
        write_atomically(self.folder / RUN_FILE, json.dumps(facts, indent=1).encode())
        if len(self._files) == 1:
            self._forget_earlier()
        if len(rows) and not self._look:
            first, last = (int(rows["date"].iloc[place].timestamp()) for place in (0, -1))
            self._look.append(Look("backtest", first, last))
            # The folder is signals/reports/IDENTIFIER.
            add_look(self.folder.parents[2], self._look[0])

    def _add_features(self, name: str, frame: pd.DataFrame, features: pd.DataFrame | None) -> None:
        """Features of signals and of a sample as they were, those of all rows as a shift a day."""
        if features is None:
            for other in (_features_of, _shift_of):
                (self.folder / other(name)).unlink(missing_ok=True)
            return
        emitted = frame[DECISION_SIGNAL_COLUMN] != NO_SIGNAL
        predicted = features.index.intersection(frame.index[frame[MODEL_ID_COLUMN].fillna(0) > 0])
        sampled = predicted[:: max(len(predicted) // _SAMPLE, 1)]
        wanted = features.index.intersection(frame.index[emitted]).union(sampled)
        kept = features.loc[wanted]
        kept.insert(0, "date", frame["date"])
        kept.insert(1, SAMPLED_COLUMN, kept.index.isin(sampled))
        write_atomically(self.folder / _features_of(name), feather(kept.reset_index(drop=True)))
        seconds = self.settings.candle_seconds
        shift = feature_shift(frame, features.loc[predicted], self.reference_of, seconds)
        write_atomically(self.folder / _shift_of(name), feather(shift))

    def _forget_earlier(self) -> None:
        """Remove files of an earlier backtest: pairs that this one may not have."""
        makers = (str, _features_of, _shift_of)
        own = {maker(file) for file in self._files.values() for maker in makers}
        for path in self.folder.glob("*.feather"):
            if path.name not in own:
                path.unlink(missing_ok=True)

    def _facts(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "pairs": list(self.pairs),
            "timerange": self.timerange,
            "datadir": self.datadir,
            "round_trip_cost": self.round_trip_cost,
            "settings": self.settings.model_dump(mode="json"),
            "ignored": list(self.ignored),
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
        }


def read_run(folder: Path) -> Run:
    """Read the rows of the last backtest of one identifier.

    Raises
    ------
    RecordMissing
        If there are none, a file is damaged, or another version wrote it; the message names it.
    """
    try:
        facts = dict(json.loads((folder / RUN_FILE).read_text()))
        files = dict(facts.pop("files"))
        facts["settings"], facts["round_trip_cost"], facts["at"]
    except FileNotFoundError:
        raise RecordMissing(f"no backtest to report on in {folder}; run one first") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RecordMissing(
            f"{folder / RUN_FILE} cannot be read: {error}; backtest again"
        ) from error
    if facts.get("format", 1) > FORMAT:
        raise RecordMissing(
            f"{folder / RUN_FILE} has format {facts['format']}, this version reads up to "
            f"{FORMAT}: upgrade freqai-signals, or backtest again"
        )
    if not files:
        raise RecordMissing(f"{folder / RUN_FILE} names no pair; backtest again")
    frames = {pair: _read(folder / name, _NEEDED) for pair, name in files.items()}
    # Before format 3 the shift was measured against the span of the backtest itself.
    shifts = _read_those(folder, files, _shift_of) if facts.get("format", 1) >= 3 else {}
    run = Run(facts, frames, _read_those(folder, files, _features_of), shifts)
    _ = run.settings  # Of another version? Say so before anything is computed.
    return run


def _features_of(name: str) -> str:
    return f"{Path(name).stem}.features.feather"


def _shift_of(name: str) -> str:
    return f"{Path(name).stem}.shift.feather"


def _read_those(
    folder: Path, files: Mapping[str, str], name_of: Callable[[str], str]
) -> dict[str, pd.DataFrame]:
    """Those of a record's further files that are there."""
    paths = {pair: folder / name_of(name) for pair, name in files.items()}
    return {pair: _read(path, ("date",)) for pair, path in paths.items() if path.is_file()}


def _read(path: Path, needed: Sequence[str]) -> pd.DataFrame:
    try:
        frame = pd.read_feather(path)
    except (OSError, ValueError, pa.ArrowInvalid) as error:
        raise RecordMissing(f"{path} cannot be read: {error}; backtest again") from error
    lacking = [name for name in needed if name not in frame.columns]
    if lacking:
        raise RecordMissing(
            f"{path} lacks the columns {', '.join(lacking)}: another version wrote it; "
            "backtest again"
        )
    return frame
