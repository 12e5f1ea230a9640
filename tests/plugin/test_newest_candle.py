"""A live candle by the short way equals the one by FreqAI's own, to the last bit."""

import pickle
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from freqtrade.enums import CandleType
from freqtrade.freqai.data_drawer import FreqaiDataDrawer

from freqai_signals.dataset.features.newest import NewestRow
from freqai_signals.model.signal_model import Prediction, SignalModel
from freqai_signals.plugin import live_training
from freqai_signals.plugin.freqai.data_drawer import SignalDataDrawer
from freqai_signals.plugin.freqai.data_kitchen import SignalDataKitchen
from freqai_signals.plugin.freqai.newest_candle import SharedPredictions, newest_inputs
from freqai_signals.plugin.signal_columns import SignalColumns
from tests.plugin.conftest import PAIRS, Bench
from tests.plugin.test_live import PAIR, Bot, live_bench, make_bot

__all__ = ["live_bench"]


@pytest.fixture(scope="module")
def trained(live_bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bot]:
    bot = make_bot(live_bench, tmp_path_factory.mktemp("user"))
    for pair in PAIRS:
        bot.predict(bot.candles(pair), pair)
    for pair in PAIRS:
        bot.train(pair)
    for pair in PAIRS:
        bot.predict(bot.candles(pair), pair)
    with pytest.MonkeyPatch.context() as patch:
        for module in ("model", "freqai.data_drawer"):
            later = pd.Timestamp.now("UTC") + pd.Timedelta("12h")
            patch.setattr(f"freqai_signals.plugin.{module}.utc_now", lambda later=later: later)
        yield bot


def next_candle(bot: Bot) -> None:
    shown = bot.strategy.dp._exchange._klines
    for pair in PAIRS:
        frame = shown[pair, "15m", CandleType.SPOT]
        new = frame.tail(1).assign(
            date=frame["date"].tail(1) + pd.Timedelta("15min"), close=frame["close"].iloc[-7] * 1.01
        )
        new["high"] = new[["open", "high", "close"]].max(axis=1)
        new["low"] = new[["open", "low", "close"]].min(axis=1)
        shown[pair, "15m", CandleType.SPOT] = pd.concat([frame, new], ignore_index=True)


def test_what_the_model_reads_is_what_freqais_hooks_make(trained: Bot) -> None:
    next_candle(trained)
    strategy: Any = trained.strategy
    for pair in PAIRS:
        candles = trained.candles(pair)
        made = strategy.feature_engineering_standard(candles, {"pair": pair})
        made = strategy.set_freqai_targets(made, {"pair": pair})
        short = newest_inputs(strategy, pair, candles)
        assert short is not None
        expected = made.tail(1)[[name for name in made if "%" in name]]
        pd.testing.assert_frame_equal(
            short.row.frame.set_axis(expected.index), expected, check_exact=True
        )
        assert short.scale.tolist() == made["return_scale"].tail(1).tolist()


def test_one_prediction_of_all_pairs_is_that_of_each_alone(
    trained: Bot, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    predict = SignalModel.predict

    def counted(self: SignalModel, frame: pd.DataFrame) -> Prediction:
        asked.append(len(frame))
        return predict(self, frame)

    monkeypatch.setattr(SignalModel, "predict", counted)
    strategy: Any = trained.strategy
    model = trained.freqai.dd.model_dictionary[PAIR]
    # After a restart each pair has read a copy of its own.
    copies = {pair: pickle.loads(pickle.dumps(model)) for pair in PAIRS}
    together, alone = SharedPredictions(True), SharedPredictions(False)
    for _ in range(2):
        next_candle(trained)
        asked.clear()
        for pair in PAIRS:
            made = newest_inputs(strategy, pair, trained.candles(pair))
            assert made is not None
            shared = together.of(copies[pair], made.row)
            own = alone.of(model, made.row)
            for name in ("probabilities", "trusted", "distance"):
                np.testing.assert_array_equal(getattr(shared, name), getattr(own, name))
            assert shared.trusted.all()
        assert sorted(asked) == [*[1] * len(PAIRS), len(PAIRS)]
    # Pairs of another table take turns with them; one that is alone there needs none.
    both = NewestRow(pd.concat([made.row.frame] * 2, ignore_index=True), 1)
    lone = NewestRow(made.row.frame, 0)
    asked.clear()
    for _ in range(3):
        for one in (made.row, both, lone):
            assert together.of(model, one).row(0).distance.tolist() == own.distance.tolist()
    assert asked == [2, 1, 1, 1]
    # Another model reads the same rows.
    other = replace(model, card=replace(model.card, key="other"), fit=None)
    assert not together.of(other, made.row).trusted.any()
    assert together.of(model, made.row).trusted.all()
    assert not together.of(replace(other, card=replace(other.card, key="")), made.row).trusted.any()


def test_frames_by_both_ways_are_the_same(trained: Bot, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = dict(trained.freqai.dd.historic_predictions)
    used = []

    def counted(*arguments: Any) -> Any:
        used.append(arguments[1])
        return newest_inputs(*arguments)

    monkeypatch.setattr(live_training, "newest_inputs", counted)
    next_candle(trained)
    short = {pair: trained.predict(trained.candles(pair), pair) for pair in PAIRS}
    assert used == list(PAIRS)
    after = dict(trained.freqai.dd.historic_predictions)
    trained.freqai.dd.historic_predictions.update(kept)
    monkeypatch.setattr(live_training, "newest_inputs", lambda *_: None)
    for name in ("append_model_predictions", "attach_return_values_to_return_dataframe"):
        monkeypatch.setattr(SignalDataDrawer, name, getattr(FreqaiDataDrawer, name))
    for pair in PAIRS:
        whole = trained.predict(trained.candles(pair), pair)
        assert whole["do_predict"].iloc[-1] == 1
        pd.testing.assert_frame_equal(
            short[pair], whole, check_exact=True, check_column_type=False, check_like=True
        )
        pd.testing.assert_frame_equal(
            after[pair].tail(1000).reset_index(drop=True),
            trained.freqai.dd.historic_predictions[pair].tail(1000).reset_index(drop=True),
            check_exact=True,
            # The first candle after a training has FreqAI put the columns in another order.
            check_like=True,
        )


def test_a_strategys_own_hook_or_reduced_frames_are_left_to_freqai(
    trained: Bot, monkeypatch: pytest.MonkeyPatch
) -> None:
    strategy: Any = trained.strategy
    monkeypatch.setitem(strategy.config, "reduce_df_footprint", True)
    assert newest_inputs(strategy, PAIR, trained.candles()) is None
    monkeypatch.delitem(strategy.config, "reduce_df_footprint")
    ours = SignalColumns.feature_engineering_standard

    def own(self: Any, frame: pd.DataFrame, metadata: Any, **kwargs: Any) -> pd.DataFrame:
        return ours(self, frame, metadata, **kwargs).assign(**{"%-own": np.arange(len(frame))})

    monkeypatch.setattr(type(strategy), "feature_engineering_standard", own)
    assert newest_inputs(strategy, PAIR, trained.candles()) is None


def test_a_backtests_rows_get_their_own_features_or_none() -> None:
    features = pd.DataFrame({"%-a": [0.0, 1.0, 2.0]}, index=[5, 6, 7])
    kitchen = SignalDataKitchen.__new__(SignalDataKitchen)
    kitchen.features = features
    made = kitchen.inputs(pd.DataFrame({"close": [9.0, 8.0]}, index=[6, 7]))
    assert made.to_dict("list") == {"close": [9.0, 8.0], "%-a": [1.0, 2.0]}
    # The last row's features would be those of the future.
    with pytest.raises(KeyError):
        kitchen.inputs(pd.DataFrame({"close": [9.0]}, index=[4]))
