"""Shares of the skill that a simulated market offers: of its latent state, and of its candles."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.quality import attainable
from benchmarks.quality.attainable import Ceiling, captured
from benchmarks.quality.data import ROUND_TRIP_COST, Source
from benchmarks.quality.measures import Outcomes
from benchmarks.quality.observer import WARM_UP_CANDLES
from freqai_signals.dataset.pair_tables import add_labels
from freqai_signals.sandbox.market.market_files import ensure_market
from freqai_signals.sandbox.market.spec import MarketSpec
from freqai_signals.schema import LABEL_COLUMN
from freqai_signals.settings import SignalSettings

PAIRS = ("BTC/USDT", "SOL/USDT")
SETTINGS = SignalSettings()


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    root: Path = tmp_path_factory.mktemp("markets")
    made = ensure_market(MarketSpec(pairs=PAIRS, days=40), root)
    return Source("small", {pair: made.candles(pair) for pair in PAIRS}, made)


@pytest.fixture(scope="module")
def ceiling(source: Source) -> Ceiling:
    first = int(source.candles[PAIRS[0]]["date"].iloc[0].timestamp()) // 300
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(attainable, "POSTERIOR_ROWS", 400)
        return Ceiling(source, SETTINGS, (first + WARM_UP_CANDLES, first + 40 * 288))


def said(source: Source, ceiling: Ceiling, which: int) -> Outcomes:
    """Outcomes of a model that says the prior (0), the posterior (1) or what candles show (2)."""
    parts = []
    for i, pair in enumerate(source.pairs):
        numbers = ceiling._known[i][0]
        labels = add_labels(source.candles[pair], SETTINGS, ROUND_TRIP_COST)[LABEL_COLUMN]
        first = int(source.candles[pair]["date"].iloc[0].timestamp()) // 300
        label = labels.to_numpy()[numbers - first].astype(np.int8)
        prior = np.tile(ceiling._known[i][1].proba.mean(axis=0), (len(numbers), 1))
        known = ceiling._known[i][which].proba if which else prior
        mixed = 0.99 * known + 0.01 * prior
        zeros = np.zeros(len(numbers))
        place = np.full(len(numbers), i)
        parts.append(Outcomes(place, numbers, numbers // 288, label, zeros, mixed, prior, zeros))
    return Outcomes.join(parts)


def test_the_prior_captures_nothing_and_each_observer_its_own_share(
    source: Source, ceiling: Ceiling
) -> None:
    pairs = {pair: i for i, pair in enumerate(PAIRS)}
    nothing, knowing, reading = (
        captured(ceiling, said(source, ceiling, which), pairs) for which in range(3)
    )
    assert set(nothing) == {"all", *PAIRS}
    assert nothing["all"]["share"] == pytest.approx(0.0)
    assert knowing["all"]["share"] == pytest.approx(1.0, abs=0.1)
    assert reading["all"]["share_of_shown"] == pytest.approx(1.0, abs=0.1)
    assert knowing["all"]["attainable"] > knowing["all"]["shown"] > 0.03
    assert knowing["all"]["rows"] == sum(knowing[pair]["rows"] for pair in PAIRS)


def test_pairs_that_were_not_tested_do_not_count(source: Source, ceiling: Ceiling) -> None:
    rows = said(source, ceiling, 1)
    only = captured(ceiling, rows.take(rows.pair == 1), {PAIRS[1]: 1})
    assert set(only) == {"all", PAIRS[1]}
    assert only["all"]["share"] == pytest.approx(only[PAIRS[1]]["share"])


def test_real_candles_have_no_ceiling(source: Source, ceiling: Ceiling) -> None:
    assert captured(None, said(source, ceiling, 0), {}) == {}
