"""FreqAI adapter of freqai_signals: reads from freqtrade, calls the package, writes back."""

import inspect
import logging
import time
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
import numpy.typing as npt
import pandas as pd
import rapidjson
from datasieve.pipeline import Pipeline
from freqtrade.configuration import TimeRange
from freqtrade.constants import Config
from freqtrade.enums import RunMode
from freqtrade.exceptions import OperationalException
from freqtrade.freqai.data_drawer import FreqaiDataDrawer
from freqtrade.freqai.data_kitchen import FreqaiDataKitchen
from freqtrade.freqai.freqai_interface import IFreqaiModel
from freqtrade.strategy import IStrategy
from pandas import DataFrame

from freqai_signals.config import SettingsError, pool_pairs, settings_from_config
from freqai_signals.evaluation.operation import LiveOperation
from freqai_signals.models.artefact import write_atomically
from freqai_signals.models.fit import Request
from freqai_signals.models.freqai_state import (
    INPUTS_FILE,
    all_inputs,
    changed_inputs,
    repair_state,
    with_columns,
)
from freqai_signals.models.prediction_cache import PredictionCache, Recipe
from freqai_signals.models.promotion import window_serving
from freqai_signals.models.signal_model import SignalModel
from freqai_signals.models.store import ModelStore
from freqai_signals.models.turns import Turn, newest, next_turn
from freqai_signals.schema import INCOMPLETE_MARKET, LABEL_COLUMN, MODEL_COLUMNS, TRUST_COLUMN
from freqai_signals.signals.outputs import model_outputs, window_facts
from freqai_signals.training.history import extended
from freqai_signals.training.lateness import late_pairs
from freqai_signals.training.panel import Table, candle_digest, training_rows, training_window
from freqai_signals.training.rows import Window, pool_rows

logger = logging.getLogger(__name__)

_HISTORY_ROWS = 6000


class LightGBMSignalClassifier(IFreqaiModel):
    """Three-class signal model: one per window for the whole pool, calibrated, content-addressed.

    FreqAI's windows, schedule and files are used as they are; its feature pipeline and label
    statistics are not, since the model object holds all it needs.
    """

    model: SignalModel | None

    def __init__(self, config: Config) -> None:
        try:
            self.signal_settings = settings_from_config(config)
        except SettingsError as error:
            raise OperationalException(str(error)) from error
        identifier = config["freqai"].get("identifier", "no_id_provided")
        repair_state(Path(config["user_data_dir"]) / "models" / identifier)
        super().__init__(config=config)
        _adopt_drawer(self.dd)
        self.store = ModelStore(Path(config["user_data_dir"]) / "signals" / "models")
        self.strategy: Any = None
        self._tables: dict[str, tuple[str, Table]] = {}
        # Of each window: the newly trained model, and the one that serves.
        self._models: dict[tuple[Any, ...], SignalModel] = {}
        self._serving: dict[tuple[Any, ...], SignalModel] = {}
        self._inputs_checked = False
        self.operation: LiveOperation | None = None
        if config["runmode"] in (RunMode.DRY_RUN, RunMode.LIVE):
            folder = Path(config["user_data_dir"])
            self.operation = LiveOperation(self.signal_settings, folder, identifier)

    # Windows: FreqAI decides when to train, these methods see to it that it trains on the pool.

    def start_backtesting(
        self,
        dataframe: DataFrame,
        metadata: dict[str, Any],
        dk: FreqaiDataKitchen,
        strategy: IStrategy,
    ) -> FreqaiDataKitchen:
        """Run FreqAI's windows with full pair names on disk and fingerprinted predictions."""
        self.strategy = strategy
        # freqtrade keeps the candle that opens at the end of the timerange, FreqAI leaves it out.
        dk.backtesting_timeranges[-1].stopts += self.signal_settings.candle_seconds
        _adopt(dk, self._prediction_cache(metadata["pair"], dk))
        return super().start_backtesting(dataframe, metadata, dk, strategy)

    def start_live(
        self,
        dataframe: DataFrame,
        metadata: dict[str, Any],
        strategy: IStrategy,
        dk: FreqaiDataKitchen,
    ) -> FreqaiDataKitchen:
        """Predict the newest candle, with full pair names on disk."""
        self.strategy = strategy
        _adopt(dk)
        self._forget_models_of_other_inputs(metadata["pair"])
        # FreqAI's queue knows the whitelist of the start only.
        if metadata["pair"] not in self.train_queue:
            self.train_queue.append(metadata["pair"])
        return super().start_live(dataframe, metadata, strategy, dk)

    def build_strategy_return_arrays(
        self, dataframe: DataFrame, dk: FreqaiDataKitchen, pair: str, trained_timestamp: int
    ) -> None:
        """Predict the newest candle also where FreqAI only fills its table of predictions."""
        only_fills = pair not in self.dd.model_return_values
        super().build_strategy_return_arrays(dataframe, dk, pair, trained_timestamp)
        if only_fills:
            super().build_strategy_return_arrays(dataframe, dk, pair, trained_timestamp)
        # What was said must survive a kill: repeats and shares of signals are counted on it.
        if pair == self.config["exchange"]["pair_whitelist"][-1]:
            self.dd.save_historic_predictions_to_disk()

    def extract_data_and_train_model(
        self,
        new_trained_timerange: TimeRange,
        pair: str,
        strategy: IStrategy,
        dk: FreqaiDataKitchen,
        data_load_timerange: TimeRange,
    ) -> None:
        """A pair's turn: adopt the pool's newest model, or train the next one for all."""
        _adopt(dk)
        pool = self._pool(pair)
        known = [p for p in pool if p in self.dd.pair_dict]
        latest = newest({p: self.dd.get_pair_dict_info(p)[1] for p in known})
        model = self._served(latest.pair) if latest else None
        own, now = self.dd.get_pair_dict_info(pair)[1], new_trained_timerange.stopts
        patience = 3600 * self.freqai_info["live_retrain_hours"]
        if latest is None or model is None or next_turn(own, latest, now, patience) is Turn.TRAIN:
            model, trained = self._train_pool(pool, pair, new_trained_timerange, model), now
        else:
            trained = latest.time
            logger.info("%s adopts the pool's model %s", pair, model.card.version)
        self._serve(pair, model, trained, dk)

    def retrain_early(self, pair: str) -> None:
        """Make the pool's models due now; FreqAI's thread trains one, the other pairs adopt it."""
        due = int(time.time() - 3600 * self.freqai_info["live_retrain_hours"]) - 1
        for name in self._pool(pair):
            entry = self.dd.pair_dict.get(name)
            if entry is not None:
                entry["trained_timestamp"] = min(entry["trained_timestamp"], due)

    def _train_pool(
        self, pool: tuple[str, ...], pair: str, timerange: TimeRange, previous: SignalModel | None
    ) -> SignalModel:
        """The next model from all candles at hand; one pair's features are kept at a time.

        Whether it serves is for the gate to say; either way the next one carries on from it.
        """
        window = self._window(timerange)
        parts = [
            training_rows({p: self._new_table(p)}, window)
            for p in pool
            if len(self.strategy.training_candles(p))
        ]
        rows = pool_rows([part for part in parts if len(part)] or parts[:1])
        model = self.store.train(Request(rows, self.signal_settings, previous))
        if model.card.reason:
            logger.warning("The pool's new model abstains: %s", model.card.reason)
        return self.operation.promote(pair, model, rows) if self.operation else model

    def _serve(self, pair: str, model: SignalModel, trained: int, dk: FreqaiDataKitchen) -> None:
        """Let FreqAI store and use a model for a pair; the features of training are not kept."""
        dk.feature_pipeline, dk.label_pipeline = Pipeline(steps=[]), Pipeline(steps=[])
        dk.data_dictionary = {"train_features": DataFrame(), "train_dates": DataFrame()}
        dk.training_features_list, dk.label_list = list(model.names), [LABEL_COLUMN]
        _declare(dk, model)
        dk.set_new_model_names(pair, trained)
        self.dd.save_data(model, pair, dk)
        self.dd.pair_dict[pair]["trained_timestamp"] = trained
        inputs = all_inputs(self.full_path, pair, self._recipe(pair).parts())
        write_atomically(self.full_path / INPUTS_FILE, inputs.encode())
        self.dd.save_drawer_to_disk()
        self.dd.purge_old_models()

    def _served(self, pair: str) -> SignalModel | None:
        """The model that FreqAI has stored for a pair; None if there is none or it is damaged."""
        kitchen = FreqaiDataKitchen(self.config, True, pair)
        _adopt(kitchen)
        try:
            model = self.dd.load_data(pair, kitchen)
        # Unpickling damaged bytes may raise nearly anything.
        except Exception as error:  # noqa: BLE001
            logger.warning("The stored model of %s cannot be read: %s", pair, error)
            return None
        return model if isinstance(model, SignalModel) else None

    def _forget_models_of_other_inputs(self, pair: str) -> None:
        """Once after a start: drop models of other settings, code or pools, and damaged ones.

        FreqAI would use them until the next retraining, whatever has changed since.
        """
        if self._inputs_checked:
            return
        self._inputs_checked = True
        for name in {pair, *self._pool(pair)}:
            if not self.dd.get_pair_dict_info(name)[1]:
                continue
            changed = changed_inputs(self.full_path, name, self._recipe(name).parts())
            if changed or self._served(name) is None:
                reason = f"changed since: {', '.join(changed)}" if changed else "damaged"
                logger.warning("The stored model of %s is not used, %s", name, reason)
                self.dd.pair_dict[name] = self.dd.empty_pair_dict.copy()
                self.dd.model_dictionary.pop(name, None)

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
        serving: SignalModel | None = None
        for timerange in dk.training_timeranges:
            if timerange.stopts > self.training_timerange.stopts:
                break
            name = (*pool, dk.training_timeranges[0].startts, timerange.stopts)
            if name not in self._models:
                tables = {p: self._table(p) for p in pool}
                rows = training_rows(tables, self._window(timerange))
                new = self.store.train(Request(rows, settings, model))
                self._models[name] = new
                self._serving[name] = window_serving(new, serving, rows, settings)
            model, serving = self._models[name], self._serving[name]
        assert serving is not None
        return serving

    def predict(
        self, unfiltered_df: DataFrame, dk: FreqaiDataKitchen, **kwargs: Any
    ) -> tuple[DataFrame, npt.NDArray[np.int_]]:
        """Contract columns for every row, and whether each can be trusted."""
        dk.find_features(unfiltered_df)
        if self.operation is not None:
            self.model = self.operation.model(dk.pair, self.model)
        outputs = model_outputs(
            self.model,
            unfiltered_df,
            self.strategy.round_trip_cost(dk.pair),
            unfiltered_df["volume"].to_numpy() > 0,
        )
        if self.operation is not None:
            self.operation.saw(dk.pair, self.model, unfiltered_df, outputs)
        _declare(dk, self.model)
        if self.live and self._market_is_incomplete(unfiltered_df["date"].iloc[-1]):
            outputs.loc[outputs.index[-1], TRUST_COLUMN] = INCOMPLETE_MARKET
        dk.do_predict = outputs[TRUST_COLUMN].to_numpy()
        dk.DI_values = np.zeros(len(outputs))
        return outputs[list(MODEL_COLUMNS)], dk.do_predict

    def _on_stop(self) -> None:
        super()._on_stop()
        if self.operation is not None:
            self.operation.close()

    def fit_live_predictions(self, dk: FreqaiDataKitchen, pair: str) -> None:
        """Nothing to fit, the columns are probabilities already; but FreqAI wants its entries."""
        _declare(dk, self.model)

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

    def _table(self, pair: str) -> Table:
        """Features and labels of a pair, computed once per set of candles."""
        key = candle_digest(self.strategy.training_candles(pair))
        if pair not in self._tables or self._tables[pair][0] != key:
            self._tables[pair] = (key, self._new_table(pair))
        return self._tables[pair][1]

    def _new_table(self, pair: str) -> Table:
        """Features and labels of a pair over all candles at hand, by the strategy's own hooks."""
        metadata, candles = {"pair": pair}, self.strategy.training_candles(pair)
        frame = self.strategy.feature_engineering_standard(candles, metadata=metadata)
        frame = self.strategy.set_freqai_targets(frame, metadata=metadata)
        return Table.of(frame, self.signal_settings.candle_seconds)

    def _prediction_cache(self, pair: str, dk: FreqaiDataKitchen) -> PredictionCache:
        windows = [(window.startts, window.stopts) for window in dk.training_timeranges]
        return PredictionCache(self._recipe(pair), self.strategy.training_candles, windows)

    def _recipe(self, pair: str) -> Recipe:
        pool = tuple(sorted({pair, *pool_pairs(self.signal_settings, self.config)}))
        return Recipe(
            settings=self.signal_settings,
            pair=pair,
            pool=pool,
            adapter_files=_sources(type(self.strategy), type(self)),
            costs={name: self.strategy.round_trip_cost(name) for name in pool},
        )


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


class _SignalDrawer(FreqaiDataDrawer):
    """FreqAI's drawer with two mends: whole files, and candles of each pair for itself."""

    def save_historic_predictions_to_disk(self) -> None:
        data = cloudpickle.dumps(dict(self.historic_predictions))
        write_atomically(self.historic_predictions_path, data)
        write_atomically(self.historic_predictions_bkp_path, data)

    def append_model_predictions(
        self,
        pair: str,
        predictions: DataFrame,
        do_preds: npt.NDArray[np.int_],
        dk: FreqaiDataKitchen,
        strat_df: DataFrame,
    ) -> None:
        super().append_model_predictions(pair, predictions, do_preds, dk, strat_df)
        # FreqAI keeps every row for ever; the strategy's frame is all that is read back.
        kept = self.historic_predictions[pair].tail(max(_HISTORY_ROWS, len(strat_df)))
        self.historic_predictions[pair] = kept.reset_index(drop=True)

    def save_drawer_to_disk(self) -> None:
        with self.save_lock:
            text = rapidjson.dumps(self.pair_dict, default=self.np_encoder)
            write_atomically(self.pair_dictionary_path, text.encode())

    def update_historic_data(self, strategy: IStrategy, dk: FreqaiDataKitchen) -> None:
        """Once a candle for all pairs; a pair without candles or with a gap stops no other."""
        timeframe = self.config["timeframe"]
        recent = strategy.dp.get_pair_dataframe(dk.pair, timeframe)
        kept = self.historic_data.get(dk.pair, {}).get(timeframe)
        if recent.empty or (
            kept is not None and len(kept) and kept["date"].iloc[-1] >= recent["date"].iloc[-1]
        ):
            return
        seconds = strategy.signal_settings.candle_seconds
        with self.history_lock:
            for pair in {dk.pair, *dk.all_pairs}:
                frames = self.historic_data.setdefault(pair, {})
                news = strategy.dp.get_pair_dataframe(pair, timeframe)
                frames[timeframe] = extended(frames.get(timeframe), news, seconds)
        self.current_candle = recent["date"].iloc[-1]


def _adopt_drawer(drawer: FreqaiDataDrawer) -> None:
    drawer.__class__ = _SignalDrawer
    columns = [f"{name}{kind}" for name in MODEL_COLUMNS for kind in ("", "_mean", "_std")]
    wanted = {**dict.fromkeys((*columns, TRUST_COLUMN), 0.0), **window_facts(None)}
    for pair, history in drawer.historic_predictions.items():
        drawer.historic_predictions[pair] = with_columns(history, wanted)


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


def _sources(*kinds: type) -> tuple[Path, ...]:
    """Files in which the methods of classes stand, inherited ones too, freqtrade's own left out."""
    bases = {base for kind in kinds for base in kind.__mro__}
    files = {
        member.__code__.co_filename
        for base in bases
        if not base.__module__.startswith(("freqtrade", "builtins", "abc"))
        for member in vars(base).values()
        if inspect.isfunction(member)
    }
    return tuple(sorted(Path(file) for file in files if Path(file).is_file()))
