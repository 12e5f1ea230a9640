"""What a running bot sends to its operator, put together at every loop of the bot."""

import logging
import time
from collections import deque
from collections.abc import Collection, Mapping
from typing import Final

from freqai_signals.live.alerts import (
    NORMAL,
    Ahead,
    Alert,
    Alerts,
    ahead_alerts,
    level_alert,
    model_alert,
)
from freqai_signals.live.ledger_client import LiveLedger
from freqai_signals.live.status.daily_summary import daily_summary
from freqai_signals.live.status.heartbeat import HeartbeatFile
from freqai_signals.live.watch import LiveWatch
from freqai_signals.registry.serving import LiveModels, ModelEvent
from freqai_signals.settings import SignalSettings
from freqai_signals.signals.message import for_chat, stamped
from freqai_signals.terminal import span_text, time_text

logger = logging.getLogger(__name__)

_DAY: Final = 86_400
_HOUR: Final = 3600


class Notices:
    """Messages for the operator. :meth:`add` may be called in another thread, the rest not.

    Parameters
    ----------
    settings
        Section ``alerts`` and the candle length.
    ledger
        Where it is kept what was sent.
    models
        Whose events are sent.
    name
        The bot's, at the beginning of every message.
    heartbeat
        The bot's sign of life.
    """

    def __init__(
        self, settings: SignalSettings, ledger: LiveLedger, models: LiveModels, name: str,
        heartbeat: HeartbeatFile,
    ) -> None:  # fmt: skip
        self._settings = settings
        self._ledger = ledger
        self._models = models
        self._name = name
        self._heartbeat = heartbeat
        self._training_since = 0
        self._alerts = Alerts(settings.alerts)
        self._restored = False
        self._once: deque[str] = deque(maxlen=100)
        self._summary_day: int | None = None
        self._summary_tried = -_HOUR

    def add(self, text: str) -> None:
        """Send a text with the next messages, whatever was sent before; the log has it now."""
        logger.info("%s", text)
        self._once.append(text)

    def training_started(self, about: str, until: int) -> None:
        """Note that a training begins.

        Parameters
        ----------
        about
            What is trained, for example ``the pool of 5 pairs``.
        until
            Its newest data, seconds since 1970.
        """
        self._training_since = int(time.time())
        self.add(f"training of {about} starts, data until {time_text(until)}")

    def training_ended(self, about: str, failure: str = "") -> None:
        """Note that a training is over; ``failure`` is why there is no model, empty if there is."""
        self._training_since = 0
        if failure:
            self.add(f"training of {about} failed: {failure}; what served before serves on")

    def beat(
        self, now: int, watches: Mapping[str, LiveWatch], pairs: tuple[str, ...],
        schedule: Mapping[str, int],
    ) -> None:  # fmt: skip
        """Leave a sign of life, and note that the bot is back if it was away.

        Parameters
        ----------
        now, watches, pairs
            See :meth:`due`.
        schedule
            When models are trained next and expire, as a heartbeat names these.
        """
        newest = max((watch.candle for watch in watches.values()), default=0)
        decided = (newest + 1) * self._settings.candle_seconds if newest else 0
        facts = {**schedule, "decided": decided, "training_since": self._training_since}
        last = self._heartbeat.beat(now, pairs, facts)
        if last:
            self._back(last, now)

    def end(self, now: int) -> None:
        """Note that the bot was stopped in an orderly way."""
        self._heartbeat.end(now)

    def _back(self, last: int, now: int) -> None:
        """The bot's loop runs again after a gap that began at ``last``."""
        missed = (now - last) // self._settings.candle_seconds
        self.add(
            f"back after {span_text(now - last)} without a sign of life (since {time_text(last)}); "
            f"{missed} candles a pair were not decided in time, open trades are looked after again"
        )

    def due(
        self, now: int, watches: Mapping[str, LiveWatch], pairs: Collection[str],
        ahead: Ahead,
    ) -> list[str]:  # fmt: skip
        """Messages for what has changed, with the bot's name and the time.

        Parameters
        ----------
        now
            Seconds since 1970.
        watches
            Of the traded pairs that were judged already.
        pairs
            That are traded.
        ahead
            What is ahead of the exchange's time.
        """
        if not self._restored:
            sent = self._ledger.counter("alerts")
            self._restored = sent is not None
            if sent:
                self._alerts.restore(sent)
        alerts = [
            level_alert(pair, watch.health, self._settings.drift) for pair, watch in watches.items()
        ]
        alerts += [_model_alert(scope, event) for scope, event in self._models.events.items()]
        alerts += [_registry_alert(*found) for found in self._models.problems.items()]
        alerts += ahead_alerts(pairs, ahead)
        alerts += self._ledger.alerts()
        changed = self._alerts.update(now // self._settings.candle_seconds - 1, alerts)
        if changed:
            self._ledger.write([self._ledger.counters({"alerts": self._alerts.to_json()})])
        once = [self._once.popleft() for _ in range(len(self._once))]
        return self._stamped(now, [*once, *changed])

    def _stamped(self, now: int, texts: list[str]) -> list[str]:
        if not self._settings.alerts.enabled:
            return []
        return [for_chat(stamped(self._name, now, text)) for text in texts]

    def summary(self, now: int, watches: Mapping[str, LiveWatch]) -> list[str]:
        """The summary of yesterday, once, at the first loop of a day (UTC).

        Apart from :meth:`due`: what fails here must take no alert with it.
        """
        today = now // _DAY
        alerts = self._settings.alerts
        if not (alerts.enabled and alerts.daily_summary) or today == self._summary_day:
            return []
        # Where it fails, trying at every loop would keep the ledger from the pairs.
        if 0 <= now - self._summary_tried < _HOUR:
            return []
        self._summary_tried = now
        kept = self._ledger.counter("summary")
        if kept is None:
            return []
        texts = []
        # A first start has no yesterday.
        if int(kept or today) != today:
            levels = {pair: watch.health.level for pair, watch in watches.items()}
            serving = {watch.version for watch in watches.values() if watch.version}
            bot = self._ledger.bot
            text = self._ledger.ask(
                lambda ledger: daily_summary(ledger, bot, today - 1, levels, serving), ""
            )
            if not text:
                return []
            texts.append(text)
        self._summary_day, self._summary_tried = today, -_HOUR
        self._ledger.write([self._ledger.counters({"summary": str(today)})])
        return self._stamped(now, texts)


def _model_alert(scope: str, event: ModelEvent) -> Alert:
    if event.event:
        return model_alert(scope, event.version, event.event, event.reason)
    return Alert("model", scope, NORMAL, 0)


def _registry_alert(scope: str, problem: str) -> Alert:
    if not problem:
        return Alert("registry", scope, NORMAL, 0)
    return Alert("registry", scope, "cannot be used", 1, problem)
