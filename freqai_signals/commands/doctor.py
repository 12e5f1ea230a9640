"""The subcommand ``doctor``: what installation, config and data lack, before a long run."""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from freqai_signals.commands.locations import add_locations, config_paths

if TYPE_CHECKING:
    from freqai_signals.preflight.findings import Finding

_STYLES: Final = {"ok": "green", "warning": "yellow", "error": "bold red"}


def add_doctor(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add the subcommand ``doctor``."""
    parser = commands.add_parser(
        "doctor",
        help="look at installation, config and data before a backtest or a bot starts",
        description=(
            "Says what is wrong, why it matters and how to put it right, without a network. With "
            "--timerange for a backtest, else for a bot. Exit status: 0 all is well, 1 warnings, "
            "2 errors; with an error, freqtrade would refuse to start too."
        ),
    )
    add_locations(parser)
    parser.add_argument("--strategy", metavar="NAME", help="class of the strategy")
    parser.add_argument("--timerange", metavar="START-END", help="of a backtest")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    # Here, since freqtrade and its libraries take seconds to import.
    from freqai_signals.plugin.user_setup import read_user_config, user_situation
    from freqai_signals.preflight.check_lists import DOCTOR_CHECKS, guarded
    from freqai_signals.preflight.findings import exit_status
    from freqai_signals.preflight.installation_checks import INSTALLATION_CHECKS

    files, userdir = config_paths(arguments), arguments.userdir or Path("user_data")
    config, problems = read_user_config(files, userdir, arguments.timerange)
    purpose = "backtest" if arguments.timerange else "trade"
    situation = user_situation(config, arguments.strategy, purpose)
    # Without a config there is nothing else to look at.
    checks = DOCTOR_CHECKS if "exchange" in config else INSTALLATION_CHECKS
    found = [("config", finding) for finding in problems] + list(guarded(situation, checks))
    status = exit_status(finding for _, finding in found)
    if arguments.json:
        _print_json(found, status)
    else:
        _print(found, ", ".join(map(str, files)))
    return status


def _print_json(found: Sequence[tuple[str, "Finding"]], status: int) -> None:
    from rich.console import Console

    content = {
        "status": status,
        "findings": [{"check": name, **asdict(finding)} for name, finding in found],
    }
    Console(soft_wrap=True).print_json(json.dumps(content))


def _print(found: Sequence[tuple[str, "Finding"]], files: str) -> None:
    from rich.text import Text

    from freqai_signals.terminal import table_console

    console = table_console()
    console.print(Text(f"Looked at: {files or 'no config'}", style="dim"))
    for _, finding in found:
        head = Text(f"{finding.level:<8}", style=_STYLES[finding.level])
        console.print(head + Text(finding.what))
        for mark, text in (("why", finding.why), ("fix", finding.fix)):
            if text:
                console.print(Text(f"{'':8}{mark}: {text}", style="dim" if mark == "why" else ""))
    counts = {level: sum(f.level == level for _, f in found) for level in _STYLES}
    console.print(Text(", ".join(f"{count} {level}" for level, count in counts.items())))
