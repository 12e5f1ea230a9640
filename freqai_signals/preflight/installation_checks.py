"""Checks of what is installed: versions, adapters, and which copy of the package runs."""

import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement

import freqai_signals
from freqai_signals.preflight.findings import Finding, ok, warning
from freqai_signals.preflight.situation import Situation

_PACKAGE: Final = "freqai-signals"
_ADAPTERS: Final = (
    ("freqaimodel_path", "freqaimodel", "freqaimodels", "LightGBMSignalClassifier"),
    ("strategy_path", "strategy", "strategies", "LightGBMSignalStrategy"),
)
"""Keys of folder and class in the config, folder in a user's data, class unless one is named."""


def versions_fit(situation: Situation) -> Iterator[Finding]:
    """Every library that the package needs is there in a version it was made for."""
    try:
        needed = [Requirement(line) for line in requires(_PACKAGE) or ()]
    except PackageNotFoundError:
        yield warning("installation: freqai-signals is not installed, it runs from a folder",
                      "its command and versions cannot be looked at", "pip install it")  # fmt: skip
        return
    wrong = []
    for requirement in needed:
        # Requirements of extras do not count.
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            found = version(requirement.name)
        except PackageNotFoundError:
            wrong.append(f"{requirement.name} is missing")
            continue
        # A specifier passes over pre-releases unless asked, even where one is installed.
        if not requirement.specifier.contains(found, prereleases=True):
            wrong.append(f"{requirement.name} {found} is not {requirement.specifier}")
    if wrong:
        yield warning(f"versions: {'; '.join(wrong)}", "tests ran with other versions",
                      f"pip install '{_PACKAGE}'")  # fmt: skip
    else:
        yield ok(f"versions: freqai-signals {freqai_signals.__version__}, Python "
                 f"{sys.version_info.major}.{sys.version_info.minor}, freqtrade "
                 f"{version('freqtrade')}")  # fmt: skip


def one_copy_runs(situation: Situation) -> Iterator[Finding]:
    """In a checkout, the package that runs is the checkout's own."""
    here, running = Path.cwd() / "freqai_signals", Path(freqai_signals.__file__).parent
    if here.is_dir() and here.resolve() != running.resolve():
        yield warning(
            f"installation: {here.parent} holds a copy of the package, but {running} runs",
            "the adapters here would work with code from there, as after copying a checkout "
            "together with its .venv",
            "delete .venv and run make, or pip install -e . into another one",
        )


def adapters_are_found(situation: Situation) -> Iterator[Finding]:
    """Freqtrade finds the classes, and their files use the package."""
    config, folder = situation.config, situation.user_data
    for option, key, subfolder, default in _ADAPTERS:
        name = str(config.get(key) or default)
        # freqtrade's order: the config's folder, then the user's.
        places = [Path(str(config[option]))] if config.get(option) else []
        places += [folder / subfolder] if folder is not None else []
        files = [file for place in places for file in sorted(place.glob("*.py"))]
        # The very text that freqtrade looks for before it executes a file.
        found = [file for file in files if f"class {name}(" in _text(file)]
        if not found:
            yield warning(
                f"adapters: no {name} in {' or '.join(map(str, places))}",
                "freqtrade will not find it",
                f"freqai-signals init --userdir DIR, or name the folder in {option}",
            )
        elif "freqai_signals" not in _text(found[0]):
            yield warning(
                f"adapters: {found[0]} does not use the package",
                "it is another class of this name, or of an old version",
                "freqai-signals init --userdir DIR --upgrade",
            )
        else:
            yield ok(f"adapters: {name} in {found[0]}")


INSTALLATION_CHECKS: Final = (versions_fit, one_copy_runs, adapters_are_found)
"""They need no config."""


def _text(file: Path) -> str:
    try:
        return file.read_text()
    except (OSError, UnicodeDecodeError):
        return ""
