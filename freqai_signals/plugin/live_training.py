"""A running bot's trainings: one model for the whole pool, whichever pair FreqAI asks for."""

import logging
from collections.abc import Collection
from functools import partial
from typing import Any

import pandas as pd
from freqtrade.configuration import TimeRange
from freqtrade.freqai.data_kitchen import FreqaiDataKitchen
from freqtrade.freqai.freqai_interface import IFreqaiModel
from freqtrade.strategy import IStrategy
from pandas import DataFrame

from freqai_signals.config import pool_pairs
from freqai_signals.dataset.candles import late_pairs
from freqai_signals.dataset.pair_tables import training_window
from freqai_signals.dataset.rows import Window
from freqai_signals.live.operation import LiveOperation
from freqai_signals.model.signal_model import SignalModel
from freqai_signals.plugin.freqai.backtest_windows import LabelledOnce, WindowModels
from freqai_signals.plugin.freqai.data_drawer import SignalDataDrawer
from freqai_signals.plugin.freqai.data_kitchen import (
    SignalDataKitchen,
    declare,
    keep_nothing_of_training,
    store_importances,
)
from freqai_signals.plugin.freqai.newest_candle import newest_inputs
from freqai_signals.plugin.freqai.prediction_cache import Recipe, listed_costs
from freqai_signals.plugin.freqai.retrain_schedule import RetrainStep, Trained, newest, next_step
from freqai_signals.plugin.freqai.state_files import (
    INPUTS_FILE,
    all_inputs,
    changed_inputs,
)
from freqai_signals.plugin.freqai.thread_priority import InferencePriority, low_priority
from freqai_signals.plugin.pool import training_pairs
from freqai_signals.plugin.signal_columns import MODEL_HOOKS
from freqai_signals.provenance import hook_files, method_files
from freqai_signals.schema import LABEL_COLUMN
from freqai_signals.settings import SignalSettings
from freqai_signals.training.model_store import ModelStore
from freqai_signals.tuning.window_parameters import Tuning

logger = logging.getLogger(__name__)


def _at_hand(model: SignalModel) -> str:
    """What the log says of the model that a pair takes over, in the gate's words."""
    if model.card.refused:
        return f"the pool's newest model {model.card.version} was refused by the gate"
    return f"the pool's newest model {model.card.version} is at hand"


class LiveTraining(IFreqaiModel):
    """What a model of FreqAI does in a dry or live run, where FreqAI asks pair by pair.

    A pair that is due reuses the pool's newest model or trains the next one for all.
    """

    signal_settings: SignalSettings
    store: ModelStore
    tuning: Tuning
    operation: LiveOperation | None
    strategy: Any
    _priority: InferencePriority
    _checked: set[str]
    _plotted_features: int

    def start_live(
        self, dataframe: DataFrame, metadata: dict[str, Any], strategy: IStrategy,
        dk: FreqaiDataKitchen,
    ) -> FreqaiDataKitchen:  # fmt: skip
        """Predict the newest candle, with full pair names on disk."""
        self.strategy = strategy
        self._priority.decides()
        SignalDataKitchen.adopt(dk)
        if metadata["pair"] in self.dd.model_return_values:
            # The first time FreqAI predicts the whole frame.
            dk.newest_inputs = partial(newest_inputs, strategy, metadata["pair"])
        self._forget_models_of_other_inputs(metadata["pair"])
        self._serve_at_once(metadata["pair"], dk)
        # FreqAI's queue knows the whitelist of the start only, and drops whom pairlists leave out;
        # freqtrade still asks for these while a trade is open.
        listed = metadata["pair"] in strategy.dp.current_whitelist()
        if listed and metadata["pair"] not in self.train_queue:
            self.train_queue.append(metadata["pair"])
        dk = super().start_live(dataframe, metadata, strategy, dk)
        self._priority.decides()
        return dk

    def build_strategy_return_arrays(
        self, dataframe: DataFrame, dk: FreqaiDataKitchen, pair: str, trained_timestamp: int
    ) -> None:
        """Predict the newest candle also where FreqAI only fills its table of predictions."""
        only_fills = pair not in self.dd.model_return_values
        # What FreqAI got is 0 for a pair that is due; its model is no older for that.
        trained = self._trained(pair)
        super().build_strategy_return_arrays(dataframe, dk, pair, trained)
        if only_fills:
            super().build_strategy_return_arrays(dataframe, dk, pair, trained)
        # Predictions must survive a kill: repeats of signals are counted on it.
        self.dd.store_predictions(pair, self.strategy.dp.current_whitelist())
        self.store.save_again()

    def extract_data_and_train_model(
        self, new_trained_timerange: TimeRange, pair: str, strategy: IStrategy,
        dk: FreqaiDataKitchen, data_load_timerange: TimeRange,
    ) -> None:  # fmt: skip
        """When a pair is due: reuse the pool's newest model, or train the next one for all."""
        SignalDataKitchen.adopt(dk)
        pool = self._pool(pair)
        latest, now = self._newest(pair), new_trained_timerange.stopts
        model = self.dd.served(latest.pair) if latest else None
        patience = 3600 * self.freqai_info["live_retrain_hours"]
        if (
            latest is None
            or model is None
            or latest.time <= self.dd.due.get(pair, 0)
            or next_step(self._trained(pair), latest, now, patience) is RetrainStep.TRAIN
        ):
            # Not a decorator: hyperopt pickles this class, and one would hold a generator.
            with low_priority():
                model = self._train_pool(pool, pair, new_trained_timerange, model)
            trained = now
        else:
            trained = latest.time
            logger.info("%s: %s, none is trained", pair, _at_hand(model))
        self._serve(pair, model, trained, dk)

    def _newest(self, pair: str) -> Trained | None:
        """Whose model is the newest that may serve a pair."""
        return newest({name: self._trained(name) for name in self._sharing(pair)})

    def _sharing(self, pair: str) -> set[str]:
        """Pairs with which a pair shares its model."""
        # Also pairs outside the pool: where pairlists left no pair of it, they train its models.
        joined = set() if self.signal_settings.model.pool == "pair" else self._checked
        return {p for p in {*self._pool(pair), *joined} if p in self.dd.pair_dict}

    def _trained(self, pair: str) -> int:
        """When a pair's model was trained, seconds since 1970; 0 if it has none."""
        entry = self.dd.pair_dict.get(pair)
        return int(entry["trained_timestamp"]) if entry else 0

    def _serve_at_once(self, pair: str, dk: FreqaiDataKitchen) -> None:
        """A pair that joins is served by the pool's model, without waiting for FreqAI's queue.

        So is one that comes back after so long that what it had has expired.
        """
        own = self._trained(pair)
        if own and not dk.check_if_model_expired(own):
            return
        latest = self._newest(pair)
        # The model is read last: this is asked at every candle of a pair whose model has expired.
        if latest is None or latest.time <= own:
            return
        model = self.dd.served(latest.pair)
        if model is not None:
            logger.info("%s joins; the pool's model serves it: %s", pair, model.card.version)
            self._serve(pair, model, latest.time, dk)

    def retrain_early(self, pair: str) -> None:
        """Make the pool's models due now; FreqAI's thread trains one, the other pairs adopt it."""
        latest = self._newest(pair)
        if latest is not None:
            self.dd.due.update(dict.fromkeys(self._sharing(pair), latest.time))

    def schedule(self, pairs: Collection[str]) -> dict[str, int]:
        """When models are trained next and expire, seconds since 1970; the earliest of all pairs.

        0 where FreqAI plans neither.
        """
        trained = map(self._trained, pairs)
        first = min((moment for moment in trained if moment), default=0)
        if not first:
            return {}
        hours = self.freqai_info
        found = {"next_training": first + int(3600 * hours["live_retrain_hours"])}
        if hours.get("expiration_hours", 0) > 0:
            found["expires"] = first + int(3600 * hours["expiration_hours"])
        return found

    def _train_pool(
        self, pool: tuple[str, ...], pair: str, timerange: TimeRange, previous: SignalModel | None
    ) -> SignalModel:
        """The next model from all candles at hand; one pair's features are kept at a time.

        Whether it serves is the gate's decision; either way the next one carries on from it.
        """
        wait, window = self._priority.wait, self._window(timerange)
        taught = pool
        if self.signal_settings.model.pool != "pair":
            traded = self.strategy.dp.current_whitelist()
            taught = training_pairs(self.signal_settings, pool, traded)
        about = taught[0] if len(taught) == 1 else f"the pool of {len(taught)} pairs"
        notices = self.operation.notices if self.operation else None
        if notices:
            notices.training_started(about, timerange.stopts)
        failure = "it was broken off"
        try:
            rows = self.strategy.tables.uncached_rows(taught, self.strategy, window, wait)
            model = self.store.train(self.tuning.request(pool, rows, timerange.stopts, previous))
            failure = model.card.reason
        except Exception as error:
            failure = f"{type(error).__name__}: {error}"
            raise
        finally:
            if notices:
                notices.training_ended(about, failure)
        if model.card.reason:
            logger.warning("The pool's new model abstains: %s", model.card.reason)
        return self.operation.promote(pair, model, rows) if self.operation else model

    def _serve(self, pair: str, model: SignalModel, trained: int, dk: FreqaiDataKitchen) -> None:
        """Let FreqAI store and use a model for a pair; the features of training are not kept."""
        keep_nothing_of_training(dk)
        dk.training_features_list, dk.label_list = list(model.names), [LABEL_COLUMN]
        declare(dk, model, self.strategy.round_trip_cost(pair))
        dk.set_new_model_names(pair, trained)
        self.dd.save_data(model, pair, dk)
        plotted = self._plotted_features
        self.dd.try_to_write(dk.data_path, lambda: store_importances(model, plotted, dk))
        self.dd.pair_dict[pair]["trained_timestamp"] = trained
        if trained > self.dd.due.get(pair, trained):
            del self.dd.due[pair]
        path, inputs = self.full_path, all_inputs(self.full_path, pair, self._recipe(pair).parts())
        self.dd.store(inputs.encode(), path / INPUTS_FILE)
        self.dd.save_drawer_to_disk()
        self.dd.purge_old_models()

    def _forget_models_of_other_inputs(self, pair: str) -> None:
        """Once a pair after a start: drop a damaged model, or one of other settings, code or pool.

        FreqAI would use it until the next retraining, whatever has changed since. All pairs that
        may be traded are looked at with the first, before anything is trained from their models.
        """
        names = {pair, *pool_pairs(self.signal_settings, self.config)} - self._checked
        self._checked |= names
        for name in sorted(names):
            if self._trained(name):
                parts = self._recipe(name).parts()
                self.dd.keep_model_unless(name, changed_inputs(self.full_path, name, parts))

    def _market_is_incomplete(self, date: pd.Timestamp) -> bool:
        """Whether features of the market would lack a candle that is only late."""
        if "cross_asset" not in self.signal_settings.features.groups:
            return False
        pool = pool_pairs(self.signal_settings, self.config)
        shown = {pair: self.strategy.newest_candle(pair) for pair in pool}
        late = late_pairs(shown, date, self.signal_settings.candle_seconds)
        if late:
            logger.warning("No prediction for %s: the candle of %s is late", date, ", ".join(late))
        return bool(late)

    def _pool(self, pair: str) -> tuple[str, ...]:
        if self.signal_settings.model.pool == "pair":
            return (pair,)
        return pool_pairs(self.signal_settings, self.config)

    def _window(self, timerange: TimeRange) -> Window:
        return training_window(timerange.startts, timerange.stopts, self.signal_settings)

    def _recipe(self, pair: str) -> Recipe:
        pool = tuple(sorted({pair, *pool_pairs(self.signal_settings, self.config)}))
        return Recipe(
            settings=self.signal_settings,
            pair=pair,
            pool=pool,
            adapter_files=(
                *hook_files(type(self.strategy), MODEL_HOOKS),
                *method_files(
                    type(self), SignalDataKitchen, SignalDataDrawer, WindowModels, LabelledOnce
                ),
            ),
            costs=listed_costs(pool, self.strategy.round_trip_cost),
        )
