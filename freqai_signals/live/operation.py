"""What a dry or live bot does beside predicting: gate, registry, ledger, drift, alerts, in order.

The adapters call it in few lines. Nothing here raises into freqtrade: what goes wrong is logged
once, and trading goes on with what was known before.
"""

import json
import logging
import time
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from freqai_signals.dataset.candles import closed
from freqai_signals.dataset.rows import TrainingRows
from freqai_signals.ledger.ledger import Entry
from freqai_signals.ledger.sql_tables import DRIFT_EVENTS, TRAINING
from freqai_signals.live.alerts import NORMAL, Alert, Alerts, ahead_alert, level_alert, model_alert
from freqai_signals.live.health import action_of
from freqai_signals.live.ledger_client import LiveLedger
from freqai_signals.live.pair import PairOperation
from freqai_signals.live.watch import LiveWatch
from freqai_signals.model.signal_model import SignalModel
from freqai_signals.registry.registry import open_registry
from freqai_signals.registry.serving import LiveModels, ModelEvent
from freqai_signals.settings import SignalSettings
from freqai_signals.signals.health_limits import HealthLimits
from freqai_signals.signals.message import for_chat

logger = logging.getLogger(__name__)

T = TypeVar("T")


class LiveOperation:
    """Of one bot. :meth:`promote` may be called in another thread, the rest in the bot's own.

    Parameters
    ----------
    settings
        All of them.
    user_data
        Where registry and ledger are, unless the settings say otherwise.
    bot
        Name in the ledger and in the registry: FreqAI's identifier.
    clock
        Seconds that only rise; how long a database that was away is left alone.
    now
        Seconds since 1970; candles that have not opened by then are not taken in.
    """

    def __init__(
        self,
        settings: SignalSettings,
        user_data: Path,
        bot: str,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._now = now
        self._models = LiveModels(settings, open_registry(settings.registry, user_data), bot)
        self._asked_training: dict[str, int] = {}
        self._alerts = Alerts(settings.alerts)
        self._alerts_restored = False
        self._pairs: dict[str, PairOperation] = {}
        self._logged: set[str] = set()
        self._ledger = LiveLedger(settings.ledger, user_data, bot, clock)

    # Models

    def promote(self, pair: str, challenger: SignalModel, rows: TrainingRows) -> SignalModel:
        """Let the gate say which model serves; the challenger with the verdict in its card."""
        return self._safely(lambda: self._promote(pair, challenger, rows), challenger)

    def model(self, pair: str, stored: SignalModel | None) -> SignalModel | None:
        """The model that predicts a pair, as gate and operator have it.

        Parameters
        ----------
        pair
            Full name.
        stored
            What FreqAI has; it speaks, unless it was refused, where the registry has nothing.
        """
        return self._safely(lambda: self._models.model(pair, stored), stored)

    def observe(
        self, pair: str, model: SignalModel | None, features: pd.DataFrame, outputs: pd.DataFrame
    ) -> None:
        """Remember what a model was given and what it said, until the candle is judged."""
        self._safely(lambda: self._pair(pair).watch.observe(model, features, outputs), None)

    # Candles

    def judge(self, pair: str, candles: pd.DataFrame, cost: float) -> HealthLimits:
        """Look at a pair at the close of the newest of its candles, before anything is decided.

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
        if not real.empty:
            self._safely(lambda: self._pair(pair).judge(real, cost), None)
        return self._safely(self._pair(pair).health_limits, HealthLimits())

    def record(
        self, pair: str, frame: pd.DataFrame, cost: float, send: Callable[[str], Any]
    ) -> None:
        """Write down what was said and decided; then tell the signal, if signals are told."""
        real = self._closed(frame)
        if not real.empty:
            is_new = self._safely(lambda: self._pair(pair).record(real, cost), True)
            self._safely(lambda: self._pair(pair).send_signals(real.iloc[-1], is_new, send), None)

    def columns(self, pair: str) -> dict[str, float]:
        """Live quality and level for FreqUI, numbers."""
        state = self._pair(pair)
        return state.quality.columns() | {"drift_level": float(state.watch.health.level)}

    def wants_training(self, pair: str) -> bool:
        """Whether to train before the schedule; once per ``resume_candles`` of a pool."""
        return self._safely(lambda: self._wants_training(pair), False)

    def alerts(self, now: float, pairs: Iterable[str], ahead: Collection[str] = ()) -> list[str]:
        """Messages for the operator.

        Parameters
        ----------
        now
            Seconds since 1970.
        pairs
            Those that the bot trades now.
        ahead
            Those of which the exchange has shown a candle from after ``now``.
        """
        return self._safely(lambda: self._alerts_due(int(now), tuple(pairs), ahead), [])

    def close(self) -> None:
        """Write what waits and let go of the database."""
        self._safely(self._ledger.close, None)

    # One place for what must not reach freqtrade

    def _safely(self, work: Callable[[], T], otherwise: T) -> T:
        try:
            return work()
        except Exception as error:
            told = repr(error)
            if told not in self._logged:
                self._logged.add(told)
                logger.exception("Trading goes on, but beside it something failed: %s", error)
            return otherwise

    # Candles

    def _promote(self, pair: str, challenger: SignalModel, rows: TrainingRows) -> SignalModel:
        model, found = self._models.promote(pair, challenger, rows)
        said = found.decision
        row = {
            "scope": self._models.scope(pair), "challenger": said.challenger,
            "champion": said.champion, "verdict": str(said.verdict), "reason": said.reason,
            "evidence": json.dumps(dict(said.evidence)),
        }  # fmt: skip
        self._ledger.write([Entry("model_decisions", [row])])
        return model

    def _wants_training(self, pair: str) -> bool:
        state, settings = self._pair(pair), self._settings.drift
        if not (settings.enabled and action_of(state.watch.health, settings).retrain):
            return False
        scope, candle = self._models.scope(pair), state.watch.candle
        name = f"training {pair if self._settings.model.pool == 'pair' else 'pool'}"
        asked = self._asked_training.get(scope)
        if asked is None:
            asked = int(self._ledger.counter(name) or 0)
            # A later one is that of a shorter timeframe: nobody would ask for long.
            asked = self._asked_training[scope] = asked if asked <= candle else 0
        if candle - asked < settings.resume_candles:
            return False
        self._asked_training[scope] = candle
        event = {
            "pair": pair, "candle": candle * self._settings.candle_seconds, "detector": TRAINING,
            "level": "requested", "model_version": state.watch.version,
            "detail": f"{state.watch.health.level}: {'; '.join(state.watch.health.reasons)}",
        }  # fmt: skip
        counter = self._ledger.counters({name: str(candle)})
        self._ledger.write([Entry(DRIFT_EVENTS.name, [event]), counter])
        logger.warning("%s: %s, training before the schedule", pair, state.watch.health.level)
        return True

    def _closed(self, frame: pd.DataFrame) -> pd.DataFrame:
        now, seconds = pd.Timestamp(self._now(), unit="s", tz="UTC"), self._settings.candle_seconds
        return self._safely(lambda: closed(frame, now, seconds), frame.iloc[:0])

    def _pair(self, pair: str) -> PairOperation:
        if pair not in self._pairs:
            self._pairs[pair] = PairOperation(pair, self._settings, self._ledger)
        return self._pairs[pair]

    # The operator

    def _alerts_due(self, now: int, pairs: tuple[str, ...], ahead: Collection[str]) -> list[str]:
        candle = now // self._settings.candle_seconds - 1
        if not self._alerts_restored:
            told = self._ledger.counter("alerts")
            self._alerts_restored = told is not None
            if told:
                self._alerts.restore(told)
        known = {pair: self._pairs[pair].watch for pair in pairs if pair in self._pairs}
        for pair, watch in known.items():
            self._judge_silence(pair, watch, candle)
        alerts = [level_alert(pair, watch.health) for pair, watch in known.items()]
        alerts += [_quality_alert(pair, watch) for pair, watch in known.items()]
        alerts += [_model_alert(scope, event) for scope, event in self._models.events.items()]
        alerts += [_registry_alert(*found) for found in self._models.troubles.items()]
        alerts += [ahead_alert(pair, pair in ahead) for pair in pairs]
        alerts += self._ledger.alerts()
        texts = self._alerts.update(candle, alerts)
        if texts:
            self._ledger.write([self._ledger.counters({"alerts": self._alerts.to_json()})])
        return [for_chat(text) for text in texts]

    def _judge_silence(self, pair: str, watch: LiveWatch, candle: int) -> None:
        """Where no candle arrives, nobody else would notice."""
        if watch.candle and candle - watch.candle >= self._settings.drift.stale_candles:
            events = watch.judge_silence(candle)
            if events.rows:
                health = self._ledger.counters({f"health {pair}": watch.health.to_json()})
                self._ledger.write([events, health])


def _quality_alert(pair: str, watch: LiveWatch) -> Alert:
    if not watch.is_poor:
        return Alert("quality", pair, NORMAL, 0)
    return Alert("quality", pair, "below its floor", 1, f"live skill {watch.live_skill:+.3f}")


def _model_alert(scope: str, event: ModelEvent) -> Alert:
    if event.event:
        return model_alert(scope, event.version, event.event, event.reason)
    return Alert("model", scope, NORMAL, 0, f"{event.version} accepted")


def _registry_alert(scope: str, trouble: str) -> Alert:
    if not trouble:
        return Alert("registry", scope, NORMAL, 0)
    return Alert("registry", scope, "cannot be used", 1, trouble)
