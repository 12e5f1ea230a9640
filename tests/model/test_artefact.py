"""Model files: bit-identical predictions, the same bytes for the same model, damage refused."""

import io
import json
import pickle
import stat
import tracemalloc
import zipfile
from collections.abc import Mapping
from pathlib import Path

import cloudpickle
import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from freqai_signals.dataset.rows import TrainingRows
from freqai_signals.model import archive, artefact
from freqai_signals.model.artefact import (
    ArtefactError,
    ForeignArtefactError,
    from_bytes,
    read,
    to_bytes,
)
from freqai_signals.model.signal_model import SignalModel
from freqai_signals.model.signing import installation_key
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
    path = tmp_path / "x.model"
    path.write_bytes(to_bytes(trained))
    assert_same(trained, read(path), frame)
    assert to_bytes(read(path)) == path.read_bytes()


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
    with zipfile.ZipFile(io.BytesIO(to_bytes(trained))) as opened:
        names = opened.namelist()
        with np.load(io.BytesIO(opened.read("arrays.npz")), allow_pickle=False) as arrays:
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


# Made to do harm: every checksum is right


def members_of(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def crafted(changes: Mapping[str, bytes]) -> bytes:
    members = members_of(SMALL_FILE) | changes
    members.pop("manifest.json")
    return archive.pack(members, artefact.FORMAT)


def refused(data: bytes, match: str = "BTC") -> None:
    with pytest.raises(ArtefactError, match=match) as found:
        from_bytes(data, "BTC.model")
    assert "BTC.model" in str(found.value)


def test_a_member_that_the_manifest_does_not_list_is_refused() -> None:
    buffer = io.BytesIO(SMALL_FILE)
    with zipfile.ZipFile(buffer, "a") as appended:
        appended.writestr("booster_9_9.txt", "tree")
    refused(buffer.getvalue(), "booster_9_9.txt in the archive or in its manifest only")


@pytest.mark.parametrize("name", ["../evil.txt", "/etc/passwd", "card.json.exe", "a/card.json"])
def test_a_member_of_an_unknown_name_is_refused(name: str) -> None:
    refused(crafted({name: b"x"}), "unknown member")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_member_that_is_there_twice_is_refused() -> None:
    buffer = io.BytesIO(SMALL_FILE)
    with zipfile.ZipFile(buffer, "a") as appended:
        appended.writestr("card.json", members_of(SMALL_FILE)["card.json"])
    refused(buffer.getvalue(), "of different names")


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_a_member_packed_by_another_method_is_refused(method: int) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as packed:
        for name, content in members_of(SMALL_FILE).items():
            packed.writestr(name, content)
    refused(buffer.getvalue(), "packed by another method")


def test_a_bomb_is_refused_before_it_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = crafted({"booster_0_0.txt": bytes(50_000_000)})
    assert len(bomb) < 200_000
    monkeypatch.setattr(archive, "MOST_BYTES", 40_000_000)
    tracemalloc.start()
    refused(bomb, "at most 40000000")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10_000_000


def with_array(content: bytes) -> bytes:
    arrays = members_of(members_of(SMALL_FILE)["arrays.npz"]) | {"prior.npy": content}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as written:
        for name, data in arrays.items():
            written.writestr(name, data)
    return crafted({"arrays.npz": packed.getvalue()})


def header(text: str) -> bytes:
    padded = text.ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(padded).to_bytes(2, "little") + padded.encode()


def array_of(dtype: str, shape: str) -> bytes:
    return header(f"{{'descr': {dtype}, 'fortran_order': False, 'shape': {shape}}}")


@pytest.mark.parametrize(
    "content",
    [
        array_of("'|O'", "(3,)") + pickle.dumps([1] * 9),
        array_of("'<f8'", "(9999999999999,)"),
        array_of("'<f8'", "(-3,)") + bytes(24),
        array_of("'<f8'", "(3,") + bytes(24),
        array_of("5", "(3,)") + bytes(24),
        array_of("[('a', '<f8')]", "(3,)") + bytes(24),
        header("((((('") + bytes(24),
        b"\x93NUMPY\x03\x00" + bytes(100),
        b"",
        b"no array at all",
    ],
    ids=["object", "huge", "negative", "cut", "type", "record", "tokens", "new", "empty", "text"],
)  # fmt: skip
def test_an_array_that_is_none_is_refused(content: bytes) -> None:
    refused(with_array(content))


@pytest.mark.parametrize(
    "text",
    [b"", b"tree", b"tree\nversion=v4\nnum_class=3\n", b"\xff\xfe", b"tree\n" * 1000],
)
def test_a_booster_that_is_none_is_refused(text: bytes) -> None:
    refused(crafted({"booster_0_0.txt": text}))


@pytest.mark.parametrize(
    "description",
    [b"[]", b"5", b"{}", b"[" * 100_000, b'{"generations": 7}', b"null", b"\xff"],
    ids=lambda value: repr(value[:20]),
)
def test_a_description_that_is_none_is_refused(description: bytes) -> None:
    refused(crafted({"model.json": description}))
    refused(crafted({"card.json": description}))


@pytest.mark.parametrize(
    "change",
    [
        {"version": "../../outside"}, {"version": "/etc/x"}, {"version": ""}, {"version": "a\0b"},
        {"version": "x" * 65}, {"version": 5}, {"version": None}, {"rows": "many"}, {"pairs": "B"},
        {"metrics": {"validation": {"skill": "high"}}}, {"gate": []}, {"key": 1}, {"other": 1},
    ],
    ids=repr,
)  # fmt: skip
def test_a_card_with_a_value_of_another_kind_is_refused(change: dict[str, object]) -> None:
    card = json.loads(members_of(SMALL_FILE)["card.json"]) | change
    refused(crafted({"card.json": json.dumps(card).encode()}))


# Signed


def test_a_signed_file_is_read_with_its_key_only() -> None:
    key, model = b"k" * 32, from_bytes(SMALL_FILE)
    signed = to_bytes(model, key)
    assert to_bytes(from_bytes(signed, "BTC.model", key)) == SMALL_FILE
    assert to_bytes(from_bytes(signed)) == SMALL_FILE
    for data in (SMALL_FILE, to_bytes(model, b"o" * 32)):
        with pytest.raises(ForeignArtefactError, match=r"BTC\.model: not signed"):
            from_bytes(data, "BTC.model", key)


def test_a_signature_does_not_hold_for_another_content() -> None:
    key = b"k" * 32
    buffer = io.BytesIO(crafted({"booster_0_0.txt": b"tree"}))
    with zipfile.ZipFile(io.BytesIO(to_bytes(from_bytes(SMALL_FILE), key))) as ours:
        comment = ours.comment
    with zipfile.ZipFile(buffer, "a") as changed:
        changed.comment = comment
    with pytest.raises(ForeignArtefactError):
        from_bytes(buffer.getvalue(), "BTC.model", key)


def test_the_key_is_made_once_and_for_its_owner_only(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "signals" / "signing.key"
    key = installation_key(tmp_path, True)
    assert key is not None
    assert len(key) == 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    assert installation_key(tmp_path, True) == key
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "could be read by others" in caplog.text
    assert installation_key(tmp_path, False) is None
    assert [item.name for item in path.parent.iterdir()] == ["signing.key"]


def test_without_a_key_that_can_be_kept_nothing_is_signed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "signals").write_text("a file where the folder should be")
    assert installation_key(tmp_path, True) is None
    assert "Model files are not signed" in caplog.text
