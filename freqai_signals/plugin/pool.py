"""The pool of a run: which pairs train the model and are its market, and FreqAI's view of them.

The rule, the same in backtest and live: named pairs are the pool as they stand, without those that
the config blacklists or the exchange does not list; of patterns, empty whitelists and pairlists
that find pairs themselves it is what freqtrade's pairlists resolve when the run begins. It then
stays the market: pairlists may take a pair out of trading, not out of the market. A pair that joins
is served by the pool's model at once and trains the first model after that, by the rows for which
it has complete features; one that leaves trains no more.
"""

import json
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from freqtrade.data.dataprovider import DataProvider
from freqtrade.exceptions import OperationalException
from freqtrade.plugins.pairlist.pairlist_helpers import expand_pairlist

from freqai_signals.config import (
    POOL_FILE,
    POOL_KEY,
    SettingsError,
    pool_pairs,
    settings_from_config,
)
from freqai_signals.dataset.pair_tables import thinned
from freqai_signals.files import write_atomically
from freqai_signals.preflight.situation import is_named, pool_is_named
from freqai_signals.provenance import digest
from freqai_signals.settings import SignalSettings
from freqai_signals.settings.freqai_keys import plain_freqai

logger = logging.getLogger(__name__)

SETTINGS_KEY: Final = "signal_settings"
"""Top-level key under which that config holds the parsed settings."""


def blacklisted(config: Mapping[str, Any], pairs: Sequence[str]) -> frozenset[str]:
    """Those of the pairs that the config's blacklist names, patterns included."""
    patterns = config["exchange"].get("pair_blacklist") or []
    return frozenset(expand_pairlist(list(patterns), list(pairs)))


def run_pool(
    settings: SignalSettings, config: Mapping[str, Any], dp: DataProvider, is_live: bool
) -> tuple[str, ...]:
    """The pool of a run, sorted; see the module for the rule.

    Parameters
    ----------
    settings
        ``model.pool_pairs`` names the pool whatever is traded.
    config
        freqtrade's merged config.
    dp
        Knows the exchange's markets and what the pairlists resolve.
    is_live
        A running bot keeps a resolved pool over restarts, for as long as its models.
    """
    if not pool_is_named(settings, config):
        return _resolved_pool(settings, config, dp, is_live)
    named = pool_pairs(settings, config)
    if settings.model.pool_pairs:
        return named
    left_out = blacklisted(config, named) | {pair for pair in named if dp.market(pair) is None}
    if left_out:
        logger.warning(
            "Not in the pool, blacklisted or unknown to the exchange: %s", ", ".join(left_out)
        )
    return tuple(pair for pair in named if pair not in left_out) or named


def training_pairs(
    settings: SignalSettings, pool: Sequence[str], traded: Sequence[str]
) -> tuple[str, ...]:
    """The pairs whose rows train the pool's next model, sorted: the pool and who has joined it.

    Parameters
    ----------
    settings
        ``model.pool_pairs`` keeps everybody else out of training.
    pool
        From :func:`run_pool`; the market, whoever trains.
    traded
        What the pairlists resolve when the training begins.
    """
    return tuple(pool) if settings.model.pool_pairs else tuple(sorted({*pool, *traded}))


def freqai_config(
    config: Mapping[str, Any], settings: SignalSettings, pool: Sequence[str]
) -> dict[str, Any]:
    """The config as FreqAI is to see it: the pool as its whitelist, and nothing that works against.

    Parameters
    ----------
    config
        freqtrade's merged config; it stays as it is. One that is plain already comes back equal.
    settings
        What was read from it; the model gets them :func:`thinned` for the pool.
    pool
        From :func:`run_pool`.
    """
    settings = thinned(settings, len(pool))
    freqai = plain_freqai(config["freqai"])
    signals = dict(freqai.get("signals") or {})
    higher = list(settings.features.higher_timeframes)
    signals["features"] = {**(signals.get("features") or {}), "higher_timeframes": higher}
    # FreqAI would download and merge frames for the other timeframes and the correlated pairs.
    parameters = {
        **freqai.get("feature_parameters", {}),
        "include_timeframes": [settings.timeframe],
        "include_corr_pairlist": [],
        "indicator_periods_candles": list(settings.indicator_periods_candles),
    }
    plain = {
        **freqai,
        "signals": signals,
        "feature_parameters": parameters,
        "live_retrain_hours": _retrain_hours(settings, config),
    }
    exchange = {**config["exchange"], "pair_whitelist": list(pool)}
    settled = {"freqai": plain, "pairs": list(pool), "exchange": exchange}
    return {**config, **settled, POOL_KEY: list(pool), SETTINGS_KEY: settings}


def settled_config(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The config of :func:`freqai_config`; made here where no strategy of ours has made it.

    Raises
    ------
    OperationalException
        Listing every problem with the settings.
    """
    if SETTINGS_KEY in config:
        return config
    try:
        settings = settings_from_config(config)
    except SettingsError as error:
        raise OperationalException(str(error)) from error
    return freqai_config(config, settings, pool_pairs(settings, config))


@contextmanager
def using_config(strategy: Any, config: Mapping[str, Any]) -> Iterator[None]:
    """Let a strategy's inherited methods see another config for a while."""
    own = strategy.config
    strategy.config = config
    try:
        yield
    finally:
        strategy.config = own


def _resolved_pool(
    settings: SignalSettings, config: Mapping[str, Any], dp: DataProvider, is_live: bool
) -> tuple[str, ...]:
    try:
        resolved = set(dp.current_whitelist())
    except OperationalException:
        # Plots and notebooks have no pairlists.
        return pool_pairs(settings, config)
    parameters = config["freqai"]["feature_parameters"]
    pool = tuple(sorted(resolved | {*(parameters.get("include_corr_pairlist") or ())}))
    if not is_live:
        return pool
    path = config["user_data_dir"] / "models" / config["freqai"]["identifier"] / POOL_FILE
    exchange, correlated = config["exchange"], parameters.get("include_corr_pairlist")
    lists = [
        exchange.get("pair_whitelist"),
        exchange.get("pair_blacklist"),
        config.get("pairlists"),
    ]
    rule = digest([*lists, correlated])
    kept = _kept_pool(path, rule, time.time() - 3600 * _retrain_hours(settings, config))
    if kept and all(dp.market(pair) is not None for pair in kept):
        logger.info("The pool of the stored model goes on: %s", ", ".join(kept))
        return kept
    _keep_pool(path, rule, pool)
    return pool


def _retrain_hours(settings: SignalSettings, config: Mapping[str, Any]) -> float:
    """FreqAI's hours; 0, its default, would train once a second and means once a candle here."""
    return max(config["freqai"].get("live_retrain_hours") or 0, settings.candle_seconds / 3600)


def _kept_pool(path: Path, rule: str, since: float) -> tuple[str, ...]:
    """A pool resolved by the same pairlists since a time (seconds since 1970); empty if none."""
    try:
        content = json.loads(path.read_text())
        pairs, resolved = tuple(content["pairs"]), float(content["resolved"])
    except (OSError, ValueError, KeyError, TypeError):
        return ()
    is_same = content.get("rule") == rule
    return pairs if is_same and resolved > since and is_named(pairs) else ()


def _keep_pool(path: Path, rule: str, pool: Sequence[str]) -> None:
    content = json.dumps({"resolved": time.time(), "rule": rule, "pairs": list(pool)})
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, content.encode())
    except OSError as error:
        logger.warning("%s cannot be written; a restart resolves the pool again: %s", path, error)
