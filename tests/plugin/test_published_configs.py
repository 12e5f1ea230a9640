"""Configs as FreqAI's users write them, run by freqtrade."""

from pathlib import Path

import pytest
from freqtrade.enums import RunMode
from freqtrade.exceptions import OperationalException
from freqtrade.resolvers import StrategyResolver

from freqai_signals.report.data.backtest_record import read_run
from tests.plugin.conftest import PAIRS, Bench, small_config

SWITCHES = {
    "DI_threshold": 0.8,
    "weight_factor": 0.7,
    "include_shifted_candles": 2,
    "use_SVM_to_remove_outliers": True,
    "principal_component_analysis": True,
    "buffer_train_data_candles": 10,
    "noise_standard_deviation": 0.01,
}


def test_a_config_full_of_freqais_switches_is_backtested(bench: Bench, tmp_path: Path) -> None:
    config = small_config(exchange__pair_whitelist=["ETH/USDT"])
    features = config["freqai"]["signals"]["features"]
    del features["higher_timeframes"]
    features["groups"] = ["momentum", "higher_timeframes", "cross_asset"]
    config["freqai"] |= {"continual_learning": True, "fit_live_predictions_candles": 50}
    config["freqai"]["data_split_parameters"] |= {"shuffle": True, "random_state": 3}
    config["freqai"]["feature_parameters"] |= {
        **SWITCHES,
        "include_timeframes": ["15m", "1h", "2h"],
        "include_corr_pairlist": ["BTC/USDT"],
        "plot_feature_importances": 3,
    }
    run = bench.backtest(tmp_path / "user", config)
    assert (run.predictions("ETH/USDT")["do_predict"] == 1).mean() > 0.6
    assert run.strategy.signal_settings.features.higher_timeframes == ("1h", "2h")
    assert {model.card.pairs for model in run.models} == {PAIRS}, "correlated pairs join the pool"
    (told,) = run.said("WARNING", "These keys do nothing here")
    ignored = {*SWITCHES, "continual_learning", "fit_live_predictions_candles", "shuffle"}
    assert all(name in told for name in ignored)
    assert len(run.files("*-importances.html")) == 2
    bench.backtest(tmp_path / "user", config, whole=True)
    facts = read_run(tmp_path / "user" / "signals" / "reports" / "test").facts
    assert len(facts["ignored"]) == len(ignored)


def test_strict_refuses_the_same_config(bench: Bench, tmp_path: Path) -> None:
    config = small_config(freqai__signals__strict=True)
    config["freqai"]["feature_parameters"] |= SWITCHES
    with pytest.raises(OperationalException, match=r"7 problems(?s:.*)DI_threshold: 0\.8 does"):
        bench.backtest(tmp_path / "user", config)


def test_a_pattern_is_a_pool_in_a_backtest_too(bench: Bench, tmp_path: Path) -> None:
    run = bench.backtest(tmp_path / "user", small_config(exchange__pair_whitelist=[".*/USDT"]))
    assert {model.card.pairs for model in run.models} == {PAIRS}


def test_a_pattern_needs_no_fee_in_the_config(bench: Bench, tmp_path: Path) -> None:
    """Costs are asked for by the pair, not by the pattern that it stands for."""
    config = small_config(exchange__pair_whitelist=[".*/USDT"], freqai__signals__costs={})
    run = bench.backtest(tmp_path / "user", config)
    assert set(run.strategy._costs) == set(PAIRS)


def test_everything_that_works_against_us_comes_in_one_message(
    bench: Bench, tmp_path: Path
) -> None:
    wrong = small_config(
        use_exit_signal=False, startup_candle_count=30, process_only_new_candles=False,
        freqai__live_retrain_hours=10, freqai__expiration_hours=5, freqai__identifier="a b",
    )  # fmt: skip
    config = bench.config(tmp_path / "user", RunMode.DRY_RUN, wrong)
    with pytest.raises(OperationalException) as caught:
        StrategyResolver.load_strategy(config)
    text = str(caught.value)
    for key in (
        "use_exit_signal", "startup_candle_count", "process_only_new_candles",
        "freqai.expiration_hours", "freqai.identifier",
    ):  # fmt: skip
        assert f"- {key}: " in text
