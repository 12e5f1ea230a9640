"""A bot through a regime break of the simulated market: alarm, early training, recovery.

``python -m benchmarks.regime_break``. The market's volatility is multiplied on a given day; a bot
with the default gate, drift, ledger and alert settings is moved over it candle by candle
(``benchmarks.stepped_bot``). In the end ``freqai-signals status`` prints what an operator sees.
"""

import argparse
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pandas as pd

from benchmarks.stepped_bot import REPO, SteppedBot, stepped_bot
from freqai_signals.commands.cli import main as freqai_signals
from freqai_signals.sandbox.market.market_files import ensure_market
from freqai_signals.sandbox.market.spec import MarketSpec

PAIRS: Final = ("BTC/USDT", "ETH/USDT")
TRAIN_DAYS: Final = 60
WARM_UP_DAYS: Final = 17
CALM_DAYS: Final = 1
MOST_DAYS: Final = 10
"""After the break; a simulated history depends on its full length, also if a run uses less."""
CANDLE: Final = pd.Timedelta("15min")


@dataclass(frozen=True)
class Break:
    """The kind of break, and the days that the bot runs afterwards."""

    volatility: float = 5.0
    edge: float = 1.0
    days: int = 5

    def market(self) -> MarketSpec:
        """Of two pairs, with an edge that a small model finds."""
        day = TRAIN_DAYS + WARM_UP_DAYS + CALM_DAYS
        return MarketSpec(
            pairs=PAIRS, days=day + MOST_DAYS, edge=4.0, break_day=day,
            break_edge=self.edge, break_volatility=self.volatility,
        )  # fmt: skip


def config() -> dict[str, Any]:
    """The shipped config with longer candles and a shorter window, trained once a month."""
    found: dict[str, Any] = json.loads((REPO / "config.json").read_text())
    found["timeframe"] = "15m"
    found["exchange"]["pair_whitelist"] = list(PAIRS)
    freqai = found["freqai"]
    freqai |= {
        "identifier": "regime",
        "train_period_days": TRAIN_DAYS,
        "live_retrain_hours": 24 * 30,
        "expiration_hours": 0,
        "model_training_parameters": {"rounds": 200, "min_child_samples": 50, "n_jobs": 1},
    }
    freqai["data_split_parameters"]["test_size"] = 0.2
    freqai["feature_parameters"] |= {
        "include_timeframes": ["15m"],
        "label_period_candles": 8,
        "indicator_periods_candles": [4, 12, 36],
    }
    freqai["signals"]["model"]["row_step"] = 1
    # Its candles follow each other without pause, which must not be too fast for a slow disk.
    freqai["signals"]["ledger"] = {"wait_seconds": 30}
    freqai["signals"]["features"] = {
        "groups": ["momentum", "candle_shape", "volatility", "calendar"],
        "higher_timeframes": ["1h"],
    }
    return found


def live_through(found: Break, folder: Path) -> SteppedBot:
    """Run a bot through the break; its files are in ``folder/user_data/signals``."""
    spec = found.market()
    market = ensure_market(spec, folder / "market")
    first = pd.Timestamp(spec.start, tz="UTC") + pd.Timedelta(days=spec.break_day - CALM_DAYS)
    with stepped_bot(market, config(), folder / "user_data", first) as bot:
        for number in range((CALM_DAYS + found.days) * 96):
            bot.step(first + number * CANDLE)
    return bot


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--volatility", type=float, default=5.0, help="times (default: 5)")
    parser.add_argument("--edge", type=float, default=1.0, help="times (default: 1, no change)")
    parser.add_argument("--days", type=int, default=5, help="after the break (default: 5)")
    parser.add_argument("--json", action="store_true", help="print the status as JSON")
    arguments = parser.parse_args()
    if not 0 < arguments.days <= MOST_DAYS:
        parser.error(f"--days must lie between 1 and {MOST_DAYS}, got {arguments.days}")
    found = Break(arguments.volatility, arguments.edge, arguments.days)
    with tempfile.TemporaryDirectory() as folder:
        bot = live_through(found, Path(folder))
        spec = found.market()
        print(f"\nThe break: {pd.Timestamp(spec.start) + pd.Timedelta(days=spec.break_day):%F}")
        for at, text in bot.messages:
            print(f"{at + CANDLE:%F %H:%M} {text}")
        signals = Path(folder) / "user_data" / "signals"
        words = [
            "--ledger",
            str(signals / "ledger.sqlite"),
            "--registry",
            str(signals / "registry"),
        ]
        freqai_signals(["status", *words, *(["--json"] if arguments.json else ["--events", "30"])])


if __name__ == "__main__":
    main()
