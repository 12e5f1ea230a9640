"""Point an unmodified command to the sandbox: freqtrade by a config file, others by variables.

A config file that comes last wins, and freqtrade logs one line about it. What else may start
freqtrade, a script for example, gets variables of the environment: freqtrade reads
``FREQTRADE__SECTION__KEY``, lowers the case of every part but the last one below ``ccxt_config``,
and understands numbers, booleans and JSON lists. So ``options.fetchMarkets.types`` cannot be set,
but ccxt still accepts the older form, a list in ``options.fetchMarkets`` itself. The data directory
can be set by neither: freqtrade takes it from the command line only. Commands that read candles
from disk therefore get ``--datadir`` appended, unless they name one.
"""

import json
import os
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from freqai_signals.sandbox.exchange import futures, spot

DATADIR_VARIABLE: Final = "FREQAI_SIGNALS_SANDBOX_DATADIR"
"""Folder of the candles, for scripts in COMMAND."""

_CCXT: Final = "FREQTRADE__EXCHANGE__CCXT_CONFIG__"

# All of ccxt's addresses, so that no request of freqtrade leaves the machine.
_SPOT_APIS: Final = ("public", "private", "v1", "sapi", "sapiV2", "sapiV3", "sapiV4", "papi")
_FUTURES_APIS: Final = (
    *("fapiPublic", "fapiPublicV2", "fapiPublicV3"),
    *("fapiPrivate", "fapiPrivateV2", "fapiPrivateV3", "fapiData"),
    *("dapiPublic", "dapiPrivate", "dapiPrivateV2", "dapiData"),
    *("eapiPublic", "eapiPrivate"),
)

# Commands that read candles and never write any. `download-data` and `trade` do write some.
_READING_COMMANDS: Final = frozenset(
    (
        *("backtesting", "backtesting-analysis", "hyperopt", "list-data"),
        *("lookahead-analysis", "recursive-analysis", "plot-dataframe", "plot-profit", "webserver"),
    )
)

# Those that need an exchange and take --config.
_CONFIGURED_COMMANDS: Final = _READING_COMMANDS | {
    *("trade", "download-data", "list-markets", "list-pairs", "list-timeframes", "test-pairlist"),
}

# Start-up lines that say what the command line and the config have said already; the second part
# repeats itself for every pair, window and parameter of a backtest.
_QUIET: Final = ("freqtrade.configuration", "freqtrade.resolvers", "freqtrade.exchange.exchange")
_QUIET_WHILE_READING: Final = (
    *("freqtrade.strategy.hyper", "freqtrade.data", "freqtrade.freqai", "freqtrade.loggers"),
)

_LONG: Final = {"-d": "--datadir", "--data-dir": "--datadir"}


def sandbox_variables(url: str, folder: Path, pairs: Sequence[str] = ()) -> dict[str, str]:
    """Environment variables that point freqtrade to the sandbox.

    Parameters
    ----------
    url
        Base URL of the loopback exchange.
    folder
        Data directory that it serves.
    pairs
        Whitelist; empty leaves that of the config.

    Examples
    --------
    >>> variables = sandbox_variables("http://127.0.0.1:8000", Path("data"), ["BTC/USDT"])
    >>> variables["FREQTRADE__EXCHANGE__PAIR_WHITELIST"]
    '["BTC/USDT"]'
    """
    variables = {
        "FREQTRADE__EXCHANGE__NAME": "binance",
        "FREQTRADE__EXCHANGE__ENABLE_WS": "false",
        # Otherwise 5m candles are downloaded from data.binance.vision.
        "FREQTRADE__EXCHANGE__ONLY_FROM_CCXT": "true",
        f"{_CCXT}rateLimit": "1",
        f"{_CCXT}options__fetchMarkets": json.dumps(["spot", "linear"]),
        f"{_CCXT}options__fetchCurrencies": "false",
        DATADIR_VARIABLE: str(folder),
        # Wins over any config: orders of the sandbox are simulated.
        "FREQTRADE__DRY_RUN": "true",
    }
    variables |= {f"{_CCXT}urls__api__{name}": url + spot.PREFIX for name in _SPOT_APIS}
    variables |= {f"{_CCXT}urls__api__{name}": url + futures.PREFIX for name in _FUTURES_APIS}
    if pairs:
        variables["FREQTRADE__EXCHANGE__PAIR_WHITELIST"] = json.dumps(list(pairs))
    return variables


def sandbox_config(url: str, pairs: Sequence[str] = ()) -> dict[str, Any]:
    """What a config file says to point freqtrade to the sandbox; see :func:`sandbox_variables`."""
    apis = dict.fromkeys(_SPOT_APIS, url + spot.PREFIX)
    apis |= dict.fromkeys(_FUTURES_APIS, url + futures.PREFIX)
    options = {"fetchMarkets": {"types": ["spot", "linear"]}, "fetchCurrencies": False}
    exchange: dict[str, Any] = {
        "name": "binance",
        "enable_ws": False,
        "only_from_ccxt": True,
        "ccxt_config": {"rateLimit": 1, "options": options, "urls": {"api": apis}},
    }
    if pairs:
        exchange["pair_whitelist"] = list(pairs)
    return {"dry_run": True, "exchange": exchange}


def quiet_logging(command: Sequence[str]) -> dict[str, Any]:
    """Freqtrade's own ``log_config`` without what it repeats; empty for a command with ``-v``."""
    if any(re.fullmatch(r"-v+|--verbose", word) for word in command):
        return {}
    names = _QUIET + _QUIET_WHILE_READING * reads(command)
    console = {"class": "freqtrade.loggers.ft_rich_handler.FtRichHandler", "formatter": "basic"}
    line = "%(asctime)s - %(name)s - %(levelname)s - %(message)s"
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"basic": {"format": "%(message)s"}, "standard": {"format": line}},
        "handlers": {"console": console},
        "loggers": {name: {"level": "WARNING"} for name in names},
        "root": {"handlers": ["console"], "level": "INFO"},
    }


def configured(command: Sequence[str]) -> bool:
    """Whether COMMAND is one of freqtrade's that reads ``--config`` and needs an exchange.

    Examples
    --------
    >>> configured(["freqtrade", "backtesting"]), configured(["freqtrade", "--version"])
    (True, False)
    """
    return any(word in _CONFIGURED_COMMANDS for word in _freqtrade_options(command))


def reads(command: Sequence[str]) -> bool:
    """Whether COMMAND is one of freqtrade's that reads candles from disk."""
    return any(word in _READING_COMMANDS for word in _freqtrade_options(command))


def with_config(command: Sequence[str], files: Sequence[Path], ours: Path) -> list[str]:
    """COMMAND with our config file last, after those that it would read without it.

    Examples
    --------
    >>> with_config(["freqtrade", "trade"], [Path("config.json")], Path("ours.json"))[2:]
    ['--config', 'config.json', '--config', 'ours.json']
    >>> with_config(["freqtrade", "trade", "-c", "mine.json"], [Path("mine.json")], Path("o"))[2:]
    ['-c', 'mine.json', '--config', 'o']
    """
    named = any(word.partition("=")[0] in ("-c", "--config") for word in command)
    missing = [] if named else [word for file in files for word in ("--config", str(file))]
    return [*command, *missing, "--config", str(ours)]


def without_exchange(environment: Mapping[str, str], pairs: Sequence[str] = ()) -> dict[str, str]:
    """An environment without what would win over our config file: orders, exchange, pairs."""
    ours = {name.upper() for name in sandbox_variables("", Path(), pairs)} - {DATADIR_VARIABLE}
    return {
        name: value
        for name, value in environment.items()
        if name.upper() not in ours and not name.upper().startswith(_CCXT.upper())
    }


def child_environment(variables: Mapping[str, str], command: Sequence[str]) -> dict[str, str]:
    """Environment of COMMAND: ours, the sandbox's variables, and a path on which it is found.

    A command that is not on the path is searched next to the running Python, so that
    ``.venv/bin/freqai-signals sandbox -- freqtrade ...`` works without activating anything.
    """
    # Waiting threads of LightGBM would otherwise spin and slow down all others on a busy machine.
    environment = {"OMP_WAIT_POLICY": "PASSIVE", **os.environ, **variables}
    if shutil.which(command[0]) is None:
        path = environment.get("PATH", os.defpath)
        environment["PATH"] = os.pathsep.join([path, str(Path(sys.executable).parent)])
    return environment


def with_datadir(command: Sequence[str], folder: Path) -> list[str]:
    """COMMAND with ``--datadir`` where freqtrade reads candles and none is named.

    Examples
    --------
    >>> with_datadir(["freqtrade", "backtesting", "-c", "config.json"], Path("data"))[-2:]
    ['--datadir', 'data']
    >>> with_datadir(["freqtrade", "download-data"], Path("data"))
    ['freqtrade', 'download-data']
    >>> with_datadir(["freqai-signals", "train"], Path("data"))[-2:]
    ['--datadir', 'data']
    """
    return _with(command, {"--datadir": str(folder)}) if reads(command) else list(command)


def trades(command: Sequence[str]) -> bool:
    """Whether COMMAND starts freqtrade's bot.

    Examples
    --------
    >>> trades(["freqtrade", "trade", "--dry-run"]), trades(["freqtrade", "backtesting"])
    (True, False)
    """
    return "trade" in _freqtrade_options(command)


def with_live_folder(command: Sequence[str], folder: Path) -> list[str]:
    """The bot's COMMAND with a folder of the sandbox for candles and trades, unless it names some.

    Simulated or moved candles must never be mixed with the real ones in ``user_data/data``, nor
    trades of the sandbox with those of a dry run at the exchange.

    Examples
    --------
    >>> with_live_folder(["freqtrade", "trade", "--db-url=sqlite://"], Path("live"))[3:]
    ['--datadir', 'live/data']
    """
    database = f"sqlite:///{folder / 'trades.sqlite'}"
    return _with(command, {"--datadir": str(folder / "data"), "--db-url": database})


def _with(command: Sequence[str], added: Mapping[str, str]) -> list[str]:
    """COMMAND with the options that it does not name itself."""
    named = {_LONG.get(word, word) for word in (item.partition("=")[0] for item in command)}
    missing = [(name, value) for name, value in added.items() if name not in named]
    return [*command, *(word for pair in missing for word in pair)]


def _freqtrade_options(command: Sequence[str]) -> list[str]:
    """What follows ``freqtrade`` or ``python -m freqtrade``; empty for another program.

    ``freqai-signals train`` is a backtest too.
    """
    arguments = list(command)
    if Path(arguments[0]).name == "freqai-signals" and arguments[1:2] == ["train"]:
        return ["backtesting", *arguments[2:]]
    if Path(arguments[0]).name == "freqtrade":
        return arguments[1:]
    return arguments[3:] if arguments[1:3] == ["-m", "freqtrade"] else []
