"""From a trained model to the serving one: gate, registry, and a fallback when either fails."""

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
        Abstains, with the reason in its card, if the challenger may not serve and nothing of the
        same target served before.
    decision
        The gate's verdict.
    problem
        Why the registry could not be read or written; empty if it could.
    """

    serving: SignalModel
    decision: Decision
    problem: str = ""

    @property
    def follows(self) -> str:
        """Who serves now, in words."""
        card, decision = self.serving.card, self.decision
        if self.serving.fit is None:
            return "no model serves: every row abstains"
        if card.version == decision.challenger:
            return f"serves instead of {decision.champion}" if decision.champion else "serves now"
        return f"{card.version} serves on"


def promote(
    registry: Registry,
    scope: str,
    challenger: SignalModel,
    rows: TrainingRows,
    settings: SignalSettings,
) -> Promotion:
    """Ask the gate, store the model, and return which model serves.

    Never raises because of the registry: a model that cannot be stored serves from memory, and a
    champion that cannot be read counts as none.

    Parameters
    ----------
    registry
        Where versions are kept.
    scope
        See :func:`scope_name`.
    challenger
        Newly trained from ``rows``.
    rows
        Training rows of the challenger.
    settings
        Section ``gate`` (``where`` ``never`` accepts every challenger), and the target of
        prediction.
    """
    problems: list[str] = []
    champion: SignalModel | None = None
    pinned = False
    try:
        found = registry.scope(scope)
        pinned = found.pinned
        champion = registry.load(scope) if found.serving else None
    except RegistryError as error:
        problems.append(str(error))
    if settings.gate.where == "never":
        decision = _accepted_without_gate(challenger, champion)
    else:
        decision = judge(challenger, champion, rows, settings.gate, settings.candles_per_day)
    card = replace(challenger.card, gate=decision.as_dict())
    challenger = replace(challenger, card=card)
    try:
        # A refused model is stored too: it can still be looked at, compared and pinned.
        registry.register(scope, challenger, serve=decision.accepted)
    except RegistryError as error:
        problems.append(str(error))
    for problem in problems:
        logger.warning("%s", problem)
    if champion is not None and (pinned or not decision.accepted):
        serving = unless_other_target(champion, settings)
    else:
        serving = challenger if decision.accepted else abstaining(challenger, decision)
    promotion = Promotion(serving, decision, "; ".join(problems))
    level = logging.INFO if decision.accepted else logging.WARNING
    outcome = "accepted" if decision.accepted else "refused"
    logger.log(
        level, "%s: %s is %s (%s): %s; %s",
        scope, card.version, outcome, decision.verdict, decision.reason, promotion.follows,
    )  # fmt: skip
    return promotion


def unless_refused(model: SignalModel | None) -> SignalModel | None:
    """The model, or an abstaining copy with the reason if the gate refused it."""
    if model is None or not model.card.refused:
        return model
    return abstaining(model, Decision(**model.card.gate))


def unless_other_target(model: SignalModel, settings: SignalSettings) -> SignalModel:
    """The model, or an abstaining copy with the reason if it was trained for another target.

    The registry outlives a change of labels, horizon or timeframe under the same identifier; its
    model's probabilities would then be about another event than the one the bot acts on.
    """
    reason = other_target(model, settings.model_dump(mode="json", include=set(TARGET)))
    if not reason:
        return model
    logger.warning("The registry's model %s is not used: %s", model.card.version, reason)
    return replace(model, card=replace(model.card, key="", reason=reason), fit=None)


def window_serving(
    challenger: SignalModel,
    champion: SignalModel | None,
    rows: TrainingRows,
    settings: SignalSettings,
) -> tuple[SignalModel, SignalModel]:
    """A backtest's challenger with the verdict in its card, and the model that serves the window.

    That is the challenger unless the gate is asked and refuses it.
    """
    if settings.gate.where != "always":
        return challenger, challenger
    decision = judge(challenger, champion, rows, settings.gate, settings.candles_per_day)
    level = logging.INFO if decision.accepted else logging.WARNING
    version = challenger.card.version
    logger.log(level, "Gate: %s %s: %s", version, decision.verdict, decision.reason)
    judged = replace(challenger, card=replace(challenger.card, gate=decision.as_dict()))
    if decision.accepted:
        return judged, judged
    if champion is not None and champion.fit is not None:
        return judged, champion
    return judged, abstaining(judged, decision)


def _accepted_without_gate(challenger: SignalModel, champion: SignalModel | None) -> Decision:
    old = champion.card.version if champion is not None and champion.fit is not None else ""
    reason = "accepted without a test (gate.where is never)"
    return Decision(Verdict.ACCEPT, reason, challenger.card.version, old)


def scope_name(identifier: str, pair: str = "") -> str:
    """Name of the scope of a pair's model, or of the pool's.

    Examples
    --------
    >>> scope_name("freqai-signals"), scope_name("freqai-signals", "BTC/USDT")
    ('freqai-signals/pool', 'freqai-signals/BTC/USDT')
    """
    return f"{identifier}/{pair or 'pool'}"
