"""The registry's files: written atomically, verified by checksum when read."""

import hashlib
import logging
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from freqai_signals.files import write_atomically
from freqai_signals.model import artefact, foreign
from freqai_signals.model.signal_model import SignalModel
from freqai_signals.registry.versions import RegistryError, Scope, Version

logger = logging.getLogger(__name__)

POINTER: Final = "scope.json"
PREVIOUS: Final = "scope.previous.json"


def load_version(folder: Path, version: Version, key: bytes | None = None) -> SignalModel:
    """Load a version's file; RegistryError unless it is the very file that was registered.

    One that is not signed with ``key``, if there is one, is tried out in another process first.
    """
    path = folder / f"{version.version}.model"
    try:
        data = path.read_bytes()
        # Before anything parses the bytes.
        if hashlib.sha256(data).hexdigest() != version.sha256:
            raise RegistryError(
                f"{path} does not match its checksum: {len(data)} bytes, {version.size} were "
                "registered; roll back to another version or restore the file"
            )
        model = read_model(data, path, key)
        if model.card.version != version.version:
            raise RegistryError(
                f"{path} holds model {model.card.version}; roll back to another version or "
                "restore the file"
            )
        return model
    except FileNotFoundError as error:
        raise RegistryError(f"{path} is missing; roll back to another version") from error
    except OSError as error:
        raise RegistryError(f"{path} cannot be read: {error}") from error
    except artefact.ArtefactError as error:
        raise RegistryError(str(error)) from error


def read_model(data: bytes, path: Path, key: bytes | None) -> SignalModel:
    """The model in the contents of a file; ArtefactError if it is damaged or does harm."""
    try:
        return artefact.from_bytes(data, str(path), key)
    except artefact.ForeignArtefactError as error:
        logger.warning("%s; it is tried out in a process of its own first", error)
        return foreign.checked(data, str(path))


def read_scope(folder: Path) -> Scope:
    """The pointer, or its previous state if it is damaged; FileNotFoundError without either."""
    problems: list[str] = []
    for name in (POINTER, PREVIOUS):
        try:
            scope = Scope.from_json((folder / name).read_text())
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            problems.append(f"{name}: {error}")
            continue
        if problems:
            logger.warning("Registry %s: %s; using %s", folder, problems[0], name)
        return scope
    if problems:
        raise RegistryError(
            f"registry {folder} is damaged ({'; '.join(problems)}); its model files are kept, and "
            "the next registered model starts a new pointer that lists them"
        )
    raise FileNotFoundError(folder / POINTER)


def read_or_rebuild(folder: Path, name: str, key: bytes | None = None) -> Scope:
    """The pointer; where both copies are damaged, a new one that lists all intact models.

    Nothing serves in a rebuilt scope, so the gate compares the next model with the class prior.
    """
    try:
        return read_scope(folder)
    except FileNotFoundError:
        return Scope(name)
    except RegistryError as error:
        logger.warning("%s", error)
    # Moved aside rather than overwritten: the damaged text may still show what served.
    for damaged in (POINTER, PREVIOUS):
        if (folder / damaged).exists():
            (folder / damaged).replace(folder / f"{damaged}.damaged")
    scope = Scope(name).noted(now(), "rebuilt", "", "the pointer was damaged")
    # The order of registration went with the pointer; that of writing comes closest.
    for path in sorted(folder.glob("*.model"), key=lambda file: file.stat().st_mtime):
        try:
            data = path.read_bytes()
            card = read_model(data, path, key).card
            if card.version != path.stem:
                raise artefact.ArtefactError(f"{path} holds model {card.version}")
        except (OSError, artefact.ArtefactError) as error:
            logger.warning("Left out of the rebuilt registry: %s", error)
            # Renamed, since ``sweep`` removes every .model file that the pointer does not name.
            path.replace(path.with_suffix(".damaged"))
            continue
        scope = replace(scope, versions=(*scope.versions, Version.of(card, data, now())))
    return scope


def is_whole_file(folder: Path, version: Version) -> bool:
    """Whether a version's file is the one that was registered."""
    try:
        data = (folder / f"{version.version}.model").read_bytes()
    except OSError:
        return False
    return hashlib.sha256(data).hexdigest() == version.sha256


def write_scope(folder: Path, scope: Scope) -> None:
    """Replace the pointer and keep its last intact state beside it."""
    pointer = folder / POINTER
    # A damaged pointer must not take the place of the last intact one.
    if _is_intact(pointer):
        write_atomically(folder / PREVIOUS, pointer.read_bytes())
    write_atomically(pointer, scope.to_json().encode())


def _is_intact(pointer: Path) -> bool:
    try:
        Scope.from_json(pointer.read_text())
    except (OSError, ValueError):
        return False
    return True


def sweep(folder: Path, scope: Scope) -> None:
    """Remove files that a killed writer or the retention left; only under the lock.

    What others put into the folder stays.
    """
    named = {f"{item.version}.model" for item in scope.versions}
    for path in folder.iterdir():
        # Temporary names of ``write_atomically``.
        unfinished = path.name.startswith((f".{POINTER}.", f".{PREVIOUS}.")) or (
            path.name.startswith(".") and ".model." in path.name
        )
        if (unfinished or (path.suffix == ".model" and path.name not in named)) and path.is_file():
            path.unlink(missing_ok=True)


def now() -> str:
    """The time as the registry writes it."""
    return datetime.now(UTC).isoformat(timespec="seconds")
