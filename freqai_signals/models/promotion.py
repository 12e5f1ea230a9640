"""From a trained model to the one that serves: gate, registry, and what to do when either fails."""

import logging
from dataclasses import dataclass, replace

from freqai_signals.models.gate import Decision, Verdict, abstaining, judge
from freqai_signals.models.registry import Registry
from freqai_signals.models.signal_model import SignalModel
from freqai_signals.models.version import RegistryError
from freqai_signals.settings import SignalSettings
from freqai_signals.training.rows import TrainingRows

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Promotion:
    """What serves after a training.

    Attributes
    ----------
    serving
        Swap it in with one assignment. It abstains, with the reason in its card, if the challenger
        was refused and nothing served before.
    decision
        What the gate said.
    trouble
        Why the registry could not be read or written; empty if it could.
    """

    serving: SignalModel
    decision: Decision
    trouble: str = ""


def promote(
    registry: Registry,
    scope: str,
    challenger: SignalModel,
    rows: TrainingRows,
    settings: SignalSettings,
) -> Promotion:
    """Ask the gate, store the model, and say which model serves.

    Never raises because of the registry: a model that cannot be stored serves from memory, and a
    champion that cannot be read counts as none.

    Parameters
    ----------
    registry
        Where versions are kept.
    scope
        See :func:`scope_name`.
    challenger
        Just trained, from ``rows``.
    rows
        Of the request that the challenger was trained from.
    settings
        Those of the gate are read; with ``where`` ``never`` every challenger is accepted.
    """
    troubles: list[str] = []
    champion: SignalModel | None = None
    pinned = False
    try:
        found = registry.scope(scope)
        pinned = found.pinned
        champion = registry.load(scope) if found.serving else None
    except RegistryError as error:
        troubles.append(str(error))
    if settings.gate.where == "never":
        decision = _unasked(challenger, champion)
    else:
        decision = judge(challenger, champion, rows, settings.gate, settings.candles_per_day)
    card = replace(challenger.card, gate=decision.as_dict())
    challenger = replace(challenger, card=card)
    try:
        registry.register(scope, challenger, serve=decision.accepted)
    except RegistryError as error:
        troubles.append(str(error))
    for trouble in troubles:
        logger.warning("%s", trouble)
    level = logging.INFO if decision.accepted else logging.WARNING
    logger.log(level, "Gate %s: %s %s: %s", scope, card.version, decision.verdict, decision.reason)
    if champion is not None and (pinned or not decision.accepted):
        serving = champion
    else:
        serving = challenger if decision.accepted else abstaining(challenger, decision)
    return Promotion(serving, decision, "; ".join(troubles))


def speaking(model: SignalModel | None) -> SignalModel | None:
    """A stored model as far as it may serve: one that its gate refused abstains and says so."""
    if model is None or not str(model.card.gate.get("verdict", "")).startswith("refuse"):
        return model
    return abstaining(model, Decision(**model.card.gate))


def window_serving(
    challenger: SignalModel,
    champion: SignalModel | None,
    rows: TrainingRows,
    settings: SignalSettings,
) -> SignalModel:
    """What serves a backtest's window: the challenger unless the gate is asked and refuses it."""
    if settings.gate.where != "always":
        return challenger
    decision = judge(challenger, champion, rows, settings.gate, settings.candles_per_day)
    said = (challenger.card.version, decision.verdict, decision.reason)
    logger.log(logging.INFO if decision.accepted else logging.WARNING, "Gate: %s %s: %s", *said)
    judged = replace(challenger, card=replace(challenger.card, gate=decision.as_dict()))
    if decision.accepted:
        return judged
    has_champion = champion is not None and champion.fit is not None
    return champion if champion is not None and has_champion else abstaining(judged, decision)


def _unasked(challenger: SignalModel, champion: SignalModel | None) -> Decision:
    old = champion.card.version if champion is not None and champion.fit is not None else ""
    reason = "the gate is not asked (gate.where is never)"
    return Decision(Verdict.ACCEPT, reason, challenger.card.version, old)


def scope_name(identifier: str, pair: str = "") -> str:
    """Name of the scope of a pair's model, or of the pool's.

    Examples
    --------
    >>> scope_name("freqai-signals"), scope_name("freqai-signals", "BTC/USDT")
    ('freqai-signals/pool', 'freqai-signals/BTC/USDT')
    """
    return f"{identifier}/{pair or 'pool'}"


class Serving:
    """The model that serves a scope, reloaded when the registry says another one does.

    So a rollback or a pin by command takes effect in a running bot at its next candle. A registry
    that cannot be read leaves the model that served last; that is logged once.
    """

    def __init__(self, registry: Registry, scope: str) -> None:
        self._registry = registry
        self._scope = scope
        self._model: SignalModel | None = None
        self._seen: tuple[int, ...] = ()
        self.trouble = ""

    def model(self) -> SignalModel | None:
        """What serves now; one look at the pointer's time stamp when nothing changed."""
        seen = self._registry.stamp(self._scope)
        if seen != self._seen:
            self._seen = seen
            self._reload()
        return self._model

    def swap(self, model: SignalModel) -> None:
        """Serve a model that was just promoted."""
        self._model = model
        self._seen = self._registry.stamp(self._scope)

    def _reload(self) -> None:
        try:
            serving = self._registry.scope(self._scope).serving
            if serving and (self._model is None or self._model.card.version != serving):
                self._model = self._registry.load(self._scope)
                logger.info("Model %s serves %s", serving, self._scope)
            self.trouble = ""
        except RegistryError as error:
            if str(error) != self.trouble:
                logger.warning("%s; the model that served before goes on", error)
            self.trouble = str(error)
