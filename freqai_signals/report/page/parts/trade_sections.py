"""What freqtrade's trades earned, and how much of it may be luck."""

import math
from typing import Any, Final

import numpy as np
import pandas as pd

from freqai_signals.report.page.page_data import PageData, as_basis_points, as_percent, counted
from freqai_signals.report.page.parts.page_section import Section, absent
from freqai_signals.report.sharpe import (
    Moments,
    backtest_overfitting,
    deflated_sharpe,
    minimum_track_record,
    moments,
    probabilistic_sharpe,
)
from freqai_signals.report.trade_returns import Search, daily_returns
from freqai_signals.schema import SignalClass

_NO_TRADES: Final = (
    "freqtrade's result of this run is not at hand, or it closed no trade: nothing to draw."
)
_NOT_LIVE: Final = (
    "The ledger does not hold freqtrade's trades: give --config with the bot's db_url, where "
    "freqtrade keeps them."
)
_LIMITS: Final = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.925, 0.95, 0.96, 0.97, 0.98, 0.99)
_BLOCKS: Final = 10
_DAYS_A_YEAR: Final = 365


def trade_section(data: PageData) -> Section:
    """Section 12: equity, drawdown, and where it came from."""
    key, title = "trades", "What did the trades earn?"
    method = (
        "freqtrade's closed trades after fees, counted on the day of their close; the "
        "wallet starts "
        "at freqtrade's starting balance. Buy and hold is the mean of all pairs, without fees. "
        "Lively: P(move) at entry above the median of all scored rows. "
        f"{data.blocks_text} A backtest fills at the candle's price: slippage is not in it."
    )
    trades = data.frames.trades
    if not len(trades):
        why = _NOT_LIVE if data.frames.facts.get("source") == "ledger" else _NO_TRADES
        return absent(key, title, data.frames.facts.get("no_trades", why), method)
    equity = equity_table(data)
    rows = trades.assign(
        strength=trades["enter_tag"].str.extract(r"_(weak|medium|strong)", expand=False),
        side=np.where(trades["is_short"], "short", "long"),
        hour=(trades["open_date"].dt.hour // 4 * 4).map(lambda h: f"{h:02d}–{h + 4:02d} h"),
        regime=_regime(data, trades),
    )
    kinds = {
        "strength": "strength", "exit": "exit_reason", "hour": "hour", "regime": "regime",
        "side": "side",
    }  # fmt: skip
    parts = [_group(data, rows, kind, column) for kind, column in kinds.items()]
    total = data.blocks_of(trades["close_date"]).ratio(trades["net_return"], np.ones(len(trades)))
    last = equity.iloc[-1]
    held = float(last["buy and hold"])
    market = f", buy and hold at {held * 100:+.1f} %" if math.isfinite(held) else ""
    finding = (
        f"{counted(len(trades), 'trade')} earned "
        f"{as_basis_points(total.value[0], total.error[0])} each after fees; the wallet ended at "
        f"{last['wallet'] * 100:+.1f} %{market}, and was at worst "
        f"{as_percent(-equity['under water'].min())} below its high."
    )
    tables = {
        "Equity": _thinned(equity),
        "Where it came from": pd.concat(parts, ignore_index=True),
        "By month": _months(equity),
    }
    return Section(key, title, finding, method, tables)


def equity_table(data: PageData) -> pd.DataFrame:
    """A row per day: ``wallet``, ``buy and hold`` and ``under water``, fractions; NaN unknown."""
    returns, days = _daily(data)
    wallet = np.cumprod(1.0 + returns)
    # The start is a high too, or a first losing day would not count as under water.
    high = np.maximum(np.maximum.accumulate(wallet), 1.0)
    market = data.frames.market.set_index("date")["buy_and_hold"].reindex(days).ffill()
    return pd.DataFrame(
        {
            "date": days,
            "wallet": wallet - 1.0,
            "buy and hold": market.to_numpy(np.float64),
            "under water": wallet / high - 1.0,
        }
    )


def _daily(data: PageData) -> tuple["np.ndarray[Any, np.dtype[np.float64]]", pd.DatetimeIndex]:
    trades, dates = data.frames.trades, data.frames.predictions["date"]
    first = min(dates.min(), trades["close_date"].min())
    last = max(dates.max(), trades["close_date"].max())
    # Without freqtrade's starting balance the largest stake stands for the wallet.
    balance = data.frames.facts.get("balance") or float(trades["stake"].max())
    search = Search(1, first, last, float(balance))
    days = pd.date_range(first.floor("D"), last.floor("D"), freq="D")
    return daily_returns(trades["close_date"], trades["profit"], search), days


def _thinned(equity: pd.DataFrame, most: int = 400) -> pd.DataFrame:
    step = max(math.ceil(len(equity) / most), 1)
    # Counted from the end, so that the last day stays.
    return equity.iloc[::-step].iloc[::-1].reset_index(drop=True)


def _regime(data: PageData, trades: pd.DataFrame) -> "pd.Series[str]":
    """Whether the last scored candle of the pair before each entry was lively or calm."""
    rows = data.rows[["pair", "date"]].assign(move=data.move)
    median = float(np.median(data.move)) if len(rows) else float("nan")
    left = trades[["pair", "open_date"]].reset_index().sort_values("open_date")
    right = rows.assign(pair=rows["pair"].astype(str)).sort_values("date")
    # pandas 3 refuses to merge dates of different units.
    left["open_date"] = left["open_date"].dt.as_unit("ns")
    right["date"] = right["date"].dt.as_unit("ns")
    # A trade opens with the candle after the one that decided it, which may not be looked at.
    found = pd.merge_asof(
        left, right, left_on="open_date", right_on="date", by="pair", allow_exact_matches=False
    ).set_index("index")["move"]
    words = ["unknown" if np.isnan(x) else "lively" if x > median else "calm" for x in found]
    return pd.Series(words, index=found.index, dtype=object).reindex(trades.index)


def _group(data: PageData, rows: pd.DataFrame, kind: str, column: str) -> pd.DataFrame:
    found = []
    for name, part in rows.groupby(column, sort=True):
        mean = data.blocks_of(part["close_date"]).ratio(part["net_return"], np.ones(len(part)))
        found.append(
            {
                "by": kind,
                "group": str(name),
                "trades": len(part),
                "net": mean.value[0],
                "error": mean.error[0],
                "won": float((part["net_return"] > 0).mean()),
                "profit": float(part["profit"].sum()),
            }
        )
    return pd.DataFrame(found)


def _months(equity: pd.DataFrame) -> pd.DataFrame:
    """A row per year, a column per month: return of the wallet in that month."""
    value = (1.0 + equity.set_index("date")["wallet"]).resample("ME").last()
    # The first month starts from the untouched wallet.
    change = value / value.shift(1, fill_value=1.0) - 1.0
    ends = pd.DatetimeIndex(change.index)
    frame = pd.DataFrame(
        {"year": ends.strftime("%Y"), "month": ends.strftime("%m"), "change": change.to_numpy()}
    )
    return frame.pivot(index="year", columns="month", values="change").reset_index()


def luck_section(data: PageData) -> Section:
    """Section 16: probabilistic and deflated Sharpe ratio, overfitting, track record."""
    key, title = "luck", "How much of it may be luck?"
    method = (
        "Daily returns of the wallet. Probabilistic Sharpe ratio: chance that the true ratio is "
        "above 0; deflated: above the best that as many independent looks without skill would have "
        "reached. Minimum track record: days after which a ratio like this one is above 0 with "
        "95 %. Overfitting (PBO): "
        f"{len(_LIMITS)} confidence thresholds compete on scored rows; in each way to split the "
        f"days into two halves of {_BLOCKS // 2} blocks, the best of one half is ranked in "
        "the other. "
        "0.5 is what picking by chance gives; a logit below 0 means it came out below the median. "
        "Effective trials: independent ones that the thresholds amount to."
    )
    numbers: list[dict[str, Any]] = []
    finding = ""
    trades = data.frames.trades
    if len(trades) > 2:
        found = moments(_daily(data)[0])
        looks = int(data.frames.facts.get("looks") or 1)
        numbers, finding = _sharpe_rows(found, looks), _sharpe_finding(found, looks)
    table = threshold_returns(data)
    tables = {}
    if table is not None:
        split = backtest_overfitting(table.to_numpy(), _BLOCKS)
        effective = effective_trials(table)
        numbers += [
            {"number": "probability of overfitting (PBO)", "value": split.probability},
            {"number": "picked threshold lost money out of sample", "value": split.losing},
            {"number": "thresholds tried", "value": float(len(table.columns))},
            {"number": "effective trials", "value": effective},
        ]
        finding += (
            f"The best threshold of half of the days came out below the median in the other half "
            f"in {as_percent(split.probability, 0)} of {split.splits} splits (50 % is chance)."
        )
        edges = np.linspace(-4, 4, 17)
        # histogram drops what lies outside its edges.
        counts, _ = np.histogram(np.clip(split.logits, -3.999, 3.999), edges)
        tables["Logits of the out-of-sample rank"] = pd.DataFrame(
            {"logit": (edges[:-1] + edges[1:]) / 2, "splits": counts}
        )
    if not numbers:
        return absent(key, title, "Too few days or trades for any of these numbers.", method)
    tables = {"Numbers": pd.DataFrame(numbers), **tables}
    return Section(key, title, finding.strip(), method, tables)


def _sharpe_rows(found: Moments, looks: int) -> list[dict[str, Any]]:
    # Of an estimated ratio whose true value is 0.
    variance = 1.0 / max(found.observations - 1, 1)
    return [
        {"number": "Sharpe ratio a year", "value": found.sharpe * _DAYS_A_YEAR**0.5},
        {"number": "probabilistic Sharpe ratio", "value": probabilistic_sharpe(found)},
        {"number": "looks taken at this span", "value": float(looks)},
        {"number": "deflated Sharpe ratio", "value": deflated_sharpe(found, looks, variance)},
        {"number": "minimum track record (days)", "value": minimum_track_record(found)},
        {"number": "days of this record", "value": float(found.observations)},
    ]


def _sharpe_finding(found: Moments, looks: int) -> str:
    chance = deflated_sharpe(found, looks, 1.0 / max(found.observations - 1, 1))
    return (
        f"The Sharpe ratio is {found.sharpe * _DAYS_A_YEAR**0.5:.2f} a year; the chance that it is "
        f"more than the luck of {counted(looks, 'look')} is {as_percent(chance)}. "
    )


def threshold_returns(data: PageData) -> pd.DataFrame | None:
    """Daily net return of acting on all predictions above each confidence; None with few days.

    A column per threshold, a row per day: the sum over the day's rows, each acted on with one unit,
    divided by that threshold's rows.
    """
    acted = (data.rows["predicted"] != SignalClass.HOLD).to_numpy()
    day = data.rows["date"].dt.floor("D")
    if day.nunique() < 2 * _BLOCKS or not acted.any():
        return None
    net = data.rows["net_return"].to_numpy(np.float64)
    confidence = data.rows["confidence"].to_numpy(np.float64)
    found = {}
    for limit in _LIMITS:
        mine = acted & (confidence >= limit)
        if mine.any():
            found[limit] = (
                pd.Series(np.where(mine, net, 0.0)).groupby(day.to_numpy()).sum() / mine.sum()
            )
    table = pd.DataFrame(found)
    return table if len(table.columns) > 1 and (table.std() > 0).all() else None


def effective_trials(returns: pd.DataFrame) -> float:
    """Number of independent trials that correlated ones amount to.

    The participation ratio of the eigenvalues of their correlation matrix.

    Examples
    --------
    >>> one = np.array([1.0, -1.0, 1.0, -1.0])
    >>> round(effective_trials(pd.DataFrame({"a": one, "b": one})), 6)
    1.0
    """
    values = np.linalg.eigvalsh(np.corrcoef(returns.to_numpy(np.float64).T))
    return float(values.sum() ** 2 / np.square(values).sum())
