"""The members of all generations as text and arrays, for a file without pickle."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any, Final

from numpy.typing import NDArray

from freqai_signals.model import booster
from freqai_signals.model.ensemble import Generation, Head, LinearHead, Members
from freqai_signals.model.votes import Ballot, Vote

_LINEAR: Final = tuple(item.name for item in fields(LinearHead))


def description(generations: Sequence[Generation]) -> list[dict[str, Any]]:
    """What is needed to find the parts of each generation again."""
    return [
        {
            "serving": _described(one.serving),
            "stopped": _described(one.stopped) if one.stopped else None,
            # Without a refit both are the same members, which are stored once.
            "same": one.stopped is one.serving,
            "stopped_until": one.stopped_until,
        }
        for one in generations
    ]


def describe_votes(ballot: Ballot | None) -> list[dict[str, Any]]:
    """The same of a label ensemble."""
    return [_described(vote.members) for vote in ballot.votes] if ballot else []


def texts(generations: Sequence[Generation], ballot: Ballot | None) -> dict[str, bytes]:
    """LightGBM's text of every booster by file name."""
    return {
        f"booster_{name}_{i}_{j}.txt": booster.to_text(fitted).encode()
        for name, members in _stored(generations, ballot)
        for i, head in enumerate(members.heads)
        for j, fitted in enumerate(head.boosters)
    }


def to_arrays(generations: Sequence[Generation], ballot: Ballot | None) -> dict[str, NDArray[Any]]:
    """Every linear model's numbers, and the quantiles of votes and score, by name."""
    found: dict[str, NDArray[Any]] = {
        f"linear_{name}_{part}": getattr(members.linear, part)
        for name, members in _stored(generations, ballot)
        if members.linear is not None
        for part in _LINEAR
    }
    if ballot is not None:
        found["score_sizes"] = ballot.sizes
        found |= {f"leaning_{place}": vote.leaning for place, vote in enumerate(ballot.votes)}
    return found


def build(
    described: Sequence[Mapping[str, Any]],
    arrays: Mapping[str, NDArray[Any]],
    files: Mapping[str, bytes],
) -> tuple[Generation, ...]:
    """Read what the three functions above wrote."""
    built = []
    for age, item in enumerate(described):
        serving = _members(f"{age}", item["serving"], arrays, files)
        stopped = None
        if item["same"]:
            stopped = serving
        elif item["stopped"] is not None:
            stopped = _members(f"{age}s", item["stopped"], arrays, files)
        built.append(Generation(serving, stopped, item["stopped_until"]))
    return tuple(built)


def build_ballot(
    described: Sequence[Mapping[str, Any]],
    arrays: Mapping[str, NDArray[Any]],
    files: Mapping[str, bytes],
) -> Ballot | None:
    """The label ensemble, None if there was none."""
    if not described:
        return None
    votes = tuple(
        Vote(_members(f"v{place}", item, arrays, files), arrays[f"leaning_{place}"])
        for place, item in enumerate(described)
    )
    return Ballot(votes, arrays["score_sizes"])


def _stored(
    generations: Sequence[Generation], ballot: Ballot | None
) -> Iterator[tuple[str, Members]]:
    for place, vote in enumerate(ballot.votes if ballot else ()):
        yield f"v{place}", vote.members
    for age, one in enumerate(generations):
        yield f"{age}", one.serving
        if one.stopped is not None and one.stopped is not one.serving:
            yield f"{age}s", one.stopped


def _described(members: Members) -> dict[str, Any]:
    return {
        "heads": [head.kind for head in members.heads],
        "linear_weight": members.linear_weight if members.linear is not None else None,
    }


def _members(
    name: str,
    described: Mapping[str, Any],
    arrays: Mapping[str, NDArray[Any]],
    files: Mapping[str, bytes],
) -> Members:
    heads = tuple(
        Head(
            kind,
            tuple(
                booster.from_text(files[f"booster_{name}_{i}_{j}.txt"].decode())
                for j in range(1 if kind == "multiclass" else 2)
            ),
        )
        for i, kind in enumerate(described["heads"])
    )
    share = described["linear_weight"]
    if share is None:
        return Members(heads)
    return Members(heads, LinearHead(*(arrays[f"linear_{name}_{p}"] for p in _LINEAR)), share)
