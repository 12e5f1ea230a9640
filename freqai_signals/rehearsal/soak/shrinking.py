"""Find fewer injections of a failed soak that fail the same checks."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from freqai_signals.rehearsal.soak.aftermath import SoakOutcome, judged_soak
from freqai_signals.rehearsal.soak.endurance import Soak, reproduction, soak

Run = Callable[[tuple[int, ...]], SoakOutcome]


def shrink(folder: Path, request: Soak, notify: Callable[[str], None]) -> str:
    """Repeat a failed soak with fewer injections; the shortest command that fails as it did.

    Parameters
    ----------
    folder
        Of the failed soak; its config, candles, time, speed and seed are used again.
    request
        The rest of what a soak needs.
    notify
        Called with lines of progress.

    Returns
    -------
    str
        Empty if the soak did not fail.
    """
    found = judged_soak(folder)
    failed = failures(found)
    if not failed:
        return ""
    record = found.record
    days = (record.run.stop_ms - record.run.start_ms) / 86_400_000
    repeated = replace(
        request.rehearsal,
        config=(folder / "config.json",),
        days=days,
        speed=record.run.speed,
        datadir=Path(record.run.candles),
        start=datetime.fromtimestamp(record.run.start_ms / 1000, UTC),
        pairs=(),
    )

    def run(only: tuple[int, ...]) -> SoakOutcome:
        name = "-".join(map(str, only[:6])) + ("-more" if len(only) > 6 else "")
        again = replace(repeated, folder=folder / "shrunk" / f"{len(only)}-{name}")
        return soak(Soak(again, record.seed, only), notify)

    numbers = tuple(note.number for note in record.notes)
    return reproduction(folder, smallest(numbers, failed, run, notify))


def failures(found: SoakOutcome) -> frozenset[str]:
    """Names of the checks that failed, parity among them."""
    names = {check.name for check in found.outcome.checks if not check.passed}
    return frozenset(names | ({"parity"} if found.outcome.parity.mismatches else set()))


def smallest(
    numbers: Sequence[int], failed: frozenset[str], run: Run, notify: Callable[[str], None]
) -> tuple[int, ...]:
    """Halve for as long as one half alone fails a check that all failed, then leave out singly.

    Parameters
    ----------
    numbers
        Injections that happened, in order.
    failed
        Names of the checks.
    run
        Lets only these happen.
    notify
        Called with what each repetition gave.
    """

    def still_fails(only: Sequence[int]) -> bool:
        if not only:
            return False
        same = failed & failures(run(tuple(only)))
        notify(f"Only {', '.join(map(str, only))}: {', '.join(sorted(same)) or 'passes'}")
        return bool(same)

    kept = list(numbers)
    while len(kept) > 1:
        half = len(kept) // 2
        part = next((part for part in (kept[half:], kept[:half]) if still_fails(part)), None)
        if part is None:
            break
        kept = part
    for number in list(kept) if len(kept) > 1 else ():
        fewer = [other for other in kept if other != number]
        if still_fails(fewer):
            kept = fewer
    return tuple(kept)
