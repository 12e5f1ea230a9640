"""How often a span of history was looked at: one small file for each backtest and hyperopt.

Each look is another chance to be lucky, so whoever judges the best of them has to count all. The
files lie apart from models and results, which analyses and users delete; each is written whole
under a name of its own, so that processes need no lock.
"""

import json
import logging
import uuid
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

from pydantic import TypeAdapter, ValidationError

from freqai_signals.files import write_atomically

logger = logging.getLogger(__name__)

Kind = Literal["backtest", "hyperopt"]


@dataclass(frozen=True)
class Look:
    """One backtest or hyperopt.

    Attributes
    ----------
    kind
        Which of the two.
    first, last
        Span of the candles that were judged, seconds since 1970.
    trials
        Parameter sets: 1 of a backtest, the epochs asked for of a hyperopt.
    at
        When, ISO in UTC.
    """

    kind: Kind
    first: int
    last: int
    trials: int = 1
    at: str = ""


_READ: Final = TypeAdapter(Look)


@dataclass(frozen=True)
class LooksAt:
    """Looks whose span overlaps one in question: ``backtests``, ``hyperopts``, their ``trials``."""

    backtests: int = 0
    hyperopts: int = 0
    trials: int = 0

    @property
    def total(self) -> int:
        """Chances to be lucky: each backtest and each trial is one."""
        return self.backtests + self.trials


def looks_folder(userdir: Path) -> Path:
    """Where the files lie."""
    return userdir / "signals" / "looks"


def add_look(userdir: Path, look: Look) -> Path:
    """Write a look down; it stays whatever becomes of its models and results."""
    folder = looks_folder(userdir)
    folder.mkdir(parents=True, exist_ok=True)
    now = datetime.now(UTC)
    path = folder / f"{now:%Y%m%dT%H%M%S}-{look.kind}-{uuid.uuid4().hex[:8]}.json"
    content = asdict(look) | {"at": look.at or now.isoformat(timespec="seconds")}
    write_atomically(path, json.dumps(content).encode())
    return path


def read_looks(userdir: Path) -> list[Look]:
    """All looks, oldest first; a file that cannot be read is named in the log and left out."""
    found = []
    for path in sorted(looks_folder(userdir).glob("*.json")):
        try:
            found.append(_READ.validate_json(path.read_bytes()))
        except (OSError, ValidationError) as error:
            logger.warning("%s cannot be read, so this look does not count: %s", path, error)
    return found


def looks_at(looks: Iterable[Look], first: float, last: float) -> LooksAt:
    """Count the looks whose span overlaps this one.

    Examples
    --------
    >>> some = [Look("backtest", 0, 10), Look("hyperopt", 5, 20, trials=50)]
    >>> looks_at(some, 10, 15), looks_at(some, 30, 40).total
    (LooksAt(backtests=0, hyperopts=1, trials=50), 0)
    """
    mine = [look for look in looks if look.first < last and look.last > first]
    searches = [look for look in mine if look.kind == "hyperopt"]
    return LooksAt(len(mine) - len(searches), len(searches), sum(look.trials for look in searches))
