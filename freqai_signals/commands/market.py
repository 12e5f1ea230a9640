"""The subcommand ``market``: the simulated market, and the options that shape it."""

import argparse
import datetime as dt
import sys
from typing import TYPE_CHECKING, Any, Final

from freqai_signals.terminal import notify

if TYPE_CHECKING:
    from freqai_signals.sandbox.market.spec import MarketSpec

MARKET_OPTIONS: Final = ("edge", "seed", "days", "break_day", "break_edge", "break_volatility")


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
    add_market_options(parser)
    parser.set_defaults(run=_run, usage_error=parser.error)


def add_market_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that choose a simulated market."""
    group = parser.add_argument_group("simulated market")
    group.add_argument(
        "--edge", type=float, help="strength of what can be predicted; 0 is none (default: 2)"
    )
    group.add_argument("--seed", type=int, help="chooses the history")
    group.add_argument("--days", type=int, help="length of the history (default: 430)")
    group.add_argument(
        "--break-day", type=int, metavar="N", help="change how the market behaves after N days"
    )
    group.add_argument(
        "--break-edge", type=float, metavar="X", help="then multiply the edge (-1 reverses it)"
    )
    group.add_argument(
        "--break-volatility", type=float, metavar="X", help="then multiply the volatility"
    )


def _run(arguments: argparse.Namespace) -> int:
    from freqai_signals.sandbox.market.market_files import ensure_market

    spec = market_spec(arguments, *MARKET_OPTIONS, "pairs", "start")
    sys.stdout.write(f"{ensure_market(spec, notify=notify).folder}\n")
    return 0


def market_spec(arguments: argparse.Namespace, *names: str) -> "MarketSpec":
    """Simulated market of the named options, defaults where they are not given."""
    from freqai_signals.sandbox.market.spec import MarketSpec

    options = {name: getattr(arguments, name) for name in names}
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in options.items()
        # The spec has the defaults, so that they stand in one place.
        if value is not None
    }
    return MarketSpec(**values)
