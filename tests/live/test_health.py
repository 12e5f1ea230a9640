"""Levels: up at once, down slowly, one step at a time, and what each one does."""

from dataclasses import replace

import pytest

from freqai_signals.drift.monitors import DriftState
from freqai_signals.live.health import (
    Evidence,
    Health,
    Level,
    action_of,
    next_health,
    renewed,
    until,
)
from freqai_signals.settings import DriftSettings

SETTINGS = DriftSettings(resume_candles=4)
CALM = Evidence()
SILENT = Evidence(stale_candles=3)
DRIFTED = Evidence((DriftState("features", True, "psi"),))
FAILED = Evidence(quality=(DriftState("live skill", True, "lost"),))


def run(*evidence: Evidence, start: Health | None = None) -> list[str]:
    health = start or Health()
    levels = []
    for one in evidence:
        health = next_health(health, health.candle + 1, one, SETTINGS)
        levels.append(str(health.level))
    return levels


def test_a_reason_raises_the_level_at_once() -> None:
    assert run(CALM, SILENT, DRIFTED, FAILED) == ["ok", "warning", "drift", "halted"]
    assert run(DRIFTED) == ["drift"]


@pytest.mark.parametrize(
    ("evidence", "level"),
    [
        (FAILED, "halted"),
        (Evidence(quality=(DriftState("live skill", False, ""),)), "ok"),
        (Evidence(stale_candles=3), "warning"),
        (Evidence(stale_candles=2), "ok"),
        (replace(FAILED, drift=DRIFTED.drift, stale_candles=3), "halted"),
        (Evidence((DriftState("labels", True, ""),)), "drift"),
    ],
)
def test_each_kind_of_evidence_calls_for_its_level(evidence: Evidence, level: str) -> None:
    assert run(evidence) == [level]


def test_drift_alone_never_halts() -> None:
    """Other data than in training does not show that the model fails; its outcomes would."""
    assert set(run(*[DRIFTED] * 2000)) == {"drift"}


def test_levels_are_left_one_by_one_after_calm() -> None:
    levels = run(DRIFTED, *[CALM] * 10)
    assert levels == ["drift"] * 5 + ["warning"] * 4 + ["ok"] * 2


def test_a_relapse_starts_the_wait_anew() -> None:
    levels = run(DRIFTED, CALM, CALM, CALM, DRIFTED, CALM, CALM, CALM, CALM, CALM)
    assert levels == ["drift"] * 9 + ["warning"]


def test_halted_resumes_when_calm() -> None:
    start = Health(Level.HALTED, 0, 0)
    assert run(*[CALM] * 5, start=start)[-1] == "drift"
    assert run(*[DRIFTED] * 50, start=start)[-1] == "drift"
    assert run(*[FAILED] * 50, start=start)[-1] == "halted"


def test_a_candle_counts_once() -> None:
    health = next_health(Health(), 5, DRIFTED, SETTINGS)
    assert next_health(health, 5, CALM, SETTINGS) == health
    assert next_health(health, 4, CALM, SETTINGS) == health


def test_a_level_from_later_than_now_moves_on_from_now() -> None:
    later = Health(Level.HALTED, 900, 890, 895, ("live skill",))
    health = until(later, 100)
    assert health == Health(Level.HALTED, 100, 100, 100, ("live skill",))
    assert run(*[CALM] * 4, start=health) == ["halted"] * 3 + ["drift"]
    assert until(later, 900) == later
    assert until(replace(later, calm_since=-1), 100).calm_since == -1


def test_a_new_model_gets_its_chance() -> None:
    assert renewed(Health(Level.HALTED, 7, 2), 8).level is Level.WARNING
    assert renewed(Health(), 8).level is Level.OK


def test_reasons_name_detector_and_numbers() -> None:
    health = next_health(Health(), 0, DRIFTED, SETTINGS)
    assert health.reasons == ("features: psi",)
    assert Health.from_json(health.to_json()) == health
    for text in ("[]", "{}", "x"):
        with pytest.raises(ValueError, match=r"cannot be read|Expecting"):
            Health.from_json(text)


@pytest.mark.parametrize("level", list(Level))
def test_actions_follow_the_settings(level: Level) -> None:
    action = action_of(Health(level), DriftSettings())
    assert action.retrain == (level >= Level.DRIFT)
    assert action.block_entries == (level is Level.HALTED)
    assert action.reject_reason == ("halted" if level is Level.HALTED else "")
    never = action_of(
        Health(level), DriftSettings(retrain_from="never", block_entries_from="never")
    )
    assert not never.retrain
    assert not never.block_entries
