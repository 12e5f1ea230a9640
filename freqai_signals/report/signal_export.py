"""The emitted signals of a backtest as signal records, one JSON line each."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import pandas as pd

from freqai_signals.files import write_atomically
from freqai_signals.report.data.backtest_record import Run
from freqai_signals.report.model_usage import RunModels, key_digits
from freqai_signals.schema import DECISION_SIGNAL_COLUMN, MODEL_ID_COLUMN
from freqai_signals.signals.decide import NO_SIGNAL
from freqai_signals.signals.record import SignalRecord, record_of


def signal_records(run: Run, models: RunModels) -> Iterator[SignalRecord]:
    """Records of all buy, sell and hold signals, pair by pair, oldest first.

    Parameters
    ----------
    run
        A backtest.
    models
        Where a signal's model is no longer there, its record has no top features, and the leading
        digits of the model's key stand for its version.
    """
    for pair, frame in run.frames.items():
        emitted = frame[frame[DECISION_SIGNAL_COLUMN] != NO_SIGNAL]
        features = run.features.get(pair, pd.DataFrame(columns=["date"])).set_index("date")
        for _, row in emitted.iterrows():
            digits = key_digits(row[MODEL_ID_COLUMN])
            model = models.find(digits)
            why = []
            if model is not None and row["date"] in features.index:
                why = model.contributions(features.loc[row["date"]].to_dict())
            yield record_of(pair, row, digits if model is None else model.card.version, why)


def write_signals(path: Path, records: Iterable[SignalRecord]) -> int:
    """Write records as lines of JSON; how many there were."""
    lines = [f"{record.to_json()}\n" for record in records]
    write_atomically(path, "".join(lines).encode())
    return len(lines)
