"""The project's own files agree with each other and with the promises in the README."""

import ast
import importlib.metadata
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import freqai_signals

LEVELS = (
    {"schema", "settings", "config", "metrics", "provenance", "files", "terminal"},
    {"dataset"},
    {"drift"},
    {"model"},
    {"training", "registry", "signals"},
    {"tuning", "trading", "report", "ledger"},
    {"live", "preflight"},
    {"plugin", "rehearsal"},
    {"commands"},
)
"""Rooms of the package; each may import from those before it, the ground also among itself."""


def run(*command: str, cwd: Path) -> str:
    """Output of a command, without the variables of a make that runs the tests."""
    ours = {"MAKEFLAGS", "MFLAGS", "MAKEOVERRIDES", "MAKELEVEL", "DATADIR", "PAIRS", "TIMERANGE"}
    environment = {key: value for key, value in os.environ.items() if key not in ours}
    done = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def committed_texts(repo: Path) -> dict[str, str]:
    texts = {}
    for name in run("git", "ls-files", cwd=repo).splitlines():
        content = (repo / name).read_bytes() if (repo / name).is_file() else b""
        if b"\0" not in content:
            texts[name] = content.decode()
    return texts


def make_targets(repo: Path) -> set[str]:
    phony = re.search(r"^\.PHONY: (.*?[^\\])$", (repo / "Makefile").read_text(), re.M | re.S)
    assert phony is not None
    return set(phony[1].replace("\\", " ").split())


def imports(source: str) -> set[str]:
    """Absolute names of all imported modules and of the names taken from them."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide the room they come from"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def package_imports(repo: Path) -> dict[str, set[str]]:
    package = repo / "freqai_signals"
    return {
        path.relative_to(package).as_posix(): imports(path.read_text())
        for path in sorted(package.rglob("*.py"))
    }


def comes_from(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


# What must not be committed


def test_no_registry_host_stands_in_a_committed_file(repo: Path) -> None:
    # Put together here, so that this file does not hold what it looks for.
    hosts = [".".join(parts) for parts in [
        ("pypi", "org"), ("python" + "hosted", "org"), ("registry", "npmjs"), ("deb", "debian"),
        ("proxy", "golang"), ("static", "crates"),
    ]]  # fmt: skip
    found = [
        (name, host)
        for name, text in committed_texts(repo).items()
        for host in hosts
        if host in text
    ]
    assert found == []


def test_no_path_of_one_machine_stands_in_a_committed_file(repo: Path) -> None:
    pattern = re.compile(r"(?<![\w.])/(?:root|home|work|opt|Users)/\w")
    found = [
        (name, match[0])
        for name, text in committed_texts(repo).items()
        if (match := pattern.search(text)) is not None
    ]
    assert found == []


def test_config_holds_no_secret(repo: Path) -> None:
    exchange = json.loads((repo / "config.json").read_text())["exchange"]
    assert exchange["key"] == exchange["secret"] == ""


# Versions


def test_installed_version_is_the_package_version() -> None:
    try:
        installed = importlib.metadata.version("freqai-signals")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("freqai-signals is not installed here; make test installs it")
    assert installed == freqai_signals.__version__


def test_constraints_pin_every_dependency_exactly(repo: Path) -> None:
    lines = (repo / "constraints.txt").read_text().splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    pinned = {}
    for pin in pins:
        match = re.fullmatch(r"([\w.-]+)==([\w.]+)(?: ; .+)?", pin)
        assert match is not None, f"not an exact version: {pin}"
        pinned[match[1].lower()] = match[2]
    project = tomllib.loads((repo / "pyproject.toml").read_text())["project"]
    wanted = project["dependencies"] + project["optional-dependencies"]["dev"]
    names = {re.split(r"[\[<>=~! ]", item)[0].lower() for item in wanted}
    assert names <= pinned.keys()
    # A range whose first version is the tested one.
    assert f"freqtrade[freqai,hyperopt,plot]>={pinned['freqtrade']},<2027" in wanted


# Commands


def test_help_lists_every_target(repo: Path) -> None:
    listed = set(re.findall(r"^make ([a-z-]+) +\S", run("make", "help", cwd=repo), re.M))
    assert listed == make_targets(repo)
    assert run("make", cwd=repo) == run("make", "help", cwd=repo)


@pytest.mark.parametrize(
    "document", ["README.md", "CONTRIBUTING.md", "docs/reference.md", ".ci/run"]
)
def test_documented_commands_exist(repo: Path, document: str) -> None:
    text = (repo / document).read_text()
    named = set(re.findall(r"(?:^|`)make ([a-z-]+)", text, re.M))
    assert named <= make_targets(repo)
    if document == ".ci/run":
        assert re.search(r"for target in test lint test-slow test-rehearsal;", text)
    elif document != "docs/reference.md":
        assert "test" in named


_FILES_OF_RUNS = (
    "user_data/", "dist/", "benchmarks/results", "models/", "freqaimodels/", "hyperopts/",
    "signals/installed.json", "signals/registry", "signals/models", "signals/reports",
    "signals/ledger.sqlite", "signals/features", "signals/mapped", "signals/looks",
    "sandbox/requests.log", "../shared/", "strategies/LightGBMSignalStrategy.json",
)  # fmt: skip
"""What commands write; everything else that a document names must be there."""


def named_paths(document: Path) -> set[str]:
    """Paths between back-ticks and behind links, without anchors and line numbers."""
    text = re.sub(r"```.*?```", "", document.read_text(), flags=re.S)
    quoted = re.findall(r"`([\w.-]+(?:/[\w.*-]+)+/?)`", text)
    found = re.findall(r"\]\(([^)#\s]+)|src=\"([^\"]+)", text)
    linked = [name for pair in found for name in pair if name and "://" not in name]
    return {*quoted, *linked}


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", "docs"])
def test_paths_in_documents_exist(repo: Path, document: str) -> None:
    documents = sorted((repo / document).glob("*.md")) or [repo / document]
    lost = []
    for file in documents:
        for name in named_paths(file):
            places = (file.parent, repo, repo / "freqai_signals", repo / "freqai_signals/plugin")
            is_made = name.startswith(_FILES_OF_RUNS) or re.fullmatch(r"[A-Z]+/[A-Z]+", name)
            patterns = (name, f"{name}.py") if not name.endswith("/") else (name,)
            found = [found for place in places for text in patterns for found in place.glob(text)]
            if not is_made and not found:
                lost.append(f"{file.name}: {name}")
    assert lost == []


@pytest.mark.parametrize("target", ["train", "tune", "bench-quality"])
def test_a_scheduler_is_passed_on(repo: Path, target: str) -> None:
    plan = run("make", "-n", target, "SCHEDULER=tcp://10.0.0.5:8786", cwd=repo)
    assert '--scheduler "tcp://10.0.0.5:8786"' in plan
    assert "--scheduler" not in run("make", "-n", target, cwd=repo)


def test_backtest_passes_its_options_on(repo: Path) -> None:
    options = ("DATADIR=my candles", "PAIRS=A/USDT B/USDT", "TIMERANGE=20240301-20240601")
    plan = run("make", "-n", "backtest", *options, cwd=repo)
    assert 'freqai-signals sandbox --datadir "my candles" --pairs A/USDT B/USDT' in plan
    assert "-- freqtrade backtesting" in plan
    assert "--timerange 20240301-20240601" in plan
    assert "freqai-signals report --since" in plan.splitlines()[-1]


def test_a_soak_passes_its_config_on_only_where_one_is_named(repo: Path) -> None:
    named = run("make", "-n", "soak", "CONFIG=a.json b.json", "DATADIR=my candles", cwd=repo)
    assert "freqai-signals soak --config a.json b.json --hours 24" in named
    assert '--datadir "my candles"' in named
    # config.soak.json goes on top of the default one.
    assert "--config" not in run("make", "-n", "soak", cwd=repo)


def test_ci_script_is_executable(repo: Path) -> None:
    assert os.access(repo / ".ci" / "run", os.X_OK)


# Who may import whom


def test_only_the_plugin_room_imports_freqtrade(repo: Path) -> None:
    found = {
        (module, name)
        for module, names in package_imports(repo).items()
        for name in names
        if comes_from(name, "freqtrade") and not module.startswith("plugin/")
    }
    assert found == set()


def test_importing_other_rooms_does_not_load_freqtrade(repo: Path) -> None:
    script = (
        "import importlib, pkgutil, sys, freqai_signals as package\n"
        "for module in pkgutil.walk_packages(package.__path__, 'freqai_signals.'):\n"
        "    if '__main__' not in module.name and '.plugin.' not in module.name:\n"
        "        importlib.import_module(module.name)\n"
        "assert 'freqtrade' not in sys.modules\n"
    )
    run(sys.executable, "-c", script, cwd=repo)


def test_only_the_booster_imports_lightgbm(repo: Path) -> None:
    importers = {
        module
        for module, names in package_imports(repo).items()
        for name in names
        if comes_from(name, "lightgbm")
    }
    assert importers <= {"model/booster.py"}


def room_of(module: str) -> str:
    return module.split("/", maxsplit=1)[0].removesuffix(".py")


def allowed_rooms(room: str) -> set[str]:
    """Rooms that a room may import from, itself included."""
    if room == "sandbox":
        return {*LEVELS[0], "dataset", "sandbox"}
    level = next(place for place, rooms in enumerate(LEVELS) if room in rooms)
    lower = set().union(*LEVELS[:level])
    if level == 0:
        return set(LEVELS[0])
    # The simulated market serves those that run a bot, and no part of the bot itself.
    return {*lower, room} | ({"sandbox"} if room in {"rehearsal", "commands"} else set())


def test_rooms_import_only_from_lower_ones(repo: Path) -> None:
    found = []
    for module, names in package_imports(repo).items():
        room = room_of(module)
        if room in {"__init__", "__main__"}:
            continue
        for name in names:
            other = name.split(".")[1] if name.startswith("freqai_signals.") else room
            if other not in {*allowed_rooms(room), "__version__"}:
                found.append((module, name))
    assert found == []


@pytest.mark.parametrize(
    ("room", "forbidden"),
    [("model", "training"), ("drift", "model"), ("sandbox", "model"), ("live", "plugin")],
)
def test_some_directions_are_forbidden(room: str, forbidden: str) -> None:
    assert forbidden not in allowed_rooms(room)


def test_every_room_has_a_level(repo: Path) -> None:
    rooms = {room_of(module) for module in package_imports(repo)} - {"__init__", "__main__"}
    assert rooms == set().union(*LEVELS) | {"sandbox"}


def test_no_room_holds_more_than_a_dozen_modules(repo: Path) -> None:
    folders = [path.parent for path in (repo / "freqai_signals").rglob("*.py")]
    # commands/ has a module for each subcommand, which its name leads to. __init__ does not count.
    crowded = {
        folder.name: folders.count(folder) - 1
        for folder in folders
        if folders.count(folder) > 14 and folder.name != "commands"
    }
    assert crowded == {}


def test_no_two_modules_share_a_name(repo: Path) -> None:
    names = [
        Path(module).stem
        for module in package_imports(repo)
        if "/" in module and Path(module).stem != "__init__"
    ]
    assert sorted(name for name in set(names) if names.count(name) > 1) == []


def test_modules_and_functions_stay_short(repo: Path) -> None:
    """No module over 300 lines, no function over 50 lines of code."""
    long_modules, long_functions = [], []
    for path in sorted((repo / "freqai_signals").rglob("*.py")):
        source = path.read_text()
        if len(source.splitlines()) > 300:
            long_modules.append(path.name)
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef) and code_lines(node, source) > 50:
                long_functions.append(f"{path.name}:{node.name}")
    assert (long_modules, long_functions) == ([], [])


def code_lines(function: ast.FunctionDef, source: str) -> int:
    """Lines of a function without its docstring, comments and blank lines."""
    first = function.body[0]
    documented = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    skipped = range(first.lineno, (first.end_lineno or 0) + 1) if documented else range(0)
    lines = source.splitlines()
    return sum(
        bool(lines[number - 1].strip()) and not lines[number - 1].strip().startswith("#")
        for number in range(function.lineno, (function.end_lineno or 0) + 1)
        if number not in skipped
    )


def test_adapters_are_short_subclasses(repo: Path) -> None:
    """freqtrade finds a class only where its file holds ``class NAME(``."""
    for folder in ("freqai_models", "strategies", "user_data/hyperopts"):
        for path in sorted((repo / folder).glob("*.py")):
            source = path.read_text()
            assert f"class {path.stem}(" in source
            assert len(source.splitlines()) <= 15


@pytest.mark.slow
def test_freqtrade_accepts_the_config(repo: Path) -> None:
    from freqtrade.configuration import Configuration
    from freqtrade.configuration.config_validation import (
        validate_config_consistency,
        validate_config_schema,
    )
    from freqtrade.enums import RunMode
    from freqtrade.exceptions import ConfigurationError

    config = Configuration.from_files([str(repo / "config.json")])
    config |= {"runmode": RunMode.BACKTEST, "timerange": "20240301-20240601"}
    config |= {"minimal_roi": {"0": 0.1}, "stoploss": -0.1}  # the strategy's, as a rule
    validate_config_schema(config)
    validate_config_consistency(config)
    for key, spoilt in (("stake_amount", "much"), ("max_open_trades", "many")):
        with pytest.raises(ConfigurationError, match=spoilt):
            validate_config_schema(config | {key: spoilt})
