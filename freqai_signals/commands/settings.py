"""The subcommand ``settings``: every key with its default and limits, section by section."""

import argparse
from collections.abc import Iterator, Mapping
from inspect import cleandoc
from typing import Any, Final

from pydantic import BaseModel
from rich.console import Console
from rich.table import Table

from freqai_signals.commands.locations import add_locations, locations
from freqai_signals.config import key_path, settings_from_config
from freqai_signals.settings import SignalSettings
from freqai_signals.terminal import table_console

_NAMES: Final = {
    "number": "number", "integer": "whole number", "boolean": "true or false", "null": "null",
}  # fmt: skip
_LIMITS: Final = {
    "minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<",
}  # fmt: skip


def add_settings(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add the subcommand ``settings``."""
    parser = commands.add_parser("settings", help="every settings key, its default and its limits")
    parser.add_argument("section", nargs="?", help="only this one, for example decision")
    add_locations(parser)
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    sections = dict(_sections())
    if arguments.section not in (None, *sections):
        raise ValueError(f"no section {arguments.section!r}; there are {', '.join(sections)}")
    own: SignalSettings | None = None
    if arguments.config or arguments.userdir:
        own = settings_from_config(locations(arguments).config)
    console = table_console(width=120)
    for name, section in sections.items():
        if arguments.section in (None, name):
            _print(console, name, section, getattr(own, name, None))
    return 0


def _sections() -> Iterator[tuple[str, BaseModel]]:
    """Name and defaults of each section, and of the keys that have none."""
    shipped = SignalSettings()
    for name in SignalSettings.model_fields:
        value = getattr(shipped, name)
        if isinstance(value, BaseModel):
            yield name, value


def _print(console: Console, name: str, section: BaseModel, own: BaseModel | None) -> None:
    """One section as a table; with what a config makes of it, where one is given."""
    table = Table(title=key_path(name), title_justify="left", title_style="bold")
    for column in ("key", "default", *(["config"] if own is not None else []), "allowed"):
        table.add_column(column, overflow="fold")
    for key, schema in type(section).model_json_schema()["properties"].items():
        values = [getattr(given, key) for given in (section, own) if given is not None]
        table.add_row(key, *map(_shown, values), allowed(schema))
    console.print(table)
    console.print(cleandoc(type(section).__doc__ or ""), style="dim", highlight=False)


def allowed(schema: Mapping[str, Any]) -> str:
    """Allowed values of a key, in words.

    Parameters
    ----------
    schema
        The key's part of its section's JSON schema.

    Examples
    --------
    >>> from freqai_signals.settings import LabelSettings
    >>> keys = LabelSettings.model_json_schema()["properties"]
    >>> allowed(keys["k"]), allowed(keys["kind"])
    ('number > 0, <= 100', 'fixed, volatility or triple_barrier')
    """
    if "anyOf" in schema:
        return " or ".join(allowed(option) for option in schema["anyOf"])
    if "enum" in schema:
        *first, last = map(str, schema["enum"])
        return f"{', '.join(first)} or {last}"
    if schema.get("type") == "array":
        return f"list of: {allowed(schema.get('items', {}))}"
    limits = [f"{sign} {schema[key]:g}" for key, sign in _LIMITS.items() if key in schema]
    return " ".join([_NAMES.get(str(schema.get("type")), "text"), ", ".join(limits)]).strip()


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "[]"
    return "null" if value is None else str(value)
