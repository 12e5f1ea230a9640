"""The container of a model file: a zip archive that is looked at before anything in it is read."""

import hashlib
import hmac
import io
import json
import math
import re
import zipfile
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

MANIFEST: Final = "manifest.json"
ARRAYS: Final = "arrays.npz"
MOST_MEMBERS: Final = 10_000
MOST_BYTES: Final = 512 * 2**20
"""Of all members unpacked; a pool of 100 pairs with five seeds stays below 50 MB."""

# The first date that a zip archive can hold: the time of writing must not show in the bytes.
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
_NAME: Final = re.compile(r"(card|model|manifest)\.json|arrays\.npz|booster_\d+_\d+\.txt")
_PACKED: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED: Final = 0x1
_SIGNED: Final = b"hmac-sha256 "


class ArchiveError(ValueError):
    """The archive is not one of ours; the message says what is wrong with it."""


class ForeignError(ArchiveError):
    """Whole, perhaps, but not signed with this installation's key."""


def pack(members: Mapping[str, bytes], file_format: int, key: bytes | None = None) -> bytes:
    """Members and a manifest of their checksums as one file; the same members, the same bytes.

    Parameters
    ----------
    members
        Content by name.
    file_format
        Version of the format, kept in the manifest.
    key
        Signs the manifest, and so everything; the signature is the archive's comment.
    """
    sums = {name: _sha(data) for name, data in members.items()}
    manifest = json.dumps({"format": file_format, "sha256": sums}, sort_keys=True).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for name, data in sorted({**members, MANIFEST: manifest}.items()):
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), data, zipfile.ZIP_DEFLATED)
        if key is not None:
            archive.comment = _signature(manifest, key)
    return buffer.getvalue()


def unpack(data: bytes, file_format: int, key: bytes | None = None) -> dict[str, bytes]:
    """Members whose names, sizes and checksums are as they should be.

    Parameters
    ----------
    data
        Contents of a file.
    file_format
        The one that can be read.
    key
        If given, the file must be signed with it.

    Raises
    ------
    ArchiveError
        If it has another format, an unknown or unlisted member, or a wrong checksum.
    ForeignError
        If it is not signed with the key.
    zipfile.BadZipFile, and what else ``zipfile`` raises for bytes that are no archive.
    """
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        _look_over(archive.infolist())
        # Only now: names and sizes are those that a model file can have.
        members = {item.filename: archive.read(item) for item in archive.infolist()}
        comment = archive.comment
    manifest = json.loads(members[MANIFEST])
    if key is not None and not hmac.compare_digest(comment, _signature(members[MANIFEST], key)):
        raise ForeignError("not signed by this installation")
    if manifest["format"] != file_format:
        raise ArchiveError(
            f"model file format {manifest['format']}, this version reads {file_format}; train "
            "again or use the version that wrote it"
        )
    listed = {**manifest["sha256"], MANIFEST: _sha(members[MANIFEST])}
    if unlisted := sorted(members.keys() ^ listed.keys()):
        raise ArchiveError(f"{', '.join(unlisted)} in the archive or in its manifest only")
    for name, content in members.items():
        if _sha(content) != listed[name]:
            raise ArchiveError(f"{name} does not match its checksum")
    return members


def pack_arrays(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Arrays in NumPy's own format."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def unpack_arrays(data: bytes) -> dict[str, NDArray[Any]]:
    """Read what :func:`pack_arrays` wrote; nothing is allocated beyond the bytes that are there.

    Raises
    ------
    ArchiveError
        If an array is of another kind or size than its header and content say.
    """
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        # An archive within the archive, with sizes of its own.
        _bounded(archive.infolist())
        return {
            item.filename.removesuffix(".npy"): _array(item.filename, archive.read(item))
            for item in archive.infolist()
        }


def _array(name: str, data: bytes) -> NDArray[Any]:
    stream = io.BytesIO(data)
    version = np.lib.format.read_magic(stream)
    if version != (1, 0):
        raise ArchiveError(f"{name} is an array of format {version}")
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
    content = data[stream.tell() :]
    # No objects, which NumPy would unpickle.
    if dtype.kind not in "biufU" or math.prod(shape) * dtype.itemsize != len(content):
        raise ArchiveError(f"{name}: {dtype} of shape {shape} in {len(content)} bytes")
    # A copy, since an array on top of bytes cannot be written to.
    flat = np.frombuffer(content, dtype).copy() if content else np.empty(0, dtype)
    return flat.reshape(shape, order="F" if fortran else "C")


def _look_over(found: list[zipfile.ZipInfo]) -> None:
    for item in found:
        if not _NAME.fullmatch(item.filename):
            raise ArchiveError(f"unknown member {item.filename!r}")
    _bounded(found)


def _bounded(found: list[zipfile.ZipInfo]) -> None:
    """Refuse what unpacks to more than it may before a byte is unpacked: zipfile reads no more."""
    if len(found) > MOST_MEMBERS or len({item.filename for item in found}) < len(found):
        raise ArchiveError(f"{len(found)} members, at most {MOST_MEMBERS} of different names")
    total = sum(item.file_size for item in found)
    if total > MOST_BYTES:
        raise ArchiveError(f"{total} bytes unpacked, at most {MOST_BYTES}")
    for item in found:
        if item.compress_type not in _PACKED or item.flag_bits & _ENCRYPTED:
            raise ArchiveError(f"{item.filename!r} is encrypted or packed by another method")


def _signature(manifest: bytes, key: bytes) -> bytes:
    return _SIGNED + hmac.new(key, manifest, hashlib.sha256).hexdigest().encode()


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
