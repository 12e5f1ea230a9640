"""Pools that are not as even as one would like: one pair, late ones, delisted ones, new ones."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from freqtrade.exceptions import OperationalException

from freqai_signals.sandbox.exchange.app import create_exchange
from freqai_signals.sandbox.exchange.clock import Clock
from freqai_signals.sandbox.exchange.server import serving
from freqai_signals.schema import TRUST_COLUMN
from tests.plugin.conftest import PAIRS, Bench, Run, market_candles, small_config, write_candles

Change = Callable[[pd.DataFrame], pd.DataFrame]


def cut(frame: pd.DataFrame, first: str = "2000", stop: str = "2100") -> pd.DataFrame:
    """Candles from one time on and before another one."""
    dates = frame["date"]
    inside = (dates >= pd.Timestamp(first, tz="UTC")) & (dates < pd.Timestamp(stop, tz="UTC"))
    return frame[inside].reset_index(drop=True)


def trusted(run: Run, pair: str, first: str = "2024-01-29", stop: str = "2024-02-02") -> float:
    """Share of a pair's rows of the backtest that may be acted on."""
    rows = cut(run.predictions(pair), first, stop)
    assert len(rows)
    return float((rows[TRUST_COLUMN] == 1).mean())


def test_a_pool_of_one_pair_is_trained_and_predicts(bench: Bench, tmp_path: Path) -> None:
    run = bench.backtest(tmp_path / "user", small_config(exchange__pair_whitelist=["BTC/USDT"]))
    assert [model.card.pairs for model in run.models] == [("BTC/USDT",)] * 2
    assert trusted(run, "BTC/USDT") > 0.7


def test_a_pair_that_begins_late_uses_the_pool(
    changed_candles: Callable[[str, Change], Bench], tmp_path: Path
) -> None:
    """ETH's features need a week of candles: it gives the first window no row at all."""
    served = changed_candles("ETH/USDT", lambda frame: cut(frame, first="2024-01-23"))
    run = served.backtest(tmp_path / "user")
    assert run.models[0].card.pairs == ("BTC/USDT",)
    assert trusted(run, "BTC/USDT") > 0.7
    known = cut(run.predictions("ETH/USDT"), "2024-01-30 06:00")
    assert (known["proba_hold"] < 1).mean() > 0.6


def test_a_pair_delisted_before_the_backtest_is_refused_with_what_to_do(
    changed_candles: Callable[[str, Change], Bench], tmp_path: Path
) -> None:
    served = changed_candles("ETH/USDT", lambda frame: cut(frame, stop="2024-01-20"))
    with pytest.raises(OperationalException, match=r"ETH/USDT.*2024-01-19.*remove the pair"):
        served.backtest(tmp_path / "user")


def test_a_pair_delisted_in_the_backtest_window_ends_alone(
    first_run: Run, changed_candles: Callable[[str, Change], Bench], tmp_path: Path
) -> None:
    """What is said before the end is what would have been said without it."""
    end = "2024-01-30 12:00"
    served = changed_candles("ETH/USDT", lambda frame: cut(frame, stop=end))
    run = served.backtest(tmp_path / "user")
    assert trusted(run, "BTC/USDT", end) > 0.6
    for pair in PAIRS:
        ended, whole = (cut(each.predictions(pair), stop=end) for each in (run, first_run))
        columns = ["date", "proba_sell", "proba_hold", "proba_buy", TRUST_COLUMN]
        pd.testing.assert_frame_equal(ended[columns], whole[columns])
    assert run.predictions("ETH/USDT")["date"].max() < pd.Timestamp(end, tz="UTC")


@pytest.fixture
def three(tmp_path: Path) -> Iterator[Bench]:
    """An exchange that lists a third pair."""
    folder = tmp_path / "three" / "binance"
    for seed, pair in enumerate((*PAIRS, "SOL/USDT")):
        write_candles(folder, pair, market_candles(seed))
    with serving(create_exchange(folder, Clock(), lambda line: None)) as url:
        yield Bench(folder, url)


def test_a_new_pair_beside_a_fixed_pool_trains_nothing(three: Bench, tmp_path: Path) -> None:
    """With ``pool_pairs`` given, a traded pair outside is predicted by the pool's models."""
    pool: dict[str, Any] = {"freqai__signals__model__pool_pairs": list(PAIRS)}
    before = three.backtest(tmp_path / "user", small_config(**pool))
    whitelist = [*PAIRS, "SOL/USDT"]
    after = three.backtest(
        tmp_path / "user", small_config(**pool, exchange__pair_whitelist=whitelist)
    )
    assert [model.card.key for model in after.models] == [m.card.key for m in before.models]
    assert len(after.said("Reusing model", "rows, settings and code are unchanged")) == 2
    assert len(after.said("Reusing cached predictions")) == 4
    assert trusted(after, "SOL/USDT") > 0.6


def test_selection_works_through_freqtrade(bench: Bench, tmp_path: Path) -> None:
    chosen = {"enabled": True}
    run = bench.backtest(tmp_path / "user", small_config(freqai__signals__selection=chosen))
    for model in run.models:
        used = model.card.settings["selection"]
        assert {name: used[name] for name in chosen} == chosen
    assert trusted(run, "BTC/USDT") > 0.6
    assert len(run.said("Features:", "kept")) == 2
    assert run.models[1].card.selection["jaccard"] is not None
