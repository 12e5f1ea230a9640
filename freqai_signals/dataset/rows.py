"""Rows to train on: one matrix for one pair or for a pool of pairs."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from freqai_signals.schema import (
    EVENT_END_COLUMN,
    LABEL_COLUMN,
    REALISED_RETURN_COLUMN,
    RETURN_SCALE_COLUMN,
    SPREAD_COLUMN,
    TRADE_COLUMNS,
)

TRADE_FACTS = (*TRADE_COLUMNS, RETURN_SCALE_COLUMN, SPREAD_COLUMN)
"""Columns of :attr:`TrainingRows.trade`."""

_DIGITS = 9


@dataclass(frozen=True)
class TrainingRows:
    """Features and outcomes, one row per candle and pair, sorted by candle, then pair.

    Attributes
    ----------
    features
        Shape ``(n, m)``, float32, finite.
    names
        The ``m`` feature names, in column order.
    label
        Shape ``(n,)``, class 0, 1 or 2.
    start, event_end
        Shape ``(n,)``, candle numbers (seconds since 1970 divided by the candle length): features
        are known at the close of ``start``, the outcome at the close of ``event_end``.
    realised_return
        Shape ``(n,)``, gross return of the label's event in units of the row's return scale.
    trade
        Shape ``(n, 7)``, columns :data:`TRADE_FACTS`: what a trade on the row returns, and what
        its size and cost are measured with; NaN where that is not known.
    pair
        Shape ``(n,)``, index into ``pairs``.
    pairs
        Full pair names.
    """

    features: NDArray[np.float32]
    names: tuple[str, ...]
    label: NDArray[np.int8]
    start: NDArray[np.int64]
    event_end: NDArray[np.int64]
    realised_return: NDArray[np.float64]
    trade: NDArray[np.float64]
    pair: NDArray[np.int16]
    pairs: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.label)

    def take(self, chosen: NDArray[Any]) -> "TrainingRows":
        """The rows where a mask is true, or those at some positions; no copy if they are a run."""
        places = np.flatnonzero(chosen) if chosen.dtype == np.bool_ else chosen
        first = int(places[0]) if len(places) else 0
        is_run = np.array_equal(places, np.arange(first, first + len(places)))
        part: Any = slice(first, first + len(places)) if is_run else places
        return TrainingRows(
            self.features[part],
            self.names,
            self.label[part],
            self.start[part],
            self.event_end[part],
            self.realised_return[part],
            self.trade[part],
            self.pair[part],
            self.pairs,
        )

    def columns(self, names: Sequence[str]) -> "TrainingRows":
        """The same rows with the named features in this order; ``ValueError`` if one is missing."""
        if tuple(names) == self.names:
            return self
        index = {name: i for i, name in enumerate(self.names)}
        missing = [name for name in names if name not in index]
        if missing:
            raise ValueError(f"{len(missing)} features are not in the rows, such as {missing[0]}")
        chosen = self.features[:, [index[name] for name in names]]
        return replace(self, features=chosen, names=tuple(names))

    def digest(self) -> str:
        """SHA-256 of everything in the rows, hexadecimal."""
        return self._digest

    @cached_property
    def learning_digest(self) -> str:
        """SHA-256 of what probabilities are learned from: all but what trades and labels return."""
        # With the shape, since arrays of another shape may have the same bytes.
        sha = hashlib.sha256(repr((self.names, self.pairs, self.features.shape)).encode())
        for array in (self.features, self.label, self.start, self.event_end, self.pair):
            sha.update(np.ascontiguousarray(array).data)
        return sha.hexdigest()

    @cached_property
    def _digest(self) -> str:
        sha = hashlib.sha256(self.learning_digest.encode())
        for array in (self.realised_return, self.trade):
            sha.update(np.ascontiguousarray(array).data)
        return sha.hexdigest()


@dataclass(frozen=True)
class Window:
    """Candle numbers of a training window.

    Attributes
    ----------
    first, stop
        Rows start at ``first`` or later; their outcome is known at the close of a candle before
        ``stop``.
    horizon
        The last ``horizon`` candles start no row, even if the outcome is known already: outcomes
        known early are always moves, and keeping them would bias the class shares.
    step
        Every n-th candle is kept, by candle number, so that the choice does not depend on where a
        frame starts.
    """

    first: int
    stop: int
    horizon: int = 0
    step: int = 1

    def holds(self, start: NDArray[np.int64], event_end: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether each row lies in the window and its outcome is known before the window's end."""
        inside = (start >= self.first) & (start < self.stop - self.horizon)
        return np.asarray(inside & (event_end < self.stop) & (start % self.step == 0))


def spread_rows(count: int, wanted: int) -> NDArray[np.intp]:
    """Positions of ``wanted`` to twice as many of ``count`` rows, one in each run of equal length.

    The rows of a candle come pair by pair: every n-th might be of a few pairs only, so the place
    within a run is drawn, the same one each time.

    Examples
    --------
    >>> spread_rows(10, 3)
    array([2, 4, 7])
    >>> spread_rows(4, 5)
    array([0, 1, 2, 3])
    """
    run = max(count // wanted, 1)
    places = np.random.default_rng(0).integers(0, run, count // run)
    return np.arange(count // run) * run + places


def unknown_trades(rows: int) -> NDArray[np.float64]:
    """:attr:`TrainingRows.trade` of rows of which no trade is known."""
    return np.full((rows, len(TRADE_FACTS)), np.nan)


def candle_numbers(dates: pd.Series, candle_seconds: int) -> NDArray[np.int64]:
    """Candle numbers of UTC dates, whatever their unit."""
    seconds = dates.to_numpy(dtype="datetime64[s]").astype(np.int64)
    return np.asarray(seconds // candle_seconds)


def feature_matrix(frame: pd.DataFrame, names: Sequence[str]) -> NDArray[np.float32]:
    """The named columns in the given order as float32; infinite or missing values are NaN."""
    # Values beyond the range of float32 become infinite, then NaN.
    with np.errstate(over="ignore"):
        matrix = frame.reindex(columns=list(names)).to_numpy(dtype=np.float32)
    return np.where(np.isfinite(matrix), matrix, np.float32(np.nan))


def pair_rows(
    pair: str,
    features: pd.DataFrame,
    labels: pd.DataFrame,
    numbers: NDArray[np.int64],
    window: Window,
) -> TrainingRows:
    """Rows of one pair inside a window, with known outcome and complete features.

    Parameters
    ----------
    pair
        Full pair name.
    features, labels
        Of the same candles, from ``build_features`` and ``add_labels``.
    numbers
        Shape ``(n,)``, candle numbers; event ends are positions in it.
    window
        Rows outside are left out, and so are rows whose outcome is known only after its end.
    """
    ends = labels[EVENT_END_COLUMN].to_numpy(np.float64)
    scale = labels[RETURN_SCALE_COLUMN].to_numpy(np.float64)
    # Without a return scale the return has no unit.
    known = np.isfinite(ends) & labels[LABEL_COLUMN].notna().to_numpy() & (scale > 0)
    # An unknown outcome ends after every window.
    event_end = np.full(len(numbers), np.iinfo(np.int64).max)
    event_end[known] = numbers[ends[known].astype(np.intp)]
    chosen = np.flatnonzero(window.holds(numbers, event_end))
    names = tuple(features.columns)
    matrix = feature_matrix(features.iloc[chosen], names)
    complete = ~np.isnan(matrix).any(axis=1)
    chosen = chosen[complete]
    return TrainingRows(
        features=matrix[complete],
        names=names,
        label=labels[LABEL_COLUMN].to_numpy(np.float64)[chosen].astype(np.int8),
        start=numbers[chosen],
        event_end=event_end[chosen],
        # Rounded: floating-point residue of older candles in the scale would change the digest.
        # A spread's square needs more digits than that, and has no such residue.
        realised_return=np.round(
            labels[REALISED_RETURN_COLUMN].to_numpy(np.float64)[chosen] / scale[chosen], _DIGITS
        )
        + 0.0,
        trade=_rounded(labels.reindex(columns=TRADE_FACTS).to_numpy(np.float64)[chosen]),
        pair=np.zeros(len(chosen), dtype=np.int16),
        pairs=(pair,),
    )


def _rounded(trade: NDArray[np.float64]) -> NDArray[np.float64]:
    kept = trade.copy()
    # Entry prices are candles' own, spreads are squares of a ten-thousandth.
    kept[:, 1:-1] = np.round(kept[:, 1:-1], _DIGITS) + 0.0
    return kept


def pool_rows(parts: Sequence[TrainingRows]) -> TrainingRows:
    """Stack the rows of several pairs, sorted by candle, then pair.

    Raises
    ------
    ValueError
        If there is nothing to stack, or the parts have different features.
    """
    if not parts:
        raise ValueError("no pair has rows to pool; pass at least one part")
    if len({part.names for part in parts}) > 1:
        raise ValueError("the pairs of a pool must have the same features in the same order")
    pair = np.concatenate([np.full(len(part), i, np.int16) for i, part in enumerate(parts)])
    start = np.concatenate([part.start for part in parts])
    # lexsort sorts by its last key first.
    order = np.lexsort((pair, start))
    return TrainingRows(
        features=np.concatenate([part.features for part in parts])[order],
        names=parts[0].names,
        label=np.concatenate([part.label for part in parts])[order],
        start=start[order],
        event_end=np.concatenate([part.event_end for part in parts])[order],
        realised_return=np.concatenate([part.realised_return for part in parts])[order],
        trade=np.concatenate([part.trade for part in parts])[order],
        pair=pair[order],
        pairs=tuple(part.pairs[0] for part in parts),
    )
