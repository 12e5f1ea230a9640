from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from freqai_signals.live.decision_log import LiveRow
from freqai_signals.rehearsal.ledger_view import LedgerView

PAIR, DATE = "BTC/USDT", "2024-01-01T00:00:00+00:00"
CANDLE = int(pd.Timestamp(DATE).timestamp())
KEY = 0xBFF1C8B4D543
VERSION = "20240101T0000-bff1c8b4d5"
VALUES = {
    "&-signal": 2.0, "proba_sell": 0.2, "proba_hold": 0.2, "proba_buy": 0.6,
    "confidence": 0.9, "expected_return": 0.001,
}  # fmt: skip
ROW = LiveRow(PAIR, DATE, CANDLE + 301.0, KEY, 1, VALUES, (1.0,) * 5, 0.002, 2, "")
ENTRY = {
    "pair": PAIR, "candle": CANDLE, "model_version": VERSION, "kind": "live", "predicted": 2,
    **{name: VALUES[name] for name in VALUES if name != "&-signal"}, "signal": "buy", "reason": "",
}  # fmt: skip
NO_EVENTS = pd.DataFrame(columns=["pair", "candle", "detector", "level"])


def view(*entries: dict[str, Any], events: pd.DataFrame = NO_EVENTS) -> LedgerView:
    columns = list(ENTRY)
    return LedgerView(pd.DataFrame(entries, columns=columns), events)


def number(version: str) -> int:
    return {VERSION: KEY}.get(version, 0)


def test_the_model_of_a_candle_is_the_one_that_the_ledger_names() -> None:
    rows, wrong = view(ENTRY).applied([ROW], number)
    assert (rows, wrong) == ([ROW], [])
    other = {**ENTRY, "model_version": "20240101T0100-aaaaaaaaaa"}
    rows, wrong = view(other).applied([ROW], {"20240101T0100-aaaaaaaaaa": 77}.get)
    assert rows[0].model == 77
    assert [item.column for item in wrong] == ["model_version"]


def test_a_decision_without_a_row_is_told() -> None:
    _, wrong = view().applied([ROW], number)
    assert [item.cause for item in wrong] == ["the ledger has no row"]


@pytest.mark.parametrize(
    ("change", "column"),
    [
        ({"proba_buy": 0.6 + 1e-8}, "proba_buy"),
        ({"confidence": float("nan")}, "confidence"),
        ({"predicted": 1}, "&-signal"),
        ({"signal": "none", "reason": "repeat"}, "signal"),
    ],
)
def test_other_values_in_the_ledger_are_told(change: dict[str, Any], column: str) -> None:
    _, wrong = view({**ENTRY, **change}).applied([ROW], number)
    assert [(item.column, item.cause) for item in wrong] == [
        (column, "the ledger has another value")
    ]


def test_a_level_may_take_a_signal_away() -> None:
    entry = {**ENTRY, "signal": "none", "reason": "halted"}
    for candle, level, kept in (
        (CANDLE, "halted", True), (CANDLE + 300, "halted", False), (CANDLE, "warning", False),
    ):  # fmt: skip
        events = pd.DataFrame(
            [{"pair": PAIR, "candle": candle, "detector": "health", "level": level}]
        )
        _, wrong = view(entry, events=events).applied([ROW], number)
        assert (not wrong) == kept


def test_the_row_of_the_close_counts_and_not_the_one_that_was_found_later() -> None:
    later = {**ENTRY, "kind": "gap", "model_version": "20240102T0000-0000000000", "proba_buy": 0.0}
    for entries in ((ENTRY, later), (later, ENTRY)):
        assert view(*entries).applied([ROW], number) == ([ROW], [])


def test_a_kill_may_take_the_row_of_a_decision() -> None:
    """Another model serves after it, and the ledger has no word of the one before."""
    minute = CANDLE + 1800
    later = {
        **ENTRY, "kind": "gap", "model_version": "20240101T0100-aaaaaaaaaa", "proba_buy": 0.0,
        "recorded": minute,
    }  # fmt: skip
    entry = LedgerView(pd.DataFrame([later]), NO_EVENTS)
    for end, kept in ((1000 * ROW.written, True), (1000 * ROW.written - 1, False)):
        rows, wrong = entry.applied([ROW], number, end.__ge__)
        assert (not wrong) == kept
        assert rows == [ROW]
    live = LedgerView(pd.DataFrame([{**later, "kind": "live"}]), NO_EVENTS)
    assert live.applied([ROW], number, lambda ms: True)[1]


def test_a_refused_model_is_named_and_does_not_speak() -> None:
    silent = LiveRow(**{**ROW.__dict__, "model": 0})
    rows, wrong = view(ENTRY).applied([silent], number)
    assert (rows[0].model, wrong) == (0, [])


def test_the_ledger_holds_one_decision_of_a_candle_and_each_is_to_be_compared() -> None:
    """After a config reload within a gap a bot decides the candle before it once more."""
    again = replace(ROW, model=77, written=ROW.written + 6540, values={**VALUES, "confidence": 0.5})
    assert view(ENTRY).applied([ROW, again], number) == ([ROW, again], [])
    # The ledger names the model of the decision that it holds, and of no other.
    wrong_model = replace(ROW, model=KEY ^ 1)
    assert view(ENTRY).applied([wrong_model, again], number) == ([ROW, again], [])
    # Or it abstained at first, since another pair's candle was late.
    first = replace(
        ROW, trust=3, values={**VALUES, "confidence": 0.0}, signal=-1, reason="untrusted"
    )
    entry = {**ENTRY, "confidence": 0.0, "signal": "none", "reason": "untrusted"}
    assert view(entry).applied([first, ROW], number) == ([first, ROW], [])
    # Where the ledger holds none of them, the last one is told.
    for decided in ([again], [first, again]):
        _, wrong = view(ENTRY).applied(decided, number)
        assert {item.column for item in wrong} == {"confidence", "model_version"}
