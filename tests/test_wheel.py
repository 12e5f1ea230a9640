"""The wheel in an environment of its own, far from the work tree: from pip to a backtest's report.

The environment borrows the dependencies of the one that runs the tests, through a ``.pth`` file:
installing freqtrade anew would take minutes and show nothing of ours. Lines of such a file are
plain folders, so the editable installation of this work tree, which is a ``.pth`` of its own over
there, is not seen.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

import freqai_signals
from freqai_signals.plugin.installation.adapters import ADAPTERS
from freqai_signals.plugin.installation.setup import EXAMPLES
from freqai_signals.sandbox.exchange.app import create_exchange
from freqai_signals.sandbox.exchange.clock import Clock
from freqai_signals.sandbox.exchange.server import serving
from freqai_signals.sandbox.runner.environment import sandbox_variables
from tests.conftest import random_walk

pytestmark = pytest.mark.slow

PAIRS = ("BTC/USDT", "ETH/USDT")


@dataclass(frozen=True)
class Environment:
    """A fresh environment with the wheel, and a folder to work in."""

    bin: Path
    folder: Path

    def run(self, *command: str, status: int = 0, **variables: str) -> str:
        """Output of a command with its exit status, run without anything of the work tree's."""
        ours = {"PYTHONPATH", "VIRTUAL_ENV", "PYTHONHOME"}
        environment = {key: value for key, value in os.environ.items() if key not in ours}
        environment["PATH"] = f"{self.bin}{os.pathsep}{environment['PATH']}"
        done = subprocess.run(
            command, cwd=self.folder, env=environment | variables, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        assert done.returncode == status, f"{shlex.join(command)}\n{done.stdout}\n{done.stderr}"
        return done.stdout


@pytest.fixture(scope="module")
def wheel(repo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from the tracked files alone: what else lies in the work tree must not be needed."""
    source, built = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    listed = subprocess.run(
        ["git", "ls-files", "freqai_signals", "pyproject.toml", "README.md", "LICENSE"],
        cwd=repo, capture_output=True, text=True, check=True,
    )  # fmt: skip
    for name in listed.stdout.splitlines():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(repo / name, source / name)
    done = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", str(built), str(source)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if "Could not find a version" in done.stderr:
        pytest.skip("no package index to build the wheel with")
    assert done.returncode == 0, done.stderr
    (made,) = built.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    folder = tmp_path_factory.mktemp("elsewhere")
    venv.create(folder / "env", with_pip=False, symlinks=True)
    binaries = folder / "env" / "bin"
    site = next((folder / "env" / "lib").glob("python3*")) / "site-packages"
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", str(binaries / "python"), "install", "--quiet",
         "--no-deps", "--no-index", "--ignore-installed", str(wheel)],
        check=True,
    )  # fmt: skip
    script = binaries / "freqtrade"
    script.write_text(f'#!/bin/sh\nexec "{binaries}/python" -m freqtrade "$@"\n')
    script.chmod(0o755)
    return Environment(binaries, folder)


def documented() -> list[list[str]]:
    """Commands of the first hour that ``init`` prints too: those after the preflight."""
    text = (Path(__file__).resolve().parents[1] / "docs" / "first-hour.md").read_text()
    lines = [shlex.split(line) for line in text.splitlines() if line.startswith("   freq")]
    return [line for line in lines if line[1] not in {"create-userdir", "init", "doctor"}]


def plain(lines: list[list[str]]) -> list[list[str]]:
    """The same without today's dates."""
    return [[re.sub(r"\d{8}-\d{8}", "SPAN", word) for word in line] for line in lines]


def test_the_wheel_brings_everything_under_one_name(wheel: Path) -> None:
    assert wheel.name == f"freqai_signals-{freqai_signals.__version__}-py3-none-any.whl"
    names = zipfile.ZipFile(wheel).namelist()
    top = {name.split("/")[0] for name in names}
    assert top == {"freqai_signals", f"freqai_signals-{freqai_signals.__version__}.dist-info"}
    wanted = ["py.typed", "plugin/installation/config.example.json"]
    wanted += [f"plugin/{adapter.module}.py" for adapter in ADAPTERS]
    wanted += [f"plugin/examples/{name}.py" for name in EXAMPLES]
    assert {f"freqai_signals/{name}" for name in wanted} <= set(names)
    assert not [name for name in names if "/tests/" in name or name.endswith(".pyc")]


def test_the_environment_runs_the_wheel_and_not_the_work_tree(environment: Environment) -> None:
    file = environment.run("python", "-c", "import freqai_signals as f; print(f.__file__)")
    assert Path(file.strip()).is_relative_to(environment.folder)
    version = environment.run("freqai-signals", "--version")
    assert version.split()[-1] == freqai_signals.__version__


def test_two_commands_lead_to_a_report_without_an_edit(environment: Environment) -> None:
    """``pip install`` and ``init``; then the lines that it prints, up to the report."""
    environment.run("freqtrade", "create-userdir", "--userdir", "user_data")
    said = environment.run(
        "freqai-signals", "init", "--userdir", "user_data", "--timeframe", "4h", "--pairs", *PAIRS
    )
    assert "freqtrade loads LightGBMSignalStrategy, LightGBMSignalClassifier" in said
    lines = [shlex.split(line) for line in said.splitlines() if line.startswith("freq")]
    lines = [line for line in lines if line[0] in ("freqtrade", "freqai-signals")]
    lines = [line for line in lines if line[1] != "loads"]
    verbs = [f"{line[0]} {line[1]}" for line in lines]
    assert verbs == [
        "freqtrade download-data", "freqtrade backtesting", "freqai-signals report",
        "freqai-signals credentials", "freqtrade trade", "freqai-signals status",
    ]  # fmt: skip
    assert plain(lines) == plain(documented())
    days = 1400
    candles = environment.folder / "exchange"
    candles.mkdir()
    first = pd.Timestamp.now(tz="UTC").floor("4h") - pd.Timedelta(days=days)
    for seed, pair in enumerate(PAIRS):
        frame = random_walk(6 * days, seed, "4h")
        moved = frame["date"] - frame["date"].iloc[0] + first
        frame = frame.assign(date=moved.astype("datetime64[ms, UTC]"))
        frame.to_feather(candles / f"{pair.replace('/', '_')}-4h.feather", compression="lz4")
    with serving(create_exchange(candles, Clock(), lambda line: None)) as url:
        variables = sandbox_variables(url, candles)
        ran = {
            line[1]: environment.run(*line, **variables)
            for line in lines
            if line[1] in ("download-data", "backtesting", "report", "credentials")
        }
    assert (environment.folder / "user_data" / "data" / "binance" / "BTC_USDT-4h.feather").is_file()
    configs = ("--config", "user_data/config.json", "--config", "user_data/config-signals.json")
    # Two warnings stay, which need a choice of the user's: no API, no channel for messages.
    checked = environment.run(
        "freqai-signals", "doctor", "--userdir", "user_data", *configs, status=1
    )
    assert checked.endswith(" ok, 2 warning, 0 error\n")
    assert "LightGBMSignalStrategy" in ran["backtesting"]
    assert "Rows behind this report" in ran["report"]
    assert (environment.folder / "user_data" / "credentials.json").is_file()


def test_an_installed_wheel_is_replaced_by_a_newer_one(
    environment: Environment, wheel: Path
) -> None:
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", str(environment.bin / "python"), "install",
         "--quiet", "--no-deps", "--no-index", "--force-reinstall", str(wheel)],
        check=True,
    )  # fmt: skip
    said = environment.run("freqai-signals", "init", "--userdir", "user_data")
    assert said.count(": unchanged\n") >= 5
