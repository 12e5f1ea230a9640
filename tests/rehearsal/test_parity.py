from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from freqai_signals.live.decision_log import LiveRecord, LiveRow
from freqai_signals.model.card import ModelCard
from freqai_signals.model.signal_model import SignalModel
from freqai_signals.rehearsal.parity import History, compare
from freqai_signals.rehearsal.scenario import without_holes
from freqai_signals.schema import MODEL_COLUMNS
from freqai_signals.settings import SignalSettings
from freqai_signals.signals.decide import PairContext, decide
from freqai_signals.signals.outputs import complete_outputs

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


def test_decisions_of_a_users_own_rules_stand_and_the_models_columns_are_compared(
    live: list[LiveRow], history: History
) -> None:
    own = replace(history, own_rules=True)
    entered = changed(live, signal=2, reason="")
    parity = compare(entered, own)
    assert parity.share == 1.0
    assert parity.expected[PAIR]["signal"].tolist() == [row.signal for row in entered]
    assert compare(entered, history).share == 0.9
    values = live[4].values | {"proba_hold": 0.5}
    wrong = compare(changed(live, signal=2, reason="", values=values), own)
    assert [item.column for item in wrong.mismatches] == ["proba_hold"]


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


def test_of_a_model_that_a_full_disk_took_only_the_decision_is_compared(
    live: list[LiveRow], history: History
) -> None:
    """Its probabilities stand as recorded, with what the decision needs to know of the model."""
    values = dict(zip(MODEL_COLUMNS, (2.0, 0.1, 0.2, 0.7, 0.5, 0.01), strict=True))
    facts = {**live[4].facts, "prior_sell": 0.2, "prior_hold": 0.6, "prior_buy": 0.2}
    told = {"model": 77 << 16, "trust": 1, "values": values, "facts": facts}
    lost = replace(history, lost=frozenset({"20240101T0000-0000004d00"}))
    assert {item.column for item in compare(changed(live, **told), lost).mismatches} == {
        "reject_reason"
    }
    reasoned = changed(live, **told, reason="unproven_edge")
    found = compare(reasoned, lost)
    assert (found.mismatches, found.lost) == ((), 1)
    others = replace(history, lost=frozenset({"20240101T0000-0000004d01"}))
    assert {item.cause for item in compare(reasoned, others).mismatches} == {
        "the model is not in the store any more"
    }


@pytest.mark.parametrize("value", [1e-8, float("nan")])
def test_floats_must_agree_to_a_billionth(
    live: list[LiveRow], history: History, value: float
) -> None:
    for step, wrong in ((1e-10, False), (value, True)):
        values = {**live[4].values, "confidence": live[4].values["confidence"] + step}
        parity = compare(changed(live, values=values), history)
        assert bool(parity.mismatches) == wrong


def test_each_decision_of_a_candle_is_compared(live: list[LiveRow], history: History) -> None:
    for changes in ({"reason": "repeat"}, {}):
        parity = compare([*live[:4], replace(live[4], **changes), *live[4:]], history)
        assert (parity.candles, parity.models) == (10, 1)
        assert [(item.date, item.column) for item in parity.mismatches] == [
            (live[4].date, "reject_reason") for _ in changes
        ]


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
