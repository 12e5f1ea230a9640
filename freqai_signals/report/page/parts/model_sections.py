"""The models behind the predictions: features, timeline, drift, and where nothing was predicted."""

from typing import Final

import numpy as np
import pandas as pd

from freqai_signals.report.page.page_data import PageData, as_percent, counted, listed
from freqai_signals.report.page.parts.page_section import Section, absent
from freqai_signals.schema import FEATURE_PREFIX

_MOST_DAYS: Final = 130
"""Days that a heatmap shows one by one; beyond, weeks."""

_MOST_FEATURES: Final = 24
_MOST_EVENTS: Final = 200


def feature_section(data: PageData) -> Section:
    """Section 13: gain and SHAP by feature group, and how they changed over windows."""
    key, title = "features", "What do the models look at?"
    method = (
        "Gain: share of the trees' total gain. SHAP: share of the mean absolute "
        "contribution to the "
        "log-odds of buy against sell, on a sample of all predicted rows. Worth: permutation "
        "importance in nats, with feature selection. Least and most are among the "
        "models of this run: groups whose share moves much from window to window are not to be "
        "relied on."
    )
    use = data.frames.feature_groups
    if not len(use):
        why = "No model of this run is stored here any more, so its features are not known."
        if data.frames.facts.get("source") == "ledger":
            why = "The ledger does not hold models; the page of a backtest shows their features."
        return absent(key, title, why, method)
    shares = {
        # A group that a model does not have gives it nothing; SHAP may be unknown altogether.
        kind: use.pivot_table(index="model_version", columns="group", values=kind, fill_value=0.0)
        for kind in ("gain", "shap")
        if use[kind].notna().any()
    }
    table = pd.DataFrame(
        {
            f"{kind}{word}": getattr(by_model, how)()
            for kind, by_model in shares.items()
            for word, how in (("", "mean"), (" least", "min"), (" most", "max"))
        }
    )
    table = table.sort_values("gain", ascending=False)
    models = use["model_version"].nunique()
    first = table.index[0]
    wide = table.iloc[int((table["gain most"] - table["gain least"]).argmax())]
    finding = (
        f"{first} gives {as_percent(float(table['gain'].iloc[0]))} of the gain of {models} models"
        + (
            f" and {table['shap'].idxmax()} moves direction most "
            f"({as_percent(table['shap'].max())} of SHAP)"
            if "shap" in table
            else ""
        )
        + f"; {wide.name} varies most between windows ({as_percent(float(wide['gain least']))} "
        f"to {as_percent(float(wide['gain most']))})."
    )
    tables = {
        "Feature groups": table.reset_index(),
        "Gain by model": shares["gain"][table.index].reset_index(),
    }
    return Section(key, title, finding, method, tables)


def timeline_section(data: PageData) -> Section:
    """Section 14: which model predicted when, and what happened to models and detectors."""
    key, title = "models", "Which models predicted when?"
    method = (
        "A bar runs from a model's first to its last prediction. Skill is that on purged "
        "validation "
        "rows within its training window, known before it predicted. Events are those of the "
        "registry, the gate and the drift detectors; a backtest has none of its own."
    )
    models = data.frames.models
    if not len(models):
        return absent(key, title, "Nothing was predicted.", method)
    used = models.dropna(subset="first_used")
    refused = int(models["verdict"].astype(str).str.startswith("refuse").sum())
    finding = f"{counted(len(used), 'model')} predicted"
    lag = (used["first_used"] - used["trained_until"]).dropna()
    if len(lag):
        finding += f"; the newest training candle was at most {_span(lag.max())} old at first use"
        finding += f" and {_span((used['last_used'] - used['trained_until']).max())} at last use"
    finding += f"; the gate refused {refused}." if refused else "; none was refused by the gate."
    tables = {"Models": models}
    events = data.frames.events
    if len(events):
        finding += f" {len(events)} events were recorded, the newest: {events.iloc[-1]['what']}."
        tables["Events"] = events.tail(_MOST_EVENTS).reset_index(drop=True)
    return Section(key, title, finding, method, tables)


def drift_section(data: PageData) -> Section:
    """Section 15: shift of features by day, against what the model of that day was trained on."""
    key, title = "drift", "Did the inputs drift?"
    method = (
        "The three days up to each day's end against the training window of the model that served "
        "that day: population stability index over the bins that the model keeps of its training "
        "rows, divided by what 5 % of that window's own three-day stretches exceed, mean over "
        "pairs. So 1 of one feature and pair is seldom. A running bot's monitor computes the same "
        "once a model has served three days, of trusted candles. Nothing later is known to it; "
        "empty are days with holes, and features that the "
        "model of the day does not watch. Shown are "
        f"the {_MOST_FEATURES} features whose shift went highest."
    )
    drift = data.frames.drift
    if data.frames.facts.get("source") == "ledger":
        return _live_drift(data, key, title)
    if int(data.frames.facts.get("format", 1)) < 3:
        why = (
            "This record was written by an older version, which did not measure the shift of "
            "features against the training window of the model that served; backtest again."
        )
        return absent(key, title, why, method)
    if data.frames.facts.get("tier"):
        return absent(key, title, "The rows of one tier say nothing of whole days.", method)
    wide = drift.pivot_table(index="date", columns="feature", values="shift")
    if wide.empty:
        why = (
            "No model of this run keeps what three-day stretches of its training window looked "
            "like (that needs twelve of them and a hold-out), or no three days are without holes."
        )
        return absent(key, title, why, method)
    wide.columns = [str(name).removeprefix(FEATURE_PREFIX) for name in wide.columns]
    mean = wide.mean(axis=1)
    unusual, most = int((mean > 1).sum()), wide.iloc[int(mean.argmax())]
    finding = (
        f"On {unusual} of {counted(len(mean), 'day')} the shift from the serving model's training "
        "rows was above 1, mean of all features. "
        f"Furthest was {mean.idxmax():%Y-%m-%d} at {mean.max():.2f}, most of all "
        f"{most.idxmax()} at {most.max():.2f}."
    )
    chosen = wide.max().sort_values(ascending=False, kind="stable").index[:_MOST_FEATURES]
    shown, word = wide[list(chosen)], "day"
    if len(shown) > _MOST_DAYS:
        shown, word = shown.resample("W").mean(), "week"
    table = shown.rename_axis(word).reset_index()
    return Section(key, title, finding, method, {f"Shift by {word} and feature": table})


def _live_drift(data: PageData, key: str, title: str) -> Section:
    method = (
        "The running bot compares features, outcomes and losses with each model's own "
        "training rows and records when a detector's level changes; shown is how often, by day. "
        "The ledger holds no features, so their shift by day is on the page of a backtest alone."
    )
    events = data.frames.events
    mine = events[events["what"].str.startswith("drift ")]
    if not len(mine):
        return absent(key, title, "No drift detector changed its level.", method)
    day = mine["date"].dt.floor("D")
    counts = mine.groupby([day, mine["what"].str.removeprefix("drift ")]).size().unstack()
    detector = counts.sum().idxmax()
    finding = f"{len(mine)} changes of level were recorded, most by {detector}."
    table = counts.fillna(0).rename_axis("day").reset_index()
    return Section(key, title, finding, method, {"Changes of level by day": table})


def gap_section(data: PageData) -> Section:
    """Section 17: candles without a trusted prediction, by day and pair."""
    key, title = "gaps", "Where was nothing predicted?"
    method = (
        "For each day and pair, the share of candles without a trusted prediction: the candle is "
        "missing (exchange or bot was away), the input was incomplete, unlike the training "
        "rows, or "
        "the model had expired or could not be trained. Counted between a pair's first and last "
        "prediction."
    )
    predictions = data.frames.predictions
    if not len(predictions):
        return absent(key, title, "Nothing was predicted.", method)
    tier = data.frames.facts.get("tier")
    if tier:
        why = f"Only candles of tier {tier} were chosen; the others are no holes."
        return absent(key, title, why, method)
    share = _gap_shares(data, predictions)
    gaps = predictions.groupby("pair", observed=True)["date"].agg(["min", "max"])
    candles = ((gaps["max"] - gaps["min"]).dt.total_seconds() / data.settings.candle_seconds) + 1
    present = predictions.groupby("pair", observed=True)["date"].nunique()
    trusted = predictions[predictions["trusted"]].groupby("pair", observed=True)["date"].nunique()
    table = pd.DataFrame({"candles": candles.round().astype(np.int64), "predicted": present})
    table["abstained"] = table["predicted"] - trusted.reindex(table.index, fill_value=0)
    table["missing"] = (table["candles"] - table["predicted"]).clip(lower=0)
    table = table.rename_axis("pair").reset_index()
    missing, abstained = int(table["missing"].sum()), int(table["abstained"].sum())
    worst = share.max(axis=1)
    finding = (
        f"{counted(missing, 'candle')} missing and {counted(abstained, 'abstention')}, of "
        f"{counted(int(table['candles'].sum()), 'candle')}"
    )
    finding += (
        f"; the worst day is {worst.idxmax():%Y-%m-%d} ({as_percent(worst.max())} of a pair)."
        if worst.max() > 0
        else ": no hole at all."
    )
    word = "day"
    if len(share) > _MOST_DAYS:
        share, word = share.resample("W").mean(), "week"
    shares = share.rename_axis(word).reset_index()
    shares.columns = [str(name) for name in shares.columns]
    tables = {"By pair": table, f"Share without prediction by {word}": shares}
    quiet = [str(pair) for pair in predictions["pair"].cat.categories if pair not in share.columns]
    if quiet:
        finding += f" Nothing at all for {listed(quiet)}."
    return Section(key, title, finding, method, tables)


def _gap_shares(data: PageData, predictions: pd.DataFrame) -> pd.DataFrame:
    """Share of candles without a trusted prediction, a row per day, a column per pair."""
    day = predictions["date"].dt.floor("D")
    trusted = predictions["trusted"].astype(np.int64)
    count = trusted.groupby([day, predictions["pair"]], observed=True).sum().unstack()
    spans = predictions.groupby("pair", observed=True)["date"].agg(["min", "max"])
    days = pd.date_range(day.min(), day.max(), freq="D")
    count = count.reindex(days).fillna(0.0)
    # First and last day are expected only as far as the pair's own predictions reach.
    expected = pd.DataFrame(index=days, columns=count.columns, dtype=np.float64)
    candle = pd.Timedelta(seconds=data.settings.candle_seconds)
    for pair in count.columns:
        begin = days.to_series().clip(lower=spans["min"][pair])
        end = (days + pd.Timedelta(days=1)).to_series(index=days)
        end = end.clip(upper=spans["max"][pair] + candle)
        expected[pair] = ((end - begin) / candle).clip(lower=0.0)
    share = 1.0 - count / expected.where(expected > 0)
    return share.clip(lower=0.0).round(6)


def _span(value: pd.Timedelta) -> str:
    hours = value.total_seconds() / 3600
    return f"{hours:.0f} hours" if hours < 72 else f"{hours / 24:.0f} days"
