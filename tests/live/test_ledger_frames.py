"""A ledger as the frames of notebooks and of the page."""

from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import text

from freqai_signals import load_ledger
from freqai_signals.ledger.database import LedgerError
from freqai_signals.ledger.ledger import Entry, Ledger
from freqai_signals.live.ledger_frames import ledger_frames
from freqai_signals.report.data.frames import OUTCOME_COLUMNS, PREDICTION_COLUMNS
from freqai_signals.report.page.sections import page_sections
from tests.ledger.ledger_rows import outcome, prediction, predictions, sqlite_url


def filled(folder: Path) -> str:
    url = sqlite_url(folder)
    ledger = Ledger(url)
    ledger.write(
        [
            predictions(1, 2, 3),
            Entry("predictions", [prediction(4, kind="gap", signal="none", strength=0)]),
            Entry("outcomes", [outcome(1), outcome(2, realised=None, event_end=None)]),
            Entry("drift_events", [
                {"pair": "BTC/USDT", "candle": 300, "detector": "health", "level": "drift",
                 "model_version": "v1", "detail": "psi"},
            ]),
        ]
    )  # fmt: skip
    ledger.close()
    return url


def test_rows_are_those_of_a_backtest_s_frames(tmp_path: Path) -> None:
    frames = load_ledger(filled(tmp_path))
    assert tuple(frames.predictions.columns) == PREDICTION_COLUMNS
    assert tuple(frames.outcomes.columns) == OUTCOME_COLUMNS
    assert frames.predictions["trusted"].tolist() == [True, True, True, False]
    assert frames.predictions["signal"].tolist() == ["buy", "buy", "buy", ""]
    assert frames.outcomes["outcome"].tolist() == [2.0]
    assert frames.outcomes.index.tolist() == [0]
    assert frames.outcomes["known_at"].iloc[0] == pd.Timestamp(4 * 300, unit="s", tz="UTC")
    assert len(frames.scored()) == 1
    assert len(frames.signals) == 3
    assert frames.models["model_version"].tolist() == ["v1"]
    assert frames.events["what"].tolist() == ["level drift"]
    assert frames.facts["round_trip_cost"] == 0.002


def test_a_path_is_as_good_as_a_url(tmp_path: Path) -> None:
    filled(tmp_path)
    assert len(load_ledger(str(tmp_path / "ledger.sqlite")).predictions) == 4


def test_every_section_copes_with_a_young_and_with_an_empty_ledger(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    Ledger(sqlite_url(empty)).close()
    for frames in (ledger_frames(filled(tmp_path)), ledger_frames(sqlite_url(empty))):
        assert all(section.finding for section in page_sections(frames))


def test_a_ledger_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="no ledger at"):
        load_ledger(sqlite_url(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_newer_schema_and_another_file_are_refused(tmp_path: Path) -> None:
    url = filled(tmp_path)
    ledger = Ledger(url)
    with ledger.engine.begin() as connection:
        connection.execute(text("UPDATE ledger_schema SET version = 99"))
    ledger.close()
    with pytest.raises(LedgerError, match="schema version 99"):
        load_ledger(url)
    (tmp_path / "other.sqlite").write_text("not a database at all, but long enough to be read")
    with pytest.raises(LedgerError, match="cannot be read"):
        load_ledger(str(tmp_path / "other.sqlite"))
