"""One pair in a running bot, from predictions and outcomes to its level."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from freqai_signals.drift.monitors import DriftState
from freqai_signals.ledger.ledger import Entry
from freqai_signals.live.health import Health, Level
from freqai_signals.live.watch import LiveWatch
from freqai_signals.model.signal_model import SignalModel
from freqai_signals.settings import SignalSettings
from freqai_signals.training.fit import Request, train
from tests.registry.gate_rows import CANDLES_PER_DAY, make_rows, small_settings

PAIR, DAYS = "P0/USDT", 200
LIVE = (DAYS + 1) * 24


@pytest.fixture(scope="module")
def model() -> SignalModel:
    return train(Request(make_rows(days=DAYS), small_settings()))


@pytest.fixture
def settings() -> SignalSettings:
    drift = small_settings().drift.model_copy(update={"resume_candles": 24})
    return small_settings().model_copy(update={"drift": drift})


def close(watch: LiveWatch, model: SignalModel, candle: int, values=(), trust: int = 1):  # type: ignore[no-untyped-def]
    """Predict one candle and close it."""
    names = [f"%-{letter}" for letter in "abcd"]
    date = pd.to_datetime([candle * 3600], unit="s", utc=True)
    features = pd.DataFrame([values or [0.0] * 4], columns=names).assign(date=date)
    watch.observe(model, features.assign(volume=1.0), features, np.array([trust]))
    watch.follow_model(candle)
    watch.update_candles(candle)


def run(watch: LiveWatch, model: SignalModel, days: int, shift: float = 0.0, first: int = DAYS):
    """Feed live days of one pair; returns the levels and the events written."""
    rows = make_rows(days=days, first_day=first, pairs=1, seed=5)
    features = rows.features.copy()
    features[:, 1] += shift
    raw = np.mean([head.raw(features) for head in model.fit.heads], axis=0)  # type: ignore[union-attr]
    proba = model.fit.calibrator(raw)  # type: ignore[union-attr]
    levels, events = [], []
    for i, candle in enumerate(rows.start.tolist()):
        close(watch, model, candle, features[i].tolist())
        loss = -np.log(proba[i, rows.label[i]])
        prior = -np.log(model.fit.prior[rows.label[i]])  # type: ignore[union-attr]
        row = {
            "candle": candle * 3600, "model_version": model.card.version, "loss": loss,
            "realised": int(rows.label[i]), "prior_loss": prior,
        }  # fmt: skip
        watch.update_outcomes(Entry("outcomes", [row]), [])
        events += watch.judge(candle).rows
        levels.append(watch.health.level)
    return levels, events


def test_a_normal_pair_does_not_drift(model: SignalModel, settings: SignalSettings) -> None:
    watch = LiveWatch(PAIR, settings)
    levels, _ = run(watch, model, 20)
    assert max(levels) <= Level.WARNING


def test_a_shift_is_drift_until_a_new_model_and_calm_candles(
    model: SignalModel, settings: SignalSettings
) -> None:
    watch = LiveWatch(PAIR, settings)
    run(watch, model, 10)
    levels, events = run(watch, model, 4, shift=3.0, first=DAYS + 10)
    assert levels[-1] is Level.DRIFT
    assert levels.index(Level.DRIFT) < 3 * CANDLES_PER_DAY
    assert events[-1]["level"] == "drift"
    assert "features" in str(events[-1]["detail"])
    other = replace(model, card=replace(model.card, version="retrained"))
    levels, events = run(watch, other, 5, first=DAYS + 14)
    assert levels[0] is Level.WARNING
    assert levels[-1] is Level.OK
    assert max(levels) is Level.WARNING
    assert events[-1]["level"] == "ok"


def test_an_alarm_that_is_about_the_next_model_too_goes_on(
    model: SignalModel, settings: SignalSettings
) -> None:
    """As one that began when it did, and told once."""
    watch, failed = LiveWatch(PAIR, settings), (DriftState("live skill", True, "lost"),)
    close(watch, model, LIVE)
    assert [event["level"] for event in watch.judge(LIVE, failed).rows] == ["halted"]
    for later in range(1, 5):
        other = replace(model, card=replace(model.card, version=f"retrained {later}"))
        close(watch, other, LIVE + later)
        events = watch.judge(LIVE + later, failed if later < 4 else ()).rows
        if later < 4:
            assert events == []
            assert (watch.health.level, watch.health.since) == (Level.HALTED, LIVE)
    assert [(event["level"], event["detail"]) for event in events] == [
        ("warning", "a new model serves")
    ]
    assert (watch.health.level, watch.health.since) == (Level.WARNING, LIVE + 4)


def test_silence_is_a_warning(model: SignalModel, settings: SignalSettings) -> None:
    watch = LiveWatch(PAIR, settings)
    close(watch, model, LIVE)
    watch.judge(LIVE)
    for candle in range(LIVE + 1, LIVE + 4):
        close(watch, model, candle, trust=0)
        watch.judge(candle)
    assert watch.health.reasons == ("no trusted prediction for 3 candles",)


def test_level_survives_a_restart(settings: SignalSettings, model: SignalModel) -> None:
    before = Health(Level.HALTED, 100, 90, -1, ("live skill",))
    watch = LiveWatch(PAIR, settings)
    watch.restore(Health.from_json(before.to_json()))
    close(watch, model, 101)
    watch.judge(101)
    assert watch.health.level is Level.HALTED


def test_rows_of_the_models_training_and_other_models_are_not_monitored(
    model: SignalModel, settings: SignalSettings
) -> None:
    watch, other = LiveWatch(PAIR, settings), replace(model, card=replace(model.card, version="b"))
    close(watch, model, LIVE)
    close(watch, model, model.trained_until)
    watch.judge(LIVE + 3)
    assert watch.health.reasons == ("no trusted prediction for 3 candles",)
    date = pd.to_datetime([(LIVE + 4) * 3600], unit="s", utc=True)
    # Predicted by one model, but another one serves when the candle closes.
    candles, trust = pd.DataFrame({"date": date, "volume": 1.0}), np.ones(1, np.int64)
    watch.observe(model, candles, candles, trust)
    watch.observe(other, candles.iloc[:0], candles.iloc[:0], trust[:0])
    watch.update_candles(LIVE + 4)
    watch.judge(LIVE + 4)
    assert watch.health.reasons == ("no trusted prediction for 4 candles",)


def test_what_was_observed_does_not_keep_the_whole_frame(
    model: SignalModel, settings: SignalSettings
) -> None:
    watch = LiveWatch(PAIR, settings)
    date = pd.date_range("2024-01-01", periods=500, freq="1h", tz="UTC")
    frame = pd.DataFrame(np.ones((500, 4)), columns=[f"%-{letter}" for letter in "abcd"])
    watch.observe(model, frame.assign(date=date, volume=1.0), frame, np.ones(500, np.int64))
    assert watch.features == dict.fromkeys(frame, 1.0)
    kept = watch._inputs.to_numpy()
    assert not np.shares_memory(kept, frame.to_numpy())


def test_an_outcome_counts_once(model: SignalModel, settings: SignalSettings) -> None:
    watch = LiveWatch(PAIR, settings)
    close(watch, model, LIVE)
    row = {
        "candle": LIVE * 3600, "model_version": model.card.version, "realised": 1, "loss": 0.5,
        "prior_loss": 1.0,
    }  # fmt: skip
    assert watch.update_outcomes(Entry("outcomes", [row]), []).rows == [row]
    assert watch.update_outcomes(Entry("outcomes", [row]), [row]).rows == []
    assert len(watch._resolved) == 1
