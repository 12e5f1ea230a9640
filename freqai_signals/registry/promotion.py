"""From a trained model to the one that serves: gate, registry, and what to do when either fails."""

import logging
from dataclasses import dataclass, replace

from freqai_signals.dataset.rows import TrainingRows
from freqai_signals.model.signal_model import SignalModel
from freqai_signals.registry.gate import (
    TARGET,
    Decision,
    Verdict,
    abstaining,
    judge,
    other_target,
)
from freqai_signals.registry.registry import Registry
from freqai_signals.registry.versions import RegistryError
from freqai_signals.settings import SignalSettings

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Promotion:
    """What serves after a training.

    Attributes
    ----------
    serving
        Swap it in with one assignment. It abstains, with the reason in its card, if the challenger
        may not serve and nothing of the same target served before.
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
        Those of the gate are read, with ``where`` ``never`` every challenger is accepted; and
        those of the target.
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
        serving = of_target(champion, settings)
    else:
        serving = challenger if decision.accepted else abstaining(challenger, decision)
    return Promotion(serving, decision, "; ".join(troubles))


def speaking(model: SignalModel | None) -> SignalModel | None:
    """A stored model as far as it may serve: one that its gate refused abstains and says so."""
    if model is None or not model.card.refused:
        return model
    return abstaining(model, Decision(**model.card.gate))


def of_target(model: SignalModel, settings: SignalSettings) -> SignalModel:
    """A registered model as far as it may serve: one of another target abstains and says so.

    The registry outlives a change of labels, horizon or timeframe under the same identifier; what
    its model says would be read as the answer to another question.
    """
    asked = settings.model_dump(mode="json", include=set(TARGET))
    reason = other_target(model, asked)
    if not reason:
        return model
    logger.warning("The registry's model %s does not speak: %s", model.card.version, reason)
    return replace(model, card=replace(model.card, key="", reason=reason), fit=None)


def window_serving(
    challenger: SignalModel,
    champion: SignalModel | None,
    rows: TrainingRows,
    settings: SignalSettings,
) -> tuple[SignalModel, SignalModel]:
    """A backtest's challenger with the verdict in its card, and what serves the window.

    That is the challenger unless the gate is asked and refuses it.
    """
    if settings.gate.where != "always":
        return challenger, challenger
    decision = judge(challenger, champion, rows, settings.gate, settings.candles_per_day)
    said = (challenger.card.version, decision.verdict, decision.reason)
    logger.log(logging.INFO if decision.accepted else logging.WARNING, "Gate: %s %s: %s", *said)
    judged = replace(challenger, card=replace(challenger.card, gate=decision.as_dict()))
    if decision.accepted:
        return judged, judged
    has_champion = champion is not None and champion.fit is not None
    silent = abstaining(judged, decision)
    return judged, champion if champion is not None and has_champion else silent


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
    that cannot be read leaves the model that served last; that is logged once. A model of another
    target than the settings' abstains.
    """

    def __init__(self, registry: Registry, scope: str, settings: SignalSettings) -> None:
        self._registry = registry
        self._settings = settings
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
                self._model = of_target(self._registry.load(self._scope), self._settings)
                logger.info("Model %s serves %s", serving, self._scope)
            self.trouble = ""
        except RegistryError as error:
            if str(error) != self.trouble:
                logger.warning("%s; the model that served before goes on", error)
            self.trouble = str(error)
