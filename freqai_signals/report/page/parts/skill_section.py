"""Do the probabilities know more than class shares, over time and in each pair."""

from typing import Final

import numpy as np
import pandas as pd

from freqai_signals.metrics import Probabilities, log_losses
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
from freqai_signals.schema import CLASS_COUNT

_PRIOR_ROWS: Final = 200.0
"""Rows that the training window's class shares weigh in the climatology."""


def climatology(data: PageData) -> Probabilities:
    """Class shares of the pair at this hour of the day on earlier days, shape ``(n, 3)``.

    What someone who only keeps a tally would have stated. The class shares of the training window
    weigh like :data:`_PRIOR_ROWS` rows. Row *t* uses outcomes of days that ended at least one
    label horizon before its own day began.
    """
    rows = data.rows
    day = (pd.DatetimeIndex(rows["date"]).as_unit("s").asi8 // 86_400).astype(np.int64)
    day -= day.min()
    cell = rows["pair"].cat.codes.to_numpy(np.int64) * 24 + rows["date"].dt.hour.to_numpy()
    width = int(cell.max()) + 1
    counts = np.zeros((int(day.max()) + 1, width, CLASS_COUNT))
    # Unlike +=, add.at counts every repetition of an index.
    np.add.at(counts, (day, cell, data.labels.astype(np.intp)), 1.0)
    known = np.zeros_like(counts)
    delay = 1 + data.block_days
    known[delay:] = counts.cumsum(axis=0)[:-delay]
    past = known[day, cell] + _PRIOR_ROWS * data.prior
    return np.asarray(past / past.sum(axis=1, keepdims=True))


def skill_of(data: PageData, baseline: Floats, bins: "pd.Series[int]", count: int) -> Interval:
    """Skill against a baseline's losses, by bin of rows; 0 equals it, 1 is certainty."""
    place = bins.to_numpy(np.intp)
    loss = data.blocks.sums(data.losses[0], place, count)
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
        "the pair's class shares at this hour of the day on earlier days of this span (known "
        f"before the day began, {_PRIOR_ROWS:.0f} rows of prior). " + data.blocks_text
    )
    if not len(data.rows):
        return absent(key, title, "No trusted prediction has a known outcome yet.", method)
    prior = data.losses[1]
    tally = log_losses(data.labels, climatology(data))
    period = data.period_of(data.rows["date"])
    codes, starts = pd.factorize(period, sort=True)
    by_time = _table(data, pd.Series(codes), pd.Index(starts, name=word), prior)
    over = skill_of(data, tally, pd.Series(codes), len(starts))
    by_time["over climatology"] = over.value
    pairs = data.rows["pair"].cat
    # A category without rows would be a pair without skill.
    present = data.rows["pair"].cat.remove_unused_categories().cat
    names = pd.Index(present.categories.astype(str), name="pair")
    by_pair = _table(data, present.codes, names, prior)
    by_pair["over climatology"] = skill_of(data, tally, present.codes, len(names)).value
    total = total_skill(data)
    beyond = data.blocks.ratio(tally - data.losses[0], tally)
    poor = by_pair[by_pair["high"] < 0]["pair"].tolist()
    finding = (
        f"Skill is {as_percent(total.value[0])} ({as_range(total.low[0], total.high[0])}) over "
        f"the prior and {as_percent(beyond.value[0])} over climatology; it was above 0 in "
        f"{int((by_time['skill'] > 0).sum())} of {counted(len(by_time), word)} and "
        f"{int((by_pair['skill'] > 0).sum())} of {counted(len(by_pair), 'pair')}"
        + (f", and surely below in {listed(poor)}." if poor else ".")
    )
    idle = [str(name) for name in pairs.categories if name not in set(present.categories)]
    if idle:
        finding += f" Without scored rows, or never moved: {listed(idle)}."
    return Section(
        key, title, finding, method, {f"Skill by {word}": by_time, "Skill by pair": by_pair}
    )


def _table(
    data: PageData, place: "pd.Series[int]", names: "pd.Index[str]", baseline: Floats
) -> pd.DataFrame:
    found = skill_of(data, baseline, place, len(names))
    rows = np.bincount(place.to_numpy(np.intp), minlength=len(names))
    columns = {"skill": found.value, "low": found.low, "high": found.high, "rows": rows}
    return pd.DataFrame(columns, index=names).reset_index()
