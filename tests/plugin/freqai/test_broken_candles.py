"""A candle without a price is filled flat by freqtrade; it must come with volume 0, untrusted."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from freqtrade.data.converter import ohlcv_to_dataframe
from freqtrade.enums import CandleType
from freqtrade.exchange import Exchange

from freqai_signals.plugin.freqai.broken_candles import mark_broken_candles, whole_ticks

MINUTE = 60_000
KEY = ("BTC/USDT", "1m", CandleType.SPOT)


class Offline(Exchange):
    """freqtrade's own handling of candles, and nothing of a network."""

    def __init__(self) -> None:
        self._config = {"candle_type_def": CandleType.SPOT}
        self._klines: dict[Any, pd.DataFrame] = {}
        self._pairs_last_poll_time: dict[Any, int] = {}
        self._pairs_last_refresh_time: dict[Any, int] = {}
        self._startup_candle_count = 0
        self.loaded: list[list[Any]] = []

    def __del__(self) -> None:
        pass

    def close(self) -> None:
        pass

    def ohlcv_candle_limit(self, *_: object, **__: object) -> int:
        return 1000

    def get_historic_ohlcv(self, pair: str, timeframe: str, **_: object) -> pd.DataFrame:
        return ohlcv_to_dataframe(
            self.loaded, timeframe, pair, fill_missing=False, drop_incomplete=False
        )


def tick(number: int, *wrong: tuple[int, Any]) -> list[Any]:
    made: list[Any] = [number * MINUTE, 10.0, 12.0, 9.0, 11.0 + number, 100.0]
    for column, value in wrong:
        made[column] = value
    return made


def arrives(exchange: Offline, ticks: list[list[Any]]) -> pd.DataFrame:
    now = (ticks[-1][0] + 10 * MINUTE) if ticks else 0
    return exchange._process_ohlcv_df(*KEY, ticks, True, False, now)


BROKEN = [
    pytest.param([(4, None)], id="no close"),
    pytest.param([(4, float("nan"))], id="close NaN"),
    pytest.param([(2, None)], id="no high"),
    pytest.param([(1, None), (2, None), (3, None), (4, None)], id="no price"),
    pytest.param([(4, float("inf"))], id="close infinite"),
    pytest.param([(5, None)], id="no volume"),
    pytest.param([(4, "soon")], id="no number"),
]


@pytest.mark.parametrize("wrong", BROKEN)
@pytest.mark.parametrize("is_newest", [True, False])
@pytest.mark.parametrize("is_first_answer", [True, False])
def test_a_candle_without_a_price_has_no_volume(
    wrong: list[tuple[int, Any]], is_newest: bool, is_first_answer: bool
) -> None:
    exchange = Offline()
    mark_broken_candles(exchange, 60)
    ticks = [tick(0), tick(1), tick(2, *wrong), *([] if is_newest else [tick(3)])]
    if not is_first_answer:
        arrives(exchange, ticks[:2])
    frame = arrives(exchange, ticks)
    row = frame.iloc[2]
    assert row["volume"] == 0.0
    assert row[["open", "high", "low", "close"]].tolist() == [12.0] * 4, "flat at the last close"
    assert frame["volume"].drop(index=2).tolist() == [100.0] * (len(ticks) - 1)
    assert frame.loc[1, "close"] == 12.0


def test_without_the_mark_nobody_could_tell() -> None:
    frame = arrives(Offline(), [tick(0), tick(1, (4, None))])
    assert frame["volume"].tolist() == [100.0, 100.0]


def test_whole_candles_stay_what_they_are() -> None:
    ticks = [tick(number) for number in range(5)]
    marked, plain = Offline(), Offline()
    mark_broken_candles(marked, 60)
    mark_broken_candles(marked, 60)
    pd.testing.assert_frame_equal(arrives(marked, ticks), arrives(plain, ticks))
    assert whole_ticks(ticks) == ticks
    rates = [[0, 0.0001], [MINUTE, None]]
    assert whole_ticks(rates) == rates, "funding rates have no prices"
    assert arrives(marked, [*ticks, tick(5)])["volume"].tolist() == [100.0] * 6


def test_downloaded_candles_without_a_price_train_nothing() -> None:
    exchange = Offline()
    exchange.loaded = [tick(0), tick(1, (4, None)), tick(2)]
    mark_broken_candles(exchange, 60)
    frame = exchange.get_historic_ohlcv("BTC/USDT", "1m")
    assert frame["volume"].tolist() == [100.0, 0.0, 100.0]
    assert np.isnan(frame.loc[1, "close"])


def test_another_exchange_class_is_left_alone() -> None:
    other = object.__new__(type("Bare", (), {}))
    mark_broken_candles(other, 60)
    assert not {"_process_ohlcv_df", "get_historic_ohlcv"} & set(dir(other))
