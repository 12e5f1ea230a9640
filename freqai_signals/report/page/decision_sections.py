"""Confidence, expected return, costs and rules: what stands between a prediction and a signal."""

from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from freqai_signals.report.page.page_data import (
    Floats,
    PageData,
    as_basis_points,
    as_percent,
)
from freqai_signals.report.page.section import Section, absent
from freqai_signals.schema import Reason, SignalClass
from freqai_signals.signals.strength import Strength, strengths

ROUND_TRIPS: Final = {"spot taker": 0.002, "futures taker": 0.001, "maker": 0.0004}
"""Round-trip costs that are marked: usual fees of both sides on a large exchange, as fractions."""

COSTS: Final = tuple(round(0.0002 * step, 6) for step in range(16))
"""Round-trip costs that are tried, 0 to 0.3 %."""

_NO_ROWS: Final = "No trusted prediction has a known outcome yet."
_THRESHOLDS: Final = (0.0, 0.25, 0.5, 0.7, 0.8, 0.85, 0.9, 0.93, 0.95, 0.97, 0.98, 0.99, 0.995)


def _directions(data: PageData) -> tuple[NDArray[np.bool_], Floats]:
    """Whether the more probable of buy and sell came true, and its stated probability."""
    sell, buy = data.proba[:, SignalClass.SELL], data.proba[:, SignalClass.BUY]
    direction = np.where(buy >= sell, SignalClass.BUY, SignalClass.SELL)
    return data.labels == direction, np.maximum(sell, buy)


def tier_section(data: PageData) -> Section:
    """Section 6: right against stated by tier; precision and coverage by confidence."""
    key, title = "tiers", "Is more confidence more often right?"
    method = (
        "All trusted rows with a known outcome take part, whatever the rules said. Right: the more "
        "probable of buy and sell came true (a hold counts as wrong). Stated: its mean probability. "
        "Coverage: share of rows at or above a confidence. " + data.blocks_text
    )
    if not len(data.rows):
        return absent(key, title, _NO_ROWS, method)
    right, stated = _directions(data)
    confidence = data.rows["confidence"].to_numpy(np.float64)
    tier = strengths(confidence, data.settings.decision).astype(np.intp)
    tiers = _by_bin(data, tier, len(Strength), right, stated)
    tiers.insert(0, "tier", [level.name.lower() for level in Strength])
    emitted = data.signals["strength"].value_counts()
    tiers["signals"] = [int(emitted.get(int(level), 0)) if level else 0 for level in Strength]
    limits = sorted({*_THRESHOLDS, *_marks(data).values()})
    curve = []
    for limit in limits:
        mine = confidence >= limit
        found = data.blocks.ratio(right & mine, mine)
        curve.append(
            {
                "confidence": limit,
                "coverage": float(mine.mean()),
                "right": found.value[0],
                "low": found.low[0],
                "high": found.high[0],
                "rows": int(mine.sum()),
            }
        )
    top = tiers[tiers["rows"] > 0].iloc[-1]
    base = float(right.mean())
    finding = (
        f"The {top['tier']} tier was right in {as_percent(top['right'])} and stated "
        f"{as_percent(top['stated'])}; all rows together were right in {as_percent(base)}. It covers "
        f"{as_percent(top['rows'] / len(right), 2)} of rows."
    )
    tables = {
        "Tiers": tiers,
        "Precision and coverage by confidence": pd.DataFrame(curve),
        "Thresholds": pd.DataFrame(_marks(data).items(), columns=["tier", "confidence"]),
    }
    return Section(key, title, finding, method, tables)


def _marks(data: PageData) -> dict[str, float]:
    decision = data.settings.decision
    return {"weak": decision.weak, "medium": decision.medium, "strong": decision.strong}


def _by_bin(
    data: PageData, place: NDArray[np.intp], k: int, right: NDArray[np.bool_], stated: Floats
) -> pd.DataFrame:
    count = data.blocks.sums(np.ones(len(place)), place, k)
    found = data.blocks.ratio_of_sums(data.blocks.sums(right, place, k), count)
    rows = count.sum(axis=0)
    mean = np.bincount(place, weights=stated, minlength=k) / np.where(rows > 0, rows, np.nan)
    return pd.DataFrame(
        {
            "right": found.value,
            "low": found.low,
            "high": found.high,
            "stated": mean,
            "rows": rows.astype(np.int64),
        }
    )


def return_section(data: PageData, bins: int = 10) -> Section:
    """Section 7: predicted and realised return after costs."""
    key, title = "returns", "Did trades earn what was predicted?"
    method = (
        "Every trusted buy and sell prediction, in bins of equal size by expected_return: the mean "
        "predicted return after costs and what acting on it until the label's event ended earned. "
        "Signals are those that the rules let through. " + data.blocks_text
    )
    acted = (data.rows["predicted"] != SignalClass.HOLD).to_numpy()
    if not acted.any():
        return absent(key, title, "No buy or sell was predicted on a scored row.", method)
    tables = {"All buy and sell predictions": return_table(data, data.rows[acted], bins)}
    table = tables["All buy and sell predictions"]
    if len(data.signals):
        few = max(min(bins, len(data.signals) // 30), 1)
        tables["Emitted signals"] = return_table(data, data.signals, few)
    slope = _slope(table["predicted"].to_numpy(), table["realised"].to_numpy())
    best = table.iloc[-1]
    finding = (
        f"The tenth with the highest prediction was expected to earn "
        f"{as_basis_points(best['predicted'])} after costs and earned "
        f"{as_basis_points(best['realised'], best['error'])}"
    )
    finding += (
        f"; 1 bp more predicted came with {slope:.1f} bp more realised (1 is right)."
        if np.isfinite(slope)
        else "."
    )
    return Section(key, title, finding, method, tables)


def return_table(data: PageData, rows: pd.DataFrame, bins: int) -> pd.DataFrame:
    """Predicted and realised return by quantiles of the prediction, with block errors."""
    ranks = rows["expected_return"].rank(method="average", pct=True).to_numpy()
    place = np.clip(np.ceil((ranks * bins).round(9)).astype(np.intp) - 1, 0, bins - 1)
    blocks = data.blocks_of(rows["date"])
    count = blocks.sums(np.ones(len(rows)), place, bins)
    net = rows["net_return"].to_numpy(np.float64)
    found = blocks.ratio_of_sums(blocks.sums(net, place, bins), count)
    number = count.sum(axis=0)
    predicted = np.bincount(place, rows["expected_return"].to_numpy(np.float64), bins)
    table = pd.DataFrame(
        {
            "predicted": predicted / np.maximum(number, 1),
            "realised": found.value,
            "error": found.error,
            "low": found.low,
            "high": found.high,
            "rows": number.astype(np.int64),
        }
    )
    return table[table["rows"] > 0].reset_index(drop=True)


def _slope(x: Floats, y: Floats) -> float:
    return float(np.polyfit(x, y, 1)[0]) if len(x) > 2 and np.ptp(x) > 0 else float("nan")


def fee_section(data: PageData) -> Section:
    """Section 8: trades left and net per trade against round-trip cost."""
    key, title = "fees", "At which cost does it pay?"
    method = (
        "For each round-trip cost, predictions with enough confidence whose expected return after "
        "that cost exceeds the margin; after one, the pair waits for the label's horizon. Net is "
        "the mean of what they earned after that cost. The cost changes only who is let through: "
        "labels and models are those of the run. Marked: spot taker 0.2 %, futures taker 0.1 %, "
        "maker 0.04 %, and this run's own. " + data.blocks_text
    )
    candidates = _candidates(data)
    if not len(candidates):
        return absent(
            key, title, "No buy or sell prediction was confident enough to be a trade.", method
        )
    costs = sorted({*COSTS, *ROUND_TRIPS.values(), round(data.cost, 6)})
    table = pd.DataFrame([_at_cost(data, candidates, cost) for cost in costs])
    here = table.iloc[(table["cost"] - data.cost).abs().argmin()]
    paying = table[(table["low"] > 0) & (table["trades"] > 0)]
    finding = (
        f"At this run's {as_percent(data.cost, 2)} a round trip, {here['trades']:,.0f} trades are "
        f"left, with {as_basis_points(here['net'], here['error'])} each after costs. "
        if here["trades"]
        else f"At this run's {as_percent(data.cost, 2)} a round trip no trade is left. "
    )
    finding += (
        f"A gain that chance does not explain is seen up to {as_percent(paying['cost'].max(), 2)}."
        if len(paying)
        else "At no cost tried is there a gain that chance does not explain."
    )
    marks = pd.DataFrame(
        [{"who": name, "cost": cost} for name, cost in ROUND_TRIPS.items()]
        + [{"who": "this run", "cost": data.cost}]
    )
    return Section(key, title, finding, method, {"By round-trip cost": table, "Marks": marks})


def _candidates(data: PageData) -> pd.DataFrame:
    """Confident buy and sell predictions: gross return expected and earned, oldest first."""
    rows = data.rows
    side = rows["predicted"].to_numpy(np.int64) - int(SignalClass.HOLD)
    sure = rows["confidence"].to_numpy(np.float64) >= data.settings.decision.lowest_confidence
    mine = (side != 0) & sure
    frame = pd.DataFrame(
        {
            "pair": rows["pair"].cat.codes,
            "date": rows["date"],
            "expected": rows["expected_return"] + data.cost,
            "gross": side * rows["gross_return"].to_numpy(np.float64),
        }
    )
    return frame[mine].sort_values(["pair", "date"], kind="stable").reset_index(drop=True)


def _at_cost(data: PageData, candidates: pd.DataFrame, cost: float) -> dict[str, Any]:
    margin = data.settings.decision.expected_value_margin
    passed = candidates[candidates["expected"] - cost > margin]
    seconds = data.settings.label_horizon_candles * data.settings.candle_seconds
    trades = passed.iloc[apart(passed["pair"].to_numpy(), passed["date"], seconds)]
    row: dict[str, Any] = {"cost": cost, "trades": len(trades)}
    if not len(trades):
        nothing = float("nan")
        return row | {"net": nothing, "error": nothing, "low": nothing, "high": nothing}
    found = data.blocks_of(trades["date"]).ratio(trades["gross"] - cost, np.ones(len(trades)))
    return row | {
        "net": found.value[0],
        "error": found.error[0],
        "low": found.low[0],
        "high": found.high[0],
    }


def apart(
    pair: NDArray[np.int64], dates: "pd.Series[pd.Timestamp]", seconds: int
) -> NDArray[np.intp]:
    """Places of rows that lie at least ``seconds`` after the one kept before in their pair.

    Parameters
    ----------
    pair
        Shape ``(n,)``, ascending.
    dates
        Ascending within a pair.

    Examples
    --------
    >>> dates = pd.Series(pd.date_range("2024-01-01", periods=4, freq="1h", tz="UTC"))
    >>> apart(np.zeros(4, dtype=np.int64), dates, 7200)
    array([0, 2])
    """
    stamps = pd.DatetimeIndex(dates).as_unit("s").asi8
    # One rising scale for all pairs, so that a single search finds the next row.
    width = int(np.ptp(stamps)) + seconds + 1 if len(stamps) else 1
    scale = stamps - (stamps.min() if len(stamps) else 0) + pair.astype(np.int64) * width
    after = np.searchsorted(scale, scale + seconds, side="left")
    kept, place = [], 0
    while place < len(scale):
        kept.append(place)
        place = int(after[place])
    return np.array(kept, dtype=np.intp)


def rule_section(data: PageData) -> Section:
    """Section 9: how many predictions each rule removed."""
    key, title = "rules", "What did each rule remove?"
    method = (
        "Buy and sell predictions in the order in which rules are asked; a row counts for the first "
        "rule that refused it. Untrusted rows were no prediction at all. Left: predictions that "
        "had passed this rule and all before it. Emitted signals are not yet trades: freqtrade also "
        "asks for a free slot and no open trade in the pair."
    )
    predictions = data.frames.predictions
    reasons = predictions["reason"].astype(str).value_counts()
    emitted = int((predictions["strength"] > 0).sum())
    codes = [code for code in Reason if code not in (Reason.NONE, Reason.UNSURE_HOLD)]
    codes += [code for code in reasons.index if code not in set(Reason)]
    removed = {str(code): int(reasons.get(str(code), 0)) for code in codes}
    asked = sum(removed.values()) + emitted
    if not asked:
        return absent(key, title, "No row was a buy or sell prediction.", method)
    rows, left = [], asked
    for name, count in removed.items():
        left -= count
        if count:
            rows.append({"rule": name, "removed": count, "left": left, "share": count / asked})
    rows.append({"rule": "emitted", "removed": 0, "left": emitted, "share": emitted / asked})
    table = pd.DataFrame(rows)
    finding = f"Of {asked:,} predictions {emitted:,} ({as_percent(emitted / asked)}) became signals"
    if len(table) > 1:
        most = table.iloc[:-1].sort_values("removed").iloc[-1]
        finding += f"; most fell to {most['rule']} ({as_percent(most['share'])})."
    else:
        finding += "; no rule refused any."
    return Section(key, title, finding, method, {"Rules": table})
