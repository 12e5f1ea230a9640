"""Every trained model as an immutable version, and which one serves; survives kill -9.

One folder a scope (a pair or a pool)::

    <folder>/<scope>/20240305T0000-1a2b3c4d5e.model   one file a version, never changed
    <folder>/<scope>/scope.json                       versions, serving, pinned, history
    <folder>/<scope>/scope.previous.json              the same before the last change
    <folder>/<scope>/.lock                            held by the writer

A version exists once ``scope.json`` names it: its file is written, flushed and renamed first, then
``scope.json`` in the same way. A kill in between leaves a file without a name in ``scope.json``;
the next writer removes it. Readers take no lock: they see the state before a change or after it.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from freqai_signals.files import write_atomically
from freqai_signals.model import artefact
from freqai_signals.model.signal_model import SignalModel
from freqai_signals.model.signing import installation_key
from freqai_signals.registry.version_files import (
    POINTER,
    is_whole_file,
    load_version,
    now,
    read_or_rebuild,
    read_scope,
    sweep,
    write_scope,
)
from freqai_signals.registry.versions import RegistryError, Scope, Version, slug
from freqai_signals.settings import RegistrySettings

logger = logging.getLogger(__name__)

_KEPT_TARGETS: Final = 3


@dataclass(frozen=True)
class Registry:
    """A folder of versions.

    Attributes
    ----------
    folder
        Outside ``user_data/models``, parts of which freqtrade's analysis commands delete.
    keep
        Newest versions kept in each scope, besides the serving one and those to roll back to.
    lock_seconds
        Longest wait for another writer, seconds.
    key
        Signs what is registered; what is not signed with it is tried out in another process before
        it is loaded. None loads whatever is intact.
    """

    folder: Path
    keep: int = 20
    lock_seconds: float = 10.0
    key: bytes | None = field(default=None, repr=False)

    def scopes(self) -> list[Scope]:
        """All scopes that can be read, by name; damaged ones are logged and left out."""
        found = []
        for path in sorted(self.folder.glob(f"*/{POINTER}")):
            try:
                found.append(read_scope(path.parent))
            except RegistryError as error:
                logger.warning("%s", error)
        return sorted(found, key=lambda scope: scope.name)

    def scope(self, name: str) -> Scope:
        """One scope, empty if nothing was registered yet.

        Raises
        ------
        RegistryError
            If both copies of its pointer are damaged or unreadable.
        """
        folder = self.path(name)
        try:
            return read_scope(folder)
        except FileNotFoundError:
            return Scope(name)

    def load(self, name: str, version: str = "") -> SignalModel:
        """A version of a scope, by default the serving one.

        Raises
        ------
        RegistryError
            If there is none, or its file is missing, damaged, or not the one registered.
        """
        scope = self.scope(name)
        if not (version or scope.serving):
            raise RegistryError(f"{name}: no version serves")
        return load_version(self.path(name), scope.get(version or scope.serving), self.key)

    def register(self, name: str, model: SignalModel, serve: bool) -> Version:
        """Store a model and, if asked to and nothing is pinned, let it serve.

        Registering the same version again adds nothing, but may let it serve; where its file was
        damaged or is gone, it is restored.

        Raises
        ------
        RegistryError
            If it cannot be stored: disk full or read-only, or another process holds the lock.
        """
        # Before the lock is taken: other writers wait for it only so long.
        data = artefact.to_bytes(model, self.key)
        new = Version.of(model.card, data, now())

        def change(scope: Scope) -> Scope:
            folder = self.path(name)
            known = next((v for v in scope.versions if v.version == new.version), None)
            if known is None:
                # Before the pointer names it: a kill in between leaves a file that the next writer
                # sweeps.
                write_atomically(folder / f"{new.version}.model", data)
                scope = replace(scope, versions=(*scope.versions, new))
                action = "registered" if new.verdict == "" or serve else "refused"
                scope = scope.noted(now(), action, new.version, new.reason)
            elif not is_whole_file(folder, known):
                write_atomically(folder / f"{new.version}.model", data)
                restored = tuple(new if v is known else v for v in scope.versions)
                scope = replace(scope, versions=restored)
                scope = scope.noted(now(), "restored", new.version, "its file was damaged")
            if serve and not scope.pinned and scope.serving != new.version:
                scope = replace(scope, serving=new.version)
                scope = scope.noted(now(), "serving", new.version)
            return scope

        self.change(name, change)
        return new

    def rollback(self, name: str, version: str = "", reason: str = "") -> Version:
        """Let an older version serve; a pin moves along.

        Parameters
        ----------
        name
            Scope.
        version
            By default the newest one that has served and is older than the serving one: a second
            rollback goes further back, never forward again.
        reason
            Kept in the history, after the version that was replaced.

        Raises
        ------
        RegistryError
            If there is none, it is not older, or its file does not match its checksum.
        """

        def target(scope: Scope) -> Version:
            if not version and not scope.rollback_targets():
                raise RegistryError(
                    f"{name}: no earlier version than {scope.serving or 'none'} has served"
                )
            found = scope.get(version or scope.rollback_targets()[0])
            if found.version not in scope.older():
                raise RegistryError(
                    f"{name}: {found.version} is not older than the serving {scope.serving}; pin "
                    "serves any version"
                )
            return found

        return self._serve(name, target, "rolled_back", reason)

    def pin(self, name: str, version: str = "", reason: str = "") -> Version:
        """Let a version serve, by default the serving one, until :meth:`unpin`."""
        wanted = version or self.scope(name).serving
        if not wanted:
            raise RegistryError(f"{name}: no version serves; name one to pin")
        return self._serve(name, lambda scope: scope.get(wanted), "pinned", reason)

    def unpin(self, name: str, reason: str = "") -> None:
        """Let the gate decide again."""
        self.change(
            name,
            lambda scope: replace(scope, pinned=False).noted(
                now(), "unpinned", scope.serving, reason
            ),
        )

    def change(self, name: str, change: Callable[[Scope], Scope]) -> Scope:
        """Read, change and write the pointer of a scope under its lock."""
        folder = self.path(name)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with self._locked(folder):
                scope = self._pruned(change(read_or_rebuild(folder, name, self.key)))
                write_scope(folder, scope)
                # After the pointer, so that no file goes that the pointer on disk still names.
                sweep(folder, scope)
                return scope
        except OSError as error:
            raise RegistryError(f"registry {folder} cannot be written: {error}") from error

    def path(self, name: str) -> Path:
        """Folder of a scope."""
        return self.folder / slug(name)

    def stamp(self, name: str) -> tuple[int, ...]:
        """Changes whenever the pointer of a scope does; empty without one."""
        try:
            found = (self.path(name) / POINTER).stat()
        except OSError:
            return ()
        # A renamed file has an inode of its own, which tells changes within one tick of the clock
        # apart.
        return (found.st_mtime_ns, found.st_ino, found.st_size)

    def _serve(
        self, name: str, choose: Callable[[Scope], Version], action: str, reason: str
    ) -> Version:
        def change(scope: Scope) -> Scope:
            chosen = choose(scope)
            # A damaged model must not replace one that works.
            load_version(self.path(name), chosen, self.key)
            is_change = scope.serving not in ("", chosen.version)
            was = [f"was {scope.serving}"] if is_change else []
            pinned = scope.pinned or action == "pinned"
            scope = replace(scope, serving=chosen.version, pinned=pinned)
            note = "; ".join([*was, *([reason] if reason else [])])
            return scope.noted(now(), action, chosen.version, note)

        changed = self.change(name, change)
        return changed.get(changed.serving)

    def _pruned(self, scope: Scope) -> Scope:
        newest = {item.version for item in scope.versions[-self.keep :]}
        # The serving version may be old after a rollback or a pin.
        kept = newest | {scope.serving, *scope.rollback_targets()[:_KEPT_TARGETS]}
        return replace(scope, versions=tuple(v for v in scope.versions if v.version in kept))

    @contextmanager
    def _locked(self, folder: Path) -> Iterator[None]:
        try:
            with FileLock(folder / ".lock", timeout=self.lock_seconds):
                yield
        except Timeout as error:
            raise RegistryError(
                f"registry {folder} is locked by another process for more than "
                f"{self.lock_seconds:g} s"
            ) from error


def open_registry(settings: RegistrySettings, user_data: Path) -> Registry:
    """The registry that the settings name; see :func:`registry_folder`."""
    key = installation_key(user_data, settings.sign)
    return Registry(registry_folder(settings, user_data), settings.keep, key=key)


def registry_folder(settings: RegistrySettings, user_data: Path) -> Path:
    """The folder that the settings name; by default ``signals/registry`` in the user's data."""
    return Path(settings.folder) if settings.folder else user_data / "signals" / "registry"
