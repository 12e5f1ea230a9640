"""How many trades are left, and what they earn, at each round-trip cost."""

from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from freqai_signals.report.page.page_data import PageData, as_basis_points, as_percent, counted
from freqai_signals.report.page.parts.page_section import Section, absent
from freqai_signals.schema import SignalClass

ROUND_TRIPS: Final = {"spot taker": 0.002, "futures taker": 0.001, "maker": 0.0004}
"""Round-trip costs that are marked: usual fees of both sides on a large exchange, as fractions."""

COSTS: Final = tuple(round(0.0002 * step, 6) for step in range(16))
"""Round-trip costs that are tried, 0 to 0.3 %."""


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
    # Rounded, so that a usual cost of the run is not there twice.
    costs = sorted({*COSTS, *ROUND_TRIPS.values(), round(data.cost, 6)})
    table = pd.DataFrame([_at_cost(data, candidates, cost) for cost in costs])
    here = table.iloc[(table["cost"] - data.cost).abs().argmin()]
    paying = table[(table["low"] > 0) & (table["trades"] > 0)]
    finding = f"At this run's {as_percent(data.cost, 2)} a round trip "
    finding += (
        f"{counted(int(here['trades']), 'trade')} would be left, with "
        f"{as_basis_points(here['net'], here['error'])} each after costs. "
        if here["trades"]
        else "no trade would be left. "
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
    """Confident buy and sell predictions: what their trades were to return before costs, and did.

    Oldest first in each pair.
    """
    rows = data.rows
    # -1 for a sell, 1 for a buy.
    side = rows["predicted"].to_numpy(np.int64) - int(SignalClass.HOLD)
    sure = rows["confidence"].to_numpy(np.float64) >= data.settings.decision.lowest_confidence
    mine = (side != 0) & sure
    frame = pd.DataFrame(
        {
            "pair": rows["pair"].cat.codes,
            "date": rows["date"],
            # Of the trade before costs: each row's own are already taken off.
            "expected": rows["expected_return"] + rows["cost"],
            "gross": rows["net_return"] + rows["cost"],
        }
    )
    chosen: pd.DataFrame = frame[mine]
    # The order that ``apart`` relies on.
    return chosen.sort_values(["pair", "date"], kind="stable", ignore_index=True)


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
