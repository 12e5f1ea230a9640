"""Trades of a profile: fills, free slots, groups, candles from several folders."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.quality.profile_trades import (
    COST,
    Trades,
    groups,
    load_longest,
    report,
    spot_of,
    trades_of,
)
from freqai_signals.settings import SignalSettings
from tests.signals.test_extremes import frame, settings


def trades(days: list[str], gross: list[float]) -> Trades:
    count = len(days)
    return Trades(
        np.array(["A/USDT", "B/USDT"] * count, dtype=object)[:count],
        np.array(days, dtype="datetime64[D]").astype(np.int64),
        np.array([1, -1] * count)[:count],
        np.array(gross),
        np.ones(count, dtype=bool),
    )


def chosen() -> SignalSettings:
    return settings().model_copy(update={"label_horizon_candles": 4})


def test_a_trade_pays_what_the_price_did_until_the_horizon() -> None:
    rows = frame()
    found = trades_of(rows, "A/USDT", chosen())
    assert len(found) > 20
    close = rows["close"].to_numpy()
    hours = rows["date"].astype("int64")
    assert len(hours) == len(close)
    first = found.take(np.arange(len(found)) == 0)
    day = rows["date"].dt.as_unit("s").astype("int64").to_numpy() // 86400
    candidates = first.side[0] * (close[4:] / close[:-4] - 1)
    assert np.isclose(candidates[day[:-4] == first.day[0]], first.gross[0]).any()


def test_later_candles_change_no_earlier_trade() -> None:
    rows = frame()
    changed = rows.copy()
    changed.loc[500:, ["close", "score"]] *= -3.0
    known = int(rows["date"].iloc[490].timestamp()) // 86400
    one, other = (trades_of(part, "A/USDT", chosen()) for part in (rows, changed))
    for name in ("day", "side", "gross"):
        before = getattr(one, name)[one.day < known]
        np.testing.assert_array_equal(before, getattr(other, name)[other.day < known])


def test_one_trade_a_pair_at_a_time() -> None:
    found = trades_of(frame(), "A/USDT", settings(score_share=0.4, lively_window_days=None))
    assert 0 < found.free.sum() < len(found) / 2


def test_groups_are_years_pairs_and_sides() -> None:
    found = trades(["2022-05-01", "2023-05-01", "2024-05-01"], [0.01, 0.02, 0.03])
    made = dict(groups(found))
    assert list(made) == [
        "all", "2022", "2023", "2024", "2023-2024", "A/USDT", "B/USDT", "long", "short"
    ]  # fmt: skip
    assert len(made["2023-2024"]) == 2
    assert len(made["short"]) == 1
    assert report(found)["all"]["trade_net"].value == pytest.approx(0.02 - COST)


def test_each_pair_comes_from_the_first_folder_that_has_it(tmp_path: Path) -> None:
    for folder, pair, price in (("long", "A", 1.0), ("short", "A", 2.0), ("short", "B", 3.0)):
        place = tmp_path / folder / "binance"
        place.mkdir(parents=True, exist_ok=True)
        dates = pd.date_range("2024-01-01", periods=5, freq="1h", tz="UTC", unit="ms")
        columns = dict.fromkeys(("open", "high", "low", "close", "volume"), price)
        pd.DataFrame({"date": dates, **columns}).to_feather(place / f"{pair}_USDT-1h.feather")
    folders = [tmp_path / "long", tmp_path / "short"]
    source = load_longest(folders, ["A/USDT", "B/USDT", "C/USDT"], "1h")
    assert {pair: c["close"].iloc[0] for pair, c in source.candles.items()} == {
        "A/USDT": 1.0,
        "B/USDT": 3.0,
    }
    with pytest.raises(ValueError, match="no 1h candles of C/USDT"):
        load_longest(folders, ["C/USDT"], "1h")


def test_futures_pairs_are_measured_on_spot_candles() -> None:
    assert spot_of(["BTC/USDT:USDT"]) == ["BTC/USDT"]
