"""What freqtrade 2026.9 really does (framework-facts.md), and that our adapters stand it."""

import time
import tracemalloc
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
import pandas as pd
import pytest
from datasieve.pipeline import Pipeline
from freqtrade.enums import RunMode
from freqtrade.exceptions import OperationalException
from freqtrade.freqai.data_kitchen import FreqaiDataKitchen
from freqtrade.resolvers import StrategyResolver
from freqtrade.resolvers.freqaimodel_resolver import FreqaiModelResolver
from freqtrade.strategy import IStrategy

from freqai_signals.plugin.freqai.data_kitchen import SignalDataKitchen
from freqai_signals.schema import LABEL_COLUMN, MODEL_COLUMNS, PROBA_COLUMNS, TRUST_COLUMN
from tests.plugin.conftest import REPO, Bench, Run, market_candles, small_config

PAIR = "BTC/USDT"


def loaded_candles() -> pd.DataFrame:
    candles = market_candles(0)
    return candles[candles["date"] < pd.Timestamp("2024-02-02", tz="UTC")]


def prepared(strategy: IStrategy, candles: pd.DataFrame) -> pd.DataFrame:
    frame = strategy.feature_engineering_standard(candles, {"pair": PAIR})
    return strategy.set_freqai_targets(frame, {"pair": PAIR})


@pytest.fixture
def data_kitchen(first_run: Run) -> FreqaiDataKitchen:
    return FreqaiDataKitchen(first_run.config, False, PAIR)


@pytest.fixture
def features(first_run: Run) -> pd.DataFrame:
    """The last 200 rows of the backtest as FreqAI hands them to ``predict``."""
    return prepared(first_run.strategy, loaded_candles()).tail(200).reset_index(drop=True)


@pytest.fixture
def freqai(first_run: Run, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Our model adapter with the model of its last window, which FreqAI drops after a run."""
    adapter = first_run.strategy.freqai
    monkeypatch.setattr(adapter, "model", first_run.models[-1])
    return adapter


# Loading


def test_both_adapters_load_through_freqtrades_resolvers(bench: Bench, tmp_path: Path) -> None:
    """A file that freqtrade cannot execute is only "not found" there."""
    config = bench.config(tmp_path / "user", RunMode.BACKTEST, small_config())
    strategy = StrategyResolver.load_strategy(config)
    model = FreqaiModelResolver.load_freqaimodel(config)
    assert type(strategy).__name__ == "LightGBMSignalStrategy"
    assert type(model).__name__ == "LightGBMSignalClassifier"
    assert Path(strategy.__file__) == REPO / "strategies" / "LightGBMSignalStrategy.py"


def test_both_adapter_classes_can_be_sent_to_the_workers_of_hyperopt(
    bench: Bench, tmp_path: Path
) -> None:
    """Their file is no module, so a class travels by value with all that its methods hold."""
    config = bench.config(tmp_path / "user", RunMode.BACKTEST, small_config())
    for adapter in (
        StrategyResolver.load_strategy(config),
        FreqaiModelResolver.load_freqaimodel(config),
    ):
        sent = cloudpickle.loads(cloudpickle.dumps(type(adapter)))
        assert sent.__name__ == type(adapter).__name__


def test_a_dataclass_with_postponed_annotations_in_an_adapter_file_is_not_found(
    bench: Bench, tmp_path: Path
) -> None:
    """Why adapters hold none: the loader does not register their file as a module."""
    source = (REPO / "strategies" / "LightGBMSignalStrategy.py").read_text()
    folder = tmp_path / "strategies"
    folder.mkdir()
    naive = "from __future__ import annotations\nfrom dataclasses import dataclass, KW_ONLY\n"
    naive += "@dataclass\nclass State:\n    value: int = 0\n"
    (folder / "LightGBMSignalStrategy.py").write_text(naive + source)
    config = bench.config(tmp_path / "user", RunMode.BACKTEST, small_config())
    config["strategy_path"] = str(folder)
    with pytest.raises(OperationalException, match="Impossible to load Strategy"):
        StrategyResolver.load_strategy(config)


@pytest.mark.parametrize("folder", ["strategies", "freqai_models"])
def test_adapter_files_hold_one_public_class_and_no_dataclass(folder: str) -> None:
    import ast

    (path,) = (REPO / folder).glob("LightGBM*.py")
    tree = ast.parse(path.read_text())
    public = [
        node.name
        for node in tree.body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    ]
    assert public == [path.stem]
    assert "dataclass" not in path.read_text().replace("no dataclass", "")
    assert "from __future__" not in path.read_text()


# Traps


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_trap_01_rows_with_nan_or_infinite_features_are_not_trusted(
    bad: float, first_run: Run, data_kitchen: FreqaiDataKitchen, features: pd.DataFrame, freqai: Any
) -> None:
    """FreqAI's classifier overwrites the mask of such rows with ones (BaseClassifierModel:127)."""
    names = [name for name in features if name.startswith("%")]
    spoilt = features.copy()
    spoilt.iloc[3, spoilt.columns.get_loc(names[0])] = bad
    spoilt.iloc[7, spoilt.columns.get_loc(names[-1])] = bad
    clean, trusted_before = freqai.predict(features, data_kitchen)
    predicted, trusted = freqai.predict(spoilt, data_kitchen)
    assert trusted_before[[3, 7]].tolist() == [1, 1]
    assert trusted[[3, 7]].tolist() == [0, 0]
    assert (predicted.loc[[3, 7], list(PROBA_COLUMNS)].to_numpy() == [0, 1, 0]).all()
    others = np.setdiff1d(np.arange(200), [3, 7])
    pd.testing.assert_frame_equal(clean.loc[others], predicted.loc[others], check_exact=True)
    assert np.isfinite(predicted.to_numpy()).all()


def test_trap_02_no_column_is_renamed_to_a_signal(first_run: Run) -> None:
    """freqtrade renames ``buy`` to ``enter_long``, ``sell`` to ``exit_long`` where those lack."""
    frame = first_run.frames[PAIR]
    assert not {"buy", "sell"} & {*frame.columns, *MODEL_COLUMNS}
    advised = first_run.strategy.ft_advise_signals(frame.copy(), {"pair": PAIR})
    for name in ("enter_long", "exit_long"):
        assert set(advised[name].dropna().unique()) <= {0, 1}
        assert advised[name].fillna(0).sum() < 0.5 * len(advised)


def test_trap_03_predictions_have_all_columns_for_any_number_of_rows(
    first_run: Run, data_kitchen: FreqaiDataKitchen, features: pd.DataFrame, freqai: Any
) -> None:
    for rows in (1, 2, 200):
        predicted, trusted = freqai.predict(features.tail(rows), data_kitchen)
        assert list(predicted) == list(MODEL_COLUMNS)
        assert len(predicted) == len(trusted) == rows


def test_trap_06_extra_returns_are_scalars_and_no_dictionary_is_shared(
    first_run: Run, features: pd.DataFrame, freqai: Any
) -> None:
    """FreqAI hands the config's own dictionary to every kitchen (data_kitchen:99)."""
    config = first_run.config
    stock = [FreqaiDataKitchen(config, False, pair) for pair in ("BTC/USDT", "ETH/USDT")]
    shared = [data_kitchen.data["extra_returns_per_train"] for data_kitchen in stock]
    configured = config["freqai"].get("extra_returns_per_train")
    if configured is not None:
        assert shared[0] is shared[1] is configured
    for data_kitchen in stock:
        freqai.predict(features, data_kitchen)
    own = [data_kitchen.data["extra_returns_per_train"] for data_kitchen in stock]
    assert own[0] is not own[1]
    assert config["freqai"].get("extra_returns_per_train") == configured
    assert all(np.isscalar(value) for value in own[0].values())
    for name in ("labels_mean", "labels_std"):
        assert stock[0].data[name] is not stock[1].data[name]


def test_trap_07_the_unknown_future_has_no_class(first_run: Run) -> None:
    """``np.where(close.shift(-n) > close, ...)`` gives the last rows a class; live keeps them."""
    frame = first_run.strategy.set_freqai_targets(market_candles(0), {"pair": PAIR})
    assert frame[LABEL_COLUMN].iloc[-1:].isna().all()
    naive = np.where(frame["close"].shift(-8) > frame["close"] * 1.002, 2.0, 1.0)
    assert not np.isnan(naive[-8:]).any()
    later = first_run.strategy.set_freqai_targets(market_candles(0).iloc[:-50], {"pair": PAIR})
    known = later[LABEL_COLUMN].notna()
    assert not known.iloc[-1]
    np.testing.assert_array_equal(
        later.loc[known, LABEL_COLUMN], frame[LABEL_COLUMN].iloc[:-50][known]
    )


def test_trap_09_targets_are_fast_enough_to_be_made_twice_a_window(first_run: Run) -> None:
    """FreqAI labels all earlier rows twice per window; a row by row loop takes minutes."""
    long = pd.concat([market_candles(0, days=600)], ignore_index=True)
    first_run.strategy.set_freqai_targets(long.head(1000), {"pair": PAIR})
    began = time.perf_counter()
    frame = first_run.strategy.set_freqai_targets(long, {"pair": PAIR})
    assert time.perf_counter() - began < 1.0
    again = first_run.strategy.set_freqai_targets(frame, {"pair": PAIR})
    assert not again.columns.duplicated().any()
    pd.testing.assert_frame_equal(frame, again)


def test_trap_12_a_model_needs_no_pipeline_of_freqai(
    first_run: Run, features: pd.DataFrame, freqai: Any
) -> None:
    """Whatever pipeline FreqAI loads beside a model, the last window's or none, counts nothing."""
    plain, stale = (FreqaiDataKitchen(first_run.config, False, PAIR) for _ in range(2))
    stale.feature_pipeline = first_run.strategy.freqai.define_data_pipeline()
    one, _ = freqai.predict(features, plain)
    other, _ = freqai.predict(features, stale)
    pd.testing.assert_frame_equal(one, other, check_exact=True)


def test_trap_18_models_lie_outside_what_the_analysis_commands_delete(first_run: Run) -> None:
    deleted = first_run.user_data / "models" / "test"
    assert first_run.files("*_prediction.feather")
    folder = first_run.strategy.freqai.store.folder
    assert list(folder.glob("*.model"))
    assert deleted not in folder.parents


def test_trap_20_telling_strange_rows_takes_no_square_of_rows(
    first_run: Run, data_kitchen: FreqaiDataKitchen, features: pd.DataFrame, freqai: Any
) -> None:
    """FreqAI's dissimilarity index holds an N x N matrix: 20,000 rows are 3.2 GB."""
    many = pd.concat([features] * 100, ignore_index=True)
    tracemalloc.start()
    freqai.predict(many, data_kitchen)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 40 * many.to_numpy(dtype=object).size


def test_trap_20_the_dissimilarity_index_is_switched_off(bench: Bench, tmp_path: Path) -> None:
    config = small_config(freqai__feature_parameters__DI_threshold=1.0)
    merged = bench.config(tmp_path / "user", RunMode.BACKTEST, config)
    loaded = FreqaiModelResolver.load_freqaimodel(merged)
    assert loaded.ft_params["DI_threshold"] == 0
    assert merged["freqai"]["feature_parameters"]["DI_threshold"] == 1.0


def test_trap_21_pipelines_share_no_steps(
    first_run: Run, monkeypatch: pytest.MonkeyPatch, freqai: Any
) -> None:
    """datasieve's default list of steps is shared by all pipelines made without one."""
    naive, other = Pipeline(), Pipeline()
    naive.append(("x", object()))
    leaked = len(other.steps)
    naive.steps.clear()
    assert leaked == 1, "datasieve was mended: Pipeline() would do"

    model = freqai
    made: list[Any] = []
    monkeypatch.setattr(model, "fit", lambda data, data_kitchen: model.model)
    for _ in range(2):
        data_kitchen = FreqaiDataKitchen(first_run.config, False, PAIR)
        data_kitchen.training_features_list = []
        model.train(pd.DataFrame(), PAIR, data_kitchen)
        made += [data_kitchen.feature_pipeline, data_kitchen.label_pipeline]
    made[0].append(("x", object()))
    assert [len(pipeline.steps) for pipeline in made] == [1, 0, 0, 0]


def test_features_added_by_the_user_elsewhere_are_named_as_unused(
    first_run: Run, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, freqai: Any
) -> None:
    model = freqai
    monkeypatch.setattr(model, "fit", lambda data, data_kitchen: model.model)
    data_kitchen = FreqaiDataKitchen(first_run.config, False, PAIR)
    data_kitchen.training_features_list = ["%-mine"]
    model.train(pd.DataFrame(), PAIR, data_kitchen)
    assert "%-mine" in caplog.text
    assert "not used" in caplog.text


def test_freqai_merges_nothing_for_hooks_that_expand_nothing(
    first_run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    data_kitchen = FreqaiDataKitchen(first_run.config, False, PAIR)
    SignalDataKitchen.adopt(data_kitchen)
    merged: list[str] = []

    def merge(self: Any, dataframe: pd.DataFrame, *others: Any) -> pd.DataFrame:
        merged.append(others[-1])
        return dataframe

    monkeypatch.setattr(FreqaiDataKitchen, "merge_features", merge)
    strategy, candles = first_run.strategy, loaded_candles()
    frames = ({}, {first_run.config["timeframe"]: candles})
    assert data_kitchen.populate_features(candles, PAIR, strategy, *frames) is candles
    assert merged == []
    # A user's subclass that expands gets its columns as from FreqAI itself.
    expanding = type(
        "Expanding", (type(strategy),), {"feature_engineering_expand_basic": lambda s, f, **k: f}
    )
    user = expanding.__new__(expanding)
    user.__dict__.update(strategy.__dict__)
    data_kitchen.populate_features(candles, PAIR, user, *frames)
    assert "gen" in merged


def test_a_live_frame_predicts_as_the_backtest_does(
    first_run: Run, data_kitchen: FreqaiDataKitchen, freqai: Any
) -> None:
    """The last 1000 candles alone give the same columns as the whole history."""
    strategy, candles = first_run.strategy, loaded_candles()
    whole = prepared(strategy, candles).tail(20)
    recent = candles.tail(strategy.startup_candle_count + 19).reset_index(drop=True)
    short = prepared(strategy, recent).tail(20)
    one, trusted = freqai.predict(whole, data_kitchen)
    other, _ = freqai.predict(short, data_kitchen)
    assert trusted.mean() > 0.8
    np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-9)


def test_do_predict_is_zero_or_one(
    first_run: Run, data_kitchen: FreqaiDataKitchen, features: pd.DataFrame, freqai: Any
) -> None:
    halted = features.assign(volume=np.where(np.arange(len(features)) == 5, 0.0, 1.0))
    _, trusted = freqai.predict(halted, data_kitchen)
    assert trusted.dtype.kind == "i"
    assert trusted[5] == 0
    assert set(trusted) == {0, 1}
    assert TRUST_COLUMN == "do_predict"
