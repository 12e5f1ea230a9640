"""Features: every group in GROUPS is tested for causality, bounded memory, scale and finiteness."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from freqtrade.data.history import load_pair_history
from freqtrade.enums import CandleType
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from freqai_signals.dataset.causal import Array, rolling_mean
from freqai_signals.dataset.features import (
    GROUPS,
    Market,
    build_features,
    feature_groups,
    feature_memory,
)
from freqai_signals.dataset.features.groups import Group
from freqai_signals.dataset.features.inputs import FeatureInput, Spans, positive
from freqai_signals.settings import FeatureSettings, SignalSettings
from tests.conftest import random_walk

PRICES = ["open", "high", "low", "close"]
EVERY_GROUP = pytest.mark.parametrize("name", sorted(GROUPS))


def of_groups(*names: str, **more: object) -> SignalSettings:
    """Hourly settings: 24 candles a day keep the memory of a week short."""
    values: dict[str, object] = {
        "timeframe": "1h",
        "features": FeatureSettings(groups=names or tuple(GROUPS), higher_timeframes=("4h", "12h")),
        "label_horizon_candles": 6,
        "indicator_periods_candles": (6, 12, 30),
    }
    return SignalSettings(**values | more)  # type: ignore[arg-type]


def exact(group: Group, candles: pd.DataFrame, settings: SignalSettings) -> dict[str, Array]:
    """One group's features before they are rounded to float32."""
    spans = Spans.from_settings(settings)
    closes = pd.Series(candles["close"].to_numpy(), index=pd.DatetimeIndex(candles["date"]))
    mean, lead = Market.from_closes({"": closes}, "").at(candles["date"])
    prices = {name: positive(candles[name].to_numpy(np.float64)) for name in PRICES}
    with np.errstate(invalid="ignore", divide="ignore"):
        return group.compute(
            FeatureInput(
                **prices,
                volume=candles["volume"].to_numpy(np.float64),
                date=candles["date"],
                spans=spans,
                market_mean=mean,
                market_lead=lead,
            )
        )


def test_groups_are_found_once_for_equal_settings() -> None:
    """A training asks three times, and every answer takes the features of a candle."""
    hourly = of_groups()
    found = feature_groups(hourly)
    assert feature_groups(of_groups()) is found
    frame = build_features(random_walk(400), hourly)
    assert list(found) == list(frame.columns)
    assert set(feature_groups(of_groups("momentum")).values()) == {"momentum"}


# Causality


BAD_VALUES = [np.nan, np.inf, -np.inf, 0.0, -5.0, 1e-300, 1e300, 1e9]
MUTATIONS = st.lists(
    st.tuples(
        st.integers(0, 10_000),
        st.sampled_from([*PRICES, "volume"]),
        st.sampled_from(BAD_VALUES) | st.floats(0.01, 1e6),
    ),
    min_size=1,
    max_size=8,
)


def changed_after(
    candles: pd.DataFrame, t: int, mutations: list[tuple[int, str, float]]
) -> pd.DataFrame:
    changed = candles.copy()
    for place, column, value in mutations:
        row = t + 1 + place % (len(candles) - t - 1)
        changed.loc[row, column] = value
    return changed


def assert_causal(name: str, t: int, mutations: list[tuple[int, str, float]]) -> None:
    settings, candles = of_groups(name), random_walk(260, timeframe="1h")
    before = build_features(candles, settings)
    after = build_features(changed_after(candles, t, mutations), settings)
    pd.testing.assert_frame_equal(before.iloc[: t + 1], after.iloc[: t + 1], check_exact=True)


@EVERY_GROUP
@hypothesis_settings(max_examples=25)
@given(t=st.integers(0, 258), mutations=MUTATIONS)
def test_candles_after_t_change_no_feature_at_or_before_t(
    name: str, t: int, mutations: list[tuple[int, str, float]]
) -> None:
    assert_causal(name, t, mutations)


@EVERY_GROUP
def test_later_candles_need_not_exist(name: str) -> None:
    settings, candles = of_groups(name), random_walk(260, timeframe="1h")
    full = build_features(candles, settings)
    for rows in (1, 24, 200, 259):
        prefix = build_features(candles.iloc[:rows], settings)
        pd.testing.assert_frame_equal(prefix, full.iloc[:rows], check_exact=True)


def _centred(x: FeatureInput) -> dict[str, Array]:
    return {"centred": pd.Series(x.close).rolling(5, center=True).mean().to_numpy() / x.close}


def _over_everything(x: FeatureInput) -> dict[str, Array]:
    return {"z_score": (x.close - np.nanmean(x.close)) / np.nanstd(x.close)}


@pytest.mark.parametrize("naive", [_centred, _over_everything])
def test_the_causality_check_catches_a_group_with_lookahead(
    naive: Callable[[FeatureInput], dict[str, Array]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(GROUPS, "momentum", Group(naive, lambda spans: 1))  # type: ignore[arg-type]
    with pytest.raises(AssertionError):
        assert_causal("momentum", 200, [(0, "close", 150.0)])


# Bounded memory


def assert_memory_suffices(group: Group, settings: SignalSettings) -> None:
    candles = random_walk(1200, seed=3, timeframe=settings.timeframe)
    memory = group.memory(Spans.from_settings(settings))
    full = exact(group, candles, settings)
    short = exact(group, candles.tail(memory).reset_index(drop=True), settings)
    for name, values in full.items():
        assert np.isfinite(short[name][-1]), f"{name} is unknown after {memory} candles"
        np.testing.assert_allclose(short[name][-1], values[-1], rtol=1e-9, atol=1e-9, err_msg=name)


@EVERY_GROUP
def test_declared_memory_of_a_group_is_enough_for_its_last_row(name: str) -> None:
    assert_memory_suffices(GROUPS[name], of_groups(name))


def _exponential(x: FeatureInput) -> dict[str, Array]:
    return {"ema": np.log(x.close / pd.Series(x.close).ewm(span=12).mean().to_numpy())}


def test_the_memory_check_catches_an_exponential_mean() -> None:
    with pytest.raises(AssertionError):
        assert_memory_suffices(Group(_exponential, lambda spans: 50), of_groups("momentum"))


@pytest.mark.parametrize(
    "settings",
    [of_groups(), of_groups("momentum", "volatility"), of_groups("mean_reversion"),
     of_groups("higher_timeframes")],
    ids=["all", "season is slowest", "volatility is slowest", "12h is slowest"],
)  # fmt: skip
def test_one_candle_less_than_the_memory_leaves_a_feature_unknown(settings: SignalSettings) -> None:
    candles = random_walk(600, timeframe="1h")
    memory = feature_memory(settings)
    assert build_features(candles.tail(memory), settings).iloc[-1].notna().all()
    assert build_features(candles.tail(memory - 1), settings).iloc[-1].isna().any()


def test_a_live_frame_of_start_up_length_equals_the_full_history_at_shipped_settings() -> None:
    settings = SignalSettings()
    candles = random_walk(5000, seed=1)
    memory = feature_memory(settings)
    assert memory == 7 * 288 + 1
    full = build_features(candles, settings)
    short = build_features(candles.tail(memory), settings)
    # Rounding takes the float noise of older candles away: the same to the last bit.
    np.testing.assert_array_equal(short.iloc[-1], full.iloc[-1])


def test_a_huge_volume_is_forgotten_once_it_leaves_the_memory() -> None:
    settings = of_groups()
    candles = random_walk(700, timeframe="1h")
    spiked = candles.copy()
    spiked.loc[300, "volume"] *= 1e6
    memory = feature_memory(settings)
    clean, after = build_features(candles, settings), build_features(spiked, settings)
    pd.testing.assert_frame_equal(clean.iloc[300 + memory :], after.iloc[300 + memory :], rtol=1e-5)


# Scale


@EVERY_GROUP
@hypothesis_settings(max_examples=10)
@given(
    price=st.sampled_from([1e-6, 0.37, 1000.0, 1e6]), volume=st.sampled_from([1e-3, 1000.0, 7e7])
)
def test_scale_of_prices_and_volumes_does_not_matter(
    name: str, price: float, volume: float
) -> None:
    settings, candles = of_groups(name), random_walk(300, timeframe="1h")
    scaled = candles.copy()
    scaled[PRICES] *= price
    scaled["volume"] *= volume
    np.testing.assert_allclose(
        build_features(scaled, settings), build_features(candles, settings), rtol=2e-6, atol=2e-6
    )


def test_the_scale_check_would_catch_a_raw_price(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = Group(lambda x: {"raw": x.close}, lambda spans: 1)
    monkeypatch.setitem(GROUPS, "momentum", raw)  # type: ignore[arg-type]
    with pytest.raises(AssertionError):
        test_scale_of_prices_and_volumes_does_not_matter.hypothesis.inner_test(
            "momentum", 1000.0, 1.0
        )


# Finiteness


def with_halt(candles: pd.DataFrame, first: int, length: int) -> pd.DataFrame:
    """Flat candles without volume, as freqtrade fills a gap."""
    halted = candles.copy()
    halted.loc[first : first + length - 1, PRICES] = halted.loc[first - 1, "close"]
    halted.loc[first : first + length - 1, "volume"] = 0.0
    return halted


def with_jumps(candles: pd.DataFrame) -> pd.DataFrame:
    jumped = candles.copy()
    jumped.loc[350:, PRICES] *= 50.0
    jumped.loc[420:, PRICES] /= 2000.0
    jumped.loc[431:, PRICES] *= 1e6
    return jumped


@EVERY_GROUP
@pytest.mark.parametrize(
    "disturb",
    [
        lambda candles: with_halt(candles, 350, 20),
        lambda candles: with_halt(candles, 350, 80),
        lambda candles: with_jumps(with_halt(candles, 400, 20)),
    ],
    ids=["halt of 20 candles", "halt longer than the volatility's memory", "jumps and halt"],
)
def test_features_stay_finite_after_warm_up(
    name: str, disturb: Callable[[pd.DataFrame], pd.DataFrame]
) -> None:
    settings = of_groups(name)
    features = build_features(disturb(random_walk(500, timeframe="1h")), settings)
    warm = features.iloc[feature_memory(settings) - 1 :]
    assert np.isfinite(warm.to_numpy()).all(), warm.columns[~np.isfinite(warm).all()].tolist()


@EVERY_GROUP
@pytest.mark.parametrize("bad", [np.nan, np.inf, 0.0, -1.0])
def test_a_bad_price_gives_nan_for_exactly_the_memory(name: str, bad: float) -> None:
    settings, candles = of_groups(name), random_walk(700, timeframe="1h")
    candles.loc[300, PRICES] = bad
    features = build_features(candles, settings)
    memory = feature_memory(settings)
    assert not np.isinf(features.to_numpy()).any()
    assert features.iloc[300 + memory :].notna().all(axis=None)
    if name not in ("calendar", "volume", "cross_asset"):
        assert features.iloc[300].isna().any()


# Names


def test_names_start_with_the_feature_prefix_and_name_no_pair(
    candles: Callable[..., pd.DataFrame],
) -> None:
    settings = SignalSettings()
    pairs = {pair: candles(60, seed=i) for i, pair in enumerate(["BTC/USDT", "SOL/USDC", "X/BTC"])}
    closes = {pair: frame.set_index("date")["close"] for pair, frame in pairs.items()}
    market = Market.from_closes(closes, "BTC")
    names = {tuple(build_features(frame, settings, market)) for frame in pairs.values()}
    assert len(names) == 1
    (columns,) = names
    assert len(set(columns)) == len(columns) > 50
    assert all(column.startswith("%-") for column in columns)
    assert not any(coin in column.upper() for column in columns for coin in ("BTC", "USD", "SOL"))


@pytest.mark.parametrize("rows", [0, 1, 2, 5])
def test_frames_of_few_rows_have_the_same_columns(rows: int) -> None:
    settings = SignalSettings()
    expected = list(build_features(random_walk(40), settings))
    short = build_features(random_walk(40).iloc[:rows], settings)
    assert list(short) == expected
    assert len(short) == rows
    assert (short.dtypes == np.float32).all()


def test_a_mean_that_groups_share_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[tuple[bytes, int]] = []

    def counted(values: Array, window: int) -> Array:
        made.append((values.tobytes(), window))
        return rolling_mean(values, window)

    monkeypatch.setattr("freqai_signals.dataset.features.inputs.rolling_mean", counted)
    build_features(random_walk(500), SignalSettings())
    assert len(made) == len(set(made)) > 10


def test_the_index_of_the_candles_is_kept() -> None:
    frame = random_walk(30).set_index(np.arange(100, 130))
    assert build_features(frame, SignalSettings()).index.equals(frame.index)


def test_the_date_unit_does_not_matter() -> None:
    frame = random_walk(50)
    settings = SignalSettings()
    for unit in ("s", "us", "ns"):
        other = frame.assign(date=frame["date"].dt.as_unit(unit))
        pd.testing.assert_frame_equal(
            build_features(other, settings), build_features(frame, settings)
        )


def test_values_by_hand() -> None:
    """Six flat candles, then +1 %: all of the last six candles' path is upwards."""
    settings = of_groups("momentum", "mean_reversion", "candle_shape", "calendar", "volume")
    frame = random_walk(100, timeframe="1h")
    frame.loc[frame.index[-7:], PRICES] = 100.0
    frame.loc[99, PRICES] = [100.5, 101.0, 100.5, 101.0]
    frame.loc[frame.index[-24:], "volume"] = 10.0
    frame.loc[99, "volume"] = 20.0
    last = build_features(frame, settings).iloc[-1]
    assert last["%-straightness_6"] == pytest.approx(1.0)
    assert last["%-range_position_6"] == pytest.approx(1.0)
    assert last["%-rsi_6"] == pytest.approx(1.0)
    # The high is new, the youngest low one candle old: (6 - 0) / 6 - (6 - 1) / 6.
    assert last["%-aroon_6"] == pytest.approx(1 / 6, abs=1e-4)
    assert last["%-close_location"] == pytest.approx(1.0)
    assert last["%-upper_wick"] == pytest.approx(0.0)
    assert last["%-signed_volume_6"] == pytest.approx(20 / 70, abs=1e-4)
    assert last["%-volume_1"] == pytest.approx(np.log(20 / (250 / 24) + 1e-3), abs=1e-4)
    # 2023-01-01 is a Sunday; 99 hours later it is Thursday, 3 o'clock.
    assert last["%-weekday"] == 3.0
    assert last["%-time_of_day"] == pytest.approx(3 / 24)
    assert last["%-time_of_hour"] == 0.0


def test_the_usual_range_is_a_mean_of_logs_by_hand() -> None:
    frame = random_walk(300, timeframe="1h")
    frame.loc[frame.index[-40:], PRICES] = 100.0
    frame.loc[299, "high"] = 100 * np.exp(0.01)
    last = build_features(frame, of_groups("volatility")).iloc[-1]
    decay = 1 - 2 / (6 + 1)
    weight = (1 - decay) / (1 - decay**12)
    usual = weight * np.log(0.0101) + (1 - weight) * np.log(0.0001)
    assert last["%-usual_range_6"] == pytest.approx(usual - last["%-sigma"], abs=5e-4)


def test_wicks_below_and_above_balance_by_hand() -> None:
    """A candle whose lower wick is twice the upper one, among candles without range."""
    frame = random_walk(100, timeframe="1h")
    frame.loc[frame.index[-30:], PRICES] = 100.0
    upper, lower = 100 * np.exp(0.01), 100 * np.exp(-0.02)
    frame.loc[99, PRICES] = [100.0, upper, lower, 100.0]
    last = build_features(frame, of_groups("candle_shape")).iloc[-1]
    expected = np.log((0.02 + 0.05 * 0.03) / (0.01 + 0.05 * 0.03))
    assert last["%-wick_balance"] == pytest.approx(expected, abs=1e-4)
    decay = 1 - 2 / (6 + 1)
    weight = (1 - decay) / (1 - decay**12)
    assert last["%-wick_balance_6"] == pytest.approx(expected * weight, abs=2e-4)


# Market


def pool(rows: int = 200) -> dict[str, pd.Series]:
    return {
        pair: random_walk(rows, seed=seed, timeframe="1h").set_index("date")["close"]
        for seed, pair in enumerate(["BTC/USDT", "ETH/USDT", "SOL/USDT"])
    }


@hypothesis_settings(max_examples=25)
@given(t=st.integers(80, 198), value=st.sampled_from(BAD_VALUES) | st.floats(0.01, 1e4))
def test_the_future_of_other_pairs_changes_nothing(t: int, value: float) -> None:
    settings = of_groups("cross_asset")
    own = random_walk(200, seed=1, timeframe="1h")
    closes = pool()
    before = build_features(own, settings, Market.from_closes(closes, "BTC"))
    changed = {pair: series.copy() for pair, series in closes.items()}
    changed["BTC/USDT"].iloc[t + 1 :] = value
    changed["SOL/USDT"] = changed["SOL/USDT"].iloc[: t + 1]
    after = build_features(own, settings, Market.from_closes(changed, "BTC"))
    pd.testing.assert_frame_equal(before.iloc[: t + 1], after.iloc[: t + 1], check_exact=True)


@pytest.mark.parametrize("lead", ["SOL", "SOL/USDT"])
def test_the_lead_pair_is_found_by_coin_and_by_full_name(lead: str) -> None:
    closes = pool()
    returns = Market.from_closes(closes, lead).returns
    np.testing.assert_allclose(returns["lead"], np.log(closes["SOL/USDT"]).diff(), atol=1e-12)


def test_without_the_lead_pair_the_mean_leads() -> None:
    returns = Market.from_closes(pool(), "DOGE").returns
    pd.testing.assert_series_equal(returns["lead"], returns["mean"], check_names=False)


@pytest.mark.parametrize("bad", [0.0, -1.0, np.inf, np.nan])
def test_a_bad_price_of_another_pair_is_left_out_of_the_mean(bad: float) -> None:
    """Its infinite return would stay in every running mean for ever."""
    settings = of_groups("cross_asset")
    closes = pool(400)
    closes["SOL/USDT"].iloc[100] = bad
    market = Market.from_closes(closes, "SOL")
    assert market.returns["mean"].abs().max() < 1
    own = random_walk(400, seed=1, timeframe="1h")
    features = build_features(own, settings, market)
    assert features.iloc[feature_memory(settings) :].abs().max().max() < 100


def test_the_mean_is_over_the_pairs_that_traded() -> None:
    date = pd.date_range("2024-01-01", periods=3, freq="1h", tz="UTC")
    closes = {
        "A/USDT": pd.Series([1.0, np.e, np.e**2], index=date),
        "B/USDT": pd.Series([1.0, np.e**3], index=date[:2]),
    }
    market = Market.from_closes(closes, "A")
    mean, lead = market.at(pd.Series(date))
    np.testing.assert_allclose(mean, [0.0, 2.0, 1.0])
    np.testing.assert_allclose(lead, [0.0, 1.0, 1.0])


def test_dates_at_which_nobody_traded_have_no_market_move() -> None:
    date = pd.date_range("2024-01-01", periods=3, freq="1h", tz="UTC")
    market = Market.from_closes({"A/USDT": pd.Series([1.0, 2.0], index=date[:2])}, "A")
    mean, _ = market.at(pd.Series(date + pd.Timedelta(hours=2)))
    np.testing.assert_array_equal(mean, np.zeros(3))


# Real candles


@pytest.mark.parametrize(
    ("pair", "start", "stop"),
    [
        ("BTC/USDT", "2023-03-12", "2023-04-10"),
        ("ETH/USDT", "2023-12-15", "2024-01-20"),
        ("BNB/USDT", "2024-10-08", "2024-12-05"),
    ],
    ids=["exchange halt", "a day missing", "two holes"],
)
@pytest.mark.parametrize("fill", [True, False], ids=["holes filled", "holes left"])
def test_documented_gaps_leave_features_finite(
    pair: str, start: str, stop: str, fill: bool, real_data_dir: Path
) -> None:
    """freqtrade fills gaps with flat candles on load; a feature must survive both ways."""
    frame = load_pair_history(
        pair, "5m", real_data_dir, fill_up_missing=fill, candle_type=CandleType.SPOT
    )
    between = (frame["date"] >= pd.Timestamp(start, tz="UTC")) & (
        frame["date"] < pd.Timestamp(stop, tz="UTC")
    )
    frame = frame[between].reset_index(drop=True)
    settings = SignalSettings()
    steps = frame["date"].diff().dropna()
    holed = (frame["volume"] == 0).any() if fill else (steps > pd.Timedelta("5min")).any()
    assert holed, "the documented hole is not in this data"
    features = build_features(frame, settings)
    warm = features.iloc[feature_memory(settings) - 1 :]
    assert len(warm) > 1000
    assert np.isfinite(warm.to_numpy()).all(), warm.columns[~np.isfinite(warm).all()].tolist()
    assert warm.abs().max().max() < 1e5
