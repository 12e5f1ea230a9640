"""A pair's watch in a running bot: what the model was shown waits here until the candle closes."""

import logging
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
import pandas as pd

from freqai_signals.dataset.rows import candle_numbers
from freqai_signals.drift.monitors import PairDrift
from freqai_signals.drift.training_reference import WINDOW_DAYS
from freqai_signals.ledger.ledger import Entry
from freqai_signals.ledger.sql_tables import DRIFT_EVENTS
from freqai_signals.live.health import Health
from freqai_signals.live.pair_watch import PairWatch
from freqai_signals.model.signal_model import ABSTAINING, SignalModel
from freqai_signals.schema import PROBA_COLUMNS, TRUST_COLUMN
from freqai_signals.settings import SignalSettings

logger = logging.getLogger(__name__)

ALL: Final = ("features", "predictions", "labels", "losses")
_REMEMBERED_OUTCOMES: Final = 5_000


class LiveWatch:
    """Feeds a :class:`~freqai_signals.live.pair_watch.PairWatch` from whole frames.

    Attributes
    ----------
    model
        The one that predicted the newest candle.
    features
        What it was given for that candle, by name.
    candle
        Number of the newest candle that was judged; 0 before the first.
    """

    def __init__(self, pair: str, settings: SignalSettings) -> None:
        self.model: SignalModel | None = None
        self.features: dict[str, Any] = {}
        self.candle = 0
        self._settings = settings
        self._watch = PairWatch(pair, settings)
        self._seen: list[tuple[SignalModel, pd.DataFrame, pd.DataFrame]] = []
        self._resolved: deque[tuple[int, str]] = deque(maxlen=_REMEMBERED_OUTCOMES)
        self._newest_outcome = 0

    @property
    def health(self) -> Health:
        """Level of the pair."""
        return self._watch.health

    @property
    def version(self) -> str:
        """Version of the model under watch; empty before the first."""
        return self._watch.version

    @property
    def is_poor(self) -> bool:
        """Whether live skill is below its floor, on enough rows."""
        drift, watch = self._settings.drift, self._watch
        enough = drift.enabled and watch.live_rows >= drift.live_skill_rows
        return enough and watch.live_skill < drift.live_skill_floor

    @property
    def live_skill(self) -> float:
        """Skill against the prior over the newest scored rows of the serving model."""
        return self._watch.live_skill

    @property
    def outcomes_since(self) -> int:
        """Opening (seconds since 1970) of the oldest candle whose outcome may still be unknown.

        At first that is where the model's training ended; later a horizon before the newest known
        one, since another bot with the same model may write its rows a little later.
        """
        seconds = self._settings.candle_seconds
        trained = self.model.trained_until if self.model is not None else 0
        late = self._newest_outcome - self._settings.label_horizon_candles * seconds
        return max(trained * seconds, late)

    def restore(self, health: Health) -> None:
        """Go on from the level before a restart, unless a worse one was found meanwhile."""
        if health.level >= self._watch.health.level:
            self._watch.health = health

    def observe(
        self, model: SignalModel | None, features: pd.DataFrame, outputs: pd.DataFrame
    ) -> None:
        """Keep what was watched of the newest days; a bot that starts predicts many at once."""
        self.model = model
        if model is None or features.empty:
            return
        days = WINDOW_DAYS * self._settings.candles_per_day
        watched = PairDrift(model.drift).feature_names
        names = [name for name in ("date", *watched) if name in features]
        self.features = {str(name): value for name, value in features.iloc[-1].items()}
        said = outputs[[*PROBA_COLUMNS, TRUST_COLUMN]].tail(days)
        self._seen.append((model, features[names].tail(days), said))

    def serve(self, candle: int) -> bool:
        """Begin with the model that predicts now; whether it is another one than before."""
        if self.model is None:
            return False
        before = self._watch.version
        self._watch.serve(self.model, candle)
        if before == self._watch.version:
            return False
        self._resolved.clear()
        self._newest_outcome = 0
        unwatched = ALL if self.model.drift is None else self.model.drift.unwatched
        if unwatched and self.model.fit is not None and self._settings.drift.enabled:
            logger.warning(
                "%s: drift of %s is not watched: the training window of model %s is too short to "
                "know what is normal; a longer freqai.train_period_days or "
                "data_split_parameters.test_size helps",
                self._watch.pair,
                ", ".join(unwatched),
                self.model.card.version,
            )
        return True

    def take_candles(self, candle: int) -> None:
        """Take in what was seen up to a candle; what the model was trained on is left out."""
        # A candle that nobody predicted counts as silence.
        self._watch.update_candle(candle, {}, ABSTAINING, False)
        seen, self._seen = self._seen, []
        for model, features, said in seen:
            if model is not self.model:
                continue
            numbers = candle_numbers(features["date"], self._settings.candle_seconds)
            proba = said[list(PROBA_COLUMNS)].to_numpy(np.float64)
            trusted = (said[TRUST_COLUMN] == 1).to_numpy()
            rows: list[dict[Any, Any]] = features.to_dict("records")
            new = (numbers > model.trained_until) & (numbers <= candle)
            for i in np.flatnonzero(new & trusted):
                self._watch.update_candle(int(numbers[i]), rows[i], proba[i], True)

    def take_outcomes(self, resolved: Entry, kept: Sequence[Mapping[str, Any]]) -> Entry:
        """Take in outcomes; those to be written, since resolved rows may wait for that meanwhile.

        Parameters
        ----------
        resolved
            Of this bot's predictions.
        kept
            Those in the ledger since :attr:`outcomes_since`: from before a restart or a rollback,
            or of another bot with the same model.
        """
        known = set(self._resolved)
        new = {_key(row): row for row in resolved.rows if _key(row) not in known}
        heard = {_key(row): row for row in kept if _key(row) not in known}
        self._resolved.extend(sorted(heard | new))
        rows = [row for _, row in sorted((heard | new).items())]
        self._watch.update_outcomes(Entry(resolved.table, rows))
        own = [row["candle"] for row in rows if row["model_version"] == self.version]
        self._newest_outcome = max([self._newest_outcome, *own])
        return Entry(resolved.table, list(new.values()))

    def judge(self, candle: int) -> Entry:
        """Move on to a candle; see :meth:`PairWatch.judge`."""
        if not self._settings.drift.enabled:
            return Entry(DRIFT_EVENTS.name, [])
        return self._watch.judge(candle)

    def judge_silence(self, now: int) -> Entry:
        """Judge the candle that does not come, as often as asked; when it comes, it counts.

        Parameters
        ----------
        now
            Number of the candle that should have closed by the clock, which may be wrong.
        """
        if not self._settings.drift.enabled:
            return Entry(DRIFT_EVENTS.name, [])
        events = self._watch.judge(self.candle + 1, now)
        self._watch.health = replace(self.health, candle=self.candle)
        return events


def _key(row: Mapping[str, Any]) -> tuple[int, str]:
    return row["candle"], row["model_version"]
