"""Climatology: what it knows, and that it comes from the past only."""

from dataclasses import replace

import numpy as np
import pytest

from freqai_signals.dataset.features import feature_groups
from freqai_signals.dataset.rows import spread_rows
from freqai_signals.metrics import class_prior, log_loss, log_losses
from freqai_signals.training.climatology_check import (
    FITTED_ROWS,
    climatology,
    gain_over_climatology,
)
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


def stated(past, later):  # type: ignore[no-untyped-def]
    """Of a regression on volatility alone."""
    return climatology(past.features[:, [1]], past.label, later.features[:, [1]])


def test_it_knows_lively_candles() -> None:
    past, later = rows(100), rows(20, 100)
    found = stated(past, later)
    assert found.sum(axis=1) == pytest.approx(1.0)
    prior = np.broadcast_to(class_prior(past.label), found.shape)
    assert log_loss(later.label, found) < 0.95 * log_loss(later.label, prior)
    unknown = later.features[:3, [1]].copy()
    unknown[0] = np.nan
    first, *_ = climatology(past.features[:, [1]], past.label, unknown)
    np.testing.assert_array_equal(first, class_prior(past.label))


def test_without_a_number_or_a_class_it_is_the_prior() -> None:
    past, later = rows(100), rows(20, 100)
    for columns, label in (([], past.label), ([1], np.minimum(past.label, 1))):
        found = climatology(past.features[:, columns], label, later.features[:, columns])
        np.testing.assert_array_equal(found, np.tile(class_prior(label), (len(later), 1)))


def test_outcomes_to_be_predicted_are_not_used() -> None:
    past, later = rows(100), rows(20, 100)
    calibrated = np.tile(class_prior(past.label), (len(later), 1))
    some = later.take(np.arange(len(later)) < 200)
    skill, _ = gain_over_climatology(past, some, calibrated[:200], SETTINGS)
    losses = log_losses(some.label, stated(thinned(past), some))
    gains = losses - log_losses(some.label, calibrated[:200])
    assert skill == pytest.approx(gains.mean() / losses.mean())


def thinned(past):  # type: ignore[no-untyped-def]
    return past.take(spread_rows(len(past), FITTED_ROWS))


def test_climatology_gains_nothing_over_itself() -> None:
    past, later = rows(100), rows(20, 100)
    own = stated(thinned(past), later)
    skill, test = gain_over_climatology(past, later, own, SETTINGS)
    assert (skill, test.mean) == pytest.approx((0.0, 0.0), abs=1e-12)
    assert test.bound(0.05) <= 1e-9
