"""The model that FreqAI loads: windows of a backtest, predictions, and what a bot watches."""

import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import psutil
from freqtrade.constants import Config
from freqtrade.enums import RunMode
from freqtrade.freqai.data_kitchen import FreqaiDataKitchen
from freqtrade.strategy import IStrategy
from pandas import DataFrame, Index

from freqai_signals.dataset.candles import utc_now
from freqai_signals.dataset.features.mapped import rest
from freqai_signals.live.operation import LiveOperation
from freqai_signals.model.signal_model import SignalModel
from freqai_signals.model.signing import installation_key
from freqai_signals.plugin.freqai.backtest_windows import (
    SCHEDULER_KEY,
    LabelledOnce,
    WindowModels,
)
from freqai_signals.plugin.freqai.data_drawer import SignalDataDrawer
from freqai_signals.plugin.freqai.data_kitchen import (
    SignalDataKitchen,
    declare,
    keep_nothing_of_training,
    store_importances,
)
from freqai_signals.plugin.freqai.newest_candle import SharedPredictions, has_own_hooks
from freqai_signals.plugin.freqai.prediction_cache import PredictionCache
from freqai_signals.plugin.freqai.stale_files import remove_surplus
from freqai_signals.plugin.freqai.state_files import (
    repair_state,
)
from freqai_signals.plugin.freqai.thread_priority import InferencePriority
from freqai_signals.plugin.live_training import LiveTraining
from freqai_signals.plugin.pool import SETTINGS_KEY, settled_config
from freqai_signals.plugin.signal_columns import SignalColumns
from freqai_signals.schema import INCOMPLETE_MARKET, MODEL_COLUMNS
from freqai_signals.signals.outputs import NO_MODEL, output_columns, return_scales
from freqai_signals.training.model_store import ModelStore
from freqai_signals.training.worker_processes import usable_workers
from freqai_signals.tuning.window_parameters import Tuning

logger = logging.getLogger(__name__)

_RETURNED: Final = Index(MODEL_COLUMNS)

_CANDLE_BYTES: Final = 1_000
"""Memory, for each candle of a pair, while its features and labels are made."""


class LightGBMSignalClassifier(LiveTraining):
    """Three-class signal model: one per window for the whole pool, calibrated, content-addressed.

    FreqAI's windows, schedule and files are used as they are; its feature pipeline and label
    statistics are not, since the model object holds all it needs.
    """

    model: SignalModel | None

    def __init__(self, config: Config) -> None:
        # The strategy has parsed the config and settled the pool: both stand in what it passes on.
        config = settled_config(config)
        settings = config[SETTINGS_KEY]
        is_live = config["runmode"] in (RunMode.DRY_RUN, RunMode.LIVE)
        # It predicts beside trainings, and LightGBM's number of threads is one for all that a
        # process does: another one meanwhile could end the bot.
        self.signal_settings = settings.with_threads(1) if is_live else settings
        folder = Path(config["user_data_dir"])
        identifier = config["freqai"].get("identifier", "no_id_provided")
        repair_state(folder / "models" / identifier)
        super().__init__(config=config)
        # FreqAI's own plot knows no other classes than LightGBM's and XGBoost's.
        self._plotted_features = int(self.ft_params.get("plot_feature_importances", 0))
        self.plot_features = 0
        SignalDataDrawer.adopt(self.dd)
        key = installation_key(folder, self.signal_settings.registry.sign)
        most, workers = (
            self.signal_settings.storage.models,
            usable_workers(self.signal_settings.workers),
        )
        self.store = ModelStore(folder / "signals" / "models", most, key, workers)
        if config["runmode"] == RunMode.BACKTEST:
            remove_surplus(
                Path(self.full_path), folder / "signals" / "reports", self.signal_settings
            )
        self.strategy: Any = None
        scheduler = config.get(SCHEDULER_KEY, "")
        self.windows = WindowModels(self.store, self.signal_settings, scheduler)
        self.tuning = Tuning(self.signal_settings, folder, identifier, self._stop_event.is_set)
        self._priority = InferencePriority()
        self._newest_predictions = SharedPredictions(self.signal_settings.model.pool != "pair")
        self._checked: set[str] = set()
        self.operation: LiveOperation | None = None
        if is_live:
            name = config.get("bot_name") or identifier
            self.operation = LiveOperation(self.signal_settings, folder, identifier, name=name)

    # Windows: FreqAI decides when to train, these methods see to it that it trains on the pool.

    def start_backtesting(
        self, dataframe: DataFrame, metadata: dict[str, Any], dk: FreqaiDataKitchen,
        strategy: IStrategy,
    ) -> FreqaiDataKitchen:  # fmt: skip
        """Run FreqAI's windows with full pair names on disk and fingerprinted predictions."""
        self.strategy = strategy
        # freqtrade keeps the candle that opens at the end of the timerange, FreqAI leaves it out.
        dk.backtesting_timeranges[-1].stopts += self.signal_settings.candle_seconds
        SignalDataKitchen.adopt(dk, self._prediction_cache(metadata["pair"], dk))
        # Labels of the user's own may be made from features.
        own = type(strategy).set_freqai_targets is not SignalColumns.set_freqai_targets
        dk.keeps_features = not own
        labelled = LabelledOnce(strategy, self.signal_settings.candle_seconds)
        predicted = super().start_backtesting(dataframe, metadata, dk, labelled)
        rest()
        return predicted

    def model_exists(self, dk: FreqaiDataKitchen) -> bool:
        """Never: the model store knows whether the very same model was trained before."""
        return False

    def train(
        self, unfiltered_df: DataFrame, pair: str, dk: FreqaiDataKitchen, **kwargs: Any
    ) -> SignalModel:
        """The model of the current window; it abstains, with a reason, if it cannot be trained."""
        unused = set(dk.training_features_list) - set(
            self.strategy.tables.table(pair, self.strategy).features.columns
        )
        if unused:
            origin = "do not come from feature_engineering_standard and are not used"
            logger.warning("%d features %s, for example %s", len(unused), origin, min(unused))
        keep_nothing_of_training(dk)
        model: SignalModel = self.fit({"pair": pair}, dk)
        declare(dk, model, self.strategy.round_trip_cost(dk.pair))
        store_importances(model, self._plotted_features, dk)
        if model.card.reason:
            logger.warning("No model for %s, it abstains: %s", pair, model.card.reason)
        return model

    def fit(
        self, data_dictionary: dict[str, Any], dk: FreqaiDataKitchen, **kwargs: Any
    ) -> SignalModel:
        """Train this window and, where they are not at hand, those before it.

        Every model carries on the calibration history of the one before, so a window's model is the
        same whether or not the predictions of earlier windows came from the cache.
        """
        pool = self._pool(data_dictionary["pair"])
        ranges = dk.training_timeranges
        run = [self._window(w) for w in ranges]
        tables = self.strategy.tables
        rows = partial(
            tables.run_rows, pool, self.strategy, run=run, after_each=rest,
            at_a_time=self._tables_at_a_time(pool),
        )  # fmt: skip
        now = self.training_timerange.stopts
        return self.windows.serving(
            (*pool, ranges[0].startts),
            [w for w in ranges if w.stopts <= now],
            lambda w, old: self.tuning.request(pool, rows(self._window(w)), w.stopts, old),
            later=[w for w in ranges if w.stopts > now],
        )

    def _tables_at_a_time(self, pool: Sequence[str]) -> int:
        """How many pairs' features and labels are made by threads; a user's own hook by one."""
        if has_own_hooks(self.strategy):
            return 1
        longest = 1
        for pair in pool:
            # What may have to be loaded, or asked of the exchange.
            longest = max(longest, len(self.strategy.training_candles(pair)))
            self.strategy.round_trip_cost(pair)
        fitting = int(psutil.virtual_memory().available) // (longest * _CANDLE_BYTES)
        return max(min(self.store.workers, fitting), 1)

    def predict(
        self, unfiltered_df: DataFrame, dk: FreqaiDataKitchen, **kwargs: Any
    ) -> tuple[DataFrame, npt.NDArray[np.int_]]:
        """Contract columns for every row, and whether each can be trusted."""
        if self.operation is not None:
            self.model = self.operation.model(dk.pair, self.model)
        model, cost = self.model or NO_MODEL, self.strategy.round_trip_cost(dk.pair)
        newest = dk.newest if isinstance(dk, SignalDataKitchen) else None
        if newest is not None:
            candles = unfiltered_df.iloc[-1:]
            features, scale = newest.row.frame, newest.scale
            prediction = self._newest_predictions.of(model, newest.row)
        else:
            dk.find_features(unfiltered_df)
            candles = features = (
                dk.inputs(unfiltered_df) if isinstance(dk, SignalDataKitchen) else unfiltered_df
            )
            scale, prediction = return_scales(features), model.predict(features)
        traded = candles["volume"].to_numpy() > 0
        columns, trust = output_columns(model, prediction, scale, cost, traded, dk.pair)
        declare(dk, self.model, cost)
        if self.live:
            opened, now = candles["date"], utc_now()
            if opened.iloc[-1] > now:
                trust[(opened > now).to_numpy()] = 0
            if self._market_is_incomplete(opened.iloc[-1]):
                trust[-1] = INCOMPLETE_MARKET
        # After the mark: what the strategy does not trust is not watched either.
        if self.operation is not None:
            self.operation.observe(dk.pair, self.model, candles, features, trust)
        dk.do_predict, dk.DI_values = trust, np.zeros(len(trust))
        return DataFrame(np.array([*columns.values()]).T, columns=_RETURNED, copy=False), trust

    def _on_stop(self) -> None:
        try:
            super()._on_stop()
        finally:
            if self.operation is not None:
                self.operation.close()

    def fit_live_predictions(self, dk: FreqaiDataKitchen, pair: str) -> None:
        """Nothing to fit, the columns are probabilities already; but FreqAI wants its entries."""
        declare(dk, self.model, self.strategy.round_trip_cost(dk.pair))

    def _prediction_cache(self, pair: str, dk: FreqaiDataKitchen) -> PredictionCache:
        windows = [(window.startts, window.stopts) for window in dk.training_timeranges]
        tuned = partial(self.tuning.digest, self._pool(pair))
        return PredictionCache(self._recipe(pair), self.strategy.digests.until, windows, tuned)
