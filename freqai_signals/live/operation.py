"""What a dry or live bot does beside predicting: gate, registry, ledger, drift, alerts, in order.

freqtrade's classes call it in a few lines. Nothing here raises into freqtrade: an error is logged
once, and trading continues with what was known before.
"""

import json
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd
from numpy.typing import NDArray

from freqai_signals.dataset.candles import closed, opening
from freqai_signals.dataset.rows import TrainingRows
from freqai_signals.ledger.ledger import Entry
from freqai_signals.ledger.sql_tables import DRIFT_EVENTS, TRAINING
from freqai_signals.live.alerts import Ahead
from freqai_signals.live.decision_log import LiveRecord
from freqai_signals.live.health import action_of
from freqai_signals.live.ledger_client import LiveLedger
from freqai_signals.live.notices import Notices
from freqai_signals.live.pair import PairOperation
from freqai_signals.live.pool_quality import PoolQuality
from freqai_signals.live.shared_answers import SharedAnswers
from freqai_signals.live.status.heartbeat import HeartbeatFile
from freqai_signals.live.watch import LiveWatch
from freqai_signals.model.signal_model import SignalModel
from freqai_signals.registry.registry import open_registry
from freqai_signals.registry.serving import LiveModels
from freqai_signals.settings import SignalSettings
from freqai_signals.signals.column_arrays import Columns
from freqai_signals.signals.health_limits import HealthLimits, apply_health_limits
from freqai_signals.trading.entries import closed_by

logger = logging.getLogger(__name__)

T = TypeVar("T")


class LiveOperation:
    """All of one bot. :meth:`promote` may be called in another thread, the rest in the bot's own.

    ``notices`` takes in further events; see :class:`~freqai_signals.live.notices.Notices`.

    Parameters
    ----------
    settings
        All sections.
    user_data
        Where registry and ledger are, unless the settings name another place.
    bot
        Name in the ledger and in the registry: FreqAI's identifier.
    clock
        Monotonic seconds; measures how long a database that did not answer is left alone.
    now
        Seconds since 1970; candles that have not opened by then are not taken in.
    name
        In messages; ``bot`` if empty.
    """

    def __init__(
        self, settings: SignalSettings, user_data: Path, bot: str,
        clock: Callable[[], float] = time.monotonic, now: Callable[[], float] = time.time,
        name: str = "",
    ) -> None:  # fmt: skip
        self._settings = settings
        self._now = now
        self._name = name or bot
        self._models = LiveModels(settings, open_registry(settings.registry, user_data), bot)
        self._last_training: dict[str, int] = {}
        self._pairs: dict[str, PairOperation] = {}
        self._tested: dict[str, PoolQuality] = {}
        self._logged: set[str] = set()
        self._ledger = LiveLedger(settings.ledger, user_data, bot, clock)
        self._answers = SharedAnswers(self._ledger, settings.candle_seconds)
        heartbeat = HeartbeatFile(user_data, bot, self._name, settings.candle_seconds)
        self.notices = Notices(settings, self._ledger, self._models, self._name, heartbeat)
        self._decision_log = LiveRecord.from_environment()

    # Models

    def promote(self, pair: str, challenger: SignalModel, rows: TrainingRows) -> SignalModel:
        """Let the gate decide which model serves; the challenger with the verdict in its card."""
        return self._safely(lambda: self._promote(pair, challenger, rows), challenger)

    def model(self, pair: str, stored: SignalModel | None) -> SignalModel | None:
        """The model that predicts a pair, as gate and operator decided.

        Parameters
        ----------
        pair
            Full name.
        stored
            FreqAI's model; used where the registry has none, unless the gate refused it.
        """
        return self._safely(lambda: self._models.model(pair, stored), stored)

    def observe(
        self, pair: str, model: SignalModel | None, candles: pd.DataFrame, features: pd.DataFrame,
        trust: NDArray[Any],
    ) -> None:  # fmt: skip
        """Keep a model's inputs until the candle is judged; see :meth:`LiveWatch.observe`."""
        self._safely(lambda: self._pair(pair).watch.observe(model, candles, features, trust), None)

    # Candles

    def log_decision(self, pair: str, frame: pd.DataFrame, decided: Columns, cost: float) -> None:
        """Append the newest row, as decided before any limit, to a rehearsal's decision log."""
        log = self._decision_log
        if log is not None:
            self._safely(lambda: log.add(pair, frame.assign(**decided), cost), None)

    def judge(self, pair: str, candles: pd.DataFrame, cost: float) -> HealthLimits:
        """Move a pair's level to the close of its newest candle; what follows for decisions.

        Parameters
        ----------
        pair
            Full name.
        candles
            Closed candles at hand, oldest first.
        cost
            Round-trip cost, a fraction.
        """
        real = self._closed(candles)
        if real is not None and len(real):
            self._safely(lambda: self._pair(pair).judge(real, cost), None)
        return self._safely(self._pair(pair).health_limits, HealthLimits())

    def limit(
        self, pair: str, frame: pd.DataFrame, decided: Columns, kept: pd.DataFrame,
        cost: float,
    ) -> Columns:  # fmt: skip
        """Decisions that the pair's level allows.

        Parameters
        ----------
        pair
            Full name.
        frame
            Candles with the model's columns.
        decided
            Result of :func:`~freqai_signals.signals.decide.decisions` for ``frame``.
        kept
            FreqAI's longer history of the pair, used where it reaches as far as ``frame``.
        cost
            Round-trip cost, a fraction.
        """
        self.log_decision(pair, frame, decided, cost)
        reaches = len(kept) and opening(kept) >= opening(frame)
        limits = self.judge(pair, kept if reaches else frame, cost)
        return apply_health_limits(decided, frame, limits)

    def record(
        self, pair: str, frame: pd.DataFrame, cost: float, send: Callable[[str], Any]
    ) -> None:
        """Write prediction and decision to the ledger, then send the signal, if signals are sent.

        Parameters
        ----------
        pair
            Full name.
        frame
            With predictions and decisions.
        cost
            Round-trip cost, a fraction.
        send
            Sends a message to the operator.
        """
        real = self._closed(frame)
        if real is not None and len(real):
            is_new = self._safely(lambda: self._pair(pair).record(real, cost), True)
            self._safely(lambda: self._pair(pair).send_signals(real, is_new, send), None)

    def columns(self, pair: str, frame: pd.DataFrame) -> Columns:
        """Live quality and level as they were at each candle's close, for charts."""
        return self._safely(lambda: self._pair(pair).columns(frame), {})

    def trade_data(self, pair: str, opened: datetime) -> dict[str, Any]:
        """What a trade opened at this time keeps of its signal; empty if that is not known."""
        candle = closed_by(int(opened.timestamp()), self._settings.candle_seconds)
        return self._safely(lambda: self._pair(pair).trade_data(candle), {})

    def wants_training(self, pair: str) -> bool:
        """Whether to train before the schedule; once per ``resume_candles`` of a pool."""
        return self._safely(lambda: self._wants_training(pair), False)

    def alerts(
        self, now: float, pairs: Iterable[str], ahead: Ahead | None = None,
        schedule: Mapping[str, int] | None = None,
    ) -> list[str]:  # fmt: skip
        """Leave a sign of life; messages for the operator.

        Parameters
        ----------
        now
            Seconds since 1970.
        pairs
            Those that the bot trades now.
        ahead
            What is ahead of the exchange's time.
        schedule
            When models are trained next and expire, as a heartbeat names these.
        """
        seconds, traded = int(now), tuple(pairs)
        watches = self._watches(traded)
        self._safely(lambda: self.notices.beat(seconds, watches, traded, schedule or {}), None)
        none: list[str] = []
        texts = self._safely(lambda: self._due(seconds, watches, traded, ahead or Ahead()), none)
        return texts + self._safely(lambda: self.notices.summary(seconds, watches), none)

    def close(self) -> None:
        """Write waiting rows and close the database."""
        self._safely(lambda: self.notices.end(int(self._now())), None)
        self._safely(self._ledger.close, None)

    def _safely(self, work: Callable[[], T], otherwise: T) -> T:
        """The only place where errors of monitoring are kept from freqtrade."""
        try:
            return work()
        except Exception as error:
            # The same error at every candle would bury the rest of the log.
            if repr(error) not in self._logged:
                self._logged.add(repr(error))
                logger.exception("Error in live monitoring; trading continues: %s", error)
            return otherwise

    def _promote(self, pair: str, challenger: SignalModel, rows: TrainingRows) -> SignalModel:
        model, promotion = self._models.promote(pair, challenger, rows)
        decision = promotion.decision
        row = {
            "scope": self._models.scope(pair), "challenger": decision.challenger,
            "champion": decision.champion, "verdict": str(decision.verdict),
            "reason": decision.reason, "evidence": json.dumps(dict(decision.evidence)),
        }  # fmt: skip
        self._ledger.write([Entry("model_decisions", [row])])
        return model

    def _wants_training(self, pair: str) -> bool:
        state, settings = self._pair(pair), self._settings.drift
        if not (settings.enabled and action_of(state.watch.health, settings).retrain):
            return False
        scope, candle = self._models.scope(pair), state.watch.candle
        name = f"training {pair if self._settings.model.pool == 'pair' else 'pool'}"
        last = self._last_training.get(scope)
        if last is None:
            last = int(self._ledger.counter(name) or 0)
            # A later number is that of a shorter timeframe, which would block requests for years.
            last = self._last_training[scope] = last if last <= candle else 0
        if candle - last < settings.resume_candles:
            return False
        self._last_training[scope] = candle
        event = {
            "pair": pair, "candle": candle * self._settings.candle_seconds, "detector": TRAINING,
            "level": "requested", "model_version": state.watch.version,
            "detail": f"{state.watch.health.level}: {'; '.join(state.watch.health.reasons)}",
        }  # fmt: skip
        counter = self._ledger.counters({name: str(candle)})
        self._ledger.write([Entry(DRIFT_EVENTS.name, [event]), counter])
        logger.warning("%s: %s, training before the schedule", pair, state.watch.health.level)
        return True

    def _closed(self, frame: pd.DataFrame) -> pd.DataFrame | None:
        now, seconds = pd.Timestamp(self._now(), unit="s", tz="UTC"), self._settings.candle_seconds
        return self._safely(lambda: closed(frame, now, seconds), None)

    def _pair(self, pair: str) -> PairOperation:
        if pair not in self._pairs:
            scope = pair if self._settings.model.pool == "pair" else "pool"
            tested = PoolQuality(scope, self._settings, self._ledger)
            shared = (self._ledger, self._answers, self._tested.setdefault(scope, tested))
            self._pairs[pair] = PairOperation(pair, self._settings, *shared, self._name)
        return self._pairs[pair]

    def _due(
        self, now: int, watches: dict[str, LiveWatch], pairs: tuple[str, ...], ahead: Ahead
    ) -> list[str]:
        candle = now // self._settings.candle_seconds - 1
        for pair, watch in watches.items():
            self._judge_silence(pair, watch, candle)
        return self.notices.due(now, watches, pairs, ahead)

    def _watches(self, pairs: tuple[str, ...]) -> dict[str, LiveWatch]:
        return {pair: self._pairs[pair].watch for pair in pairs if pair in self._pairs}

    def _judge_silence(self, pair: str, watch: LiveWatch, candle: int) -> None:
        # freqtrade asks for decisions at new candles only: where none arrives, nothing else looks.
        if watch.candle and candle - watch.candle >= self._settings.drift.stale_candles:
            events = watch.judge_silence(candle, self._pair(pair).tested.states(watch.version))
            if events.rows:
                health = self._ledger.counters({f"health {pair}": watch.health.to_json()})
                self._ledger.write([events, health])
