"""What earlier backtests left and can be made again, kept below a size."""

import logging
import time
from pathlib import Path
from typing import Final

from freqai_signals.files import keep_newest
from freqai_signals.report.data.backtest_record import RUN_FILE
from freqai_signals.settings import SignalSettings

logger = logging.getLogger(__name__)

_PREDICTIONS: Final = "backtesting_predictions"
_MEGABYTE: Final = 1_000_000
_DAY: Final = 86_400


def remove_surplus(models: Path, reports: Path, settings: SignalSettings) -> None:
    """Remove the oldest cached predictions of an identifier, and the oldest records of backtests.

    At the start of a backtest: nothing that it writes itself can go.

    Parameters
    ----------
    models
        FreqAI's folder of the identifier. Its own training folders hold no model and no data in a
        backtest of ours, and live FreqAI keeps ``purge_old_models`` of them a pair.
    reports
        Folder with a folder for each identifier.
    settings
        Section ``storage``.
    """
    predictions = models / _PREDICTIONS
    cached = [
        (path, path.with_suffix(".fingerprint.json")) for path in predictions.glob("*.feather")
    ]
    # Nothing but records: the folder may hold what somebody else has put there.
    found = [[*file.parent.iterdir()] for file in reports.glob(f"*/{RUN_FILE}")]
    records = [group for group in found if all(map(_is_left_alone, group))]
    limits = settings.storage
    for name, groups, most in (
        ("cached predictions", cached, limits.prediction_megabytes),
        ("records of backtests", records, limits.report_megabytes),
    ):
        try:
            removed = keep_newest(groups, most * _MEGABYTE)
        except OSError as error:
            logger.warning("Old %s cannot be removed: %s", name, error)
            continue
        if removed:
            megabytes = removed / _MEGABYTE
            logger.info("Removed %.1f MB of the oldest %s (storage)", megabytes, name)


def _is_left_alone(path: Path) -> bool:
    """Whether this is a file that nobody has written for a day; another backtest may run now."""
    try:
        return path.is_file() and time.time() - path.stat().st_mtime > _DAY
    except OSError:
        return False
