"""What candles show of the latent state: the filters' errors are those that they state."""

import dataclasses

import numpy as np
import pytest

from benchmarks.quality.observer import WARM_UP_CANDLES, Observer, log_wicks
from freqai_signals.dataset.barriers import LabelRule, barrier_width
from freqai_signals.sandbox.market.market_files import Market
from freqai_signals.sandbox.posterior.barrier_posterior import barrier_posterior
from freqai_signals.sandbox.posterior.horizon_posterior import (
    PathSampling,
    horizon_posterior,
    latent_state,
)
from freqai_signals.sandbox.posterior.skill_share import attainable_skill
from freqai_signals.settings import LabelSettings

HORIZON = 12
PAIR = "BTC/USDT"


def late_rows(market: Market, step: int = 1) -> np.ndarray:
    return np.arange(WARM_UP_CANDLES, len(market.candles(PAIR)) - HORIZON, step)


def test_errors_are_as_large_as_stated(market: Market) -> None:
    rows = late_rows(market)
    shown, latent = Observer(market).state(PAIR, rows), latent_state(market, PAIR, rows)
    for name in ("drift", "log_volatility"):
        missed = getattr(shown, name) - getattr(latent, name)
        stated = shown.drift_error if name == "drift" else shown.volatility_error
        assert missed.std() == pytest.approx(stated, rel=0.15)
        assert stated < 0.4 * getattr(latent, name).std()
    assert (shown.kappa, shown.volatility) == (latent.kappa, latent.volatility)
    np.testing.assert_array_equal(shown.candle, latent.candle)


def test_later_candles_do_not_change_what_was_shown(
    market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = late_rows(market)[:500]
    before = Observer(market).state(PAIR, rows)
    whole = Market.candles

    def cut(self: Market, pair: str) -> object:
        return whole(self, pair).iloc[: rows[-1] + 1]

    monkeypatch.setattr(Market, "candles", cut)
    after = Observer(market).state(PAIR, rows)
    np.testing.assert_array_equal(before.drift, after.drift)
    np.testing.assert_array_equal(before.log_volatility, after.log_volatility)


def test_a_wick_that_rounding_took_counts_as_half_a_tick(market: Market) -> None:
    candles = market.candles(PAIR).iloc[:1].assign(open=100.0, high=100.0, low=99.0, close=100.0)
    up, down = log_wicks(candles, PAIR)
    assert np.exp(up[0]) == pytest.approx(0.5 * 0.01 / 100.0)
    assert np.exp(down[0]) == pytest.approx(-np.log(0.99))


@pytest.mark.parametrize(("kind", "step"), [("fixed", 7), ("triple_barrier", 29)])
def test_the_observer_is_worth_less_than_knowing_the_state(
    market: Market, kind: str, step: int
) -> None:
    close = market.candles(PAIR)["close"].to_numpy()
    settings = LabelSettings(kind=kind)  # type: ignore[arg-type]
    rows = late_rows(market, step)
    width = barrier_width(close, LabelRule(settings, HORIZON, 288))[rows]
    posterior = barrier_posterior if kind == "triple_barrier" else horizon_posterior
    state, shown = latent_state(market, PAIR, rows), Observer(market).state(PAIR, rows)
    drawn_apart = posterior(state, width, HORIZON, sampling=PathSampling(512, seed=1))
    truth = getattr(drawn_apart, "proba", drawn_apart)
    worth = attainable_skill(posterior(shown, width, HORIZON), truth)
    assert 0.02 < worth < attainable_skill(posterior(state, width, HORIZON), truth)


def test_an_observer_who_forgets_that_it_may_err_is_worth_less(market: Market) -> None:
    rows = late_rows(market, 7)
    width = np.full(len(rows), 0.003)
    shown = Observer(market).state(PAIR, rows)
    sure = dataclasses.replace(shown, drift_error=0.0, volatility_error=0.0)
    truth = horizon_posterior(latent_state(market, PAIR, rows), width, HORIZON)
    worth = [attainable_skill(horizon_posterior(s, width, HORIZON), truth) for s in (shown, sure)]
    assert worth[0] > worth[1]
