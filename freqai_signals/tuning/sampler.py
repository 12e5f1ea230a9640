"""Which parameters a trial takes: draws that can be repeated after a kill."""

import hashlib
from collections.abc import Mapping
from typing import Any, Final

import optuna
from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial

from freqai_signals.tuning.trials import alive_trials

_FIRST_AT_RANDOM: Final = 8


class SlotSampler(optuna.samplers.BaseSampler):
    """TPE whose draws depend on the seed and on the trials before, not on this process's past.

    The first trial takes the default parameters, and so does the next one if that one has died.
    """

    def __init__(self, seed: int, default: Mapping[str, float]) -> None:
        self._seed = seed
        self._default = dict(default)
        self._takes_default = False
        self._inner = optuna.samplers.TPESampler()
        self.slot = 0

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """Count the trials before this one that did not fail, and seed by their number."""
        before = [t for t in alive_trials(study) if t.number < trial.number]
        self.slot = len(before)
        self._takes_default = not any(t.params.items() <= self._default.items() for t in before)
        digest = hashlib.sha256(f"{self._seed} {self.slot}".encode()).digest()
        self._inner = optuna.samplers.TPESampler(
            n_startup_trials=_FIRST_AT_RANDOM,
            multivariate=True,
            constant_liar=True,
            seed=int.from_bytes(digest[:4], "big"),
        )

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Nothing for the default, else TPE's."""
        return {} if self._takes_default else self._inner.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """All parameters together."""
        if self._takes_default:
            return {}
        return self._inner.sample_relative(study, trial, search_space)

    def sample_independent(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """One parameter for itself."""
        if self._takes_default:
            return self._default[param_name]
        return self._inner.sample_independent(study, trial, param_name, param_distribution)
