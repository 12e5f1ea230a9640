"""Keys that would fail later or take something away in silence, each with its fix."""

from typing import Any

import pytest

from freqai_signals.preflight.findings import Level
from freqai_signals.preflight.settings_checks import (
    freqai_can_work,
    freqtrade_works_with_us,
    lead_pair_is_there,
    shorter_memory,
    timeframe_fits_exchange,
    windows_hold_rows,
)
from freqai_signals.preflight.situation import ExchangeFacts
from freqai_signals.settings import SignalSettings
from tests.preflight.situations import config_of, found, situation

BINANCE = ExchangeFacts("binance", 1000, True)


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"startup_candle_count": 30}, "startup_candle_count"),
        ({"process_only_new_candles": False}, "process_only_new_candles"),
        ({"use_exit_signal": False}, "use_exit_signal"),
    ],
)
def test_keys_that_work_against_us_are_errors_with_their_fix(
    changes: dict[str, Any], key: str
) -> None:
    at = situation(config_of("A/USDT", **changes), purpose="trade")
    (finding,) = found(freqtrade_works_with_us, at, Level.ERROR)
    assert finding.what.startswith(f"{key}: ")
    assert finding.why
    assert finding.fix.startswith("remove the key")


def test_the_very_start_up_length_is_enough() -> None:
    needed = situation(config_of("A/USDT")).startup_candles
    for given, errors in ((needed, 0), (needed - 1, 1)):
        at = situation(config_of("A/USDT", startup_candle_count=given), purpose="backtest")
        assert len(found(freqtrade_works_with_us, at, Level.ERROR)) == errors


def test_commands_that_vary_the_start_up_length_may_do_so() -> None:
    at = situation(config_of("A/USDT", startup_candle_count=30), purpose="look")
    assert not found(freqtrade_works_with_us, at, Level.ERROR)


def test_exits_of_a_users_own_strategy_are_the_users_business() -> None:
    at = situation(config_of("A/USDT", use_exit_signal=False), own_exits=False)
    assert not found(freqtrade_works_with_us, at, Level.ERROR)


@pytest.mark.parametrize(
    ("retrain", "expires", "errors"),
    [(10, 5, 1), (10, 10, 0), (10, 0, 0), (0, 5, 0), (10, 20, 0)],
)
def test_models_must_not_expire_before_the_next_is_due(
    retrain: int, expires: int, errors: int
) -> None:
    hours = {"freqai__live_retrain_hours": retrain, "freqai__expiration_hours": expires}
    at = situation(config_of("A/USDT", **hours))
    assert len(found(freqai_can_work, at, Level.ERROR)) == errors


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("freqai__identifier", "a/b"),
        ("freqai__identifier", "a\0b"),
        ("freqai__identifier", ".."),
        ("freqai__identifier", ""),
        ("freqai__identifier", "x" * 65),
        ("freqai__identifier", 5),
        ("freqai__live_retrain_hours", 10**9),
        ("freqai__live_retrain_hours", -1),
        ("freqai__expiration_hours", float("nan")),
        ("freqai__backtest_period_days", 0),
        ("freqai__backtest_period_days", 2**70),
        ("freqai__backtest_period_days", True),
        ("fee", float("nan")),
        ("fee", 0.5),
        ("fee", "0.001"),
    ],
)
def test_numbers_and_names_that_freqai_would_trip_over(path: str, value: Any) -> None:
    at = situation(config_of("A/USDT", **{path: value}))
    (finding,) = found(freqai_can_work, at, Level.ERROR)
    assert finding.what.startswith(path.replace("__", "."))
    assert repr(value) in finding.what


def test_pools_too_are_refused_windows_without_rows() -> None:
    """A day of 15-minute candles, every 7th: 40 rows a pair after horizon and step."""
    config = config_of("A/USDT", "B/USDT", timeframe="15m", freqai__train_period_days=3)
    config["freqai"]["feature_parameters"] = {"label_period_candles": 8}
    (finding,) = found(windows_hold_rows, situation(config), Level.ERROR)
    # (288 - 8) // 7 rows a pair, of which 15 % are held out.
    assert "40 rows a pair of 2, 68 of them to train on" in finding.what
    assert "row_step" in finding.fix
    config["freqai"]["signals"] = {"validation": {"min_rows": 68}}
    assert not found(windows_hold_rows, situation(config), Level.ERROR)


def test_pools_that_pairlists_find_are_not_judged_by_a_guess() -> None:
    config = config_of(timeframe="1h", freqai__train_period_days=20)
    assert not found(windows_hold_rows, situation(config), Level.ERROR)


@pytest.mark.parametrize(
    ("timeframe", "errors"),
    [("1m", 1), ("5m", 0), ("15m", 0), ("1h", 0), ("4h", 0), ("1d", 0)],
)
def test_start_up_against_the_exchanges_limit(timeframe: str, errors: int) -> None:
    config = config_of("A/USDT", timeframe=timeframe, freqai__train_period_days=5000)
    at = situation(config, exchange=BINANCE)
    assert BINANCE.most_candles == 4999
    assert len(found(timeframe_fits_exchange, at, Level.ERROR)) == errors


def test_what_is_told_to_shorten_the_start_up_shortens_it() -> None:
    config = config_of("A/USDT", timeframe="1m")
    at = situation(config, exchange=BINANCE)
    (finding,) = found(timeframe_fits_exchange, at, Level.ERROR)
    assert "leave volatility (10081), volume (10081) out of" in finding.fix
    groups = [g for g in at.settings.features.groups if g not in ("volatility", "volume")]
    config["freqai"]["signals"] = {"features": {"groups": groups}}
    assert not found(timeframe_fits_exchange, situation(config, exchange=BINANCE), Level.ERROR)


def test_a_higher_timeframe_that_looks_too_far_back_is_named() -> None:
    settings = SignalSettings(timeframe="15m")
    settings = settings.model_copy(
        update={"features": settings.features.model_copy(update={"higher_timeframes": ("1d",)})}
    )
    assert "leave 1d out of" in shorter_memory(settings, 200)[0]


def test_an_exchange_without_history_is_no_place_for_freqai() -> None:
    kraken = ExchangeFacts("kraken", 720, False)
    (finding,) = found(
        timeframe_fits_exchange, situation(config_of("A/USDT"), exchange=kraken), Level.ERROR
    )
    assert "newest 720 candles" in finding.what
    allowed = config_of("A/USDT", timeframe="1h", freqai__override_exchange_checks=True)
    assert not found(timeframe_fits_exchange, situation(allowed, exchange=kraken), Level.ERROR)


def test_a_whitelist_that_the_pairlist_ignores_says_nothing_of_the_pool() -> None:
    """VolumePairList finds its pairs itself; what stands in the whitelist is left over."""
    left_over: dict[str, Any] = {
        "freqai__train_period_days": 15,
        "freqai__signals": {"features": {"lead_pair": "BTC"}, "model": {"row_step": 1}},
    }
    checks = (windows_hold_rows, lead_pair_is_there)
    named = situation(config_of("A/USDT", timeframe="1h", **left_over))
    volume = [{"method": "VolumePairList", "number_assets": 20}]
    found_by_volume = situation(config_of("A/USDT", timeframe="1h", pairlists=volume, **left_over))
    for check in checks:
        assert found(check, named, Level.ERROR), check
        assert not found(check, found_by_volume, Level.ERROR), check
