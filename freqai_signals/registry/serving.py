"""The models of a running bot: trained, judged, stored, and replaced by command."""

from dataclasses import dataclass, replace

from freqai_signals.dataset.rows import TrainingRows
from freqai_signals.model.signal_model import SignalModel
from freqai_signals.registry.promotion import Promotion, Serving, promote, scope_name, speaking
from freqai_signals.registry.registry import Registry
from freqai_signals.registry.versions import RegistryError
from freqai_signals.settings import SignalSettings


@dataclass(frozen=True)
class ModelEvent:
    """What last happened to a scope's models; ``event`` is empty where a new one was accepted."""

    version: str
    event: str = ""
    reason: str = ""


class LiveModels:
    """One serving model a scope: the pool's, or each pair's own.

    Parameters
    ----------
    settings
        Those of model and gate.
    registry
        Where versions are kept.
    bot
        FreqAI's identifier.
    """

    def __init__(self, settings: SignalSettings, registry: Registry, bot: str) -> None:
        self._settings = settings
        self._registry = registry
        self._bot = bot
        self._serving: dict[str, Serving] = {}
        self._versions: dict[str, str] = {}
        self._events: dict[str, ModelEvent] = {}
        self._troubles: dict[str, str] = {}

    @property
    def events(self) -> dict[str, ModelEvent]:
        """The last event of each scope that had one."""
        return dict(self._events)

    @property
    def troubles(self) -> dict[str, str]:
        """Scope to why the registry could not be read or written; empty text if it could."""
        found = {scope: serving.trouble for scope, serving in list(self._serving.items())}
        return found | {scope: text for scope, text in self._troubles.items() if text}

    def scope(self, pair: str) -> str:
        """Name of the scope whose model predicts a pair."""
        return scope_name(self._bot, pair if self._settings.model.pool == "pair" else "")

    def promote(
        self, pair: str, challenger: SignalModel, rows: TrainingRows
    ) -> tuple[SignalModel, Promotion]:
        """The challenger with the verdict in its card, and what came of it."""
        scope = self.scope(pair)
        found = promote(self._registry, scope, challenger, rows, self._settings)
        # Before the swap, or the change would look like one by command.
        self._versions[scope] = found.serving.card.version
        self._serves(scope).swap(found.serving)
        self._troubles[scope] = found.trouble
        decision, version = found.decision, challenger.card.version
        self._events[scope] = (
            ModelEvent(version)
            if decision.accepted
            else ModelEvent(version, "refused", decision.reason)
        )
        card = replace(challenger.card, gate=decision.as_dict())
        return replace(challenger, card=card), found

    def model(self, pair: str, stored: SignalModel | None) -> SignalModel | None:
        """The model that predicts a pair now; ``stored`` where the registry has none."""
        scope = self.scope(pair)
        served = self._serves(scope).model()
        if served is None:
            return speaking(stored)
        version = served.card.version
        before = self._versions.setdefault(scope, version)
        if before != version:
            self._versions[scope] = version
            self._events[scope] = self._change(scope, version)
        return served

    def _serves(self, scope: str) -> Serving:
        return self._serving.setdefault(scope, Serving(self._registry, scope, self._settings))

    def _change(self, scope: str, version: str) -> ModelEvent:
        """Why another model serves than this bot had promoted."""
        try:
            last = self._registry.scope(scope).history[-1]
        except (RegistryError, IndexError):
            return ModelEvent(version, "replaced by")
        if last.action in ("serving", "registered"):
            return ModelEvent(version)
        return ModelEvent(version, f"{last.action.replace('_', ' ')} to", last.reason)
