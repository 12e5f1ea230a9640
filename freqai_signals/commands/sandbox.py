"""The subcommand ``sandbox``: a freqtrade command against a loopback exchange."""

import argparse
from pathlib import Path
from typing import Any, Final

from freqai_signals.commands.market import MARKET_OPTIONS, add_market_options, market_spec
from freqai_signals.terminal import notify

_LARGEST_PORT: Final = 65535


def add_sandbox(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add ``sandbox``: run a freqtrade command against a loopback exchange."""
    parser = commands.add_parser(
        "sandbox",
        help="run a freqtrade command against a loopback exchange",
        usage="freqai-signals sandbox [options] -- COMMAND ...",
        description=(
            "Serves stored candles as Binance would on a loopback port, runs COMMAND against it "
            "and returns its exit status. Without --datadir the candles are those of a simulated "
            "market, which is created on first use below user_data/sandbox."
        ),
    )
    parser.add_argument(
        "--datadir", type=Path, metavar="DIR", help="candles in freqtrade's feather format"
    )
    parser.add_argument(
        "--pairs", nargs="+", default=[], metavar="PAIR", help="whitelist, e.g. BTC/USDT ETH/USDT"
    )
    add_market_options(parser)
    parser.add_argument(
        "--port", type=int, default=0, help="of the loopback exchange (default: a free one)"
    )
    parser.add_argument(
        "--log",
        type=Path,
        metavar="FILE",
        help="request log (default: user_data/sandbox/requests.log)",
    )
    parser.add_argument(
        "--weeks",
        type=int,
        metavar="N",
        help="serve history as if it happened N weeks later (default: for freqtrade trade, as many "
        "as make it end four weeks from now; else 0)",
    )
    parser.set_defaults(run=_run, usage_error=parser.error)


def _run(arguments: argparse.Namespace) -> int:
    from freqai_signals.sandbox.runner.runner import DEFAULT_LOG, SandboxRequest, run_sandbox

    if not arguments.command:
        arguments.usage_error("COMMAND is missing: freqai-signals sandbox [options] -- COMMAND ...")
    if not 0 <= arguments.port <= _LARGEST_PORT:
        arguments.usage_error(f"--port must lie between 0 and {_LARGEST_PORT}")
    shaped = [name for name in MARKET_OPTIONS if getattr(arguments, name) is not None]
    # Refused rather than ignored: the result would be about another market than was asked for.
    if arguments.datadir is not None and shaped:
        options = ", ".join(f"--{name.replace('_', '-')}" for name in shaped)
        arguments.usage_error(f"{options}: chooses a simulated market, but --datadir is given")
    request = SandboxRequest(
        command=tuple(arguments.command),
        datadir=arguments.datadir,
        market=market_spec(arguments, *MARKET_OPTIONS),
        pairs=tuple(arguments.pairs),
        port=arguments.port,
        log=arguments.log or DEFAULT_LOG,
        weeks=arguments.weeks,
    )
    return run_sandbox(request, notify)
