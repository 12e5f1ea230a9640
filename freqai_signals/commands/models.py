"""The subcommand ``models``: list versions and choose which one serves."""

import argparse
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from freqai_signals.commands.examples import with_examples
from freqai_signals.commands.locations import add_locations, locations, registry_location
from freqai_signals.commands.model_actions import MODEL_ACTIONS, MODEL_OPTIONS
from freqai_signals.terminal import (
    TableColumn,
    print_entries,
    print_json,
    print_line,
    print_table,
    utc_text,
)

if TYPE_CHECKING:
    from freqai_signals.model.card import ModelCard
    from freqai_signals.registry.registry import Registry
    from freqai_signals.registry.versions import Scope

_LISTED: Final = (
    TableColumn("version", keep_whole=True),
    TableColumn("", keep_whole=True),
    TableColumn("data until (UTC)", priority=2, keep_whole=True),
    TableColumn("skill", priority=1, is_number=True),
    TableColumn("verdict", keep_whole=True),
    TableColumn("registered (UTC)", priority=3, keep_whole=True),
)
_DAMAGED: Final = 1
_OLD_DAYS: Final = 7.0


def add_models(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add ``models``: list versions and choose which one serves."""
    parser = commands.add_parser(
        "models",
        help="list, compare, roll back, pin, verify and export model versions",
        description="Inspects the versions of models and chooses which one serves. A running bot "
        "follows at its next candle. VERSION may be any part of an id that one version only has.",
        epilog="freqai-signals models ACTION --help shows an action's options and examples",
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    for name, (text, versions, options) in MODEL_ACTIONS.items():
        described = f"{text[0].upper()}{text[1:]}."
        action = actions.add_parser(name, help=text, description=described)
        if versions:
            action.add_argument("version", nargs="*", metavar=versions[0], help=versions[1])
        else:
            action.set_defaults(version=[])
        for option in options:
            action.add_argument(f"--{option}", **MODEL_OPTIONS[option])
        add_locations(action)
        for option in ("registry", "key", "scope", "json"):
            action.add_argument(f"--{option}", **MODEL_OPTIONS[option])
        with_examples(action, f"models {name}")
    parser.set_defaults(run=_run, reason="", out=Path("export"))


def _run(arguments: argparse.Namespace) -> int:
    from freqai_signals.registry.registry import Registry

    # Before any registry is opened: a file from elsewhere needs none.
    if arguments.action == "verify" and arguments.version and Path(arguments.version[0]).exists():
        return _verify_path(arguments)
    where = locations(arguments)
    folder = registry_location(where, arguments.registry)
    if not folder.is_dir():
        raise ValueError(
            f"no registry at {folder}; a dry or live run creates it, or name one with --registry"
        )
    wanted = 2 if arguments.action == "compare" else 1
    if len(arguments.version) > wanted or (wanted == 2 and len(arguments.version) != 2):
        raise ValueError(
            f"models {arguments.action} takes {'two versions' if wanted == 2 else 'one version'}, "
            f"got {len(arguments.version)}"
        )
    # A registry that is named is taken for one of an installation, whose key lies beside it.
    beside = folder.parent if arguments.registry else where.userdir / "signals"
    key = _key(arguments.key or beside / "signing.key")
    return _ACTIONS[arguments.action](Registry(folder, key=key), arguments)


def _key(path: Path) -> bytes:
    """The installation's; where there is none, one that no model is signed with."""
    import secrets

    from freqai_signals.model.signing import read_key

    # With a key of chance every file counts as foreign and is tried out first.
    return read_key(path) if path.exists() else secrets.token_bytes(32)


def _list(registry: "Registry", arguments: argparse.Namespace) -> int:
    scopes = [_scope(registry, arguments)] if arguments.scope else registry.scopes()
    if arguments.json:
        print_json([asdict(scope) for scope in scopes])
        return 0
    for scope in scopes:
        rows = [
            {
                "version": item.version,
                "": _mark(scope, item.version),
                "data until (UTC)": utc_text(item.last)[:16],
                "skill": f"{item.metrics.get('skill', float('nan')):+.4f}",
                "verdict": item.verdict or "-",
                "registered (UTC)": utc_text(item.registered)[:16],
            }
            for item in scope.versions
        ]
        print_table(scope.name, rows, columns=_LISTED)
    return 0


def _show(registry: "Registry", arguments: argparse.Namespace) -> int:
    scope = _scope(registry, arguments)
    version = scope.get(_one(arguments) or scope.serving)
    model = registry.load(scope.name, version.version)
    history = [asdict(e) for e in scope.history if e.version == version.version]
    found = {**asdict(version), "history": history, "card": asdict(model.card)}
    if arguments.json:
        print_json(found)
        return 0
    times = {name: utc_text(getattr(version, name)) for name in ("registered", "first", "last")}
    apart = ("metrics", "libraries", "history", "card")
    shown = {k: times.get(k, v) for k, v in found.items() if k not in apart}
    print_entries(version.version, list(shown.items()))
    numbers = [
        {"": k, "value": f"{v:,.0f}" if k == "rows" else f"{v:.4f}"}
        for k, v in version.metrics.items()
    ]
    print_table("Purged validation", numbers)
    print_table("Feature groups", _groups(model.card))
    if model.card.selection:
        facts = [{"": k, "value": v} for k, v in model.card.selection.items()]
        print_table("Feature selection", facts)
    events = [
        (utc_text(e["at"]), "; ".join(filter(None, (e["action"], e["reason"])))) for e in history
    ]
    print_entries("History", events)
    return 0


def _groups(card: "ModelCard") -> list[dict[str, Any]]:
    """Share of the trees' gain by feature group."""
    return [{"group": name, "share of gain": f"{v:.3f}"} for name, v in card.groups.items()]


def _compare(registry: "Registry", arguments: argparse.Namespace) -> int:
    from freqai_signals.registry.inspection import compare

    found = compare(registry, _scope(registry, arguments).name, *arguments.version)
    if arguments.json:
        print_json(found)
        return 0
    rows = [
        {"": f"{part} {name}", found["first"]: pair[0], found["second"]: pair[1]}
        for part in ("metrics", "settings")
        for name, pair in found[part].items()
    ]
    print_table("Differences", rows)
    rest = {k: v for k, v in found.items() if k not in ("metrics", "settings", "first", "second")}
    print_table("Common purged rows", [{"": k, "value": v} for k, v in rest.items()])
    return 0


def _rollback(registry: "Registry", arguments: argparse.Namespace) -> int:
    # As it was before the change, for the report of what was replaced.
    scope = _scope(registry, arguments)
    found = registry.rollback(scope.name, _one(arguments), arguments.reason)
    facts = {"scope": scope.name, "was": scope.serving, "serving": found.version}
    age = (datetime.now(UTC) - datetime.fromisoformat(found.last)).days if found.last else 0
    facts["warning"] = f"its data ends {age} days ago" if age > _OLD_DAYS else ""
    return _report(arguments, facts, _was_now(facts))


def _pin(registry: "Registry", arguments: argparse.Namespace) -> int:
    scope = _scope(registry, arguments)
    version = _one(arguments)
    if not version and not arguments.json and sys.stdin.isatty():
        version = _asked(registry, arguments, scope)
    if not version:
        advice = f"; {scope.serving} serves now" if scope.serving else ""
        raise ValueError(
            f"models pin needs a VERSION{advice}; `freqai-signals models list` shows all"
        )
    found = registry.pin(scope.name, version, arguments.reason)
    facts = {"scope": scope.name, "was": scope.serving, "serving": found.version, "pinned": True}
    return _report(arguments, facts, f"{_was_now(facts)}, pinned")


def _asked(registry: "Registry", arguments: argparse.Namespace, scope: "Scope") -> str:
    """A version that is typed in; empty where the input ends."""
    from rich.prompt import Prompt

    _list(registry, arguments)
    versions = [item.version for item in scope.versions]
    try:
        return Prompt.ask(
            "Version that serves until `unpin`", choices=versions, show_choices=False,
            default=scope.serving or None,
        ) or ""  # fmt: skip
    except EOFError:
        return ""


def _unpin(registry: "Registry", arguments: argparse.Namespace) -> int:
    scope = _scope(registry, arguments)
    registry.unpin(scope.name, arguments.reason)
    facts = {"scope": scope.name, "serving": scope.serving, "pinned": False}
    text = f"{scope.name}: not pinned any more; the next accepted model serves"
    return _report(arguments, facts, text)


def _verify(registry: "Registry", arguments: argparse.Namespace) -> int:
    from freqai_signals.registry.inspection import verify

    return _print_verified(verify(registry), arguments)


def _verify_path(arguments: argparse.Namespace) -> int:
    from freqai_signals.registry.inspection import verify_path

    return _print_verified(verify_path(Path(arguments.version[0])), arguments)


def _print_verified(found: list[dict[str, str]], arguments: argparse.Namespace) -> int:
    if arguments.json:
        print_json(found)
    else:
        rows = [item | {"problem": item["problem"] or "intact"} for item in found]
        print_table("Versions", rows)
    return _DAMAGED if any(item["problem"] for item in found) else 0


def _export(registry: "Registry", arguments: argparse.Namespace) -> int:
    from freqai_signals.registry.inspection import export

    scope = _scope(registry, arguments)
    folder = export(registry, scope.name, _one(arguments) or scope.serving, arguments.out)
    facts = {"scope": scope.name, "folder": str(folder)}
    return _report(arguments, facts, f"{scope.name}: exported to {folder}")


_ACTIONS: Final[Mapping[str, Callable[["Registry", argparse.Namespace], int]]] = {
    "list": _list,
    "show": _show,
    "compare": _compare,
    "rollback": _rollback,
    "pin": _pin,
    "unpin": _unpin,
    "verify": _verify,
    "export": _export,
}


def _scope(registry: "Registry", arguments: argparse.Namespace) -> "Scope":
    known = {scope.name: scope for scope in registry.scopes()}
    names = ", ".join(known) or "none that can be read"
    if arguments.scope and arguments.scope not in known:
        # The reason, if it is there but damaged.
        registry.scope(arguments.scope)
        raise ValueError(f"no scope {arguments.scope!r}; there are: {names}")
    if not arguments.scope and len(known) != 1:
        raise ValueError(f"name the scope with --scope; there are: {names}")
    return known[arguments.scope or next(iter(known))]


def _one(arguments: argparse.Namespace) -> str:
    return str(arguments.version[0]) if arguments.version else ""


def _mark(scope: "Scope", version: str) -> str:
    if version != scope.serving:
        return ""
    return "serving, pinned" if scope.pinned else "serving"


def _was_now(facts: Mapping[str, Any]) -> str:
    warning = f"\nWarning: {facts['warning']}" if facts.get("warning") else ""
    return f"{facts['scope']}: was {facts['was'] or 'none'}, now {facts['serving']}{warning}"


def _report(arguments: argparse.Namespace, facts: Mapping[str, Any], text: str) -> int:
    if arguments.json:
        print_json(facts)
    else:
        print_line(text)
    return 0
