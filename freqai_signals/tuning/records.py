"""Stored results of tuning with their evidence, and when they apply."""

import hashlib
import json
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from freqai_signals.dataset.rows import TrainingRows
from freqai_signals.files import write_atomically
from freqai_signals.provenance import digest
from freqai_signals.settings import SignalSettings
from freqai_signals.training.request import Request
from freqai_signals.tuning.search_space import RANGES, Parameters

logger = logging.getLogger(__name__)

FORMAT: Final = 1


@dataclass(frozen=True)
class TuningRecord:
    """Tuned parameters of a pair or a pool, with their evidence.

    Attributes
    ----------
    identifier
        FreqAI's.
    pool
        Full names of the pairs that a model is trained for, sorted; one for a pair's own model.
    known_until
        Close of the last candle that anything in it depends on, seconds since 1970. A training
        window that ends earlier must not use it.
    beats_default
        Whether the tuned parameters gained on rows that did not choose them; else the default is
        kept.
    parameters, default
        Setting path to value: the best found, and those of the config.
    basis
        Where it applies: digest of each group of settings, of the features' names and the pool.
    evidence
        Trials, scores on the purged folds, and the paired test, by name; losses in nats.
    code
        Digest of the package's code and versions of the libraries; stored, not compared.
    made
        ISO time (UTC) of the wall clock.
    """

    identifier: str
    pool: tuple[str, ...]
    known_until: int
    beats_default: bool
    parameters: Parameters
    default: Parameters
    basis: Mapping[str, str]
    evidence: Mapping[str, float] = field(default_factory=dict)
    code: Mapping[str, str] = field(default_factory=dict)
    made: str = ""

    @property
    def name(self) -> str:
        """Short name for logs and model cards: end of its candles, and a digest of its content."""
        content = digest([self.pool, dict(self.parameters), self.beats_default])
        return f"{_stamp(self.known_until)}-{content[:10]}"

    def why_not(self, basis: Mapping[str, str], until: int, stale_days: float) -> str:
        """Reason not to use it for a training window; empty if it may be used.

        Parameters
        ----------
        basis
            Of the window, from :func:`basis_of`.
        until
            End of the window, seconds since 1970.
        stale_days
            Greatest age.
        """
        # Otherwise a backtest would train with parameters that later candles chose.
        if self.known_until > until:
            return f"it depends on candles up to {_shown(self.known_until)}, after the window's end"
        age = (until - self.known_until) / 86400
        if age > stale_days:
            return f"it is {age:.0f} days old, stale after {stale_days:g}"
        # A part that only one of them has counts as changed.
        parts = self.basis.keys() | basis.keys()
        changed = sorted(name for name in parts if self.basis.get(name) != basis.get(name))
        return f"changed since: {', '.join(changed)}" if changed else ""

    def to_json(self) -> str:
        """Indented JSON."""
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=1, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "TuningRecord":
        """Read what :meth:`to_json` wrote.

        Raises
        ------
        ValueError
            If the text is not such a record.
        """
        try:
            values = json.loads(text)
            if values.pop("format") != FORMAT:
                raise ValueError("it has another format; run tune again")
            values["pool"] = tuple(values["pool"])
            record = cls(**values)
            # Another version may tune others.
            if not set(record.parameters) <= set(RANGES):
                raise ValueError("it contains unknown parameters")
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not a tuning record ({error})") from error
        return record


def basis_of(pool: Sequence[str], rows: TrainingRows, settings: SignalSettings) -> dict[str, str]:
    """Digests of what parameters apply to: settings that shape a model, features, pool."""
    shaping = Request(rows, settings).model_settings()
    # Parameters are judged by probabilities, which no exit changes.
    shaping.pop("exits")
    return {
        **{f"setting {name}": digest(value) for name, value in shaping.items()},
        "setting features": digest(settings.features.model_dump(mode="json")),
        "feature names": digest(list(rows.names)),
        "pool": digest(list(pool)),
    }


class TuningRecords:
    """Records as files, one for each pool and end of its candles.

    Parameters
    ----------
    folder
        ``signals/tuning`` in the user's data folder.
    identifier
        FreqAI's.
    """

    def __init__(self, folder: Path, identifier: str) -> None:
        self.folder = folder / identifier
        self.identifier = identifier

    def write(self, record: TuningRecord) -> Path:
        """Store a record atomically; one of the same pool and end is replaced."""
        path = self._of(record.pool) / f"{_stamp(record.known_until)}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, record.to_json().encode())
        return path

    def read(self, pool: Sequence[str]) -> list[TuningRecord]:
        """Records of a pool, newest candles first; damaged ones are left out with a warning."""
        found = []
        for path in sorted(self._of(pool).glob("*.json"), reverse=True):
            try:
                record = TuningRecord.from_json(path.read_text())
            except (OSError, ValueError) as error:
                logger.warning("Tuning record %s is not used: %s", path, error)
                continue
            if record.pool == tuple(pool) and record.identifier == self.identifier:
                found.append(record)
        return sorted(found, key=lambda record: -record.known_until)

    def _of(self, pool: Sequence[str]) -> Path:
        """Folder of a pool: a readable name, and a digest that distinguishes full pair names."""
        readable = re.sub(r"[^A-Za-z0-9]+", "_", pool[0]) if len(pool) == 1 else "pool"
        full = hashlib.sha256("\n".join(pool).encode()).hexdigest()
        return self.folder / f"{readable}-{full[:10]}"


def known_until(rows: TrainingRows, settings: SignalSettings) -> int:
    """Close of the last candle that rows depend on, seconds since 1970."""
    # An outcome is known at the close of its last candle, hence one more.
    return (int(rows.event_end.max()) + 1) * settings.candle_seconds


def _stamp(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y%m%dT%H%M")


def _shown(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M")
