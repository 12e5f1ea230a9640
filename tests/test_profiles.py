"""Profiles: the config is the measured recipe, and says what is known of it."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from freqai_signals.config import settings_from_config
from freqai_signals.dataset.pair_tables import row_memory
from freqai_signals.plugin.startup import checked_settings, startup_candles
from freqai_signals.profiles import EXPECTATIONS, expectation
from freqai_signals.settings import SignalSettings

FILE = Path(__file__).parents[1] / "config.futures-1h.json"


def config() -> dict[str, Any]:
    return dict(json.loads(FILE.read_text()))


def test_the_config_is_the_recipe_and_nothing_else() -> None:
    settings = settings_from_config(config())
    assert settings.profile == "futures-1h"
    assert expectation(settings) == EXPECTATIONS["futures-1h"]
    assert settings.labels.ensemble == tuple(
        (kind, horizon) for kind in ("volatility", "triple_barrier") for horizon in (2, 4, 8)
    )
    assert (settings.train_period_days, settings.label_horizon_candles) == (720, 4)
    assert (settings.decision.score_share, settings.decision.lively_window_days) == (0.03, 60)
    assert not settings.model.refit
    assert not settings.decision.expected_value_rule


def test_the_config_runs_dry_on_futures() -> None:
    given = config()
    assert given["dry_run"] is True
    assert given["trading_mode"] == "futures"
    assert given["timeframe"] == "1h"


def test_the_expectation_states_its_error_and_that_it_may_be_zero() -> None:
    text = " ".join(EXPECTATIONS["futures-1h"])
    for words in ("experimental", "dry", "+12 ± 13 bp", "out of sample", "may be zero"):
        assert words in text


def test_other_settings_than_the_measured_ones_are_named() -> None:
    given = config()
    given["freqai"]["signals"]["decision"] = {"score_share": 0.1}
    given["freqai"]["train_period_days"] = 360
    last = expectation(settings_from_config(given))[-1]
    assert last == (
        "These settings differ from the measured recipe: decision.score_share, train_period_days."
    )


def test_without_a_profile_nothing_is_said() -> None:
    assert expectation(SignalSettings()) == ()


def test_the_expectation_is_logged_at_start_up(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        checked_settings(config(), None, lambda *_: None)
    assert "+12 ± 13 bp per trade" in caplog.text


def test_start_up_covers_sixty_days_and_stays_within_what_the_exchange_gives() -> None:
    settings = settings_from_config(config())
    assert startup_candles(settings) >= row_memory(settings) + 60 * 24
    assert startup_candles(settings) < 5 * 1000  # freqtrade's limit of five calls
    assert startup_candles(SignalSettings()) == row_memory(SignalSettings())
