"""Subcommand of this room: ``models``."""

import argparse
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from freqai_signals.model.card import ModelCard
    from freqai_signals.registry.registry import Registry
    from freqai_signals.registry.versions import Scope

_DAMAGED: Final = 1


def add_models(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add ``models``: look at versions and choose which one serves."""
    parser = commands.add_parser(
        "models",
        help="list, compare, roll back, pin, verify and export model versions",
        description=(
            "Looks at the versions of models and chooses which one serves. A running bot follows "
            "at its next candle. VERSION may be any part of an id that names one version only; "
            "verify takes the path of a model file or of an export too, wherever it comes from."
        ),
    )
    parser.add_argument("action", choices=sorted(_ACTIONS), help="what to do")
    parser.add_argument("version", nargs="*", metavar="VERSION", help="compare takes two")
    parser.add_argument(
        "--registry", type=Path, default=Path("user_data/signals/registry"), metavar="DIR"
    )
    parser.add_argument(
        "--key",
        type=Path,
        metavar="FILE",
        help="of signatures (default: signing.key beside the registry)",
    )
    parser.add_argument("--scope", default="", help="e.g. freqai-signals/pool, if there are many")
    parser.add_argument("--reason", default="", metavar="TEXT", help="kept in the history")
    parser.add_argument("--out", type=Path, default=Path("export"), metavar="DIR", help="of export")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    from freqai_signals.registry.registry import Registry

    if arguments.action == "verify" and arguments.version and Path(arguments.version[0]).exists():
        return _verify_path(arguments)
    if not arguments.registry.is_dir():
        raise ValueError(
            f"no registry at {arguments.registry}; a dry or live run makes it, or name one with "
            "--registry"
        )
    wanted = 2 if arguments.action == "compare" else 1
    if len(arguments.version) > wanted or (wanted == 2 and len(arguments.version) != 2):
        raise ValueError(
            f"models {arguments.action} takes {'two versions' if wanted == 2 else 'one version'}, "
            f"got {len(arguments.version)}"
        )
    key = _key(arguments.key or arguments.registry.parent / "signing.key")
    return _ACTIONS[arguments.action](Registry(arguments.registry, key=key), arguments)


def _key(path: Path) -> bytes:
    """The installation's; where there is none, one that no model is signed with."""
    import secrets

    from freqai_signals.model.signing import read_key

    return read_key(path) if path.exists() else secrets.token_bytes(32)


def _list(registry: "Registry", arguments: argparse.Namespace) -> int:
    scopes = [s for s in registry.scopes() if arguments.scope in ("", s.name)]
    if arguments.json:
        _print_json([asdict(scope) for scope in scopes])
        return 0
    for scope in scopes:
        rows = [
            {
                "version": item.version,
                "": _mark(scope, item.version),
                "data until": item.last[:16],
                "skill": f"{item.metrics.get('skill', float('nan')):+.4f}",
                "verdict": item.verdict or "-",
                "registered": item.registered[:16],
            }
            for item in scope.versions
        ]
        _print_table(scope.name, rows)
    return 0


def _show(registry: "Registry", arguments: argparse.Namespace) -> int:
    scope = _scope(registry, arguments)
    version = scope.get(_one(arguments) or scope.serving)
    model = registry.load(scope.name, version.version)
    history = [asdict(e) for e in scope.history if e.version == version.version]
    found = {**asdict(version), "history": history, "card": asdict(model.card)}
    if arguments.json:
        _print_json(found)
        return 0
    shown = {k: v for k, v in found.items() if k not in ("metrics", "libraries", "history", "card")}
    _print_table(version.version, [{"": k, "value": v} for k, v in shown.items()])
    numbers = [{"": k, "value": f"{v:.4f}"} for k, v in version.metrics.items()]
    _print_table("Purged validation", numbers)
    if model.card.ensemble:
        mixture = [{"": k, "value": v} for k, v in model.card.ensemble.items()]
        _print_table("Ensemble", mixture)
    _print_table("Feature groups", _groups(model.card))
    if model.card.selection:
        facts = model.card.selection.items()
        short = [{"": k, "value": v} for k, v in facts if k not in ("groups", "constant")]
        _print_table("Feature selection", short)
    _print_table("History", history)
    return 0


def _groups(card: "ModelCard") -> list[dict[str, Any]]:
    """What each feature group is worth: its share of gain, and of log loss where measured."""
    lost = card.selection.get("groups", {})
    measured = {name: f"{lost[name]:+.5f}" if name in lost else "-" for name in card.groups}
    return [
        {"group": name, "share of gain": f"{share:.3f}"}
        | ({"loss without its values": measured[name]} if lost else {})
        for name, share in card.groups.items()
    ]


def _compare(registry: "Registry", arguments: argparse.Namespace) -> int:
    from freqai_signals.registry.inspection import compare

    found = compare(registry, _scope(registry, arguments).name, *arguments.version)
    if arguments.json:
        _print_json(found)
        return 0
    rows = [
        {"": f"{part} {name}", found["first"]: pair[0], found["second"]: pair[1]}
        for part in ("metrics", "settings")
        for name, pair in found[part].items()
    ]
    _print_table("Differences", rows)
    rest = {k: v for k, v in found.items() if k not in ("metrics", "settings", "first", "second")}
    _print_table("Common purged rows", [{"": k, "value": v} for k, v in rest.items()])
    return 0


def _rollback(registry: "Registry", arguments: argparse.Namespace) -> int:
    scope = _scope(registry, arguments)
    found = registry.rollback(scope.name, _one(arguments), arguments.reason)
    return _say(arguments, {"scope": scope.name, "serving": found.version})


def _pin(registry: "Registry", arguments: argparse.Namespace) -> int:
    scope = _scope(registry, arguments)
    found = registry.pin(scope.name, _one(arguments), arguments.reason)
    return _say(arguments, {"scope": scope.name, "serving": found.version, "pinned": True})


def _unpin(registry: "Registry", arguments: argparse.Namespace) -> int:
    scope = _scope(registry, arguments)
    registry.unpin(scope.name, arguments.reason)
    return _say(arguments, {"scope": scope.name, "serving": scope.serving, "pinned": False})


def _verify(registry: "Registry", arguments: argparse.Namespace) -> int:
    from freqai_signals.registry.inspection import verify

    return _print_verified(verify(registry), arguments)


def _verify_path(arguments: argparse.Namespace) -> int:
    from freqai_signals.registry.inspection import verify_path

    return _print_verified(verify_path(Path(arguments.version[0])), arguments)


def _print_verified(found: list[dict[str, str]], arguments: argparse.Namespace) -> int:
    if arguments.json:
        _print_json(found)
    else:
        rows = [item | {"problem": item["problem"] or "whole"} for item in found]
        _print_table("Versions", rows)
    return _DAMAGED if any(item["problem"] for item in found) else 0


def _export(registry: "Registry", arguments: argparse.Namespace) -> int:
    from freqai_signals.registry.inspection import export

    scope = _scope(registry, arguments)
    folder = export(registry, scope.name, _one(arguments) or scope.serving, arguments.out)
    return _say(arguments, {"scope": scope.name, "folder": str(folder)})


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
    if arguments.scope:
        return registry.scope(arguments.scope)
    found = registry.scopes()
    if len(found) != 1:
        names = ", ".join(scope.name for scope in found) or "none that can be read"
        raise ValueError(f"name the scope with --scope; there are: {names}")
    return found[0]


def _one(arguments: argparse.Namespace) -> str:
    return str(arguments.version[0]) if arguments.version else ""


def _mark(scope: "Scope", version: str) -> str:
    if version != scope.serving:
        return ""
    return "serving, pinned" if scope.pinned else "serving"


def _say(arguments: argparse.Namespace, facts: Mapping[str, Any]) -> int:
    if arguments.json:
        _print_json(facts)
    else:
        _print_table("", [{"": name, "value": value} for name, value in facts.items()])
    return 0


def _print_json(found: Any) -> None:
    from rich.console import Console

    Console(soft_wrap=True).print_json(json.dumps(found, default=str))


def _print_table(title: str, rows: list[dict[str, Any]]) -> None:
    from rich.table import Table

    from freqai_signals.terminal import table_console

    table = Table(title=title, title_justify="left")
    for name in rows[0] if rows else ():
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(str(value) for value in row.values()))
    table_console().print(table if rows else f"{title}: none")
