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
from freqtrade.resolvers import StrategyResolver
from freqtrade.resolvers.freqaimodel_resolver import FreqaiModelResolver
from freqtrade.resolvers.hyperopt_resolver import HyperOptLossResolver

from freqai_signals.plugin.exchange_facts import exchange_facts
from freqai_signals.plugin.quiet import without_log


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
        If freqtrade does not know the exchange, or refuses FreqAI there.
    """
    name = (config.get("exchange") or {}).get("name") or "binance"
    with _as_value_error():
        facts = exchange_facts({**config, "exchange": {"name": name}, "timeframe": timeframe})
    if facts is None:
        raise ValueError(f"freqtrade does not know the exchange {name!r}, or not in this mode")
    freqai = config.get("freqai") or {}
    allowed = ("override_exchange_check", "override_exchange_checks")
    if not facts.has_history and not any(freqai.get(key) for key in allowed):
        raise ValueError(
            f"freqtrade refuses FreqAI on {name}, which gives its newest {facts.candles_a_call} "
            "candles only; train on another exchange that lists the coins, or bring candles of "
            "your own and set freqai.override_exchange_checks to true in your config"
        )
    return facts.most_candles


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
        # As freqtrade's commands read it, with what environment variables add.
        config = Configuration(arguments, RunMode.OTHER).get_config()
        config |= {"strategy": strategy, "freqaimodel": model, "hyperopt_loss": loss}
        # Copies, since freqtrade's resolvers write into the config that they are given.
        found = {strategy: type(StrategyResolver.load_strategy(copy.deepcopy(config)))}
        elsewhere = Path(scratch)
        # freqtrade looks for models in the same folder into which FreqAI writes.
        (elsewhere / "freqaimodels").symlink_to((folder / "freqaimodels").resolve())
        private = copy.deepcopy(config) | {"user_data_dir": elsewhere}
        made = FreqaiModelResolver.load_freqaimodel(private)
        found[model] = type(made)
        # Ends what FreqAI has started for a model that will not be used.
        made.shutdown()
        found[loss] = HyperOptLossResolver.load_hyperoptloss(copy.deepcopy(config)).__class__
        return {name: Path(kind.__file__).resolve() for name, kind in found.items()}


@contextmanager
def _quiet() -> Iterator[None]:
    """Without freqtrade's log lines, which belong to its own commands, nor its way of logging."""
    root = logging.root
    level, handlers = root.level, list(root.handlers)
    try:
        with without_log():
            yield
    finally:
        root.setLevel(level)
        root.handlers[:] = handlers


@contextmanager
def _as_value_error() -> Iterator[None]:
    try:
        yield
    except FreqtradeException as error:
        raise ValueError(f"freqtrade refuses this: {error}") from error
