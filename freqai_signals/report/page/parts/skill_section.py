"""Do the probabilities know more than class shares: over time, in each pair, hour and regime."""

from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from freqai_signals.metrics import direction_auc, move_auc
from freqai_signals.report.page.day_blocks import Interval
from freqai_signals.report.page.page_data import (
    Floats,
    PageData,
    as_percent,
    as_range,
    counted,
    listed,
)
from freqai_signals.report.page.parts.page_section import Section, absent
from freqai_signals.report.page.parts.reliability_sections import calibration_error
from freqai_signals.schema import TOTAL, SignalClass

BY_PAIR: Final = "Skill by pair"
_REGIMES: Final = ("calm", "middle", "lively")


def skill_of(data: PageData, baseline: Floats, place: NDArray[np.intp], count: int) -> Interval:
    """Skill against a baseline's losses, by bin of rows; 0 equals it, 1 is certainty."""
    loss = data.blocks.sums(data.losses[0], place, count)
    if not np.isfinite(baseline).all():
        unknown = np.full(count, np.nan)
        return Interval(unknown, unknown, unknown, unknown)
    base = data.blocks.sums(baseline, place, count)
    return data.blocks.ratio_of_sums(base - loss, base)


def total_skill(data: PageData) -> Interval:
    """Skill of all rows against the class shares of their training windows."""
    loss, prior = data.losses
    return data.blocks.ratio(prior - loss, prior)


def skill_section(data: PageData) -> Section:
    """Section 5."""
    key, title = "skill", "Does it know more than class shares?"
    word = data.period[1]
    method = (
        "Skill is 1 − log loss / log loss of a baseline: 0 knows no more than the baseline, 1 is "
        "certainty. The prior is the class shares of each model's training window; climatology is "
        "a logistic regression on seven numbers of the pair (volatility over four spans, hour, "
        "weekend), fitted on the candles of that window; a ledger does not hold it. Error: "
        "standard error. Noise: what the calibration error "
        "(ece, of the top probability) of a perfect forecast would be. Regime: thirds of P(move). "
        "Side: whether buy or sell was likelier. " + data.blocks_text
    )
    if not len(data.rows):
        return absent(key, title, "No trusted prediction has a known outcome yet.", method)
    over_time = _table(data, word, data.period_of(data.rows["date"]))
    pairs = data.rows["pair"].cat.remove_unused_categories()
    names = pd.Index([TOTAL], name="pair")
    all_rows = _measures(data, np.zeros(len(pairs), np.intp), names)
    by_pair = pd.concat([_table(data, "pair", pairs.astype(str)), all_rows], ignore_index=True)
    parts = _parts(data)
    poor = by_pair[by_pair["high"] < 0]["pair"].tolist()
    total, alone = total_skill(data), by_pair.iloc[:-1]
    beyond = float(all_rows["over climatology"].iloc[0])
    error = float(all_rows["climatology error"].iloc[0])
    known = f" ± {as_percent(error)}" if np.isfinite(error) else ""
    finding = (
        f"Skill is {as_percent(total.value[0])} ({as_range(total.low[0], total.high[0])}) over "
        f"the prior and {as_percent(beyond)}{known} over climatology; it was above 0 in "
        f"{int((over_time['skill'] > 0).sum())} of {counted(len(over_time), word)} and "
        f"{int((alone['skill'] > 0).sum())} of {counted(len(alone), 'pair')}"
        + (f", and surely below in {listed(poor)}." if poor else ".")
    )
    present = set(pairs.cat.categories)
    idle = [str(name) for name in data.rows["pair"].cat.categories if name not in present]
    if idle:
        finding += f" Without scored rows, or never moved: {listed(idle)}."
    tables = {f"Skill by {word}": over_time, BY_PAIR: by_pair, "Skill in parts": parts}
    return Section(key, title, finding, method, tables)


def _parts(data: PageData) -> pd.DataFrame:
    """By month, hour, regime of volatility and side."""
    dates = data.rows["date"]
    edges = np.quantile(data.move, [1 / 3, 2 / 3])
    side = data.proba[:, SignalClass.BUY] >= data.proba[:, SignalClass.SELL]
    groups = {
        "month": dates.dt.strftime("%Y-%m"),
        "hour": (dates.dt.hour // 4 * 4).map(lambda hour: f"{hour:02d}–{hour + 4:02d} h"),
        "regime": pd.Series(np.array(_REGIMES)[np.searchsorted(edges, data.move)]),
        "side": pd.Series(np.where(side, "long", "short")),
    }
    tables = [_table(data, "group", keys).assign(by=kind) for kind, keys in groups.items()]
    table = pd.concat(tables, ignore_index=True)
    return table[["by", *(name for name in table.columns if name != "by")]]


def _table(data: PageData, word: str, keys: "pd.Series[Any]") -> pd.DataFrame:
    place, names = pd.factorize(keys, sort=True)
    return _measures(data, place.astype(np.intp), pd.Index(names, name=word))


def _measures(data: PageData, place: NDArray[np.intp], names: "pd.Index[str]") -> pd.DataFrame:
    """Every measure of each group of rows, with its error."""
    count = len(names)
    prior = skill_of(data, data.losses[1], place, count)
    beyond = skill_of(data, data.baseline_losses, place, count)
    happened = np.eye(3)[data.labels.astype(np.intp)]
    square = data.blocks.sums(np.square(data.proba - happened).sum(axis=1), place, count)
    brier = data.blocks.ratio_of_sums(square, data.blocks.sums(np.ones(len(place)), place, count))
    top, hit = data.proba.max(axis=1), data.proba.argmax(axis=1) == data.labels
    found = []
    ranks = []
    for group in range(count):
        mine = place == group
        blocks = data.blocks if mine.all() else data.blocks_of(data.rows["date"][mine])
        found.append(calibration_error(top[mine], hit[mine], blocks)[:2])
        if names.name == "pair":  # Ranking sorts all rows: of pairs alone, which is what is shown.
            labels, proba = data.labels[mine], data.proba[mine]
            ranks.append((direction_auc(labels, proba), move_auc(labels, proba)))
    ece, noise = np.array(found).T
    columns = {
        "skill": prior.value, "error": prior.error, "low": prior.low, "high": prior.high,
        "over climatology": beyond.value, "climatology error": beyond.error,
        "ece": ece, "noise": noise, "brier": brier.value, "brier error": brier.error,
        **dict(zip(("direction auc", "move auc"), np.array(ranks).T, strict=False)),
        "rows": np.bincount(place, minlength=count),
    }  # fmt: skip
    return pd.DataFrame(columns, index=names).reset_index()
