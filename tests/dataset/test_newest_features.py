"""Features of the newest candle, of many pairs at once: the same as in the last row of each."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from freqai_signals.dataset.features import (
    GROUPS,
    Market,
    build_features,
    feature_memory,
    newest_features,
)
from freqai_signals.dataset.features import newest as newest_module
from freqai_signals.dataset.features.cache import FeatureCache
from freqai_signals.settings import FeatureSettings, SignalSettings
from tests.conftest import random_walk
from tests.dataset.test_features import of_groups, with_halt, with_jumps

PRICES = ["open", "high", "low", "close"]
PAIRS = [f"C{number}/USDT" for number in range(5)]


def walks(rows: int, seeds: range, timeframe: str = "1h") -> list[pd.DataFrame]:
    return [random_walk(rows, seed=seed, timeframe=timeframe) for seed in seeds]


def market_of(frames: list[pd.DataFrame]) -> Market:
    closes = {
        str(place): pd.Series(frame["close"].to_numpy(), index=pd.DatetimeIndex(frame["date"]))
        for place, frame in enumerate(frames)
    }
    return Market.from_closes(closes, "0")


def assert_last_rows(frames: list[pd.DataFrame], settings: SignalSettings) -> None:
    market = market_of(frames)
    rows = [build_features(frame, settings, market).tail(1) for frame in frames]
    pd.testing.assert_frame_equal(
        newest_features(frames, settings, market),
        pd.concat(rows, ignore_index=True),
        check_exact=True,
    )


def test_many_pairs_at_shipped_settings_to_the_last_bit() -> None:
    for first in range(0, 40, 10):
        assert_last_rows(walks(2500, range(first, first + 10), "5m"), SignalSettings())


@pytest.mark.parametrize("name", sorted(GROUPS))
def test_every_group_alone_and_at_every_length(name: str) -> None:
    settings = of_groups(name)
    memory = feature_memory(settings)
    for rows in (1, 2, 24, max(memory - 1, 1), memory, memory + 1, 3 * memory):
        assert_last_rows(walks(rows, range(3)), settings)


def bad_prices(candles: pd.DataFrame, value: float, ago: int) -> pd.DataFrame:
    changed = candles.copy()
    changed.loc[len(changed) - 1 - ago, PRICES] = value
    return changed


@pytest.mark.parametrize(
    "disturb",
    [
        lambda frame: with_halt(frame, 350, 20),
        lambda frame: with_halt(frame, 350, 150),
        lambda frame: with_jumps(with_halt(frame, 400, 20)),
        *(
            lambda frame, value=value, ago=ago: bad_prices(frame, value, ago)
            for value in (np.nan, np.inf, 0.0, 1e-300, 1e300)
            for ago in (0, 1, 30, 160)
        ),
        lambda frame: frame.assign(volume=0.0),
        lambda frame: frame.assign(volume=np.inf),
        lambda frame: frame.assign(open=1.0, high=1.0, low=1.0, close=1.0),
    ],
)
def test_halts_jumps_and_broken_candles_beside_good_ones(
    disturb: Callable[[pd.DataFrame], pd.DataFrame],
) -> None:
    one, other, third = walks(500, range(3))
    assert_last_rows([one, disturb(other), third], of_groups())


def test_periods_and_timeframes_of_ones_own() -> None:
    settings = SignalSettings(
        timeframe="15m",
        indicator_periods_candles=(3, 50),
        label_horizon_candles=200,
        features=FeatureSettings(season_days=3, higher_timeframes=("2h",)),
    )
    assert_last_rows(walks(700, range(4), "15m"), settings)


class Shown:
    """The frames that an exchange shows, and how often features were made."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.settings = of_groups()
        self.frames = dict(zip(PAIRS, walks(400, range(5)), strict=True))
        self.cache = FeatureCache(self.settings, PAIRS)
        self.traded = PAIRS
        self.made: list[int] = []
        compute = newest_module.newest_features

        def counted(frames: list[pd.DataFrame], *more: object) -> pd.DataFrame:
            self.made.append(len(frames))
            return compute(frames, *more)  # type: ignore[arg-type]

        monkeypatch.setattr(newest_module, "newest_features", counted)

    def source(self, pair: str, first: pd.Timestamp) -> pd.DataFrame:
        return self.frames[pair]

    def check(self, pair: str, frame: pd.DataFrame | None = None) -> None:
        frame = self.frames[pair].copy() if frame is None else frame
        found = self.cache.newest(pair, frame, self.source, self.traded)
        assert found is not None
        expected = self.cache.compute(pair, frame, self.source).tail(1)
        np.testing.assert_array_equal(found.frame.to_numpy(), expected.to_numpy())
        assert list(found.frame) == list(expected)

    def next_candle(self, *pairs: str) -> None:
        for pair in pairs:
            frame = self.frames[pair]
            new = frame.tail(1).assign(date=frame["date"].tail(1) + pd.Timedelta("1h"))
            self.frames[pair] = pd.concat([frame, new], ignore_index=True).iloc[1:]


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Shown:
    return Shown(monkeypatch)


def test_a_candle_of_all_pairs_is_made_once(shown: Shown) -> None:
    for _ in range(2):
        for pair in PAIRS:
            shown.check(pair)
        shown.next_candle(*PAIRS)
    assert shown.made == [5, 5]


def test_pairs_whose_candle_is_late_are_made_by_themselves(shown: Shown) -> None:
    shown.next_candle(*PAIRS[:3])
    for _ in range(2):
        for pair in PAIRS:
            shown.check(pair)
    assert sorted(shown.made) == [2, 3]
    # Its candle comes: the market is another one, for the others too.
    shown.next_candle(PAIRS[3])
    for pair in PAIRS[:4]:
        shown.check(pair)


def test_other_candles_than_those_shown_are_made_alone(shown: Shown) -> None:
    for pair in PAIRS[:2]:
        shown.check(pair)
    other = shown.frames[PAIRS[1]].copy()
    other.loc[other.index[-1], "close"] *= 1.01
    shown.check(PAIRS[1], other)
    shown.check(PAIRS[2])
    assert shown.made == [5, 1]


def test_a_listed_pair_without_candles_stops_no_other(shown: Shown) -> None:
    shown.frames["NEW/USDT"] = pd.DataFrame()
    shown.traded = [*PAIRS, "NEW/USDT"]
    for pair in PAIRS:
        shown.check(pair)
    assert shown.made == [5]


def test_pairs_that_begin_at_another_time_are_not_made_over_and_over(shown: Shown) -> None:
    for pair in PAIRS[3:]:
        shown.frames[pair] = shown.frames[pair].iloc[20:]
    for _ in range(2):
        for pair in (PAIRS[0], PAIRS[3], PAIRS[1], PAIRS[4], PAIRS[2]):
            shown.check(pair)
    assert shown.made == [3, 2]


def test_without_a_market_there_is_nothing_to_share(shown: Shown) -> None:
    frame = shown.frames[PAIRS[0]]
    empty = FeatureCache(shown.settings, [])
    assert empty.newest(PAIRS[0], frame, shown.source, PAIRS) is None
