"""The commands from an empty data folder to a dry run, for one user's folder and configs."""

import datetime as dt
import math
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from freqai_signals.config import settings_from_config
from freqai_signals.dataset.pair_tables import row_memory
from freqai_signals.files import merged_config
from freqai_signals.plugin.installation.adapters import MODEL, STRATEGY

_WINDOWS: Final = 2
_SPARE_DAYS: Final = 2


def next_steps(folder: Path, configs: Sequence[Path], today: dt.date) -> str:
    """Lines for a shell, with what each is for.

    Parameters
    ----------
    folder
        The user's.
    configs
        Config files, ours last.
    today
        UTC; the backtest ends there, two of FreqAI's windows after it began.

    Returns
    -------
    str
        Comments start with ``#``; every other line is a command.
    """
    config = merged_config(configs)
    settings, freqai = settings_from_config(config), config["freqai"]
    backtested = _WINDOWS * int(freqai["backtest_period_days"])
    memory = math.ceil(row_memory(settings) / settings.candles_per_day)
    days = settings.train_period_days + memory + backtested + _SPARE_DAYS
    start = today - dt.timedelta(days=backtested)
    where = ["--userdir", str(folder)]
    given = [word for path in configs for word in ("--config", str(path))]
    classes = [STRATEGY.option, STRATEGY.name, MODEL.option, MODEL.name]
    secrets = folder / "credentials.json"
    steps = (
        (
            f"Candles: {settings.train_period_days} days to train on and the days to backtest.",
            ["freqtrade", "download-data", *where, *given, "--timeframes", settings.timeframe,
             "--days", str(days)],
        ),
        (
            "Backtest, then what its signals were worth.",
            ["freqtrade", "backtesting", *where, *given, *classes, "--enable-protections",
             "--timerange", f"{start:%Y%m%d}-{today:%Y%m%d}"],
        ),
        ("", ["freqai-signals", "report", *where, *given]),
        (
            "Dry run: it trains first, then decides at every candle.",
            ["freqai-signals", "credentials", *where],
        ),
        (
            "",
            ["freqtrade", "trade", "--dry-run", *where, *given, "--config", str(secrets), *classes],
        ),
        ("", ["freqai-signals", "status", *where, *given]),
    )  # fmt: skip
    lines = []
    for comment, command in steps:
        lines += ["", f"# {comment}"] if comment else []
        # A folder's name may hold blanks.
        lines.append(shlex.join(command))
    return "\n".join([*lines, ""])
