"""Features and labels of a pair, made by the strategy's own hooks."""

from collections.abc import Callable, Sequence
from typing import Any

from freqai_signals.dataset.feature_tables import Table, candle_digest, training_rows
from freqai_signals.dataset.rows import TrainingRows, Window, pool_rows


class PairTables:
    """Tables of the pairs of a pool; those asked for again are computed once per set of candles.

    Parameters
    ----------
    candle_seconds
        Length of a candle.
    """

    def __init__(self, candle_seconds: int) -> None:
        self._candle_seconds = candle_seconds
        self._kept: dict[str, tuple[str, Table]] = {}

    def table(self, pair: str, strategy: Any) -> Table:
        """A pair's table, kept until its candles change.

        Parameters
        ----------
        pair
            Full name.
        strategy
            Gives ``training_candles`` and makes features and labels from them.
        """
        key = candle_digest(strategy.training_candles(pair))
        if pair not in self._kept or self._kept[pair][0] != key:
            self._kept[pair] = (key, self.new_table(pair, strategy))
        return self._kept[pair][1]

    def new_table(self, pair: str, strategy: Any) -> Table:
        """A pair's table as above, neither looked up nor kept: for candles that come only once."""
        metadata, candles = {"pair": pair}, strategy.training_candles(pair)
        frame = strategy.feature_engineering_standard(candles, metadata=metadata)
        frame = strategy.set_freqai_targets(frame, metadata=metadata)
        return Table.of(frame, self._candle_seconds)

    def kept_rows(self, pairs: Sequence[str], strategy: Any, window: Window) -> TrainingRows:
        """Rows of all pairs in one window, from tables that are kept for the next one."""
        return training_rows({pair: self.table(pair, strategy) for pair in pairs}, window)

    def new_rows(
        self,
        pairs: Sequence[str],
        strategy: Any,
        window: Window,
        before_each: Callable[[], None] = lambda: None,
    ) -> TrainingRows:
        """Rows as above, with one pair's table in memory at a time; pairs without candles left out.

        ``before_each`` is called before each pair's table is made, which takes a while.

        Raises
        ------
        ValueError
            If no pair has candles.
        """
        parts = []
        for pair in pairs:
            before_each()
            if len(strategy.training_candles(pair)):
                parts.append(training_rows({pair: self.new_table(pair, strategy)}, window))
        return pool_rows([part for part in parts if len(part)] or parts[:1])
