"""The subcommand ``hyperopt``: how credible the result of freqtrade's last hyperopt is."""

import argparse
import sys
from pathlib import Path
from typing import Any

from freqai_signals.commands.locations import add_locations, locations


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
    from freqai_signals.report.hyperopt_verdict import HyperoptMissing, evaluate, read_epochs

    file: Path | None = arguments.file
    if file is None:
        folder = locations(arguments).userdir / "hyperopt_results"
        # By time of writing: a file's name begins with its strategy.
        files = sorted(folder.glob("*.fthypt"), key=lambda file: file.stat().st_mtime)
        if not files:
            raise HyperoptMissing(f"no hyperopt results in {folder}; run one first")
        file = files[-1]
    sys.stdout.write(f"{file}:\n{evaluate(read_epochs(file))}\n")
    return 0
