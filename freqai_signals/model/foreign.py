"""Model files from elsewhere: looked at in a process of their own before this one reads them.

A model file holds no code, but LightGBM trusts its texts: one made for it hangs the process or ends
it. ``python -m freqai_signals.model.foreign`` reads a file from its standard input, builds the
model and lets it predict; if that takes too long, too much memory, or kills it, nothing is lost.
"""

import subprocess
import sys
from contextlib import suppress
from typing import Final

import numpy as np
import pandas as pd

from freqai_signals.drift.monitors import PairDrift
from freqai_signals.model import artefact, booster
from freqai_signals.model.signal_model import Fit, SignalModel
from freqai_signals.schema import CLASS_COUNT

SECONDS: Final = 60.0
_MOST_MEMORY: Final = 8 * 2**30
_REFUSED: Final = 3


def checked(data: bytes, name: str, seconds: float = SECONDS) -> SignalModel:
    """The model of a file that somebody else may have written.

    Parameters
    ----------
    data
        Contents of the file.
    name
        What to call it in an error message.
    seconds
        Longest that building it and one prediction may take, the start of Python included.

    Raises
    ------
    ArtefactError
        If it is damaged, or a process that read it failed, hung or ended by a signal.
    """
    command = [sys.executable, "-m", __name__]
    try:
        done = subprocess.run(
            command, input=data, capture_output=True, check=False, timeout=seconds
        )
    except subprocess.TimeoutExpired as error:
        raise artefact.ArtefactError(
            f"{name}: building the model took more than {seconds:g} s; it is not used"
        ) from error
    if done.returncode == _REFUSED:
        raise artefact.ArtefactError(f"{name}: {done.stderr.decode(errors='replace').strip()}")
    if done.returncode:
        raise artefact.ArtefactError(
            f"{name}: a process that built the model ended with {done.returncode}; it is not used"
        )
    # It did no harm to the other process.
    return artefact.from_bytes(data, name)


def try_out(model: SignalModel) -> None:
    """Use every part of a model once; raises where one does not fit the others."""
    if model.fit is None:
        return
    rows = np.vstack([np.zeros(len(model.names)), np.full(len(model.names), np.nan)])
    frame = pd.DataFrame(rows.astype(np.float32), columns=list(model.names))
    probabilities = model.predict(frame).probabilities
    if probabilities.shape != (2, 3) or not np.isclose(probabilities[0].sum(), 1.0):
        raise artefact.ArtefactError(f"predicts {probabilities.tolist()} for a row of zeros")
    # SHAP values visit every node of a tree, a prediction one path only.
    for head in model.fit.heads:
        for fitted in head.boosters:
            booster.contributions(fitted, rows[:1].astype(np.float32))
    model.contributions(dict(frame.iloc[0]))
    _try_references(model.fit)
    drift = PairDrift(model.drift)
    drift.update_candle(0, np.zeros(len(drift.feature_names), np.float32))


def _try_references(fit: Fit) -> None:
    """Raise where what a fit knows of its training rows has another shape or kind."""
    if fit.prior.shape != (CLASS_COUNT,) or not np.isfinite(fit.prior).all():
        raise artefact.ArtefactError("has references of another shape, or not finite")
    value, spread = fit.value, fit.spread("")
    worths = (value.slope, value.square, value.square_move, spread)
    if not all(isinstance(one, float | int) and np.isfinite(one) and one >= 0 for one in worths):
        raise artefact.ArtefactError(f"has no value of a trade that could be used: {worths}")
    quantiles = fit.margins.quantiles
    if quantiles.dtype.kind != "f" or quantiles.ndim != 1 or not len(quantiles):
        raise artefact.ArtefactError("has margins that are no numbers")


def _main() -> int:
    # Windows has no ``resource``, and a lower limit that is set already may stay.
    with suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY, _MOST_MEMORY))
    try:
        try_out(artefact.from_bytes(sys.stdin.buffer.read(), "model file"))
    except Exception as error:  # noqa: BLE001
        sys.stderr.write(f"{type(error).__name__}: {error}"[:2000])
        return _REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(_main())
