"""Signals for freqtrade that can be trusted: labels, features, models, decisions, judgement."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from freqai_signals.report.data.frames import SignalFrames

__version__ = "0.2.0"
__all__ = ["load_backtest", "load_ledger"]


def load_backtest(
    userdir: str | Path = "user_data", identifier: str | None = None
) -> "SignalFrames":
    """Predictions, outcomes, signals, trades and models of a backtest, for a notebook.

    Parameters
    ----------
    userdir
        freqtrade's user folder.
    identifier
        FreqAI identifier; the newest backtest by default.

    Returns
    -------
    freqai_signals.report.data.frames.SignalFrames
        Its attributes are pandas frames, described there; the report's page is made of them.

    Raises
    ------
    ValueError
        If there is no backtest, or its record cannot be read; the message says what to do.
    """
    from freqai_signals.report.data.backtest_frames import backtest_frames

    return backtest_frames(Path(userdir), identifier)


def load_ledger(url: str, registry: str | Path | None = None) -> "SignalFrames":
    """The same frames of what a running bot predicted, from its ledger.

    Parameters
    ----------
    url
        Path of an SQLite file, or a SQLAlchemy URL.
    registry
        Folder of the model registry, for the training spans of models and what happened to them.

    Raises
    ------
    ValueError
        If there is no ledger, or it cannot be read; the message says what to do.
    """
    from freqai_signals.live.ledger_frames import ledger_frames

    return ledger_frames(url, registry=None if registry is None else Path(registry))
