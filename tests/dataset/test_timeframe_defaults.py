"""The rule for a timeframe: its values, and that they fit what an exchange allows."""

from math import gcd
from pathlib import Path

import numpy as np
import pytest

from freqai_signals.dataset.features import build_features
from freqai_signals.dataset.pair_tables import add_labels, row_memory, thinned, training_window
from freqai_signals.dataset.timeframe_defaults import MOST_CANDLES, TIMEFRAMES, timeframe_defaults
from freqai_signals.settings import SignalSettings
from freqai_signals.settings.combinations import invalid_combinations
from tests.conftest import random_walk

# Start-up candles that freqtrade allows: binance, its futures, okx, kraken.
LIMITS = (4999, 2494, 1499, 719)


def test_at_5m_the_rule_gives_the_shipped_settings() -> None:
    assert timeframe_defaults("5m") == SignalSettings()


@pytest.mark.parametrize("timeframe", TIMEFRAMES)
def test_values_of_every_timeframe_can_work_together(timeframe: str) -> None:
    settings = timeframe_defaults(timeframe)
    assert settings.timeframe == timeframe
    assert invalid_combinations(settings) == []
    assert settings.label_horizon_candles >= 4
    assert gcd(settings.model.row_step, settings.candles_per_day) == 1
    # Ten windows of rows for one pair at least, or a pool's pairs make up for it at 1d.
    rows = settings.train_period_days * settings.candles_per_day // settings.model.row_step
    assert rows >= 2 * settings.validation.min_rows


@pytest.mark.parametrize("most", LIMITS)
@pytest.mark.parametrize("timeframe", TIMEFRAMES)
def test_a_frame_of_the_allowed_length_has_every_feature(timeframe: str, most: int) -> None:
    if (timeframe, most) == ("1m", 719):
        with pytest.raises(ValueError, match="at least 1441 candles, and the exchange allows 719"):
            timeframe_defaults(timeframe, most)
        return
    settings = timeframe_defaults(timeframe, most)
    memory = row_memory(settings)
    assert memory <= most
    candles = random_walk(memory + settings.label_horizon_candles, timeframe=timeframe)
    assert build_features(candles.head(memory), settings).iloc[-1].notna().all()
    labelled = add_labels(candles, settings, 0.002)
    assert labelled.iloc[memory - 1][["&-signal", "return_scale"]].notna().all()


@pytest.mark.parametrize("timeframe", ["1m", "5m", "4h", "1d"])
def test_no_feature_of_a_shortened_memory_sees_later_candles(timeframe: str) -> None:
    settings = timeframe_defaults(timeframe, 1499)
    candles = random_walk(row_memory(settings) + 50, timeframe=timeframe)
    changed = candles.copy()
    changed.loc[len(candles) - 20 :, ["open", "high", "low", "close", "volume"]] *= 3
    before, after = build_features(candles, settings), build_features(changed, settings)
    np.testing.assert_array_equal(before.iloc[:-20], after.iloc[:-20])
    assert not np.array_equal(before.iloc[-1], after.iloc[-1])


def test_the_memory_is_shortened_only_where_it_must_be() -> None:
    wide, narrow = timeframe_defaults("5m", MOST_CANDLES), timeframe_defaults("5m", 719)
    assert wide.features.season_days == 7
    assert (narrow.features.season_days, narrow.features.volatility_span_days) == (2, 0.5)
    assert narrow.labels.volatility_span_days == 0.5
    assert timeframe_defaults("1d").features.volatility_span_days == 24


def test_the_documents_table_holds_the_rules_values(repo: Path) -> None:
    lines = (repo / "docs" / "install.md").read_text().splitlines()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if "|" in line]
    head = next(row for row in rows if row[-1] == "1d")
    table = {row[0].strip("`"): row[2:] for row in rows if len(row) == len(head)}
    settings = [timeframe_defaults(timeframe) for timeframe in head[2:]]
    values = {
        "label_period_candles": [str(s.label_horizon_candles) for s in settings],
        "model.row_step": [str(s.model.row_step) for s in settings],
        "indicator_periods_candles": [
            f"{s.indicator_periods_candles[0]}…{s.indicator_periods_candles[-1]}" for s in settings
        ],
        "features.higher_timeframes": [
            " ".join(s.features.higher_timeframes) or "–" for s in settings
        ],
        "train_period_days": [str(s.train_period_days) for s in settings],
        "start-up candles": [str(row_memory(s)) for s in settings],
    }
    assert {name: table[name] for name in values} == values


def test_an_unknown_timeframe_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="there is a rule for 1m, 3m, 5m"):
        timeframe_defaults("7m")


@pytest.mark.parametrize(
    ("timeframe", "pairs", "step"),
    [("5m", 13, 7), ("5m", 14, 11), ("5m", 500, 11), ("1m", 23, 31), ("1m", 30, 41), ("1h", 50, 1)],
)
def test_a_large_pool_trains_on_fewer_candles(timeframe: str, pairs: int, step: int) -> None:
    settings = timeframe_defaults(timeframe)
    found = thinned(settings, pairs)
    assert found.model.row_step == step
    assert gcd(step, settings.candles_per_day) == 1
    assert thinned(found, pairs) == found


def test_what_the_user_sets_is_never_made_finer() -> None:
    given = SignalSettings.model_validate({"model": {"row_step": 13}})
    assert given.row_step == thinned(given, 100).row_step == 13
    alone = SignalSettings.model_validate({"model": {"pool": "pair", "max_rows": 1000}})
    assert thinned(alone, 100) == alone
    more = SignalSettings.model_validate({"model": {"max_rows": 10_000_000}})
    assert thinned(more, 100) == more


@pytest.mark.parametrize(("horizon", "step"), [(1, 5), (5, 5), (6, 5), (7, 7), (24, 7)])
def test_rows_are_no_further_apart_than_a_label_reaches(horizon: int, step: int) -> None:
    """With five candles ahead and every seventh trained on, some moves would be in no label."""
    settings = SignalSettings(label_horizon_candles=horizon)
    assert settings.row_step == thinned(settings, 5).row_step == step
    assert training_window(0, 86_400 * 360, settings).step == step
