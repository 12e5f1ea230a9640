"""A dry-run bot stepped from candle to candle: no waiting, no threads, no clock.

Strategy, model adapter, FreqAI's bookkeeping, registry, ledger and alerts are the real ones, made
by freqtrade from a config as for ``freqtrade trade``. What freqtrade's loop and FreqAI's thread
would do is done here, once a candle: predict and decide every pair, train where FreqAI says that
training is due, send messages. Time is that of the candle, for freqtrade and for us.
"""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any, Self
from unittest.mock import patch

import pandas as pd
from freqtrade.configuration import Configuration
from freqtrade.configuration.config_validation import validate_config_consistency
from freqtrade.data.dataprovider import DataProvider
from freqtrade.enums import CandleType, RunMode
from freqtrade.freqai.data_kitchen import FreqaiDataKitchen
from freqtrade.persistence import Trade
from freqtrade.resolvers import ExchangeResolver, StrategyResolver

from freqai_signals.sandbox.exchange.app import create_exchange
from freqai_signals.sandbox.exchange.clock import Clock
from freqai_signals.sandbox.exchange.server import serving
from freqai_signals.sandbox.market.market_files import Market, candle_file, write_feather
from freqai_signals.sandbox.runner.environment import sandbox_variables

REPO = Path(__file__).resolve().parents[1]
_SHOWN_CANDLES = 1_500
_ASK_THE_TIME = (
    "freqtrade.freqai.data_kitchen.datetime",
    "freqtrade.freqai.data_drawer.datetime",
    "freqtrade.freqai.utils.datetime",
    "freqai_signals.registry.version_files.datetime",
)


class SteppedClock:
    """A clock in seconds since 1970 that advances only when it is set."""

    def __init__(self, start: pd.Timestamp) -> None:
        self.seconds = start.timestamp()

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Replace the clock of freqtrade and ours; clocks that measure durations are kept."""
        clock = self

        class Stepped(datetime):
            @classmethod
            def now(cls, tz: tzinfo | None = None) -> Self:
                return cls.fromtimestamp(clock.seconds, tz)

        with ExitStack() as patches:
            patches.enter_context(patch("time.time", lambda: clock.seconds))
            for name in _ASK_THE_TIME:
                patches.enter_context(patch(name, Stepped))
            yield


class SteppedBot:
    """One bot over the candles of a simulated market.

    Parameters
    ----------
    market
        Its candles are revealed one by one.
    config
        freqtrade's config, as in the file.
    user_data
        Its folder. Candles that close before ``clock`` are put there as if downloaded; FreqAI must
        not find later ones.
    clock
        Moved by :meth:`step`.
    """

    def __init__(
        self, market: Market, config: Mapping[str, Any], user_data: Path, clock: SteppedClock
    ) -> None:
        self.clock = clock
        self.pairs: tuple[str, ...] = tuple(config["exchange"]["pair_whitelist"])
        self.timeframe = str(config["timeframe"])
        self.messages: list[tuple[pd.Timestamp, str]] = []
        self.trainings: list[tuple[pd.Timestamp, str]] = []
        self._candles = {pair: market.candles(pair, self.timeframe) for pair in self.pairs}
        data = user_data / "data"
        data.mkdir(parents=True, exist_ok=True)
        for pair, frame in self._candles.items():
            past = frame[frame["date"] + pd.Timedelta(self.timeframe) <= self._now()]
            write_feather(past.reset_index(drop=True), data / candle_file(pair, self.timeframe))
        self._config = _configuration(data, config, user_data)
        exchange = ExchangeResolver.load_exchange(self._config)
        self.strategy = StrategyResolver.load_strategy(self._config)
        validate_config_consistency(self._config)
        self.strategy.dp = DataProvider(self._config, exchange)
        self.strategy.dp.current_whitelist = lambda: list(self.pairs)
        self.strategy.ft_bot_start()
        self.strategy.freqai.live = True
        # FreqAI would start its thread for training otherwise; see _train.
        self.strategy.freqai.scanning = True

    def step(self, opening: pd.Timestamp) -> dict[str, pd.Series]:
        """Close the candle that opened then; the newest analysed row of each pair."""
        self.clock.seconds = (opening + pd.Timedelta(self.timeframe)).timestamp() + 5
        for pair in self.pairs:
            frame = self._candles[pair]
            stop = int(frame["date"].searchsorted(opening, side="right"))
            key = (pair, self.timeframe, CandleType.SPOT)
            shown = frame.iloc[max(stop - self._reach, 0) : stop].reset_index(drop=True)
            self.strategy.dp._exchange._klines[key] = shown
        self.strategy.bot_loop_start(self._now().to_pydatetime())
        rows = {pair: self._analysed(pair).iloc[-1] for pair in self.pairs}
        self._train(opening)
        self._send(opening)
        return rows

    def close(self) -> None:
        """Write all queued rows."""
        self.strategy.freqai.operation.close()

    def _now(self) -> pd.Timestamp:
        return pd.Timestamp(self.clock.seconds, unit="s", tz="UTC")

    @property
    def _reach(self) -> int:
        # The first time, all that FreqAI would download for its first training.
        known = self.strategy.freqai.dd.historic_data
        return _SHOWN_CANDLES if known else 10**6

    def _analysed(self, pair: str) -> pd.DataFrame:
        named = {"pair": pair}
        frame = self.strategy.dp.get_pair_dataframe(pair, self.timeframe).tail(_SHOWN_CANDLES)
        frame = self.strategy.advise_indicators(frame.reset_index(drop=True), named)
        return self.strategy.advise_exit(self.strategy.advise_entry(frame, named), named)

    def _train(self, opening: pd.Timestamp) -> None:
        """Process each pair of FreqAI's queue as its thread does."""
        freqai = self.strategy.freqai
        for pair in self.pairs:
            data_kitchen = FreqaiDataKitchen(self._config, True, pair)
            _, trained = freqai.dd.get_pair_dict_info(pair)
            due, window, loading = data_kitchen.check_if_new_training_required(trained)
            if due:
                data_kitchen.set_paths(pair, window.stopts)
                freqai.extract_data_and_train_model(
                    window, pair, self.strategy, data_kitchen, loading
                )
                self.trainings.append((opening, freqai.dd.model_dictionary[pair].card.version))

    def _send(self, opening: pd.Timestamp) -> None:
        queue = self.strategy.dp._msg_queue
        while queue:
            self.messages.append((opening, queue.popleft()))


@contextmanager
def stepped_bot(
    market: Market, config: Mapping[str, Any], user_data: Path, start: pd.Timestamp
) -> Iterator[SteppedBot]:
    """A bot over a market from a date on; the clock is replaced within the context."""
    clock = SteppedClock(start)
    with ExitStack() as stack:
        stack.enter_context(patch.object(Trade, "get_trades_proxy", lambda **_: []))
        url = stack.enter_context(
            serving(create_exchange(market.folder, _market_time(clock), lambda line: None))
        )
        with patch.dict(os.environ, sandbox_variables(url, market.folder)):
            bot = SteppedBot(market, config, user_data, clock)
        stack.enter_context(clock.shown())
        try:
            yield bot
        finally:
            bot.close()


def _market_time(clock: SteppedClock) -> Clock:
    """Return only candles that have started at the bot's time."""
    return Clock(now_ms=lambda: int(clock.seconds * 1000))


def _configuration(data: Path, config: Mapping[str, Any], user_data: Path) -> dict[str, Any]:
    path = user_data / "config.json"
    path.write_text(json.dumps(config))
    arguments = {
        "config": [str(path)],
        "user_data_dir": str(user_data),
        "datadir": str(data),
        "strategy": "LightGBMSignalStrategy",
        "strategy_path": str(REPO / "strategies"),
        "freqaimodel": "LightGBMSignalClassifier",
        "freqaimodel_path": str(REPO / "freqai_models"),
    }
    found: dict[str, Any] = Configuration(arguments, RunMode.DRY_RUN).get_config()
    return found
