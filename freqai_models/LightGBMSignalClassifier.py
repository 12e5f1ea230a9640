"""FreqAI adapter of freqai_signals: reads from freqtrade, calls the package, writes columns back."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from datasieve.pipeline import Pipeline
from freqtrade.configuration import TimeRange
from freqtrade.constants import Config
from freqtrade.exceptions import OperationalException
from freqtrade.freqai.data_kitchen import FreqaiDataKitchen
from freqtrade.freqai.freqai_interface import IFreqaiModel
from freqtrade.strategy import IStrategy
from pandas import DataFrame

from freqai_signals.models.fit import Request
from freqai_signals.models.prediction_cache import PredictionCache, Recipe
from freqai_signals.models.signal_model import SignalModel
from freqai_signals.models.store import ModelStore
from freqai_signals.schema import MODEL_COLUMNS, TRUST_COLUMN
from freqai_signals.config import SettingsError, pool_pairs, settings_from_config
from freqai_signals.signals.outputs import model_outputs, window_facts
from freqai_signals.training.features import feature_memory
from freqai_signals.training.panel import Table, candle_digest, training_rows
from freqai_signals.training.rows import Window

logger = logging.getLogger(__name__)


class LightGBMSignalClassifier(IFreqaiModel):
    """Three-class signal model: one per window for the whole pool, calibrated, content-addressed.

    FreqAI's windows, schedule and files are used as they are; its feature pipeline and label
    statistics are not, since the model object holds all it needs.
    """

    def __init__(self, config: Config) -> None:
        try:
            self.signal_settings = settings_from_config(config)
        except SettingsError as error:
            raise OperationalException(str(error)) from error
        super().__init__(config=config)
        self.store = ModelStore(Path(config["user_data_dir"]) / "signals" / "models")
        self.strategy: Any = None
        self._tables: dict[str, tuple[str, Table]] = {}
        self._models: dict[tuple[Any, ...], SignalModel] = {}

    # Windows: FreqAI decides when to train, these methods see to it that it trains on the pool.

    def start_backtesting(
        self, dataframe: DataFrame, metadata: dict, dk: FreqaiDataKitchen, strategy: IStrategy
    ) -> FreqaiDataKitchen:
        """Run FreqAI's windows with full pair names on disk and fingerprinted predictions."""
        self.strategy = strategy
        # freqtrade keeps the candle that opens at the end of the timerange, FreqAI leaves it out.
        dk.backtesting_timeranges[-1].stopts += self.signal_settings.candle_seconds
        _adopt(dk, self._prediction_cache(metadata["pair"], dk))
        return super().start_backtesting(dataframe, metadata, dk, strategy)

    def start_live(
        self, dataframe: DataFrame, metadata: dict, strategy: IStrategy, dk: FreqaiDataKitchen
    ) -> FreqaiDataKitchen:
        """Predict the newest candle, with full pair names on disk."""
        self.strategy = strategy
        _adopt(dk)
        return super().start_live(dataframe, metadata, strategy, dk)

    def extract_data_and_train_model(
        self,
        new_trained_timerange: TimeRange,
        pair: str,
        strategy: IStrategy,
        dk: FreqaiDataKitchen,
        data_load_timerange: TimeRange,
    ) -> None:
        """Train live on what has closed by now."""
        _adopt(dk)
        dk.training_timeranges = [new_trained_timerange.copy()]
        super().extract_data_and_train_model(
            new_trained_timerange, pair, strategy, dk, data_load_timerange
        )

    def model_exists(self, dk: FreqaiDataKitchen) -> bool:
        """Never: the model store knows whether the very same model was trained before."""
        return False

    def train(
        self, unfiltered_df: DataFrame, pair: str, dk: FreqaiDataKitchen, **kwargs: Any
    ) -> SignalModel:
        """The model of the current window; it abstains, with a reason, if it cannot be trained."""
        unused = set(dk.training_features_list) - set(self._table(pair).features.columns)
        if unused:
            logger.warning(
                "%d features do not come from feature_engineering_standard and are not used, "
                "for example %s",
                len(unused),
                min(unused),
            )
        # FreqAI stores these beside a model; ours needs none of them.
        dk.feature_pipeline, dk.label_pipeline = Pipeline(steps=[]), Pipeline(steps=[])
        dk.data_dictionary = {"train_features": DataFrame(), "train_dates": DataFrame()}
        model: SignalModel = self.fit({"pair": pair}, dk)
        _declare(dk, model)
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
        settings = self.signal_settings
        model: SignalModel | None = None
        for timerange in dk.training_timeranges:
            if not self.live and timerange.stopts > self.training_timerange.stopts:
                break
            name = (*pool, dk.training_timeranges[0].startts, timerange.stopts)
            if name not in self._models:
                window = Window(
                    timerange.startts // settings.candle_seconds + feature_memory(settings),
                    timerange.stopts // settings.candle_seconds,
                    settings.label_horizon_candles,
                    settings.model.row_step,
                )
                rows = training_rows({p: self._table(p) for p in pool}, window)
                self._models[name] = self.store.train(Request(rows, settings, model))
            model = self._models[name]
        assert model is not None
        return model

    def predict(
        self, unfiltered_df: DataFrame, dk: FreqaiDataKitchen, **kwargs: Any
    ) -> tuple[DataFrame, npt.NDArray[np.int_]]:
        """Contract columns for every row, and whether each can be trusted."""
        dk.find_features(unfiltered_df)
        outputs = model_outputs(
            self.model,
            unfiltered_df,
            self.strategy.round_trip_cost(dk.pair),
            unfiltered_df["volume"].to_numpy() > 0,
        )
        _declare(dk, self.model)
        dk.do_predict = outputs[TRUST_COLUMN].to_numpy()
        dk.DI_values = np.zeros(len(outputs))
        return outputs[list(MODEL_COLUMNS)], dk.do_predict

    def fit_live_predictions(self, dk: FreqaiDataKitchen, pair: str) -> None:
        """Nothing to fit: the columns are probabilities already. FreqAI wants its entries, though."""
        _declare(dk, self.model)

    def _pool(self, pair: str) -> tuple[str, ...]:
        if self.signal_settings.model.pool == "pair":
            return (pair,)
        return pool_pairs(self.signal_settings, self.config)

    def _table(self, pair: str) -> Table:
        """Features and labels of a pair over all candles at hand, by the strategy's own hooks."""
        candles = self.strategy.training_candles(pair)
        key = candle_digest(candles)
        if pair not in self._tables or self._tables[pair][0] != key:
            metadata = {"pair": pair}
            frame = self.strategy.feature_engineering_standard(candles, metadata=metadata)
            frame = self.strategy.set_freqai_targets(frame, metadata=metadata)
            self._tables[pair] = (key, Table.of(frame, self.signal_settings.candle_seconds))
        return self._tables[pair][1]

    def _prediction_cache(self, pair: str, dk: FreqaiDataKitchen) -> PredictionCache:
        recipe = Recipe(
            settings=self.signal_settings,
            pair=pair,
            pool=tuple(sorted({pair, *pool_pairs(self.signal_settings, self.config)})),
            strategy_files=_sources(self.strategy),
            cost=self.strategy.round_trip_cost(pair),
        )
        first = dk.training_timeranges[0].startts
        return PredictionCache(recipe, self.strategy.training_candles, first)


class _SignalKitchen(FreqaiDataKitchen):
    """FreqAI's kitchen with two mends: files named by the full pair, caches with a fingerprint.

    FreqAI names folders and files after the base coin, so BTC/USDT and BTC/USDC would share them.
    """

    prediction_cache: PredictionCache | None = None

    def set_paths(self, pair: str, trained_timestamp: int | None = None) -> None:
        self.full_path = self.get_full_models_path(self.config)
        self.data_path = Path(self.full_path / f"sub-train-{_slug(pair)}_{trained_timestamp}")

    def set_new_model_names(self, pair: str, timestamp_id: int) -> None:
        self.set_paths(pair, timestamp_id)
        self.model_filename = f"cb_{_slug(pair).lower()}_{timestamp_id}"

    def check_if_backtest_prediction_is_valid(self, len_backtest_df: int) -> bool:
        name = f"{self.model_filename}_prediction.feather"
        self.backtesting_results_path = self.full_path / self.backtest_predictions_folder / name
        cache, path = self.prediction_cache, self.backtesting_results_path
        if cache is None or not cache.holds(path, self._stop()) or not self._metadata_is_whole():
            return False
        return bool(super().check_if_backtest_prediction_is_valid(len_backtest_df))

    def save_backtesting_prediction(self, append_df: DataFrame) -> None:
        if self.prediction_cache is not None:
            self.prediction_cache.write(self.backtesting_results_path, append_df, self._stop())

    def _stop(self) -> int:
        """End of the backtest window whose training window the current file is named after."""
        trained = int(self.model_filename.rsplit("_", 1)[1])
        stops = {
            int(train.stopts): int(test.stopts)
            for train, test in zip(
                self.training_timeranges, self.backtesting_timeranges, strict=False
            )
        }
        return stops[trained]

    def _metadata_is_whole(self) -> bool:
        path = self.data_path / f"{self.model_filename}_metadata.json"
        try:
            return "training_features_list" in pd.read_json(path, typ="series")
        except (OSError, ValueError):
            logger.info("%s is missing or damaged; its window is made anew", path.name)
            return False


def _adopt(dk: FreqaiDataKitchen, cache: PredictionCache | None = None) -> None:
    # FreqAI makes the kitchen itself, without a hook; its state is all in the instance.
    dk.__class__ = _SignalKitchen
    dk.prediction_cache = cache


def _slug(pair: str) -> str:
    return pair.replace("/", "_").replace(":", "_")


def _declare(dk: FreqaiDataKitchen, model: SignalModel | None) -> None:
    """Give FreqAI the entries without which it drops our columns or fails live.

    The dictionaries are new ones: FreqAI's own are shared between pairs and with the config.
    """
    dk.data["labels_mean"] = dict.fromkeys(MODEL_COLUMNS, 0.0)
    dk.data["labels_std"] = dict.fromkeys(MODEL_COLUMNS, 0.0)
    dk.data["extra_returns_per_train"] = window_facts(model)


def _sources(strategy: IStrategy) -> tuple[Path, ...]:
    """Files that define the strategy, freqtrade's own left out."""
    files = {
        getattr(kind, "__file__", None)
        for kind in type(strategy).__mro__
        if not kind.__module__.startswith(("freqtrade", "builtins", "abc"))
    }
    return tuple(sorted(Path(file) for file in files if file))
