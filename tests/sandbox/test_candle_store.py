from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from freqai_signals.sandbox.exchange.candle_store import FUNDING, FUTURES, CandleSeries, CandleStore
from freqai_signals.sandbox.market.market_files import Market, write_feather
from freqai_signals.sandbox.runner.datadir import DataDirectoryError, check_candles, exchange_folder


def series(opened: list[int]) -> CandleSeries:
    return CandleSeries(np.array(opened), np.ones((len(opened), 5)), 10, 2)


@pytest.mark.parametrize(
    ("start", "end", "limit", "expected"),
    [
        (None, None, 2, [30, 40]),
        (0, None, 2, [0, 10]),
        (10, None, 9, [10, 20, 30, 40]),
        (11, 30, 9, [20, 30]),
        (None, 25, 2, [10, 20]),
        (10, 40, 1, [10]),
        (41, None, 5, []),
        (30, 10, 5, []),
        (None, -1, 5, []),
    ],
)
def test_rows_are_chosen_as_binance_does(
    start: int | None, end: int | None, limit: int, expected: list[int]
) -> None:
    candles = series([0, 10, 20, 30, 40])
    assert candles.time[candles.select(start, end, limit)].tolist() == expected


def test_book_lists_pairs_and_timeframes(folder: Path) -> None:
    store = CandleStore(folder)
    assert store.pairs == ("BTC/USDT", "ETH/USDT")
    assert store.timeframes("BTC/USDT") == ("5m", "15m", "1h", "4h", "1d")


def test_a_missing_timeframe_is_made_of_shorter_candles(market: Market) -> None:
    made = CandleStore(market.folder).series("BTC/USDT", "2h")
    hourly = market.candles("BTC/USDT", "1h")
    assert len(made.time) == len(hourly) // 2
    assert made.values[0, 1] == hourly["high"].iloc[:2].max()


def test_a_timeframe_that_cannot_be_made_is_refused(folder: Path) -> None:
    with pytest.raises(LookupError, match=r"BTC/USDT has candles of 5m.*1m cannot"):
        CandleStore(folder).series("BTC/USDT", "1m")


def test_weeks_begin_on_monday(folder: Path) -> None:
    weekly = pd.to_datetime(CandleStore(folder).series("BTC/USDT", "1w").time, unit="ms")
    assert set(weekly.day_of_week) == {0}


def test_futures_files_are_a_layout_of_their_own(market: Market, tmp_path: Path) -> None:
    (tmp_path / "futures").mkdir()
    candles = market.candles("BTC/USDT").iloc[:10].reset_index(drop=True)
    write_feather(candles, tmp_path / "futures" / "BTC_USDT_USDT-5m-futures.feather")
    assert CandleStore(tmp_path, FUTURES).pairs == ("BTC/USDT:USDT",)
    assert CandleStore(tmp_path).pairs == ()
    assert exchange_folder(tmp_path) == tmp_path


def test_a_data_folder_may_hold_the_exchanges_folder(market: Market, tmp_path: Path) -> None:
    (tmp_path / "binance").mkdir()
    candles = market.candles("BTC/USDT").iloc[:10].reset_index(drop=True)
    write_feather(candles, tmp_path / "binance" / "BTC_USDT-5m.feather")
    assert exchange_folder(tmp_path) == tmp_path / "binance"


def test_a_folder_without_candles_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataDirectoryError, match="holds no candles"):
        exchange_folder(tmp_path)
    with pytest.raises(DataDirectoryError, match="is not a folder"):
        exchange_folder(tmp_path / "nowhere")


def test_missing_pairs_are_named_with_what_is_there(folder: Path) -> None:
    with pytest.raises(DataDirectoryError, match=r"no candles of XRP/USDT, A/B; it holds BTC/USDT"):
        check_candles(folder, ["BTC/USDT", "XRP/USDT", "A/B"])


@pytest.mark.parametrize("content", [b"", b"ARROW1\0\0", b"not arrow at all"])
def test_damaged_files_are_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "BTC_USDT-5m.feather").write_bytes(content)
    with pytest.raises(DataDirectoryError, match=r"BTC_USDT-5m\.feather is damaged"):
        check_candles(tmp_path, ())


def test_truncated_files_are_named(market: Market, tmp_path: Path) -> None:
    whole = (market.folder / "BTC_USDT-5m.feather").read_bytes()
    (tmp_path / "BTC_USDT-5m.feather").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataDirectoryError, match=r"BTC_USDT-5m\.feather is damaged"):
        check_candles(tmp_path, ())


def test_files_without_prices_are_named(tmp_path: Path) -> None:
    frame = pd.DataFrame({"date": pd.date_range("2024", periods=2, tz="UTC"), "close": [1.0, 2.0]})
    write_feather(frame, tmp_path / "BTC_USDT-5m.feather")
    with pytest.raises(DataDirectoryError, match="lacks the columns"):
        check_candles(tmp_path, ())


def test_funding_rates_are_read_under_either_name_of_their_column(tmp_path: Path) -> None:
    dates = pd.date_range("2024-01-01", periods=3, freq="8h", tz="UTC", unit="ms")
    rates = [0.0001, -0.0002, 0.0003]
    (tmp_path / "futures").mkdir()
    path = tmp_path / "futures" / "BTC_USDT_USDT-1h-funding_rate.feather"
    old = dict.fromkeys(("open", "high", "low", "close"), rates)
    for columns in ({"funding_rate": rates}, old):
        write_feather(pd.DataFrame({"date": dates, **columns}), path)
        found = CandleStore(tmp_path, FUNDING).series("BTC/USDT:USDT", "1h")
        assert found.values[:, 0].tolist() == rates
