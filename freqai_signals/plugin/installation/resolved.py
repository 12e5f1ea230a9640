"""What freqtrade itself says of a user's folder and config: what it loads, what it allows."""

import copy
import logging
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from freqtrade.configuration import Configuration
from freqtrade.enums import RunMode
from freqtrade.exceptions import FreqtradeException
from freqtrade.resolvers import ExchangeResolver, StrategyResolver
from freqtrade.resolvers.freqaimodel_resolver import FreqaiModelResolver
from freqtrade.resolvers.hyperopt_resolver import HyperOptLossResolver

_REQUESTS = 5


def most_startup_candles(config: Mapping[str, Any], timeframe: str) -> int:
    """Candles that a strategy may ask for at start, by freqtrade's class of the exchange.

    No request is made: what an exchange allows stands in freqtrade and ccxt.

    Parameters
    ----------
    config
        freqtrade's config with ``exchange.name`` and, where it is not spot, the trading mode.
    timeframe
        Of the base candles.

    Raises
    ------
    ValueError
        If freqtrade does not know the exchange.
    """
    name = (config.get("exchange") or {}).get("name") or "binance"
    wanted: dict[str, Any] = {
        "exchange": {"name": name, "key": "", "secret": "", "pair_whitelist": []},
        "dry_run": True,
        "runmode": RunMode.OTHER,
        "trading_mode": config.get("trading_mode", "spot"),
        "margin_mode": config.get("margin_mode", ""),
        "stake_currency": config.get("stake_currency", "USDT"),
    }
    with _quiet(), _as_value_error():
        exchange = ExchangeResolver.load_exchange(wanted, validate=False)
        limit = exchange.ohlcv_candle_limit(timeframe, wanted["candle_type_def"])
        requests = _REQUESTS if exchange._ft_has["ohlcv_has_history"] else 1
        exchange.close()
    return int(limit) * requests - 1


def resolved_files(
    configs: Sequence[Path], folder: Path, strategy: str, model: str, loss: str
) -> dict[str, Path]:
    """Load classes as freqtrade's commands do, and say which file each came from.

    The strategy and the model are made, so that whatever they refuse at start is refused here. The
    model's own files go into a folder that is removed again.

    Parameters
    ----------
    configs
        Config files, later ones win.
    folder
        The user's.
    strategy, model, loss
        Class names.

    Returns
    -------
    dict
        Class name to the file that freqtrade took it from.

    Raises
    ------
    ValueError
        If one is not found, or refuses the config; the message is freqtrade's.
    """
    arguments = {"config": [str(path) for path in configs], "user_data_dir": str(folder)}
    with _quiet(), _as_value_error(), tempfile.TemporaryDirectory() as scratch:
        config = Configuration(arguments, RunMode.OTHER).get_config()
        config |= {"strategy": strategy, "freqaimodel": model, "hyperopt_loss": loss}
        found = {strategy: type(StrategyResolver.load_strategy(copy.deepcopy(config)))}
        elsewhere = Path(scratch)
        (elsewhere / "freqaimodels").symlink_to((folder / "freqaimodels").resolve())
        private = copy.deepcopy(config) | {"user_data_dir": elsewhere}
        made = FreqaiModelResolver.load_freqaimodel(private)
        found[model] = type(made)
        made.shutdown()
        found[loss] = HyperOptLossResolver.load_hyperoptloss(copy.deepcopy(config)).__class__
        return {name: Path(kind.__file__).resolve() for name, kind in found.items()}


@contextmanager
def _quiet() -> Iterator[None]:
    """Without freqtrade's log lines, which belong to its own commands, nor its way of logging."""
    root = logging.root
    before, level, handlers = root.manager.disable, root.level, list(root.handlers)
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
        root.setLevel(level)
        root.handlers[:] = handlers


@contextmanager
def _as_value_error() -> Iterator[None]:
    try:
        yield
    except FreqtradeException as error:
        raise ValueError(f"freqtrade refuses this: {error}") from error
