"""FreqAI's data kitchen with fixes, in a module that hyperopt's workers can import by name."""

import logging
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import pandas as pd
from datasieve.pipeline import Pipeline
from freqtrade.freqai.data_kitchen import FreqaiDataKitchen
from freqtrade.strategy import IStrategy
from pandas import DataFrame

from freqai_signals.model.signal_model import SignalModel
from freqai_signals.plugin.freqai.newest_candle import NewestInputs
from freqai_signals.plugin.freqai.prediction_cache import PredictionCache
from freqai_signals.schema import LABEL_COLUMN, MODEL_COLUMNS
from freqai_signals.signals.outputs import window_facts

_EXPANDING: Final = ("feature_engineering_expand_all", "feature_engineering_expand_basic")

logger = logging.getLogger(__name__)


class SignalDataKitchen(FreqaiDataKitchen):
    """FreqAI's data kitchen with fixes: files named by the full pair, caches with a fingerprint.

    FreqAI names folders and files after the base coin, so BTC/USDT and BTC/USDC would share them.
    """

    prediction_cache: PredictionCache | None = None
    newest_inputs: Callable[[DataFrame], NewestInputs | None] | None = None
    """Makes what a model reads of a frame's last candle, where no other is predicted."""
    newest: NewestInputs | None = None
    """What it has made."""
    keeps_features: bool = False
    """Whether features of a backtest stay out of FreqAI's frame, of which it makes many copies."""
    features: DataFrame | None = None
    """Those of the frame's rows, with its index."""

    @classmethod
    def adopt(cls, dk: FreqaiDataKitchen, cache: PredictionCache | None = None) -> None:
        """Turn a kitchen that FreqAI has made into this class; FreqAI offers no hook for it."""
        # Its state is all in the instance.
        dk.__class__ = cls
        dk.prediction_cache = cache

    def use_strategy_to_populate_indicators(
        self, strategy: IStrategy, *frames: Any, **kwargs: Any
    ) -> DataFrame:
        """Where only the newest candle is predicted, the frame without features and outcomes.

        A hundred columns of a whole frame would be made, copied and dropped again for one row.
        """
        frame: DataFrame | None = kwargs.get("prediction_dataframe")
        if frame is not None and self.newest_inputs is not None:
            self.newest = self.newest_inputs(frame)
            if self.newest is not None:
                return frame
        made: DataFrame = super().use_strategy_to_populate_indicators(strategy, *frames, **kwargs)
        if not self.keeps_features:
            return made
        # As FreqAI tells them from other columns.
        names = [name for name in made.columns if "%" in name]
        self.features = made[names]
        return made.drop(columns=names)

    def inputs(self, dataframe: DataFrame) -> DataFrame:
        """What a model reads of the rows of a frame, wherever it is."""
        if self.features is None:
            return dataframe
        # By label: a row without features is an error, not the features of another one.
        return pd.concat([dataframe, self.features.loc[dataframe.index]], axis=1)

    def find_features(self, dataframe: DataFrame) -> None:
        """By name, wherever the features are."""
        apart = self.features if self.newest is None else self.newest.row.table
        super().find_features(dataframe if apart is None else apart)

    def find_labels(self, dataframe: DataFrame) -> None:
        """By name; where only the newest candle is predicted, no frame holds ours."""
        super().find_labels(dataframe)
        if self.newest is not None:
            self.label_list = [LABEL_COLUMN]

    def remove_features_from_df(self, dataframe: DataFrame) -> DataFrame:
        """The frame itself, not a copy, where it holds no features."""
        if not any(name.startswith("%") for name in dataframe.columns):
            return dataframe
        kept: DataFrame = super().remove_features_from_df(dataframe)
        return kept

    def populate_features(
        self, dataframe: DataFrame, pair: str, strategy: IStrategy, *frames: Any, **kwargs: Any
    ) -> DataFrame:
        """Nothing where the strategy expands nothing: FreqAI would merge empty frames for it.

        Six merges per pair and candle, a fifth of the time to a decision.
        """
        hooks = {name: getattr(strategy, name) for name in _EXPANDING}
        if all(hook.__func__ is getattr(IStrategy, name) for name, hook in hooks.items()):
            return dataframe
        expanded: DataFrame = super().populate_features(
            dataframe, pair, strategy, *frames, **kwargs
        )
        return expanded

    def set_paths(self, pair: str, trained_timestamp: int | None = None) -> None:
        """Folder of a training, by the full pair."""
        self.full_path = self.get_full_models_path(self.config)
        self.data_path = Path(self.full_path / f"sub-train-{_slug(pair)}_{trained_timestamp}")

    def set_new_model_names(self, pair: str, timestamp_id: int) -> None:
        """Files of a training, by the full pair."""
        self.set_paths(pair, timestamp_id)
        self.model_filename = f"cb_{_slug(pair).lower()}_{timestamp_id}"

    def check_if_backtest_prediction_is_valid(self, len_backtest_df: int) -> bool:
        """Whether stored predictions were made from the same inputs and their metadata is whole."""
        name = f"{self.model_filename}_prediction.feather"
        self.backtesting_results_path = self.full_path / self.backtest_predictions_folder / name
        cache, path = self.prediction_cache, self.backtesting_results_path
        if cache is None or not cache.holds(path, self._stop()) or not self._metadata_is_whole():
            return False
        return bool(super().check_if_backtest_prediction_is_valid(len_backtest_df))

    def save_backtesting_prediction(self, append_df: DataFrame) -> None:
        """Store predictions with the fingerprint of what they were made from."""
        if self.prediction_cache is not None:
            self.prediction_cache.write(self.backtesting_results_path, append_df, self._stop())

    def _stop(self) -> int:
        """End of the backtest window whose training window the current file is named after."""
        # From the end, since a pair's name may hold underscores too.
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
            # FreqAI reads it next, unchecked: half a file would end the backtest.
            return "training_features_list" in pd.read_json(path, typ="series")
        except (OSError, ValueError):
            logger.info("%s is missing or damaged; its window is predicted again", path.name)
            return False


def declare(dk: FreqaiDataKitchen, model: SignalModel | None, cost: float = 0.0) -> None:
    """Give FreqAI the entries without which it drops our columns or fails live.

    ``cost`` is the pair's round trip without the spread. The dictionaries are new ones: FreqAI's
    own are shared between pairs and with the config.
    """
    dk.data["labels_mean"] = dict.fromkeys(MODEL_COLUMNS, 0.0)
    dk.data["labels_std"] = dict.fromkeys(MODEL_COLUMNS, 0.0)
    dk.data["extra_returns_per_train"] = window_facts(model, dk.pair, cost)


def keep_nothing_of_training(dk: FreqaiDataKitchen) -> None:
    """Empty what FreqAI stores beside a model: ours needs none of it."""
    # ``steps`` must be given: datasieve's default list is one for all pipelines.
    dk.feature_pipeline, dk.label_pipeline = Pipeline(steps=[]), Pipeline(steps=[])
    dk.data_dictionary = {"train_features": DataFrame(), "train_dates": DataFrame()}


def store_importances(model: SignalModel, most: int, dk: FreqaiDataKitchen) -> None:
    """FreqAI's plot of what a model looks at most, beside its files; 0 features plot nothing."""
    # plotly draws the first bar at the bottom.
    shares = model.feature_importance(most)[::-1]
    if not shares or find_spec("plotly") is None:
        return
    # freqtrade ends the process where plotly is missing.
    from freqtrade.plot.plotting import go, store_plot_file

    bars = go.Bar(x=[share for _, share in shares], y=[name for name, _ in shares], orientation="h")
    figure = go.Figure(bars).update_layout(title_text=f"Share of gain, {model.card.version}")
    store_plot_file(figure, f"{dk.model_filename}-importances.html", dk.data_path)


def _slug(pair: str) -> str:
    return pair.replace("/", "_").replace(":", "_")
