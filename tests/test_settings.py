"""What a section of the settings affects is declared once, on the section."""

import pytest

from freqai_signals.settings import SignalSettings
from freqai_signals.settings.section import Section


def test_every_section_declares_what_it_affects() -> None:
    declared = {
        name: vars(section).get("affects") for name, section in SignalSettings.sections().items()
    }
    assert [name for name, effect in declared.items() if effect is None] == []
    assert set(declared.values()) == {"model", "predictions", "nothing"}


def test_a_section_without_a_declaration_is_refused() -> None:
    class NewSettings(Section):
        """Somebody's new section."""

        size: int = 1

    class Extended(SignalSettings):
        """The settings with it."""

        new: NewSettings = NewSettings()

    with pytest.raises(AttributeError, match="affects"):
        Extended.without_effect_on("model")


def test_sections_that_leave_stored_models_and_predictions_alone() -> None:
    """A name that moves between these sets makes every user's models train again, or go stale."""
    predictions = {"tuning", "decision", "sizing", "costs"}
    predictions |= {"registry", "storage", "ledger", "drift", "alerts", "workers"}
    assert SignalSettings.without_effect_on("predictions") == predictions
    assert SignalSettings.without_effect_on("model") == predictions | {"features", "gate"}
