"""The benchmark's results as tables and as JSON."""

import dataclasses
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.quality.measures import TIERS, Estimate

Measured = Mapping[str, Any]
"""One variant: ``all`` and each pair by :func:`measures.measure_all`, ``seconds``, ``trees`` ..."""


def show(results: Mapping[str, Measured], console: Console, first: str) -> None:
    """Print all tables; differences are from the ``first`` variant."""
    for table in (probabilities(results, first), tiers(results), pairs(results)):
        console.print(table)


def probabilities(results: Mapping[str, Measured], first: str) -> Table:
    """Quality of the probabilities, returns and cost of training."""
    shares = next(iter(results.values()))["all"]["expectation"]
    columns = [
        "skill",
        f"skill − {first}",
        "Brier skill",
        "ECE",
        "direction part",
        "AUC dir",
        "AUC move",
    ]
    columns += [f"top {share}: bp" for share in shares] + ["captured (of shown)", "core s", "trees"]
    table = _table("All pairs. ± block-bootstrap standard error; bp after fees", columns)
    for name, result in results.items():
        found = result["all"]
        table.add_row(
            name,
            found["skill"].text(),
            result["difference"].text() if result["difference"] else "-",
            found["brier_skill"].text(),
            f"{found['ece']:.4f}",
            found["direction_part"].text(),
            f"{found['direction_auc']:.4f}",
            f"{found['move_auc']:.4f}",
            *(found["expectation"][share].text(1e4, 1) for share in shares),
            _share(result["captured"]["all"]) if result["captured"] else "-",
            # Of a cluster's trainings they are not known.
            f"{result['seconds']:.1f}" if math.isfinite(result["seconds"]) else "on cluster",
            f"{result['trees']:.0f}",
        )
    return table


def tiers(results: Mapping[str, Measured]) -> Table:
    """Precision by tier."""
    columns = [f"{tier}: {what}" for tier in (*TIERS, "top 2 %") for what in ("class", "direction")]
    table = _table("Precision: right (stated) of rows; direction among rows that moved", columns)
    for name, result in results.items():
        groups = [result["all"]["tiers"][tier] for tier in TIERS]
        cells = []
        for group in (*groups, result["all"]["top_2_percent"]):
            cells.append(_right(group["class_right"], group["class_stated"], group["rows"]))
            cells.append(_right(group["direction_right"], group["stated"], group["moved"]))
        table.add_row(name, *cells)
    return table


def pairs(results: Mapping[str, Measured]) -> Table:
    """Skill, ECE and direction by pair."""
    names = list(dict.fromkeys(pair for result in results.values() for pair in result["pairs"]))
    table = _table("By pair: skill / ECE / AUC of direction (share captured)", names)
    for name, result in results.items():
        cells = []
        for pair in names:
            if pair not in result["pairs"]:
                cells.append("-")
                continue
            found = result["pairs"][pair]
            cell = f"{found['skill'].value:.4f} / {found['ece']:.3f} / "
            cell += f"{found['direction_auc']:.3f}"
            cells.append(
                cell + (f" ({result['captured'][pair]['share']:.0%})" if result["captured"] else "")
            )
        table.add_row(name, *cells)
    return table


def write_json(path: Path, facts: Mapping[str, Any], results: Mapping[str, Measured]) -> None:
    """Store all results; NaN becomes null."""
    content = _plain({**facts, "variants": results})
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n")


def _share(captured: Mapping[str, float]) -> str:
    """Of the skill with the latent state known, and of the skill that candles can give."""
    return f"{captured['share']:.0%} ({captured['share_of_shown']:.0%})"


def _right(right: Estimate, stated: float, rows: int) -> str:
    if not math.isfinite(right.value):
        return "-"
    error = f"{right.error:.3f}" if math.isfinite(right.error) else "?"
    return f"{right.value:.3f}±{error} ({stated:.3f}) {rows}"


def _table(title: str, columns: list[str]) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column("")
    for column in columns:
        table.add_column(column, justify="right")
    return table


def _plain(value: Any) -> Any:
    if isinstance(value, Estimate):
        return _plain(dataclasses.asdict(value))
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
