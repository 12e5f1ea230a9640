"""The model card: data, settings, metrics and provenance of a model."""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from typing import Any, Final

from pydantic import TypeAdapter

_VERSION: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")


def checked_version(version: object) -> str:
    """A version's id, which names files and rows of the ledger; ValueError for anything else.

    Examples
    --------
    >>> checked_version("20240305T0000-1a2b3c4d5e")
    '20240305T0000-1a2b3c4d5e'
    """
    if not isinstance(version, str) or not _VERSION.fullmatch(version):
        raise ValueError(
            f"version {str(version)[:80]!r}; an id has up to 64 letters, digits, dots and dashes"
        )
    return version


@dataclass(frozen=True)
class ModelCard:
    """Metadata of one model, stored as JSON.

    Attributes
    ----------
    version
        Identifies the model: end of its data and the first digits of ``key``.
    key
        SHA-256 of everything that training depends on.
    pairs
        Full names of the pairs that it was trained on.
    first, last
        ISO dates (UTC) of the first and last training candle; empty if there was none.
    rows
        Training rows of the final boosters.
    class_counts
        Rows per class: ``sell``, ``hold``, ``buy``.
    settings
        The settings that affect the model.
    metrics
        ``train`` and ``validation`` (of the boosters that were not trained on the hold-out).
    rounds
        Boosting rounds of each booster.
    features
        Number of features and ``features_digest`` of their names in order.
    libraries
        Versions of the libraries used.
    parent
        Version of the previous model, whose calibration history it continues.
    tuned
        Name of the tuning record with its parameters; empty for those of the config.
    reason
        Why there is no trained model; empty if there is one.
    warnings
        What training warned of, for example that skill over climatology is not shown.
    notes
        For example validation accuracy below its limit.
    groups
        Share of the boosters' total gain by feature group.
    selection
        Result of feature selection, if enabled; see ``training.feature_selection``.
    gate
        Verdict, reason and evidence of the gate, if it was applied; see ``registry.gate``.
    """

    version: str
    key: str = ""
    pairs: tuple[str, ...] = ()
    first: str = ""
    last: str = ""
    rows: int = 0
    class_counts: Mapping[str, int] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    rounds: Mapping[str, int] = field(default_factory=dict)
    features: int = 0
    features_digest: str = ""
    libraries: Mapping[str, str] = field(default_factory=dict)
    parent: str = ""
    tuned: str = ""
    reason: str = ""
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    groups: Mapping[str, float] = field(default_factory=dict)
    selection: Mapping[str, Any] = field(default_factory=dict)
    gate: Mapping[str, Any] = field(default_factory=dict)

    @property
    def refused(self) -> bool:
        """Whether the gate was applied and refused the model."""
        return str(self.gate.get("verdict", "")).startswith("refuse")

    def to_json(self) -> str:
        """The card as indented JSON."""
        return json.dumps(asdict(self), indent=1, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "ModelCard":
        """Read what :meth:`to_json` wrote.

        Raises
        ------
        ValueError, TypeError
            For an unknown key, a value of another type, or an id that could not name a file.
        """
        values = json.loads(text)
        # JSON has no tuples.
        for name in ("pairs", "warnings", "notes"):
            values[name] = tuple(values.get(name, ()))
        # Only checked: what pydantic returns would write 1.0 where a 1 was.
        _types().validate_json(text, strict=True)
        checked_version(values["version"])
        return cls(**values)


@cache
def _types() -> TypeAdapter[ModelCard]:
    return TypeAdapter(ModelCard)
