"""A small file system of its own for a bot's user_data, which can be filled and freed."""

import shutil
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Final

_FILLER: Final = "filler"
_BLOCK: Final = b"\0" * 65_536


class SmallDisk:
    """A file system in memory, mounted on a folder; needs the right to mount.

    Parameters
    ----------
    folder
        Made if need be, and empty.
    megabytes
        Its size.

    Attributes
    ----------
    refusal
        Why there is none; empty if there is. Then the folder lies on the disk that it is on, and
        cannot be filled.
    """

    def __init__(self, folder: Path, megabytes: int = 512) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        options = ["-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
        try:
            done = subprocess.run(["mount", *options], capture_output=True, text=True, check=False)
            self.refusal = done.stderr.strip()
        except OSError as error:
            self.refusal = str(error)

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

    def settle(self) -> None:
        """Copy all to the disk below and unmount; the folder holds the same as before."""
        if self.refusal:
            return
        self.free()
        kept = self.folder.with_name(f"{self.folder.name}.kept")
        shutil.rmtree(kept, ignore_errors=True)
        shutil.copytree(self.folder, kept)
        subprocess.run(["umount", "--lazy", str(self.folder)], check=True)
        self.folder.rmdir()
        kept.rename(self.folder)
