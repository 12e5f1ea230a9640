import json
import logging
import pickle
from pathlib import Path

import cloudpickle
import numpy as np
import pandas as pd
import pytest

from freqai_signals.plugin.freqai.state_files import (
    HISTORY_BACKUP,
    HISTORY_FILE,
    INPUTS_FILE,
    all_inputs,
    changed_inputs,
    repair_state,
    with_columns,
)

HISTORY = {"BTC/USDT": pd.DataFrame({"confidence": [0.5]})}


def test_whole_files_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / HISTORY_FILE).write_bytes(pickle.dumps(HISTORY))
    (tmp_path / "pair_dictionary.json").write_text("{}")
    repair_state(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        HISTORY_FILE,
        "pair_dictionary.json",
    ]


@pytest.mark.parametrize("content", [b"", b"\x80\x05\x95", b"nonsense", pickle.dumps([1])])
def test_a_damaged_history_gives_way_to_its_backup(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / HISTORY_FILE).write_bytes(content)
    (tmp_path / HISTORY_BACKUP).write_bytes(pickle.dumps(HISTORY))
    with caplog.at_level(logging.WARNING):
        repair_state(tmp_path)
    assert list(pickle.loads((tmp_path / HISTORY_FILE).read_bytes())) == ["BTC/USDT"]
    assert (tmp_path / f"{HISTORY_FILE}.damaged").read_bytes() == content
    assert HISTORY_FILE in caplog.text


def test_without_a_whole_history_the_bot_starts_afresh(tmp_path: Path) -> None:
    for name in (HISTORY_FILE, HISTORY_BACKUP):
        (tmp_path / name).write_bytes(pickle.dumps(HISTORY)[:-20])
    repair_state(tmp_path)
    assert not (tmp_path / HISTORY_FILE).exists()
    assert not (tmp_path / HISTORY_BACKUP).exists()


@pytest.mark.parametrize("content", ["", '{"BTC/USDT": {"trained_ti', "[]"])
def test_half_a_list_of_models_is_set_aside(tmp_path: Path, content: str) -> None:
    (tmp_path / "pair_dictionary.json").write_text(content)
    repair_state(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["pair_dictionary.json.damaged"]


def test_missing_columns_are_filled_and_present_ones_kept() -> None:
    history = HISTORY["BTC/USDT"]
    wide = with_columns(history, {"confidence": 9.0, "model_id": 0.0})
    assert wide.to_dict("list") == {"confidence": [0.5], "model_id": [0.0]}
    assert with_columns(history, {"confidence": 0.0}) is history


def test_changed_inputs_are_named(tmp_path: Path) -> None:
    inputs = {"labels": "a", "pool": "b"}
    assert changed_inputs(tmp_path, "BTC/USDT", inputs)
    (tmp_path / INPUTS_FILE).write_text(all_inputs(tmp_path, "BTC/USDT", inputs))
    (tmp_path / INPUTS_FILE).write_text(all_inputs(tmp_path, "ETH/USDT", {"labels": "c"}))
    assert changed_inputs(tmp_path, "BTC/USDT", inputs) == []
    assert changed_inputs(tmp_path, "BTC/USDT", {"labels": "c", "pool": "b"}) == ["labels"]
    assert set(json.loads((tmp_path / INPUTS_FILE).read_text())) == {"BTC/USDT", "ETH/USDT"}
    (tmp_path / INPUTS_FILE).write_text("{half")
    assert changed_inputs(tmp_path, "BTC/USDT", inputs)


def cost(pair: str) -> str:
    return f"round-trip cost of {pair}"


def test_a_pair_that_joins_the_pool_does_not_unseat_the_model(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    inputs = {"labels": "a", "pool": "A/X B/X", cost("A/X"): "1", cost("B/X"): "1"}
    (tmp_path / INPUTS_FILE).write_text(all_inputs(tmp_path, "A/X", inputs))
    joined = inputs | {"pool": "A/X B/X C/X", cost("C/X"): "1"}
    with caplog.at_level(logging.INFO):
        assert changed_inputs(tmp_path, "A/X", joined) == []
    assert "joined: C/X; left: none" in caplog.text
    dearer = joined | {cost("A/X"): "2"}
    assert changed_inputs(tmp_path, "A/X", dearer) == [cost("A/X")]
    assert changed_inputs(tmp_path, "A/X", joined | {"labels": "c"}) == ["labels"]


def test_a_pool_of_one_is_its_own_market_and_another_one(tmp_path: Path) -> None:
    both = {"pool": "A/X B/X", cost("A/X"): "1", cost("B/X"): "1"}
    alone = {"pool": "A/X", cost("A/X"): "1"}
    for stored, now in ((both, alone), (alone, both)):
        (tmp_path / INPUTS_FILE).write_text(all_inputs(tmp_path, "A/X", stored))
        assert changed_inputs(tmp_path, "A/X", now) == ["pool", cost("B/X")]


def test_a_pickle_that_would_run_code_is_set_aside_unread(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ran = tmp_path / "ran"

    class Harm:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (ran,)  # type: ignore[return-value]

    for name in (HISTORY_FILE, HISTORY_BACKUP):
        (tmp_path / name).write_bytes(cloudpickle.dumps({"BTC/USDT": Harm()}))
    repair_state(tmp_path)
    assert not ran.exists()
    assert "is no part of a table of predictions" in caplog.text
    assert (tmp_path / f"{HISTORY_FILE}.damaged").is_file()


def test_every_kind_of_column_that_predictions_have_is_read(tmp_path: Path) -> None:
    dates = pd.date_range("2024-01-01", periods=3, freq="5min", tz="UTC")
    frame = pd.DataFrame(
        {
            "float": [0.5, np.nan, 1.0], "single": np.float32([1, 2, 3]), "whole": [1, 2, 3],
            "flag": [True, False, True], "text": ["a", "b", "c"],
            "mixed": pd.Series([1, "a", None], dtype=object), "date_pred": dates.as_unit("ms"),
            "nullable": pd.array([1, None, 3], dtype="Int64"), "other": [1.0, "x", dates[0]],
        }
    )  # fmt: skip
    joined = pd.concat([frame, frame], ignore_index=True)
    path = tmp_path / HISTORY_FILE
    for history in (frame, joined, frame.set_index("date_pred"), frame.iloc[::2]):
        path.write_bytes(cloudpickle.dumps({"BTC/USDT": history}))
        repair_state(tmp_path)
        assert path.is_file()
