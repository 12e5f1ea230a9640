"""Tuned parameters at training time: the record that applies to a window, or a new one."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from freqai_signals.dataset.rows import TrainingRows
from freqai_signals.model.signal_model import SignalModel
from freqai_signals.provenance import digest
from freqai_signals.settings import SignalSettings
from freqai_signals.training.request import Request
from freqai_signals.tuning.records import TuningRecord, TuningRecords, basis_of
from freqai_signals.tuning.search_space import with_parameters

logger = logging.getLogger(__name__)


class Tuning:
    """Tuned parameters of a backtest's or a bot's trainings.

    Nothing here raises: without tuned parameters the default is used, and the log gives the
    reason.

    Parameters
    ----------
    settings
        The config's.
    user_data
        Records are in ``signals/tuning`` below it.
    identifier
        FreqAI's.
    ended
        Called before every training of a search; true ends it, as when the bot is stopped.
    """

    def __init__(
        self,
        settings: SignalSettings,
        user_data: Path,
        identifier: str,
        ended: Callable[[], bool] = lambda: False,
    ) -> None:
        self._settings = settings
        self._records = TuningRecords(user_data / "signals" / "tuning", identifier)
        self._ended = ended
        self._unfinished: set[tuple[str, ...]] = set()

    def request(
        self, pool: Sequence[str], rows: TrainingRows, until: int, previous: SignalModel | None
    ) -> Request:
        """Training request of a window, with tuned parameters where a record applies.

        Parameters
        ----------
        pool
            Full names of the pairs that the model is for.
        rows
            Of the window.
        until
            Its end, seconds since 1970: records that depend on later candles are not used.
        previous
            The model before.
        """
        plain = Request(rows, self._settings, previous)
        if self._settings.tuning.when == "never" or not len(rows):
            return plain
        scope = tuple(sorted(pool))
        try:
            record = self._record(scope, rows, until)
            if record is None or not record.beats_default:
                return plain
            settings = with_parameters(self._settings, record.parameters)
            return Request(rows, settings, previous, record.name)
        # Tuning is optional: no failure of it may keep a window from being trained.
        except Exception as error:
            logger.exception("The default parameters are used, tuning failed: %s", error)
            return plain

    def digest(self, pool: Sequence[str], until: int) -> str:
        """Digest of everything that tuned parameters of windows up to ``until`` depend on."""
        tuning = self._settings.tuning
        if tuning.when == "never":
            return "never"
        known = [r for r in self._records.read(tuple(sorted(pool))) if r.known_until <= until]
        return digest([tuning.when, tuning.stale_days, [record.to_json() for record in known]])

    def _record(self, pool: tuple[str, ...], rows: TrainingRows, until: int) -> TuningRecord | None:
        """The newest record that applies to a window, else a new one if ``when`` is ``stale``."""
        basis = basis_of(pool, rows, self._settings)
        stale_days = self._settings.tuning.stale_days
        for record in self._records.read(pool):
            reason = record.why_not(basis, until, stale_days)
            if not reason:
                _log(record)
                return record
            logger.info("Tuning record %s is not used: %s", record.name, reason)
        if self._settings.tuning.when != "stale" or pool in self._unfinished:
            return None
        # Optuna takes a second to import, and most bots never tune.
        from freqai_signals.tuning.run import Scope, StillRunning, Unfinished, tune

        logger.info("Tuning before training, for %g minutes at most", self._settings.tuning.minutes)
        try:
            record = tune(rows, self._settings, Scope(self._records, pool, self._ended))
        except ValueError as error:
            logger.warning(
                "The default parameters are used, tuning ended without a record: %s", error
            )
            if isinstance(error, Unfinished) and not isinstance(error, StillRunning):
                # The next training has other rows: its search would not finish either.
                self._unfinished.add(pool)
                logger.warning("%s: not tuned again before the next restart", ", ".join(pool))
            return None
        _log(record)
        return record


def _log(record: TuningRecord) -> None:
    if record.beats_default:
        logger.info("Training with the parameters of tuning record %s", record.name)
    else:
        logger.info("Tuning record %s found nothing better: the default is kept", record.name)
