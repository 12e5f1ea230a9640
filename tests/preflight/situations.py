"""Situations to check, made of a small config and what stands in for the rest."""

from typing import Any

from freqai_signals.dataset.pair_tables import row_memory
from freqai_signals.preflight.check_lists import Check
from freqai_signals.preflight.findings import Finding, Level
from freqai_signals.preflight.situation import Situation, read_settings


def config_of(*pairs: str, timeframe: str = "5m", **changes: Any) -> dict[str, Any]:
    """freqtrade's config for pairs; nested keys by ``a__b``."""
    config: dict[str, Any] = {
        "timeframe": timeframe,
        "exchange": {"name": "binance", "pair_whitelist": list(pairs)},
        "freqai": {"identifier": "test", "train_period_days": 60},
    }
    for path, value in changes.items():
        *above, last = path.split("__")
        section = config
        for key in above:
            section = section.setdefault(key, {})
        section[last] = value
    return config


def situation(config: dict[str, Any], **facts: Any) -> Situation:
    settings, problems = read_settings(config)
    return Situation(
        config, settings, problems, **{"startup_candles": row_memory(settings), **facts}
    )


def found(check: Check, at: Situation, level: Level) -> list[Finding]:
    return [finding for finding in check(at) if finding.level is level]
