"""The signal record: invalid values are refused, and JSON is lossless."""

import contextlib
import json
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from freqai_signals.settings import DecisionSettings
from freqai_signals.signals.decide import PairContext, decide
from freqai_signals.signals.record import RecordError, SignalRecord, record_of

Frames = Callable[..., pd.DataFrame]
GOOD: dict[str, Any] = {
    "timestamp": "2024-01-01T00:05:00+00:00",
    "pair": "BTC/USDT",
    "signal": "buy",
    "confidence": 0.97,
    "probabilities": (0.1, 0.3, 0.6),
    "top_features": (("%-volatility", 0.2), ("%-hour", -0.1)),
    "model_version": "v1",
    "strength": 2,
    "reason": "",
}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("timestamp", "yesterday"),
        ("timestamp", "2024-01-01T00:05:00"),
        ("pair", ""),
        ("signal", "long"),
        ("confidence", 1.1),
        ("confidence", float("nan")),
        ("probabilities", (0.1, 0.3, 0.7)),
        ("probabilities", (-0.1, 0.5, 0.6)),
        ("probabilities", (0.5, 0.5)),
        ("top_features", (("%-hour", float("inf")),)),
        ("strength", 0),
        ("strength", 4),
        ("reason", "repeat"),
    ],
)
def test_invalid_value_is_refused_by_name(key: str, value: object) -> None:
    with pytest.raises(RecordError, match=f"- {key}: "):
        SignalRecord(**GOOD | {key: value})


def test_all_problems_come_in_one_message() -> None:
    with pytest.raises(RecordError) as error:
        SignalRecord(**GOOD | {"pair": "", "confidence": -1.0, "strength": 9})
    assert [line.split(":")[0] for line in str(error.value).splitlines()[1:]] == [
        "- pair",
        "- confidence",
        "- strength",
    ]


def test_hold_has_no_strength() -> None:
    assert SignalRecord(**GOOD | {"signal": "hold", "strength": 0}).strength == 0
    with pytest.raises(RecordError, match="strength"):
        SignalRecord(**GOOD | {"signal": "hold", "strength": 1})


@given(
    confidence=st.floats(0, 1),
    buy=st.floats(0, 1),
    features=st.lists(st.tuples(st.text(), st.floats(-9, 9)), max_size=4),
    version=st.text(),
)
def test_json_round_trip_loses_nothing(
    confidence: float, buy: float, features: list[tuple[str, float]], version: str
) -> None:
    record = SignalRecord(
        **GOOD
        | {
            "confidence": confidence,
            "probabilities": (0.0, 1.0 - buy, buy),
            "top_features": tuple(features),
            "model_version": version,
        }
    )
    text = record.to_json()
    assert "\n" not in text
    assert SignalRecord.from_json(text) == record


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@given(key=st.sampled_from(sorted(GOOD)), value=json_values)
def test_any_json_gives_a_record_or_a_record_error(key: str, value: object) -> None:
    text = json.dumps(GOOD | {key: value})
    with contextlib.suppress(RecordError):
        record = SignalRecord.from_json(text)
        assert SignalRecord.from_json(record.to_json()) == record


@pytest.mark.parametrize("text", ["", "[]", "{}", "3", json.dumps(GOOD | {"colour": 1})])
def test_text_that_is_no_record_is_refused(text: str) -> None:
    with pytest.raises(RecordError):
        SignalRecord.from_json(text)


def decided(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.join(decide(frame, DecisionSettings(), PairContext(300)))


def test_records_of_emitted_rejected_and_held_rows(predictions: Frames) -> None:
    rows = decided(predictions("BBH", confidence=[0.99, 0.95, 0.2]))
    first, second, third = (record_of("A/B", rows.iloc[i], "v1", [("f", 1)]) for i in range(3))
    assert (first.signal, first.strength, first.reason) == ("buy", 3, "")
    assert (second.signal, second.strength, second.reason) == ("none", 0, "repeat")
    assert (third.signal, third.strength, third.reason) == ("hold", 0, "")
    assert first.probabilities == (0.1, 0.3, 0.6)
    assert first.top_features == (("f", 1.0),)
    assert first.timestamp.endswith("+00:00")


def test_untrusted_row_is_recorded_as_abstention(predictions: Frames) -> None:
    frame = predictions("B", confidence=float("nan"))
    record = record_of("A/B", decided(frame).iloc[0], "v1")
    assert (record.signal, record.confidence, record.reason) == ("none", 0.0, "untrusted")
    assert record.probabilities == (0.0, 1.0, 0.0)
    bare = record_of("A/B", decided(frame.drop(columns="proba_buy")).iloc[0], "v1")
    assert bare.reason == "missing_columns"
