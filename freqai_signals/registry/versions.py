"""The registry's records: versions, events, and which version serves."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from typing import Final

from pydantic import TypeAdapter

from freqai_signals.model.card import ModelCard, checked_version
from freqai_signals.provenance import digest

FORMAT: Final = 1
MOST_EVENTS: Final = 500

_SERVED: Final = ("serving", "rolled_back", "pinned")
"""Actions after which the version of an event serves."""


class RegistryError(ValueError):
    """The registry cannot do this; the message gives the reason and the remedy."""


@dataclass(frozen=True)
class Version:
    """One stored model. Immutable once written.

    Attributes
    ----------
    version, parent
        Ids; parent is the model whose calibration history it continues.
    sha256, size
        Of its file, in hexadecimal and in bytes.
    registered
        ISO time in UTC.
    first, last
        ISO times of its first and last training candle.
    settings_digest, features_digest
        Of its modelling settings and of its feature names.
    metrics
        Of its purged validation rows.
    verdict, reason
        Of the gate, or why the model abstains.
    libraries
        Versions of the libraries that trained it.
    """

    version: str
    sha256: str
    size: int
    registered: str
    parent: str = ""
    first: str = ""
    last: str = ""
    settings_digest: str = ""
    features_digest: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)
    verdict: str = ""
    reason: str = ""
    libraries: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse an id that could not name a file."""
        checked_version(self.version)

    @classmethod
    def of(cls, card: ModelCard, data: bytes, registered: str) -> "Version":
        """Describe the model file ``data`` that holds a model with this card."""
        return cls(
            version=card.version,
            sha256=hashlib.sha256(data).hexdigest(),
            size=len(data),
            registered=registered,
            parent=card.parent,
            first=card.first,
            last=card.last,
            settings_digest=digest(card.settings),
            features_digest=card.features_digest,
            metrics=dict(card.metrics.get("validation", {})),
            verdict=str(card.gate.get("verdict", "")),
            reason=str(card.gate.get("reason", card.reason)),
            libraries=dict(card.libraries),
        )


@dataclass(frozen=True)
class Event:
    """An event of a scope: registered, serving, refused, rolled_back, pinned, unpinned, rebuilt."""

    at: str
    action: str
    version: str
    reason: str = ""


@dataclass(frozen=True)
class Scope:
    """The versions of one pair or pool, and which of them serves.

    Attributes
    ----------
    name
        For example ``freqai-signals/pool`` or ``freqai-signals/BTC/USDT``.
    serving
        Version that predicts; empty before the first.
    pinned
        Whether ``serving`` stays, whatever the gate's verdicts.
    versions
        In the order of registration.
    history
        The newest events, oldest first.
    """

    name: str
    serving: str = ""
    pinned: bool = False
    versions: tuple[Version, ...] = ()
    history: tuple[Event, ...] = ()

    def get(self, version: str) -> Version:
        """The version of this id, or the only one whose id contains the text.

        Raises
        ------
        RegistryError
            If there is none, or more than one.
        """
        # An empty text would match every id, since it is part of each.
        found = [item for item in self.versions if item.version == version] or [
            item for item in self.versions if version and version in item.version
        ]
        if len(found) != 1:
            ids = ", ".join(item.version for item in self.versions[-10:]) or "none"
            number = "no version" if not found else f"{len(found)} versions"
            raise RegistryError(f"{self.name}: {number} like {version!r}; the newest are: {ids}")
        return found[0]

    def rollback_targets(self) -> tuple[str, ...]:
        """Stored versions that have served and are older than the serving one, newest first."""
        served = {event.version for event in self.history if event.action in _SERVED}
        return tuple(version for version in reversed(self.older()) if version in served)

    def older(self) -> list[str]:
        """Stored versions registered before the serving one, oldest first; all without one."""
        ids = [item.version for item in self.versions]
        return ids[: ids.index(self.serving)] if self.serving in ids else ids

    def noted(self, at: str, action: str, version: str, reason: str = "") -> "Scope":
        """The same with one more event."""
        events = (*self.history, Event(at, action, version, reason))
        # Rollback targets are found here: a version whose events have been cut is none any more.
        return replace(self, history=events[-MOST_EVENTS:])

    def to_json(self) -> str:
        """Text that :meth:`from_json` reads, with a checksum of its content."""
        content = asdict(self)
        return json.dumps(
            {"format": FORMAT, "sha256": digest(content), "content": content}, indent=1
        )

    @classmethod
    def from_json(cls, text: str) -> "Scope":
        """Read the text of :meth:`to_json`; ValueError if it is anything else."""
        try:
            given = json.loads(text)
            content = given["content"]
            if given["format"] != FORMAT or given["sha256"] != digest(content):
                raise ValueError("checksum or format differ")
            lists = {
                "versions": tuple(Version(**item) for item in content["versions"]),
                "history": tuple(Event(**item) for item in content["history"]),
            }
            # Dataclasses do not check types, and a checksum only shows that the text is as it was
            # written.
            _types().validate_json(json.dumps(content), strict=True)
            return cls(**content | lists)
        # JSON nested deeply enough exhausts the parser's recursion.
        except (KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ValueError(f"not a registry pointer ({error!r})") from error


@cache
def _types() -> TypeAdapter[Scope]:
    return TypeAdapter(Scope)


def slug(name: str) -> str:
    """A file name for a scope: readable, and different for different names.

    Examples
    --------
    >>> slug("freqai-signals/BTC/USDT") != slug("freqai-signals/BTC_USDT")
    True
    """
    return f"{re.sub(r'[^A-Za-z0-9.-]', '_', name)}-{digest(name)[:8]}"
