"""The key by which an installation knows the model files that it wrote itself."""

import logging
import os
import secrets
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

logger = logging.getLogger(__name__)

_KEY_FILE: Final = "signing.key"
_BYTES: Final = 32


def installation_key(user_data: Path, sign: bool) -> bytes | None:
    """The key of a folder of user data; None where nothing is to be signed, or can be."""
    return signing_key(user_data / "signals" / _KEY_FILE) if sign else None


def signing_key(path: Path) -> bytes | None:
    """The key of a file that only its owner may read; made at the first call.

    Parameters
    ----------
    path
        Of the key, outside any folder that is handed to others.

    Returns
    -------
    bytes or None
        None, with the reason in the log, where the key can be neither read nor made: then nothing
        is signed, and whatever is whole counts as ours.
    """
    try:
        if not path.exists():
            _make(path)
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            logger.warning("%s could be read by others; its mode is now 600", path)
            path.chmod(0o600)
        return read_key(path)
    except (OSError, ValueError) as error:
        logger.warning("Model files are not signed: %s", error)
        return None


def read_key(path: Path) -> bytes:
    """The key of a file; ValueError if it holds something else."""
    key = path.read_bytes()
    if len(key) != _BYTES:
        raise ValueError(
            f"{path} holds {len(key)} bytes, a key has {_BYTES}; remove it, and a new one is made "
            "which knows none of the models that there are"
        )
    return key


def _make(path: Path) -> None:
    """Another process may do so at the same time: the first one's key stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_bytes(_BYTES))
            file.flush()
            os.fsync(file.fileno())
        # A link fails where a key is; a rename would replace the key that others sign with by now.
        with suppress(FileExistsError):
            os.link(temporary, path)
    finally:
        Path(temporary).unlink(missing_ok=True)
