"""Everything that training depends on, and the key and card that follow from it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from freqai_signals import metrics
from freqai_signals.dataset.rows import TrainingRows
from freqai_signals.model.card import ModelCard
from freqai_signals.model.direction import DirectionHistory
from freqai_signals.model.signal_model import SignalModel
from freqai_signals.model.trade_value import TradeHistory
from freqai_signals.provenance import code_digest, digest, library_versions
from freqai_signals.settings import SignalSettings


@dataclass(frozen=True)
class Request:
    """Everything that training depends on: a model is a pure function of it.

    Attributes
    ----------
    rows
        Rows whose outcome was known at the end of the window.
    settings
        Of these, only the ones that affect a model given its rows enter the key.
    previous
        The model of an earlier window of the same pool, or None.
    tuned
        Name of the tuning record with the parameters in use; empty for those of the config.
    """

    rows: TrainingRows
    settings: SignalSettings
    previous: SignalModel | None = None
    tuned: str = ""

    def model_settings(self) -> dict[str, Any]:
        """The settings that affect a model, without those that change speed only."""
        chosen = self.settings.model_dump(
            mode="json", exclude=SignalSettings.without_effect_on("model")
        )
        chosen["booster"].pop("threads")
        return chosen

    def key(self) -> str:
        """SHA-256 of everything the model depends on."""
        history = self.previous.history if self.previous else DirectionHistory()
        trades = self.previous.trades if self.previous else TradeHistory()
        return digest(
            {
                "rows": self.rows.digest(),
                "settings": self.model_settings(),
                "history": [
                    history.event_end.tolist(),
                    history.log_odds.tolist(),
                    history.bought.tolist(),
                ],
                "trades": trades.digest(),
                # Its boosters predict the rows that are added to the history, so the history alone
                # is not enough.
                "previous": self.previous.card.key if self.previous else "",
                "tuned": self.tuned,
                "code": code_digest(),
                "libraries": library_versions(),
            }
        )


def new_card(request: Request, key: str) -> ModelCard:
    """The part of the card that is known before training."""
    rows, seconds = request.rows, request.settings.candle_seconds
    # Rows are sorted by candle.
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
        settings=request.model_settings(),
        features=len(rows.names),
        features_digest=digest(list(rows.names)),
        libraries=library_versions(),
        parent=request.previous.card.version if request.previous else "",
        tuned=request.tuned,
    )


def _iso(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()
