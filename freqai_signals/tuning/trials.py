"""Which trials of a study count, and which to give up: not those whose process has died."""

import os
import platform
import uuid
import warnings
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import optuna
from optuna.trial import FrozenTrial, TrialState

from freqai_signals.tuning.storage import SILENCE_SECONDS

PROCESS: Final = "process"
"""Attribute of a trial: the process that works on it."""

_OWN: Final = uuid.uuid4().hex


def alive_trials(study: optuna.Study) -> list[FrozenTrial]:
    """Trials that have not failed, by number."""
    return [t for t in study.get_trials(deepcopy=False) if t.state != TrialState.FAIL]


def fail_dead_trials(study: optuna.Study) -> None:
    """Trials whose process died count no more: those of this machine now, others when silent."""
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        process = trial.user_attrs.get(PROCESS)
        if _never_began(trial) if process is None else _is_dead(str(process)):
            with suppress(optuna.exceptions.UpdateFinishedTrialError, ValueError):
                study.tell(trial.number, state=TrialState.FAIL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        optuna.storages.fail_stale_trials(study)


class HalvingPruner(optuna.pruners.BasePruner):
    """Successive halving: at steps 1, 2, 4, 8, ... the worse half of all trials is given up.

    Optuna's own also counts what failed trials have reported. Those are drawn again, so that an
    interrupted search would go on with other trials than one in a single piece.
    """

    def prune(self, study: optuna.Study, trial: FrozenTrial) -> bool:
        """Whether the trial does worse at its present step than half of those that came to it."""
        step = trial.last_step
        if not step or step & (step - 1):
            return False
        value = trial.intermediate_values[step]
        others = [t.intermediate_values for t in alive_trials(study) if t.number != trial.number]
        values = sorted([value, *(reported[step] for reported in others if step in reported)])
        return value > values[max(len(values) // 2 - 1, 0)]


def this_process() -> str:
    """Name of this process, unlike that of any other on any machine."""
    return f"{_machine()} {os.getpid()} {_OWN}"


def _never_began(trial: FrozenTrial) -> bool:
    """Whether a trial's process died between Optuna's note of the trial and its own name in it.

    That takes a moment, and no heartbeat has begun yet. The note is of the local time of whoever
    made it; from another time zone a trial may look old in this moment, and is drawn again.
    """
    begun = trial.datetime_start
    return begun is not None and datetime.now() - begun > timedelta(seconds=SILENCE_SECONDS)


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
