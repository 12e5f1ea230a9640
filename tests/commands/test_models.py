"""``freqai-signals models``: every action, as tables and as JSON, and wrong use."""

import dataclasses
import io
import json
import re
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from freqai_signals.commands.cli import main
from freqai_signals.commands.model_actions import MODEL_ACTIONS
from freqai_signals.model.artefact import to_bytes
from freqai_signals.model.signing import signing_key
from freqai_signals.registry.registry import Registry
from tests.registry.gate_rows import model_of

NAME = "bot/pool"
OLD, NEW = (model_of(day).card.version for day in (0, 10))


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    made = Registry(tmp_path / "registry", key=signing_key(tmp_path / "signing.key"))
    for day in (0, 10):
        made.register(NAME, model_of(day), serve=True)
    return made


@pytest.fixture
def run(registry: Registry, capsys: pytest.CaptureFixture[str]) -> Any:
    def command(*arguments: str) -> tuple[int, str, str]:
        status = main(["models", *arguments, "--registry", str(registry.folder)])
        said = capsys.readouterr()
        return status, said.out, said.err

    return command


def test_list_marks_what_serves(run: Any) -> None:
    status, out, _ = run("list", "--json")
    assert status == 0
    (scope,) = json.loads(out)
    assert scope["serving"] == NEW
    assert [item["version"] for item in scope["versions"]] == [OLD, NEW]
    assert "serving" in run("list")[1]


def test_show_tells_card_and_history(run: Any) -> None:
    found = json.loads(run("show", OLD, "--json")[1])
    assert found["card"]["rows"] == model_of(0).card.rows
    assert [event["action"] for event in found["history"]] == ["registered", "serving"]
    shown = run("show")[1]
    assert "Purged validation" in shown
    assert "share of gain" in shown
    assert "Feature selection" not in shown


def test_times_say_utc_and_ids_are_whole_at_80_columns(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("freqai_signals.terminal.table_console", partial(Console, width=80))
    listed, shown = run("list")[1], run("show")[1]
    for out in (listed, shown):
        assert NEW in out
        assert "T00:" not in out.replace(NEW, "").replace(OLD, "")
        assert max(map(len, out.splitlines())) <= 84, "digests of 64 characters stay in one piece"
    assert "(UTC)" in listed
    assert " UTC  registered" in shown
    assert "rows" in shown
    assert not re.search(r"rows +│ [\d,]+\.", shown)


def test_show_tells_what_groups_are_worth_and_what_was_left_out(
    registry: Registry, run: Any
) -> None:
    model = model_of(10)
    selection = {"reason": "without 3 of them", "kept": 5}
    card = dataclasses.replace(model.card, version="chosen", selection=selection)
    registry.register(NAME, dataclasses.replace(model, card=card), serve=True)
    shown = run("show", "chosen")[1]
    for word in ("Feature groups", "Feature selection", "without 3 of them"):
        assert word in shown


def test_compare_shows_what_differs(run: Any) -> None:
    assert "log_loss" in json.loads(run("compare", OLD, NEW, "--json")[1])["metrics"]
    assert run("compare", OLD, NEW)[0] == 0
    status, _, err = run("compare", OLD)
    assert status == 2
    assert "takes two versions, got 1" in err


def test_rollback_pin_unpin(run: Any, registry: Registry) -> None:
    status, out, _ = run("rollback", "--reason", "looks odd")
    assert status == 0
    assert f"{NAME}: was {NEW}, now {OLD}" in out
    # The small models are of 1970.
    assert "Warning: its data ends" in out
    assert registry.scope(NAME).history[-1].reason == f"was {NEW}; looks odd"
    status, _, err = run("rollback")
    assert status == 2
    assert f"no earlier version than {OLD} has served" in err
    assert run("pin", NEW[-6:], "--reason", "holiday")[0] == 0
    scope = registry.scope(NAME)
    assert (scope.serving, scope.pinned) == (NEW, True)
    assert scope.history[-1].reason == f"was {OLD}; holiday"
    assert run("unpin")[0] == 0
    assert not registry.scope(NAME).pinned


def test_pin_names_what_serves_and_needs_a_version(run: Any, registry: Registry) -> None:
    status, _, err = run("pin")
    assert status == 2
    assert f"models pin needs a VERSION; {NEW} serves now" in err
    assert not registry.scope(NAME).pinned


@pytest.mark.parametrize(("typed", "pinned"), [(f"{OLD}\n", OLD), ("nonsense\n\n", NEW), ("", "")])
def test_on_a_terminal_pin_asks_for_the_version(
    run: Any, registry: Registry, monkeypatch: pytest.MonkeyPatch, typed: str, pinned: str
) -> None:
    terminal = io.StringIO(typed)
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr("sys.stdin", terminal)
    status, out, _ = run("pin")
    assert {OLD, NEW} <= set(out.split()), "all versions are shown"
    scope = registry.scope(NAME)
    assert (status, scope.pinned) == ((0, True) if pinned else (2, False))
    assert not pinned or scope.serving == pinned


@pytest.mark.parametrize("action", ["list", "show", "rollback", "pin", "unpin", "export"])
def test_unknown_scope_or_version_changes_nothing(
    run: Any, registry: Registry, tmp_path: Path, action: str
) -> None:
    before = registry.scope(NAME)
    out = ("--out", str(tmp_path / "out")) if action == "export" else ()
    status, _, err = run(action, *(["x"] if action == "pin" else []), "--scope", "bot/else", *out)
    assert status == 2
    assert f"no scope 'bot/else'; there are: {NAME}" in err
    if action not in ("list", "unpin"):
        status, _, err = run(action, "nothing", *out)
        assert status == 2
        assert "no version like 'nothing'" in err
    assert registry.scope(NAME) == before
    assert [path.name for path in registry.folder.iterdir()] == [registry.path(NAME).name]
    assert not (tmp_path / "out").exists()


def test_each_action_has_its_own_help_and_no_option_that_does_nothing(
    run: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    for action, (_, versions, options) in MODEL_ACTIONS.items():
        with pytest.raises(SystemExit):
            main(["models", action, "--help"])
        shown = capsys.readouterr().out
        assert shown.startswith(f"usage: freqai-signals models {action} ")
        assert f"\n  freqai-signals models {action}" in shown, "an example"
        assert (versions is not None) == ("positional arguments" in shown)
        assert ("--reason" in shown) == ("reason" in options)
    with pytest.raises(SystemExit):
        run("list", "--out", "x")


def test_operators_markup_is_shown_as_it_is(run: Any) -> None:
    assert run("pin", NEW, "--reason", "[/red] [bold]x")[0] == 0
    for shown in (run("show")[1], run("list")[1] + run("show", "--json")[1]):
        assert "[/red] [bold]x" in shown


def test_verify_fails_on_damage(run: Any, registry: Registry) -> None:
    assert run("verify")[0] == 0
    (registry.path(NAME) / f"{OLD}.model").write_bytes(b"x")
    status, out, _ = run("verify", "--json")
    assert status == 1
    assert "checksum" in json.loads(out)[0]["problem"]


def test_export_writes_plain_files(run: Any, tmp_path: Path) -> None:
    found = json.loads(run("export", OLD, "--out", str(tmp_path / "out"), "--json")[1])
    assert json.loads((Path(found["folder"]) / "card.json").read_text())["version"] == OLD


def test_wrong_use_is_explained(run: Any, registry: Registry) -> None:
    registry.register("bot/BTC/USDT", model_of(0), serve=True)
    assert "name the scope with --scope; there are: bot/BTC/USDT, bot/pool" in run("rollback")[2]
    assert run("show", "nothing", "--scope", NAME)[0] == 2
    assert main(["models", "list", "--registry", "/nowhere"]) == 2


def test_verify_looks_at_a_file_or_an_export_from_elsewhere(
    registry: Registry, run: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    run("export", NEW, "--out", str(folder))
    whole = tmp_path / "copy.model"
    whole.write_bytes(to_bytes(model_of(0)))
    for path, version in ((folder / NEW, NEW), (whole, OLD)):
        status, out, _ = run("verify", str(path), "--json")
        assert status == 0
        assert json.loads(out) == [{"scope": str(path), "version": version, "problem": ""}]
    (folder / NEW / "more.txt").write_text("tree")
    status, out, _ = run("verify", str(folder / NEW), "--json")
    assert status == 1
    assert "more.txt" in json.loads(out)[0]["problem"]


def test_a_registry_from_elsewhere_is_looked_at_in_another_process(
    registry: Registry, run: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "signing.key").unlink()
    assert run("show", OLD)[0] == 0
    assert "tried out in a process of its own" in caplog.text


def test_a_key_that_is_none_is_named(registry: Registry, run: Any, tmp_path: Path) -> None:
    (tmp_path / "signing.key").write_bytes(b"short")
    status, _, err = run("list")
    assert status != 0
    assert "holds 5 bytes, a key has 32" in err
