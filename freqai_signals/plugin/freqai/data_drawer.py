"""FreqAI's data drawer with fixes, in a module that can be imported by name."""

import logging
import shutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import cloudpickle
import numpy as np
import numpy.typing as npt
import pandas as pd
import rapidjson
from freqtrade.freqai.data_drawer import (
    FEATURE_PIPELINE,
    LABEL_PIPELINE,
    METADATA,
    FreqaiDataDrawer,
)
from freqtrade.freqai.data_kitchen import FreqaiDataKitchen
from freqtrade.strategy import IStrategy
from pandas import DataFrame

from freqai_signals.dataset.candles import closed, extended, has_gap, utc_now
from freqai_signals.files import write_atomically
from freqai_signals.model.signal_model import SignalModel
from freqai_signals.plugin.freqai import prediction_journal
from freqai_signals.plugin.freqai.data_kitchen import SignalDataKitchen
from freqai_signals.plugin.freqai.newest_candle import PredictionTables, beside, newest_row
from freqai_signals.plugin.freqai.state_files import with_columns
from freqai_signals.schema import MODEL_COLUMNS, TRUST_COLUMN
from freqai_signals.signals.outputs import window_facts

logger = logging.getLogger(__name__)

_HISTORY_ROWS: Final = 6000
_MOST_JOURNAL_BYTES: Final = 32 * 2**20


class SignalDataDrawer(FreqaiDataDrawer):
    """FreqAI's data drawer with fixes: whole files, and candles of each pair for itself.

    FreqAI stores what it knows where nobody catches: an error would end the thread that trains, or
    keep a pair from being decided. So a disk that is full or read-only is logged once here, what is
    in memory goes on, and the next candle or training tries again.
    """

    historic_predictions: dict[str, DataFrame]
    _pairs_to_store: set[str]
    _unstored: set[Path]
    _tables: PredictionTables
    _unwritten: dict[str, pd.Timestamp]
    """Pairs to the first candle of theirs that is in no file yet."""
    _written: set[str]
    """Pairs of which a file holds all other candles."""
    due: dict[str, int]
    """Pairs that are trained before the schedule, to the time that their next model is later than.

    Apart from when they were trained, on which expiry and the choice of the newest model rest.
    """

    @classmethod
    def adopt(cls, data_drawer: FreqaiDataDrawer) -> None:
        """Turn the drawer that FreqAI has made, and the predictions it has read, into ours."""
        # FreqAI makes its drawer itself and offers no hook; all state is in the instance.
        data_drawer.__class__ = cls
        data_drawer._pairs_to_store, data_drawer._unstored = set(), set()
        data_drawer._unwritten, data_drawer.due, data_drawer._tables = {}, {}, PredictionTables()
        data_drawer._take_in_journal()
        columns = [f"{name}{kind}" for name in MODEL_COLUMNS for kind in ("", "_mean", "_std")]
        wanted = {**dict.fromkeys((*columns, TRUST_COLUMN), 0.0), **window_facts(None)}
        for pair, history in data_drawer.historic_predictions.items():
            data_drawer.historic_predictions[pair] = with_columns(history, wanted)

    def get_pair_dict_info(self, pair: str) -> tuple[str, int]:
        """By what FreqAI decides whether to train; a pair that is due was never trained."""
        name, trained = super().get_pair_dict_info(pair)
        return name, 0 if pair in self.due else trained

    def served(self, pair: str) -> SignalModel | None:
        """The model that FreqAI has stored for a pair; None if there is none or it is damaged."""
        data_kitchen = FreqaiDataKitchen(self.config, True, pair)
        SignalDataKitchen.adopt(data_kitchen)
        try:
            model = self.load_data(pair, data_kitchen)
        # Unpickling damaged bytes may raise nearly anything.
        except Exception as error:  # noqa: BLE001
            logger.warning("The stored model of %s cannot be read: %s", pair, error)
            return None
        return model if isinstance(model, SignalModel) else None

    def load_data(self, coin: str, dk: FreqaiDataKitchen) -> Any:
        """A pair's model; from its files once, for FreqAI reads some of them at every candle.

        None, so that nothing is predicted before the next training, where they are gone.
        """
        try:
            model = super().load_data(coin, dk)
        except FileNotFoundError as missing:
            if not dk.live:
                raise
            logger.warning("%s has no model until the next training: %s", coin, missing)
            self._forget(coin)
            return None
        if dk.live and model is not None and coin not in self.meta_data_dictionary:
            self._remember(coin, dk)
        return model

    def save_data(self, model: Any, coin: str, dk: FreqaiDataKitchen) -> None:
        """Store a pair's model; where it cannot be, it serves from memory until the next start."""
        store = super().save_data
        if self.try_to_write(self.full_path, lambda: store(model, coin, dk)):
            return
        # As FreqAI does once it has stored; names of files that are not there are forgotten then.
        names = {"model_filename": dk.model_filename, "data_path": str(dk.data_path)}
        features, labels = dk.training_features_list, dk.label_list
        dk.data |= {**names, "training_features_list": features, "label_list": labels}
        self.pair_dict[coin].update(**names)
        self.model_dictionary[coin] = model
        self._remember(coin, dk)

    def _remember(self, pair: str, dk: FreqaiDataKitchen) -> None:
        self.meta_data_dictionary[pair] = {
            METADATA: dk.data,
            FEATURE_PIPELINE: dk.feature_pipeline,
            LABEL_PIPELINE: dk.label_pipeline,
        }

    def keep_model_unless(self, pair: str, changed: Sequence[str]) -> None:
        """Forget a pair's stored model if inputs of it have changed, or if it is damaged."""
        if changed or self.served(pair) is None:
            reason = f"changed since: {', '.join(changed)}" if changed else "damaged"
            logger.warning("The stored model of %s is not used, %s", pair, reason)
            self._forget(pair)

    def _forget(self, pair: str) -> None:
        # A copy, or all such pairs would share one dictionary.
        self.pair_dict[pair] = self.empty_pair_dict.copy()
        self.model_dictionary.pop(pair, None)
        self.meta_data_dictionary.pop(pair, None)

    def store_predictions(self, pair: str, whitelist: Sequence[str]) -> None:
        """Store the predictions once a candle, after the last of the pairs that are decided.

        Where that one has no new candle, as soon as another pair has its next one.
        """
        if pair in self._pairs_to_store or pair in whitelist[-1:]:
            self._pairs_to_store.clear()
            self.save_historic_predictions_to_disk()
        else:
            self._pairs_to_store.add(pair)

    def load_historic_predictions_from_disk(self) -> bool:
        """Read the stored predictions, the journal included."""
        exists = bool(super().load_historic_predictions_from_disk())
        self._take_in_journal()
        return exists

    def _take_in_journal(self) -> None:
        history = prediction_journal.merged(
            self.full_path, self.historic_predictions, _HISTORY_ROWS
        )
        self.historic_predictions, self._written = history, set(history)

    def save_historic_predictions_to_disk(self) -> None:
        """Store the predictions since the last time; a kill damages no file.

        FreqAI asks for it after each training of a pair too, and would write all of it.
        """
        with self.history_lock:
            frames = {
                pair: prediction_journal.since(history, self._unwritten[pair])
                # A list, since another thread may add a pair meanwhile.
                for pair, history in list(self.historic_predictions.items())
                if pair in self._unwritten
            }
            path = self.full_path / prediction_journal.JOURNAL_FILE
            # First, so that the file before and this journal know all that the file is to hold.
            if self.try_to_write(path, lambda: prediction_journal.append(self.full_path, frames)):
                self._unwritten.clear()
            is_long = prediction_journal.size(self.full_path) > _MOST_JOURNAL_BYTES
            is_whole = self.historic_predictions.keys() <= self._written
            if is_long or not (is_whole and self.historic_predictions_path.is_file()):
                self._save_all_predictions()

    def _save_all_predictions(self) -> None:
        """Write FreqAI's file, and keep the one before it with the journal that followed."""
        history, path = dict(self.historic_predictions), self.historic_predictions_path

        def write() -> None:
            self.full_path.mkdir(parents=True, exist_ok=True)
            if path.is_file():
                # Copied, not moved: a kill before the next line must leave a file.
                shutil.copy(path, self.historic_predictions_bkp_path)
            write_atomically(path, cloudpickle.dumps(history))
            prediction_journal.rotate(self.full_path)

        if self.try_to_write(path, write):
            self._written = set(history)
            self._unwritten.clear()

    def save_drawer_to_disk(self) -> None:
        """Store when each pair was trained."""
        self._store_json(self.pair_dict, self.pair_dictionary_path)

    def save_metric_tracker_to_disk(self) -> None:
        """Store FreqAI's metrics, if it keeps them."""
        self._store_json(self.metric_tracker, self.metric_tracker_path)

    def save_global_metadata_to_disk(self, metadata: dict[str, Any]) -> None:
        """Store since when the bot has predicted."""
        self._store_json(metadata, self.global_metadata_path)

    def _store_json(self, content: Any, path: Path) -> None:
        with self.save_lock:
            text = rapidjson.dumps(
                content, default=self.np_encoder, number_mode=rapidjson.NM_NATIVE
            )
            self.store(text.encode(), path)

    def store(self, data: bytes, path: Path) -> None:
        """Write a whole file, or say that it cannot be written."""
        self.try_to_write(path, lambda: write_atomically(path, data))

    def try_to_write(self, path: Path, write: Callable[[], None]) -> bool:
        """Whether a file could be written; the log says once that it cannot, and that it can."""
        try:
            write()
        except OSError as error:
            if path not in self._unstored:
                logger.warning("%s cannot be written; the bot goes on: %s", path, error)
            self._unstored.add(path)
            return False
        if path in self._unstored:
            logger.warning("%s can be written again", path)
        self._unstored.discard(path)
        return True

    def append_model_predictions(
        self,
        pair: str,
        predictions: DataFrame,
        do_preds: npt.NDArray[np.int_],
        dk: FreqaiDataKitchen,
        strat_df: DataFrame,
    ) -> None:
        """Remember the newest prediction, and forget those that nobody reads back."""
        most = max(_HISTORY_ROWS, len(strat_df))
        with self.history_lock:
            history, dates = self.historic_predictions[pair], strat_df["date"]
            row = partial(newest_row, predictions, do_preds, dk, strat_df)
            table = self._tables.extended(pair, history, row, dates, most)
            if table is not None:
                self._unwritten.setdefault(pair, dates.iloc[-1])
                self.historic_predictions[pair] = table.frame
                self.model_return_values[pair] = table.shown(len(strat_df))
                return
            # FreqAI adds the candles after the last one, or overwrites it: not in a table, a copy.
            newer = dates[dates > (last := history["date_pred"].max())]
            self.historic_predictions[pair] = history.copy()
            super().append_model_predictions(pair, predictions, do_preds, dk, strat_df)
            history = self.historic_predictions[pair]
            self._unwritten.setdefault(pair, newer.iloc[0] if len(newer) else last)
            # FreqAI keeps every row for ever; the strategy's frame is all that is read back.
            self.historic_predictions[pair] = history.tail(most).reset_index(drop=True)
            self.model_return_values[pair] = history.tail(len(strat_df)).reset_index(drop=True)

    def attach_return_values_to_return_dataframe(
        self, pair: str, dataframe: DataFrame
    ) -> DataFrame:
        """The frame beside its predictions; FreqAI merges them though the dates are the same."""
        both = beside(dataframe, self.model_return_values[pair])
        if both is None:
            both = super().attach_return_values_to_return_dataframe(pair, dataframe)
        return both

    def update_historic_data(self, strategy: IStrategy, dk: FreqaiDataKitchen) -> None:
        """Once a candle for all pairs; a pair without candles or with a gap stops no other."""
        timeframe = self.config["timeframe"]
        now = utc_now()
        seconds = strategy.signal_settings.candle_seconds
        recent = closed(strategy.dp.ohlcv(dk.pair, timeframe, copy=False), now, seconds)
        kept = self.historic_data.get(dk.pair, {}).get(timeframe)
        if recent.empty or (
            kept is not None and len(kept) and kept["date"].iloc[-1] >= recent["date"].iloc[-1]
        ):
            return
        with self.history_lock:
            for pair in {dk.pair, *dk.all_pairs}:
                frames = self.historic_data.setdefault(pair, {})
                recent_candles = closed(
                    strategy.dp.get_pair_dataframe(pair, timeframe), now, seconds
                )
                before = frames.get(timeframe)
                if pair not in dk.all_pairs and has_gap(before, recent_candles, seconds):
                    # It traded while nobody looked: flat candles would teach that it did not.
                    before = None
                frames[timeframe] = extended(before, recent_candles, seconds)
        self.current_candle = recent["date"].iloc[-1]
