"""Variants to compare: the stock recipe, ours, and ablations of ours."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from benchmarks.quality import stock
from benchmarks.quality.learners import LEARNERS
from freqai_signals.settings import SignalSettings

CLIMATOLOGY: Final = "climatology"


@dataclass(frozen=True)
class Variant:
    """One recipe.

    Attributes
    ----------
    name
        As in tables.
    settings
        What our model is trained with; the stock recipe takes labels and features from it.
    stock
        ``""`` for ours, ``whole`` for freqtrade's training, ``stopping`` for early stopping.
    unseen
        Pairs that are each tested with a model of all others; if any, no other pair is tested.
    learner
        Another learner on the same pooled rows, of :data:`learners.LEARNERS`, or ``climatology``:
        the report's logistic regression on volatility and time, pair by pair.
    """

    name: str
    settings: SignalSettings
    stock: str = ""
    unseen: tuple[str, ...] = ()
    learner: str = ""

    def groups(self, pairs: tuple[str, ...]) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
        """Which pairs are trained together, and which ones their model is tested on.

        Examples
        --------
        >>> Variant("x", SignalSettings(), unseen=("B",)).groups(("A", "B", "C"))
        [(('A', 'C'), ('B',))]
        """
        if self.unseen:
            return [(tuple(p for p in pairs if p != one), (one,)) for one in self.unseen]
        alone = self.stock or self.learner == CLIMATOLOGY
        if alone or self.settings.model.pool == "pair":
            return [((pair,), (pair,)) for pair in pairs]
        return [(pairs, pairs)]

    @property
    def train_days(self) -> int:
        """Length of the training window."""
        return stock.TRAIN_DAYS if self.stock else self.settings.train_period_days

    @property
    def tiers(self) -> tuple[float, float, float]:
        """Confidence from which a signal is weak, medium and strong."""
        decision = self.settings.decision
        plain = self.stock or self.learner
        return stock.TIERS if plain else (decision.weak, decision.medium, decision.strong)


_OTHER_KIND: Final = {"two_stage": "multiclass", "multiclass": "two_stage"}


def variants(settings: SignalSettings) -> dict[str, Variant]:
    """All recipes by name, in the order of the table."""
    other = _OTHER_KIND[settings.model.kind]
    changes: dict[str, Mapping[str, Any]] = {
        "ours": {},
        "ours, pair by pair": {"model": {"pool": "pair"}},
        "ours, no calibration": {"calibration": {"method": "none"}},
        "ours, no refit": {"model": {"refit": False}},
        f"ours, {other}": {"model": {"kind": other}},
        "ours, twice the rows": {"model": {"row_step": max(settings.model.row_step // 2, 1)}},
        "ours, half the rows": {"model": {"row_step": settings.model.row_step * 2}},
        "ours, three seeds": {"model": {"seeds": 3}},
        "ours, volatility and calendar": {"features": {"groups": ("volatility", "calendar")}},
        "ours, features selected": {"selection": {"enabled": True}},
        **{f"ours, {days} days": {"train_period_days": days} for days in (30, 60, 120, 240, 540)},
    }
    ours = [Variant(name, changed(settings, change)) for name, change in changes.items()]
    rivals = [Variant("stock", settings, "whole")]
    rivals += [Variant("stock, early stopping", settings, "stopping")]
    rivals += [Variant(name, settings, learner=name) for name in (CLIMATOLOGY, *LEARNERS)]
    return {variant.name: variant for variant in (*rivals, *ours)}


SHORT_LIST: Final = (
    "stock",
    "stock, early stopping",
    "ours",
    CLIMATOLOGY,
    *LEARNERS,
    "ours, pair by pair",
    "ours, no calibration",
    "ours, no refit",
    "ours, multiclass",
    "ours, features selected",
    "ours, 60 days",
    "ours, 240 days",
)
"""Variants measured by default."""


def tried(settings: SignalSettings, words: list[str]) -> Variant:
    """Ours with other values, from arguments such as ``direction.rounds=200``.

    Examples
    --------
    >>> variant = tried(SignalSettings(), ["model.seeds=3", "train_period_days=540"])
    >>> variant.name, variant.settings.model.seeds
    ('ours, model.seeds=3 train_period_days=540', 3)
    """
    change: dict[str, Any] = {}
    for word in words:
        path, _, text = word.partition("=")
        section, _, key = path.partition(".")
        try:
            value = json.loads(text)
        except ValueError as error:
            raise SystemExit(f"--try takes KEY=JSON, a word each, got {word!r}: {error}") from None
        change[section] = {**change.get(section, {}), key: value} if key else value
    return Variant("ours, " + " ".join(words), changed(settings, change))


def changed(settings: SignalSettings, change: Mapping[str, Any]) -> SignalSettings:
    """Settings with some keys replaced, nested as in the settings.

    Examples
    --------
    >>> changed(SignalSettings(), {"model": {"seeds": 3}}).model.seeds
    3
    """
    values = settings.model_dump()
    for key, value in change.items():
        values[key] = values[key] | value if isinstance(value, Mapping) else value
    return SignalSettings.model_validate(values)
