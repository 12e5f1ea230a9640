"""The files of the registry: whole or absent, checked when read."""

import hashlib
import logging
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from freqai_signals.files import write_atomically
from freqai_signals.model import artefact
from freqai_signals.model.signal_model import SignalModel
from freqai_signals.registry.versions import RegistryError, Scope, Version

logger = logging.getLogger(__name__)

POINTER: Final = "scope.json"
PREVIOUS: Final = "scope.previous.json"


def load_version(folder: Path, version: Version) -> SignalModel:
    """Load a version's file; RegistryError unless it is the very file that was registered."""
    path = folder / f"{version.version}.model"
    try:
        data = path.read_bytes()
        if hashlib.sha256(data).hexdigest() != version.sha256:
            raise RegistryError(
                f"{path} does not match its checksum: {len(data)} bytes, {version.size} were "
                "registered; roll back to another version or restore the file"
            )
        model = artefact.from_bytes(data, str(path))
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
            f"registry {folder} is damaged ({'; '.join(problems)}); its models are whole files, "
            "the next registered model starts a new pointer that lists them"
        )
    raise FileNotFoundError(folder / POINTER)


def read_or_rebuild(folder: Path, name: str) -> Scope:
    """The pointer; where both copies are damaged, a new one that lists all whole models.

    Nothing serves in a rebuilt scope, so that the gate asks the next model to beat the prior.
    """
    try:
        return read_scope(folder)
    except FileNotFoundError:
        return Scope(name)
    except RegistryError as error:
        logger.warning("%s", error)
    for damaged in (POINTER, PREVIOUS):
        if (folder / damaged).exists():
            (folder / damaged).replace(folder / f"{damaged}.damaged")
    scope = Scope(name).noted(now(), "rebuilt", "", "the pointer was damaged")
    for path in sorted(folder.glob("*.model"), key=lambda file: file.stat().st_mtime):
        try:
            data = path.read_bytes()
            card = artefact.from_bytes(data, str(path)).card
            if card.version != path.stem:
                raise artefact.ArtefactError(f"{path} holds model {card.version}")
        except (OSError, artefact.ArtefactError) as error:
            logger.warning("Left out of the rebuilt registry: %s", error)
            path.replace(path.with_suffix(".damaged"))
            continue
        scope = replace(scope, versions=(*scope.versions, Version.of(card, data, now())))
    return scope


def write_scope(folder: Path, scope: Scope) -> None:
    """Replace the pointer and keep its last whole state beside it."""
    pointer = folder / POINTER
    if _is_whole(pointer):
        write_atomically(folder / PREVIOUS, pointer.read_bytes())
    write_atomically(pointer, scope.to_json().encode())


def _is_whole(pointer: Path) -> bool:
    try:
        Scope.from_json(pointer.read_text())
    except (OSError, ValueError):
        return False
    return True


def sweep(folder: Path, scope: Scope) -> None:
    """Remove what a killed writer or the retention left; only under the lock."""
    named = {f"{item.version}.model" for item in scope.versions}
    for path in folder.iterdir():
        unfinished = path.name.startswith(".") and path.name != ".lock"
        if unfinished or (path.suffix == ".model" and path.name not in named):
            path.unlink(missing_ok=True)


def now() -> str:
    """The time as the registry writes it."""
    return datetime.now(UTC).isoformat(timespec="seconds")
