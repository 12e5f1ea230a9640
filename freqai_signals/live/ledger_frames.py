"""A live ledger as the frames of notebooks and of the page."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from sqlalchemy.exc import SQLAlchemyError

from freqai_signals.ledger.database import LedgerError, ledger_address
from freqai_signals.ledger.ledger import Ledger
from freqai_signals.ledger.proof.chain import LIVE
from freqai_signals.ledger.sql_tables import HEALTH, TRAINING
from freqai_signals.registry.registry import Registry
from freqai_signals.report.data.frames import (
    EVENT_COLUMNS,
    MODEL_COLUMNS,
    PREDICTION_COLUMNS,
    SignalFrames,
    empty,
    with_outcomes,
)
from freqai_signals.settings import SignalSettings

_KEYS: Final = ["pair", "date", "model_version"]
_CATEGORIES: Final = ("pair", "model_version", "kind", "signal", "reason")


def ledger_frames(
    url: str,
    settings: SignalSettings | None = None,
    registry: Path | None = None,
    since: int = 0,
) -> SignalFrames:
    """Read a ledger.

    Parameters
    ----------
    url
        SQLAlchemy URL or path of an SQLite file.
    settings
        What the bot runs with; a ledger does not store them. The shipped ones by default.
    registry
        Folder of the model registry, for training spans and what happened to models.
    since
        Oldest candle wanted, seconds since 1970.

    Raises
    ------
    ValueError
        If there is no ledger, or it cannot be read.
    """
    address = ledger_address(url)
    try:
        ledger = Ledger(address, read_only=True)
        try:
            return _frames(ledger, settings or SignalSettings(), registry, since)
        finally:
            ledger.close()
    except SQLAlchemyError as error:
        raise LedgerError(f"the ledger cannot be read: {str(error).splitlines()[0]}") from error


def _frames(
    ledger: Ledger, settings: SignalSettings, registry: Path | None, since: int
) -> SignalFrames:
    stored = ledger.rows("predictions", since)
    predictions = _predictions(stored)
    outcomes = _outcomes(predictions, ledger.rows("outcomes", since))
    acted = (predictions["signal"] != "").to_numpy() & predictions["trusted"].to_numpy(np.bool_)
    cost = float(stored["cost"].median()) if len(stored) else 0.0
    newest = int(stored["recorded"].max()) if len(stored) else 0
    return SignalFrames(
        facts={
            "source": "ledger",
            "settings": settings.model_dump(mode="json"),
            "round_trip_cost": cost,
            "at": pd.Timestamp(newest, unit="s", tz="UTC").isoformat() if newest else "",
            "bots": sorted(stored["bot"].unique()) if len(stored) else [],
        },
        predictions=predictions,
        outcomes=outcomes,
        signals=with_outcomes(predictions[acted], outcomes),
        models=_models(predictions, registry),
        events=_events(ledger, registry),
    )


def _predictions(stored: pd.DataFrame) -> pd.DataFrame:
    rows = stored.assign(
        date=pd.to_datetime(stored["candle"].astype(np.int64), unit="s", utc=True),
        trusted=(stored["kind"] == LIVE).astype(np.bool_),
        signal=stored["signal"].replace("none", ""),
    )[list(PREDICTION_COLUMNS)]
    for name in _CATEGORIES:
        rows[name] = rows[name].astype("category")
    if "" not in rows["signal"].cat.categories:
        rows["signal"] = rows["signal"].cat.add_categories([""])
    return rows.sort_values(_KEYS, ignore_index=True)


def _outcomes(predictions: pd.DataFrame, stored: pd.DataFrame) -> pd.DataFrame:
    """Known outcomes with the index of the prediction that each is about."""
    known = stored[stored["realised"].notna()]
    rows = pd.DataFrame(
        {
            "pair": known["pair"],
            "date": pd.to_datetime(known["candle"].astype(np.int64), unit="s", utc=True),
            "model_version": known["model_version"],
            "outcome": known["realised"].astype(np.float64),
            "known_at": pd.to_datetime(known["event_end"].astype(np.int64), unit="s", utc=True),
            "gross_return": known["gross"].astype(np.float64),
            "net_return": known["net"].astype(np.float64),
        }
    )
    keys = predictions[_KEYS].astype({"pair": object, "model_version": object})
    return keys.reset_index().merge(rows, on=_KEYS).set_index("index").rename_axis(None)


def _models(predictions: pd.DataFrame, registry: Path | None) -> pd.DataFrame:
    used = predictions.groupby("model_version", observed=True)["date"].agg(["min", "max"])
    found: dict[str, dict[str, Any]] = {
        str(version): {"model_version": version, "first_used": first, "last_used": last}
        for version, first, last in used.itertuples()
    }
    for scope in Registry(registry).scopes() if registry is not None else ():
        for version in scope.versions:
            row = found.setdefault(version.version, {"model_version": version.version})
            row |= {
                "trained_from": version.first,
                "trained_until": version.last,
                "skill": version.metrics.get("skill"),
                "verdict": version.verdict,
                "reason": version.reason,
            }
    table = pd.DataFrame(list(found.values()), columns=list(MODEL_COLUMNS))
    for name in ("trained_from", "trained_until", "first_used", "last_used"):
        table[name] = pd.to_datetime(table[name].replace("", None), utc=True, format="ISO8601")
    for name in ("verdict", "reason"):
        table[name] = table[name].astype(object).fillna("")
    return table.sort_values("first_used", ignore_index=True)


def _events(ledger: Ledger, registry: Path | None) -> pd.DataFrame:
    rows: list[Mapping[str, Any]] = []
    for event in ledger.rows("drift_events").to_dict("records"):
        about = {HEALTH: "level", TRAINING: "training"}.get(event["detector"])
        rows.append(
            {
                "date": pd.Timestamp(event["recorded"], unit="s", tz="UTC"),
                "what": f"{about} {event['level']}" if about else f"drift {event['detector']}",
                "subject": event["pair"],
                "detail": f"{event['level']}: {event['detail']}",
            }
        )
    for scope in Registry(registry).scopes() if registry is not None else ():
        rows += [
            {
                "date": pd.Timestamp(event.at),
                "what": event.action.replace("_", " "),
                "subject": event.version or scope.name,
                "detail": event.reason,
            }
            for event in scope.history
        ]
    if not rows:
        return empty(EVENT_COLUMNS)
    table = pd.DataFrame(rows, columns=list(EVENT_COLUMNS))
    table["date"] = pd.to_datetime(table["date"], utc=True)
    return table.sort_values("date", kind="stable", ignore_index=True)
