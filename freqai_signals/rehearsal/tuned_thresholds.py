"""Thresholds that hyperopt has found: a rehearsed bot reads them, so its judge has to."""

import json
from pathlib import Path
from typing import Final

from freqai_signals.rehearsal.bot import STRATEGY
from freqai_signals.settings import SignalSettings
from freqai_signals.trading.thresholds import Thresholds

FILE: Final = "parameters.json"


def keep_parameters(strategies: Path, folder: Path) -> None:
    """Copy the parameter file beside the strategy, if there is one, into a rehearsal's folder."""
    found, kept = strategies / f"{STRATEGY}.json", folder / FILE
    kept.unlink(missing_ok=True)
    if found.is_file():
        kept.write_bytes(found.read_bytes())


def tuned_settings(settings: SignalSettings, folder: Path) -> SignalSettings:
    """The settings that the bot of a folder decided with.

    Parameters
    ----------
    settings
        As its config has them.
    folder
        Of the rehearsal. Without a parameter file in it, or with one that is no JSON (freqtrade
        warns of that and reads nothing), the settings stay as they are.
    """
    try:
        spaces = json.loads((folder / FILE).read_text()).get("params", {})
    except (FileNotFoundError, ValueError):
        return settings
    values = {
        name: spaces.get(limits.space, {}).get(name, Thresholds.default(settings, name))
        for name, limits in Thresholds.LIMITS.items()
    }
    return Thresholds.apply(settings, values)
