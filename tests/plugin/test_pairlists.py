"""Pairlists of a running bot, freqtrade's own ones over the loopback exchange, candle by candle."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from freqtrade.configuration.config_validation import validate_config_consistency
from freqtrade.data.dataprovider import DataProvider
from freqtrade.enums import RunMode
from freqtrade.plugins.pairlistmanager import PairListManager
from freqtrade.resolvers import ExchangeResolver, StrategyResolver

from freqai_signals.config import POOL_FILE
from freqai_signals.ledger.ledger import Ledger
from freqai_signals.plugin.freqai.exchange_clock import clock_of
from freqai_signals.sandbox.exchange.app import create_exchange
from freqai_signals.sandbox.exchange.clock import Clock, wall_clock_ms
from freqai_signals.sandbox.exchange.server import serving
from freqai_signals.schema import TRUST_COLUMN
from tests.plugin.conftest import Bench, market_candles, small_config, write_candles
from tests.plugin.test_live import Bot

FOUR = ("BTC/USDT", "ETH/USDT", "SOL/USDT", "XRP/USDT")
CANDLE = pd.Timedelta("15min")


@dataclass
class Market:
    """An exchange whose clock the test moves, some hours behind the real one."""

    folder: Path
    now: pd.Timestamp = field(
        default_factory=lambda: (
            pd.Timestamp(wall_clock_ms(), unit="ms", tz="UTC").floor("15min")
            - 12 * CANDLE
            + pd.Timedelta("14min")
        )
    )

    def __post_init__(self) -> None:
        first = self.now.floor("15min") - pd.Timedelta(days=40)
        for seed, pair in enumerate(FOUR):
            write_candles(self.folder, pair, market_candles(seed, days=40.4, first=first))

    @property
    def newest(self) -> pd.Timestamp:
        """The candle that closed last by the exchange's clock, which the real one is ahead of."""
        return self.now.floor("15min") - CANDLE


@pytest.fixture
def market(tmp_path: Path) -> Market:
    return Market(tmp_path / "binance")


@pytest.fixture
def bench(market: Market) -> Iterator[Bench]:
    clock = Clock(lambda: int(market.now.timestamp() * 1000))
    with serving(create_exchange(market.folder, clock, lambda line: None)) as url:
        yield Bench(market.folder, url)


@dataclass
class RunningBot(Bot):
    """As much of freqtrade's loop as pairlists and predictions need."""

    market: Market
    pairlists: PairListManager

    @classmethod
    def start(cls, bench: Bench, market: Market, user_data: Path, **changes: Any) -> "RunningBot":
        config = bench.config(user_data, RunMode.DRY_RUN, small_config(**changes))
        exchange = ExchangeResolver.load_exchange(config)
        strategy = StrategyResolver.load_strategy(config)
        validate_config_consistency(config)
        strategy.dp = DataProvider(config, exchange)
        pairlists = PairListManager(exchange, config, strategy.dp)
        strategy.dp.add_pairlisthandler(pairlists)
        pairlists.refresh_pairlist()
        strategy.ft_bot_start()
        strategy.freqai.live = strategy.freqai.scanning = True
        strategy.dp._set_cached_df = lambda *_: None
        strategy.dp.send_msg = lambda *_, **__: None
        strategy._stop_candles = lambda *_: []
        return cls(strategy, config, market, pairlists)

    def candle(self) -> dict[str, int]:
        """The next candle closes; pair to whether its prediction may be acted on."""
        self.market.now += CANDLE
        # By the real clock nothing would be due yet.
        exchange = self.strategy.dp._exchange
        exchange._klines.clear()
        exchange._pairs_last_refresh_time.clear()
        clock_of(exchange, 900)._asked = -1
        self.pairlists.refresh_pairlist()
        pairs = self.pairlists.whitelist
        dp = self.strategy.dp
        dp.refresh(self.pairlists.create_pair_list(pairs), self.strategy.gather_informative_pairs())
        trust = {}
        for pair in pairs:
            frame = self.predict(self.candles(pair), pair)
            frame = self.strategy.advise_exit(
                self.strategy.advise_entry(frame, {"pair": pair}), {"pair": pair}
            )
            assert frame["date"].iloc[-1] == self.market.newest
            trust[pair] = int(frame[TRUST_COLUMN].iloc[-1])
        return trust

    @property
    def pool(self) -> tuple[str, ...]:
        return tuple(self.strategy.features.pool)

    def rows(self) -> pd.DataFrame:
        self.freqai.operation.close()
        file = self.config["user_data_dir"] / "signals" / "ledger.sqlite"
        return Ledger(f"sqlite:///{file}").rows("predictions")


VOLUME = {
    "pairlists": [
        {
            "method": "VolumePairList",
            "number_assets": 3,
            "refresh_period": 0,
            "sort_key": "quoteVolume",
        }
    ],
    "exchange__pair_whitelist": [],
}
SHUFFLED = {
    "pairlists": [
        {"method": "StaticPairList"},
        {"method": "ShuffleFilter", "shuffle_frequency": "iteration"},
        {"method": "OffsetFilter", "offset": 1},
    ],
    "exchange__pair_whitelist": list(FOUR),
}  # fmt: skip
PATTERN = {"exchange__pair_whitelist": [".*/USDT"]}
BOTH = {"exchange__pair_whitelist": list(FOUR), "exchange__pair_blacklist": ["ETH/.*"]}
STATIC = {"exchange__pair_whitelist": list(FOUR)}


@pytest.mark.parametrize(
    ("changes", "pool", "traded"),
    [
        pytest.param(VOLUME, 3, 3, id="volume"),
        pytest.param(SHUFFLED, 4, 3, id="shuffle and offset"),
        pytest.param(PATTERN, 4, 4, id="pattern"),
        pytest.param(BOTH, 3, 3, id="in both lists"),
    ],
)
def test_every_resolved_pair_is_decided_at_every_candle(
    bench: Bench, market: Market, tmp_path: Path, changes: dict[str, Any], pool: int, traded: int
) -> None:
    bot = RunningBot.start(bench, market, tmp_path / "user", **changes)
    assert len(bot.pool) == pool
    first = bot.candle()
    assert set(first.values()) == {0}, "no model yet"
    bot.train(next(iter(first)))
    for _ in range(3):
        trust = bot.candle()
        assert len(trust) == traded
        assert set(trust.values()) == {1}
        # The market of every prediction is whole, whoever is traded.
        assert {bot.strategy.newest_candle(pair) for pair in bot.pool} == {market.newest}
    model = bot.freqai.dd.model_dictionary[next(iter(first))]
    assert model.card.pairs == bot.pool


def test_a_pair_blacklisted_while_the_bot_runs_stays_in_the_market(
    bench: Bench, market: Market, tmp_path: Path
) -> None:
    bot = RunningBot.start(bench, market, tmp_path / "user", **STATIC)
    bot.candle()
    bot.train("BTC/USDT")
    bot.candle()
    # What the API's endpoint does.
    bot.pairlists.blacklist.append("ETH/USDT")
    trust = bot.candle()
    assert set(trust) == {*FOUR} - {"ETH/USDT"}
    assert set(trust.values()) == {1}, "nobody waits for the candle of a pair that left"
    assert bot.strategy.newest_candle("ETH/USDT") == market.newest
    bot.pairlists.blacklist.remove("ETH/USDT")
    assert bot.candle()["ETH/USDT"] == 1, "and back it is served at once"


def test_a_pair_that_joins_is_served_at_once_and_marked_in_the_ledger(
    bench: Bench, market: Market, tmp_path: Path
) -> None:
    pool = {"freqai__signals__model__pool_pairs": ["BTC/USDT", "ETH/USDT"]}
    bot = RunningBot.start(bench, market, tmp_path / "user", **STATIC, **pool)
    bot.pairlists.blacklist.extend(["SOL/USDT", "XRP/USDT"])
    bot.candle()
    bot.train("BTC/USDT")
    bot.candle()
    bot.pairlists.blacklist.clear()
    assert set(bot.candle().items()) == {(pair, 1) for pair in FOUR}
    rows = bot.rows()
    new = rows[rows["model_version"] != "none"].groupby("pair")["new_pair"].max().to_dict()
    assert new == {"BTC/USDT": 0, "ETH/USDT": 0, "SOL/USDT": 1, "XRP/USDT": 1}


def test_a_running_bot_may_have_a_pool_beyond_its_whitelist(
    bench: Bench, market: Market, tmp_path: Path
) -> None:
    named = {
        "exchange__pair_whitelist": ["BTC/USDT"],
        "freqai__signals__model__pool_pairs": ["BTC/USDT", "ETH/USDT"],
        "freqai__feature_parameters__include_corr_pairlist": ["SOL/USDT"],
    }
    bot = RunningBot.start(bench, market, tmp_path / "user", **named)
    assert bot.candle() == {"BTC/USDT": 0}
    assert bot.train("BTC/USDT").card.pairs == ("BTC/USDT", "ETH/USDT", "SOL/USDT")
    assert bot.candle() == {"BTC/USDT": 1}


def test_a_restart_keeps_a_resolved_pool_for_as_long_as_its_model(
    bench: Bench, market: Market, tmp_path: Path
) -> None:
    user_data = tmp_path / "user"
    assert RunningBot.start(bench, market, user_data, **PATTERN).pool == FOUR
    file = user_data / "models" / "test" / POOL_FILE
    # As if the exchange had listed three of them when the pool was resolved.
    resolved = file.read_text().replace(', "XRP/USDT"', "")
    file.write_text(resolved)
    assert RunningBot.start(bench, market, user_data, **PATTERN).pool == FOUR[:3]
    file.write_text(resolved.replace('"resolved": 1', '"resolved": 0.1'))
    assert RunningBot.start(bench, market, user_data, **PATTERN).pool == FOUR
    file.write_text("{")
    assert RunningBot.start(bench, market, user_data, **PATTERN).pool == FOUR


def test_other_pairlists_make_another_pool_at_once(
    bench: Bench, market: Market, tmp_path: Path
) -> None:
    """A backtest of the same config has it too."""
    user_data = tmp_path / "user"
    assert RunningBot.start(bench, market, user_data, **PATTERN).pool == FOUR
    fewer = PATTERN | {"exchange__pair_blacklist": ["ETH/USDT"]}
    assert RunningBot.start(bench, market, user_data, **fewer).pool == (
        "BTC/USDT", "SOL/USDT", "XRP/USDT",
    )  # fmt: skip


def test_a_bot_told_to_train_as_often_as_it_can_trains_once_a_candle(
    bench: Bench, market: Market, tmp_path: Path
) -> None:
    bot = RunningBot.start(bench, market, tmp_path / "user", freqai__live_retrain_hours=0)
    assert bot.freqai.freqai_info["live_retrain_hours"] == 0.25
    assert bot.config["freqai"]["live_retrain_hours"] == 0, "the user's own stays as it is"


def test_a_pair_that_nobody_knew_at_start_is_served_then_trains(
    bench: Bench, market: Market, tmp_path: Path
) -> None:
    """VolumePairList brings a coin hours after the start; the config's whitelist is not its."""
    volume = VOLUME | {"exchange__pair_whitelist": ["BTC/USDT"]}
    bot = RunningBot.start(bench, market, tmp_path / "user", **volume)
    pool = bot.pool
    assert len(pool) == 3, "what the pairlist resolves, and not the whitelist that it ignores"
    (new,) = {*FOUR} - {*pool}
    bot.candle()
    assert bot.train(pool[0]).card.pairs == pool
    assert new not in bot.candle()
    bot.pairlists.blacklist.append(pool[0])
    trust = bot.candle()
    assert trust == dict.fromkeys(sorted({*pool[1:], new}, key=list(trust).index), 1)
    assert bot.pool == pool, "the market is the same for as long as the bot runs"
    for entry in bot.freqai.dd.pair_dict.values():
        entry["trained_timestamp"] -= 200 * 3600
    assert new in bot.train(new).card.pairs
    assert bot.candle()[new] == 1
    rows = bot.rows()
    own = rows[(rows["pair"] == new) & (rows["model_version"] != "none")]
    marks = own.sort_values("candle").groupby("model_version", sort=False)["new_pair"].unique()
    assert [mark.tolist() for mark in marks] == [[1], [0]]


def test_a_training_before_the_schedule_happens_though_a_pair_has_joined(
    bench: Bench, market: Market, tmp_path: Path
) -> None:
    """What serves the pair that joined is the pool's newest model: no reason to adopt it again."""
    volume = VOLUME | {"exchange__pair_whitelist": ["BTC/USDT"]}
    bot = RunningBot.start(bench, market, tmp_path / "user", **volume)
    (new,) = {*FOUR} - {*bot.pool}
    bot.candle()
    first = bot.train(bot.pool[0]).card.version
    bot.pairlists.blacklist.append(bot.pool[0])
    assert bot.candle()[new] == 1
    bot.freqai.retrain_early(bot.pool[1])
    second = bot.train(bot.pool[1]).card.version
    assert second != first
    assert bot.train(new).card.version == second


def test_a_coin_listed_yesterday_abstains_and_stops_nobody(
    bench: Bench, market: Market, tmp_path: Path
) -> None:
    first = market.now.floor("15min") - pd.Timedelta(days=1)
    write_candles(market.folder, "XRP/USDT", market_candles(9, days=1.4, first=first))
    bot = RunningBot.start(bench, market, tmp_path / "user", **PATTERN)
    bot.pairlists.blacklist.append("XRP/USDT")
    bot.candle()
    bot.train("BTC/USDT")
    bot.pairlists.blacklist.clear()
    assert bot.candle() == {"BTC/USDT": 1, "ETH/USDT": 1, "SOL/USDT": 1, "XRP/USDT": 0}


def test_a_named_pool_stays_closed(bench: Bench, market: Market, tmp_path: Path) -> None:
    pool = {"freqai__signals__model__pool_pairs": ["BTC/USDT", "ETH/USDT"]}
    bot = RunningBot.start(bench, market, tmp_path / "user", **STATIC, **pool)
    bot.candle()
    assert bot.train("SOL/USDT").card.pairs == ("BTC/USDT", "ETH/USDT")
