"""What the bot keeps between candles, trainings and starts."""

import logging
import shutil
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from freqtrade.enums import CandleType

from freqai_signals.plugin.freqai.state_files import HISTORY_FILE
from freqai_signals.plugin.freqai.thread_priority import (
    QUIET_SECONDS,
    SWITCH_SECONDS,
    InferencePriority,
)
from freqai_signals.schema import PROBA_COLUMNS, TRUST_COLUMN
from tests.plugin.conftest import PAIRS, Bench
from tests.plugin.test_live import NEW_PAIR, PAIR, Bot, live_bench, make_bot

__all__ = ["live_bench"]


def trained(bot: Bot) -> dict[str, str]:
    """Version of the model that serves each pair, trained in the order of FreqAI's queue."""
    for pair in PAIRS:
        bot.predict(bot.candles(pair), pair)
    return {pair: bot.train(pair).card.version for pair in PAIRS}


def newest(bot: Bot, pair: str = PAIR) -> Any:
    return bot.predict(bot.candles(pair), pair).iloc[-1]


@pytest.fixture
def bot(live_bench: Bench, tmp_path: Path) -> Bot:
    return make_bot(live_bench, tmp_path / "user")


def test_one_training_serves_all_pairs(bot: Bot, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        versions = trained(bot)
    assert len(set(versions.values())) == 1
    assert "ETH/USDT: the pool's newest model" in caplog.text
    entries = bot.freqai.dd.pair_dict
    assert len({entries[pair]["trained_timestamp"] for pair in PAIRS}) == 1


def test_a_bot_that_starts_again_goes_on_with_its_model(
    bot: Bot, live_bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    versions = trained(bot)
    bot.predict(bot.candles())
    bot.freqai.dd.save_historic_predictions_to_disk()
    again = make_bot(live_bench, bot.config["user_data_dir"])
    assert newest(again)[TRUST_COLUMN] == 1
    assert again.freqai.dd.model_dictionary[PAIR].card.version == versions[PAIR]
    assert "is not used" not in caplog.text


def test_after_other_settings_the_old_model_is_not_used(
    bot: Bot, live_bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    trained(bot)
    again = make_bot(
        live_bench, bot.config["user_data_dir"], freqai__model_training_parameters__num_leaves=7
    )
    assert newest(again)[TRUST_COLUMN] == 0
    assert "changed since: setting booster" in caplog.text
    again.train()
    assert newest(again)[TRUST_COLUMN] == 1


def test_every_pairs_own_model_is_looked_at_after_a_start(
    live_bench: Bench, tmp_path: Path
) -> None:
    own = {"freqai__signals__model__pool": "pair"}
    versions = trained(make_bot(live_bench, tmp_path / "user", **own))
    assert len(set(versions.values())) == len(PAIRS)
    again = make_bot(
        live_bench, tmp_path / "user", freqai__model_training_parameters__num_leaves=7, **own
    )
    assert [newest(again, pair)[TRUST_COLUMN] for pair in PAIRS] == [0, 0]
    same = make_bot(live_bench, tmp_path / "user", **own)
    assert [newest(same, pair)[TRUST_COLUMN] for pair in PAIRS] == [1, 1]


def test_after_a_change_of_decisions_the_model_stays(bot: Bot, live_bench: Bench) -> None:
    trained(bot)
    again = make_bot(
        live_bench, bot.config["user_data_dir"], freqai__signals__decision__cooldown_candles=3
    )
    assert newest(again)[TRUST_COLUMN] == 1


def test_a_damaged_model_file_means_no_model_and_a_new_training(
    bot: Bot, live_bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    trained(bot)
    for path in Path(bot.freqai.full_path).rglob("*_model.joblib"):
        path.write_bytes(path.read_bytes()[:100])
    again = make_bot(live_bench, bot.config["user_data_dir"])
    assert newest(again)[TRUST_COLUMN] == 0
    assert "cannot be read" in caplog.text
    again.train()
    assert newest(again)[TRUST_COLUMN] == 1


def test_a_bot_goes_on_with_its_model_after_its_folder_was_removed(
    bot: Bot, live_bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    """FreqAI would look for files of a model that was read from disk at every candle."""
    trained(bot)
    again = make_bot(live_bench, bot.config["user_data_dir"])
    assert newest(again)[TRUST_COLUMN] == 1
    shutil.rmtree(Path(again.freqai.full_path))
    assert newest(again)[TRUST_COLUMN] == 1
    assert (Path(again.freqai.full_path) / HISTORY_FILE).is_file(), "predictions are kept again"
    assert "cannot be written" not in caplog.text


def test_a_model_that_is_gone_before_it_was_read_means_none_and_a_new_training(
    bot: Bot, live_bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    trained(bot)
    again = make_bot(live_bench, bot.config["user_data_dir"])
    newest(again)
    again.freqai.dd.meta_data_dictionary.clear()
    shutil.rmtree(Path(again.freqai.full_path))
    assert newest(again)[TRUST_COLUMN] == 0
    assert f"{PAIR} has no model until the next training" in caplog.text
    again.train()
    assert newest(again)[TRUST_COLUMN] == 1


def test_half_a_file_of_predictions_does_not_keep_the_bot_from_starting(
    bot: Bot, live_bench: Bench
) -> None:
    trained(bot)
    bot.predict(bot.candles())
    bot.freqai.dd.save_historic_predictions_to_disk()
    path = Path(bot.freqai.full_path) / HISTORY_FILE
    path.write_bytes(path.read_bytes()[:-1000])
    again = make_bot(live_bench, bot.config["user_data_dir"])
    assert newest(again)[TRUST_COLUMN] == 1


def test_predictions_of_another_model_gain_our_columns(bot: Bot, live_bench: Bench) -> None:
    trained(bot)
    bot.predict(bot.candles())
    dd = bot.freqai.dd
    for pair in dd.historic_predictions:
        dd.historic_predictions[pair] = dd.historic_predictions[pair].drop(
            columns=["model_id", "proba_buy", "proba_buy_mean"]
        )
    dd.save_historic_predictions_to_disk()
    again = make_bot(live_bench, bot.config["user_data_dir"])
    assert newest(again)[TRUST_COLUMN] == 1


def test_a_pair_without_candles_stops_no_other(bot: Bot) -> None:
    trained(bot)
    history = bot.freqai.dd.historic_data
    history["ETH/USDT"]["15m"] = pd.DataFrame()
    history[PAIR]["15m"] = history[PAIR]["15m"].iloc[:-100]
    assert newest(bot)[TRUST_COLUMN] == 1
    assert len(history["ETH/USDT"]["15m"])


def test_a_training_leaves_the_interpreter_to_the_bot_that_decides(bot: Bot) -> None:
    now, intervals = [100.0], []

    def sleep(seconds: float) -> None:
        now[0] += seconds
        intervals.append(sys.getswitchinterval())

    bot.freqai._priority = InferencePriority(lambda: now[0], sleep)
    newest(bot)
    bot.train()
    assert now[0] >= 100.0 + QUIET_SECONDS, "it waits until the bot is through"
    assert max(intervals) == pytest.approx(SWITCH_SECONDS, abs=1e-5)


def test_a_bot_takes_no_open_candle_for_a_closed_one(bot: Bot) -> None:
    """It has freqtrade's exchange cut what comes; the rest is in ``test_open_candles``."""
    length, first = 900_000, 900_000 * 1_000_000
    ticks = [[first + number * length, 1.0, 1.0, 1.0, 1.0, 9.0] for number in (0, 1, 2, 96)]
    frame = bot.strategy.dp._exchange._process_ohlcv_df(
        "XRP/USDT", "15m", CandleType.SPOT, ticks, False, True, first + 2 * length + length // 2
    )
    assert len(frame) == 2


def test_a_pair_that_joins_gets_its_turn(bot: Bot) -> None:
    bot.freqai.train_queue.clear()
    bot.predict(bot.candles("ETH/USDT"), "ETH/USDT")
    assert list(bot.freqai.train_queue) == ["ETH/USDT"]


def test_a_pair_that_joins_a_restarted_bot_is_predicted_by_the_pools_present_model(
    bot: Bot, live_bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is trained before the schedule asks; then all pairs of the new pool are learnt."""
    version = trained(bot)[PAIR]
    newest(bot)
    bot.freqai.dd.save_historic_predictions_to_disk()
    pool = [*PAIRS, NEW_PAIR]
    with caplog.at_level(logging.INFO):
        more = make_bot(live_bench, bot.config["user_data_dir"], exchange__pair_whitelist=pool)
        assert newest(more)[TRUST_COLUMN] == 1
        assert more.freqai.dd.model_dictionary[PAIR].card.version == version
        assert newest(more, NEW_PAIR)[list(PROBA_COLUMNS)].tolist() != [0.0, 1.0, 0.0]
        assert more.freqai.dd.model_dictionary[NEW_PAIR].card.version == version
    assert f"joined: {NEW_PAIR}; left: none" in caplog.text
    assert f"{NEW_PAIR} joins; the pool's model serves it" in caplog.text
    assert "is not used" not in caplog.text
    planned = more.freqai.schedule(pool)
    more.freqai.retrain_early(PAIR)
    assert more.freqai.schedule(pool) == planned, "what serves is no older"
    card = more.train().card
    assert card.pairs == tuple(pool)
    assert card.parent == version
    assert {more.train(pair).card.version for pair in pool[1:]} == {card.version}
    assert not more.freqai.dd.due, "one request, one training"


def test_a_pair_that_leaves_a_pool_of_three_does_not_stop_the_others(
    live_bench: Bench, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pool = [*PAIRS, NEW_PAIR]
    three = make_bot(live_bench, tmp_path / "user", exchange__pair_whitelist=pool)
    version = trained(three)[PAIR]
    newest(three)
    three.freqai.dd.save_historic_predictions_to_disk()
    two = make_bot(live_bench, tmp_path / "user")
    with caplog.at_level(logging.INFO):
        assert newest(two)[TRUST_COLUMN] == 1
    assert two.freqai.dd.model_dictionary[PAIR].card.version == version
    assert f"joined: none; left: {NEW_PAIR}" in caplog.text


@pytest.mark.parametrize("leaves", [True, False])
def test_a_pool_that_the_lead_pair_joins_or_leaves_is_trained_again(
    live_bench: Bench, tmp_path: Path, caplog: pytest.LogCaptureFixture, leaves: bool
) -> None:
    """Features of the lead pair are made of it or, without it, of the pool's mean."""
    pools = [[PAIR, "ETH/USDT", NEW_PAIR], ["ETH/USDT", NEW_PAIR]]
    before, after = pools if leaves else pools[::-1]
    bot = make_bot(live_bench, tmp_path / "user", exchange__pair_whitelist=before)
    for pair in before:
        newest(bot, pair)
    bot.train("ETH/USDT")
    again = make_bot(live_bench, tmp_path / "user", exchange__pair_whitelist=after)
    assert newest(again, "ETH/USDT")[TRUST_COLUMN] == 0
    assert "The stored model of ETH/USDT is not used, changed since: lead pair" in caplog.text
    assert again.train("ETH/USDT").card.pairs == tuple(after)
    assert newest(again, "ETH/USDT")[TRUST_COLUMN] == 1
