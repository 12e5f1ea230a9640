"""A backtest up to its predictions, for boosters that are trained before it is asked for."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from freqtrade.commands.arguments import Arguments
from freqtrade.commands.optimize_commands import setup_optimize_configuration
from freqtrade.enums import RunMode
from freqtrade.exceptions import FreqtradeException
from freqtrade.optimize.backtesting import Backtesting

from freqai_signals.plugin.freqai.backtest_windows import SCHEDULER_KEY
from freqai_signals.plugin.user_setup import STRATEGY

_DEFAULTS: Final = {"strategy": STRATEGY, "freqaimodel": "LightGBMSignalClassifier"}


def train_windows(options: Sequence[str], config: Mapping[str, Any], scheduler: str) -> None:
    """Train what a backtest with the same options would train; its trades are not simulated.

    Parameters
    ----------
    options
        Those of ``freqtrade backtesting``.
    config
        What the configs among them say; of strategy and model, those that are shipped by default.
    scheduler
        Address of a Dask scheduler whose workers train; empty trains on this machine.

    Raises
    ------
    ValueError
        What freqtrade says where it refuses.
    """
    given = Arguments(["backtesting", *options]).get_parsed_arg()
    for name, default in _DEFAULTS.items():
        given[name] = given.get(name) or config.get(name) or default
    try:
        settled = setup_optimize_configuration(given, RunMode.BACKTEST)
        backtesting = Backtesting({**settled, SCHEDULER_KEY: scheduler})
        candles, _ = backtesting.load_bt_data()
        for strategy in backtesting.strategylist:
            backtesting._set_strategy(strategy)
            strategy.advise_all_indicators(candles)
    except FreqtradeException as problem:
        raise ValueError(str(problem)) from problem
    finally:
        Backtesting.cleanup()
