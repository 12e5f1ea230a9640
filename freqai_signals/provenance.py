"""Digests that show whether something was made by the same code, settings and libraries."""

import hashlib
import inspect
import json
from collections.abc import Iterable
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

_ROOT: Final = Path(__file__).parent
_MODELLING: Final = (
    "metrics.py", "schema.py", "settings", "dataset", "drift", "model", "training",
    "tuning", "registry", "signals",
)  # fmt: skip
_LIBRARIES: Final = ("lightgbm", "numpy", "pandas", "scikit-learn", "scipy", "TA-Lib", "freqtrade")


def digest(value: Any) -> str:
    """SHA-256 of a JSON-able value, hexadecimal; key order does not matter.

    Examples
    --------
    >>> digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    True
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=True)
    return hashlib.sha256(text.encode()).hexdigest()


@cache
def library_versions() -> dict[str, str]:
    """Versions of the libraries that predictions depend on."""
    return {name: version(name) for name in _LIBRARIES}


@cache
def code_digest() -> str:
    """SHA-256 of this package's modelling code."""
    return file_digest(file for name in _MODELLING for file in _sources(_ROOT / name))


def file_digest(files: Iterable[Path]) -> str:
    """SHA-256 of the names and contents of files, in sorted order."""
    sha = hashlib.sha256()
    for file in sorted(files):
        sha.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return sha.hexdigest()


def method_files(*kinds: type) -> tuple[Path, ...]:
    """Files in which the methods of classes stand, inherited ones too, freqtrade's own left out."""
    bases = {base for kind in kinds for base in kind.__mro__}
    files = {
        member.__code__.co_filename
        for base in bases
        if not base.__module__.startswith(("freqtrade", "builtins", "abc"))
        for member in vars(base).values()
        if inspect.isfunction(member)
    }
    return tuple(sorted(Path(file) for file in files if Path(file).is_file()))


def hook_files(kind: type, names: Iterable[str]) -> tuple[Path, ...]:
    """Files in which a class or its bases define the named methods, freqtrade's own left out.

    So a strategy's entry rules may change in another file than the one that shapes the model.
    """
    files = {
        inspect.unwrap(member).__code__.co_filename
        for base in kind.__mro__
        for name in names
        if inspect.isfunction(member := vars(base).get(name))
        and not base.__module__.startswith("freqtrade")
    }
    return tuple(sorted(Path(file) for file in files if Path(file).is_file()))


def _sources(path: Path) -> Iterable[Path]:
    return path.rglob("*.py") if path.is_dir() else (path,)
