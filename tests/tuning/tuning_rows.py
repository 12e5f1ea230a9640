"""Settings and a process of its own for tuning thousands of synthetic rows."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from freqai_signals.settings import SignalSettings
from freqai_signals.tuning.records import TuningRecord, TuningRecords
from freqai_signals.tuning.run import Scope, tune
from tests.model_rows import make_rows, small

POOL = ("BTC/USDT",)
REPO = Path(__file__).resolve().parents[2]

# A default that learns nearly nothing, so that anything is better.
POOR = {"learning_rate": 0.001, "rounds": 3}


def tuning_settings(
    booster: dict[str, Any] | None = None, model: dict[str, Any] | None = None, **tuning: Any
) -> SignalSettings:
    """Five trials, two folds; the parameters of the move booster."""
    names = ("booster.learning_rate", "booster.num_leaves", "booster.lambda_l2")
    usual = {"trials": 5, "folds": 2, "parameters": names, "minutes": 5.0}
    return small({"kind": "multiclass", **(model or {})}, booster, tuning=usual | tuning)


def records(folder: Path, identifier: str = "test") -> TuningRecords:
    return TuningRecords(folder / "signals" / "tuning", identifier)


def tuned(folder: Path, settings: SignalSettings, lines: list[str] | None = None) -> TuningRecord:
    collected = [] if lines is None else lines
    return tune(make_rows(), settings, Scope(records(folder), POOL, notify=collected.append))


def in_a_process(
    folder: Path, url: str, trials: int, slow: float, later: float | None = None
) -> "subprocess.Popen[str]":
    """The same tuning in a process of its own, which begins once it reads a line.

    It waits ``slow`` seconds before each fit, and ``later`` seconds once it has reported a trial.
    """
    script = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from freqai_signals.tuning import objective\n"
        "from freqai_signals.tuning.run import StillRunning\n"
        "from tests.tuning.tuning_rows import tuned, tuning_settings\n"
        "fit = objective.train\n"
        "def slow(*given):\n"
        "    time.sleep(pause[0])\n"
        "    return fit(*given)\n"
        "objective.train = slow\n"
        "class Reported(list):\n"
        "    def append(self, line):\n"
        "        pause[0] = float(sys.argv[5])\n"
        "        print(line, flush=True)\n"
        "pause = [float(sys.argv[4])]\n"
        "settings = tuning_settings(storage=sys.argv[2], trials=int(sys.argv[3]))\n"
        "print('ready', flush=True)\n"
        "sys.stdin.readline()\n"
        "try:\n"
        "    tuned(Path(sys.argv[1]), settings, Reported())\n"
        "except StillRunning as others:\n"
        "    print(others)\n"
    )  # fmt: skip
    pauses = [str(slow), str(slow if later is None else later)]
    arguments = [sys.executable, "-c", script, str(folder), url, str(trials), *pauses]
    environment = {**os.environ, "PYTHONPATH": str(REPO)}
    return subprocess.Popen(
        arguments, cwd=REPO, env=environment, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def begin(*processes: "subprocess.Popen[str]") -> None:
    """Let processes of :func:`in_a_process` begin at the same time."""
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
