"""Print the result of a rehearsal."""

from collections import Counter

import numpy as np
from rich.console import Console
from rich.table import Table

from freqai_signals.rehearsal.outcome import Outcome
from freqai_signals.report.quality import quality_table
from freqai_signals.schema import TAG_COLUMN
from freqai_signals.terminal import table_console

_MOST_MISMATCHES = 10


def print_outcome(outcome: Outcome, console: Console | None = None) -> None:
    """Trades, signals, quality, time, memory, and the comparison with the history."""
    console = console or table_console()
    console.print(_trades(outcome))
    console.print(_signals(outcome))
    console.print(_quality(outcome))
    lines = (*_running(outcome), *_checks(outcome), *_parity(outcome))
    # Paths and pairs may contain square brackets, which rich would read as markup.
    for line in (*lines, f"All files: {outcome.folder}"):
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def _trades(outcome: Outcome) -> Table:
    table = Table(title="Trades")
    for name in ("pair", "enter tag", "opened", "closed", "profit %", "exit reason"):
        table.add_column(name)
    for trade in outcome.trades:
        closed = trade["close_date"]
        profit = f"{100 * trade['close_profit']:.2f}" if closed else "open"
        table.add_row(
            trade["pair"],
            trade["enter_tag"] or "",
            str(trade["open_date"])[:16],
            str(closed or "")[:16],
            profit,
            trade["exit_reason"] or "",
        )
    return table


def _signals(outcome: Outcome) -> Table:
    table = Table(title="Signals")
    for name in ("pair", "signal", "candles"):
        table.add_column(name)
    for pair, frame in outcome.frames.items():
        for tag, count in sorted(Counter(frame[TAG_COLUMN]).items()):
            table.add_row(pair, tag or "none", str(count))
    return table


def _quality(outcome: Outcome) -> Table:
    table = Table(title="Quality on candles whose outcome is known")
    table.add_column("pair")
    quality = quality_table(outcome.frames)
    for name in quality:
        table.add_column(str(name))
    for pair, row in quality.iterrows():
        table.add_row(str(pair), *(f"{value:.4g}" for value in row))
    return table


def _running(outcome: Outcome) -> list[str]:
    lines = []
    if len(outcome.delays):
        median, late = np.percentile(outcome.delays, [50, 95])
        lines.append(
            f"Candle close to decision, seconds of the wall clock: median {median:.2f}, "
            f"95 % within {late:.2f}, longest {outcome.delays.max():.2f}"
        )
    if outcome.run.faults:
        listed = ", ".join(f"{count} {kind}" for kind, count in sorted(outcome.run.faults.items()))
        lines.append(f"Injected request faults: {listed}")
    return lines


def _checks(outcome: Outcome) -> list[str]:
    return [
        f"{'Passed' if check.passed else 'FAILED'}: {check.name} ({check.detail})"
        for check in outcome.checks
    ]


def _parity(outcome: Outcome) -> list[str]:
    parity = outcome.parity
    failed = "FAILED: " if parity.mismatches else ""
    lines = [
        f"{failed}Parity: {100 * parity.share:.2f} % of {parity.candles} live candles equal the "
        f"history ({parity.predicted} predicted, {parity.models} models)"
    ]
    for item in parity.mismatches[:_MOST_MISMATCHES]:
        lines.append(
            f"  {item.pair} {item.date} {item.column}: live {item.live}, history {item.expected} "
            f"- {item.cause}"
        )
    left = len(parity.mismatches) - _MOST_MISMATCHES
    return [*lines, f"  and {left} more in parity.json"] if left > 0 else lines
