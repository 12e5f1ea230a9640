"""Alerts: on edges, after the cooldown, summarised, and not repeated."""

import pytest

from freqai_signals.live.alerts import Alert, Alerts, ledger_alert, level_alert, model_alert
from freqai_signals.live.health import Health, Level
from freqai_signals.settings import AlertSettings, DriftSettings

SETTINGS = AlertSettings(cooldown_candles=10)


def level(kind: Level, pair: str = "BTC/USDT") -> Alert:
    return level_alert(pair, Health(kind), DriftSettings())


@pytest.fixture
def alerts() -> Alerts:
    return Alerts(SETTINGS)


def test_what_is_normal_from_the_start_is_not_sent(alerts: Alerts) -> None:
    assert alerts.update(0, [level(Level.OK), ledger_alert("", 0, 0)]) == []


def test_a_state_is_sent_once(alerts: Alerts) -> None:
    assert alerts.update(0, [level(Level.WARNING)]) == [
        "level BTC/USDT: warning; what follows: nothing"
    ]
    assert [alerts.update(n, [level(Level.WARNING)]) for n in range(1, 40)] == [[]] * 39


def test_a_rise_is_sent_at_once_a_fall_after_the_cooldown(alerts: Alerts) -> None:
    assert alerts.update(0, [level(Level.WARNING)])
    assert alerts.update(1, [level(Level.HALTED)]) == [
        "level BTC/USDT: halted; what follows: no entries, exits go on; trained before the schedule"
    ]
    assert alerts.update(2, [level(Level.OK)]) == []
    assert alerts.update(11, [level(Level.OK)]) == ["level BTC/USDT: ok"]


def test_a_fluctuating_state_is_sent_twice_in_a_cooldown_at_most(alerts: Alerts) -> None:
    sent = [alerts.update(n, [level(Level.WARNING if n % 2 == 0 else Level.OK)]) for n in range(30)]
    assert sum(map(len, sent)) <= 2 * 3


def test_alerts_sent_by_a_clock_that_was_ahead_delay_nothing(alerts: Alerts) -> None:
    assert alerts.update(10_000, [level(Level.DRIFT)])
    assert alerts.update(0, [level(Level.OK)]) == ["level BTC/USDT: ok"]
    assert alerts.update(1, [level(Level.OK)]) == []


def test_many_pairs_make_one_message(alerts: Alerts) -> None:
    states = [level(Level.DRIFT, f"P{i}/USDT") for i in range(50)]
    assert alerts.update(0, states) == [
        "level 50 pairs (P0/USDT, P1/USDT, P10/USDT and 47 more): drift; what follows: "
        "trained before the schedule"
    ]
    assert [text.split(";")[0] for text in Alerts(SETTINGS).update(0, states[:2])] == [
        "level P0/USDT: drift", "level P1/USDT: drift",
    ]  # fmt: skip


def test_the_most_severe_comes_first(alerts: Alerts) -> None:
    states = [level(Level.WARNING, "A"), level(Level.HALTED, "B"), level(Level.DRIFT, "C")]
    assert [line.split(": ")[1].split(";")[0] for line in alerts.update(0, states)] == [
        "halted", "drift", "warning",
    ]  # fmt: skip


def test_a_refused_model_is_sent_with_its_reason(alerts: Alerts) -> None:
    state = model_alert("bot/pool", "v2", "refused", "worse than v1")
    assert alerts.update(0, [state]) == ["model bot/pool: refused v2 (worse than v1)"]
    assert alerts.update(1, [state]) == []
    another = model_alert("bot/pool", "v3", "refused", "worse")
    assert alerts.update(2, [another]) == []
    assert alerts.update(10, [another]) == ["model bot/pool: refused v3 (worse)"]


def test_what_an_operator_did_is_never_held_back(alerts: Alerts) -> None:
    assert alerts.update(0, [model_alert("bot/pool", "v2", "refused", "worse")])
    rolled = model_alert("bot/pool", "v1", "rolled back to", "looks odd")
    assert alerts.update(1, [rolled]) == ["model bot/pool: rolled back to v1 (looks odd)"]
    assert alerts.update(2, [rolled]) == []
    assert alerts.update(3, [model_alert("bot/pool", "v3", "accepted", "better")])


def test_ledger_problem_and_its_end(alerts: Alerts) -> None:
    assert "5 rows waiting: locked" in alerts.update(0, [ledger_alert("locked", 5, 0)])[0]
    assert "7 rows" in alerts.update(1, [ledger_alert("locked", 9, 7)])[0]
    assert alerts.update(12, [ledger_alert("", 0, 7)]) == []
    assert Alerts(SETTINGS).update(0, [ledger_alert("", 0, 0)]) == []


def test_a_restart_repeats_nothing(alerts: Alerts) -> None:
    alerts.update(0, [level(Level.DRIFT)])
    again = Alerts(SETTINGS)
    again.restore(alerts.to_json())
    assert again.update(1, [level(Level.DRIFT)]) == []
    with pytest.raises(ValueError, match="cannot be read"):
        again.restore("[1]")


def test_switched_off_nothing_is_sent() -> None:
    alerts = Alerts(AlertSettings(enabled=False))
    assert alerts.update(0, [level(Level.HALTED)]) == []
