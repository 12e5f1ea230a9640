"""Fingerprints for FreqAI's cached predictions, which it accepts on row count and date alone."""

import hashlib
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from freqai_signals.dataset.features.inputs import lead_among
from freqai_signals.files import feather, write_atomically
from freqai_signals.plugin.freqai.state_files import COST_PART, POOL_PART
from freqai_signals.provenance import code_digest, digest, file_digest, library_versions
from freqai_signals.settings import SignalSettings

logger = logging.getLogger(__name__)

# A damaged file may still be readable; this part of the fingerprint is of the file itself.
_CONTENT = "content of the file"


def listed_costs(pairs: Sequence[str], cost: Callable[[str], float]) -> dict[str, float]:
    """Costs of the pairs that the exchange lists.

    Parameters
    ----------
    pairs
        Full names.
    cost
        Raises ``KeyError`` of a pair that is not listed. Such a pair has no candles, so it takes no
        part in anything.

    Examples
    --------
    >>> listed_costs(["A/USDT", "B/USDT"], {"A/USDT": 0.002}.__getitem__)
    {'A/USDT': 0.002}
    """
    found = {}
    for pair in pairs:
        with suppress(KeyError):
            found[pair] = cost(pair)
    return found


@dataclass(frozen=True)
class Recipe:
    """What the predictions of one pair are made from, candles aside.

    Attributes
    ----------
    settings
        All but decisions and sizing count.
    pair
        Full name: FreqAI's own file name forgets the quote currency.
    pool
        Pairs whose candles count.
    adapter_files
        Sources of the strategy, whose hooks make features and labels, and of the model's adapter.
    costs
        Round-trip cost of each pool pair that is listed, a fraction: barriers are never narrower.
    """

    settings: SignalSettings
    pair: str
    pool: tuple[str, ...]
    adapter_files: tuple[Path, ...]
    costs: Mapping[str, float]

    def parts(self) -> dict[str, str]:
        """Digest of each part by the name the log uses for it."""
        chosen = self.settings.model_dump(
            mode="json", exclude=SignalSettings.without_effect_on("predictions")
        )
        return {
            **{f"setting {name}": digest(value) for name, value in chosen.items()},
            **{f"{COST_PART}{name}": digest(cost) for name, cost in self.costs.items()},
            "pair": self.pair,
            POOL_PART: " ".join(self.pool),
            "lead pair": self._lead(),
            "package code": code_digest(),
            "strategy and model code": file_digest(self.adapter_files),
            "library versions": digest(library_versions()),
        }

    def _lead(self) -> str:
        """Whose candles features of the lead pair are made of; empty for the pool's mean."""
        features = self.settings.features
        if "cross_asset" not in features.groups:
            return ""
        return lead_among(self.pool, features.lead_pair) or ""


class PredictionCache:
    """Decides whether a file of cached predictions still holds, and writes new ones safely.

    Parameters
    ----------
    recipe
        What predictions are made from.
    digest_until
        Digest of a pair's base candles before a time, seconds since 1970.
    training_windows
        Start and stop of every training window, seconds since 1970: models carry calibration
        history from window to window, so every window up to the present one counts.
    tuning
        Digest of the tuned parameters that windows up to a time (seconds since 1970) may use.
    """

    def __init__(
        self,
        recipe: Recipe,
        digest_until: Callable[[str, int], str],
        training_windows: Sequence[tuple[int, int]],
        tuning: Callable[[int], str] = lambda until: "",
    ) -> None:
        self.recipe = recipe
        self.digest_until = digest_until
        self.training_windows = tuple(training_windows)
        self.tuning = tuning

    def fingerprint(self, stop: int) -> dict[str, str]:
        """Digests of all that predictions before ``stop`` (seconds since 1970) depend on."""
        # Later windows are not known yet, and must not make earlier predictions stale.
        windows = [window for window in self.training_windows if window[1] < stop]
        parts = self.recipe.parts() | {"training windows": digest(windows)}
        parts["tuned parameters"] = self.tuning(max((last for _, last in windows), default=0))
        return parts | {
            f"candles of {pair}": self.digest_until(pair, stop) for pair in self.recipe.pool
        }

    def holds(self, path: Path, stop: int) -> bool:
        """Whether the file at ``path`` was made from exactly this; the log says why if not."""
        if not path.is_file():
            return False
        reason = _unreadable(path)
        if not reason:
            now = self.fingerprint(stop) | {_CONTENT: _digest(path.read_bytes())}
            changed = _differences(_read_fingerprint(path), now)
            reason = f"changed since: {', '.join(changed)}" if changed else ""
        if reason:
            logger.info("Cached predictions %s are not reused, %s", path.name, reason)
            return False
        # The time of last use, by which old files are removed.
        with suppress(OSError):
            path.touch()
        logger.info("Reusing cached predictions %s, made from the same inputs", path.name)
        return True

    def write(self, path: Path, predictions: pd.DataFrame, stop: int) -> None:
        """Store predictions and their fingerprint, each whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        # First: a kill in between leaves predictions without a fingerprint, which are not reused.
        _fingerprint_path(path).unlink(missing_ok=True)
        content = feather(predictions)
        write_atomically(path, content)
        parts = self.fingerprint(stop) | {_CONTENT: _digest(content)}
        fingerprint = json.dumps(parts, indent=1, sort_keys=True)
        write_atomically(_fingerprint_path(path), fingerprint.encode())


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _fingerprint_path(path: Path) -> Path:
    return path.with_suffix(".fingerprint.json")


def _read_fingerprint(path: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(_fingerprint_path(path).read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _unreadable(path: Path) -> str:
    """Why the predictions cannot be read; empty if they can."""
    try:
        pd.read_feather(path, columns=["date"])
    except (OSError, pa.ArrowInvalid, ValueError, KeyError) as error:
        return f"the file is damaged ({error}); they are predicted again"
    return ""


def _differences(old: Mapping[str, Any], new: Mapping[str, str]) -> list[str]:
    if not old:
        return ["no fingerprint beside them"]
    return sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))
