"""Examples of every subcommand, shown at the end of its ``--help``."""

import argparse
from collections.abc import Mapping
from typing import Final

EXAMPLES: Final[Mapping[str, tuple[str, ...]]] = {
    "sandbox": (
        "freqai-signals sandbox -- freqtrade backtesting -c config.json --timerange 20240105-",
        "freqai-signals sandbox --pairs BTC/USDT -- freqtrade trade --dry-run -c config.json",
        "freqai-signals sandbox --datadir user_data/data/binance -- bash my-script.sh",
    ),
    "market": (
        "freqai-signals market",
        "freqai-signals market --days 100 --pairs BTC/USDT --edge 0",
    ),
    "credentials": (
        "freqai-signals credentials",
        "freqai-signals credentials --port 8081 --announce",
    ),
    "rehearse": (
        "freqai-signals rehearse --config config.json --days 1 --speed 40",
        "freqai-signals rehearse --config config.json --faults 0.05 --incidents",
    ),
    "soak": (
        "freqai-signals soak --hours 24 --seed 1",
        "freqai-signals soak --config config.json config.soak.json --hours 48",
    ),
    "settings": (
        "freqai-signals settings decision",
        "freqai-signals settings labels.k --config config.json",
    ),
    "init": (
        "freqai-signals init --userdir user_data --dry-run",
        "freqai-signals init --userdir user_data --pairs BTC/USDT ETH/USDT --examples",
    ),
    "hyperopt": ("freqai-signals hyperopt",),
    "models list": ("freqai-signals models list", "freqai-signals models list --json"),
    "models show": (
        "freqai-signals models show",
        "freqai-signals models show 20240305T0000-1a2b3c4d5e",
    ),
    "models compare": ("freqai-signals models compare 1a2b 9f8e",),
    "models rollback": (
        'freqai-signals models rollback --reason "too many sells since yesterday"',
    ),
    "models pin": (
        'freqai-signals models pin 20240305T0000-1a2b3c4d5e --reason "until the fair is over"',
    ),
    "models unpin": ("freqai-signals models unpin",),
    "models verify": (
        "freqai-signals models verify",
        "freqai-signals models verify ~/Downloads/model.zip",
    ),
    "models export": ("freqai-signals models export --out shared",),
    "tune": (
        "freqai-signals tune --config config.json --until 20240105",
        "freqai-signals tune --config config.json --trials 20 --minutes 30",
        "freqai-signals tune --config config.json --scheduler tcp://10.0.0.5:8786",
    ),
    "train": (
        "freqai-signals train --config config.json --timerange 20240105-20240305",
        "freqai-signals train --scheduler tcp://10.0.0.5:8786 --timerange 20240105-20240305",
    ),
    "ledger": (
        "freqai-signals ledger verify",
        "freqai-signals ledger export --out track-record",
    ),
    "doctor": (
        "freqai-signals doctor",
        "freqai-signals doctor --timerange 20240105-20240305 --json",
    ),
}
"""Subcommand, with its action if it has several, to command lines that work as they stand."""


class HelpWithExamples(argparse.HelpFormatter):
    """Wraps texts as usual, but for a list of examples, whose lines one copies."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        if text.startswith("examples:"):
            return text
        return super()._fill_text(text, width, indent)


def with_examples(parser: argparse.ArgumentParser, name: str) -> argparse.ArgumentParser:
    """Let a parser's help end with the examples of this name."""
    lines = EXAMPLES.get(name, ())
    parser.formatter_class = HelpWithExamples
    parser.epilog = "\n  ".join(["examples:", *lines]) if lines else parser.epilog
    return parser
