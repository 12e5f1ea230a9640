"""Frames for tests of the page: many days of seeded rows, and small ones written as letters."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from freqai_signals.report.data.backtest_frames import run_frames
from freqai_signals.report.data.backtest_record import Run
from freqai_signals.report.data.frames import SignalFrames
from freqai_signals.report.page.page_data import PageData
from freqai_signals.schema import PROBA_COLUMNS
from freqai_signals.settings import SignalSettings
from tests.report.run_rows import COST, rows_of, run_of

NOWHERE = Path("nowhere")


def frames_of(**pairs: pd.DataFrame) -> SignalFrames:
    """Frames of a backtest without models and without freqtrade's result."""
    return run_frames(run_of(**pairs), NOWHERE, NOWHERE / "test")


def frames_of_run(run: Run) -> SignalFrames:
    return run_frames(run, NOWHERE, NOWHERE / "test")


def data_of(**pairs: pd.DataFrame) -> PageData:
    return PageData(frames_of(**pairs), SignalSettings(), COST)


def many_days(days: int = 30, seed: int = 0, **columns: Any) -> pd.DataFrame:
    """Hourly-spaced rows whose stated probabilities are those by which outcomes are drawn."""
    rng = np.random.default_rng(seed)
    count = days * 24
    proba = rng.dirichlet([2.0, 2.0, 2.0], count)
    outcome = (rng.random(count)[:, None] > proba.cumsum(axis=1)).sum(axis=1)
    letters = np.array(list("ShB"))
    frame = rows_of("".join(letters[proba.argmax(axis=1)]), "".join(letters[outcome]))
    emitted = np.arange(count) % 7 == 0
    predicted = proba.argmax(axis=1)
    changed = {
        "date": pd.date_range("2024-01-01", periods=count, freq="1h", tz="UTC"),
        **dict(zip(PROBA_COLUMNS, proba.T, strict=True)),
        "climatology_sell": 0.3,
        "climatology_hold": 0.4,
        "climatology_buy": 0.3,
        "confidence": rng.random(count),
        "expected_return": rng.normal(0.0, 0.002, count),
        "label_return": (outcome - 1) * 0.01 + rng.normal(0.0, 0.002, count),
        "signal": np.where(emitted, predicted, -1),
        "signal_strength": np.where(emitted & (predicted != 1), 1 + np.arange(count) % 3, 0),
        "reject_reason": np.where(emitted | (predicted == 1), "", "no_edge"),
    }
    return frame.assign(**(changed | columns))
