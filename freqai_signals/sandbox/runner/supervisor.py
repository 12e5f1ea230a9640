"""Runs COMMAND so that nothing of it outlives the sandbox; a process of its own.

``python supervisor.py PARENT COMMAND ...`` exits with COMMAND's status. It ends COMMAND and all its
descendants on a signal, and when PARENT is gone: on Linux the kernel then sends a signal (even when
PARENT was killed with SIGKILL), elsewhere the supervisor checks every second.

Imports nothing of this package: it starts with every sandbox.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from types import FrameType
from typing import Final

import psutil

GRACE_SECONDS: Final = 20.0
"""Seconds from the first signal until COMMAND is killed, unless the environment says otherwise."""

GRACE_VARIABLE: Final = "FREQAI_SIGNALS_GRACE_SECONDS"

NOT_FOUND: Final = 127
NOT_EXECUTABLE: Final = 126

_KILL_SECONDS: Final = 10.0
_LOOK_SECONDS: Final = 0.05

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_CHILD_SUBREAPER: Final = 36


class _Supervisor:
    """COMMAND, and the time at which it is killed once it was asked to end."""

    def __init__(self, command: "subprocess.Popen[bytes]") -> None:
        self.command = command
        self.deadline: float | None = None

    def end(self, number: int, _frame: FrameType | None = None) -> None:
        """Pass a signal on to COMMAND, which then has the grace time to end."""
        if self.deadline is None:
            grace = float(os.environ.get(GRACE_VARIABLE, GRACE_SECONDS))
            self.deadline = time.monotonic() + grace
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


def supervise(parent: int, command: Sequence[str]) -> int:
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
    _set_process_option(_PR_SET_PDEATHSIG, signal.SIGTERM)
    # Orphans of COMMAND become children of this process instead of init, so they can be found.
    _set_process_option(_PR_SET_CHILD_SUBREAPER, 1)
    # Signals that arrive before there is a command to pass them to must not be lost.
    handled = {signal.SIGTERM, signal.SIGHUP, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, handled)
    try:
        # No other thread runs here, so code between fork and exec is safe.
        process = subprocess.Popen(command, preexec_fn=_prepare)  # noqa: PLW1509
    except FileNotFoundError:
        return _refuse(f"{command[0]}: command not found", NOT_FOUND)
    except OSError as error:
        return _refuse(f"{command[0]}: {error.strerror}", NOT_EXECUTABLE)
    supervisor = _Supervisor(process)
    for number in handled:
        signal.signal(number, supervisor.end)
    if in_foreground():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, handled)
    try:
        return supervisor.wait(parent)
    finally:
        kill_descendants(os.getpid())


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


def _prepare() -> None:
    # A shell's background jobs ignore SIGINT, and COMMAND would inherit that.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, set())
    _set_process_option(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _set_process_option(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def descendants(root: int) -> list[psutil.Process]:
    """Processes below a process; empty if it is gone."""
    try:
        return list(psutil.Process(root).children(recursive=True))
    except psutil.NoSuchProcess:
        return []


def kill_descendants(root: int) -> None:
    """Kill all processes below a process, those too that they start meanwhile."""
    deadline = time.monotonic() + _KILL_SECONDS
    # A process that was just listed may fork before it is killed, so look until nobody is left.
    while (found := [process for process in descendants(root) if _lives(process)]) and (
        time.monotonic() < deadline
    ):
        for process in found:
            with suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(found, timeout=_LOOK_SECONDS)


def _lives(process: psutil.Process) -> bool:
    """Whether a process can still do anything; a zombie only waits for its parent."""
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def _refuse(message: str, status: int) -> int:
    sys.stderr.write(f"freqai-signals sandbox: {message}\n")
    return status


if __name__ == "__main__":
    sys.exit(supervise(int(sys.argv[1]), sys.argv[2:]))
