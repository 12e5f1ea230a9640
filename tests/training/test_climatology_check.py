"""Class shares by hour and volatility: what they are, and that they come from the past only."""

from dataclasses import replace

import numpy as np
import pytest

from freqai_signals.dataset.features import feature_groups
from freqai_signals.metrics import class_prior, log_loss
from freqai_signals.training.climatology_check import climatology, gain_over_climatology
from tests.registry.gate_rows import make_rows, small_settings

SETTINGS = small_settings()
VOLATILITY = next(n for n, group in feature_groups(SETTINGS).items() if group == "volatility")


def rows(days: int, first: int = 0):  # type: ignore[no-untyped-def]
    """Moves happen in lively hours of the night only."""
    made = make_rows(days=days, first_day=first, edge=0.0)
    lively = (made.start % 24 < 8) & (made.features[:, 1] > 0)
    moves = np.where(made.label == 1, 2, made.label)
    label = np.where(lively, moves, 1).astype(np.int8)
    return replace(made, names=("%-a", VOLATILITY, "%-c", "%-d"), label=label)


def test_it_knows_lively_hours_and_lively_candles() -> None:
    past, later = rows(100), rows(20, 100)
    found = climatology(past, later, SETTINGS)
    assert found.sum(axis=1) == pytest.approx(1.0)
    prior = np.broadcast_to(class_prior(past.label), found.shape)
    assert log_loss(later.label, found) < 0.7 * log_loss(later.label, prior)
    quiet = replace(past, names=("%-a", "%-b", "%-c", "%-d"))
    by_hour = climatology(quiet, replace(later, names=quiet.names), SETTINGS)
    assert len(np.unique(by_hour[:, 1])) <= 24
    assert log_loss(later.label, found) < log_loss(later.label, by_hour)


def test_outcomes_to_be_predicted_are_not_used() -> None:
    past, later = rows(100), rows(20, 100)
    other = replace(later, label=np.zeros_like(later.label))
    np.testing.assert_array_equal(
        climatology(past, later, SETTINGS), climatology(past, other, SETTINGS)
    )
    some = np.arange(len(later)) < 50
    np.testing.assert_array_equal(
        climatology(past, later.take(some), SETTINGS), climatology(past, later, SETTINGS)[some]
    )


def test_climatology_gains_nothing_over_itself() -> None:
    past, later = rows(100), rows(20, 100)
    skill, test = gain_over_climatology(past, later, climatology(past, later, SETTINGS), SETTINGS)
    assert (skill, test.mean) == (0.0, 0.0)
    assert test.bound(0.05) <= 0
