"""Record of a finished soak: what was planned, and what happened when."""

import json
import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from freqai_signals.rehearsal.run_record import RunRecord
from freqai_signals.rehearsal.soak.plan import Injection, Kind

FILE: Final = "soak.json"


@dataclass(frozen=True)
class Note:
    """When an injection of this number began (ms, market time), what answered, and if it took."""

    number: int
    began: int
    answer: str
    injected: bool = True


@dataclass(frozen=True)
class SoakRecord:
    """A finished soak.

    Attributes
    ----------
    run
        As of any rehearsal.
    seed
        Of the plan.
    plan
        What was to go wrong.
    notes
        What did, in the order in which it began.
    crashes
        Times at which the bot ended by itself, and its exit status.
    only
        Numbers of the injections that were wanted, empty for all.
    command
        Options of the command line that repeat it, but for its config and ``--only``.
    """

    run: RunRecord
    seed: int
    plan: tuple[Injection, ...]
    notes: tuple[Note, ...]
    crashes: tuple[tuple[int, int], ...] = ()
    only: tuple[int, ...] = ()
    command: tuple[str, ...] = ()

    def write(self, folder: Path) -> None:
        """Write the record into the soak's folder."""
        self.run.write(folder)
        content = {name: value for name, value in asdict(self).items() if name != "run"}
        (folder / FILE).write_text(json.dumps(content, indent=1))

    def reproduction(self, folder: Path, numbers: Sequence[int] = ()) -> str:
        """The command that runs this soak of a folder again, with some of its injections alone."""
        words = ["freqai-signals", "soak", "--config", str(folder.resolve() / "config.json")]
        only = [str(number) for number in numbers or self.only]
        return shlex.join([*words, *self.command, *(["--only", *only] if only else [])])

    @classmethod
    def read(cls, folder: Path) -> "SoakRecord":
        """The finished soak of a folder.

        Raises
        ------
        ValueError
            If there is none.
        """
        run = RunRecord.read(folder)
        try:
            content = json.loads((folder / FILE).read_text())
        except FileNotFoundError as error:
            raise ValueError(f"{folder} holds a rehearsal, no soak (no {FILE})") from error
        plan = tuple(Injection(**{**item, "kind": Kind(item["kind"])}) for item in content["plan"])
        notes = tuple(Note(**item) for item in content["notes"])
        crashes = tuple((when, status) for when, status in content["crashes"])
        only, command = tuple(content["only"]), tuple(content["command"])
        return cls(run, content["seed"], plan, notes, crashes, only, command)
