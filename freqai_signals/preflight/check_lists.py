"""Which checks run when: at start those whose errors refuse, in doctor these and all others."""

import logging
from collections.abc import Callable, Iterator
from typing import Final

from freqai_signals.config import SettingsError
from freqai_signals.preflight.bot_checks import (
    api_is_usable,
    identifier_is_free,
    ledger_is_reachable,
    messages_arrive,
    names_fit_ledger,
    pairlists_can_be_served,
)
from freqai_signals.preflight.candle_checks import (
    candles_are_whole,
    candles_reach,
    effort_is_known,
    labels_are_balanced,
)
from freqai_signals.preflight.findings import Finding, Level, warning
from freqai_signals.preflight.installation_checks import INSTALLATION_CHECKS
from freqai_signals.preflight.settings_checks import (
    freqai_can_work,
    freqtrade_works_with_us,
    lead_pair_is_there,
    nothing_is_ignored,
    settings_are_valid,
    timeframe_fits_exchange,
    windows_hold_rows,
)
from freqai_signals.preflight.situation import Situation

logger = logging.getLogger(__name__)

Check = Callable[[Situation], Iterator[Finding]]

START_CHECKS: Final[tuple[Check, ...]] = (
    settings_are_valid,
    freqai_can_work,
    freqtrade_works_with_us,
    nothing_is_ignored,
    lead_pair_is_there,
    pairlists_can_be_served,
    names_fit_ledger,
    timeframe_fits_exchange,
    windows_hold_rows,
    candles_reach,
)
"""Quick ones; they need nothing but the config, and for a backtest the candles."""

DOCTOR_CHECKS: Final[tuple[Check, ...]] = (
    *INSTALLATION_CHECKS,
    *START_CHECKS,
    candles_are_whole,
    labels_are_balanced,
    effort_is_known,
    ledger_is_reachable,
    api_is_usable,
    messages_arrive,
    identifier_is_free,
)
"""All of them; none that start-up does not have gives an error."""


def examine(situation: Situation, checks: tuple[Check, ...]) -> list[tuple[str, Finding]]:
    """Name of each check and what it found, in their order.

    Examples
    --------
    >>> from freqai_signals.settings import SignalSettings
    >>> examine(Situation({}, SignalSettings()), (settings_are_valid,))[0][1].level
    <Level.OK: 'ok'>
    """
    return [(check.__name__, finding) for check in checks for finding in check(situation)]


def refuse_or_warn(situation: Situation) -> None:
    """Log what start-up has to warn of; what is ignored comes in one warning.

    Raises
    ------
    SettingsError
        With every error of the start-up checks.
    """
    found = examine(situation, START_CHECKS)
    errors = [finding.line for _, finding in found if finding.level is Level.ERROR]
    if errors:
        raise SettingsError(errors)
    ignored = nothing_is_ignored.__name__
    lines = [finding.what.removeprefix("ignored: ") for name, finding in found if name == ignored]
    # One warning for all of them: each would otherwise be a line among freqtrade's many.
    if lines:
        logger.warning(
            "These keys do nothing here; freqai.signals.strict refuses them:\n- %s",
            "\n- ".join(lines),
        )
    for name, finding in found:
        if finding.level is Level.WARNING and name != ignored:
            logger.warning("%s", finding.line)
        elif finding.level is Level.OK and name == lead_pair_is_there.__name__:
            logger.info("%s", finding.line)


def guarded(situation: Situation, checks: tuple[Check, ...]) -> Iterator[tuple[str, Finding]]:
    """Like :func:`examine`, check by check; one that fails itself is reported and ends no other."""
    for check in checks:
        try:
            found = list(check(situation))
        # A preflight looks at whatever a user has; it must come to its end.
        except Exception as problem:  # noqa: BLE001
            found = [warning(f"{check.__name__}: could not be looked at ({problem!r})")]
        yield from ((check.__name__, finding) for finding in found)
