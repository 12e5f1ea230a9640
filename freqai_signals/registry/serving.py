"""The serving models of a running bot: promoted after training, replaced by command."""

import logging
import time
from dataclasses import dataclass, replace
from typing import Final

from freqai_signals.dataset.rows import TrainingRows
from freqai_signals.model.signal_model import SignalModel
from freqai_signals.registry.promotion import (
    Promotion,
    promote,
    scope_name,
    unless_other_target,
    unless_refused,
)
from freqai_signals.registry.registry import Registry
from freqai_signals.registry.versions import RegistryError
from freqai_signals.settings import SignalSettings

logger = logging.getLogger(__name__)

_RETRY_SECONDS: Final = 60.0


@dataclass(frozen=True)
class ModelEvent:
    """The last event of a scope's models, for example ``accepted``, with what to know of it."""

    version: str
    event: str = ""
    reason: str = ""


@dataclass
class _Serving:
    """A scope's model in memory, and the state of its pointer when it was loaded."""

    model: SignalModel | None = None
    stamp: tuple[int, ...] = ()
    announced: str = ""
    problem: str = ""


class LiveModels:
    """One serving model a scope: the pool's, or each pair's own.

    Parameters
    ----------
    settings
        Sections ``model`` and ``gate``, and the target of prediction.
    registry
        Where versions are kept.
    bot
        FreqAI's identifier.
    """

    def __init__(self, settings: SignalSettings, registry: Registry, bot: str) -> None:
        self._settings = settings
        self._registry = registry
        self._bot = bot
        self._serving: dict[str, _Serving] = {}
        self._events: dict[str, ModelEvent] = {}
        self._unregistered: dict[str, tuple[SignalModel, bool]] = {}
        """Scope to its last model, if the registry could not be written then, and if it serves."""
        self._tried = float("-inf")
        """When that failed last, monotonic seconds."""

    @property
    def events(self) -> dict[str, ModelEvent]:
        """The last event of each scope that had one."""
        return dict(self._events)

    @property
    def problems(self) -> dict[str, str]:
        """Scope to why the registry could not be read or written; empty text if it could."""
        # A copy: training promotes in another thread.
        return {scope: state.problem for scope, state in list(self._serving.items())}

    def scope(self, pair: str) -> str:
        """Name of the scope whose model predicts a pair."""
        return scope_name(self._bot, pair if self._settings.model.pool == "pair" else "")

    def promote(
        self, pair: str, challenger: SignalModel, rows: TrainingRows
    ) -> tuple[SignalModel, Promotion]:
        """Ask the gate and serve its choice; the challenger with the verdict in its card."""
        scope = self.scope(pair)
        promotion = promote(self._registry, scope, challenger, rows, self._settings)
        model, decision = promotion.serving, promotion.decision
        # One assignment: the bot's thread may predict meanwhile. Already announced, or the change
        # would be reported as one by command.
        self._serving[scope] = _Serving(
            model, self._registry.stamp(scope), model.card.version, promotion.problem
        )
        version = challenger.card.version
        event = "accepted" if decision.accepted else "refused"
        self._events[scope] = ModelEvent(version, event, f"{decision.reason}; {promotion.follows}")
        card = replace(challenger.card, gate=decision.as_dict())
        challenger = replace(challenger, card=card)
        self._unregistered.pop(scope, None)
        if promotion.problem:
            self._unregistered[scope] = challenger, decision.accepted
        return challenger, promotion

    def model(self, pair: str, stored: SignalModel | None) -> SignalModel | None:
        """The model that predicts a pair now.

        A rollback or a pin by command takes effect at the next call. A registry that cannot be read
        leaves the present model; one that could not be written is tried again. Costs one look at
        the pointer's time stamp when nothing changed.

        Parameters
        ----------
        pair
            Full name.
        stored
            FreqAI's model, for a scope of which the registry has none.
        """
        scope = self.scope(pair)
        state = self._serving.setdefault(scope, _Serving())
        stamp = self._registry.stamp(scope)
        if stamp != state.stamp:
            # The stamp was read first: a change during the reload is noticed at the next call.
            state.stamp = stamp
            self._unregistered.pop(scope, None)
            self._reload(scope, state)
        elif scope in self._unregistered and time.monotonic() > self._tried + _RETRY_SECONDS:
            self._register_again(scope)
        if state.model is None:
            return unless_refused(stored)
        version = state.model.card.version
        if state.announced != version:
            # The first model after a start is no replacement.
            if state.announced:
                self._events[scope] = self._change(scope, version)
            state.announced = version
        return state.model

    def _register_again(self, scope: str) -> None:
        """Register what could not be when it was promoted, unless a command came between.

        The next look at the pointer finds it changed, and the problem gone.
        """
        try:
            # The bot decides a candle meanwhile: it waits for no other writer.
            registry = replace(self._registry, lock_seconds=0.0)
            registry.register(scope, *self._unregistered[scope])
        except RegistryError:
            self._tried = time.monotonic()
            return
        self._unregistered.pop(scope, None)

    def _reload(self, scope: str, state: _Serving) -> None:
        try:
            serving = self._registry.scope(scope).serving
            # Pointers also change without another serving version, such as when a model is refused.
            if serving and (state.model is None or state.model.card.version != serving):
                state.model = unless_other_target(self._registry.load(scope), self._settings)
                logger.info("Model %s serves %s", serving, scope)
            state.problem = ""
        except RegistryError as error:
            if str(error) != state.problem:
                logger.warning("%s; the present model continues to serve", error)
            state.problem = str(error)

    def _change(self, scope: str, version: str) -> ModelEvent:
        """Why another model serves than the one that this bot promoted."""
        try:
            last = self._registry.scope(scope).history[-1]
        except (RegistryError, IndexError):
            return ModelEvent(version, "replaced by")
        if last.action in ("serving", "registered"):
            return ModelEvent(version, "now serving", "from another bot or an earlier run")
        return ModelEvent(version, f"{last.action.replace('_', ' ')} to", last.reason)
