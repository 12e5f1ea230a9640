"""Who serves a pair: the pool's newest model, at once for a pair that joins."""

import logging
import time
from pathlib import Path
from typing import Any

from freqtrade.freqai.data_kitchen import FreqaiDataKitchen

from freqai_signals.config import pool_pairs
from freqai_signals.files import write_atomically
from freqai_signals.model.signal_model import SignalModel
from freqai_signals.plugin.data_drawer import SignalDataDrawer
from freqai_signals.plugin.data_kitchen import (
    SignalDataKitchen,
    declare,
    keep_nothing_of_training,
    store_importances,
)
from freqai_signals.plugin.prediction_cache import Recipe, listed_costs
from freqai_signals.plugin.retrain_schedule import Trained, newest
from freqai_signals.plugin.state_files import INPUTS_FILE, all_inputs, changed_inputs
from freqai_signals.provenance import method_files
from freqai_signals.schema import LABEL_COLUMN
from freqai_signals.settings import SignalSettings

logger = logging.getLogger(__name__)


class PoolServing:
    """What the model adapter stores for each pair, and takes from the others of the pool."""

    signal_settings: SignalSettings
    model: SignalModel | None
    config: dict[str, Any]
    freqai_info: dict[str, Any]
    full_path: Path
    dd: Any
    strategy: Any
    _checked: set[str]
    _plotted_features: int

    def _newest(self, pair: str) -> tuple[Trained | None, SignalModel | None]:
        """Whose model is the newest that may serve a pair, and that model if it can be read."""
        # Also of pairs outside the pool: where pairlists left no pair of it, they train its models.
        joined = set() if self.signal_settings.model.pool == "pair" else self._checked
        known = [p for p in {*self._pool(pair), *joined} if p in self.dd.pair_dict]
        latest = newest({p: self.dd.get_pair_dict_info(p)[1] for p in known})
        return latest, self.dd.served(latest.pair) if latest else None

    def _serve_at_once(self, pair: str, dk: FreqaiDataKitchen) -> None:
        """A pair that joins is served by the pool's model, without waiting for FreqAI's queue."""
        if self.dd.get_pair_dict_info(pair)[1]:
            return
        latest, model = self._newest(pair)
        if latest is not None and model is not None:
            logger.info("%s joins and adopts the pool's model %s", pair, model.card.version)
            self._serve(pair, model, latest.time, dk)

    def retrain_early(self, pair: str) -> None:
        """Make the pool's models due now; FreqAI's thread trains one, the other pairs adopt it."""
        due = int(time.time() - 3600 * self.freqai_info["live_retrain_hours"]) - 1
        for name in self._pool(pair):
            entry = self.dd.pair_dict.get(name)
            if entry is not None:
                entry["trained_timestamp"] = min(entry["trained_timestamp"], due)

    def _serve(self, pair: str, model: SignalModel, trained: int, dk: FreqaiDataKitchen) -> None:
        """Let FreqAI store and use a model for a pair; the features of training are not kept."""
        keep_nothing_of_training(dk)
        dk.training_features_list, dk.label_list = list(model.names), [LABEL_COLUMN]
        declare(dk, model)
        dk.set_new_model_names(pair, trained)
        self.dd.save_data(model, pair, dk)
        store_importances(model, self._plotted_features, dk)
        self.dd.pair_dict[pair]["trained_timestamp"] = trained
        inputs = all_inputs(self.full_path, pair, self._recipe(pair).parts())
        write_atomically(self.full_path / INPUTS_FILE, inputs.encode())
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
            if self.dd.get_pair_dict_info(name)[1]:
                parts = self._recipe(name).parts()
                self.dd.keep_model_unless(name, changed_inputs(self.full_path, name, parts))

    def _pool(self, pair: str) -> tuple[str, ...]:
        if self.signal_settings.model.pool == "pair":
            return (pair,)
        return pool_pairs(self.signal_settings, self.config)

    def _recipe(self, pair: str) -> Recipe:
        pool = tuple(sorted({pair, *pool_pairs(self.signal_settings, self.config)}))
        return Recipe(
            settings=self.signal_settings,
            pair=pair,
            pool=pool,
            adapter_files=method_files(
                type(self.strategy), type(self), SignalDataKitchen, SignalDataDrawer
            ),
            costs=listed_costs(pool, self.strategy.round_trip_cost),
        )
