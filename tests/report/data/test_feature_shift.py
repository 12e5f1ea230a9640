"""The shift of a day's inputs against the training window of the model that served that day."""

from math import log
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from freqai_signals.drift.distributions import DistributionReference, distribution_reference
from freqai_signals.drift.monitors import DistributionDrift
from freqai_signals.drift.training_reference import DriftReference
from freqai_signals.model.card import ModelCard
from freqai_signals.model.signal_model import SignalModel
from freqai_signals.report.data.feature_shift import feature_shift
from freqai_signals.report.model_usage import trained_on
from freqai_signals.training.model_store import ModelStore

HALF_DAY = 12 * 3600


def trained_with(below: float, above: float, scale: float) -> DistributionReference:
    """Training rows of one feature, counted below and above 0; windows of three days, six rows."""
    one, limits = np.ones(1), np.ones((3, 2))
    return DistributionReference(
        ("%-a",), np.zeros((1, 1), np.float32), np.array([[below, above]]), np.zeros(1),
        np.array([scale]), one, one, limits, window_rows=6, step=1,
    )  # fmt: skip


def half_days(values: list[float], ids: list[float]) -> tuple[pd.DataFrame, pd.DataFrame]:
    dates = pd.date_range("2024-01-01", periods=len(values), freq="12h", tz="UTC")
    return pd.DataFrame({"date": dates, "model_id": ids}), pd.DataFrame({"%-a": values})


def by_day(table: pd.DataFrame) -> "pd.Series[float]":
    return table.set_index(table["date"].dt.day)["shift"]


def test_the_shift_is_that_against_the_training_rows_of_the_model_of_the_day() -> None:
    known = {1.0: trained_with(50, 50, 0.5), 2.0: trained_with(79.5, 19.5, 0.25)}
    # Model 1 predicts days 1 to 3, model 2 the fourth; nothing is known of model 3.
    values = [-1.0] * 5 + [1.0] * 3 + [1.0] * 2
    frame, features = half_days(values, [1.0] * 6 + [2.0] * 2 + [3.0] * 2)
    shift = by_day(feature_shift(frame, features, known.get, HALF_DAY))
    # Days 1 and 2 have no three days behind them; day 5 has no reference.
    assert shift.index.tolist() == [1, 2, 3, 4]
    assert shift[:2].isna().all()
    # Half a row is added to each bin. Day 3: 5 and 1 of 6 rows, shares 5.5/7 and 1.5/7, against
    # 50.5/101 twice: (11/14 - 1/2) ln(11/7) + (3/14 - 1/2) ln(3/7) = 2/7 ln(11/3); scale 1/2.
    assert shift[3] == pytest.approx(2 / 7 * log(11 / 3) / 0.5)
    # Day 4: 3 and 3 of the rows of days 2 to 4, shares 1/2, against 0.8 and 0.2 of model 2:
    # -0.3 ln(5/8) + 0.3 ln(5/2) = 0.3 ln 4; scale 1/4.
    assert shift[4] == pytest.approx(0.3 * log(4) / 0.25)


def test_later_rows_and_later_models_change_no_earlier_day() -> None:
    known = {1.0: trained_with(50, 50, 0.5), 2.0: trained_with(10, 90, 0.5)}
    values, ids = [-1.0, 1.0] * 5, [1.0] * 10
    until = feature_shift(*half_days(values, ids), known.get, HALF_DAY)
    others = feature_shift(
        *half_days([*values[:6], 9.0, 9.0, 9.0, 9.0], [*ids[:6], 2.0, 2.0, 2.0, 2.0]),
        known.get, HALF_DAY,
    )  # fmt: skip
    pd.testing.assert_series_equal(by_day(until)[:3], by_day(others)[:3])
    assert by_day(until)[4] != by_day(others)[4]


def test_three_days_with_a_hole_have_no_shift() -> None:
    frame, features = half_days([-1.0, 1.0] * 5, [1.0] * 10)
    features.iloc[6] = np.nan
    shift = by_day(feature_shift(frame, features, {1.0: trained_with(5, 5, 1.0)}.get, HALF_DAY))
    assert shift.isna().tolist() == [True, True, False, True, True]


def test_no_features_and_no_predictions_are_no_shift() -> None:
    reference_of = {1.0: trained_with(5, 5, 1.0)}.get
    frame, features = half_days([1.0] * 8, [1.0] * 8)
    assert len(feature_shift(frame, features[[]], reference_of, HALF_DAY)) == 0
    unpredicted = frame.assign(model_id=[0.0, np.nan] * 4)
    empty = feature_shift(unpredicted, features, reference_of, HALF_DAY)
    assert len(empty) == 0
    assert empty["date"].dt.tz is not None


def test_it_is_what_the_monitor_of_a_bot_computes() -> None:
    rng = np.random.default_rng(3)
    rows, days = 60 * 24, 4
    values = rng.normal(size=(rows, 2)).astype(np.float32)
    place = (np.arange(rows), np.zeros(rows, np.int16))
    reference = distribution_reference(("%-a", "%-b"), values, place, (72, 1))
    assert reference is not None
    lived = (rng.normal(size=(days * 24, 2)) + 0.5).astype(np.float32)
    dates = pd.date_range("2024-01-01", periods=len(lived), freq="1h", tz="UTC")
    frame = pd.DataFrame({"date": dates, "model_id": 1.0})
    features = pd.DataFrame(lived, columns=["%-a", "%-b"])
    monitor = DistributionDrift(reference)
    for candle, row in enumerate(lived, int(dates[0].timestamp()) // 3600):
        monitor.update(candle, row)
    shift = feature_shift(frame, features, lambda model_id: reference, 3600)
    mean = shift[shift["date"] == dates[-1].floor("D")]["shift"].mean()
    assert f"psi {mean / reference.limits[0, 1]:.2f}" in monitor.detail


def test_the_reference_is_the_stored_model_s_own(tmp_path: Path) -> None:
    reference = trained_with(3, 4, 1.0)
    card = ModelCard("v1", key=f"{0xABC:012x}".ljust(64, "0"))
    model = SignalModel(card, drift=DriftReference(reference, None, None))
    ModelStore(tmp_path, key=b"k" * 32).save(model)
    found = trained_on(tmp_path, b"k" * 32)(float(0xABC))
    assert found is not None
    assert found.counts.tolist() == [[3, 4]]
    # What another installation signed, or nobody stored, is no reference.
    assert trained_on(tmp_path, b"x" * 32)(float(0xABC)) is None
    assert trained_on(tmp_path, None)(float(0xDEF)) is None
