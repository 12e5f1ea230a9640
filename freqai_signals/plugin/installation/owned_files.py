"""Files of ours in a folder of the user's: written once, never over what somebody has changed."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from typing import Final

from freqai_signals.files import write_atomically

MANIFEST: Final = "signals/installed.json"
"""In the user's folder: path of every file that we wrote to the SHA-256 of what we wrote."""


class State(StrEnum):
    """What is found where a file of ours belongs."""

    NEW = "new"
    UNCHANGED = "unchanged"
    OUTDATED = "outdated"
    """As we wrote it, by another version or for other options."""
    EDITED = "edited"
    """Not as we wrote it: it belongs to whoever changed it."""


@dataclass(frozen=True)
class OwnedFile:
    """A file that ought to be in the user's folder.

    Attributes
    ----------
    folder
        The user's.
    path
        Relative to it, with ``/``.
    content
        What ought to be there.
    state
        What is.
    """

    folder: Path
    path: str
    content: str
    state: State

    def is_kept(self, upgrade: bool) -> bool:
        """Whether something else is there and stays."""
        return not upgrade and self.state in (State.OUTDATED, State.EDITED)

    def plan(self, upgrade: bool) -> str:
        """What happens to it, in words."""
        match self.state, upgrade:
            case State.NEW, _:
                return "new"
            case State.UNCHANGED, _:
                return "unchanged"
            case State.OUTDATED, True:
                return "refreshed"
            case State.EDITED, True:
                return f"replaced; what is there stays as {self._backup().name}"
            case State.OUTDATED, False:
                return "kept: of another version or other options; --upgrade refreshes it"
        return "kept: edited by hand; --upgrade replaces it and keeps yours beside it"

    def write(self, upgrade: bool) -> None:
        """Bring it into place, unless it is there or kept.

        Raises
        ------
        OSError
            If that cannot be done; whatever was there is as before.
        """
        if self.state == State.UNCHANGED or self.is_kept(upgrade):
            return
        # Resolved: a rename onto a link would put a file in the place of the link.
        target = (self.folder / self.path).resolve()
        target.parent.mkdir(parents=True, exist_ok=True)
        if self.state == State.EDITED:
            write_atomically(self._backup(), target.read_bytes())
        write_atomically(target, self.content.encode())
        # An atomic write leaves a file that only its owner may read.
        target.chmod(0o644)

    def _backup(self) -> Path:
        """A name beside the file that is free; freqtrade looks at ``*.py`` only."""
        file = self.folder / self.path
        names = (file.with_name(f"{file.name}{end}") for end in _backup_endings())
        return next(name for name in names if not name.exists())


def owned_files(folder: Path, contents: Mapping[str, str]) -> list[OwnedFile]:
    """Hold what ought to be in a folder against what is there.

    Parameters
    ----------
    folder
        The user's.
    contents
        Path relative to it to the file's content.

    Raises
    ------
    ValueError
        If a folder stands where a file belongs.
    """
    written = _manifest(folder)
    found = []
    for path, content in contents.items():
        file = folder / path
        if file.is_dir():
            raise ValueError(f"{file} is a folder, and a file of freqai-signals belongs there")
        state = _state(file, content, written.get(path))
        found.append(OwnedFile(folder, path, content, state))
    return found


def write_owned(files: Sequence[OwnedFile], upgrade: bool) -> None:
    """Bring files into place and remember what was written, after each."""
    for file in files:
        file.write(upgrade)
        if not file.is_kept(upgrade):
            # After each file: one that an error cut short of the manifest would pass for edited.
            manifest = _manifest(file.folder) | {file.path: _digest(file.content.encode())}
            _store_manifest(file.folder, manifest)


def _state(file: Path, content: str, written: str | None) -> State:
    if not file.exists():
        return State.NEW
    there = file.read_bytes()
    if there == content.encode():
        return State.UNCHANGED
    return State.OUTDATED if _digest(there) == written else State.EDITED


def _digest(content: bytes) -> str:
    return sha256(content).hexdigest()


def _manifest(folder: Path) -> dict[str, str]:
    """What was written; nothing where that is not known, so that no file passes for ours."""
    try:
        found = json.loads((folder / MANIFEST).read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _store_manifest(folder: Path, manifest: Mapping[str, str]) -> None:
    path = folder / MANIFEST
    text = json.dumps(manifest, indent=1, sort_keys=True)
    if path.is_file() and path.read_text() == text:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, text.encode())


def _backup_endings() -> "list[str]":
    return [".bak", *(f".bak{number}" for number in range(2, 1000))]
