"""The live path by hand: freqtrade's objects over candles that end now, without its threads."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest
from freqtrade.configuration.config_validation import validate_config_consistency
from freqtrade.data.dataprovider import DataProvider
from freqtrade.enums import CandleType, RunMode
from freqtrade.freqai.data_kitchen import FreqaiDataKitchen
from freqtrade.resolvers import ExchangeResolver, StrategyResolver
from freqtrade.strategy import IStrategy

from freqai_signals.model import booster
from freqai_signals.sandbox.exchange.app import create_exchange
from freqai_signals.sandbox.exchange.clock import Clock, wall_clock_ms
from freqai_signals.sandbox.exchange.server import serving
from freqai_signals.schema import MODEL_COLUMNS, PROBA_COLUMNS, TRUST_COLUMN
from tests.plugin.conftest import PAIRS, Bench, market_candles, small_config, write_candles

PAIR = "BTC/USDT"
NEW_PAIR = "SOL/USDT"
"""Traded by those only who name it."""

COLUMNS = [*MODEL_COLUMNS, TRUST_COLUMN]


@dataclass
class Bot:
    """As much of a dry run as predicting needs."""

    strategy: IStrategy
    config: dict[str, Any]

    @property
    def freqai(self) -> Any:
        return self.strategy.freqai

    def candles(self, pair: str = PAIR) -> pd.DataFrame:
        return self.strategy.dp.get_pair_dataframe(pair, "15m")

    def predict(self, frame: pd.DataFrame, pair: str = PAIR) -> pd.DataFrame:
        return self.strategy.advise_indicators(frame.copy(), {"pair": pair})

    def train(self, pair: str = PAIR) -> Any:
        """What the scanning thread does for one pair."""
        data_kitchen = FreqaiDataKitchen(self.config, True, pair)
        _, trained = self.freqai.dd.get_pair_dict_info(pair)
        _, training, loading = data_kitchen.check_if_new_training_required(trained)
        data_kitchen.set_paths(pair, training.stopts)
        self.freqai.extract_data_and_train_model(
            training, pair, self.strategy, data_kitchen, loading
        )
        return self.freqai.dd.model_dictionary[pair]


@pytest.fixture(scope="module")
def live_bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("live") / "binance"
    # The exchange's clock stands still: no candle closes between the market's making and a test.
    opened = wall_clock_ms()
    first = pd.Timestamp(opened, unit="ms", tz="UTC").floor("15min") - pd.Timedelta(days=40)
    for seed, pair in enumerate((*PAIRS, NEW_PAIR)):
        write_candles(folder, pair, market_candles(seed, days=40.2, first=first))
    with serving(create_exchange(folder, Clock(lambda: opened), lambda line: None)) as url:
        yield Bench(folder, url)


def make_bot(bench: Bench, user_data: Path, **changes: Any) -> Bot:
    config = bench.config(user_data, RunMode.DRY_RUN, small_config(**changes))
    exchange = ExchangeResolver.load_exchange(config)
    strategy = StrategyResolver.load_strategy(config)
    validate_config_consistency(config)
    strategy.dp = DataProvider(config, exchange)
    strategy.ft_bot_start()
    strategy.freqai.live = True
    # The thread that would train; the tests train by themselves.
    strategy.freqai.scanning = True
    whitelist = config["exchange"]["pair_whitelist"]
    strategy.dp.current_whitelist = lambda: list(whitelist)
    strategy.dp.refresh([(pair, "15m", CandleType.SPOT) for pair in whitelist])
    return Bot(strategy, config)


@pytest.fixture(scope="module")
def bot(live_bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> Bot:
    return make_bot(live_bench, tmp_path_factory.mktemp("user"))


@pytest.fixture(scope="module")
def story(bot: Bot) -> dict[str, pd.DataFrame]:
    """One pair's life: no model, trained, first answer, a new candle, an expired model."""
    with pytest.MonkeyPatch.context() as patch:
        # The candles below are from the next two hours.
        for module in ("model", "freqai.data_drawer"):
            later = pd.Timestamp.now("UTC") + pd.Timedelta(hours=2)
            patch.setattr(f"freqai_signals.plugin.{module}.utc_now", lambda later=later: later)
        return lived(bot)


def lived(bot: Bot) -> dict[str, pd.DataFrame]:
    candles = bot.candles()
    frames = {"untrained": bot.predict(candles)}
    for pair in PAIRS:
        bot.train(pair)
    frames["first"] = bot.predict(candles)

    def later(frame: pd.DataFrame, steps: int) -> pd.DataFrame:
        new = frame.tail(steps).assign(
            date=frame["date"].tail(steps) + steps * pd.Timedelta("15min")
        )
        # The candle comes for all pairs: none is predicted while another's is late.
        shown = bot.strategy.dp._exchange._klines
        for pair in PAIRS:
            key = (pair, "15m", CandleType.SPOT)
            own = shown[key].tail(steps).assign(date=new["date"].array)
            shown[key] = pd.concat([shown[key], own], ignore_index=True)
        return pd.concat([frame, new], ignore_index=True)

    candles = later(candles, 1)
    frames["second"] = bot.predict(candles)
    candles = later(candles, 3)
    frames["after a gap"] = bot.predict(candles)
    entries = bot.freqai.dd.pair_dict
    trained = {pair: entries[pair]["trained_timestamp"] for pair in PAIRS}
    for pair in PAIRS:
        entries[pair]["trained_timestamp"] -= 60 * 86400
    frames["expired"] = bot.predict(later(candles, 1))
    for pair in PAIRS:
        entries[pair]["trained_timestamp"] = trained[pair]
    return frames


def test_a_bot_uses_one_number_of_lightgbms_threads(
    live_bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LightGBM keeps it for the process: a prediction with two ends a training with one."""
    bot = make_bot(
        live_bench, tmp_path / "user", freqai__model_training_parameters={"n_jobs": 4},
        freqai__signals__model={"kind": "multiclass", "row_step": 3}, freqai__signals__workers=1,
    )  # fmt: skip
    bot.predict(bot.candles())
    asked: list[tuple[str, int]] = []
    monkeypatch.setattr(booster, "_MANY_ROWS", 100)
    train, construct, predict = lgb.train, lgb.Dataset.construct, lgb.Booster.predict

    def trained(params: dict[str, Any], *arguments: Any, **named: Any) -> Any:
        asked.append(("train", params["num_threads"]))
        return train(params, *arguments, **named)

    def constructed(data: lgb.Dataset) -> lgb.Dataset:
        asked.append(("bin", data.params["num_threads"]))
        return construct(data)

    def predicted(fitted: lgb.Booster, *arguments: Any, **named: Any) -> Any:
        asked.append(("predict", named["num_threads"]))
        return predict(fitted, *arguments, **named)

    monkeypatch.setattr(lgb, "train", trained)
    monkeypatch.setattr(lgb.Dataset, "construct", constructed)
    monkeypatch.setattr(lgb.Booster, "predict", predicted)
    bot.train()
    bot.predict(bot.candles())
    assert set(asked) == {("train", 1), ("bin", 1), ("predict", 1)}


def assert_abstains(rows: pd.DataFrame) -> None:
    assert len(rows)
    assert (rows["&-signal"] == 1).all()
    assert (rows[list(PROBA_COLUMNS)].to_numpy() == [0.0, 1.0, 0.0]).all()
    assert (rows[["confidence", "expected_return"]] == 0).all(axis=None)
    assert (rows[TRUST_COLUMN] != 1).all()


def test_without_a_model_all_columns_are_there_and_abstain(
    story: dict[str, pd.DataFrame],
) -> None:
    frame = story["untrained"]
    assert set(COLUMNS) <= set(frame)
    assert_abstains(frame)


def test_trap_15_the_first_rows_after_training_are_seeds_and_abstain(
    story: dict[str, pd.DataFrame],
) -> None:
    """They lie inside the training window; FreqAI marks them with ``do_predict`` 0."""
    assert_abstains(story["first"].iloc[:-1])


def test_the_newest_candle_is_predicted_as_soon_as_there_is_a_model(
    story: dict[str, pd.DataFrame],
) -> None:
    last = story["first"].iloc[-1]
    assert last[TRUST_COLUMN] == 1
    assert last["model_id"] > 0


def test_trap_05_a_new_candle_is_appended_with_our_columns(
    story: dict[str, pd.DataFrame], bot: Bot
) -> None:
    """FreqAI raises KeyError here for columns without label statistics."""
    last = story["second"].iloc[-1]
    assert last[TRUST_COLUMN] == 1
    assert sum(last[list(PROBA_COLUMNS)]) == pytest.approx(1.0)
    assert last[list(PROBA_COLUMNS)].tolist() != [0.0, 1.0, 0.0]
    assert 0 <= last["confidence"] <= 1
    assert last["model_id"] > 0
    assert_abstains(story["second"].iloc[:-2])
    assert set(COLUMNS) <= set(bot.freqai.dd.historic_predictions[PAIR])


def test_trap_05_freqai_itself_would_raise_without_the_declared_statistics(bot: Bot) -> None:
    data_kitchen = FreqaiDataKitchen(bot.config, True, PAIR)
    data_kitchen.data["labels_mean"] = {"&-signal": 0.0}
    data_kitchen.data["labels_std"] = {"&-signal": 0.0}
    row = pd.DataFrame({name: [0.0] for name in MODEL_COLUMNS})
    before = bot.freqai.dd.historic_predictions.setdefault(PAIR, pd.DataFrame())
    history = before.copy()
    try:
        with pytest.raises(KeyError):
            bot.freqai.dd.append_model_predictions(
                PAIR,
                row,
                np.array([1]),
                data_kitchen,
                bot.candles().assign(date=bot.candles()["date"] + pd.Timedelta(days=1)),
            )
    finally:
        bot.freqai.dd.historic_predictions[PAIR] = history


def test_while_the_candle_of_another_pair_is_late_the_bot_abstains(
    live_bench: Bench, tmp_path: Path
) -> None:
    bot = make_bot(live_bench, tmp_path / "user")
    for pair in PAIRS:
        bot.predict(bot.candles(pair), pair)
    bot.train()
    shown = bot.strategy.dp._exchange._klines
    key = ("ETH/USDT", "15m", CandleType.SPOT)
    shown[key] = shown[key].iloc[:-1]
    last = bot.predict(bot.candles()).tail(1)
    assert last[TRUST_COLUMN].iloc[0] == 3
    assert_abstains(last)


def test_a_candle_ahead_of_the_clock_is_not_trusted(live_bench: Bench, tmp_path: Path) -> None:
    bot = make_bot(live_bench, tmp_path / "user")
    candles = bot.candles()
    bot.predict(candles)
    bot.train()
    assert bot.predict(candles).iloc[-1][TRUST_COLUMN] == 1
    ahead = candles.tail(1).assign(date=candles["date"].tail(1) + pd.Timedelta(days=1))
    kept = bot.freqai.dd.historic_data[PAIR]["15m"]["date"].iloc[-1]
    last = bot.predict(pd.concat([candles, ahead], ignore_index=True)).tail(1)
    assert last[TRUST_COLUMN].iloc[0] == 0
    assert bot.freqai.dd.historic_data[PAIR]["15m"]["date"].iloc[-1] == kept


def test_trap_15_candles_that_were_missed_abstain(story: dict[str, pd.DataFrame]) -> None:
    """FreqAI fills them with zeros: class sell."""
    frame = story["after a gap"]
    assert_abstains(frame.iloc[-3:-1])
    assert frame.iloc[-1][TRUST_COLUMN] == 1


def test_trap_15_an_expired_model_means_hold_and_not_sell(story: dict[str, pd.DataFrame]) -> None:
    last = story["expired"].tail(1)
    assert last[TRUST_COLUMN].iloc[0] == 2
    assert_abstains(last)


def test_trap_06_pairs_do_not_share_what_a_model_returns(bot: Bot, story: Any) -> None:
    data = [bot.freqai.dd.meta_data_dictionary[pair]["metadata"] for pair in PAIRS]
    for name in ("extra_returns_per_train", "labels_mean", "labels_std"):
        assert data[0][name] is not data[1][name]
        assert data[0][name]
    assert bot.config["freqai"].get("extra_returns_per_train", {}) == {}


def test_trap_07_live_training_uses_no_row_whose_outcome_is_unknown(bot: Bot, story: Any) -> None:
    model = bot.freqai.dd.model_dictionary[PAIR]
    newest = bot.candles()["date"].iloc[-1].timestamp() // 900
    assert model.trained_until <= newest
    assert model.fit is not None
    assert set(model.card.pairs) == set(PAIRS)


def test_trap_11_live_files_carry_the_full_pair_name(bot: Bot, story: Any) -> None:
    names = {
        entry["model_filename"].rsplit("_", 1)[0] for entry in bot.freqai.dd.pair_dict.values()
    }
    assert names == {"cb_btc_usdt", "cb_eth_usdt"}
    assert {Path(entry["data_path"]).name.rsplit("_", 1)[0]
            for entry in bot.freqai.dd.pair_dict.values()} == {
        "sub-train-BTC_USDT", "sub-train-ETH_USDT"
    }  # fmt: skip


def test_a_model_survives_freqais_own_pickle(bot: Bot, story: Any) -> None:
    dd = bot.freqai.dd
    data_kitchen = FreqaiDataKitchen(bot.config, True, PAIR)
    kept = dd.model_dictionary.pop(PAIR)
    try:
        loaded = dd.load_data(PAIR, data_kitchen)
    finally:
        dd.model_dictionary[PAIR] = kept
    frame = bot.strategy.feature_engineering_standard(bot.candles(), {"pair": PAIR})
    np.testing.assert_array_equal(
        loaded.predict(frame).probabilities, kept.predict(frame).probabilities
    )


def test_a_window_that_cannot_train_abstains_live_too(live_bench: Bench, tmp_path: Path) -> None:
    bot = make_bot(
        live_bench, tmp_path / "user",
        freqai__signals__labels={"kind": "fixed", "threshold": 0.9},
    )  # fmt: skip
    candles = bot.candles()
    bot.predict(candles)
    model = bot.train()
    assert "class sell has 0 rows" in model.card.reason
    bot.predict(candles)
    new = candles.tail(1).assign(date=candles["date"].tail(1) + pd.Timedelta("15min"))
    frame = bot.predict(pd.concat([candles, new], ignore_index=True))
    assert set(COLUMNS) <= set(frame)
    assert_abstains(frame)
