"""The subcommand ``hyperopt``: how credible the result of freqtrade's last hyperopt is."""

import argparse
import sys
from pathlib import Path
from typing import Any


def add_hyperopt(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add the subcommand ``hyperopt``."""
    parser = commands.add_parser(
        "hyperopt",
        help="how credible the result of the last hyperopt is",
        description="Deflated Sharpe ratio and probability of overfitting of a hyperopt.",
    )
    parser.add_argument("--userdir", type=Path, default=Path("user_data"))
    parser.add_argument("--file", type=Path, help=".fthypt file; default: the newest")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    from freqai_signals.report.hyperopt_verdict import HyperoptMissing, judge, read_epochs

    folder = arguments.userdir / "hyperopt_results"
    files = sorted(folder.glob("*.fthypt"), key=lambda file: file.stat().st_mtime)
    if arguments.file is None and not files:
        raise HyperoptMissing(f"no hyperopt results in {folder}; run `make hyperopt` first")
    file = arguments.file or files[-1]
    sys.stdout.write(f"{file}:\n{judge(read_epochs(file))}\n")
    return 0
