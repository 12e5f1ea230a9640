"""Make an unmodified freqtrade command use the sandbox, by environment variables alone.

freqtrade reads ``FREQTRADE__SECTION__KEY``, lowers the case of every part but the last one below
``ccxt_config``, and understands numbers, booleans and JSON lists. So ``options.fetchMarkets.types``
cannot be said, but ccxt still accepts the older form, a list in ``options.fetchMarkets`` itself.
The data directory cannot be said either: freqtrade takes it from the command line only. Commands
that read candles from disk therefore get ``--datadir`` appended, unless they name one.
"""

import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from freqai_signals.sandbox import futures, spot

DATADIR_VARIABLE: Final = "FREQAI_SIGNALS_SANDBOX_DATADIR"
"""Tells scripts in COMMAND where the candles lie."""

_CCXT: Final = "FREQTRADE__EXCHANGE__CCXT_CONFIG__"

# All of ccxt's addresses, so that nothing that freqtrade might ask for leaves the machine.
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
        *("lookahead-analysis", "recursive-analysis", "plot-dataframe", "plot-profit"),
    )
)


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
    types = ["spot", "linear"] if (folder / "futures").is_dir() else ["spot"]
    variables = {
        "FREQTRADE__EXCHANGE__NAME": "binance",
        "FREQTRADE__EXCHANGE__ENABLE_WS": "false",
        # Otherwise 5m candles are downloaded from data.binance.vision.
        "FREQTRADE__EXCHANGE__ONLY_FROM_CCXT": "true",
        f"{_CCXT}rateLimit": "1",
        f"{_CCXT}options__fetchMarkets": json.dumps(types),
        f"{_CCXT}options__fetchCurrencies": "false",
        DATADIR_VARIABLE: str(folder),
    }
    variables |= {f"{_CCXT}urls__api__{name}": url + spot.PREFIX for name in _SPOT_APIS}
    variables |= {f"{_CCXT}urls__api__{name}": url + futures.PREFIX for name in _FUTURES_APIS}
    if pairs:
        variables["FREQTRADE__EXCHANGE__PAIR_WHITELIST"] = json.dumps(list(pairs))
    return variables


def child_environment(variables: Mapping[str, str], command: Sequence[str]) -> dict[str, str]:
    """Environment of COMMAND: ours, the sandbox's variables, and a path on which it is found.

    A command that is not on the path is looked for beside the running Python, so that
    ``.venv/bin/freqai-signals sandbox -- freqtrade ...`` works without activating anything.
    """
    environment = {**os.environ, **variables}
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
    """
    arguments = list(command)
    if Path(arguments[0]).name == "freqtrade":
        options = arguments[1:]
    elif arguments[1:3] == ["-m", "freqtrade"]:
        options = arguments[3:]
    else:
        return arguments
    reads = any(word in _READING_COMMANDS for word in options)
    named = any(word.partition("=")[0] in ("-d", "--datadir") for word in options)
    return [*arguments, "--datadir", str(folder)] if reads and not named else arguments
