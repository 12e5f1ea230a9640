"""What a check has found: how bad it is, why it matters, and the exact fix."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad a finding is; only errors keep freqtrade from starting."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True)
class Finding:
    """One result of a check.

    Attributes
    ----------
    level
        How bad it is.
    what
        What was found, with the config's key or the pair in front.
    why
        What follows from it; empty where that is plain.
    fix
        What to do; empty where nothing is to be done.
    """

    level: Level
    what: str
    why: str = ""
    fix: str = ""

    @property
    def line(self) -> str:
        """All of it in one line.

        Examples
        --------
        >>> error("timeframe: '7m'", "a day is no whole number of candles", "use 5m").line
        "timeframe: '7m': a day is no whole number of candles; use 5m"
        """
        text = f"{self.what}: {self.why}" if self.why else self.what
        return f"{text}; {self.fix}" if self.fix else text


def ok(what: str) -> Finding:
    """Something that was looked at and is as it should be."""
    return Finding(Level.OK, what)


def warning(what: str, why: str = "", fix: str = "") -> Finding:
    """Something that works, but not as it could, or not for long."""
    return Finding(Level.WARNING, what, why, fix)


def error(what: str, why: str = "", fix: str = "") -> Finding:
    """Something that cannot work: freqtrade is refused to start with it."""
    return Finding(Level.ERROR, what, why, fix)


def exit_status(findings: Iterable[Finding]) -> int:
    """0 if all is well, 1 with warnings only, 2 with errors.

    Examples
    --------
    >>> exit_status([ok("a"), warning("b")])
    1
    """
    levels = {finding.level for finding in findings}
    return 2 if Level.ERROR in levels else int(Level.WARNING in levels)
