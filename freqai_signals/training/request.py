"""All that a model is made from, and the name that follows from it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from freqai_signals import metrics
from freqai_signals.dataset.rows import TrainingRows
from freqai_signals.model.calibration import DirectionHistory
from freqai_signals.model.card import ModelCard
from freqai_signals.model.signal_model import SignalModel
from freqai_signals.provenance import code_digest, digest, library_versions
from freqai_signals.settings import SignalSettings


@dataclass(frozen=True)
class Request:
    """All that a model is made from: training is a pure function of it.

    Attributes
    ----------
    rows
        Rows whose outcome was known at the end of the window.
    settings
        Only what shapes a model given its rows takes part in the key.
    previous
        The model of an earlier window of the same pool, or None.
    tuned
        Name of the tuning record whose parameters the settings hold; empty for the config's own.
    """

    rows: TrainingRows
    settings: SignalSettings
    previous: SignalModel | None = None
    tuned: str = ""

    def shaping(self) -> dict[str, Any]:
        """The settings that shape a model, without those that change speed only."""
        chosen = self.settings.model_dump(
            mode="json", exclude=SignalSettings.without_effect_on("model")
        )
        chosen["booster"].pop("threads")
        return chosen

    def key(self) -> str:
        """SHA-256 of everything the model depends on."""
        history = self.previous.history if self.previous else DirectionHistory()
        return digest(
            {
                "rows": self.rows.digest(),
                "settings": self.shaping(),
                "history": [
                    history.event_end.tolist(),
                    history.log_odds.tolist(),
                    history.bought.tolist(),
                ],
                # Its boosters say what joins the history, so the history alone does not name it.
                "previous": self.previous.card.key if self.previous else "",
                "tuned": self.tuned,
                "code": code_digest(),
                "libraries": library_versions(),
            }
        )


def new_card(request: Request, key: str) -> ModelCard:
    """What is known of a model before it is trained."""
    rows, seconds = request.rows, request.settings.candle_seconds
    last = int(rows.start[-1]) * seconds if len(rows) else 0
    stamp = datetime.fromtimestamp(last, UTC).strftime("%Y%m%dT%H%M")
    return ModelCard(
        version=f"{stamp}-{key[:10]}",
        key=key,
        pairs=rows.pairs,
        first=_iso(int(rows.start[0]) * seconds) if len(rows) else "",
        last=_iso(last) if len(rows) else "",
        rows=len(rows),
        class_counts=metrics.class_counts(rows.label),
        settings=request.shaping(),
        features=len(rows.names),
        features_digest=digest(list(rows.names)),
        libraries=library_versions(),
        parent=request.previous.card.version if request.previous else "",
        tuned=request.tuned,
    )


def _iso(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()
