"""Confidence, expected return and rules: what stands between a prediction and a signal."""

from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from freqai_signals.report.page.page_data import (
    Floats,
    PageData,
    as_basis_points,
    as_percent,
    counted,
)
from freqai_signals.report.page.parts.page_section import Section, absent
from freqai_signals.schema import Reason, SignalClass
from freqai_signals.signals.strength import Strength, strengths

BY_PAIR: Final = "Signals by pair"
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
        "All trusted rows with a known outcome take part, whatever the rules decided. Right: the "
        "more probable of buy and sell came true (a hold counts as wrong). Stated: its mean "
        "probability. Direction: the same among rows that moved. Error: standard error. "
        "Coverage: share of rows at or above a confidence. " + data.blocks_text
    )
    if not len(data.rows):
        return absent(key, title, _NO_ROWS, method)
    right, stated = _directions(data)
    confidence = data.rows["confidence"].to_numpy(np.float64)
    tier = strengths(confidence, data.settings.decision).astype(np.intp)
    tiers = _by_bin(data, tier, right, stated)
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
        f"{as_percent(top['stated'])}; all rows together were right in {as_percent(base)}. "
        "It covers "
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
    data: PageData, tier: NDArray[np.intp], right: NDArray[np.bool_], stated: Floats
) -> pd.DataFrame:
    """Right against stated in each tier: of all rows, and of the direction of those that moved."""
    k = len(Strength)
    moved = data.labels != SignalClass.HOLD
    share = stated / np.maximum(data.move, 1e-12)
    count, moves = (data.blocks.sums(part, tier, k) for part in (np.ones(len(tier)), moved))
    sums = data.blocks.sums(right, tier, k)
    found, direction = (data.blocks.ratio_of_sums(sums, part) for part in (count, moves))
    rows, moved_rows = count.sum(axis=0), moves.sum(axis=0)
    stated_sum = np.bincount(tier, weights=stated, minlength=k)
    share_sum = np.bincount(tier, weights=share * moved, minlength=k)
    return pd.DataFrame(
        {
            "right": found.value,
            "error": found.error,
            "low": found.low,
            "high": found.high,
            "stated": stated_sum / np.where(rows > 0, rows, np.nan),
            "direction right": direction.value,
            "direction error": direction.error,
            "direction stated": share_sum / np.where(moved_rows > 0, moved_rows, np.nan),
            "rows": rows.astype(np.int64),
            "moved": moved_rows.astype(np.int64),
        }
    )


def return_section(data: PageData, bins: int = 10) -> Section:
    """Section 7: predicted and realised return after costs."""
    key, title = "returns", "Did trades earn what was predicted?"
    method = (
        "Every trusted buy and sell prediction, in bins of equal size by expected_return: the mean "
        "predicted return after costs and what the strategy's trade on it earned. "
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
        f"Of {counted(len(table), 'bin')}, that with the highest prediction was expected to earn "
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


def rule_section(data: PageData) -> Section:
    """Section 9: how many predictions each rule removed."""
    key, title = "rules", "What did each rule remove?"
    method = (
        "Buy and sell predictions in the order in which rules are asked; a row counts for "
        "the first "
        "rule that refused it. Untrusted rows were no prediction at all. Left: predictions that "
        "had passed this rule and all before it. Emitted signals are not yet trades: "
        "freqtrade also "
        "asks for a free slot and no open trade in the pair."
    )
    predictions = data.frames.predictions.query("trusted")
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
    return Section(key, title, finding, method, {"Rules": table, BY_PAIR: _signals(data)})


def _signals(data: PageData) -> pd.DataFrame:
    """Emitted signals by pair and strength, and the last of each; a hold has no strength."""
    found = []
    for pair, part in data.frames.signals.groupby("pair", observed=False, sort=False):
        counts = part["strength"].value_counts()
        last = part.sort_values("date").iloc[-1] if len(part) else None
        found.append(
            {
                "pair": str(pair),
                "signals": len(part),
                **{level.name.lower(): int(counts.get(int(level), 0)) for level in Strength},
                "last (UTC)": pd.NaT if last is None else last["date"],
                "last signal": "" if last is None else str(last["signal"]),
                "last confidence": float("nan") if last is None else float(last["confidence"]),
            }
        )
    return pd.DataFrame(found).rename(columns={"none": "hold"})
