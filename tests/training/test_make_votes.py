"""Labels of an ensemble: what they are, when all are known, and how rows carry them."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from freqai_signals.config import SettingsError, settings_from_config
from freqai_signals.dataset.barriers import LabelRule
from freqai_signals.dataset.labels import make_labels
from freqai_signals.dataset.pair_tables import Table, add_labels, training_rows, training_window
from freqai_signals.dataset.rows import Window, pool_rows
from freqai_signals.schema import EVENT_END_COLUMN, LABEL_COLUMN, VOTE_PREFIX, VOTES_END_COLUMN
from freqai_signals.settings import SignalSettings
from freqai_signals.training.make_votes import make_votes

HOUR = 3600


def settings(**labels: object) -> SignalSettings:
    chosen = {"kind": "triple_barrier", "ensemble_kinds": ["volatility", "triple_barrier"],
              "ensemble_horizons_candles": [2, 8], "floor": 0.0} | labels  # fmt: skip
    return SignalSettings.model_validate(
        {"labels": chosen, "timeframe": "1h", "label_horizon_candles": 4,
         "features": {"higher_timeframes": ["4h"]}}
    )  # fmt: skip


def candles(count: int = 400, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, count)))
    wick = 1 + np.abs(rng.normal(0, 0.004, (2, count)))
    return pd.DataFrame(
        {
            "date": pd.date_range("2024-01-01", periods=count, freq="1h", tz="UTC"),
            "open": close,
            "high": close * wick[0],
            "low": close / wick[1],
            "close": close,
            "volume": 1.0,
        }
    )


def table(frame: pd.DataFrame, chosen: SignalSettings) -> Table:
    labelled = add_labels(frame, chosen, 0.001)
    return Table.of(labelled.assign(**{"%-x": frame["close"]}), HOUR)


def test_each_vote_is_the_label_of_its_kind_and_horizon() -> None:
    chosen, frame = settings(), candles()
    votes = make_votes(frame, chosen, 0.001)
    assert chosen.labels.ensemble == (
        ("volatility", 2), ("volatility", 8), ("triple_barrier", 2), ("triple_barrier", 8)
    )  # fmt: skip
    for place, (kind, horizon) in enumerate(chosen.labels.ensemble):
        rule = chosen.labels.model_copy(update={"kind": kind})
        alone = make_labels(frame, LabelRule(rule, horizon, 24, 0.001))[LABEL_COLUMN]
        np.testing.assert_array_equal(votes[f"{VOTE_PREFIX}{place}"], alone)


def test_all_votes_are_known_when_the_last_of_them_is() -> None:
    votes = make_votes(candles(), settings(), 0.001)
    ends = votes[VOTES_END_COLUMN].to_numpy()
    known = np.isfinite(ends)
    assert (ends[known] == np.flatnonzero(known) + 8).all()  # volatility over 8 candles
    assert not known[-8:].any()


def test_without_an_ensemble_nothing_is_added() -> None:
    plain = settings(ensemble_kinds=[], ensemble_horizons_candles=[])
    assert make_votes(candles(), plain, 0.001).empty
    rows = training_rows({"A/USDT": table(candles(), plain)}, everything())
    assert rows.votes is None
    assert rows.take(rows.label == 1).votes is None


def test_candles_after_the_end_change_no_vote() -> None:
    frame = candles()
    before = make_votes(frame, settings(), 0.001)
    changed = frame.copy()
    changed.loc[300:, ["open", "high", "low", "close"]] *= 3.0
    after = make_votes(changed, settings(), 0.001)
    known = before[VOTES_END_COLUMN] < 300
    assert known.sum() > 100
    pd.testing.assert_frame_equal(after[known], before[known])


def everything() -> Window:
    return Window(0, 10**9, 8)


def test_rows_carry_votes_and_the_latest_event_end() -> None:
    chosen = settings()
    made = table(candles(), chosen)
    rows = training_rows({"A/USDT": made}, everything())
    assert rows.votes is not None
    assert rows.votes.shape == (len(rows), 4)
    assert (rows.event_end >= rows.start + 8).all()
    at = np.searchsorted(made.numbers, rows.start)
    own = made.labels[EVENT_END_COLUMN].to_numpy()[at]
    assert (rows.event_end >= made.numbers[own.astype(int)]).all()
    np.testing.assert_array_equal(
        rows.votes[:, 2], made.labels[f"{VOTE_PREFIX}2"].to_numpy()[at].astype(int)
    )


def test_a_window_leaves_out_rows_of_which_one_label_is_not_known_at_its_end() -> None:
    made = table(candles(), settings())
    stop = int(made.numbers[300])
    rows = training_rows({"A/USDT": made}, Window(0, stop, 0))
    assert int(rows.start.max()) == stop - 9  # known at stop - 1
    window = training_window(0, stop * HOUR, settings())
    assert window.horizon == 8


def test_pairs_are_pooled_and_rows_dropped_with_their_votes() -> None:
    chosen = settings()
    parts = [
        training_rows({pair: table(candles(seed=i), chosen)}, everything())
        for i, pair in enumerate(("A/USDT", "B/USDT"))
    ]
    pooled = pool_rows(parts)
    assert pooled.votes is not None
    for i, part in enumerate(parts):
        mine = pooled.take(pooled.pair == i)
        np.testing.assert_array_equal(mine.votes, part.votes)
    voting = pooled.voting(1)
    np.testing.assert_array_equal(voting.label, pooled.votes[:, 1])
    assert voting.votes is None


def test_the_digest_knows_the_votes() -> None:
    rows = training_rows({"A/USDT": table(candles(), settings())}, everything())
    assert rows.votes is not None
    other = dataclasses.replace(rows, votes=(2 - rows.votes).astype(np.int8))
    assert rows.digest() != other.digest()


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ({"ensemble_kinds": ["volatility"]}, "needs both"),
        ({"ensemble_horizons_candles": [2]}, "needs both"),
        ({"ensemble_kinds": ["volatility"], "ensemble_horizons_candles": [2, 2]}, "listed once"),
        ({"ensemble_kinds": ["colour"], "ensemble_horizons_candles": [2]}, "ensemble_kinds"),
    ],
)
def test_half_an_ensemble_is_refused(labels: dict[str, object], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        settings_from_config({"freqai": {"signals": {"labels": labels}}})
