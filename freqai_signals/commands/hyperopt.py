"""The subcommand ``hyperopt``: how credible the result of freqtrade's last hyperopt is."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from freqai_signals.commands.locations import add_locations, locations
from freqai_signals.terminal import print_table

if TYPE_CHECKING:
    from freqai_signals.report.hyperopt_verdict import Verdict
    from freqai_signals.settings import SignalSettings


def add_hyperopt(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add the subcommand ``hyperopt``."""
    parser = commands.add_parser(
        "hyperopt",
        help="how credible the result of the last hyperopt is",
        description="Deflated Sharpe ratio and probability of overfitting of a hyperopt.",
    )
    add_locations(parser)
    parser.add_argument("--file", type=Path, help=".fthypt file; default: the newest")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    from freqai_signals.config import settings_from_config
    from freqai_signals.report.hyperopt_verdict import (
        HyperoptMissing,
        evaluate,
        profit_before,
        read_epochs,
    )

    file: Path | None = arguments.file
    where = locations(arguments)
    if file is None:
        folder = where.userdir / "hyperopt_results"
        files = sorted(folder.glob("*.fthypt"), key=lambda file: file.stat().st_mtime)
        if not files:
            raise HyperoptMissing(f"no hyperopt results in {folder}; run one first")
        file = files[-1]
    epochs = read_epochs(file)
    verdict = evaluate(epochs)
    sys.stdout.write(f"{file}:\n{verdict}\n")
    if where.configs:
        before = profit_before(where.userdir / "backtest_results", epochs, file.stat().st_mtime)
        lines = beside_the_config(verdict, settings_from_config(where.config), before)
        print_table("Thresholds of the config, in force before, beside the best trial's", lines)
    return 0


def beside_the_config(
    verdict: "Verdict", settings: "SignalSettings", before: float | None
) -> list[dict[str, str]]:
    """The best trial's thresholds beside the config's, and their profits, as lines of a table.

    Parameters
    ----------
    verdict
        Of the hyperopt.
    settings
        Of the config.
    before
        Their profit, a fraction; None if it is not stored.
    """
    from freqai_signals.trading.thresholds import Thresholds

    profit = "not backtested over this span" if before is None else f"{before:+.1%}"
    lines = [{"threshold": "profit", "before": profit, "best trial": f"{verdict.profit:+.1%}"}]
    for name in Thresholds.LIMITS:
        if name in verdict.thresholds:
            values = Thresholds.default(settings, name), verdict.thresholds[name]
            old, new = (f"{value:.4g}" for value in values)
            lines.append({"threshold": name, "before": old, "best trial": new})
    return lines
