"""`--userdir` and `--config` of our commands, against what freqtrade makes of the same."""

import argparse
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from freqtrade.commands.arguments import Arguments

from freqai_signals.commands.cli import SUBCOMMANDS, main
from freqai_signals.commands.locations import Locations, add_locations, ledger_location, locations

AWAY = ("market", "sandbox")
"""Commands about the sandbox, which has no user's folder."""


def found(*options: str, several: bool = False) -> Locations:
    parser = argparse.ArgumentParser()
    add_locations(parser, several)
    return locations(parser.parse_args(options))


def freqtrades(*options: str) -> list[str] | None:
    parsed = Arguments(["backtesting", *options]).get_parsed_arg()
    configs: list[str] | None = parsed.get("config")
    return configs


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def config(path: Path, **content: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("// mine\n" + json.dumps(content))
    return path


@pytest.mark.parametrize("where", ["user_data/config.json", "config.json", "other/config.json"])
@pytest.mark.parametrize("options", [(), ("--userdir", "other"), ("-c", "named.json")])
def test_configs_are_those_that_freqtrade_takes(
    here: Path, where: str, options: tuple[str, ...]
) -> None:
    config(here / "named.json")
    config(here / where)
    ours = [str(path.resolve()) for path in found(*options).configs]
    # freqtrade names ./config.json even where there is none, and then ends with an error.
    theirs = [str(Path(path).resolve()) for path in freqtrades(*options) or []]
    assert ours == [path for path in theirs if Path(path).is_file()]


def test_the_folders_own_config_goes_before_the_one_here(here: Path) -> None:
    config(here / "config.json", a=1)
    config(here / "user_data" / "config.json", a=2)
    assert found().config["a"] == 2


def test_later_configs_win_and_may_name_the_folder(here: Path) -> None:
    first = config(here / "first.json", a=1, user_data_dir="elsewhere")
    second = config(here / "second.json", a=2)
    where = found("-c", str(first), "--config", str(second))
    assert (where.config["a"], where.userdir, where.named) == (2, Path("elsewhere"), True)
    assert found("-c", str(first), "--userdir", "mine").userdir == Path("mine")
    assert found("-c", str(first), str(second), several=True).configs == (first, second)


def test_without_anything_it_is_user_data_here(here: Path) -> None:
    assert found() == Locations(Path("user_data"), (), {}, False)


@pytest.mark.parametrize("name", sorted(SUBCOMMANDS.keys() - set(AWAY)))
def test_every_command_takes_both_options(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([name, *(["list"] if name == "models" else []), "--help"])
    said = capsys.readouterr().out
    assert "--userdir" in said
    assert "--config" in said


@pytest.fixture
def run(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    """A command run from a directory that has nothing to do with the user's folder."""
    (here / "away").mkdir()
    monkeypatch.chdir(here / "away")

    def command(*arguments: str) -> tuple[int, str]:
        status = main(list(arguments))
        said = capsys.readouterr()
        return status, said.out + said.err

    return command


@pytest.mark.parametrize(
    ("command", "place"),
    [
        (["report"], "signals/reports"),
        (["status"], "signals/ledger.sqlite"),
        (["models", "list"], "signals/registry"),
        (["hyperopt"], "hyperopt_results"),
    ],
)
@pytest.mark.parametrize("by_config", [False, True])
def test_a_command_looks_into_the_named_folder(
    run: Callable[..., tuple[int, str]], here: Path, command: list[str], place: str, by_config: bool
) -> None:
    folder = here / "mine"
    named = config(here / "c.json", user_data_dir=str(folder))
    options = ["--config", str(named)] if by_config else ["--userdir", str(folder)]
    status, said = run(*command, *options)
    assert status == 2
    assert str(folder / place) in said


def test_ledger_and_registry_are_those_of_the_config(
    run: Callable[..., tuple[int, str]], here: Path
) -> None:
    signals = {
        "ledger": {"url": f"sqlite:///{here}/l.sqlite"},
        "registry": {"folder": f"{here}/models"},
    }
    named = config(here / "c.json", freqai={"signals": signals})
    assert f"no ledger at {here}/l.sqlite" in run("status", "--config", str(named))[1]
    assert f"no registry at {here}/models" in run("models", "list", "-c", str(named))[1]


def test_the_report_is_that_of_the_named_configs_identifier(
    run: Callable[..., tuple[int, str]], here: Path
) -> None:
    named = config(here / "c.json", freqai={"identifier": "mine"})
    said = run("report", "--userdir", str(here / "u"), "--config", str(named))[1]
    assert str(here / "u" / "signals" / "reports" / "mine") in said


def test_credentials_go_into_the_folder_with_the_configs_port(
    run: Callable[..., tuple[int, str]], here: Path
) -> None:
    named = config(here / "c.json", api_server={"listen_port": 9123})
    status, said = run("credentials", "--userdir", str(here / "u"), "-c", str(named))
    assert status == 0
    path = here / "u" / "credentials.json"
    assert str(path) in said
    assert json.loads(path.read_text())["api_server"]["listen_port"] == 9123


def test_settings_show_what_a_config_makes_of_them(
    run: Callable[..., tuple[int, str]], here: Path
) -> None:
    named = config(here / "c.json", freqai={"signals": {"labels": {"floor": 0.0123}}})
    status, said = run("settings", "labels", "--config", str(named))
    assert status == 0
    assert "0.0123" in said
    assert "0.0123" not in run("settings", "labels")[1]


def test_tune_without_any_config_says_what_to_name(run: Callable[..., tuple[int, str]]) -> None:
    status, said = run("tune")
    assert status == 2
    assert "name one with --config" in said


def test_a_named_config_that_is_missing_ends_every_command(
    run: Callable[..., tuple[int, str]],
) -> None:
    for words in ("report", "status", "models list", "hyperopt", "tune", "credentials", "settings",
                  "init", "rehearse", "soak", "ledger verify"):  # fmt: skip
        command = words.split()
        status, said = run(*command, "--config", "absent.json")
        assert (status, "there is no such config file" in said) == (2, True), command
    assert os.listdir() == []


@pytest.mark.parametrize("installed", [True, False])
@pytest.mark.parametrize(("command", "folder"), [("rehearse", "rehearsals"), ("soak", "soaks")])
def test_a_rehearsal_runs_the_users_own_classes(
    here: Path, monkeypatch: pytest.MonkeyPatch, installed: bool, command: str, folder: str
) -> None:
    requests: list[Any] = []

    def rehearsed(request: Any, notify: object) -> None:
        requests.append(request)
        raise ValueError("enough")

    monkeypatch.setattr("freqai_signals.rehearsal.execution.rehearse", rehearsed)
    monkeypatch.setattr("freqai_signals.rehearsal.soak.endurance.soak", rehearsed)
    named = config(here / "u" / "config.json")
    for file in ("strategies/Mine.py", "freqaimodels/LightGBMSignalClassifier.py"):
        (here / "u" / file).parent.mkdir(parents=True)
        if installed:
            (here / "u" / file).touch()
    words = [command, "--userdir", str(here / "u"), "--strategy", "Mine"]
    assert main(words) == 2
    assert main([*words, "--strategy-path", "s", "--freqaimodel-path", "m"]) == 2
    request, paths = (getattr(found, "rehearsal", found) for found in requests)
    own = (here / "u" / "strategies", here / "u" / "freqaimodels")
    assert request.code == (own if installed else (Path("strategies"), Path("freqai_models")))
    assert paths.code == (Path("s"), Path("m"))
    assert request.config == (named,)
    assert request.folder.parent == here / "u" / folder


def test_what_init_writes_is_found_without_being_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "user_data"
    folder.mkdir()
    (folder / "config.json").write_text('{"a": 1, "b": 1}')
    (folder / "config-signals.json").write_text('{"b": 2}')
    monkeypatch.chdir(tmp_path)
    where = found()
    assert [path.name for path in where.configs] == ["config.json", "config-signals.json"]
    assert (where.config["a"], where.config["b"]) == (1, 2)


def test_the_configs_ledger_is_meant_unless_another_is_named(tmp_path: Path) -> None:
    mine = tmp_path / "mine.sqlite"
    mine.touch()
    section = {"freqai": {"signals": {"ledger": {"url": f"sqlite:///{mine}"}}}}
    where = Locations(tmp_path, (), section)
    assert ledger_location(where, None) == f"sqlite:///{mine}"
    assert ledger_location(where, "postgresql://h/l") == "postgresql://h/l"
    with pytest.raises(ValueError, match=r"no ledger at .*other"):
        ledger_location(where, str(tmp_path / "other"))
