"""Thresholds into settings and back, as freqtrade's parameters round them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from freqai_signals.settings import DecisionSettings, ExitSettings, SignalSettings
from freqai_signals.settings.presets import FOUNDING_PRESET
from freqai_signals.trading.thresholds import Thresholds

SHIPPED = SignalSettings()
FOUNDING = SignalSettings(decision=DecisionSettings(**FOUNDING_PRESET["decision"]))
CUSTOM = SignalSettings(
    decision=DecisionSettings(
        weak=0.812345, medium=0.912345, strong=0.998765, minimum_confidence=0.934567,
        expected_value_margin=0.000123456, repeat_window_candles=600,
    ),
    exits=ExitSettings(stop_multiple=None, profit_multiple=12.3456, opposite_confidence=1 / 3),
)  # fmt: skip
ALL = [SHIPPED, FOUNDING, CUSTOM]


def defaults(settings: SignalSettings) -> dict[str, float]:
    """As freqtrade's parameters hold them."""
    return {
        name: round(Thresholds.default(settings, name), 0 if limits.integer else limits.decimals)
        for name, limits in Thresholds.LIMITS.items()
    }


@pytest.mark.parametrize("settings", ALL)
def test_rounded_defaults_leave_the_settings_unchanged(settings: SignalSettings) -> None:
    assert Thresholds.apply(settings, defaults(settings)) == settings


@pytest.mark.parametrize("settings", ALL)
@pytest.mark.parametrize("name", Thresholds.LIMITS)
def test_one_threshold_changes_nothing_but_its_own(settings: SignalSettings, name: str) -> None:
    limits = Thresholds.LIMITS[name]
    applied = Thresholds.apply(settings, defaults(settings) | {name: limits.low})
    before, after = settings.model_dump(), applied.model_dump()
    tiers = {"weak", "medium", "strong", "minimum_confidence"}
    own = tiers if name in {*tiers, "medium_step", "strong_step"} else {name}
    for section in ("decision", "exits"):
        old, new = before.pop(section), after.pop(section)
        assert {key for key in old if old[key] != new[key]} <= own
    assert before == after


def test_minimum_also_is_the_edge_of_the_weak_tier() -> None:
    applied = Thresholds.apply(SHIPPED, defaults(SHIPPED) | {"minimum_confidence": 0.8})
    assert (applied.decision.minimum_confidence, applied.decision.weak) == (0.8, 0.8)
    assert applied.decision.lowest_confidence == 0.8
    # Shipped: medium lies 0.7 of the way from 0.90 to 1, strong 2/3 of the way from there.
    assert applied.decision.medium == pytest.approx(0.94)
    assert applied.decision.strong == pytest.approx(0.98)


def test_reference_stays_as_configured() -> None:
    applied = Thresholds.apply(SHIPPED, defaults(SHIPPED) | {"minimum_confidence": 0.5})
    assert applied.decision.reference_confidence == SHIPPED.decision.reference_confidence


@pytest.mark.parametrize("name", ["stop_multiple", "profit_multiple"])
def test_barrier_at_the_end_of_its_range_is_disabled(name: str) -> None:
    for settings in (SHIPPED, CUSTOM):
        high = Thresholds.LIMITS[name].high
        applied = Thresholds.apply(settings, defaults(settings) | {name: high})
        assert getattr(applied.exits, name) is None
        applied = Thresholds.apply(settings, defaults(settings) | {name: high - 0.01})
        assert getattr(applied.exits, name) == pytest.approx(high - 0.01)


@given(
    st.sampled_from(ALL),
    st.fixed_dictionaries(
        {
            name: st.integers(int(limits.low), int(limits.high))
            if limits.integer
            else st.floats(limits.low, limits.high).map(lambda x, d=limits.decimals: round(x, d))
            for name, limits in Thresholds.LIMITS.items()
        }
    ),
)
def test_every_sample_of_a_search_gives_valid_settings(
    settings: SignalSettings, values: dict[str, float]
) -> None:
    applied = Thresholds.apply(settings, values)
    decision = applied.decision
    assert decision.weak <= decision.medium <= decision.strong <= 1
    try:
        SignalSettings.model_validate_json(applied.model_dump_json())
    except ValidationError as error:
        pytest.fail(str(error))


def test_limits_lie_in_order_and_in_a_space_of_freqtrade() -> None:
    for limits in Thresholds.LIMITS.values():
        assert limits.low < limits.high
        assert limits.space in ("buy", "sell")
