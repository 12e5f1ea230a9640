"""The registry: immutable versions, one pointer, and what damage, locks and kills leave."""

import contextlib
import io
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from dataclasses import replace
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from filelock import FileLock

from freqai_signals.dataset.rows import TrainingRows
from freqai_signals.model import artefact
from freqai_signals.model.artefact import from_bytes
from freqai_signals.model.signal_model import SignalModel
from freqai_signals.provenance import digest
from freqai_signals.registry.inspection import compare, export, verify
from freqai_signals.registry.promotion import promote, scope_name
from freqai_signals.registry.registry import Registry
from freqai_signals.registry.serving import LiveModels
from freqai_signals.registry.versions import RegistryError, Scope
from freqai_signals.settings import SignalSettings
from tests.registry.gate_rows import model_of, shuffled, small_settings, window

BOT, PAIR, NAME = "bot", "BTC/USDT", "bot/pool"
FORK = multiprocessing.get_context("fork")


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "registry", keep=3, lock_seconds=0.2)


def version(number: int) -> SignalModel:
    """The same model under another id."""
    model = model_of(0)
    return replace(model, card=replace(model.card, version=f"v{number}"))


def frame(rows: TrainingRows) -> pd.DataFrame:
    return pd.DataFrame(rows.features, columns=list(rows.names))


def model_path(registry: Registry, number: int) -> Path:
    return registry.path(NAME) / f"v{number}.model"


# Versions and the pointer


def test_registered_model_loads_bit_identically(registry: Registry) -> None:
    registry.register(NAME, model_of(0), serve=True)
    loaded = registry.load(NAME)
    rows = frame(window(0))
    np.testing.assert_array_equal(
        loaded.predict(rows).probabilities, model_of(0).predict(rows).probabilities
    )
    np.testing.assert_array_equal(loaded.holdout.probabilities, model_of(0).holdout.probabilities)


def test_version_says_what_the_model_was_made_from(registry: Registry) -> None:
    registry.register(NAME, model_of(0), serve=True)
    (found,) = registry.scope(NAME).versions
    card = model_of(0).card
    assert (found.version, found.first, found.last) == (card.version, card.first, card.last)
    assert found.features_digest == card.features_digest
    assert found.metrics["skill"] == card.metrics["validation"]["skill"]
    assert found.libraries["lightgbm"]
    assert len(found.sha256) == len(found.settings_digest) == 64


def test_registering_again_adds_nothing(registry: Registry) -> None:
    for _ in range(2):
        registry.register(NAME, version(1), serve=True)
    scope = registry.scope(NAME)
    assert len(scope.versions) == 1
    assert [event.action for event in scope.history] == ["registered", "serving"]


def test_refused_model_is_kept_but_does_not_serve(registry: Registry) -> None:
    registry.register(NAME, version(1), serve=True)
    registry.register(NAME, version(2), serve=False)
    assert registry.scope(NAME).serving == "v1"
    assert registry.load(NAME, "v2").card.version == "v2"


def test_scopes_do_not_share_anything(registry: Registry) -> None:
    registry.register("bot/BTC/USDT", version(1), serve=True)
    registry.register("bot/BTC_USDT", version(2), serve=True)
    assert [scope.serving for scope in registry.scopes()] == ["v1", "v2"]


def test_unknown_version_is_named_with_those_there_are(registry: Registry) -> None:
    registry.register(NAME, version(1), serve=True)
    with pytest.raises(RegistryError, match=r"no version like 'x'; the newest are: v1"):
        registry.load(NAME, "x")
    with pytest.raises(RegistryError, match="no version serves"):
        registry.load("bot/other")


# Rollback, pin, retention


def test_rollback_goes_to_the_version_that_served_before(registry: Registry) -> None:
    registry.register(NAME, version(1), serve=True)
    registry.register(NAME, version(2), serve=False)
    registry.register(NAME, version(3), serve=True)
    assert registry.rollback(NAME, reason="looks odd").version == "v1"
    scope = registry.scope(NAME)
    assert scope.serving == "v1"
    assert scope.history[-1].reason == "was v3; looks odd"


def test_rollback_twice_goes_two_back_and_never_forward(registry: Registry) -> None:
    for number in (1, 2, 3):
        registry.register(NAME, version(number), serve=True)
    assert [registry.rollback(NAME).version for _ in range(2)] == ["v2", "v1"]
    with pytest.raises(RegistryError, match="no earlier version than v1 has served"):
        registry.rollback(NAME)
    for newer in ("v1", "v2"):
        with pytest.raises(RegistryError, match=f"{newer} is not older than the serving v1; pin"):
            registry.rollback(NAME, newer)
    assert registry.scope(NAME).serving == "v1"
    assert registry.pin(NAME, "v3").version == "v3"
    assert registry.rollback(NAME).version == "v2"
    assert registry.scope(NAME).pinned, "the pin moves along"


def test_three_rollback_targets_outlive_many_refused_models(registry: Registry) -> None:
    for number in range(1, 6):
        registry.register(NAME, version(number), serve=True)
    for number in range(6, 12):
        registry.register(NAME, version(number), serve=False)
    assert [registry.rollback(NAME).version for _ in range(3)] == ["v4", "v3", "v2"]


def test_rollback_without_an_earlier_version_is_refused(registry: Registry) -> None:
    registry.register(NAME, version(1), serve=True)
    with pytest.raises(RegistryError, match="no earlier version than v1 has served"):
        registry.rollback(NAME)


def test_rollback_to_a_damaged_version_is_refused(registry: Registry) -> None:
    registry.register(NAME, version(1), serve=True)
    registry.register(NAME, version(2), serve=True)
    model_path(registry, 1).write_bytes(b"x")
    with pytest.raises(RegistryError, match="does not match its checksum"):
        registry.rollback(NAME)
    assert registry.scope(NAME).serving == "v2"


def test_pinned_version_serves_until_it_is_unpinned(registry: Registry) -> None:
    registry.register(NAME, version(1), serve=True)
    registry.pin(NAME)
    registry.register(NAME, version(2), serve=True)
    assert registry.scope(NAME).serving == "v1"
    registry.unpin(NAME)
    registry.register(NAME, version(2), serve=True)
    assert registry.scope(NAME).serving == "v2"


def test_newest_versions_stay_and_so_do_those_that_serve_or_served(registry: Registry) -> None:
    registry.register(NAME, version(1), serve=True)
    registry.register(NAME, version(2), serve=True)
    for number in range(3, 9):
        registry.register(NAME, version(number), serve=False)
    kept = {path.stem for path in registry.path(NAME).glob("*.model")}
    assert kept == {"v1", "v2", "v6", "v7", "v8"}
    assert {item.version for item in registry.scope(NAME).versions} == kept


# Damage


@pytest.mark.parametrize("damage", ["flip", "truncate", "remove"])
def test_damaged_model_is_refused_and_the_others_go_on(registry: Registry, damage: str) -> None:
    registry.register(NAME, version(1), serve=True)
    registry.register(NAME, version(2), serve=True)
    path = model_path(registry, 2)
    data = bytearray(path.read_bytes())
    if damage == "flip":
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    elif damage == "truncate":
        path.write_bytes(data[:100])
    else:
        path.unlink()
    with pytest.raises(RegistryError, match="roll back to another version"):
        registry.load(NAME)
    problems = {item["version"]: item["problem"] for item in verify(registry)}
    assert problems["v1"] == ""
    assert "v2.model" in problems["v2"]
    assert registry.rollback(NAME).version == "v1"


def test_model_of_another_version_under_a_versions_name_is_refused(registry: Registry) -> None:
    """Its checksum may have been written into the pointer too."""
    registry.register(NAME, version(1), serve=True)
    registry.register(NAME, version(2), serve=True)
    other = model_path(registry, 1).read_bytes()
    model_path(registry, 2).write_bytes(other)
    copied = registry.scope(NAME).get("v1").sha256

    def claimed(scope: Scope) -> Scope:
        return replace(
            scope, versions=tuple(replace(item, sha256=copied) for item in scope.versions)
        )

    registry.change(NAME, claimed)
    with pytest.raises(RegistryError, match="holds model v1"):
        registry.load(NAME)
    for name in ("scope.json", "scope.previous.json"):
        (registry.path(NAME) / name).write_text("{")
    registry.register(NAME, version(3), serve=False)
    assert [item.version for item in registry.scope(NAME).versions] == ["v1", "v3"]


def test_registering_again_restores_a_damaged_file(registry: Registry) -> None:
    registry.register(NAME, version(1), serve=True)
    for damage in (b"x", None):
        path = model_path(registry, 1)
        path.write_bytes(damage) if damage else path.unlink()
        registry.register(NAME, version(1), serve=True)
        assert registry.load(NAME).card.version == "v1"
    assert [e.action for e in registry.scope(NAME).history].count("restored") == 2


def test_files_and_folders_of_others_stay_and_do_no_harm(registry: Registry) -> None:
    registry.register(NAME, version(1), serve=True)
    folder = registry.path(NAME)
    others = [folder / ".hidden", folder / "folder", folder / "x.model", folder / ".git.model.d"]
    for other in others:
        other.mkdir()
        (other / "file").write_text("theirs")
    (folder / ".DS_Store").write_text("theirs")
    (registry.folder / ".hidden").mkdir()
    (registry.folder / "scope.json").mkdir()
    registry.register(NAME, version(2), serve=True)
    assert registry.load(NAME).card.version == "v2"
    assert {item["problem"] for item in verify(registry)} == {""}
    assert all((other / "file").is_file() for other in others)
    assert (folder / ".DS_Store").is_file()


@pytest.mark.parametrize("name", ["../outside", "../../outside", "/outside", "a/b", ".", ""])
def test_export_stays_in_its_folder_whatever_a_version_is_called(
    registry: Registry, tmp_path: Path, name: str
) -> None:
    registry.register(NAME, version(1), serve=True)
    pointer = registry.path(NAME) / "scope.json"
    content = json.loads(pointer.read_text())["content"]
    content["versions"][0]["version"] = content["serving"] = name
    pointer.write_text(json.dumps({"format": 1, "sha256": digest(content), "content": content}))
    (registry.path(NAME) / "scope.previous.json").unlink(missing_ok=True)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(RegistryError):
        export(registry, NAME, name, tmp_path / "out")
    assert sorted(tmp_path.rglob("*")) == before


def test_what_this_installation_signed_is_loaded_at_once_and_else_tried_out_first(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []

    def checked(data: bytes, name: str) -> SignalModel:
        tried.append(Path(name).name)
        return from_bytes(data, name)

    monkeypatch.setattr("freqai_signals.model.foreign.checked", checked)
    ours = replace(registry, key=b"k" * 32)
    ours.register(NAME, version(1), serve=True)
    registry.register(NAME, version(2), serve=True)
    replace(registry, key=b"o" * 32).register(NAME, version(3), serve=True)
    for number in (1, 2, 3):
        assert ours.load(NAME, f"v{number}").card.version == f"v{number}"
    assert tried == ["v2.model", "v3.model"]


def test_every_flipped_bit_of_a_model_is_noticed(registry: Registry) -> None:
    registry.register(NAME, version(1), serve=True)
    path = model_path(registry, 1)
    whole = path.read_bytes()
    for place in np.random.default_rng(0).integers(0, len(whole), 100):
        data = bytearray(whole)
        data[place] ^= 1 << (place % 8)
        path.write_bytes(data)
        with pytest.raises(RegistryError, match="checksum"):
            registry.load(NAME)


def test_damaged_pointer_falls_back_to_its_previous_state(registry: Registry) -> None:
    registry.register(NAME, version(1), serve=True)
    registry.register(NAME, version(2), serve=True)
    pointer = registry.path(NAME) / "scope.json"
    pointer.write_text(pointer.read_text().replace('"serving": "v2"', '"serving": "v1"'))
    assert registry.scope(NAME).serving == "v1"
    assert len(registry.scope(NAME).versions) == 1


def test_pointer_damaged_twice_is_rebuilt_from_whole_models_by_the_next_one(
    registry: Registry, caplog: pytest.LogCaptureFixture
) -> None:
    for number in (1, 2):
        registry.register(NAME, version(number), serve=True)
    model_path(registry, 1).write_bytes(b"x")
    for name in ("scope.json", "scope.previous.json"):
        (registry.path(NAME) / name).write_text("{")
    with pytest.raises(RegistryError, match="is damaged"):
        registry.scope(NAME)
    assert registry.scopes() == []
    assert verify(registry)[0]["problem"] == "damaged pointer"
    registry.register(NAME, version(3), serve=False)
    scope = registry.scope(NAME)
    assert [item.version for item in scope.versions] == ["v2", "v3"]
    assert scope.serving == ""
    assert "Left out of the rebuilt registry" in caplog.text


def test_pointer_with_another_checksum_is_refused() -> None:
    content = json.loads(Scope("a").to_json())
    content["content"]["serving"] = "other"
    with pytest.raises(ValueError, match="checksum"):
        Scope.from_json(json.dumps(content))


# Two processes, full and read-only disks


def test_held_lock_is_reported_after_the_wait_and_readers_need_none(registry: Registry) -> None:
    registry.register(NAME, version(1), serve=True)
    with FileLock(registry.path(NAME) / ".lock"):
        with pytest.raises(RegistryError, match="locked by another process"):
            registry.register(NAME, version(2), serve=True)
        assert registry.load(NAME).card.version == "v1"


def write(folder: Path, first: int, stop: int, told: Connection) -> None:
    """Register versions and tell each one that is committed."""
    registry = Registry(folder, keep=1000, lock_seconds=60)
    for number in range(first, stop):
        registry.register(NAME, version(number), serve=True)
        told.send(number)


def writer(folder: Path, first: int, stop: int) -> tuple[BaseProcess, Connection]:
    """A process of its own; forked, since starting Python anew takes seconds."""
    model_of(0)
    here, there = FORK.Pipe(duplex=False)
    process = FORK.Process(target=write, args=(folder, first, stop, there))
    process.start()
    there.close()
    return process, here


def all_told(told: Connection) -> set[str]:
    numbers = set()
    with contextlib.suppress(EOFError):
        while True:
            numbers.add(f"v{told.recv()}")
    return numbers


def test_two_processes_lose_no_version(registry: Registry) -> None:
    both = [writer(registry.folder, first, first + 8) for first in (0, 100)]
    for process, told in both:
        assert len(all_told(told)) == 8
        process.join(60)
    found = {item.version for item in registry.scope(NAME).versions}
    assert found == {f"v{n}" for first in (0, 100) for n in range(first, first + 8)}


def _output(script: str, folder: Path, repo: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script, str(folder)],
        capture_output=True, text=True, check=False, cwd=repo,
        env={**os.environ, "PYTHONPATH": str(repo)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def _unwritable(folder: Path, mode: int) -> None:
    for path in (folder, *folder.rglob("*")):
        path.chmod(mode if path.is_dir() else mode & 0o666)
    # Another user looks in; the temporary folder above is the test's own.
    folder.parent.chmod(0o755)


def test_read_only_registry_is_read_and_says_what_it_cannot_do(repo: Path) -> None:
    # Not in pytest's folder: another session of pytest takes away its access while this one runs.
    with tempfile.TemporaryDirectory() as folder:
        _read_only(Registry(Path(folder) / "registry"), repo)


def _read_only(registry: Registry, repo: Path) -> None:
    registry.register(NAME, version(1), serve=True)
    _unwritable(registry.folder, 0o555)
    try:
        said = _output(
            "from tests.registry.test_registry import *\n"
            # Imports all that is needed: whom root becomes may not be allowed to read the checkout.
            "with tempfile.TemporaryDirectory() as folder:\n"
            "    other = Registry(Path(folder) / 'registry')\n"
            "    other.register(NAME, version(1), serve=True)\n"
            "    other.load(NAME), other.unpin(NAME)\n"
            "if os.getuid() == 0:\n"
            "    os.setgid(65534); os.setuid(65534)\n"
            "registry = Registry(Path(sys.argv[1]))\n"
            "sys.stdout.write(registry.load(NAME).card.version)\n"
            "try:\n"
            "    registry.unpin(NAME)\n"
            "except RegistryError as error:\n"
            "    sys.stdout.write(str(error))\n",
            registry.folder,
            repo,
        )
    finally:
        _unwritable(registry.folder, 0o755)
    assert said.startswith("v1")
    assert "cannot be written" in said


def test_full_disk_leaves_what_was_there(registry: Registry, repo: Path) -> None:
    """A limit on the size of files stands for the disk: writing fails half-way."""
    registry.register(NAME, version(1), serve=True)
    said = _output(
        "import resource, signal\n"
        "from tests.registry.test_registry import *\n"
        "model = version(2)\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))\n"
        "try:\n"
        "    Registry(Path(sys.argv[1])).register(NAME, model, serve=True)\n"
        "except RegistryError as error:\n"
        "    sys.stdout.write(str(error))\n",
        registry.folder,
        repo,
    )
    assert "cannot be written" in said
    assert registry.load(NAME).card.version == "v1"
    assert not [path for path in registry.path(NAME).iterdir() if "v2" in path.name]


# Kill -9


def kill_at_random(registry: Registry, kills: int) -> None:
    """Kill a writer ``kills`` times; every version it told of is there and whole."""
    rng = np.random.default_rng(kills)
    told: set[str] = set()
    first = 0
    for _ in range(kills):
        process, pipe = writer(registry.folder, first, first + 1000)
        pipe.poll(60)
        time.sleep(float(rng.uniform(0, 0.05)))
        process.kill()
        process.join()
        told |= all_told(pipe)
        first += 1000
        scope = registry.scope(NAME)
        assert told <= {item.version for item in scope.versions}
        if scope.serving:
            registry.load(NAME)
    assert len(told) >= kills // 4
    assert {item["problem"] for item in verify(registry)} == {""}
    registry.register(NAME, version(-1), serve=True)
    left = {path.name for path in registry.path(NAME).iterdir()}
    named = {f"{item.version}.model" for item in registry.scope(NAME).versions}
    assert left == named | {".lock", "scope.json", "scope.previous.json"}


def test_kill_loses_no_version_and_leaves_no_half_one(registry: Registry) -> None:
    kill_at_random(registry, 20)


@pytest.mark.slow
def test_two_hundred_kills_lose_no_version(registry: Registry) -> None:
    kill_at_random(registry, 200)


# Promotion: gate and registry together


def test_accepted_challenger_serves_and_its_card_tells_why(registry: Registry) -> None:
    settings = small_settings()
    first = promote(registry, NAME, model_of(0), window(0), settings)
    second = promote(registry, NAME, model_of(10), window(10), settings)
    assert first.serving.card.gate["verdict"] == "first_accepted"
    assert second.serving.card.version == registry.scope(NAME).serving
    assert registry.load(NAME).card.gate["evidence"]["excess"] < 0.05
    assert registry.scope(NAME).versions[1].verdict == "accept"


def test_refused_challenger_leaves_the_champion(registry: Registry) -> None:
    settings = small_settings()
    promote(registry, NAME, model_of(0), window(0), settings)
    rows = shuffled(window(10))
    bad = _trained(rows, settings)
    result = promote(registry, NAME, bad, rows, settings)
    assert not result.decision.accepted
    assert result.serving.card.version == registry.scope(NAME).serving != bad.card.version
    assert registry.scope(NAME).history[-1].action == "refused"


def test_refused_first_model_abstains(registry: Registry) -> None:
    settings = small_settings()
    rows = shuffled(window(0))
    result = promote(registry, NAME, _trained(rows, settings), rows, settings)
    assert result.serving.fit is None
    assert "does not beat the class prior" in result.serving.card.reason
    assert registry.scope(NAME).serving == ""


def test_pinned_champion_goes_on_though_the_challenger_passed(registry: Registry) -> None:
    settings = small_settings()
    promote(registry, NAME, model_of(0), window(0), settings)
    registry.pin(NAME)
    result = promote(registry, NAME, model_of(10), window(10), settings)
    assert result.decision.accepted
    assert result.serving.card.version == model_of(0).card.version


OTHER_TARGET = small_settings().model_copy(update={"label_horizon_candles": 3})


def test_champion_of_another_target_abstains_where_the_challenger_is_refused(
    registry: Registry,
) -> None:
    promote(registry, NAME, model_of(0), window(0), small_settings())
    rows = shuffled(window(10))
    result = promote(registry, NAME, _trained(rows, OTHER_TARGET), rows, OTHER_TARGET)
    assert not result.decision.accepted
    # Also after a restart, and when a change in the registry makes the bot look again.
    for serving in (result.serving, LiveModels(OTHER_TARGET, registry, BOT).model(PAIR, None)):
        assert serving is not None
        assert serving.fit is None
        assert "label_horizon_candles changed" in serving.card.reason
    own = LiveModels(small_settings(), registry, BOT).model(PAIR, None)
    assert own is not None
    assert own.fit is not None


def test_pinned_champion_of_another_target_abstains_and_the_challenger_does_not_serve(
    registry: Registry,
) -> None:
    promote(registry, NAME, model_of(0), window(0), small_settings())
    registry.pin(NAME)
    result = promote(registry, NAME, _trained(window(10), OTHER_TARGET), window(10), OTHER_TARGET)
    assert result.decision.accepted
    assert result.serving.card.version == model_of(0).card.version
    assert result.serving.fit is None
    registry.unpin(NAME)
    after = promote(registry, NAME, _trained(window(10), OTHER_TARGET), window(10), OTHER_TARGET)
    assert after.serving.fit is not None


def test_registry_in_trouble_does_not_stop_the_promotion(tmp_path: Path) -> None:
    (tmp_path / "registry").write_text("a file where a folder should be")
    result = promote(
        Registry(tmp_path / "registry"), NAME, model_of(0), window(0), small_settings()
    )
    assert result.serving.fit is not None
    assert "cannot be" in result.problem


def test_damaged_champion_counts_as_none(registry: Registry) -> None:
    settings = small_settings()
    promote(registry, NAME, model_of(0), window(0), settings)
    next(registry.path(NAME).glob("*.model")).write_bytes(b"x")
    result = promote(registry, NAME, model_of(10), window(10), settings)
    assert result.decision.verdict == "first_accepted"
    assert "checksum" in result.problem


def test_running_bot_follows_a_rollback_and_outlives_damage(registry: Registry) -> None:
    models = LiveModels(small_settings(), registry, BOT)
    assert models.model(PAIR, None) is None
    registry.register(NAME, version(1), serve=True)
    registry.register(NAME, version(2), serve=True)
    model = models.model(PAIR, None)
    assert model is not None
    assert model.card.version == "v2"
    assert models.model(PAIR, None) is model
    registry.rollback(NAME)
    assert models.model(PAIR, None).card.version == "v1"  # type: ignore[union-attr]
    for path in registry.path(NAME).glob("*.json"):
        path.write_text("{")
    assert models.model(PAIR, None).card.version == "v1"  # type: ignore[union-attr]
    assert "damaged" in models.problems[NAME]


def test_every_scope_is_registered_once_the_registry_can_be_written(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = small_settings()
    settings = settings.model_copy(
        update={"model": settings.model.model_copy(update={"pool": "pair"})}
    )
    models, pairs = LiveModels(settings, registry, BOT), ("BTC/USDT", "ETH/USDT")
    tries: list[str] = []

    def full(self: Registry, name: str, *_: object, **__: object) -> None:
        tries.append(name)
        raise RegistryError("No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Registry, "register", full)
        for pair in pairs:
            models.promote(pair, model_of(0), window(0))
        for _ in range(3):
            for pair in pairs:
                models.model(pair, None)
    assert len(tries) == len(pairs) + 1, "a minute passes between two tries"
    models._tried = float("-inf")
    for _ in range(2):
        for pair in pairs:
            models.model(pair, None)
    for pair in pairs:
        assert registry.scope(scope_name(BOT, pair)).serving == model_of(0).card.version
    assert set(models.problems.values()) == {""}


# Looking at versions


def test_export_is_plain_files_that_predict_bit_identically(
    registry: Registry, tmp_path: Path
) -> None:
    registry.register(NAME, model_of(0), serve=True)
    folder = export(registry, NAME, "", tmp_path / "out")
    names = {path.name for path in folder.iterdir()}
    assert {"booster_0_0.txt", "card.json", "model.json", "arrays.npz", "manifest.json"} == names
    assert json.loads((folder / "card.json").read_text())["version"] == model_of(0).card.version
    rows = frame(window(0))
    np.testing.assert_array_equal(
        artefact.from_bytes(zipped(folder)).predict(rows).probabilities,
        model_of(0).predict(rows).probabilities,
    )
    (folder / "card.json").write_text("{}")
    with pytest.raises(ValueError, match="checksum"):
        artefact.from_bytes(zipped(folder))


def zipped(folder: Path) -> bytes:
    """A model file of exported files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in sorted(folder.iterdir()):
            archive.write(path, path.name)
    return buffer.getvalue()


def test_comparison_covers_the_common_tail(registry: Registry) -> None:
    registry.register(NAME, model_of(0), serve=True)
    registry.register(NAME, model_of(10), serve=True)
    one, two = (model_of(day).card.version for day in (0, 10))
    found = compare(registry, NAME, one, two)
    assert found["common_rows"] == 0
    same = compare(registry, NAME, one, one)
    assert same["common_rows"] == len(model_of(0).holdout)
    assert same["excess"] == 0.0
    assert not same["metrics"]


def test_scope_names() -> None:
    assert scope_name("bot") == NAME


def _trained(rows: TrainingRows, settings: SignalSettings) -> SignalModel:
    from freqai_signals.training.fit import Request, train

    return train(Request(rows, settings))
