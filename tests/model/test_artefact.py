"""Model files: bit-identical predictions, the same bytes for the same model, damage refused."""

import pickle
from pathlib import Path

import cloudpickle
import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from freqai_signals.dataset.rows import TrainingRows
from freqai_signals.model import artefact
from freqai_signals.model.artefact import ArtefactError, from_bytes, read, to_bytes, write
from freqai_signals.model.signal_model import SignalModel
from freqai_signals.training.fit import Request, train
from tests.model_rows import make_rows, small


@pytest.fixture(scope="session")
def frame(rows: TrainingRows) -> pd.DataFrame:
    return pd.DataFrame(rows.features[:300], columns=list(rows.names))


def assert_same(one: SignalModel, other: SignalModel, frame: pd.DataFrame) -> None:
    first, second = one.predict(frame), other.predict(frame)
    for name in ("probabilities", "trusted", "distance"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
    assert one.card == other.card
    assert one.names == other.names
    assert one.trained_until == other.trained_until
    for name in ("event_end", "log_odds", "bought"):
        np.testing.assert_array_equal(getattr(one.history, name), getattr(other.history, name))


def test_a_round_trip_predicts_bit_identically(
    trained: SignalModel, frame: pd.DataFrame, tmp_path: Path
) -> None:
    path = tmp_path / "deep" / "x.model"
    write(trained, path)
    assert_same(trained, read(path), frame)
    assert to_bytes(read(path)) == path.read_bytes()
    assert [file.name for file in path.parent.iterdir()] == ["x.model"]


@pytest.mark.parametrize("method", ["none", "temperature"])
def test_every_calibration_survives(method: str, frame: pd.DataFrame, rows: TrainingRows) -> None:
    model = train(Request(rows, small({"seeds": 2}, None, {"method": method})))
    assert_same(model, from_bytes(to_bytes(model)), frame)


@pytest.mark.parametrize("refit", [True, False])
def test_the_next_model_is_the_same_after_a_round_trip(refit: bool) -> None:
    chosen = small({"seeds": 2, "refit": refit})
    first = train(Request(make_rows(seed=4), chosen))
    later = make_rows(1700, seed=5)
    one, other = (
        train(Request(later, chosen, model)) for model in (first, from_bytes(to_bytes(first)))
    )
    assert to_bytes(one) == to_bytes(other)


def test_an_abstaining_model_survives(frame: pd.DataFrame, rows: TrainingRows) -> None:
    model = train(Request(rows.take(rows.label == 1), small()))
    again = from_bytes(to_bytes(model))
    assert again.fit is None
    assert_same(model, again, frame)


@pytest.mark.parametrize("pickler", [pickle, cloudpickle], ids=["pickle", "cloudpickle"])
def test_pickle_keeps_a_model(trained: SignalModel, frame: pd.DataFrame, pickler: object) -> None:
    """FreqAI stores models with cloudpickle beside our own file."""
    assert_same(trained, pickle.loads(pickler.dumps(trained)), frame)  # type: ignore[attr-defined]


def test_the_file_holds_no_pickle(trained: SignalModel) -> None:
    import io
    import zipfile

    with zipfile.ZipFile(io.BytesIO(to_bytes(trained))) as archive:
        names = archive.namelist()
        with np.load(io.BytesIO(archive.read("arrays.npz")), allow_pickle=False) as arrays:
            assert all(arrays[name].dtype.kind in "fib" for name in arrays.files)
    assert {Path(name).suffix for name in names} == {".json", ".txt", ".npz"}


SMALL_FILE = to_bytes(train(Request(make_rows(400), small(None, {"rounds": 3, "num_leaves": 3}))))


@hypothesis_settings(max_examples=80)
@given(length=st.integers(0, len(SMALL_FILE) - 1))
@example(0)
@example(len(SMALL_FILE) - 1)
def test_a_truncated_file_is_refused_with_its_name(length: int) -> None:
    with pytest.raises(ArtefactError, match=r"BTC\.model"):
        from_bytes(SMALL_FILE[:length], "BTC.model")


def refused_or_whole(damaged: bytes) -> None:
    """Some bytes of a zip have no effect (dates, attributes); the content must be unchanged."""
    try:
        same = to_bytes(from_bytes(damaged, "BTC.model")) == SMALL_FILE
    except ArtefactError as error:
        same = "BTC.model" in str(error)
    assert same


@hypothesis_settings(max_examples=120)
@given(position=st.integers(0, len(SMALL_FILE) - 1), bit=st.integers(0, 7))
def test_a_flipped_bit_is_refused_with_the_files_name(position: int, bit: int) -> None:
    damaged = bytearray(SMALL_FILE)
    damaged[position] ^= 1 << bit
    refused_or_whole(bytes(damaged))


def test_every_byte_of_the_archives_directory_is_safe() -> None:
    """The structures at the end and the first header, byte by byte."""
    begin = SMALL_FILE.index(b"PK\x01\x02")
    for position in [*range(60), *range(begin, len(SMALL_FILE))]:
        damaged = bytearray(SMALL_FILE)
        damaged[position] ^= 0xFF
        refused_or_whole(bytes(damaged))


@hypothesis_settings(max_examples=50)
@given(st.binary(max_size=200))
def test_anything_else_is_refused_with_its_name(data: bytes) -> None:
    with pytest.raises(ArtefactError, match=r"BTC\.model"):
        from_bytes(data, "BTC.model")


def test_another_format_is_refused_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artefact, "FORMAT", 99)
    with pytest.raises(ArtefactError, match="this version reads 99; train again"):
        from_bytes(SMALL_FILE, "BTC.model")


def test_a_failed_write_leaves_the_old_file(
    trained: SignalModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.model"
    path.write_bytes(b"old")

    def full(*_: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(OSError, match="No space"):
        write(trained, path)
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["x.model"]
