"""What the bot stores between candles, and a disk that takes nothing."""

import errno
import pickle
import threading
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pandas as pd
import pytest
from freqtrade.enums import CandleType

from freqai_signals.plugin.freqai import data_drawer, prediction_journal
from freqai_signals.plugin.freqai.prediction_journal import JOURNAL_FILE
from freqai_signals.plugin.freqai.state_files import HISTORY_FILE, repair_state
from freqai_signals.schema import TRUST_COLUMN
from tests.plugin.conftest import PAIRS, Bench
from tests.plugin.test_live import Bot, live_bench, make_bot
from tests.plugin.test_live_state import newest, trained
from tests.waiting import PATIENCE

__all__ = ["live_bench"]

Disk = Callable[[bool], None]


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> Disk:
    """``full(True)`` fills the disk for what FreqAI's drawer stores, ``full(False)`` frees it."""
    write = data_drawer.write_atomically

    def fails(path: Path, data: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    return lambda on: monkeypatch.setattr(data_drawer, "write_atomically", fails if on else write)


@pytest.fixture
def bot(live_bench: Bench, tmp_path: Path) -> Bot:
    return make_bot(live_bench, tmp_path / "user")


def stored(bot: Bot) -> dict[str, pd.DataFrame]:
    """Predictions that outlive a kill."""
    path = Path(bot.freqai.full_path) / HISTORY_FILE
    return pickle.loads(path.read_bytes()) if path.is_file() else {}


def test_every_pair_is_decided_on_a_full_disk_and_stored_as_soon_as_there_is_room(
    bot: Bot, full: Disk, caplog: pytest.LogCaptureFixture
) -> None:
    trained(bot)
    full(True)
    for _ in range(2):
        assert [newest(bot, pair)[TRUST_COLUMN] for pair in PAIRS] == [1, 1]
    assert stored(bot) == {}
    for name in (HISTORY_FILE, "global_metadata.json"):
        (told,) = [text for text in caplog.messages if f"{name} cannot be written" in text]
        assert "No space left" in told
    full(False)
    for pair in PAIRS:
        newest(bot, pair)
    assert set(stored(bot)) == set(PAIRS)
    assert len([text for text in caplog.messages if "can be written again" in text]) == 1


@pytest.mark.parametrize("keeps_metrics", [True, False])
def test_the_thread_that_trains_outlives_a_full_disk(
    bot: Bot, full: Disk, keeps_metrics: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for pair in PAIRS:
        newest(bot, pair)
    bot.freqai.freqai_info["write_metrics_to_disk"] = keeps_metrics
    trainings: list[str] = []

    def train(timerange: object, pair: str, *_: object) -> None:
        trainings.append(pair)
        if len(trainings) == 3:
            bot.freqai._stop_event.set()

    monkeypatch.setattr(bot.freqai, "extract_data_and_train_model", train)
    full(True)
    thread = threading.Thread(target=bot.freqai._start_scanning, args=(bot.strategy,))
    thread.start()
    thread.join(PATIENCE)
    assert trainings == [PAIRS[0], PAIRS[1], PAIRS[0]]


def test_a_model_that_freqai_cannot_store_serves_until_the_next_start_and_comes_back_there(
    bot: Bot,
    live_bench: Bench,
    full: Disk,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def half(_: object, file: BinaryIO, *__: object, **___: object) -> None:
        file.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    full(True)
    with monkeypatch.context() as patch:
        patch.setattr("freqtrade.freqai.data_drawer.cloudpickle.dump", half)
        versions = trained(bot)
    assert [newest(bot, pair)[TRUST_COLUMN] for pair in PAIRS] == [1, 1]
    assert len([text for text in caplog.messages if "test cannot be written" in text]) == 1
    full(False)
    bot.freqai.dd.save_drawer_to_disk()
    again = make_bot(live_bench, Path(bot.config["user_data_dir"]))
    # The files that the drawer names are not whole, so a training comes first: from the store.
    assert [newest(again, pair)[TRUST_COLUMN] for pair in PAIRS] == [0, 0]
    assert trained(again) == versions
    assert [newest(again, pair)[TRUST_COLUMN] for pair in PAIRS] == [1, 1]


def test_what_waits_is_written_at_a_stop_though_freqais_own_part_fails(
    bot: Bot, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[bool] = []
    monkeypatch.setattr(bot.freqai.operation, "close", lambda: closed.append(True))

    def fails() -> None:
        raise pickle.PicklingError("no pickle")

    monkeypatch.setattr(bot.freqai.dd, "save_historic_predictions_to_disk", fails)
    with pytest.raises(pickle.PicklingError):
        bot.freqai._on_stop()
    assert closed == [True]


def test_predictions_are_stored_after_the_last_pair_that_is_decided(bot: Bot) -> None:
    """The last of the config may be blacklisted, or the exchange may have removed it."""
    trained(bot)
    newest(bot, PAIRS[0])
    assert stored(bot) == {}, "the other one is still to come"
    bot.strategy.dp.current_whitelist = lambda: [PAIRS[0]]
    newest(bot, PAIRS[0])
    assert set(stored(bot)) == {PAIRS[0]}


def said(bot: Bot) -> dict[str, pd.DataFrame]:
    """What a bot that starts now would know."""
    return prediction_journal.merged(Path(bot.freqai.full_path), stored(bot), 6000)


def later(bot: Bot, steps: int) -> None:
    """Let the exchange show ``steps`` more candles of every pair."""
    shown = bot.strategy.dp._exchange._klines
    for pair in PAIRS:
        key = (pair, "15m", CandleType.SPOT)
        new = shown[key].tail(steps)
        new = new.assign(date=new["date"] + steps * pd.Timedelta("15min"))
        shown[key] = pd.concat([shown[key], new], ignore_index=True)


def written(bot: Bot) -> dict[str, int]:
    """Bytes of each file of FreqAI's folder whose content is not the same as before."""
    folder = Path(bot.freqai.full_path)
    return {path.name: path.stat().st_size for path in folder.iterdir() if path.is_file()}


def test_a_candle_is_appended_and_nothing_that_was_said_is_forgotten(
    bot: Bot, live_bench: Bench
) -> None:
    trained(bot)
    for pair in PAIRS:
        newest(bot, pair)
    pickled = (Path(bot.freqai.full_path) / HISTORY_FILE).stat()
    for _ in range(3):
        later(bot, 1)
        before = written(bot).get(JOURNAL_FILE, 0)
        for pair in PAIRS:
            newest(bot, pair)
        assert 0 < written(bot)[JOURNAL_FILE] - before < 2_500 * len(PAIRS)
        history = bot.freqai.dd.historic_predictions
        for pair, found in said(bot).items():
            pd.testing.assert_frame_equal(found, history[pair], check_dtype=True, check_like=True)
    assert (Path(bot.freqai.full_path) / HISTORY_FILE).stat().st_mtime_ns == pickled.st_mtime_ns
    # As after kill -9: nothing more is written.
    again = make_bot(live_bench, bot.config["user_data_dir"]).freqai.dd
    for pair in PAIRS:
        pd.testing.assert_frame_equal(
            again.historic_predictions[pair], history[pair], check_like=True
        )


def test_what_a_kill_cuts_short_costs_that_line_only(bot: Bot) -> None:
    trained(bot)
    for pair in PAIRS:
        newest(bot, pair)
    for _ in range(3):
        later(bot, 1)
        for pair in PAIRS:
            newest(bot, pair)
    path = Path(bot.freqai.full_path) / JOURNAL_FILE
    whole, history = path.read_bytes(), bot.freqai.dd.historic_predictions
    for cut in range(1, len(whole), 97):
        path.write_bytes(whole[:cut])
        lines = whole[:cut].count(b"\n") - whole[:cut].count(b"\n\n")
        rows = sum(len(found) for found in said(bot).values())
        assert rows >= sum(len(found) for found in stored(bot).values()) + lines // 2 - 3
    path.write_bytes(whole[:50] + b"\x00\xff" + whole[52:])
    assert all(len(history[pair]) - len(found) <= 1 for pair, found in said(bot).items())


def test_a_long_journal_gives_way_to_freqais_file_and_both_can_be_lost(
    bot: Bot, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained(bot)
    monkeypatch.setattr(data_drawer, "_MOST_JOURNAL_BYTES", 5_000)
    for _ in range(6):
        later(bot, 1)
        for pair in PAIRS:
            newest(bot, pair)
    folder, history = Path(bot.freqai.full_path), bot.freqai.dd.historic_predictions
    assert written(bot).get(JOURNAL_FILE, 0) < 10_000
    # FreqAI's newest file is damaged: its backup, and the journal that followed, know all of it.
    (folder / HISTORY_FILE).write_bytes(b"damaged")
    repair_state(folder)
    for pair, found in said(bot).items():
        pd.testing.assert_frame_equal(found, history[pair], check_like=True)


def test_predictions_are_stored_though_the_last_pair_has_no_new_candle(bot: Bot) -> None:
    trained(bot)
    newest(bot, PAIRS[0])
    assert stored(bot) == {}
    newest(bot, PAIRS[0])
    assert set(stored(bot)) == {PAIRS[0]}
