"""A user's configs and data as freqtrade would read them, for commands of ours."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from freqtrade.configuration import Configuration
from freqtrade.configuration.config_validation import validate_config_consistency
from freqtrade.configuration.load_config import load_from_files
from freqtrade.enums import RunMode
from freqtrade.exceptions import FreqtradeException

from freqai_signals.plugin.candle_files import stored_candles
from freqai_signals.plugin.exchange_facts import exchange_facts
from freqai_signals.plugin.quiet import without_log
from freqai_signals.plugin.startup import situation_of, timerange_of
from freqai_signals.preflight.findings import Finding, error, warning
from freqai_signals.preflight.situation import Situation

STRATEGY: Final = "LightGBMSignalStrategy"


def read_user_config(
    files: Sequence[Path], user_data: Path, timerange: str | None = None
) -> tuple[dict[str, Any], list[Finding]]:
    """Freqtrade's merged config, and what keeps freqtrade itself from using it.

    Parameters
    ----------
    files
        Configs, later ones over earlier ones; comments are allowed.
    user_data
        The user's data folder.
    timerange
        Of a backtest.

    Returns
    -------
    config, findings
        Where freqtrade refuses, whatever of the files could be read.
    """
    if not files:
        finding = warning(
            "config: none was found", "only the installation can be looked at",
            f"freqai-signals init --userdir {user_data}, or name one with --config",
        )  # fmt: skip
        return {"user_data_dir": user_data}, [finding]
    arguments: dict[str, Any] = {
        "config": [str(file) for file in files],
        "user_data_dir": str(user_data),
        **({"timerange": timerange} if timerange else {}),
    }
    try:
        with without_log():
            config = dict(Configuration(arguments, RunMode.UTIL_NO_EXCHANGE).get_config())
            validate_config_consistency(config, preliminary=True)
        return config, []
    except (FreqtradeException, ValueError, OSError, KeyError) as problem:
        finding = error(f"config: freqtrade refuses it ({_one_line(problem)})")
        return _raw(files) | {"user_data_dir": user_data}, [finding]


def user_situation(config: Mapping[str, Any], strategy: str | None, purpose: Any) -> Situation:
    """What the preflight checks look at, read from a user's config and data folder."""
    named = {"strategy": strategy} if strategy else {}
    config = {**config, **named}
    chosen = config.get("strategy") or STRATEGY
    situation = situation_of(config, own_exits=chosen == STRATEGY)
    if "exchange" not in config:
        return situation
    facts = exchange_facts(config)
    readable = "datadir" in config
    return replace(
        situation,
        purpose=purpose,
        backtest=timerange_of(config) if purpose == "backtest" else None,
        exchange=facts,
        read_candles=stored_candles(config, situation.settings.timeframe) if readable else None,
        read_span=situation.read_span if readable else None,
    )


def _raw(files: Sequence[Path]) -> dict[str, Any]:
    """The files' content without freqtrade's checks; empty if they cannot be read."""
    try:
        return dict(load_from_files([str(file) for file in files]))
    except (FreqtradeException, ValueError, OSError):
        return {}


def _one_line(problem: Exception) -> str:
    return " ".join(str(problem).split())
