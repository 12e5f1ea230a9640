"""``config-signals.json``: what our model needs on top of a user's own config, and nothing else."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from freqai_signals.config import settings_from_config
from freqai_signals.dataset.pair_tables import row_memory
from freqai_signals.dataset.timeframe_defaults import timeframe_defaults
from freqai_signals.files import merged
from freqai_signals.settings import SignalSettings
from freqai_signals.settings.booster_names import BOOSTER_ALIASES

_WINDOWS_A_TRAINING: Final = 12
_RETRAIN_HOURS: Final = 168

# Values that suit our model, written only over a config that says otherwise.
_NEEDED: Final[Mapping[str, Any]] = {
    "process_only_new_candles": True,
    "use_exit_signal": True,
    "freqai": {
        "continual_learning": False,
        "conv_width": 1,
        "feature_parameters": {
            "include_shifted_candles": 0,
            "DI_threshold": 0,
            "weight_factor": 0,
            "principal_component_analysis": False,
            "use_SVM_to_remove_outliers": False,
            "use_DBSCAN_to_remove_outliers": False,
            "noise_standard_deviation": 0,
            "shuffle_after_split": False,
            "reverse_train_test_order": False,
            "plot_feature_importances": 0,
            "buffer_train_data_candles": 0,
        },
    },
}
_KEPT_BOOSTER_KEYS: Final = ("seed", "threads")


@dataclass(frozen=True)
class SignalRequest:
    """What a user asks ``init`` for.

    Attributes
    ----------
    timeframe
        Of the base candles.
    most_candles
        Start-up candles that the exchange allows.
    pairs
        Whitelist; empty keeps that of the config.
    futures
        Whether to trade futures although the config does not.
    """

    timeframe: str
    most_candles: int
    pairs: tuple[str, ...] = ()
    futures: bool = False


def signal_config(request: SignalRequest, base: Mapping[str, Any]) -> dict[str, Any]:
    """Content of ``config-signals.json``.

    Parameters
    ----------
    request
        What is asked for.
    base
        The user's own config, over which the result is laid.

    Returns
    -------
    dict
        Keys of ours, with values for the timeframe; keys of freqtrade only where they were asked
        for, or where the user's value would keep the model from working.

    Raises
    ------
    ValueError
        If no settings fit timeframe and exchange, or the two configs together cannot work; the
        message lists every problem.
    """
    settings = timeframe_defaults(request.timeframe, request.most_candles)
    wanted = {"timeframe": request.timeframe, **_market(request, base)}
    mode = {**base, **wanted}.get("trading_mode", "spot")
    wanted["freqai"] = _freqai(settings, "" if mode == "spot" else f"{mode}-")
    wanted = merged(wanted, _corrections(_NEEDED, base))
    wanted = merged(wanted, _start_up(settings, base))
    wanted["freqai"]["model_training_parameters"] = _shipped_booster(base)
    # Only checked: it raises what is wrong with the two configs together.
    settings_from_config(merged(base, wanted))
    return wanted


def as_text(config: Mapping[str, Any]) -> str:
    """The config as it is written."""
    return json.dumps(config, indent=4) + "\n"


def _market(request: SignalRequest, base: Mapping[str, Any]) -> dict[str, Any]:
    """Trading mode and pairs, as far as they are asked for."""
    wanted: dict[str, Any] = {}
    turned = request.futures and base.get("trading_mode", "spot") == "spot"
    if turned:
        wanted |= {"trading_mode": "futures", "margin_mode": "isolated"}
    exchange = base.get("exchange") or {}
    pairs: Sequence[str] = request.pairs or (exchange.get("pair_whitelist", ()) if turned else ())
    if turned:
        pairs = [_contract(pair) for pair in pairs]
    if pairs:
        wanted["exchange"] = {"pair_whitelist": list(pairs)}
    methods = [item.get("method") for item in base.get("pairlists") or ()]
    # Any other pairlist would choose pairs of its own in the place of those that were named.
    if request.pairs and methods[:1] not in ([], ["StaticPairList"]):
        wanted["pairlists"] = [{"method": "StaticPairList"}]
    return wanted


def _contract(pair: str) -> str:
    """The perpetual contract of a spot pair.

    Examples
    --------
    >>> _contract("BTC/USDT"), _contract("BTC/USDT:USDT")
    ('BTC/USDT:USDT', 'BTC/USDT:USDT')
    """
    return pair if ":" in pair else f"{pair}:{pair.rpartition('/')[2]}"


def _freqai(settings: SignalSettings, mode: str) -> dict[str, Any]:
    """FreqAI's section with ours in it; ``mode`` goes into the identifier."""
    decision, features = settings.decision, settings.features
    return {
        "enabled": True,
        "identifier": f"freqai-signals-{mode}{settings.timeframe}",
        "purge_old_models": 2,
        "train_period_days": settings.train_period_days,
        # A month where the training period is the shipped 360 days.
        "backtest_period_days": settings.train_period_days // _WINDOWS_A_TRAINING,
        "live_retrain_hours": _RETRAIN_HOURS,
        # A model outlives a training that fails.
        "expiration_hours": 2 * _RETRAIN_HOURS,
        "activate_tensorboard": False,
        "feature_parameters": {
            "include_timeframes": [settings.timeframe],
            "include_corr_pairlist": [],
            "label_period_candles": settings.label_horizon_candles,
            "indicator_periods_candles": list(settings.indicator_periods_candles),
        },
        "data_split_parameters": {
            "test_size": settings.validation_fraction,
            "shuffle": False,
        },
        "signals": {
            "labels": {"volatility_span_days": settings.labels.volatility_span_days},
            "features": {
                "higher_timeframes": list(features.higher_timeframes),
                "volatility_span_days": features.volatility_span_days,
                "season_days": features.season_days,
            },
            "model": {"row_step": settings.model.row_step},
            "decision": {
                "repeat_window_candles": decision.repeat_window_candles,
                "resync_candles": decision.resync_candles,
            },
        },
    }


def _corrections(needed: Mapping[str, Any], base: Mapping[str, Any]) -> dict[str, Any]:
    """The needed values where ``base`` has another one."""
    found: dict[str, Any] = {}
    for key, value in needed.items():
        if key not in base:
            continue
        if isinstance(value, Mapping):
            below = base[key]
            part = _corrections(value, below) if isinstance(below, Mapping) else {}
            if part:
                found[key] = part
        elif base[key] != value:
            found[key] = value
    return found


def _start_up(settings: SignalSettings, base: Mapping[str, Any]) -> dict[str, Any]:
    """Start-up candles, where the user's config would cut ours short."""
    needed = row_memory(settings)
    given = base.get("startup_candle_count")
    return {"startup_candle_count": needed} if given is not None and given < needed else {}


def _shipped_booster(base: Mapping[str, Any]) -> dict[str, Any]:
    """Our booster's values under the names that the user has given others, made for another model.

    What is about the machine (threads, seed) stays theirs.
    """
    freqai = base.get("freqai")
    given = freqai.get("model_training_parameters") if isinstance(freqai, Mapping) else None
    if not isinstance(given, Mapping):
        return {}
    shipped = SignalSettings().booster.model_dump()
    names = {key: BOOSTER_ALIASES.get(key, key) for key in given}
    return {
        key: shipped[name]
        for key, name in names.items()
        if name in shipped and name not in _KEPT_BOOSTER_KEYS
    }
