"""Do stated probabilities come true: of the classes, of direction, of a move at all."""

from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from freqai_signals.metrics import direction_auc, move_auc
from freqai_signals.report.page.day_blocks import FEWEST_BLOCKS, DayBlocks
from freqai_signals.report.page.page_data import (
    Floats,
    PageData,
    against_noise,
    as_percent,
    counted,
)
from freqai_signals.report.page.parts.page_section import Section, absent
from freqai_signals.schema import SignalClass

BINS: Final = 20
"""Equal-width bins of stated probability."""

_FEWEST_ROWS: Final = 20
_NO_ROWS: Final = "No trusted prediction has a known outcome yet."
_HOW: Final = (
    f"Rows are put into {BINS} bins of equal width by stated probability; a bin shows its mean "
    f"stated probability and the share in which it came true. Bins with fewer than {_FEWEST_ROWS} "
    "rows are left out. "
)


def reliability_table(
    stated: Floats, happened: NDArray[np.bool_], blocks: DayBlocks
) -> pd.DataFrame:
    """How often what was stated came true, by bin of the stated probability.

    Parameters
    ----------
    stated
        Shape ``(n,)``, probabilities.
    happened
        Shape ``(n,)``.
    blocks
        Of the same rows.

    Returns
    -------
    pandas.DataFrame
        ``stated`` and ``happened`` (means), ``low`` and ``high`` of the latter, ``rows``.
    """
    # A probability of 1 belongs to the last bin.
    place = np.minimum((stated * BINS).astype(np.intp), BINS - 1)
    count = blocks.sums(np.ones(len(stated)), place, BINS)
    found = blocks.ratio_of_sums(blocks.sums(happened, place, BINS), count)
    rows = count.sum(axis=0)
    total = np.bincount(place, weights=stated, minlength=BINS)
    table = pd.DataFrame(
        {
            "stated": total / np.maximum(rows, 1),
            "happened": found.value,
            "low": found.low,
            "high": found.high,
            "rows": rows.astype(np.int64),
        }
    )
    return table[table["rows"] >= _FEWEST_ROWS].reset_index(drop=True)


def calibration_error(
    stated: Floats, happened: NDArray[np.bool_], blocks: DayBlocks
) -> tuple[float, float, float]:
    """Expected calibration error, what noise alone gives, and how often noise gives as much.

    The second is the mean error of resampled days whose own gaps were taken out first: the floor
    below which no forecast gets with so few independent days. NaN with too few days.
    """
    place = np.minimum((stated * BINS).astype(np.intp), BINS - 1)
    gaps = blocks.sums(happened - stated, place, BINS)
    error = float(np.abs(gaps.sum(axis=0)).sum() / max(len(stated), 1))
    if blocks.count < FEWEST_BLOCKS:
        return error, float("nan"), float("nan")
    drawn = blocks.resampled(gaps) - gaps.sum(axis=0)
    noise = np.abs(drawn).sum(axis=1) / len(stated)
    return error, float(noise.mean()), float((noise >= error).mean())


def class_reliability(data: PageData, raw: NDArray[np.float64] | None) -> Section:
    """Section 3: sell, hold and buy, calibrated and raw."""
    key, title = "reliability", "Do stated probabilities come true?"
    method = (
        _HOW + data.blocks_text + " Raw probabilities are recovered from the calibrated ones by "
        "undoing the calibration that each model carries; they are missing where the model is no "
        "longer stored or its calibration cannot be undone."
    )
    if not len(data.rows):
        return absent(key, title, _NO_ROWS, method)
    parts, errors = [], []
    for kind in SignalClass:
        happened = data.labels == kind
        for name, proba in (("calibrated", data.proba), ("raw", raw)):
            if proba is None:
                continue
            known = np.isfinite(proba[:, kind])
            blocks = data.blocks if known.all() else data.blocks_of(data.rows["date"][known])
            stated, came = proba[known, kind], happened[known]
            table = reliability_table(stated, came, blocks)
            parts.append(table.assign(**{"class": kind.name.lower(), "probability": name}))
            error, noise, _ = calibration_error(stated, came, blocks)
            errors.append(
                {"class": kind.name.lower(), "probability": name, "gap": error, "noise": noise}
            )
    summary = pd.DataFrame(errors)
    mine = summary[summary["probability"] == "calibrated"].sort_values("gap")
    worst = mine.iloc[-1]
    finding = (
        f"Stated probabilities miss what happened by {as_percent(mine['gap'].mean())} on average; "
        f"{worst['class']} is the furthest off with {as_percent(worst['gap'])} "
        f"({against_noise(worst['noise'])})."
    )
    if raw is None:
        finding += " Raw probabilities cannot be recovered from this record."
    else:
        before = summary[summary["probability"] == "raw"]["gap"].mean()
        finding += f" Before calibration it was {as_percent(before)}."
        if np.allclose(raw, data.proba, atol=1e-3, equal_nan=True):
            finding += " Calibration changed nothing: both lines are one."
    columns = ["class", "probability", "stated", "happened", "low", "high", "rows"]
    tables = {"Reliability of classes": pd.concat(parts)[columns], "Calibration error": summary}
    return Section(key, title, finding, method, tables)


def direction_reliability(data: PageData) -> Section:
    """Section 4: buy against sell among rows that moved."""
    key, title = "direction", "Does the direction hold, given a move?"
    method = (
        "Only rows whose outcome was a sell or a buy; stated is P(buy) / (P(buy) + P(sell)). "
        + _HOW
        + data.blocks_text
    )
    moved = data.labels != SignalClass.HOLD
    if not moved.any():
        return absent(key, title, "No scored row moved." if len(moved) else _NO_ROWS, method)
    buy = data.proba[moved, SignalClass.BUY]
    stated = buy / np.maximum(buy + data.proba[moved, SignalClass.SELL], 1e-12)
    happened = data.labels[moved] == SignalClass.BUY
    blocks = data.blocks_of(data.rows["date"][moved])
    table = reliability_table(stated, happened, blocks)
    sure = np.maximum(stated, 1.0 - stated)
    error, noise, _ = calibration_error(stated, happened, blocks)
    auc = direction_auc(data.labels, data.proba)
    ranked = f" (AUC {auc:.3f}, 0.5 is a coin flip)" if np.isfinite(auc) else ""
    right = float(((stated >= 0.5) == happened).mean())
    finding = (
        f"Of {counted(int(moved.sum()), 'row')} that moved, the more probable direction was right "
        f"in {as_percent(right)}, stated {as_percent(float(sure.mean()))}{ranked}; stated and true "
        f"differ by {as_percent(error)} ({against_noise(noise)})."
    )
    return Section(key, title, finding, method, {"Reliability of direction": table})


def move_section(data: PageData) -> Section:
    """Section 10: are calm and lively candles distinguished, by hour."""
    key, title = "move", "Are calm and lively candles distinguished?"
    method = (
        "P(move) is 1 − P(hold). AUC is the chance that a row that moved was given a "
        "higher P(move) "
        "than one that did not; by hour of the day (UTC), so that knowing the hour does not help. "
        + _HOW
        + data.blocks_text
    )
    if not len(data.rows):
        return absent(key, title, _NO_ROWS, method)
    moved = data.labels != SignalClass.HOLD
    hour = data.rows["date"].dt.hour.to_numpy()
    hours = [
        {
            "hour": value,
            "stated": float(data.move[mine].mean()),
            "happened": float(moved[mine].mean()),
            "auc": move_auc(data.labels[mine], data.proba[mine]),
            "rows": int(mine.sum()),
        }
        for value, mine in ((value, hour == value) for value in np.unique(hour))
    ]
    table = pd.DataFrame(hours)
    auc = move_auc(data.labels, data.proba)
    if not np.isfinite(auc):
        finding = "Every scored row had the same outcome here: there is nothing to distinguish."
    else:
        finding = (
            f"P(move) ranks a lively candle above a calm one in {as_percent(auc)} of cases "
            "(50 % is "
            f"chance); within one hour of the day in {as_percent(float(table['auc'].mean()))}. "
            f"{as_percent(float(moved.mean()))} of rows moved, "
            f"{as_percent(float(data.move.mean()))} were expected to."
        )
    tables = {
        "By hour (UTC)": table,
        "Reliability of P(move)": reliability_table(data.move, moved, data.blocks),
        "Share that moved by hour and stated P(move)": _move_map(data, moved, hour),
    }
    return Section(key, title, finding, method, tables)


def _move_map(data: PageData, moved: NDArray[np.bool_], hour: NDArray[np.int32]) -> pd.DataFrame:
    """Share that moved, a row per tenth of stated P(move), a column per hour."""
    place = np.minimum((data.move * 10).astype(np.intp), 9)
    frame = pd.DataFrame({"place": place, "hour": hour, "moved": moved})
    grouped = frame.groupby(["place", "hour"])["moved"].agg(["mean", "size"])
    share = grouped["mean"].where(grouped["size"] >= _FEWEST_ROWS).unstack("hour")
    share.index = pd.Index([f"{i * 10}–{i * 10 + 10} %" for i in share.index], name="P(move)")
    share.columns = [f"{hour:02d}" for hour in share.columns]
    return share.dropna(how="all").reset_index()


def class_section(data: PageData) -> Section:
    """Section 11: confusion matrix, and shares of the classes by window."""
    key, title = "classes", "Which classes were predicted, which came true?"
    word = data.period[1]
    method = (
        "The predicted class is the most probable one. A row of the matrix sums to 100 %. "
        f"Shares by {word}: how often each class came true, and the mean probability it was given."
    )
    if not len(data.rows):
        return absent(key, title, _NO_ROWS, method)
    predicted = data.rows["predicted"].to_numpy(np.int64)
    counts = np.zeros((3, 3))
    # Unlike +=, add.at counts every repetition of an index.
    np.add.at(counts, (data.labels.astype(np.intp), predicted), 1.0)
    names = [kind.name.lower() for kind in SignalClass]
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1.0)
    matrix = pd.DataFrame(shares, columns=[f"predicted {name}" for name in names])
    matrix.insert(0, "happened as", names)
    matrix["rows"] = counts.sum(axis=1).astype(np.int64)
    frame = pd.DataFrame({word: data.period_of(data.rows["date"])})
    for kind, name in zip(SignalClass, names, strict=True):
        frame[f"{name} happened"] = data.labels == kind
        frame[f"{name} stated"] = data.proba[:, kind]
    by_period = frame.groupby(word).mean().reset_index()
    right = float((predicted == data.labels).mean())
    usual = float(counts.sum(axis=1).max() / counts.sum())
    finding = (
        f"The predicted class came true in {as_percent(right)} of rows; always naming the most "
        f"frequent outcome ({names[int(counts.sum(axis=1).argmax())]}) would have been right in "
        f"{as_percent(usual)}."
    )
    tables = {"Confusion matrix": matrix, f"Class shares by {word}": by_period}
    return Section(key, title, finding, method, tables)
