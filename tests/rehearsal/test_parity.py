from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from freqai_signals.live.decision_log import LiveRecord, LiveRow
from freqai_signals.model.card import ModelCard
from freqai_signals.model.signal_model import Prediction, SignalModel
from freqai_signals.rehearsal.parity import History, compare
from freqai_signals.rehearsal.scenario import without_holes
from freqai_signals.schema import MODEL_COLUMNS, MODEL_ID_COLUMN, RETURN_SCALE_COLUMN, TRUST_COLUMN
from freqai_signals.settings import SignalSettings
from freqai_signals.signals.decide import PairContext, decide
from freqai_signals.signals.extremes import memory_candles, with_marks
from freqai_signals.signals.outputs import complete_outputs, model_columns

PAIR = "BTC/USDT"
MODEL = SignalModel(ModelCard(version="none", key="0000000000ff" + 52 * "0"))
SETTINGS = SignalSettings.model_validate({"features": {"groups": ["calendar"]}})

Candles = Callable[..., pd.DataFrame]


@pytest.fixture
def frame(candles: Candles) -> pd.DataFrame:
    return candles(rows=400)


@pytest.fixture
def history(frame: pd.DataFrame) -> History:
    return History({PAIR: frame}, SETTINGS, {}, lambda number: MODEL if number == 255 else None)


@pytest.fixture
def live(frame: pd.DataFrame, tmp_path: Path) -> list[LiveRow]:
    """What the bot records with a model that abstains, candle by candle."""
    record = LiveRecord(tmp_path / "record.jsonl")
    for last in range(390, 400):
        shown = complete_outputs(frame.iloc[: last + 1].assign(do_predict=0, model_id=255.0))
        decided = decide(shown, SETTINGS.decision, PairContext(300))
        record.add(PAIR, pd.concat([shown, decided], axis=1), 0.002)
    return list(record.rows())


def changed(rows: list[LiveRow], **changes: Any) -> list[LiveRow]:
    return [*rows[:4], replace(rows[4], **changes), *rows[5:]]


def test_what_the_bot_said_equals_the_history(live: list[LiveRow], history: History) -> None:
    parity = compare(live, history)
    assert (parity.candles, parity.models, parity.share) == (10, 1, 1.0)
    assert len(parity.expected[PAIR]) == 10


@pytest.mark.parametrize(
    ("changes", "columns", "cause"),
    [
        ({"signal": 2}, ["signal"], "the decision depends on other earlier signals"),
        ({"reason": "repeat"}, ["reject_reason"], "the decision depends on other earlier signals"),
        ({"trust": 1}, ["do_predict"], "the features differ"),
        ({"candle": (1.0,) * 5, "signal": 2}, ["signal"], "the bot had another candle"),
        ({"model": 77, "signal": 2}, ["signal"], "the model is not in the store any more"),
    ],
)
def test_a_difference_is_told_with_its_cause(
    live: list[LiveRow], history: History, changes: dict[str, Any], columns: list[str], cause: str
) -> None:
    parity = compare(changed(live, **changes), history)
    assert [item.column for item in parity.mismatches] == columns
    assert {item.cause for item in parity.mismatches} == {cause}
    assert parity.share == pytest.approx(0.9)
    assert parity.as_dict()["causes"] == {cause: len(columns)}


@pytest.mark.parametrize("value", [1e-8, float("nan")])
def test_floats_must_agree_to_a_billionth(
    live: list[LiveRow], history: History, value: float
) -> None:
    for step, wrong in ((1e-10, False), (value, True)):
        values = {**live[4].values, "confidence": live[4].values["confidence"] + step}
        parity = compare(changed(live, values=values), history)
        assert bool(parity.mismatches) == wrong


def test_a_bot_that_had_to_abstain_abstains_in_the_history_too(
    live: list[LiveRow], history: History
) -> None:
    for trust in (2, 3):
        assert compare(changed(live, trust=trust), history).share == 1.0


def test_a_candle_that_never_was_is_told(live: list[LiveRow], history: History) -> None:
    parity = compare([*live, replace(live[0], date="2031-01-01T00:00:00+00:00")], history)
    assert [item.cause for item in parity.mismatches] == ["no such candle"]


def test_holes_become_flat_candles(frame: pd.DataFrame) -> None:
    whole = without_holes(frame.drop(index=[7, 8]), 300)
    pd.testing.assert_series_equal(whole["date"], frame["date"], check_freq=False)
    close = frame["close"].iloc[6]
    assert whole.loc[7:8, ["open", "high", "low", "close"]].eq(close).all(axis=None)
    assert whole.loc[7:8, "volume"].eq(0).all()


def test_half_a_line_after_a_kill_is_left_out(live: list[LiveRow], tmp_path: Path) -> None:
    record = LiveRecord(tmp_path / "record.jsonl")
    with record.path.open("a") as file:
        file.write('{"pair": "BTC/U')
    assert list(record.rows()) == live


class Voting(SignalModel):
    """Says buy by its label ensemble and hold by its own label."""

    def predict(self, frame: pd.DataFrame) -> Prediction:
        made = Prediction.abstaining(len(frame))
        return replace(made, trusted=np.ones(len(frame), bool), score=np.full(len(frame), 0.75))


def test_the_score_of_a_label_ensemble_is_compared_too(
    live: list[LiveRow], frame: pd.DataFrame, tmp_path: Path
) -> None:
    labels = {
        "volatility_span_days": 0.1,
        "ensemble_kinds": ["volatility"],
        "ensemble_horizons_candles": [12],
    }
    chosen = {"features": {"groups": ["calendar"]}, "labels": labels}
    settings = SignalSettings.model_validate(chosen)
    history = History({PAIR: frame}, settings, {}, lambda number: Voting(MODEL.card))
    said = compare([replace(row, trust=1) for row in live], history).expected[PAIR]
    record = LiveRecord(tmp_path / "voting.jsonl")
    for last in range(1, len(said) + 1):
        record.add(PAIR, said.iloc[:last], 0.002)
    rows = list(record.rows())
    assert [row.values["score"] for row in rows] == [0.75] * 10
    assert {row.values["&-signal"] for row in rows} == {2.0}
    assert compare(rows, history).share == 1.0
    other = compare(changed(rows, values={**rows[4].values, "score": 0.1}), history)
    assert [(item.column, item.cause) for item in other.mismatches] == [
        ("score", "the features differ")
    ]
    unsaid = {name: value for name, value in rows[4].values.items() if name != "score"}
    assert [item.column for item in compare(changed(rows, values=unsaid), history).mismatches] == [
        "score"
    ]
    early = compare(changed(rows, values={**live[4].values}, trust=0, model=0), history)
    assert "score" not in {item.column for item in early.mismatches}


class Swaying(SignalModel):
    """Its label ensemble's score is another one on every candle."""

    def predict(self, frame: pd.DataFrame) -> Prediction:
        made = Prediction.abstaining(len(frame))
        score = frame[RETURN_SCALE_COLUMN].to_numpy() * 1e7 % 1 - 0.5
        return replace(made, trusted=np.ones(len(frame), bool), score=score)


def test_extreme_scores_and_lively_candles_are_those_that_the_bot_saw(
    candles: Candles, tmp_path: Path
) -> None:
    frame, first = candles(rows=24 * 14, timeframe="1h"), 24 * 7
    decision = {
        "weak": 0.0, "minimum_confidence": 0.0, "reference_confidence": 0.0, "maximum_share": 1.0,
        "expected_value_rule": False, "repeat_window_candles": 0,
        "score_share": 0.2, "score_window_days": 2, "lively_window_days": 2,
    }  # fmt: skip
    labels = {"ensemble_kinds": ["volatility"], "ensemble_horizons_candles": [4]}
    settings = SignalSettings.model_validate(
        {"timeframe": "1h", "labels": labels, "decision": decision,
         "features": {"groups": ["calendar"], "higher_timeframes": ["4h"]}}
    )  # fmt: skip
    history = History({PAIR: frame}, settings, {}, lambda number: Swaying(MODEL.card))
    dates = [date.isoformat() for date in frame["date"][first:]]
    blank = LiveRow(PAIR, "", 0.0, 255, 1, dict.fromkeys(MODEL_COLUMNS, 0.0), (), 0.002, -1, "")
    said = compare([replace(blank, date=date) for date in dates], history).expected[PAIR]
    # What the bot has at each close: as many candles as it asks for, predictions of its own time.
    record, memory = LiveRecord(tmp_path / "swaying.jsonl"), memory_candles(settings)
    spoken = said[[*model_columns(scored=True), TRUST_COLUMN, MODEL_ID_COLUMN]]
    for last in range(first, len(frame)):
        known = spoken.iloc[: last + 1 - first].set_index(frame.index[first : last + 1])
        shown = frame.iloc[last - memory : last + 1].join(known).fillna(0.0)
        shown = with_marks(complete_outputs(shown), settings)
        decided = decide(shown, settings.decision, PairContext(3600))
        record.add(PAIR, pd.concat([shown, decided], axis=1), 0.002)
    rows = list(record.rows())
    assert {row.reason for row in rows} == {"", "ordinary_score", "calm"}
    assert {row.signal for row in rows} == {-1, 0, 2}
    assert compare(rows, history).mismatches == ()
