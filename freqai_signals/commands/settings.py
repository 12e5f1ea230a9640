"""The subcommand ``settings``: every key with its meaning, default and limits."""

import argparse
import sys
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from freqai_signals.commands.locations import add_locations, locations
from freqai_signals.config import key_path, settings_from_config
from freqai_signals.settings import SignalSettings
from freqai_signals.settings.key_reference import FREQTRADE, Key, all_keys, find_keys, shown
from freqai_signals.terminal import table_console

_RULE: Final = "| --- | --- | --- | --- | --- |"


def add_settings(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add the subcommand ``settings``."""
    parser = commands.add_parser(
        "settings", help="every settings key: what it does, its unit, default and limits"
    )
    parser.add_argument(
        "key", nargs="?", metavar="KEY",
        help="a section or key, for example decision, labels.k or refit",
    )  # fmt: skip
    parser.add_argument(
        "--markdown", action="store_true", help="print the reference that docs/settings.md holds"
    )
    add_locations(parser)
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    if arguments.markdown:
        sys.stdout.write(markdown(all_keys()))
        return 0
    keys = find_keys(arguments.key) if arguments.key else list(all_keys())
    own: SignalSettings | None = None
    if arguments.config or arguments.userdir:
        own = settings_from_config(locations(arguments).config)
    console = table_console(width=120)
    if arguments.key and arguments.key not in {key.section for key in keys}:
        for key in keys:
            _print_key(console, key, own)
        return 0
    for section, found in groupby(keys, lambda key: key.section):
        _print_section(console, section, list(found), own)
    return 0


def _print_key(console: Console, key: Key, own: SignalSettings | None) -> None:
    """One key, a fact a line."""
    console.print(f"[bold]{key.path}[/bold]", highlight=False)
    console.print(f"  {key.description}", highlight=False, markup=False)
    facts = {"unit": key.unit, "default": key.default, "allowed": key.allowed}
    facts |= {"config": _of_config(key, own), "affects": key.affects}
    for name, value in facts.items():
        if value:
            console.print(f"  {name:8} {value}", highlight=False, markup=False)


def _print_section(
    console: Console, section: str, keys: Sequence[Key], own: SignalSettings | None
) -> None:
    """One section as a table; with what a config makes of it, where one is given."""
    title = _title(section)
    table = Table(title=title, title_justify="left", title_style="bold")
    for column in ("key", "default", *(["config"] if own is not None else []), "allowed", "unit"):
        table.add_column(column, overflow="fold")
    for key in keys:
        config = [_of_config(key, own)] if own is not None else []
        table.add_row(_relative(key), key.default, *config, key.allowed, key.unit)
    console.print(table)


def _of_config(key: Key, own: SignalSettings | None) -> str:
    if own is None:
        return ""
    holder = own if key.section == FREQTRADE else getattr(own, key.section)
    return shown(getattr(holder, key.name))


def _title(section: str) -> str:
    return "Keys of freqtrade and FreqAI" if section == FREQTRADE else key_path(section)


def _relative(key: Key) -> str:
    return key.path if key.section == FREQTRADE else key.name


def markdown(keys: Iterable[Key]) -> str:
    """The reference of all keys as a document."""
    lines = [
        "# Settings",
        "",
        "Written by `freqai-signals settings --markdown > docs/settings.md`; `freqai-signals "
        "settings KEY` prints one key,",
        "with `--config` also what your config makes of it. A key that a config does not hold has "
        "its default.",
    ]
    classes = SignalSettings.sections()
    for section, found in groupby(keys, lambda key: key.section):
        rows = list(found)
        lines += ["", f"## {_title(section)}", ""]
        if section in classes:
            summary = (classes[section].__doc__ or "").split("\n\n")[0]
            lines += [f"{' '.join(summary.split())} It affects {rows[0].affects}.", ""]
        lines += ["| key | what it does | unit | default | allowed |", _RULE, *map(_row, rows)]
    return "\n".join(lines) + "\n"


def _row(key: Key) -> str:
    cells = (f"`{_relative(key)}`", key.description, key.unit, f"`{key.default}`", key.allowed)
    return f"| {' | '.join(cells)} |"
