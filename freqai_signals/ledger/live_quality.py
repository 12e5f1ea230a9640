"""Quality of live predictions, from the ledger's scored rows."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from freqai_signals.metrics import expected_calibration_error, log_loss
from freqai_signals.schema import PROBA_COLUMNS
from freqai_signals.signals.strength import Strength

_PRIORS: Final = ["prior_sell", "prior_hold", "prior_buy"]
_NAN: Final = float("nan")


@dataclass(frozen=True)
class LiveQuality:
    """Quality of a set of scored predictions; NaN without rows.

    Attributes
    ----------
    name
        Pair, model version, or ``total``.
    rows
        Scored predictions.
    log_loss
        Nats.
    skill
        1 - log loss / log loss of the class prior of each row's own model.
    accuracy
        Share of rows whose predicted class happened.
    claimed
        Mean probability of the predicted class, the top one: what accuracy should be.
    ece
        Expected calibration error of the top probability.
    coverage
        Share of scored rows that became a buy or sell signal.
    precision
        Share of emitted signals whose class happened, by strength, with the number of signals in
        ``signals``.
    net
        Mean return of emitted signals after cost, a fraction.
    """

    name: str
    rows: int = 0
    log_loss: float = _NAN
    skill: float = _NAN
    accuracy: float = _NAN
    claimed: float = _NAN
    ece: float = _NAN
    coverage: float = _NAN
    precision: Mapping[str, float] = field(default_factory=dict)
    signals: Mapping[str, int] = field(default_factory=dict)
    net: float = _NAN

    def as_dict(self) -> dict[str, Any]:
        """For JSON: NaN becomes None."""
        return {key: _json(value) for key, value in asdict(self).items()}


def quality_of(name: str, scored: pd.DataFrame) -> LiveQuality:
    """Judge rows of :meth:`~freqai_signals.ledger.ledger.Ledger.scored`."""
    if scored.empty:
        return LiveQuality(name)
    label = scored["realised"].to_numpy(np.int8)
    proba = scored[list(PROBA_COLUMNS)].to_numpy(np.float64)
    loss = log_loss(label, proba)
    prior_loss = log_loss(label, scored[_PRIORS].to_numpy(np.float64))
    predicted = scored["predicted"].to_numpy(np.int64)
    strength = scored["strength"].to_numpy(np.int64)
    side = np.where(scored["signal"] == "buy", 2, 0)
    tiers = {tier.name.lower(): strength == tier for tier in Strength if tier > 0}
    return LiveQuality(
        name=name,
        rows=len(scored),
        log_loss=loss,
        skill=1.0 - loss / prior_loss,
        accuracy=float((predicted == label).mean()),
        claimed=float(proba.max(axis=1).mean()),
        ece=expected_calibration_error(label, proba),
        coverage=float((strength > 0).mean()),
        precision={n: _mean((side == label)[rows]) for n, rows in tiers.items()},
        signals={n: int(rows.sum()) for n, rows in tiers.items()},
        net=_mean(scored["net"].to_numpy(np.float64)[strength > 0]),
    )


def live_quality(scored: pd.DataFrame) -> dict[str, list[LiveQuality]]:
    """Quality in ``total``, by ``pairs`` and by ``models``.

    Parameters
    ----------
    scored
        Rows of the span to be judged, for example the last week.
    """
    found = {"total": [quality_of("total", scored)]}
    for name, column in (("pairs", "pair"), ("models", "model_version")):
        groups: Sequence[tuple[Any, pd.DataFrame]] = list(scored.groupby(column, sort=True))
        found[name] = [quality_of(str(key), rows) for key, rows in groups]
    return found


def rolling_quality(scored: pd.DataFrame, rows: int) -> pd.DataFrame:
    """Rolling log loss, skill and accuracy over the last ``rows`` scored predictions.

    Returns
    -------
    pandas.DataFrame
        One line a scored row, oldest first: ``candle``, ``log_loss``, ``skill``, ``accuracy``. Row
        *t* is known at the event end of the latest of its rows; NaN before ``rows`` rows.
    """
    ordered = scored.sort_values(["event_end", "candle"], kind="stable")
    hit = ordered["predicted"] == ordered["realised"]
    loss = ordered["loss"].astype(float).rolling(rows).mean()
    prior = ordered["prior_loss"].astype(float).rolling(rows).mean()
    accuracy = hit.astype(float).rolling(rows).mean()
    return pd.DataFrame(
        {
            "candle": ordered["candle"],
            "log_loss": loss,
            "skill": 1.0 - loss / prior,
            "accuracy": accuracy,
        }
    ).reset_index(drop=True)


def _mean(values: NDArray[Any]) -> float:
    return float(values.mean()) if len(values) else _NAN


def _json(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _json(item) for key, item in value.items()}
    return None if isinstance(value, float) and np.isnan(value) else value
