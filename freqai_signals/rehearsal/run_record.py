"""Record of a finished rehearsal, from which its result can be computed again later."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from freqai_signals.rehearsal.bot import STRATEGY
from freqai_signals.rehearsal.incidents import NOTICED_MS, Incidents
from freqai_signals.settings import SignalSettings
from freqai_signals.trading.thresholds import Thresholds

FILE: Final = "run_record.json"
PARAMETER_FILE: Final = "parameters.json"


@dataclass(frozen=True)
class RunRecord:
    """A finished rehearsal; times in ms since 1970.

    Attributes
    ----------
    candles
        Folder that the exchange served.
    shift_ms
        Added to the dates of its candles.
    start_ms, stop_ms
        Market time.
    speed
        Times the clock.
    incidents
        Injected errors of candles and exchange.
    faults
        Requests that failed, by kind.
    exit_status
        Of the bot, -1 if it had to be killed.
    memory
        Market hours since the start and the bot's resident megabytes.
    strategy
        Class that ran.
    """

    candles: str
    shift_ms: int
    start_ms: int
    stop_ms: int
    speed: float
    incidents: Incidents
    faults: Mapping[str, int]
    exit_status: int
    memory: tuple[tuple[float, float], ...]
    strategy: str = STRATEGY

    def true_time(self, shown: float, closed: float) -> float:
        """Time of the exchange of what the bot's own clock dated, seconds since 1970.

        Parameters
        ----------
        shown
            What that clock showed.
        closed
            Close of a candle after which it was.
        """
        # A bot may be behind the time that it is shown.
        earliest = 1000 * closed - NOTICED_MS * self.speed
        return shown - self.incidents.lead(1000 * shown, earliest) / 1000

    def write(self, folder: Path) -> None:
        """Write the record into the rehearsal's folder."""
        (folder / FILE).write_text(json.dumps(asdict(self)))

    @classmethod
    def read(cls, folder: Path) -> "RunRecord":
        """The finished rehearsal of a folder.

        Raises
        ------
        ValueError
            If there is none.
        """
        try:
            content = json.loads((folder / FILE).read_text())
        except FileNotFoundError as error:
            raise ValueError(f"{folder} holds no finished rehearsal (no {FILE})") from error
        planned = content["incidents"]
        incidents = Incidents(
            tuple((start, stop) for start, stop in planned["outages"]),
            tuple((pair, start, stop, by) for pair, start, stop, by in planned["late"]),
            planned["missing"],
            tuple((pair, start, stop) for pair, start, stop in planned.get("absent", ())),
            tuple((pair, at, kind) for pair, at, kind in planned.get("spoiled", ())),
            tuple((start, stop) for start, stop in planned.get("away", ())),
            tuple(planned.get("removed", ())),
            tuple((start, stop, by) for start, stop, by in planned.get("ahead", ())),
        )
        memory = tuple((hours, size) for hours, size in content["memory"])
        return cls(**{**content, "incidents": incidents, "memory": memory})


def keep_parameters(strategies: Path, folder: Path, strategy: str = STRATEGY) -> None:
    """Copy the parameter file beside the strategy, if there is one, into a rehearsal's folder."""
    found, kept = strategies / f"{strategy}.json", folder / PARAMETER_FILE
    # One of an earlier rehearsal in the folder would change the settings of this one.
    kept.unlink(missing_ok=True)
    if found.is_file():
        kept.write_bytes(found.read_bytes())


def tuned_settings(settings: SignalSettings, folder: Path) -> SignalSettings:
    """The settings of a folder's bot, with its tuned thresholds.

    Parameters
    ----------
    settings
        Of its config.
    folder
        Of the rehearsal. Without a parameter file in it, or with one that is no JSON (freqtrade
        warns of that and reads nothing), the settings stay as they are.
    """
    try:
        spaces = json.loads((folder / PARAMETER_FILE).read_text()).get("params", {})
    except (FileNotFoundError, ValueError):
        return settings
    values = {
        name: spaces.get(limits.space, {}).get(name, Thresholds.default(settings, name))
        for name, limits in Thresholds.LIMITS.items()
    }
    return Thresholds.apply(settings, values)
