"""Print the result of a soak."""

import math
from collections import Counter
from datetime import UTC, datetime

from rich.console import Console

from freqai_signals.rehearsal.soak.aftermath import Aftermath
from freqai_signals.rehearsal.soak.verdict import SoakOutcome
from freqai_signals.rehearsal.summary import print_outcome
from freqai_signals.terminal import print_line, print_table, table_console


def print_soak(found: SoakOutcome, console: Console | None = None) -> None:
    """What was injected and what followed, then what a rehearsal prints."""
    console = console or table_console()
    print_table("Injected, and what followed", [_row(item) for item in found.followed], console)
    counts = Counter(str(item.item.kind) for item in found.followed if item.injected)
    listed = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
    print_line(f"Injected with seed {found.record.seed}: {listed}", console)
    print_outcome(found.outcome, console)
    left = ", ".join(check.name for check in found.outcome.checks if not check.judged)
    verdict = "Passed" if found.passed else "FAILED"
    print_line(f"Soak: {verdict}{f'; not judged: {left}' if left else ''}", console)
    if not found.passed:
        part = "what went before the failures" if found.suspects else "all of it"
        print_line(f"To repeat {part}:", console)
        print_line(found.record.reproduction(found.outcome.folder, found.suspects), console)


def _row(item: Aftermath) -> dict[str, str]:
    injected = item.item
    began = item.began if item.began is not None else injected.start
    detail = " ".join(word for word in (injected.pair, injected.detail) if word)
    return {
        "no.": str(injected.number),
        "market time": f"{datetime.fromtimestamp(began / 1000, UTC):%m-%d %H:%M}",
        "what": str(injected.kind),
        "which": detail,
        "min": f"{(injected.stop - injected.start) / 60_000:.0f}",
        "answer": item.answer,
        "decided after": _minutes(item.decided),
        "trusted after": _minutes(item.trusted),
        "recorded after": "no ledger" if item.recorded is None else _minutes(item.recorded),
        "log": item.log,
    }


def _minutes(value: float) -> str:
    return f"{value:.0f}" if math.isfinite(value) else "never"
