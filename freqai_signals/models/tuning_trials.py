"""Which trials of a study count: not those whose process has died."""

import os
import platform
import uuid
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Final

import optuna
from optuna.trial import FrozenTrial, TrialState

PROCESS: Final = "process"
"""Attribute of a trial: the process that works on it."""

_OWN: Final = uuid.uuid4().hex


def alive_trials(study: optuna.Study) -> list[FrozenTrial]:
    """Trials that have not failed, by number."""
    return [t for t in study.get_trials(deepcopy=False) if t.state != TrialState.FAIL]


def fail_dead_trials(study: optuna.Study) -> None:
    """Trials whose process died count no more: those of this machine now, others when silent."""
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if _is_dead(str(trial.user_attrs.get(PROCESS, ""))):
            with suppress(optuna.exceptions.UpdateFinishedTrialError, ValueError):
                study.tell(trial.number, state=TrialState.FAIL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        optuna.storages.fail_stale_trials(study)


def this_process() -> str:
    """Name of this process, unlike that of any other on any machine."""
    return f"{_machine()} {os.getpid()} {_OWN}"


def _is_dead(process: str) -> bool:
    """Whether a trial's process is known not to run any more."""
    parts = process.split(" ")
    if len(parts) != 3 or parts[0] != _machine():
        return False
    if int(parts[1]) == os.getpid():
        return parts[2] != _OWN
    try:
        os.kill(int(parts[1]), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _machine() -> str:
    """The machine's name, and which numbering of processes: a container has its own."""
    numbering = Path("/proc/self/ns/pid")
    inode = numbering.stat().st_ino if numbering.exists() else 0
    return f"{platform.node()}/{inode}"
