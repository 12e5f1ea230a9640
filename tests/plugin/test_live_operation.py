"""Gate, registry, ledger, levels and alerts in a bot, through freqtrade's own objects."""

import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from freqtrade.enums import CandleType

from freqai_signals.ledger.ledger import Ledger
from freqai_signals.live.health import Health, Level
from freqai_signals.registry.registry import Registry
from freqai_signals.sandbox.exchange.app import create_exchange
from freqai_signals.sandbox.exchange.clock import Clock, wall_clock_ms
from freqai_signals.sandbox.exchange.server import serving
from freqai_signals.schema import INCOMPLETE_MARKET
from freqai_signals.settings import GateSettings
from tests.plugin.conftest import PAIRS, Bench, market_candles, write_candles
from tests.plugin.test_live import PAIR, Bot, live_bench, make_bot

__all__ = ["live_bench"]

SCOPE = "test/pool"


def start(bench: Bench, user_data: Path, **changes: Any) -> Bot:
    bot = make_bot(bench, user_data, **changes)
    bot.strategy.dp._set_cached_df = lambda *_: None
    bot.messages = []  # type: ignore[attr-defined]
    bot.strategy.dp.send_msg = bot.messages.append  # type: ignore[attr-defined]
    bot.strategy.dp.current_whitelist = lambda: list(PAIRS)
    bot.strategy._stop_candles = lambda *_: []
    return bot


def candle(bot: Bot, pair: str = PAIR) -> pd.DataFrame:
    """One closed candle: predictions, decisions, exits."""
    frame = bot.strategy.advise_entry(bot.predict(bot.candles(pair), pair), {"pair": pair})
    return bot.strategy.advise_exit(frame, {"pair": pair})


def trained(bot: Bot) -> None:
    candle(bot)
    bot.train()


def ledger(bot: Bot) -> Ledger:
    bot.freqai.operation.close()
    return Ledger(f"sqlite:///{bot.config['user_data_dir'] / 'signals' / 'ledger.sqlite'}")


def registry(bot: Bot) -> Registry:
    return Registry(bot.config["user_data_dir"] / "signals" / "registry")


def loop(bot: Bot) -> None:
    bot.strategy.bot_loop_start(pd.Timestamp.now("UTC").to_pydatetime())


def test_a_training_and_a_candle_leave_version_decision_and_prediction(
    live_bench: Bench, tmp_path: Path
) -> None:
    bot = start(live_bench, tmp_path / "user")
    trained(bot)
    # The training came after this candle was written down; the same candle is not written twice.
    bot.freqai.operation._pair(PAIR)._after = 0
    frame = candle(bot)
    version = registry(bot).scope(SCOPE).serving
    assert version == bot.freqai.dd.model_dictionary[PAIR].card.version
    assert {"live_skill", "live_rows", "drift_level"} <= set(frame)
    found = ledger(bot)
    assert found.rows("model_decisions")["challenger"].tolist() == [version]
    rows = found.rows("predictions").set_index("model_version")
    assert rows.loc["none", "kind"] == "untrusted"
    assert rows.loc[version, "kind"] == "live"


def test_refused_model_is_kept_to_carry_on_from_and_does_not_speak(
    live_bench: Bench, tmp_path: Path
) -> None:
    bot = start(
        live_bench, tmp_path / "user", freqai__signals__gate={"minimum_skill": 0.99}
    )  # fmt: skip
    trained(bot)
    assert bot.freqai.dd.model_dictionary[PAIR].fit is not None
    assert bot.freqai.dd.pair_dict[PAIR]["trained_timestamp"] > 0
    last = candle(bot).iloc[-1]
    assert (last["do_predict"], last["model_id"]) == (0, 0)
    loop(bot)
    assert any("refused" in text for text in bot.messages)  # type: ignore[attr-defined]


def test_model_of_another_target_stays_silent_though_its_successor_is_refused(
    live_bench: Bench, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bot = start(live_bench, tmp_path / "user")
    trained(bot)
    assert candle(bot).iloc[-1]["do_predict"] == 1
    changed = {
        "freqai__feature_parameters__label_period_candles": 4,
        "freqai__signals__gate": {"minimum_skill": 0.99},
    }
    again = start(live_bench, tmp_path / "user", **changed)
    assert candle(again).iloc[-1]["do_predict"] == 0
    assert again.train().card.gate["verdict"] == "refuse_worse_than_prior"
    for restarted in (again, start(live_bench, tmp_path / "user", **changed)):
        caplog.clear()
        last = candle(restarted).iloc[-1]
        assert (last["do_predict"], last["model_id"]) == (0, 0)
    assert "is not used: it predicts something else (label_horizon_candles" in caplog.text


def test_rollback_by_command_changes_what_predicts(live_bench: Bench, tmp_path: Path) -> None:
    bot = start(live_bench, tmp_path / "user")
    trained(bot)
    first = candle(bot).iloc[-1]["model_id"]
    kept = bot.freqai.dd.historic_data
    for frames in kept.values():
        for name in frames:
            frames[name] = frames[name].iloc[:-200]
    bot.train()
    newest = bot.predict(bot.candles()).iloc[-1]["model_id"]
    assert newest != first
    registry(bot).rollback(SCOPE)
    pair_frame = bot.freqai.dd.model_return_values.pop(PAIR)
    assert len(pair_frame)
    assert bot.predict(bot.candles()).iloc[-1]["model_id"] == first


@pytest.mark.parametrize("level", list(Level))
def test_levels_act(live_bench: Bench, tmp_path: Path, level: Level) -> None:
    bot = start(live_bench, tmp_path / "user")
    trained(bot)
    bot.freqai.operation._pair(PAIR).watch.restore(Health(level, 1, 1, -1, ("planted",)))
    timestamp = bot.freqai.dd.pair_dict[PAIR]["trained_timestamp"]
    frame = candle(bot)
    assert frame["drift_level"].iloc[-1] == level
    dd = bot.freqai.dd
    assert (dd.get_pair_dict_info(PAIR)[1] < timestamp) == (level >= Level.DRIFT)
    assert dd.pair_dict[PAIR]["trained_timestamp"] == timestamp, "its model is no older"
    if level is Level.HALTED:
        assert not frame[["enter_long"]].to_numpy().any()
        assert "exit_long" in frame
    if level >= Level.DRIFT:
        # FreqAI counts whole seconds.
        time.sleep(1.1)
        bot.train()
        candle(bot)
        assert dd.pair_dict[PAIR]["trained_timestamp"] > timestamp
        assert dd.get_pair_dict_info(PAIR)[1] > timestamp, "one drift, one training"


def test_the_tuned_confidence_is_drawn(live_bench: Bench, tmp_path: Path) -> None:
    bot = start(live_bench, tmp_path / "user")
    trained(bot)
    bot.strategy.minimum_confidence.value = 0.97
    assert candle(bot)["confidence_threshold"].iloc[-1] == 0.97


def test_candles_that_abstain_for_want_of_another_pair_count_as_silence(
    live_bench: Bench, tmp_path: Path
) -> None:
    bot = start(live_bench, tmp_path / "user")
    bot.predict(bot.candles())
    bot.train()
    # The candles on disk end later than those that the exchange has shown.
    bot.strategy.training_candles = lambda pair: pd.DataFrame()
    candle(bot)
    # The candles below are from the next hour.
    bot.freqai.operation._now = lambda: time.time() + 3600
    shown = bot.strategy.dp._exchange._klines
    key = (PAIR, "15m", CandleType.SPOT)
    levels = []
    for _ in range(3):
        newest = shown[key].tail(1)
        new = newest.assign(date=newest["date"] + pd.Timedelta("15min"))
        shown[key] = pd.concat([shown[key], new], ignore_index=True)
        frame = candle(bot)
        assert frame["do_predict"].iloc[-1] == INCOMPLETE_MARKET
        levels.append(frame["drift_level"].iloc[-1])
    assert levels == [Level.OK, Level.OK, Level.WARNING]
    health = bot.freqai.operation._pair(PAIR).watch.health
    assert health.reasons == ("no trusted prediction for 3 candles",)


def test_what_fails_beside_trading_reaches_nobody(live_bench: Bench, tmp_path: Path) -> None:
    user_data = tmp_path / "user"
    (user_data / "signals" / "ledger.sqlite").mkdir(parents=True)
    (user_data / "signals" / "registry").write_text("no folder")
    bot = start(live_bench, user_data)
    trained(bot)
    assert candle(bot).iloc[-1]["do_predict"] == 1
    loop(bot)
    assert any("ledger: cannot be written" in text for text in bot.messages)  # type: ignore[attr-defined]


def test_default_gate_lets_a_bot_with_enough_history_speak(tmp_path: Path) -> None:
    """Nothing about the gate is set: as for a user of the shipped config."""
    folder = tmp_path / "binance"
    opened = wall_clock_ms()
    first = pd.Timestamp(opened, unit="ms", tz="UTC").floor("15min") - pd.Timedelta(days=95)
    for seed, pair in enumerate(PAIRS):
        write_candles(folder, pair, market_candles(seed, days=95.2, first=first))
    with serving(create_exchange(folder, Clock(lambda: opened), lambda line: None)) as url:
        bot = start(
            Bench(folder, url), tmp_path / "user", freqai__signals__gate={},
            freqai__train_period_days=75, freqai__data_split_parameters__test_size=0.25,
        )  # fmt: skip
        assert bot.strategy.signal_settings.gate == GateSettings()
        trained(bot)
        last = candle(bot).iloc[-1]
    assert (last["do_predict"], last["model_id"] > 0) == (1, True)
    (decision,) = ledger(bot).rows("model_decisions").to_dict("records")
    assert decision["verdict"] == "first_accepted"


def test_default_gate_tells_a_bot_with_a_short_window_what_to_do(
    live_bench: Bench, tmp_path: Path
) -> None:
    bot = start(live_bench, tmp_path / "user", freqai__signals__gate={})
    trained(bot)
    assert candle(bot).iloc[-1]["do_predict"] == 0
    loop(bot)
    (text,) = [text for text in bot.messages if "refused" in text]  # type: ignore[attr-defined]
    assert "use a longer freqai.train-period-days" in text
