"""Returns of trades on predicted classes: by hand, closed by opposites, without columns."""

import numpy as np
import pandas as pd
import pytest

from freqai_signals.report.data.predicted_trades import predicted_trade_returns
from freqai_signals.schema import TRADE_COLUMNS
from freqai_signals.settings import SignalSettings


def frames(confidence: float = 0.9) -> tuple[pd.DataFrame, pd.DataFrame]:
    frame = pd.DataFrame(
        {"&-signal": [2.0, 1.0, 0.0, 0.0], "confidence": confidence, "do_predict": [1, 1, 1, 0]}
    )
    labels = pd.DataFrame(
        [[100.0, 0.03, -0.03, 9, 9], [101.0, 0.02, -0.02, 9, 9], [102.0, 0.01, -0.01, 9, 9],
         [103.0, np.nan, np.nan, np.nan, np.nan]],
        columns=list(TRADE_COLUMNS),
    )  # fmt: skip
    return frame, labels


def test_a_sure_opposite_prediction_ends_the_trade() -> None:
    returns = predicted_trade_returns(*frames(), SignalSettings())
    # Bought at 100, closed by the sell two candles later at 102; the last row is not known.
    np.testing.assert_allclose(returns, [0.02, 0.0, -0.01, np.nan])


def test_an_unsure_one_does_not() -> None:
    returns = predicted_trade_returns(*frames(0.5), SignalSettings())
    np.testing.assert_allclose(returns, [0.03, 0.0, -0.01, np.nan])


@pytest.mark.parametrize("missing", ["&-signal", "confidence", "do_predict"])
def test_a_missing_column_raises_nothing(missing: str) -> None:
    frame, labels = frames()
    returns = predicted_trade_returns(frame.drop(columns=missing), labels, SignalSettings())
    assert len(returns) == len(frame)
