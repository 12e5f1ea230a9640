import numpy as np
import pytest

from freqai_signals.dataset.barriers import LabelRule, barrier_width
from freqai_signals.dataset.labels import make_labels
from freqai_signals.sandbox.market.dynamics import DYNAMICS, Array, candle_volatility, season
from freqai_signals.sandbox.market.market_files import Market
from freqai_signals.sandbox.posterior.barrier_posterior import barrier_posterior
from freqai_signals.sandbox.posterior.horizon_posterior import (
    LatentState,
    PathSampling,
    horizon_posterior,
    latent_state,
)
from freqai_signals.sandbox.posterior.skill_share import (
    attainable_skill,
    class_frequencies,
    log_loss_skill,
    share_of_attainable_skill,
)
from freqai_signals.schema import LABEL_COLUMN, SignalClass
from freqai_signals.settings import LabelSettings

HORIZON = 12


def labelled(
    market: Market, kind: str, step: int = 1, pair: str = "BTC/USDT"
) -> tuple[LatentState, Array, Array]:
    """State, barrier width and class of the rows of a pair whose label is known."""
    candles = market.candles(pair)
    settings = LabelSettings(kind=kind)  # type: ignore[arg-type]
    label = make_labels(candles, LabelRule(settings, HORIZON, 288))[LABEL_COLUMN].to_numpy()
    width = barrier_width(candles["close"].to_numpy(), LabelRule(settings, HORIZON, 288))
    rows = np.flatnonzero(np.isfinite(label))[::step]
    return latent_state(market, pair, rows), width[rows], label[rows].astype(np.int64)


def calibration_error(proba: Array, truth: Array) -> float:
    top, hit = proba.max(axis=1), proba.argmax(axis=1) == truth
    bins = np.minimum((top * 20).astype(int), 19)
    gaps = [abs(top[bins == k].sum() - hit[bins == k].sum()) for k in range(20)]
    return float(sum(gaps) / len(truth))


@pytest.mark.parametrize("kind", ["fixed", "volatility"])
def test_horizon_posterior_is_calibrated_and_beats_every_constant(
    market: Market, kind: str
) -> None:
    parts = [labelled(market, kind, pair=pair) for pair in market.spec.pairs]
    proba = np.concatenate([horizon_posterior(*part[:2], HORIZON) for part in parts])
    truth = np.concatenate([part[2] for part in parts])
    np.testing.assert_allclose(proba.sum(axis=1), 1.0)
    assert calibration_error(proba, truth) < 0.01
    assert attainable_skill(proba, truth) > 0.03


def test_horizon_posterior_equals_brute_force(market: Market) -> None:
    rows = np.array([700, 5000, 9000])
    state = latent_state(market, "BTC/USDT", rows)
    width = np.array([0.002, 0.004, 0.001])
    exact = horizon_posterior(state, width, HORIZON, PathSampling(paths=8192))
    for row in range(len(rows)):
        simple = np.expm1(simulated_returns(state, row, paths=200_000))
        shares = [(simple < -width[row]).mean(), 0.0, (simple > width[row]).mean()]
        shares[SignalClass.HOLD] = 1.0 - sum(shares)
        np.testing.assert_allclose(exact[row], shares, atol=0.006)


def simulated_returns(state: LatentState, row: int, paths: int) -> Array:
    """Log returns over the horizon, candle by candle, from the equations of the market."""
    generator = np.random.default_rng(row)
    level = np.full(paths, state.log_volatility[row])
    drift, total = np.full(paths, state.drift[row]), np.zeros(paths)
    slow, fast = DYNAMICS.volatility_memory, DYNAMICS.drift_memory
    for ahead in range(1, HORIZON + 1):
        normals = generator.standard_normal((4, paths))
        step = DYNAMICS.volatility_deviation * np.sqrt(1 - slow**2)
        level = slow * level + step * normals[0]
        drift = fast * drift + np.sqrt(1 - fast**2) * normals[1]
        seasonal = season(np.array([state.candle[row] + ahead]))
        sigma = candle_volatility(state.volatility, level, normals[2], seasonal)
        total += state.kappa * drift + sigma * normals[3]
    return total


def test_without_an_edge_buy_and_sell_are_equal(edgeless: Market) -> None:
    state, width, _ = labelled(edgeless, "fixed", step=50)
    exact = horizon_posterior(state, width, HORIZON)
    np.testing.assert_allclose(exact[:, SignalClass.BUY], exact[:, SignalClass.SELL], atol=0.002)
    simulated = barrier_posterior(state, np.maximum(width, 0.004), HORIZON)
    gap = simulated.proba[:, SignalClass.BUY] - simulated.proba[:, SignalClass.SELL]
    assert np.abs(gap).max() < 5 * 2 * simulated.standard_error().max()
    assert abs(gap.mean()) < 0.003


def test_barrier_posterior_is_calibrated_and_its_noise_is_taken_out(market: Market) -> None:
    state, width, truth = labelled(market, "triple_barrier", step=12)
    coarse = barrier_posterior(state, width, HORIZON, sampling=PathSampling(paths=64))
    fine = barrier_posterior(state, width, HORIZON, sampling=PathSampling(paths=512, seed=1))
    means = fine.proba.mean(axis=0)
    np.testing.assert_allclose(means, class_frequencies(truth), atol=0.04)
    assert calibration_error(fine.proba, truth) < 0.04
    best = attainable_skill(fine, truth)
    assert best > 0.05
    raw = log_loss_skill(np.maximum(coarse.proba, 1e-3), truth, class_frequencies(truth))
    corrected = attainable_skill(coarse, truth)
    assert abs(corrected - best) < abs(raw - best)
    assert corrected == pytest.approx(best, abs=0.01)


def test_share_compares_a_model_with_the_posterior(market: Market) -> None:
    state, width, truth = labelled(market, "fixed", step=7)
    exact = horizon_posterior(state, width, HORIZON)
    prior = class_frequencies(truth)
    nothing = share_of_attainable_skill(np.tile(prior, (len(truth), 1)), exact, truth)
    assert nothing.share == pytest.approx(0.0, abs=1e-9)
    assert share_of_attainable_skill(exact, exact, truth).share == pytest.approx(1.0)
    halfway = share_of_attainable_skill((exact + prior) / 2, exact, exact, prior)
    assert 0.5 < halfway.share < 1.0
    assert halfway.rows == len(truth)


def test_unknown_width_gives_unknown_probabilities(market: Market) -> None:
    state = latent_state(market, "BTC/USDT", slice(0, 2))
    proba = horizon_posterior(state, np.array([np.nan, 0.002]), HORIZON)
    assert np.isnan(proba[0]).all()
    assert np.isfinite(proba[1]).all()


def test_wrong_arguments_are_refused(market: Market) -> None:
    state = latent_state(market, "BTC/USDT", slice(0, 2))
    with pytest.raises(ValueError, match="even"):
        PathSampling(paths=3)
    with pytest.raises(ValueError, match="one value per row"):
        horizon_posterior(state, np.array([0.1]), HORIZON)
    with pytest.raises(ValueError, match="finite"):
        barrier_posterior(state, np.array([np.nan, 0.1]), HORIZON)
    with pytest.raises(ValueError, match="multiple of 4"):
        barrier_posterior(state, np.array([0.1, 0.1]), HORIZON, sampling=PathSampling(paths=6))
