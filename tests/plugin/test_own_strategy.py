"""Strategies of one's own over the model's columns, through freqtrade itself."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from freqtrade.data.dataprovider import DataProvider
from freqtrade.enums import CandleType, RunMode
from freqtrade.exceptions import OperationalException
from freqtrade.freqai.data_kitchen import FreqaiDataKitchen
from freqtrade.resolvers import ExchangeResolver, StrategyResolver
from sqlalchemy import create_engine, text

from freqai_signals.plugin.installation.adapters import MODEL
from freqai_signals.plugin.installation.setup import example_strategies
from freqai_signals.report.data.backtest_record import read_run
from freqai_signals.sandbox.exchange.app import create_exchange
from freqai_signals.sandbox.exchange.clock import Clock, wall_clock_ms
from freqai_signals.sandbox.exchange.server import serving
from freqai_signals.sandbox.exchange.timeframes import resample
from tests.plugin.conftest import PAIRS, Bench, Run, market_candles, small_config, write_candles

HEAD = """
from freqtrade.strategy import IStrategy
from freqai_signals.plugin.signal_columns import SignalColumns
from freqai_signals.plugin import strategy
"""
# Written against the docs alone: own indicators, entries, exits, start-up, no super() anywhere.
OWN = """
class Own(SignalColumns, IStrategy):
    minimal_roi = {"0": 0.05}
    stoploss = -0.05
    startup_candle_count = 900
    seen = {}

    def bot_start(self, **kwargs):
        self.started = True

    def populate_indicators(self, dataframe, metadata):
        dataframe["doubled"] = 2 * dataframe["proba_move"]
        return dataframe

    def feature_engineering_standard(self, dataframe, metadata, **kwargs):
        dataframe["%-own"] = dataframe["close"].pct_change()
        return dataframe

    def set_freqai_targets(self, dataframe, metadata, **kwargs):
        dataframe["&s-own"] = dataframe["close"].shift(-5)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        rows = (dataframe["do_predict"] == 1) & (dataframe["doubled"] > 0.5)
        dataframe.loc[rows & (dataframe.index % 7 == 0), ["enter_long", "enter_tag"]] = (1, "mine")
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["proba_sell"] > 0.9, "exit_long"] = 1
        return dataframe
"""
SUBCLASS = """
class Own(strategy.LightGBMSignalStrategy):
    def populate_entry_trend(self, dataframe, metadata):
        rows = (dataframe["do_predict"] == 1) & (dataframe["proba_buy"] > 0.5)
        dataframe.loc[rows, ["enter_long", "enter_tag"]] = (1, "mine")
        return dataframe
"""


def configured(bench: Bench, folder: Path, runmode: RunMode, code: str, **changes: Any) -> Any:
    """freqtrade's config for the class ``Own`` of this code, or for a class of that name."""
    strategies = folder / "strategies"
    strategies.mkdir(parents=True)
    if code in example_names():
        # The small market of the tests trends: it is never as calm as the example asks for.
        example = example_strategies()[f"strategies/{code}.py"]
        (strategies / f"{code}.py").write_text(example.replace("default=0.35", "default=0.90"))
        name = code
    else:
        (strategies / "own.py").write_text(HEAD + code)
        name = "Own"
    config = bench.config(folder, runmode, small_config(**changes))
    return config | {"strategy": name, "strategy_path": str(strategies)}


def example_names() -> list[str]:
    return [Path(path).stem for path in example_strategies()]


def backtested(bench: Bench, folder: Path, code: str, **changes: Any) -> tuple[Run, dict[str, Any]]:
    """A whole backtest: its frames and log, and freqtrade's own results."""
    config = configured(bench, folder, RunMode.BACKTEST, code, **changes)
    run = bench.run(config, folder, whole=True)
    assert run.backtesting is not None
    return run, run.backtesting.results["strategy"][config["strategy"]]


@pytest.fixture(scope="module")
def own(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, dict[str, Any]]:
    return backtested(bench, tmp_path_factory.mktemp("own"), OWN)


# Backtest


def test_a_strategy_without_any_super_gets_predictions_and_trades(
    own: tuple[Run, dict[str, Any]], first_run: Run
) -> None:
    run, results = own
    predicted = run.predictions()
    trusted = predicted[predicted["do_predict"] == 1]
    assert len(trusted) > 100
    np.testing.assert_array_equal(trusted["proba_move"], 1 - trusted["proba_hold"])
    np.testing.assert_array_equal(trusted["doubled"], 2 * trusted["proba_move"])
    assert results["total_trades"] > 0
    assert {trade["enter_tag"] for trade in results["trades"]} == {"mine"}
    # Its own feature is learned beside ours.
    assert not predicted["proba_buy"].equals(first_run.predictions()["proba_buy"])
    assert len(run.said("set_freqai_targets of Own adds &s-own")) == 1


def test_the_longer_start_up_is_used(own: tuple[Run, dict[str, Any]], first_run: Run) -> None:
    assert own[0].strategy.startup_candle_count == 900
    assert first_run.strategy.startup_candle_count < 900


def test_own_entries_are_the_signals_of_the_report(own: tuple[Run, dict[str, Any]]) -> None:
    run, results = own
    report = read_run(run.user_data / "signals" / "reports" / "test")
    assert set(report.frames) == set(PAIRS)
    frame = report.frames["BTC/USDT"]
    signals = frame[frame["signal"] == 2]
    assert len(signals) > 0
    assert (signals["signal_strength"] >= 1).all()
    assert set(frame.loc[frame["do_predict"] != 1, "reject_reason"]) <= {"untrusted"}
    entered = {trade["open_date"] for trade in results["trades"] if trade["pair"] == "BTC/USDT"}
    opened = {date + pd.Timedelta("15min") for date in signals["date"]}
    assert {pd.Timestamp(date) for date in entered} <= opened


def test_a_subclass_of_ours_enters_by_its_own_rule_and_leaves_by_ours(
    bench: Bench, tmp_path: Path, first_run: Run
) -> None:
    run, results = backtested(bench, tmp_path, SUBCLASS)
    pd.testing.assert_frame_equal(run.predictions(), first_run.predictions())
    assert results["total_trades"] > 0
    assert {trade["enter_tag"] for trade in results["trades"]} == {"mine"}
    reasons = {trade["exit_reason"] for trade in results["trades"]}
    assert reasons & {"horizon", "stop_loss", "trailing_stop_loss", "opposite_signal"}
    report = read_run(run.user_data / "signals" / "reports" / "test")
    assert (report.frames["BTC/USDT"]["signal"] == 2).any()


@pytest.mark.parametrize("name", example_names())
def test_an_example_trades_only_on_its_side_of_the_gate(
    bench: Bench, tmp_path: Path, name: str
) -> None:
    folder = tmp_path / "binance"
    shutil.copytree(bench.folder, folder)
    for pair in PAIRS:
        stem = str(folder / pair.replace("/", "_"))
        resample(pd.read_feather(f"{stem}-15m.feather"), "4h").to_feather(f"{stem}-4h.feather")
    run, results = backtested(Bench(folder, bench.url), tmp_path / "user", name)
    assert results["total_trades"] > 0
    dates = [pd.Timestamp(t["open_date"]) for t in results["trades"] if t["pair"] == PAIRS[0]]
    frame = run.frames[PAIRS[0]].set_index("date")
    decided = frame.loc[[date - pd.Timedelta("15min") for date in dates]]
    assert (decided["do_predict"] == 1).all()
    if name == "LikelyMoveBreakout":
        assert (decided["proba_move"] >= 0.60).all()
    else:
        assert (decided["proba_move"] <= 0.90).all()
        assert frame["mean_4h"].notna().any()


def test_the_strategy_of_the_documents_runs_as_it_stands(
    bench: Bench, tmp_path: Path, repo: Path
) -> None:
    text = (repo / "docs" / "your-strategy.md").read_text()
    code = text.split("```python\n")[1].split("```")[0]
    run, _ = backtested(bench, tmp_path, code.replace("MyStrategy", "Own").replace("> 0.6", "> 0"))
    frame = run.predictions()
    documented = [line.split("`")[1::2] for line in text.splitlines() if line.startswith("| `")]
    assert {name for names in documented for name in names if "_" in name} <= {
        *frame, "do_predict"
    }  # fmt: skip
    report = read_run(run.user_data / "signals" / "reports" / "test")
    assert (report.frames["BTC/USDT"]["signal"] == 2).any()


# What is missing is said once


@pytest.mark.parametrize(
    ("changes", "model"), [({"freqai__enabled": False}, MODEL.name), ({}, "LightGBMClassifier")]
)
def test_another_model_or_none_is_refused_at_start(
    bench: Bench, tmp_path: Path, changes: dict[str, Any], model: str
) -> None:
    config = configured(bench, tmp_path, RunMode.BACKTEST, OWN, **changes)
    config["freqaimodel"] = model
    with pytest.raises(OperationalException, match="--freqaimodel LightGBMSignalClassifier"):
        bench.run(config, tmp_path)


def test_the_strategys_own_timeframe_is_the_models(bench: Bench, tmp_path: Path) -> None:
    code = OWN.replace("    seen = {}", '    timeframe = "15m"')
    config = configured(bench, tmp_path, RunMode.BACKTEST, code)
    del config["timeframe"]
    strategy = StrategyResolver.load_strategy(config)
    assert (strategy.timeframe, strategy.signal_settings.timeframe) == ("15m", "15m")


@pytest.mark.parametrize(
    ("switch", "base", "refused"),
    [
        ("process_only_new_candles", "Own", True),
        ("use_exit_signal", "Own", False),
        ("use_exit_signal", "Ours", True),
    ],
)
def test_a_switch_off_in_the_class_is_refused_as_in_the_config(
    bench: Bench, tmp_path: Path, switch: str, base: str, refused: bool
) -> None:
    """An own strategy may do without exit signals; ours would lose its horizon in silence."""
    ours = "\nclass Own(strategy.LightGBMSignalStrategy):\n    seen = {}\n"
    code = (OWN if base == "Own" else ours).replace("    seen = {}", f"    {switch} = False")
    config = configured(bench, tmp_path, RunMode.BACKTEST, code)
    if not refused:
        assert StrategyResolver.load_strategy(config).use_exit_signal is False
        return
    with pytest.raises(OperationalException, match=f"{switch}: must be true, got false"):
        StrategyResolver.load_strategy(config)


# Live


def test_a_live_bot_writes_own_entries_to_the_ledger_and_a_blocked_pair_enters_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, folder = wall_clock_ms(), tmp_path / "binance"
    first = pd.Timestamp(opened, unit="ms", tz="UTC").floor("15min") - pd.Timedelta(days=40)
    for seed, pair in enumerate(PAIRS):
        write_candles(folder, pair, market_candles(seed, days=40.2, first=first))
    always = OWN.replace("rows & (dataframe.index % 7 == 0)", "rows")
    always = always.replace('dataframe["doubled"] > 0.5', 'dataframe["doubled"] > 0')
    with serving(create_exchange(folder, Clock(lambda: opened), lambda line: None)) as url:
        bench = Bench(folder, url)
        config = configured(bench, tmp_path / "user", RunMode.DRY_RUN, always)
        exchange = ExchangeResolver.load_exchange(config)
        strategy = StrategyResolver.load_strategy(config)
        strategy.dp = DataProvider(config, exchange)
        strategy.ft_bot_start()
        strategy.freqai.live = strategy.freqai.scanning = True
        strategy.dp.current_whitelist = lambda: list(PAIRS)
        strategy.dp.refresh([(pair, "15m", CandleType.SPOT) for pair in PAIRS])

        def decided() -> pd.DataFrame:
            candles = strategy.dp.get_pair_dataframe(PAIRS[0], "15m")
            frame = strategy.advise_indicators(candles.copy(), {"pair": PAIRS[0]})
            return strategy.ft_advise_signals(frame, {"pair": PAIRS[0]})

        # No model yet: FreqAI only gets to know the strategy.
        candles = strategy.dp.get_pair_dataframe(PAIRS[0], "15m")
        abstains = strategy.advise_indicators(candles.copy(), {"pair": PAIRS[0]})
        assert abstains["proba_move"].iloc[-1] == 0
        data_kitchen = FreqaiDataKitchen(config, True, PAIRS[0])
        _, training, loading = data_kitchen.check_if_new_training_required(0)
        data_kitchen.set_paths(PAIRS[0], training.stopts)
        strategy.freqai.extract_data_and_train_model(
            training, PAIRS[0], strategy, data_kitchen, loading
        )

        last = decided().iloc[-1]
        assert (last["do_predict"], last["enter_long"], last["signal"]) == (1, 1, 2)

        blocked = strategy.freqai.operation._pair(PAIRS[0])
        limits = type(blocked.health_limits())(blocked="drift")
        monkeypatch.setattr(blocked, "health_limits", lambda: limits)
        last = decided().iloc[-1]
        assert (last["enter_long"], last["signal"], last["reject_reason"]) == (0, -1, "drift")
        strategy.freqai._on_stop()

    ledger = create_engine(f"sqlite:///{tmp_path / 'user' / 'signals' / 'ledger.sqlite'}")
    with ledger.connect() as connection:
        rows = connection.execute(text("select pair, signal from signals")).fetchall()
    assert [tuple(row) for row in rows] == [(PAIRS[0], "buy")]
