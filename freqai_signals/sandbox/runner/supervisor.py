"""Runs COMMAND so that nothing of it outlives the sandbox; a process of its own.

``python keeper.py PARENT COMMAND ...`` ends with COMMAND's status and ends
COMMAND, with everything that it has started, when it is told to or when PARENT is gone: on Linux
the kernel tells it (even when PARENT was killed with SIGKILL), elsewhere it looks every second.

Imports only the standard library: it starts with every sandbox.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Final

GRACE_SECONDS: Final = 20.0
"""Time from a request to end until COMMAND is killed."""

NOT_FOUND: Final = 127
NOT_EXECUTABLE: Final = 126

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_CHILD_SUBREAPER: Final = 36


class _Supervisor:
    """State between the signal handler and the wait: what was asked, and until when."""

    def __init__(self, command: "subprocess.Popen[bytes]") -> None:
        self.command = command
        self.deadline: float | None = None

    def end(self, number: int, _frame: FrameType | None = None) -> None:
        """Pass a signal on to COMMAND; it has the grace time to follow."""
        if self.deadline is None:
            self.deadline = time.monotonic() + GRACE_SECONDS
        if self.command.poll() is None:
            self.command.send_signal(number)

    def wait(self, parent: int) -> int:
        """Return COMMAND's status, 128 + n after signal n."""
        while True:
            try:
                status = self.command.wait(timeout=1.0)
            except subprocess.TimeoutExpired:
                if os.getppid() != parent and self.deadline is None:
                    self.end(signal.SIGTERM)
                if self.deadline is not None and time.monotonic() > self.deadline:
                    self.command.kill()
            else:
                return status if status >= 0 else 128 - status


def keep(parent: int, command: Sequence[str]) -> int:
    """Run a command to its end.

    Parameters
    ----------
    parent
        Process without which the command must not run.
    command
        Program and arguments.

    Returns
    -------
    int
        Exit status; 128 + n after signal n; 126 or 127 where it could not be started.
    """
    _ask_kernel(_PR_SET_PDEATHSIG, signal.SIGTERM)
    # Orphans of COMMAND become ours instead of init's, so that they can be found.
    _ask_kernel(_PR_SET_CHILD_SUBREAPER, 1)
    # Signals that arrive before there is a command to pass them to must not be lost.
    ours = {signal.SIGTERM, signal.SIGHUP, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, ours)
    try:
        # No other thread runs here, so code between fork and exec is safe.
        process = subprocess.Popen(command, preexec_fn=_prepare)  # noqa: PLW1509
    except FileNotFoundError:
        return _refuse(f"{command[0]}: command not found", NOT_FOUND)
    except OSError as error:
        return _refuse(f"{command[0]}: {error.strerror}", NOT_EXECUTABLE)
    keeper = _Supervisor(process)
    for number in ours:
        signal.signal(number, keeper.end)
    if in_foreground():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ours)
    try:
        return keeper.wait(parent)
    finally:
        _kill_rest()


def in_foreground() -> bool:
    """Whether a terminal's Ctrl-C reaches this process, and with it COMMAND, directly."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)


def descendants(root: int) -> list[int]:
    """Processes below a process, children before grandchildren; empty without ``/proc``."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            # The name in parentheses may hold anything; the parent is the second field after it.
            fields = entry.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(entry.parent.name)] = int(fields[1])
    found = [root]
    for process in found:
        found += [child for child, parent in parents.items() if parent == process]
    return found[1:]


def _prepare() -> None:
    # A shell's background jobs ignore SIGINT, and COMMAND would inherit that.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, set())
    _ask_kernel(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _ask_kernel(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _kill_rest() -> None:
    for process in descendants(os.getpid()):
        try:
            os.kill(process, signal.SIGKILL)
        except ProcessLookupError:
            continue


def _refuse(message: str, status: int) -> int:
    sys.stderr.write(f"freqai-signals sandbox: {message}\n")
    return status


if __name__ == "__main__":
    sys.exit(keep(int(sys.argv[1]), sys.argv[2:]))
