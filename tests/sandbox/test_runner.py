import os
import pty
import re
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from freqai_signals.sandbox.runner import supervisor
from tests.waiting import PATIENCE, wait_until

ROOT = Path(__file__).parents[2]
SERVER = "FREQTRADE__EXCHANGE__CCXT_CONFIG__urls__api__public"

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(folder: Path, tmp_path: Path) -> Start:
    def begin(*command: str, options: tuple[str, ...] = ()) -> "subprocess.Popen[str]":
        chosen = options or ("--datadir", str(folder))
        return subprocess.Popen(
            [sys.executable, "-m", "freqai_signals", "sandbox", *chosen, "--", *command],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # Without a terminal, so that all signals come from the tests.
            start_new_session=True,
        )

    return begin


def python(code: str) -> tuple[str, ...]:
    return (sys.executable, "-u", "-c", code)


# Prints its own process number and the port, then waits for ever; told to end, it takes its leave.
WAITING = python(
    "import os, signal, sys, time\n"
    "signal.signal(signal.SIGTERM, lambda *_: sys.exit(9))\n"
    f"print(os.getpid(), os.environ['{SERVER}'].split(':')[2].split('/')[0], flush=True)\n"
    "time.sleep(600)"
)


def told(process: "subprocess.Popen[str]") -> tuple[int, int]:
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], PATIENCE)
    assert ready, "the command said nothing"
    number, port = process.stdout.readline().split()
    return int(number), int(port)


def is_gone(process: int) -> bool:
    try:
        return psutil.Process(process).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def is_free(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) != 0


@pytest.mark.parametrize("status", [0, 7])
def test_exit_status_is_the_commands(start: Start, status: int) -> None:
    process = start(*python(f"raise SystemExit({status})"))
    assert process.wait(timeout=PATIENCE) == status


def test_a_signal_is_told_as_shells_do(start: Start) -> None:
    process = start(*python("import os; os.kill(os.getpid(), 9)"))
    assert process.wait(timeout=PATIENCE) == 128 + signal.SIGKILL


def test_an_unknown_command_is_told_as_shells_do(start: Start) -> None:
    process = start("no-such-command-anywhere")
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 127
    assert "no-such-command-anywhere: command not found" in errors


def test_the_command_reaches_the_exchange_and_requests_are_logged(
    start: Start, folder: Path, tmp_path: Path
) -> None:
    code = (
        "import os, urllib.request as u;"
        f"print(len(u.urlopen(os.environ['{SERVER}'] + '/exchangeInfo').read()));"
        "print(os.environ['FREQAI_SIGNALS_SANDBOX_DATADIR'])"
    )
    process = start(*python(code), options=("--datadir", str(folder), "--log", "log/requests.log"))
    output, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, errors
    assert str(folder) in output
    log = (tmp_path / "log" / "requests.log").read_text()
    assert re.search(r"\d+ GET /api/v3/exchangeInfo 200 \d+\.\d ms", log)


def test_the_port_is_free_once_the_command_has_ended(start: Start) -> None:
    process = start(*python(f"import os; print(1, os.environ['{SERVER}'].split(':')[2][:-7])"))
    _, port = told(process)
    assert process.wait(timeout=PATIENCE) == 0
    assert is_free(port)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_request_to_end_reaches_the_command(start: Start, number: signal.Signals) -> None:
    process = start(*WAITING)
    command, port = told(process)
    process.send_signal(number)
    expected = 9 if number == signal.SIGTERM else 128 + number
    assert process.wait(timeout=PATIENCE) == expected
    assert is_gone(command)
    assert is_free(port)


def test_an_interrupt_ends_the_command(start: Start) -> None:
    process = start(*WAITING)
    command, port = told(process)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=PATIENCE) == 128 + signal.SIGINT
    assert is_gone(command)
    assert is_free(port)


def test_a_background_job_of_a_shell_can_be_interrupted(start: Start) -> None:
    """Its shell has told it to ignore SIGINT, which a command would inherit."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process = start(*WAITING)
    finally:
        signal.signal(signal.SIGINT, before)
    told(process)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=PATIENCE) == 128 + signal.SIGINT


def test_a_terminals_interrupt_reaches_the_command_once(folder: Path, tmp_path: Path) -> None:
    counting = (
        "import signal, time\n"
        "seen = []\n"
        "signal.signal(signal.SIGINT, lambda *_: seen.append(1))\n"
        "print('ready', flush=True)\n"
        "time.sleep(1)\n"
        "while not seen: time.sleep(0.1)\n"
        "time.sleep(0.7)\n"
        "raise SystemExit(len(seen))"
    )
    process, terminal = pty.fork()
    if process == 0:
        os.chdir(tmp_path)
        os.environ["PYTHONPATH"] = str(ROOT)
        own = ("-m", "freqai_signals", "sandbox", "--datadir", str(folder), "--")
        os.execv(sys.executable, [sys.executable, *own, *python(counting)])
    with os.fdopen(terminal, "rb", buffering=0) as screen:
        output = b""
        while b"ready" not in output:
            output += screen.read(1000)
        os.write(terminal, b"\x03")
        _, status = os.waitpid(process, 0)
    assert os.waitstatus_to_exitcode(status) == 1


def test_killing_the_sandbox_ends_the_command_and_frees_the_port(start: Start) -> None:
    process = start(*WAITING)
    command, port = told(process)
    assert not is_free(port)
    process.kill()
    process.wait(timeout=PATIENCE)
    assert wait_until(lambda: is_gone(command))
    assert wait_until(lambda: is_free(port))


def test_what_the_command_leaves_behind_is_ended(start: Start) -> None:
    orphan = (
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'],\n"
        "                         start_new_session=True, stdout=subprocess.DEVNULL)\n"
        "print(child.pid, 0, flush=True)"
    )
    process = start(*python(orphan))
    child, _ = told(process)
    assert process.wait(timeout=PATIENCE) == 0
    assert wait_until(lambda: is_gone(child))


def test_processes_that_are_forked_while_others_are_killed_are_killed_too() -> None:
    """Each of a chain starts the next one, so that a list of them is never complete."""
    script = (
        "import os, time\n"
        "for _ in range(60):\n"
        "    if os.fork():\n"
        "        time.sleep(120)\n"
        "        os._exit(0)\n"
        "    time.sleep(0.01)\n"
    )
    root = subprocess.Popen([sys.executable, "-c", script])
    try:
        wait_until(lambda: len(supervisor.descendants(root.pid)) > 3)
        supervisor.kill_descendants(root.pid)
        alive = [p for p in supervisor.descendants(root.pid) if p.status() != "zombie"]
        assert alive == []
    finally:
        root.kill()
        root.wait()


def test_two_sandboxes_run_side_by_side(start: Start) -> None:
    first, second = start(*WAITING), start(*WAITING)
    ports = {told(first)[1], told(second)[1]}
    assert len(ports) == 2
    assert not any(is_free(port) for port in ports)
    for process in (first, second):
        process.terminate()
        process.wait(timeout=PATIENCE)
