"""The state of the bots on one screen, and everything else on request."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from freqai_signals.ledger.live_quality import LiveQuality
from freqai_signals.live.status.problems import Severity
from freqai_signals.terminal import TableColumn, print_entries, print_line, print_table

_FEW_PAIRS: Final = 8

_PAIRS: Final = (
    TableColumn("pair", keep_whole=True),
    TableColumn("level", keep_whole=True),
    TableColumn("cause"),
    TableColumn("what follows"),
    TableColumn("since (UTC)", priority=2, keep_whole=True),
    TableColumn("bot", priority=3),
)
_PROBLEMS: Final = (
    TableColumn("severity", keep_whole=True),
    TableColumn("about"),
    TableColumn("what"),
    TableColumn("what to do", priority=1),
)


def print_screen(found: Mapping[str, Any]) -> None:
    """Print what an operator needs first: life, model, pairs, problems, newest events."""
    for bot in found["bots"]:
        print_line(f"{bot['name']}: {bot['sentence']}")
        print_line(f"  decided   {bot['decided'] or 'nothing yet'}, {bot['pairs']} pairs")
        print_line(f"  training  {bot['training']}")
    for scope in found["serving"]:
        print_line(f"{scope['scope']}: {scope['version'] or 'no model'} serves{scope['pin']}")
        if scope["version"]:
            print_line(f"  data      until {scope['data_until']}, trained {scope['age']} ago")
            print_line(f"  hold-out  {scope['holdout']}")
    print_line(f"live skill, last {found['days']:g} days: {found['skill_text']}")
    print_line(f"newest candle in the ledger: {found['newest_candle'] or 'none'} UTC")
    _print_pairs(found["health"])
    problems = [item | {"what to do": item["remedy"]} for item in found["problems"]]
    print_table("Open problems", problems, columns=_PROBLEMS)
    print_entries("Newest events (UTC)", [_event(item) for item in found["history"]])


def print_details(found: Mapping[str, Any]) -> None:
    """Print the tables behind the screen: signals, live quality, decisions, roots, files."""
    print_table(
        "Signals since the ledger began",
        [{key: _text(value) for key, value in item.items()} for item in found["signals"]],
    )
    for name, group in found["quality"].items():
        lines = [_line(item) for item in group if item["rows"]]
        print_table(f"Live quality by {name}, last {found['days']:g} days", lines)
    rolling = [{key: _text(value) for key, value in item.items()} for item in found["rolling"]]
    print_table("Live quality over time, of 500 scored rows each", rolling)
    recorded = [{"rows": kind, "number": count} for kind, count in found["rows"].items()]
    print_table("Recorded candles (only live ones are scored)", recorded)
    decisions = [
        {key: row[key] for key in ("scope", "challenger", "verdict", "reason")}
        for row in found["decisions"]
    ]
    print_table("Newest model decisions", decisions)
    print_table("Daily roots of the ledger, the newest of each bot", found["roots"])
    if found["ledger_files"]:
        print_table("Beside the ledger: damaged, or not written yet", found["ledger_files"])


def print_check(found: Mapping[str, Any]) -> int:
    """One line for a monitor, then a line a problem; the exit status: 0, 1 or 2.

    As in Nagios and its kin: 0 well, 1 warning, 2 critical.
    """
    problems = found["problems"]
    worst = max((Severity[item["severity"].upper()] for item in problems), default=Severity.FINE)
    lives = "; ".join(f"{bot['name']} {bot['sentence']}" for bot in found["bots"])
    number = f"{len(problems)} open problem{'s' * (len(problems) != 1)}"
    print_line(f"{'OK' if not worst else worst.name}: {number}; {lives or 'no bot is known'}")
    for item in problems:
        remedy = f" ({item['remedy']})" if item["remedy"] else ""
        print_line(f"{item['severity']}: {item['about']}: {item['what']}{remedy}")
    return int(worst)


def _print_pairs(health: Sequence[Mapping[str, str]]) -> None:
    """All pairs if they are few, else those whose level is not ok."""
    few = len(health) <= _FEW_PAIRS
    shown = [item for item in health if few or item["level"] != "ok"]
    rows = [
        {**item, "what follows": item["what_follows"], "since (UTC)": item["since"]}
        for item in shown
    ]
    print_table("Pairs", rows, columns=_PAIRS)
    if len(shown) < len(health):
        print_line(f"and {len(health) - len(shown)} pairs at level ok")


def _event(item: Mapping[str, str]) -> tuple[str, str]:
    why = f"; {item['why']}" if item["why"] else ""
    return item["time"], f"{item['about']}: {item['what']}{why}"


def _line(item: Mapping[str, Any]) -> dict[str, str]:
    shown = LiveQuality.__dataclass_fields__.keys() - {"precision", "signals"}
    line = {key: _text(value) for key, value in item.items() if key in shown}
    tiers = [
        f"{name} {_text(value)} of {item['signals'][name]}"
        for name, value in item["precision"].items()
        if item["signals"][name]
    ]
    return line | {"precision": ", ".join(tiers) or "-"}


def _text(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.4f}" if isinstance(value, float) else str(value)
