"""The model store: never trained twice, never stale, never fatal."""

import dataclasses
import os
from pathlib import Path

import pytest

from freqai_signals.dataset.rows import TrainingRows
from freqai_signals.model.artefact import to_bytes
from freqai_signals.model.card import ModelCard
from freqai_signals.model.signal_model import SignalModel
from freqai_signals.training import model_store as store_module
from freqai_signals.training.fit import Boosters, Request
from freqai_signals.training.model_store import ModelStore
from freqai_signals.training.training_times import seconds_of_training
from tests.model_rows import small


@pytest.fixture
def trainings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Keys of the requests that were trained, not loaded."""
    keys: list[str] = []
    train = store_module.train

    def counted(request: Request, key: str, boosters: Boosters) -> SignalModel:
        keys.append(key)
        return train(request, key, boosters)

    monkeypatch.setattr(store_module, "train", counted)
    return keys


def test_the_same_request_is_trained_once(
    rows: TrainingRows, tmp_path: Path, trainings: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    first = ModelStore(tmp_path).train(Request(rows, small()))
    again = ModelStore(tmp_path).train(Request(rows, small(None, {"threads": 2})))
    assert len(trainings) == 1
    assert to_bytes(again) == to_bytes(first)
    assert f"Reusing model {first.card.version}" in caplog.text


def test_a_changed_request_is_trained_again(
    rows: TrainingRows, tmp_path: Path, trainings: list[str]
) -> None:
    store = ModelStore(tmp_path)
    model = store.train(Request(rows, small()))
    label = rows.label.copy()
    label[5] = (label[5] + 1) % 3
    store.train(Request(dataclasses.replace(rows, label=label), small()))
    store.train(Request(dataclasses.replace(rows, pairs=("BTC/USDC",)), small()))
    store.train(Request(rows, small(None, {"learning_rate": 0.2})))
    store.train(Request(rows, small(), model))
    assert len(set(trainings)) == 5
    assert len(list(tmp_path.glob("*.model"))) == 5


def test_only_trainings_are_timed(rows: TrainingRows, tmp_path: Path, trainings: list[str]) -> None:
    store = ModelStore(tmp_path)
    for seed in (1, 1, 2):
        store.train(Request(rows, small(None, {"seed": seed})))
    assert len(trainings) == 2
    seconds, known = seconds_of_training(tmp_path, len(rows))
    assert known == 2
    assert 0 < seconds < 60


def test_changed_code_is_trained_again(
    rows: TrainingRows, tmp_path: Path, trainings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ModelStore(tmp_path).train(Request(rows, small()))
    monkeypatch.setattr("freqai_signals.training.request.code_digest", lambda: "edited")
    ModelStore(tmp_path).train(Request(rows, small()))
    assert len(set(trainings)) == 2


def test_an_abstaining_model_is_kept_too(
    rows: TrainingRows, tmp_path: Path, trainings: list[str]
) -> None:
    request = Request(rows.take(rows.label == 1), small())
    for _ in range(2):
        assert ModelStore(tmp_path).train(request).card.reason
    assert len(trainings) == 1


def test_a_damaged_file_is_named_set_aside_and_trained_again(
    rows: TrainingRows, tmp_path: Path, trainings: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    store, request = ModelStore(tmp_path), Request(rows, small())
    first = store.train(request)
    path = tmp_path / f"{first.card.key}.model"
    path.write_bytes(path.read_bytes()[:-100])
    again = store.train(request)
    assert len(trainings) == 2
    assert path.name in caplog.text
    assert path.with_suffix(".damaged").is_file()
    assert to_bytes(again) == to_bytes(first)
    assert store.load(first.card.key) is not None


def test_a_file_copied_over_another_is_set_aside_and_trained_again(
    rows: TrainingRows, tmp_path: Path, trainings: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Whole, but made from other rows: it may know candles after the window."""
    store, request = ModelStore(tmp_path), Request(rows, small())
    first = store.train(request)
    later = store.train(Request(rows, small(None, {"seed": 8})))
    path = tmp_path / f"{first.card.key}.model"
    path.write_bytes((tmp_path / f"{later.card.key}.model").read_bytes())
    assert to_bytes(store.train(request)) == to_bytes(first)
    assert len(trainings) == 3
    assert f"holds model {later.card.version} of another request" in caplog.text
    assert path.with_suffix(".damaged").is_file()


def test_a_file_that_is_not_signed_here_is_trained_again(
    rows: TrainingRows, tmp_path: Path, trainings: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    request = Request(rows, small())
    first = ModelStore(tmp_path).train(request)
    ours = ModelStore(tmp_path, key=b"k" * 32)
    for _ in range(2):
        assert to_bytes(ours.train(request)) == to_bytes(first)
    assert len(trainings) == 2
    assert "not signed by this installation" in caplog.text


def test_a_folder_that_cannot_be_written_is_logged_and_not_fatal(
    rows: TrainingRows, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A file where the folder should be stops root as well."""
    (tmp_path / "file").write_text("")
    model = ModelStore(tmp_path / "file" / "models").train(Request(rows, small()))
    assert model.fit is not None
    assert f"Model {model.card.version} could not be stored" in caplog.text


def test_a_model_that_could_not_be_stored_is_used_and_stored_when_it_can_be(
    rows: TrainingRows, tmp_path: Path, trainings: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    (tmp_path / "file").write_text("")
    store, request = ModelStore(tmp_path / "file" / "models"), Request(rows, small())
    model = store.train(request)
    store.save_again()
    # As after a reload of the config.
    assert to_bytes(ModelStore(store.folder).train(request)) == to_bytes(model)
    assert len(trainings) == 1
    (tmp_path / "file").unlink()
    ModelStore(store.folder).save_again()
    assert caplog.text.count("could not be stored") == 1
    assert f"Model {model.card.version} is stored now" in caplog.text
    assert not store._unsaved
    found = store.load(request.key())
    assert found is not None
    assert to_bytes(found) == to_bytes(model)


def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, old = SignalModel(ModelCard(version="one", key=64 * "a")), tmp_path / f"{64 * 'a'}.model"
    old.write_bytes(b"old")

    def full(*_: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr("os.replace", full)
    ModelStore(tmp_path).save(model)
    assert old.read_bytes() == b"old"
    assert list(tmp_path.glob("*")) == [old]


def test_only_the_newest_models_wait_for_room(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = ModelStore(tmp_path / "file" / "models")
    for number in range(12):
        card = ModelCard(version=str(number), key=f"{number:064x}")
        store.save(SignalModel(card))
    assert [version for version, _ in store._unsaved.values()] == [str(n) for n in range(2, 12)]


def test_a_model_in_a_read_only_folder_is_still_used(
    rows: TrainingRows, tmp_path: Path, trainings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, request = ModelStore(tmp_path), Request(rows, small())
    first = store.train(request)

    def read_only(*_: object, **__: object) -> None:
        raise PermissionError("Read-only file system")

    monkeypatch.setattr(Path, "touch", read_only)
    assert to_bytes(store.train(request)) == to_bytes(first)
    assert len(trainings) == 1


def test_a_damaged_file_in_a_read_only_folder_is_trained_again(
    rows: TrainingRows, tmp_path: Path, trainings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, request = ModelStore(tmp_path), Request(rows, small())
    first = store.train(request)
    (tmp_path / f"{first.card.key}.model").write_bytes(b"")

    def read_only(*_: object, **__: object) -> None:
        raise PermissionError("Read-only file system")

    monkeypatch.setattr(Path, "replace", read_only)
    assert to_bytes(store.train(request)) == to_bytes(first)
    assert len(trainings) == 2


def test_the_least_recently_used_are_deleted_first(rows: TrainingRows, tmp_path: Path) -> None:
    store = ModelStore(tmp_path, max_files=2)
    models = []
    for seed in range(3):
        models.append(store.train(Request(rows, small(None, {"seed": seed, "rounds": 1}))))
        for age, model in enumerate(models):
            path = tmp_path / f"{model.card.key}.model"
            if path.is_file():
                os.utime(path, (1000 + age, 1000 + age))
        if seed == 1:
            store.load(models[0].card.key)
    kept = {path.stem for path in tmp_path.glob("*.model")}
    assert kept == {models[0].card.key, models[2].card.key}
