"""A short backtest by freqtrade itself: contract columns, cache, leaks, windows that abstain."""

import gc
import os
import shutil
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from freqtrade.enums import RunMode
from freqtrade.exceptions import OperationalException
from freqtrade.freqai.data_kitchen import FreqaiDataKitchen
from freqtrade.optimize.backtesting import Backtesting

from freqai_signals.dataset.pair_tables import PairTables, add_labels
from freqai_signals.plugin import model as model_module
from freqai_signals.plugin.model import LightGBMSignalClassifier
from freqai_signals.plugin.strategy import LightGBMSignalStrategy
from freqai_signals.report.data.backtest_frames import run_frames
from freqai_signals.report.data.backtest_record import read_run
from freqai_signals.report.page.page_data import PageData
from freqai_signals.report.page.parts.decision_sections import tier_section
from freqai_signals.schema import LABEL_COLUMN, MODEL_COLUMNS, PROBA_COLUMNS, TRUST_COLUMN
from freqai_signals.settings import SignalSettings
from freqai_signals.training import worker_processes
from tests.plugin.conftest import PAIRS, Bench, Run, market_candles, small_config, write_candles

COLUMNS = [*MODEL_COLUMNS, TRUST_COLUMN]


def assert_same_predictions(one: Run, other: Run) -> None:
    for pair in PAIRS:
        pd.testing.assert_frame_equal(
            one.predictions(pair)[COLUMNS], other.predictions(pair)[COLUMNS], check_exact=True
        )


def assert_abstains(frame: pd.DataFrame) -> None:
    assert (frame["&-signal"] == 1).all()
    assert (frame[list(PROBA_COLUMNS)].to_numpy() == [0.0, 1.0, 0.0]).all()
    assert (frame[["confidence", "expected_return"]] == 0).all(axis=None)
    assert (frame[TRUST_COLUMN] != 1).all()


def test_every_row_of_the_backtest_keeps_the_contract(first_run: Run) -> None:
    for pair in PAIRS:
        frame = first_run.predictions(pair)
        assert len(frame) == 4 * 96
        assert set(COLUMNS) <= set(frame)
        proba = frame[list(PROBA_COLUMNS)].to_numpy()
        np.testing.assert_allclose(proba.sum(axis=1), 1.0, atol=1e-9)
        assert ((proba >= 0) & (proba <= 1)).all()
        assert frame["confidence"].between(0, 1).all()
        assert np.isfinite(frame["expected_return"]).all()
        assert frame["&-signal"].isin([0, 1, 2]).all()
        trusted = frame[TRUST_COLUMN] == 1
        assert trusted.mean() > 0.8
        np.testing.assert_array_equal(frame["&-signal"], proba.argmax(axis=1))
        assert_abstains(frame[~trusted])
        assert frame.loc[trusted, "model_id"].nunique() == 2
        assert not any(name.endswith(("_mean", "_std")) for name in frame)


def test_a_backtest_holds_the_candles_of_a_pair_once(bench: Bench, tmp_path: Path) -> None:
    merged = bench.config(tmp_path / "user", RunMode.BACKTEST, small_config())
    backtesting = Backtesting(merged)
    data, _ = backtesting.load_bt_data()
    backtesting._set_strategy(backtesting.strategylist[0])
    strategy = backtesting.strategy
    frames = strategy.advise_all_indicators(data)
    for pair in PAIRS:
        close = data[pair]["close"].to_numpy()
        decided = strategy.ft_advise_signals(frames[pair], {"pair": pair})
        # freqtrade's own, the strategy's in each phase, and those that models are trained on.
        for frame in (frames[pair], decided, strategy.training_candles(pair)):
            assert np.shares_memory(frame["close"].to_numpy(), close)
            assert not any(name.endswith("_count") for name in frame)
        loaded = strategy.dp.historic_ohlcv(pair, "15m")
        pd.testing.assert_frame_equal(strategy.training_candles(pair), loaded, check_exact=True)
    strategy.ft_bot_start()
    assert not np.shares_memory(strategy.training_candles(PAIRS[0])["close"].to_numpy(), close)


def test_a_strategy_may_change_what_a_backtest_keeps_in_files(
    bench: Bench, user_data_of_first_run: Path
) -> None:
    strategy = bench.backtest(user_data_of_first_run).strategy

    class Changing(type(strategy)):  # type: ignore[misc]
        def populate_entry_trend(
            self, dataframe: pd.DataFrame, metadata: dict[str, Any]
        ) -> pd.DataFrame:
            entered: pd.DataFrame = super().populate_entry_trend(dataframe, metadata)
            entered.loc[entered.index[-9:], ["close", "proba_buy"]] = 0.25
            entered["volume"] *= 2
            return entered

    strategy.__class__ = Changing
    before = {pair: strategy.training_candles(pair).copy() for pair in PAIRS}
    frames = strategy.advise_all_indicators({pair: before[pair].copy() for pair in PAIRS})
    for pair, frame in frames.items():
        proba = frame["proba_buy"].copy()
        decided = strategy.ft_advise_signals(frame, {"pair": pair})
        # What a callback may do with what freqtrade gives it.
        shown = decided.iloc[5:]
        shown.loc[shown.index[:3], "high"] = 0.0
        assert (decided["high"] > 0).all()
        assert (decided[["close", "proba_buy"]].tail(9) == 0.25).all(axis=None)
        assert decided["proba_buy"].iloc[:-9].equals(proba.iloc[:-9])
        assert decided["volume"].equals(before[pair]["volume"] * 2)
        pd.testing.assert_frame_equal(strategy.training_candles(pair), before[pair])


def test_freqtrade_trades_on_the_signals(bench: Bench, user_data_of_first_run: Path) -> None:
    # Few days of past predictions prove no edge, so that rule has to be off.
    config = small_config(freqai__signals__decision__expected_value_rule=False)
    run = bench.backtest(user_data_of_first_run, config, whole=True)
    assert run.backtesting is not None
    results = run.backtesting.results["strategy"]["LightGBMSignalStrategy"]
    assert results["total_trades"] > 0
    tags = {trade["enter_tag"] for trade in results["trades"]}
    assert tags <= {"buy_weak", "buy_medium", "buy_strong"}


def test_report_counts_tiers_by_the_thresholds_that_hyperopt_found(
    bench: Bench, user_data_of_first_run: Path
) -> None:
    config = small_config(freqai__signals__decision__expected_value_rule=False)
    run = bench.backtest(user_data_of_first_run, config)
    strategy = run.strategy
    strategy.ft_bot_start()
    strategy.minimum_confidence.value, strategy.medium_step.value = 0.8, 0.2
    for pair in PAIRS:
        strategy.advise_entry(run.frames[pair], {"pair": pair})
    found = read_run(user_data_of_first_run / "signals" / "reports" / "test")
    settings = SignalSettings.model_validate(found.facts["settings"])
    assert settings.decision.lowest_confidence == 0.8
    assert settings.decision.medium == pytest.approx(0.84)
    frames = run_frames(found, user_data_of_first_run, user_data_of_first_run / "test")
    data = PageData(frames, settings, found.facts["round_trip_cost"])
    counted = tier_section(data).tables["Tiers"]["signals"].tolist()
    assert counted == [0] + [int((data.rows["strength"] == level).sum()) for level in (1, 2, 3)]
    assert sum(counted) > 0


def test_exits_of_a_parameter_file_are_named_as_not_learned(
    bench: Bench, user_data_of_first_run: Path, caplog: pytest.LogCaptureFixture
) -> None:
    strategy = bench.backtest(user_data_of_first_run).strategy
    caplog.clear()
    strategy.ft_bot_start()
    assert "parameter file" not in caplog.text
    strategy.stop_multiple.value, strategy.opposite_confidence.value = 2.0, 0.8
    strategy.ft_bot_start()
    assert "changes opposite_confidence = 0.8, stop_multiple = 2.0" in caplog.text


def test_one_model_a_window_serves_the_whole_pool(first_run: Run) -> None:
    ids = [set(first_run.predictions(pair)["model_id"]) for pair in PAIRS]
    assert ids[0] == ids[1]
    assert len(list((first_run.user_data / "signals" / "models").glob("*.model"))) == 2


def test_two_fresh_runs_agree_to_the_last_bit(bench: Bench, first_run: Run, tmp_path: Path) -> None:
    assert_same_predictions(bench.backtest(tmp_path / "user"), first_run)


@pytest.mark.parametrize("workers", [1, 2])
def test_models_are_the_same_however_many_pairs_are_prepared_at_a_time(
    workers: int, bench: Bench, first_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_processes.joblib, "cpu_count", lambda: 2)
    threads = threads_of_tables(monkeypatch)
    run = bench.backtest(tmp_path / "user", small_config(freqai__signals__workers=workers))
    assert (threads == {threading.main_thread()}) == (workers == 1)
    assert_same_predictions(run, first_run)
    # Named by the digest of their rows.
    written, first = (
        {path.name for path in (user / "signals" / "models").glob("*.model")}
        for user in (run.user_data, first_run.user_data)
    )
    assert written == first


@pytest.mark.parametrize(("megabytes", "expected"), [(0, 1), (25, 2), (10_000, 3)])
def test_so_many_pairs_are_prepared_at_a_time_as_memory_has_room_for(
    megabytes: int, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model: Any = LightGBMSignalClassifier.__new__(LightGBMSignalClassifier)
    model.store, model.strategy = SimpleNamespace(workers=3), SimpleNamespace()
    lengths = {"A": 8_000, "B": 12_000}
    model.strategy.training_candles = lambda pair: pd.DataFrame(index=range(lengths[pair]))
    model.strategy.round_trip_cost = lambda pair: 0.001
    monkeypatch.setattr(model_module, "has_own_hooks", lambda strategy: False)
    free = SimpleNamespace(available=megabytes * 10**6)
    monkeypatch.setattr(model_module.psutil, "virtual_memory", lambda: free)
    assert model._tables_at_a_time(["A", "B"]) == expected


@pytest.mark.parametrize(
    "name", ["feature_engineering_standard", "set_freqai_targets", "round_trip_cost"]
)
def test_a_strategys_own_hook_is_called_for_one_pair_at_a_time(
    name: str, bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_processes.joblib, "cpu_count", lambda: 2)
    threads, ours = threads_of_tables(monkeypatch), getattr(LightGBMSignalStrategy, name)

    def own(self: Any, *args: Any, **kwargs: Any) -> Any:
        return ours(self, *args, **kwargs)

    monkeypatch.setattr(LightGBMSignalStrategy, name, own)
    bench.backtest(tmp_path / "user")
    assert threads == {threading.main_thread()}


def threads_of_tables(monkeypatch: pytest.MonkeyPatch) -> set[threading.Thread]:
    """Filled with the threads that make features and labels."""
    threads, computed = set(), PairTables._computed

    def seen(self: PairTables, *args: Any) -> Any:
        threads.add(threading.current_thread())
        return computed(self, *args)

    monkeypatch.setattr(PairTables, "_computed", seen)
    return threads


# The prediction cache


def test_a_second_run_reuses_predictions_and_says_so(
    bench: Bench, first_run: Run, user_data_of_first_run: Path
) -> None:
    run = bench.backtest(user_data_of_first_run)
    assert len(run.said("Reusing cached predictions", "made from the same inputs")) == 4
    assert not run.said("not reused")
    assert not run.said("Reusing model")
    assert_same_predictions(run, first_run)


def test_an_analysis_after_a_simulation_sees_all_candles(
    bench: Bench, first_run: Run, user_data_of_first_run: Path
) -> None:
    """freqtrade's clock stays at the simulation's last candle, which it hides from later reads."""
    run = bench.backtest(user_data_of_first_run, whole=True)
    assert len(run.said("Reusing cached predictions")) == 2 * 4
    assert not run.said("not reused")
    for pair in PAIRS:
        assert len(run.strategy.dp.get_pair_dataframe(pair)) == len(first_run.frames[pair]) - 1
        pd.testing.assert_frame_equal(run.frames[pair], first_run.frames[pair], check_exact=True)


@pytest.mark.parametrize(
    "path_and_value",
    [("decision__weak", 0.6), ("decision__minimum_confidence", 0.5), ("sizing__method", "kelly")],
    ids=lambda pair: pair[0],
)
def test_settings_of_decisions_and_stakes_keep_predictions(
    path_and_value: tuple[str, Any], bench: Bench, user_data_of_first_run: Path
) -> None:
    path, value = path_and_value
    config = small_config(**{f"freqai__signals__{path}": value})
    run = bench.backtest(user_data_of_first_run, config)
    assert len(run.said("Reusing cached predictions")) == 4


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        ("freqai__signals__labels__k", 0.7, "setting labels"),
        ("freqai__signals__labels__kind", "volatility", "setting labels"),
        ("freqai__feature_parameters__label_period_candles", 6, "setting label_horizon_candles"),
        ("freqai__model_training_parameters__learning_rate", 0.2, "setting booster"),
        ("freqai__model_training_parameters__random_state", 3, "setting booster"),
        ("freqai__signals__features__groups", ["momentum", "volatility"], "setting features"),
        ("freqai__signals__calibration__method", "none", "setting calibration"),
        ("freqai__signals__model__row_step", 2, "setting model"),
        ("freqai__signals__costs__fee", 0.002, "round-trip cost"),
        ("freqai__data_split_parameters__test_size", 0.25, "setting validation_fraction"),
    ],
)
def test_trap_10_a_changed_setting_does_not_reuse_predictions_and_is_named(
    path: str, value: Any, named: str, bench: Bench, first_run: Run, user_data_of_first_run: Path
) -> None:
    run = bench.backtest(user_data_of_first_run, small_config(**{path: value}))
    assert len(run.said("are not reused, changed since", named)) == 4
    assert not run.said("Reusing cached predictions")
    before, after = (each.predictions()[COLUMNS] for each in (first_run, run))
    assert not before.equals(after)


def test_changed_exits_do_not_reuse_predictions(bench: Bench, user_data_of_first_run: Path) -> None:
    """Unlike the rest of a decision they change what a trade is worth, though no class."""
    config = small_config(freqai__signals__exits__stop_multiple=2.0)
    run = bench.backtest(user_data_of_first_run, config)
    assert len(run.said("are not reused, changed since", "setting exits")) == 4
    assert not run.said("Reusing cached predictions")


def test_a_backtest_begins_by_removing_predictions_beyond_their_size(
    bench: Bench, user_data_of_first_run: Path
) -> None:
    (folder,) = user_data_of_first_run.glob("models/*/backtesting_predictions")
    old = folder / "x.feather"
    old.write_bytes(bytes(20_000_000))
    os.utime(old, (0, 0))
    run = bench.backtest(
        user_data_of_first_run, small_config(freqai__signals__storage__prediction_megabytes=10)
    )
    assert not old.exists()
    assert len(run.said("Reusing cached predictions")) == 4


def test_trap_10_freqais_own_check_would_reuse_them(first_run: Run) -> None:
    """Row count and dates match whatever the labels were: this is what the fingerprint guards."""
    data_kitchen = FreqaiDataKitchen(first_run.config, False, "BTC/USDT")
    stop = int(data_kitchen.training_timeranges[0].stopts)
    data_kitchen.model_filename = f"cb_btc_usdt_{stop}"
    assert data_kitchen.check_if_backtest_prediction_is_valid(2 * 96)


@pytest.mark.parametrize("column", ["open", "high", "low", "close", "volume"])
def test_trap_10_one_changed_candle_value_does_not_reuse_predictions_and_is_named(
    column: str,
    first_run: Run,
    changed_candles: Callable[..., Bench],
    user_data_of_first_run: Path,
) -> None:
    """A candle in the second backtest window of the other pair of the pool."""

    def change(frame: pd.DataFrame) -> pd.DataFrame:
        at = frame["date"] == pd.Timestamp("2024-01-31 12:00", tz="UTC")
        factor = 0.999 if column == "low" else 1.001
        return frame.assign(**{column: frame[column].where(~at, frame[column] * factor)})

    run = changed_candles("ETH/USDT", change).backtest(user_data_of_first_run)
    assert len(run.said("are not reused", "candles of ETH/USDT")) == 2
    assert len(run.said("Reusing cached predictions")) == 2


def test_trap_11_another_quote_currency_has_its_own_files(
    bench: Bench, first_run: Run, user_data_of_first_run: Path
) -> None:
    """FreqAI names files after the base coin: these runs would share them."""
    config = small_config(
        exchange__pair_whitelist=["BTC/USDC"],
        stake_currency="USDC",
        freqai__signals__model__pool="pair",
    )
    run = bench.backtest(user_data_of_first_run, config)
    assert not run.said("Reusing cached predictions")
    names = [path.name for path in run.files("*_prediction.feather")]
    assert len([name for name in names if "btc_usdc" in name]) == 2
    assert len([name for name in names if "btc_usdt" in name]) == 2
    usdc, usdt = run.predictions("BTC/USDC"), first_run.predictions("BTC/USDT")
    assert not np.array_equal(usdc["proba_buy"], usdt["proba_buy"])
    again = bench.backtest(user_data_of_first_run)
    assert len(again.said("Reusing cached predictions")) == 4
    assert_same_predictions(again, first_run)


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(bytes(data))


@pytest.mark.parametrize("damage", [_truncate, _empty, _flip])
@pytest.mark.parametrize(
    "pattern", ["*_prediction.feather", "*.fingerprint.json", "*_metadata.json"]
)
def test_damaged_files_are_named_and_made_again(
    pattern: str,
    damage: Callable[[Path], None],
    bench: Bench,
    first_run: Run,
    user_data_of_first_run: Path,
) -> None:
    files = sorted((user_data_of_first_run / "models").rglob(pattern))
    assert len(files) == 4
    for path in files:
        damage(path)
    run = bench.backtest(user_data_of_first_run)
    assert_same_predictions(run, first_run)
    if pattern == "*_metadata.json" and damage is _flip:
        return
    for path in files:
        name = path.name.replace(".fingerprint.json", ".feather")
        assert any(name in line for line in run.said("damaged") + run.said("not reused")), name


def test_a_damaged_model_file_is_named_set_aside_and_trained_again(
    bench: Bench, first_run: Run, user_data_of_first_run: Path
) -> None:
    shutil.rmtree(user_data_of_first_run / "models")
    files = sorted((user_data_of_first_run / "signals" / "models").glob("*.model"))
    for path in files:
        _truncate(path)
    run = bench.backtest(user_data_of_first_run)
    for path in files:
        assert run.said(path.name, "set aside")
        assert path.with_suffix(".damaged").is_file()
    assert_same_predictions(run, first_run)


# Leaks and windows


def test_trap_08_candles_after_a_window_change_no_prediction_before_them(
    first_run: Run, changed_candles: Callable[..., Bench], tmp_path: Path
) -> None:
    cut = pd.Timestamp("2024-01-31 12:00", tz="UTC")

    def change(frame: pd.DataFrame) -> pd.DataFrame:
        late = frame["date"] >= cut
        prices = frame[["open", "high", "low", "close"]]
        return frame.assign(
            **prices.where(~late, prices * 1.5), volume=frame["volume"].where(~late, 1.0)
        )

    run = changed_candles("BTC/USDT", change).backtest(tmp_path / "user")
    for pair in PAIRS:
        before, after = first_run.predictions(pair), run.predictions(pair)
        early = before["date"] < cut
        pd.testing.assert_frame_equal(
            before.loc[early, COLUMNS], after.loc[early, COLUMNS], check_exact=True
        )
        assert not np.array_equal(before.loc[~early, "proba_buy"], after.loc[~early, "proba_buy"])


def test_trap_08_no_row_trains_whose_outcome_lies_in_the_backtest_window(first_run: Run) -> None:
    stops = [int(day.timestamp()) for day in pd.date_range("2024-01-29", "2024-01-31", freq="2D")]
    for stop, model in zip(stops, first_run.models, strict=True):
        assert model.trained_until < stop // 900
        assert pd.Timestamp(model.card.last).timestamp() < stop - 8 * 900
        assert set(model.card.pairs) == set(PAIRS)


def test_models_are_let_go_before_trades_are_simulated(bench: Bench, tmp_path: Path) -> None:
    run = bench.backtest(tmp_path / "user")
    models = [weakref.ref(model) for model in run.models]
    run.models.clear()
    gc.collect()
    assert [model() for model in models] == [None, None]


ONE_CLASS = {"freqai__signals__labels": {"kind": "fixed", "threshold": 0.9}}


@pytest.fixture(scope="module")
def one_class_run(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """No candle moves by 90 %: every window knows holds only."""
    return bench.backtest(tmp_path_factory.mktemp("one_class"), small_config(**ONE_CLASS))


def test_trap_03_a_missing_class_leaves_all_columns_and_abstains(one_class_run: Run) -> None:
    for pair in PAIRS:
        frame = one_class_run.predictions(pair)
        assert set(COLUMNS) <= set(frame)
        assert len(frame) == 4 * 96
        assert_abstains(frame)


def test_trap_04_windows_that_cannot_train_do_not_end_the_backtest(one_class_run: Run) -> None:
    reasons = one_class_run.said("it abstains", "class sell has 0 rows")
    assert len(reasons) == 4
    assert any("BTC/USDT" in line for line in reasons)
    assert not one_class_run.said("raised exception")


def test_trap_04_numeric_labels_leave_freqais_list_of_classes_empty(first_run: Run) -> None:
    """With text labels it grows by every window, and a failed window then ends the backtest."""
    ours, naive = (FreqaiDataKitchen(first_run.config, False, "BTC/USDT") for _ in range(2))
    frame = first_run.strategy.set_freqai_targets(market_candles(0), {"pair": "BTC/USDT"})
    text = frame.assign(**{"&-signal": frame["&-signal"].map({0: "sell", 1: "hold", 2: "buy"})})
    for _ in range(2):
        ours.get_unique_classes_from_labels(frame)
        naive.get_unique_classes_from_labels(text)
    assert ours.unique_class_list == []
    assert len(naive.unique_class_list) == 6


def test_an_abstaining_window_trades_nothing(bench: Bench, one_class_run: Run) -> None:
    strategy = one_class_run.strategy
    frame = strategy.ft_advise_signals(
        one_class_run.frames["BTC/USDT"].copy(), {"pair": "BTC/USDT"}
    )
    assert frame.get("enter_long", pd.Series(0)).fillna(0).eq(0).all()


def test_trap_15_rows_before_the_backtest_are_hold_and_not_sell(first_run: Run) -> None:
    """FreqAI fills them with zeros, and zero is the class sell."""
    frame = first_run.frames["BTC/USDT"]
    early = frame[frame["date"] < pd.Timestamp("2024-01-29", tz="UTC")]
    assert len(early) > 1000
    assert_abstains(early)


def test_trap_12_every_window_is_predicted_by_its_own_model(
    bench: Bench, first_run: Run, user_data_of_first_run: Path
) -> None:
    """Only the first window is made anew, after the second one was saved last."""
    first = sorted((user_data_of_first_run / "models").rglob("cb_btc_usdt_*_prediction.feather"))[0]
    first.unlink()
    run = bench.backtest(user_data_of_first_run)
    assert len(run.said("Reusing cached predictions")) == 3
    assert_same_predictions(run, first_run)
    own = pd.read_feather(first)
    facts = [set(own["model_id"]), set(first_run.predictions()["model_id"])]
    assert len(facts[0]) == 1
    assert facts[0] < facts[1]


def test_trap_18_deleting_freqais_folder_costs_no_model(
    bench: Bench, first_run: Run, user_data_of_first_run: Path
) -> None:
    """freqtrade's analysis commands delete it: ``shutil.rmtree(user_data/models/identifier)``."""
    shutil.rmtree(user_data_of_first_run / "models" / "test")
    run = bench.backtest(user_data_of_first_run)
    assert len(run.said("Reusing model", "rows, settings and code are unchanged")) == 2
    assert not run.said("Reusing cached predictions")
    assert_same_predictions(run, first_run)


def test_a_halt_and_a_hole_do_not_break_the_backtest(
    first_run: Run, changed_candles: Callable[..., Bench], tmp_path: Path
) -> None:
    """freqtrade fills holes with flat candles without volume: these rows are not trusted."""

    def change(frame: pd.DataFrame) -> pd.DataFrame:
        hole = frame["date"].between("2024-01-30 06:00", "2024-01-30 11:59")
        past = frame["date"].between("2024-01-20 06:00", "2024-01-20 11:59")
        return frame[~(hole | past)].reset_index(drop=True)

    run = changed_candles("BTC/USDT", change).backtest(tmp_path / "user")
    frame = run.predictions()
    hole = frame["date"].between("2024-01-30 06:00", "2024-01-30 11:59")
    assert hole.sum() == 24
    assert_abstains(frame[hole])
    assert (frame.loc[~hole, TRUST_COLUMN] == 1).mean() > 0.7


# Bad input before any training


def test_everything_wrong_in_the_settings_is_told_before_training(
    bench: Bench, tmp_path: Path
) -> None:
    config = small_config(
        freqai__signals__labels__k=-1.0,
        freqai__signals__colour="red",
        use_exit_signal=False,
    )
    with pytest.raises(OperationalException) as caught:
        bench.backtest(tmp_path / "user", config)
    for word in ("labels.k", "colour", "use_exit_signal"):
        assert word in str(caught.value)


def test_too_few_rows_abstain_with_a_reason(bench: Bench, tmp_path: Path) -> None:
    """Just so many that start-up lets them pass; purging takes some more."""
    config = small_config(freqai__signals__validation__min_rows=1082)
    run = bench.backtest(tmp_path / "user", config)
    assert len(run.said("it abstains", "fewer than the minimum of 1082")) == 2, "one window"
    rows = run.predictions()
    second = rows["date"] >= pd.Timestamp("2024-01-31", tz="UTC")
    silent = [rows[part] for part in (second, ~second) if (rows[part]["proba_hold"] == 1).all()]
    assert len(silent) == 1
    assert_abstains(silent[0])


def test_constant_candles_abstain_and_the_backtest_goes_on(bench: Bench, tmp_path: Path) -> None:
    folder = tmp_path / "binance"
    for pair in PAIRS:
        flat = market_candles(0).assign(open=1.0, high=1.0, low=1.0, close=1.0)
        write_candles(folder, pair, flat)
    run = Bench(folder, bench.url).backtest(tmp_path / "user")
    assert len(run.said("it abstains")) == 4
    for pair in PAIRS:
        assert_abstains(run.predictions(pair))


# Nothing is computed twice


def test_a_pair_is_labelled_once_by_the_users_own_hook(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FreqAI asks twice a window; the report and the pool's tables take what there is."""
    asked: list[str] = []
    own = LightGBMSignalStrategy.set_freqai_targets

    def inverted(
        self: Any, dataframe: pd.DataFrame, metadata: dict[str, Any], **kwargs: Any
    ) -> pd.DataFrame:
        asked.append(metadata["pair"])
        frame = own(self, dataframe, metadata, **kwargs)
        return frame.assign(**{LABEL_COLUMN: 2 - frame[LABEL_COLUMN]})

    # On the subclass that freqtrade loads, as a user would override it.
    monkeypatch.setattr(LightGBMSignalStrategy, "set_freqai_targets", inverted)
    run = bench.backtest(tmp_path / "user")
    for pair in PAIRS:
        run.strategy.ft_advise_signals(run.frames[pair].copy(), {"pair": pair})
    assert sorted(asked) == sorted(PAIRS)
    found = read_run(tmp_path / "user" / "signals" / "reports" / "test")
    for pair in PAIRS:
        rows = found.frames[pair]
        candles = run.strategy.training_candles(pair)
        by_hand = add_labels(
            candles, run.strategy.signal_settings, run.strategy.round_trip_cost(pair)
        )
        expected = 2 - by_hand.set_index("date")[LABEL_COLUMN].reindex(rows["date"]).to_numpy()
        np.testing.assert_array_equal(rows["outcome"].to_numpy(), expected)
        table = run.strategy.tables.table(pair, run.strategy)
        np.testing.assert_array_equal(table.labels[LABEL_COLUMN], 2 - by_hand[LABEL_COLUMN])
    assert sorted(asked) == sorted(PAIRS)


@pytest.mark.parametrize("own_labels", [False, True])
def test_freqai_copies_no_features_about_unless_labels_of_the_users_may_need_them(
    bench: Bench,
    first_run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    own_labels: bool,
) -> None:
    seen: list[list[str]] = []
    slice_dataframe = FreqaiDataKitchen.slice_dataframe

    def recorded(self: Any, timerange: Any, frame: pd.DataFrame) -> pd.DataFrame:
        seen.append([name for name in frame.columns if "%" in name])
        return slice_dataframe(self, timerange, frame)

    monkeypatch.setattr(FreqaiDataKitchen, "slice_dataframe", recorded)
    if own_labels:
        own = LightGBMSignalStrategy.set_freqai_targets
        monkeypatch.setattr(
            LightGBMSignalStrategy,
            "set_freqai_targets",
            lambda self, frame, metadata, **kwargs: own(self, frame, metadata, **kwargs),
        )
    run = bench.backtest(tmp_path / "user")
    # Training and testing part of two windows of each pair.
    assert len(seen) == 2 * 2 * len(PAIRS)
    assert all(bool(names) == own_labels for names in seen)
    assert_same_predictions(run, first_run)
