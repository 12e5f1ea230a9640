"""What is known of recipes that are no default: said at start-up and in the report."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from freqai_signals.settings import SignalSettings
from freqai_signals.settings.presets import PRESETS, ProfileName

EXPECTATIONS: Final[Mapping[ProfileName, tuple[str, ...]]] = {
    "futures-1h": (
        "Profile futures-1h is experimental: run it dry first.",
        "Its recipe earned +12 ± 13 bp per trade after fees of 10 bp out of sample (991 trades, "
        "coins it had never seen among them); the true figure may be zero, and about seven years "
        "of trades are needed to know. In sample, 2020 to 2024, it was +25 ± 7 bp, of which 2023 "
        "and 2024 gave only +1 to +4.",
        "This package's own walk-forward over those years found -1 ± 5 bp per trade "
        "(make bench-quality PROFILE=futures-1h, docs/measurements.md).",
    ),
}
"""By profile: what the research that found the recipe measured, and what our own command does."""


def expectation(settings: SignalSettings) -> tuple[str, ...]:
    """What a user of a profile must know, in sentences; none without a profile.

    Settings that differ from the measured recipe are named, since nothing is known of them.
    """
    known = EXPECTATIONS.get(settings.profile, ())
    changed = sorted(_changed(settings, PRESETS[settings.profile])) if known else []
    if not changed:
        return known
    return (*known, f"These settings differ from the measured recipe: {', '.join(changed)}.")


def _changed(settings: SignalSettings, recipe: Mapping[str, Any]) -> Iterator[str]:
    """Names of the recipe's keys with another value."""
    held = settings.model_dump()
    for key, value in recipe.items():
        if isinstance(value, Mapping):
            yield from (f"{key}.{name}" for name in value if held[key][name] != value[name])
        elif held[key] != value:
            yield key
