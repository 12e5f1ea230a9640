"""Print the result of a rehearsal."""

from collections import Counter

import numpy as np
from rich.console import Console

from freqai_signals.metrics import summary
from freqai_signals.rehearsal.outcome import Outcome
from freqai_signals.schema import (
    OUTCOME_COLUMN,
    PRIOR_COLUMNS,
    PROBA_COLUMNS,
    TAG_COLUMN,
    TRUST_COLUMN,
)
from freqai_signals.terminal import print_line, print_table, table_console

_MOST_MISMATCHES = 10
_MEASURES = ("skill", "ece", "brier", "direction_auc", "move_auc")


def print_outcome(outcome: Outcome, console: Console | None = None) -> None:
    """Trades, signals, quality, time, memory, and the comparison with the history."""
    console = console or table_console()
    print_table("Trades", _trades(outcome), console)
    print_table("Signals", _signals(outcome), console)
    print_table("Quality on candles whose outcome is known", _quality(outcome), console)
    lines = (*_running(outcome), *map(str, outcome.checks), *_parity(outcome))
    for line in (*lines, f"All files: {outcome.folder}"):
        print_line(line, console)


def _trades(outcome: Outcome) -> list[dict[str, str]]:
    return [
        {
            "pair": trade["pair"],
            "enter tag": trade["enter_tag"] or "",
            "opened": str(trade["open_date"])[:16],
            "closed": str(trade["close_date"] or "")[:16],
            "profit %": f"{100 * trade['close_profit']:.2f}" if trade["close_date"] else "open",
            "exit reason": trade["exit_reason"] or "",
        }
        for trade in outcome.trades
    ]


def _signals(outcome: Outcome) -> list[dict[str, object]]:
    return [
        {"pair": pair, "signal": tag or "none", "candles": count}
        for pair, frame in outcome.frames.items()
        for tag, count in sorted(Counter(frame[TAG_COLUMN]).items())
    ]


def _quality(outcome: Outcome) -> list[dict[str, str]]:
    found = []
    for pair, frame in outcome.frames.items():
        trusted = frame[frame[TRUST_COLUMN] == 1]
        scored = trusted[trusted[OUTCOME_COLUMN].notna()]
        row = {"pair": pair, "predicted": str(len(trusted)), "scored": str(len(scored))}
        row |= dict.fromkeys(_MEASURES, "-")
        if len(scored):
            parts = [
                scored[list(names)].to_numpy(float) for names in (PROBA_COLUMNS, PRIOR_COLUMNS)
            ]
            measured = summary(scored[OUTCOME_COLUMN].to_numpy(np.int8), *parts)
            row |= {name: f"{measured[name]:.4g}" for name in _MEASURES}
        found.append(row)
    return found


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


def _parity(outcome: Outcome) -> list[str]:
    parity = outcome.parity
    failed = "FAILED: " if parity.mismatches else ""
    lines = [
        f"{failed}Parity: {100 * parity.share:.2f} % of {parity.candles} live candles equal the "
        f"history ({parity.predicted} predicted, {parity.models} models)"
    ]
    if parity.lost:
        lines.append(
            f"  of {parity.lost} candles only the decision: their models were lost on a full disk"
        )
    for item in parity.mismatches[:_MOST_MISMATCHES]:
        lines.append(
            f"  {item.pair} {item.date} {item.column}: live {item.live}, history {item.expected} "
            f"- {item.cause}"
        )
    left = len(parity.mismatches) - _MOST_MISMATCHES
    return [*lines, f"  and {left} more in parity.json"] if left > 0 else lines
