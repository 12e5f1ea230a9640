"""From the files that a backtest left to the frames of notebooks and of the page."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from freqai_signals.provenance import digest
from freqai_signals.report.data.backtest_record import (
    KNOWN_AT_COLUMN,
    RUN_FILE,
    RecordMissing,
    Run,
    read_run,
)
from freqai_signals.report.data.backtest_result import find_result
from freqai_signals.report.data.climatology import BASELINE_COLUMNS
from freqai_signals.report.data.feature_use import feature_use
from freqai_signals.report.data.frames import MODEL_COLUMNS, SignalFrames, empty, with_outcomes
from freqai_signals.report.data.looks import looks_at, read_looks
from freqai_signals.report.model_usage import RunModels, key_digits
from freqai_signals.schema import (
    CONFIDENCE_COLUMN,
    DECISION_SIGNAL_COLUMN,
    EXPECTED_RETURN_COLUMN,
    LABEL_COLUMN,
    MODEL_ID_COLUMN,
    OUTCOME_COLUMN,
    PRIOR_COLUMNS,
    PROBA_COLUMNS,
    REALISED_RETURN_COLUMN,
    REASON_COLUMN,
    STRENGTH_COLUMN,
    TRADE_COST_COLUMN,
    TRUST_COLUMN,
    SignalClass,
)
from freqai_signals.signals.expected_value import net_returns

_SIGNALS: Final = ("", *(kind.name.lower() for kind in SignalClass))
"""Word for -1, 0, 1, 2, as decisions number them."""


def backtest_frames(userdir: Path, identifier: str | None = None) -> SignalFrames:
    """The frames of the newest backtest in a user's folder, or of one identifier.

    Raises
    ------
    RecordMissing
        If there is none, or it cannot be read.
    """
    folder = newest_folder(userdir, identifier)
    return run_frames(read_run(folder), userdir, folder)


def run_frames(
    run: Run,
    userdir: Path,
    folder: Path,
    models: RunModels | None = None,
    *,
    with_shap: bool = True,
) -> SignalFrames:
    """The frames of a run that has been read.

    Parameters
    ----------
    run
        Of :func:`~freqai_signals.report.data.backtest_record.read_run`.
    userdir
        Where freqtrade's result and the models lie; what is not there is left out.
    folder
        Of the record; its name is the FreqAI identifier.
    models
        Those of the user's folder, if they have been opened already.
    with_shap
        Whether to ask the models what they make of the features, which takes seconds.
    """
    settings = run.settings
    models = models or RunModels(userdir / "signals" / "models")
    result = find_result(userdir, folder.name, datetime.fromisoformat(run.facts["at"]))
    predictions, outcomes = _observations(run, models)
    shifts = [shift for shift in run.shifts.values() if len(shift)]
    drift = empty(("date", "feature", "shift"))
    if shifts:
        mean = pd.concat(shifts).groupby(["date", "feature"], sort=True)["shift"].mean()
        drift = mean.reset_index()
    kept = predictions["signal"].to_numpy() != ""
    known = set(predictions["pair"].cat.categories)
    trades = result.trades[result.trades["pair"].isin(known)]
    return SignalFrames(
        facts={
            **run.facts,
            "source": "backtest",
            "identifier": folder.name,
            "folder": str(folder),
            "strategy": result.facts.get("strategy_name", ""),
            "result": result.file,
            "balance": result.facts.get("starting_balance"),
            "currency": result.facts.get("stake_currency", ""),
            **_looks(userdir, predictions["date"], result.looks),
            "fingerprint": digest([settings.model_dump(mode="json"), _identity(run)])[:12],
        },
        predictions=predictions,
        outcomes=outcomes,
        signals=with_outcomes(predictions[kept], outcomes),
        trades=trades.reset_index(drop=True),
        models=_models(run, models, predictions),
        feature_groups=feature_use(run, models, with_shap=with_shap),
        drift=drift,
        market=result.market,
    )


def _looks(userdir: Path, dates: "pd.Series[pd.Timestamp]", stored: int) -> dict[str, Any]:
    """Looks at the span: all that were written down, at least the results that are still stored."""
    if not len(dates):
        return {"looks": stored or None}
    found = looks_at(read_looks(userdir), dates.min().timestamp(), dates.max().timestamp())
    backtests = max(found.backtests, stored)
    return {
        "looks": backtests + found.trials or None,
        "backtests": backtests,
        "hyperopts": found.hyperopts,
        "hyperopt_trials": found.trials,
    }


def _identity(run: Run) -> list[Any]:
    """What differs between two backtests: pairs, their rows and the models that predicted them."""
    frames = sorted(run.frames.items())
    return [[pair, len(f), f[MODEL_ID_COLUMN].unique().tolist()] for pair, f in frames]


def _observations(run: Run, models: RunModels) -> tuple[pd.DataFrame, pd.DataFrame]:
    pairs = list(run.frames)
    kept = [frame.reset_index(drop=True) for frame in run.frames.values()]
    rows = pd.concat(kept, ignore_index=True)
    number = rows[MODEL_ID_COLUMN].to_numpy(np.float64)
    # One look into the folder of models a model, not one a row.
    ids, place = np.unique(number, return_inverse=True)
    found = {digits: models.find(digits) for digits in map(key_digits, ids)}
    versions = [digits if model is None else model.card.version for digits, model in found.items()]
    code = np.repeat(np.arange(len(pairs)), [len(frame) for frame in kept])
    keys = {
        "pair": pd.Categorical.from_codes(code, pd.Index(pairs)),
        "date": pd.to_datetime(rows["date"], utc=True),
        "model_version": pd.Categorical(np.array(versions, dtype=object)[place])
        if len(rows)
        else pd.Categorical([]),
    }
    cost = float(run.facts["round_trip_cost"])
    # Decisions begin at -1 (none), categories at 0.
    signal = rows[DECISION_SIGNAL_COLUMN].to_numpy(np.int64) + 1
    predictions = pd.DataFrame(
        {
            **keys,
            "kind": pd.Categorical(["backtest"] * len(rows), ["backtest"]),
            "trusted": rows[TRUST_COLUMN].to_numpy() == 1,
            "predicted": rows[LABEL_COLUMN].fillna(SignalClass.HOLD).astype(np.int8),
            **{name: rows[name] for name in (*PROBA_COLUMNS, *PRIOR_COLUMNS)},
            "confidence": rows[CONFIDENCE_COLUMN],
            "expected_return": rows[EXPECTED_RETURN_COLUMN],
            "cost": rows.get(TRADE_COST_COLUMN, cost),
            "signal": pd.Categorical.from_codes(signal, pd.Index(_SIGNALS)),
            "strength": rows[STRENGTH_COLUMN].astype(np.int8),
            "reason": rows[REASON_COLUMN].astype("category"),
            **{name: rows[name] for name in BASELINE_COLUMNS if name in rows},
        }
    )
    gross = rows[REALISED_RETURN_COLUMN].to_numpy(np.float64)
    # For records of format 1.
    absent = pd.Series(pd.NaT, index=rows.index)
    outcomes = pd.DataFrame(
        {
            **keys,
            "outcome": rows[OUTCOME_COLUMN],
            "known_at": pd.to_datetime(rows.get(KNOWN_AT_COLUMN, absent), utc=True),
            "gross_return": gross,
            "net_return": net_returns(rows, cost),
        }
    )
    return predictions, outcomes[rows[OUTCOME_COLUMN].notna().to_numpy()]


def _models(run: Run, models: RunModels, predictions: pd.DataFrame) -> pd.DataFrame:
    used = predictions.groupby("model_version", observed=True)["date"].agg(["min", "max"])
    cards: Mapping[str, Any] = {model.card.version: model.card for model in models.of(run)}
    rows = []
    for version, first, last in used.sort_values("min").itertuples():
        row = {"model_version": version, "first_used": first, "last_used": last}
        card = cards.get(str(version))
        if card is not None:
            row |= {
                "trained_from": card.first,
                "trained_until": card.last,
                "rows": card.rows,
                "skill": card.metrics.get("validation", {}).get("skill"),
                "verdict": str(card.gate.get("verdict", "")),
                "reason": str(card.gate.get("reason", card.reason)),
            }
        rows.append(row)
    table = pd.DataFrame(rows, columns=list(MODEL_COLUMNS))
    # The card of a model without rows has empty dates.
    for name in ("trained_from", "trained_until"):
        table[name] = pd.to_datetime(table[name].replace("", None), utc=True, format="ISO8601")
    for name in ("verdict", "reason"):
        table[name] = table[name].astype(object).fillna("")
    return table


def newest_folder(userdir: Path, identifier: str | None = None) -> Path:
    """Folder of the newest record in a user's folder, or of the one with this identifier.

    Raises
    ------
    RecordMissing
        If there is no record at all.
    """
    reports = userdir / "signals" / "reports"
    if identifier:
        return reports / identifier
    runs = sorted(reports.glob(f"*/{RUN_FILE}"), key=lambda file: file.stat().st_mtime)
    if not runs:
        raise RecordMissing(f"no backtest to report on in {reports}; run one first")
    return runs[-1].parent
