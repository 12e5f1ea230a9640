"""The strategy's trades: what opens them, what ends them, and when nothing may open."""

import copy
import shutil
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from freqtrade.enums import RunMode
from freqtrade.persistence import LocalTrade
from freqtrade.plugins.protectionmanager import ProtectionManager
from freqtrade.resolvers import StrategyResolver
from freqtrade.strategy import IStrategy
from freqtrade.strategy.strategy_wrapper import strategy_safe_wrapper

from freqai_signals.plugin.strategy import LightGBMSignalStrategy
from freqai_signals.schema import (
    BARRIER_COLUMN,
    PROBA_COLUMNS,
    RETURN_SCALE_COLUMN,
    TRADE_COST_COLUMN,
    VALUE_COLUMNS,
)
from freqai_signals.settings import ExitSettings, SignalSettings
from freqai_signals.trading.exits import barrier_prices
from freqai_signals.trading.thresholds import Thresholds
from tests.plugin.conftest import PAIRS, Bench, Run, small_config

CANDLE = pd.Timedelta(minutes=15)
HORIZON = 8
STOPPED = {"trailing_stop_loss", "stop_loss"}
FEE = 0.001

MANY = {"expected_value_rule": False, "repeat_window_candles": 0}

Trades = Callable[..., pd.DataFrame]


@pytest.fixture(scope="module")
def trades(bench: Bench, first_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Trades:
    """``trades(exits={...}, decision={...})``: a whole backtest on the first run's models."""
    user_data = tmp_path_factory.mktemp("trades") / "user"
    shutil.copytree(first_run.user_data, user_data)

    def run(**changes: Any) -> pd.DataFrame:
        config = small_config()
        changes["decision"] = MANY | changes.get("decision", {})
        for section, values in changes.items():
            signals = config["freqai"]["signals"]
            signals[section] = signals.get(section, {}) | values
        found = bench.backtest(user_data, config, whole=True)
        assert found.backtesting is not None
        listed = found.backtesting.results["strategy"]["LightGBMSignalStrategy"]["trades"]
        table = pd.DataFrame(listed)
        if table.empty:
            return table
        for name in ("open_date", "close_date"):
            table[name] = pd.to_datetime(table[name], utc=True)
        frames = pd.concat(found.frames, names=["pair"]).reset_index("pair")
        frames = frames.set_index(["pair", "date"])[[BARRIER_COLUMN, "do_predict"]]
        decided = zip(table["pair"], table["open_date"] - CANDLE, strict=True)
        rows = frames.loc[list(decided)].set_axis(["width", "trust"], axis=1)
        return table.join(rows.reset_index(drop=True))

    return run


@pytest.fixture(scope="module")
def only_time(trades: Trades) -> pd.DataFrame:
    return trades(exits={"opposite_signal": False, "stop_multiple": None})


# When a trade ends


def test_without_barriers_every_trade_lasts_exactly_the_label_horizon(
    only_time: pd.DataFrame,
) -> None:
    ended = only_time[only_time["exit_reason"] != "force_exit"]
    assert len(ended) > 20
    assert set(ended["exit_reason"]) == {"horizon"}
    assert (ended["close_date"] - ended["open_date"] == HORIZON * CANDLE).all()


def test_trade_opens_one_candle_after_a_trusted_row(only_time: pd.DataFrame) -> None:
    assert (only_time["trust"] == 1).all()
    assert not only_time["is_short"].any()
    assert set(only_time["enter_tag"]) <= {"buy_weak", "buy_medium", "buy_strong"}


def test_stop_lies_at_the_barrier_of_the_row_that_was_acted_on(trades: Trades) -> None:
    table = trades(exits={"opposite_signal": False, "stop_multiple": 0.1})
    stopped = table[table["exit_reason"].isin(STOPPED)]
    assert len(stopped) > 3
    stop = table["open_rate"] * (1 - 0.1 * table["width"])
    np.testing.assert_allclose(table["stop_loss_abs"], stop, rtol=2e-4)
    np.testing.assert_allclose(stopped["close_rate"], stop[stopped.index], rtol=2e-3)
    assert (stopped["close_date"] - stopped["open_date"] <= HORIZON * CANDLE).all()


def test_profit_barrier_pays_its_price_within_the_candle(trades: Trades) -> None:
    exits = {"opposite_signal": False, "stop_multiple": None, "profit_multiple": 0.7}
    table = trades(exits=exits)
    won = table[table["exit_reason"] == "roi"]
    assert len(won) > 3
    profit = won["open_rate"] * (1 + 0.7 * won["width"])
    # A candle that opens beyond the barrier pays its open.
    assert (won["close_rate"] >= profit * (1 - 2e-4)).all()
    assert np.isclose(won["close_rate"], profit, rtol=2e-4).mean() > 0.5


def test_opposite_signal_ends_a_trade_before_its_horizon(trades: Trades) -> None:
    table = trades(exits={"opposite_confidence": 0.0, "stop_multiple": None})
    turned = table[table["exit_reason"] == "opposite_signal"]
    assert len(turned) > 0
    assert (turned["close_date"] - turned["open_date"] <= HORIZON * CANDLE).all()


def test_higher_minimum_never_adds_an_entry_column(bench: Bench, first_run: Run) -> None:
    before: set[tuple[str, int]] | None = None
    strategy = first_run.strategy
    default = strategy.minimum_confidence.value
    try:
        for minimum in (0.5, 0.6, 0.75, 0.9, 0.97):
            strategy.minimum_confidence.value = minimum
            entered = set()
            for pair in PAIRS:
                frame = strategy.advise_entry(first_run.frames[pair].copy(), {"pair": pair})
                entered |= {(pair, row) for row in np.flatnonzero(frame["enter_long"])}
            assert before is None or entered <= before
            before = entered
    finally:
        strategy.minimum_confidence.value = default
    assert before is not None


# Columns


def test_live_sized_frame_decides_like_the_backtest(first_run: Run) -> None:
    names = ["enter_long", "enter_short", "exit_long", "exit_short", "signal_strength"]
    for pair in PAIRS:
        whole = first_run.frames[pair]
        metadata = {"pair": pair}

        def decided(frame: pd.DataFrame, metadata: dict[str, str] = metadata) -> pd.DataFrame:
            frame = first_run.strategy.advise_entry(frame.copy(), metadata)
            return first_run.strategy.populate_exit_trend(frame, metadata)[names].tail(60)

        pd.testing.assert_frame_equal(decided(whole), decided(whole.tail(1000)))


def test_a_subclass_gets_freqtrades_empty_tags_and_may_change_what_super_decides(
    first_run: Run,
) -> None:
    class Changed(type(first_run.strategy)):  # type: ignore[misc]
        def populate_entry_trend(self, dataframe: pd.DataFrame, metadata: Any) -> pd.DataFrame:
            assert (dataframe["enter_tag"] == "").all()
            entered = super().populate_entry_trend(dataframe, metadata)
            entered.loc[entered.index[-1], ["enter_long", "enter_tag"]] = (1, "mine")
            return entered

        def populate_exit_trend(self, dataframe: pd.DataFrame, metadata: Any) -> pd.DataFrame:
            assert (dataframe["exit_tag"] == "").all()
            left = super().populate_exit_trend(dataframe, metadata)
            left.loc[left.index[-2], ["exit_long", "exit_tag"]] = (1, "done")
            return left

    changed = copy.copy(first_run.strategy)
    changed.__class__ = Changed
    metadata, given = {"pair": PAIRS[0]}, first_run.frames[PAIRS[0]]
    ours, theirs = (
        strategy.ft_advise_signals(given.copy(), metadata)
        for strategy in (first_run.strategy, changed)
    )
    ours.loc[ours.index[-1], ["enter_long", "enter_tag"]] = (True, "mine")
    ours.loc[ours.index[-2], ["exit_long", "exit_tag"]] = (True, "done")
    pd.testing.assert_frame_equal(theirs, ours)


def test_row_that_abstains_neither_enters_nor_exits(first_run: Run) -> None:
    frame = first_run.frames["BTC/USDT"].copy()
    frame["do_predict"] = 0
    out = first_run.strategy.advise_exit(
        first_run.strategy.advise_entry(frame, {"pair": "BTC/USDT"}), {"pair": "BTC/USDT"}
    )
    columns = ["enter_long", "enter_short", "exit_long", "exit_short"]
    assert not out[columns].to_numpy().any()
    assert (out["reject_reason"] == "untrusted").all()


@pytest.mark.parametrize("missing", ["proba_buy", "confidence", "do_predict"])
def test_missing_column_is_a_reason_and_no_exception(first_run: Run, missing: str) -> None:
    frame = first_run.frames["BTC/USDT"].drop(columns=missing)
    out = first_run.strategy.advise_entry(frame, {"pair": "BTC/USDT"})
    assert not out["enter_long"].any()
    assert (out["reject_reason"] == "missing_columns").all()
    out = first_run.strategy.populate_exit_trend(out, {"pair": "BTC/USDT"})
    assert {"exit_long", "exit_short"} <= set(out)


# Callbacks on freqtrade's own trade objects


@pytest.fixture
def strategy(bench: Bench, first_run: Run) -> IStrategy:
    """The strategy on a frame of its own, its first row at midnight, its trades simulated."""
    made = first_run.strategy
    frame = first_run.frames["BTC/USDT"].copy()
    frame = made.advise_entry(frame, {"pair": "BTC/USDT"})
    made.dp._set_cached_df("BTC/USDT", "15m", frame, made.config["candle_type_def"])
    made.dp._set_dataframe_max_index("BTC/USDT", len(frame))
    return made


def trade_on(strategy: IStrategy, row: int, is_short: bool = False) -> tuple[LocalTrade, float]:
    """A trade opened on the candle after ``row``, and the barrier width of that row."""
    frame = strategy.dp.get_analyzed_dataframe("BTC/USDT", "15m")[0]
    decided = frame.iloc[row]
    trade = LocalTrade(
        id=1, pair="BTC/USDT", base_currency="BTC", stake_currency="USDT", stake_amount=100.0,
        open_rate=100.0, amount=1.0, fee_open=FEE, fee_close=FEE, is_short=is_short, leverage=1.0,
        open_date=(decided["date"] + CANDLE).to_pydatetime(), is_open=True, exchange="binance",
        price_precision=2, amount_precision=4, precision_mode=2, precision_mode_price=2,
    )  # fmt: skip
    return trade, float(decided[BARRIER_COLUMN])


def custom_exit(strategy: IStrategy, trade: LocalTrade, after: pd.Timedelta, rate: float) -> Any:
    return strategy.custom_exit(
        pair="BTC/USDT", trade=trade, current_time=trade.open_date_utc + after,
        current_rate=rate, current_profit=0.0,
    )  # fmt: skip


@pytest.mark.parametrize("is_short", [False, True])
def test_stop_is_the_label_barrier_at_any_price(strategy: IStrategy, is_short: bool) -> None:
    trade, width = trade_on(strategy, -20, is_short)
    stop = barrier_prices(100.0, width, is_short, ExitSettings()).stop
    assert stop is not None
    for rate in (99.0, 100.0, 101.0):
        distance = strategy.custom_stoploss(
            pair="BTC/USDT", trade=trade, current_time=trade.open_date_utc, current_rate=rate,
            current_profit=0.0, after_fill=False,
        )  # fmt: skip
        assert distance == pytest.approx(
            abs(rate - stop) / rate if (rate > stop) != is_short else 0
        )


@pytest.mark.parametrize("is_short", [False, True])
def test_horizon_ends_a_trade_in_exactly_that_candle(strategy: IStrategy, is_short: bool) -> None:
    trade, _ = trade_on(strategy, -20, is_short)
    early = HORIZON * CANDLE - pd.Timedelta(seconds=1)
    assert custom_exit(strategy, trade, early, 100.0) is None
    assert custom_exit(strategy, trade, HORIZON * CANDLE, 100.0) == "horizon"


def test_trade_older_than_the_frame_still_ends_at_its_horizon(strategy: IStrategy) -> None:
    trade, _ = trade_on(strategy, -20)
    trade.open_date = trade.open_date - timedelta(days=900)
    assert custom_exit(strategy, trade, HORIZON * CANDLE, 100.0) == "horizon"
    assert strategy.custom_stoploss(
        pair="BTC/USDT", trade=trade, current_time=trade.open_date_utc, current_rate=100.0,
        current_profit=0.0, after_fill=True,
    ) is None  # fmt: skip


def test_freqtrade_hands_our_callbacks_the_trade_itself(strategy: IStrategy) -> None:
    trade, _ = trade_on(strategy, -20)
    seen = []

    for name in ("custom_exit", "custom_stoploss", "custom_roi", "order_filled"):
        assert getattr(type(strategy), name).__qualname__ == f"IStrategy.{name}"
        assert getattr(type(strategy), name) is not getattr(IStrategy, name)

    def spy(*, trade: LocalTrade) -> None:
        seen.append(trade)

    spy.__qualname__ = "IStrategy.spy"
    strategy_safe_wrapper(spy)(trade=trade)
    assert seen[0] is trade, "freqtrade now copies: see signals/callbacks.py"


def adjusted(strategy: IStrategy, trade: LocalTrade, filled: bool) -> int:
    """How often freqtrade asks for the stop, at a fill or in a candle."""
    asked = []
    kept = strategy.custom_stoploss

    def count(**given: Any) -> Any:
        asked.append(given)
        return kept(**given)

    count.__qualname__ = "IStrategy.custom_stoploss"
    strategy.custom_stoploss = count
    try:
        if filled:
            strategy.order_filled(
                pair="BTC/USDT", trade=trade, order=None, current_time=trade.open_date_utc
            )
        strategy.ft_stoploss_adjust(
            100.0, trade, trade.open_date_utc, 0.0, 0, after_fill=filled
        )  # fmt: skip
    finally:
        del strategy.custom_stoploss
    return len(asked)


def test_backtest_asks_for_the_stop_of_each_trade_when_it_fills_and_never_again(
    strategy: IStrategy,
) -> None:
    for row in (-20, -25):
        trade, width = trade_on(strategy, row)
        assert adjusted(strategy, trade, filled=True) == 1
        stop = barrier_prices(100.0, width, False, ExitSettings()).stop
        assert trade.stop_loss == pytest.approx(stop, rel=1e-4)
        assert adjusted(strategy, trade, filled=False) == 0
        assert trade.stop_loss == pytest.approx(stop, rel=1e-4)


def test_a_subclass_with_a_stop_of_its_own_is_asked_as_a_bot_would_ask_it(
    strategy: IStrategy, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = LightGBMSignalStrategy.custom_stoploss
    monkeypatch.setattr(type(strategy), "custom_stoploss", lambda *a, **k: ours(*a, **k))
    trade, _ = trade_on(strategy, -20)
    assert adjusted(strategy, trade, filled=True) == 1
    assert adjusted(strategy, trade, filled=False) == 1


def test_custom_stop_that_a_config_has_switched_off_stays_off(strategy: IStrategy) -> None:
    strategy._stop_is_placed, strategy.use_custom_stoploss = False, False
    try:
        trade, _ = trade_on(strategy, -20)
        assert adjusted(strategy, trade, filled=True) == 0
    finally:
        strategy.use_custom_stoploss = True


def confirm(strategy: IStrategy, now: datetime) -> bool:
    return strategy.confirm_trade_entry(
        pair="BTC/USDT", order_type="limit", amount=1.0, rate=100.0, time_in_force="GTC",
        current_time=now, entry_tag="buy_weak", side="long",
    )  # fmt: skip


def set_last_trust(strategy: IStrategy, trust: int) -> pd.Timestamp:
    """Decide with this trust in the last row; the close of its candle."""
    frame = strategy.dp.get_analyzed_dataframe("BTC/USDT", "15m")[0].copy()
    frame.loc[frame.index[-1], "do_predict"] = trust
    strategy.advise_entry(frame, {"pair": "BTC/USDT"})
    closed: pd.Timestamp = frame["date"].iloc[-1] + CANDLE
    return closed


def test_entry_needs_the_candle_that_has_just_closed(strategy: IStrategy) -> None:
    closed = set_last_trust(strategy, 1)
    assert confirm(strategy, closed.to_pydatetime())
    assert confirm(strategy, (closed + CANDLE - pd.Timedelta(seconds=1)).to_pydatetime())
    assert not confirm(strategy, (closed + CANDLE).to_pydatetime())
    assert not confirm(strategy, (closed + pd.Timedelta(days=1)).to_pydatetime())


@pytest.mark.parametrize("trust", [0, 2])
def test_entry_on_an_untrusted_row_is_refused(strategy: IStrategy, trust: int) -> None:
    assert not confirm(strategy, set_last_trust(strategy, trust).to_pydatetime())


def test_fixed_stake_is_freqtrades_own(strategy: IStrategy) -> None:
    assert strategy.custom_stake_amount(
        pair="BTC/USDT", current_time=datetime.now(), current_rate=100.0, proposed_stake=77.0,
        min_stake=5.0, max_stake=500.0, leverage=1.0, entry_tag=None, side="long",
    ) == 77.0  # fmt: skip


def test_kelly_stakes_nothing_without_a_proven_edge(trades: Trades) -> None:
    """A few days of past predictions prove none; fixed stakes do trade on the same signals."""
    assert trades(sizing={"method": "kelly", "kelly_fraction": 0.5}).empty
    assert not trades().empty


def kelly_stake(probabilities: tuple[float, float, float], most: float = 1e9, **more: str) -> float:
    """Asked of a strategy with one decided row: a wallet of 1000, twofold leverage."""
    values = {
        **dict(zip(PROBA_COLUMNS, probabilities, strict=True)),
        **dict(zip(VALUE_COLUMNS, (1.0, 2.0, 2.0), strict=True)),
        RETURN_SCALE_COLUMN: 0.01, TRADE_COST_COLUMN: 0.002,
    }  # fmt: skip
    sizing = {"method": "kelly", "kelly_fraction": 0.02, "maximum_stake_share": 1.0}
    decided = SimpleNamespace(
        signal_settings=SignalSettings.model_validate({"sizing": sizing}),
        timeframe="15m",
        dp=SimpleNamespace(get_analyzed_dataframe=lambda *_: (pd.DataFrame([values]), None)),
        wallets=SimpleNamespace(get_total_stake_amount=lambda: 1000.0),
    )
    return LightGBMSignalStrategy.custom_stake_amount(
        decided, pair="BTC/USDT", proposed_stake=77.0, min_stake=None, max_stake=most,
        leverage=2.0, **({"side": "long"} | more),
    )  # fmt: skip


def test_kelly_stakes_what_the_row_expects_over_what_it_risks() -> None:
    buy, sell = (0.1, 0.2, 0.7), (0.7, 0.2, 0.1)
    # A margin of .6 on a scale of 1 %, with a move of .8; then less the round trip of 0.2 %.
    gross = 0.6 * 0.01
    square = 2 * (0.8 + 0.8**2) * 0.01**2 - 2 * 0.002 * gross + 0.002**2
    wanted = 0.02 * (gross - 0.002) / square / 2 * 1000
    assert kelly_stake(buy) == pytest.approx(wanted)
    assert kelly_stake(sell, side="short") == pytest.approx(wanted)
    assert kelly_stake(buy, most=50.0) == 50.0
    assert kelly_stake(buy, side="short") == kelly_stake(sell) == 0.0


# How freqtrade sees it


def test_protections_are_valid_for_freqtrade(first_run: Run) -> None:
    manager = ProtectionManager(first_run.config, first_run.strategy.protections)
    assert manager.name_list == ["StoplossGuard", "MaxDrawdown"]


@pytest.mark.parametrize("cooldown", [0, 12])
def test_protections_follow_the_cooldown(bench: Bench, tmp_path: Path, cooldown: int) -> None:
    made = load(bench, tmp_path, freqai__signals__decision={"cooldown_candles": cooldown})
    assert made.protections[0]["stop_duration_candles"] == max(cooldown, 1)


def test_protections_follow_a_cooldown_that_hyperopt_found(bench: Bench, tmp_path: Path) -> None:
    made = load(bench, tmp_path, freqai__signals__decision={"cooldown_candles": 24})
    made.cooldown_candles.value = 3
    assert made.protections[0]["stop_duration_candles"] == 3


@pytest.mark.parametrize(("mode", "shorts"), [("spot", False), ("futures", True)])
def test_shorts_follow_the_trading_mode(
    bench: Bench, tmp_path: Path, mode: str, shorts: bool
) -> None:
    margin = {"margin_mode": "isolated"} if shorts else {}
    assert load(bench, tmp_path, trading_mode=mode, **margin).can_short is shorts


def load(bench: Bench, folder: Path, **changes: Any) -> IStrategy:
    config = bench.config(folder / "user", RunMode.DRY_RUN, small_config(**changes))
    return StrategyResolver.load_strategy(config)


def test_every_threshold_is_a_parameter_in_its_space(first_run: Run) -> None:
    strategy = first_run.strategy
    listed = dict(strategy.enumerate_parameters())
    assert set(listed) == set(Thresholds.LIMITS)
    for name, limits in Thresholds.LIMITS.items():
        assert listed[name].space == limits.space
    assert strategy._settings_now() == strategy.signal_settings


def test_strategy_is_sent_to_workers_without_its_features(first_run: Run) -> None:
    assert first_run.strategy.features._kept
    assert first_run.strategy.features.__getstate__()["_kept"] == {}
