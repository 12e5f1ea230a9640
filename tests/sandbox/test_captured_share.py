"""The share of a simulated market's skill that predictions found: all, none, and where told."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from freqai_signals.dataset.barriers import LabelRule, barrier_width
from freqai_signals.dataset.labels import make_labels
from freqai_signals.sandbox.market.dynamics import Array
from freqai_signals.sandbox.market.market_files import MANIFEST, Market, ensure_market
from freqai_signals.sandbox.market.spec import MarketSpec
from freqai_signals.sandbox.posterior.barrier_posterior import barrier_posterior
from freqai_signals.sandbox.posterior.captured_share import captured_share, open_market
from freqai_signals.sandbox.posterior.horizon_posterior import (
    PathSampling,
    horizon_posterior,
    latent_state,
)
from freqai_signals.schema import LABEL_COLUMN, OUTCOME_COLUMN, PRIOR_COLUMNS, PROBA_COLUMNS
from freqai_signals.settings import LabelKind, LabelSettings, SignalSettings

PAIR, OTHER = "BTC/USDT", "ETH/USDT"
KINDS: tuple[LabelKind, ...] = ("fixed", "volatility", "triple_barrier")
COST = 0.002
HORIZON = 6


@pytest.fixture(scope="module")
def lively(tmp_path_factory: pytest.TempPathFactory) -> Market:
    """Twelve days with a large edge, so that few rows tell all from nothing."""
    spec = MarketSpec(pairs=(PAIR, OTHER), days=12, edge=6.0)
    return ensure_market(spec, tmp_path_factory.mktemp("lively"))


def settings_of(kind: LabelKind) -> SignalSettings:
    labels = LabelSettings(kind=kind, k=0.7, floor=0.002)
    return SignalSettings(labels=labels, label_horizon_candles=HORIZON)


def exact(
    market: Market, pair: str, rows: NDArray[np.int64], width: Array, kind: LabelKind
) -> Array:
    """The exact posterior; for barriers simulated with another seed and smoothed."""
    state = latent_state(market, pair, rows)
    if kind != "triple_barrier":
        return horizon_posterior(state, width, HORIZON)
    sampling = PathSampling(paths=512, seed=1)
    proba = barrier_posterior(state, width, HORIZON, sampling=sampling).proba
    return (proba + 0.001) / 1.003


def scored(market: Market, kind: LabelKind, pair: str = PAIR, step: int = 5) -> pd.DataFrame:
    """Rows with known outcome, predicted by the exact posterior, with their own frequencies."""
    settings = settings_of(kind)
    candles = market.candles(pair)
    label = make_labels(candles, LabelRule(settings.labels, HORIZON, 288, COST))[
        LABEL_COLUMN
    ].to_numpy()
    width = barrier_width(
        candles["close"].to_numpy(), LabelRule(settings.labels, HORIZON, 288, COST)
    )
    rows = np.flatnonzero(np.isfinite(label))[::step]
    proba = exact(market, pair, rows, width[rows], kind)
    prior = np.bincount(label[rows].astype(int), minlength=3) / len(rows)
    columns = {"date": candles["date"].array[rows], OUTCOME_COLUMN: label[rows]}
    columns |= dict(zip(PROBA_COLUMNS, proba.T, strict=True))
    return pd.DataFrame(columns).assign(**dict(zip(PRIOR_COLUMNS, prior, strict=True)))


def saying_the_prior(frame: pd.DataFrame) -> pd.DataFrame:
    said = dict(zip(PROBA_COLUMNS, frame[list(PRIOR_COLUMNS)].to_numpy().T, strict=True))
    return frame.assign(**said)


@pytest.mark.parametrize("kind", KINDS)
def test_the_exact_posterior_captures_all_there_is(lively: Market, kind: LabelKind) -> None:
    frame = scored(lively, kind)
    found = captured_share(lively, {PAIR: frame}, settings_of(kind), COST)
    assert found.rows == len(frame)
    assert found.attainable > 0.02
    assert found.share == pytest.approx(1.0, abs=0.08 if kind == "triple_barrier" else 1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_the_prior_captures_nothing(lively: Market, kind: LabelKind) -> None:
    frame = saying_the_prior(scored(lively, kind))
    found = captured_share(lively, {PAIR: frame}, settings_of(kind), COST)
    assert found.model == pytest.approx(0.0, abs=1e-12)
    assert found.share == pytest.approx(0.0, abs=1e-9)


def test_pairs_count_by_their_rows_and_those_without_rows_do_not(lively: Market) -> None:
    """A third of the rows from the pair that captured everything, none from an empty one."""
    settings = settings_of("volatility")
    all_of_it, nothing = scored(lively, "volatility"), scored(lively, "volatility", OTHER)
    all_of_it, nothing = all_of_it.iloc[:200], saying_the_prior(nothing).iloc[:400]
    alone = captured_share(lively, {PAIR: all_of_it}, settings, COST)
    other = captured_share(lively, {OTHER: nothing}, settings, COST)
    both = captured_share(lively, {PAIR: all_of_it, OTHER: nothing}, settings, COST)
    more = {PAIR: all_of_it, OTHER: nothing, "SOL/USDT": nothing.iloc[:0]}
    assert both.rows == 600
    assert both.model == pytest.approx((alone.model + 2 * other.model) / 3)
    assert both.attainable == pytest.approx((alone.attainable + 2 * other.attainable) / 3)
    assert captured_share(lively, more, settings, COST) == both


def test_at_most_1500_evenly_spaced_rows_a_pair_take_part(lively: Market) -> None:
    """Of 2,900 rows every second: all would be too many."""
    frame = scored(lively, "fixed", step=1).iloc[:2900]
    assert captured_share(lively, {PAIR: frame}, settings_of("fixed"), COST).rows == 1450


def test_rows_of_no_candle_of_the_market_take_no_part(lively: Market) -> None:
    frame = scored(lively, "fixed").iloc[:100]
    strange = frame.iloc[:10].assign(date=frame["date"].iloc[:10] - pd.Timedelta(days=400))
    rows = pd.concat([strange, frame], ignore_index=True)
    settings = settings_of("fixed")
    alone = captured_share(lively, {PAIR: frame}, settings, COST)
    assert captured_share(lively, {PAIR: rows}, settings, COST) == alone


def test_a_market_is_opened_with_its_spec(lively: Market) -> None:
    assert open_market(lively.folder) == lively


def test_a_plain_folder_is_no_market(tmp_path: Path) -> None:
    assert open_market(tmp_path) is None
    assert open_market(tmp_path / "missing") is None


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"spec": 1}', '{"spec": {"pairs": []}}'])
def test_a_strange_manifest_is_no_market(tmp_path: Path, text: str) -> None:
    (tmp_path / MANIFEST).write_text(text)
    assert open_market(tmp_path) is None


@pytest.mark.parametrize("changed", [{"format": 0}, {"dynamics": {}}])
def test_a_market_of_another_generator_is_none(
    lively: Market, tmp_path: Path, changed: dict[str, object]
) -> None:
    """Its latent state would be read with the wrong dynamics."""
    shutil.copytree(lively.folder, tmp_path / "copy")
    manifest = tmp_path / "copy" / MANIFEST
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | changed))
    assert open_market(tmp_path / "copy") is None
