"""A small file system of its own for a bot's user_data, which can be filled and freed."""

import shutil
import subprocess
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final

_FILLER: Final = "filler"
_BLOCK: Final = b"\0" * 65_536


class SmallDisk:
    """A file system in memory, mounted on a folder while within; needs the right to mount.

    At the end all is copied to the disk below; the folder holds the same as before.

    Parameters
    ----------
    folder
        Made if need be; one that is not empty is refused with a ValueError.
    megabytes
        Its size.

    Attributes
    ----------
    refusal
        Why there is none; empty if there is. Then the folder lies on the disk that it is on, and
        cannot be filled.
    """

    def __init__(self, folder: Path, megabytes: int = 512) -> None:
        self.folder, self.megabytes, self.refusal = folder, megabytes, ""

    def __enter__(self) -> "SmallDisk":
        self.folder.mkdir(parents=True, exist_ok=True)
        if any(self.folder.iterdir()):
            raise ValueError(f"{self.folder} is not empty; name another --folder")
        options = ["-t", "tmpfs", "-o", f"size={self.megabytes}m", "tmpfs", str(self.folder)]
        try:
            done = subprocess.run(["mount", *options], capture_output=True, text=True, check=False)
            self.refusal = done.stderr.strip()
        except OSError as error:
            self.refusal = str(error)
        return self

    def fill(self) -> None:
        """Leave no byte."""
        with (self.folder / _FILLER).open("ab", buffering=0) as file, suppress(OSError):
            for block in (_BLOCK, _BLOCK[:512], _BLOCK[:1]):
                with suppress(OSError):
                    while file.write(block):
                        pass

    def free(self) -> None:
        """Give back what was filled."""
        (self.folder / _FILLER).unlink(missing_ok=True)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.refusal:
            return
        self.free()
        kept = self.folder.with_name(f"{self.folder.name}.kept")
        shutil.rmtree(kept, ignore_errors=True)
        shutil.copytree(self.folder, kept)
        subprocess.run(["umount", "--lazy", str(self.folder)], check=True)
        self.folder.rmdir()
        kept.rename(self.folder)
