"""Subcommands of this room: ``sandbox`` and ``market``."""

import argparse
import datetime as dt
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from freqai_signals.sandbox.market.spec import MarketSpec

_MARKET_OPTIONS = ("edge", "seed", "days", "break_day", "break_edge", "break_volatility")
_LARGEST_PORT = 65535


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
    _add_market_options(parser)
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
        "as bring it onto the clock with four weeks to come; else 0)",
    )
    parser.set_defaults(run=_run_sandbox, usage_error=parser.error)


def add_market(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add ``market``: create a simulated market and print its folder."""
    parser = commands.add_parser(
        "market",
        help="create the simulated market and print its folder",
        description="Creates the simulated market unless it is there, and prints its folder.",
    )
    parser.add_argument("--pairs", nargs="+", metavar="PAIR", help="e.g. BTC/USDT ETH/USDT")
    parser.add_argument(
        "--start", type=dt.date.fromisoformat, metavar="YYYY-MM-DD", help="first day"
    )
    _add_market_options(parser)
    parser.set_defaults(run=_run_market, usage_error=parser.error)


def _add_market_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("simulated market")
    group.add_argument(
        "--edge", type=float, help="strength of what can be predicted; 0 is none (default: 2)"
    )
    group.add_argument("--seed", type=int, help="chooses the history")
    group.add_argument("--days", type=int, help="length of the history (default: 430)")
    group.add_argument(
        "--break-day", type=int, metavar="N", help="change the market's law after N days"
    )
    group.add_argument(
        "--break-edge", type=float, metavar="X", help="then multiply the edge (-1 turns it round)"
    )
    group.add_argument(
        "--break-volatility", type=float, metavar="X", help="then multiply the volatility"
    )


def _run_sandbox(arguments: argparse.Namespace) -> int:
    from freqai_signals.sandbox.runner.runner import DEFAULT_LOG, SandboxRequest, run_sandbox

    if not arguments.command:
        arguments.usage_error("COMMAND is missing: freqai-signals sandbox [options] -- COMMAND ...")
    if not 0 <= arguments.port <= _LARGEST_PORT:
        arguments.usage_error(f"--port must lie between 0 and {_LARGEST_PORT}")
    given = [name for name in _MARKET_OPTIONS if getattr(arguments, name) is not None]
    if arguments.datadir is not None and given:
        options = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        arguments.usage_error(f"{options}: shapes the simulated market, but --datadir is given")
    request = SandboxRequest(
        command=tuple(arguments.command),
        datadir=arguments.datadir,
        market=_market_spec(arguments, *_MARKET_OPTIONS),
        pairs=tuple(arguments.pairs),
        port=arguments.port,
        log=arguments.log or DEFAULT_LOG,
        weeks=arguments.weeks,
    )
    return run_sandbox(request, _notify)


def _run_market(arguments: argparse.Namespace) -> int:
    from freqai_signals.sandbox.market.market_files import ensure_market

    spec = _market_spec(arguments, *_MARKET_OPTIONS, "pairs", "start")
    sys.stdout.write(f"{ensure_market(spec, notify=_notify).folder}\n")
    return 0


def _market_spec(arguments: argparse.Namespace, *names: str) -> "MarketSpec":
    from freqai_signals.sandbox.market.spec import MarketSpec

    given = {name: getattr(arguments, name) for name in names}
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in given.items()
        if value is not None
    }
    return MarketSpec(**values)


def _notify(line: str) -> None:
    sys.stderr.write(f"freqai-signals: {line}\n")
    sys.stderr.flush()
