"""Raw probabilities come back from calibrated ones."""

import numpy as np
import pytest

from freqai_signals.model.calibration import Calibrator
from freqai_signals.report.page.uncalibrated import uncalibrated

RAW = np.random.default_rng(0).dirichlet([1.5, 1.5, 1.5], 50)


@pytest.mark.parametrize(
    "calibrator",
    [
        Calibrator(),
        Calibrator("direction_shrink", ((0.3, 0.3, np.inf, 0.1),)),
        Calibrator("direction_shrink", ((0.8, 0.4, 0.7, 0.1),)),
        Calibrator("temperature", ((2.5,),)),
    ],
    ids=lambda calibrator: calibrator.method,
)
def test_what_can_be_undone_is_undone(calibrator: Calibrator) -> None:
    found = uncalibrated(calibrator, calibrator(RAW))
    assert found is not None
    np.testing.assert_allclose(found, RAW, atol=1e-6)


@pytest.mark.parametrize(
    "calibrator",
    [
        Calibrator("direction_shrink", ((0.0, 0.0, np.inf, 0.1),)),
        Calibrator("direction_shrink", ((0.5, 0.0, 1.0, 0.1),)),
    ],
    ids=lambda calibrator: calibrator.method,
)
def test_what_was_lost_is_not_made_up(calibrator: Calibrator) -> None:
    assert uncalibrated(calibrator, calibrator(RAW)) is None
