"""Kill -9 at any moment of a bot that journals its predictions: what it had stored is there."""

import contextlib
import multiprocessing
import time
from multiprocessing.connection import Connection
from pathlib import Path

import cloudpickle
import numpy as np
import pandas as pd
import pytest

from freqai_signals.files import write_atomically
from freqai_signals.plugin.freqai import prediction_journal
from freqai_signals.plugin.freqai.prediction_journal import JOURNAL_FILE, append, merged, rotate
from freqai_signals.plugin.freqai.state_files import HISTORY_BACKUP, HISTORY_FILE, repair_state

FORK = multiprocessing.get_context("fork")
PAIRS = ("A/USDT", "B/USDT")
SPAN = 300
MOST = 100_000
ROTATE_EVERY = 3


def rows(first: int, count: int, value: float) -> pd.DataFrame:
    dates = pd.to_datetime(np.arange(first, first + count) * SPAN, unit="s", utc=True)
    values = {"&-signal": value, "do_predict": 1, "text": "hold"}
    return pd.DataFrame({**values, "date_pred": dates})


def stored(folder: Path) -> dict[str, pd.DataFrame]:
    """What the next start knows, by the very steps that it takes."""
    repair_state(folder)
    path = folder / HISTORY_FILE
    history = cloudpickle.loads(path.read_bytes()) if path.is_file() else {}
    return merged(folder, history, MOST)


def live(folder: Path, told: Connection, seed: int) -> None:
    """Candle after candle as the drawer stores them; tells each that is on the disk."""
    rng = np.random.default_rng(seed)
    history = stored(folder)
    for turn in range(100_000):
        last = {p: h["date_pred"].iloc[-1].timestamp() // SPAN for p, h in history.items()}
        new = {pair: rows(int(last.get(pair, -1)) + 1, int(rng.integers(1, 4)), float(turn))
               for pair in PAIRS}  # fmt: skip
        append(folder, new)
        told.send({pair: frame["date_pred"].iloc[-1] for pair, frame in new.items()})
        parts = {pair: [history[pair]] if pair in history else [] for pair in PAIRS}
        history = {p: pd.concat([*parts[p], new[p]], ignore_index=True) for p in PAIRS}
        if turn % ROTATE_EVERY == ROTATE_EVERY - 1:
            path = folder / HISTORY_FILE
            if path.is_file():
                (folder / HISTORY_BACKUP).write_bytes(path.read_bytes())
            write_atomically(path, cloudpickle.dumps(history))
            rotate(folder)


def kill_at_random(folder: Path, kills: int) -> int:
    """Kill a bot again and again; the number of candles that it had told of."""
    rng = np.random.default_rng(kills)
    promised = dict.fromkeys(PAIRS, pd.Timestamp(0, tz="UTC") - pd.Timedelta(seconds=SPAN))
    told = 0
    for turn in range(kills):
        here, there = FORK.Pipe(duplex=False)
        process = FORK.Process(target=live, args=(folder, there, turn))
        process.start()
        there.close()
        assert here.poll(120), "it stores nothing"
        time.sleep(float(rng.uniform(0, 0.4)))
        process.kill()
        process.join()
        with contextlib.suppress(EOFError):
            while True:
                promised |= here.recv()
                told += 1
        found = stored(folder)
        for pair in PAIRS:
            dates = found[pair]["date_pred"]
            assert dates.iloc[-1] >= promised[pair], "a stored prediction is gone"
            wanted = pd.date_range(dates.iloc[0], dates.iloc[-1], freq=f"{SPAN}s")
            assert dates.tolist() == wanted.tolist(), "a hole, or a candle twice"
            assert dates.iloc[0] == pd.Timestamp(0, tz="UTC"), "the oldest ones are gone"
            assert found[pair][["&-signal", "do_predict", "text"]].notna().all().all()
    return told


def test_no_kill_loses_a_prediction_that_was_stored(tmp_path: Path) -> None:
    assert kill_at_random(tmp_path, 12) >= 12


@pytest.mark.slow
def test_two_hundred_kills_lose_no_prediction_that_was_stored(tmp_path: Path) -> None:
    assert kill_at_random(tmp_path, 200) >= 200


def test_a_journal_cut_at_any_byte_keeps_all_lines_before_the_cut(tmp_path: Path) -> None:
    """What a power cut leaves: a line in part, which must swallow no other, older or newer."""
    append(tmp_path, {"A/USDT": rows(0, 3, 1.0)})
    whole = (tmp_path / JOURNAL_FILE).read_bytes()
    ends = [i for i, byte in enumerate(whole) if byte == ord("\n") and i]
    for cut in range(len(whole) + 1):
        (tmp_path / JOURNAL_FILE).write_bytes(whole[:cut])
        kept = sum(end <= cut for end in ends)
        before = merged(tmp_path, {}, MOST).get("A/USDT", pd.DataFrame())
        assert len(before) == kept, cut
        append(tmp_path, {"A/USDT": rows(10, 1, 2.0)})
        after = merged(tmp_path, {}, MOST)["A/USDT"]
        assert after["&-signal"].tolist() == [1.0] * kept + [2.0], cut


@pytest.mark.parametrize("spoiled", [b"\0" * 64, b"\xff\xfe\x80", b"[]", b"0badf00d [1]", b"\r"])
def test_bytes_of_any_kind_between_lines_cost_only_themselves(
    tmp_path: Path, spoiled: bytes
) -> None:
    append(tmp_path, {"A/USDT": rows(0, 2, 1.0)})
    with (tmp_path / JOURNAL_FILE).open("ab") as file:
        file.write(spoiled)
    append(tmp_path, {"A/USDT": rows(2, 2, 1.0)})
    assert len(merged(tmp_path, {}, MOST)["A/USDT"]) == 4


@pytest.mark.parametrize(
    "values", [[], 7, {"date_pred": None}, {"date_pred": "soon"}, {"no date": 1}, ["A/USDT"]]
)
def test_a_whole_line_that_says_nothing_of_a_candle_is_left_out(
    tmp_path: Path, values: object
) -> None:
    append(tmp_path, {"A/USDT": rows(0, 2, 1.0)})
    with (tmp_path / JOURNAL_FILE).open("a") as file:
        file.write(f"{prediction_journal._line('A/USDT', values)}\n")  # type: ignore[arg-type]
    assert len(merged(tmp_path, {}, MOST)["A/USDT"]) == 2


def test_nan_and_infinity_come_back_as_they_were(tmp_path: Path) -> None:
    frame = rows(0, 3, 1.0).assign(**{"&-signal": [np.nan, np.inf, -np.inf]})
    append(tmp_path, {"A/USDT": frame})
    np.testing.assert_array_equal(
        merged(tmp_path, {}, MOST)["A/USDT"]["&-signal"], frame["&-signal"]
    )


def test_a_row_reads_back_as_it_was(tmp_path: Path) -> None:
    frame = rows(5, 2, 0.1).assign(
        count=np.array([1, 2**40]), share=np.array([0.1, np.nan]), known=[True, False]
    )
    append(tmp_path, {"A/USDT": frame})
    found = merged(tmp_path, {}, MOST)["A/USDT"]
    pd.testing.assert_frame_equal(found, frame, check_like=True, check_column_type=False)
