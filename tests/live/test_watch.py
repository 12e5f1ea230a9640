"""A pair under watch, from model to level, as the adapter would drive it."""

from dataclasses import replace

import numpy as np
import pytest

from freqai_signals.ledger.ledger import Entry
from freqai_signals.live.health import Health, Level
from freqai_signals.live.pair_watch import PairWatch
from freqai_signals.model.signal_model import SignalModel
from freqai_signals.settings import SignalSettings
from freqai_signals.training.fit import Request, train
from tests.registry.gate_rows import CANDLES_PER_DAY, make_rows, small_settings

DAYS = 200


@pytest.fixture(scope="module")
def model() -> SignalModel:
    return train(Request(make_rows(days=DAYS), small_settings()))


@pytest.fixture
def settings() -> SignalSettings:
    drift = small_settings().drift.model_copy(
        update={"live_skill_rows": 50, "resume_candles": 24, "halt_after_candles": 1000}
    )
    return small_settings().model_copy(update={"drift": drift})


def run(watch: PairWatch, model: SignalModel, days: int, shift: float = 0.0, first: int = DAYS):
    """Feed live days of one pair; returns the levels and the events written."""
    rows = make_rows(days=days, first_day=first, pairs=1, seed=5)
    features = rows.features.copy()
    features[:, 1] += shift
    raw = np.mean([head.raw(features) for head in model.fit.heads], axis=0)  # type: ignore[union-attr]
    proba = model.fit.calibrator(raw)  # type: ignore[union-attr]
    levels, events = [], []
    for i, candle in enumerate(rows.start.tolist()):
        watch.serve(model, candle)
        named = dict(zip(rows.names, features[i].tolist(), strict=True))
        watch.update_candle(candle, named, proba[i], trusted=True)
        loss = -np.log(proba[i, rows.label[i]])
        prior = -np.log(model.fit.prior[rows.label[i]])  # type: ignore[union-attr]
        row = {
            "candle": candle * 3600, "model_version": model.card.version, "loss": loss,
            "realised": int(rows.label[i]), "prior_loss": prior,
        }  # fmt: skip
        watch.update_outcomes(Entry("outcomes", [row]))
        events += watch.judge(candle).rows
        levels.append(watch.health.level)
    return levels, events


def test_a_normal_pair_does_not_drift(model: SignalModel, settings: SignalSettings) -> None:
    watch = PairWatch("P0/USDT", settings)
    levels, _ = run(watch, model, 20)
    assert max(levels) <= Level.WARNING
    assert watch.live_skill > 0.1


def test_a_shift_is_found_retrained_and_forgiven(
    model: SignalModel, settings: SignalSettings
) -> None:
    watch = PairWatch("P0/USDT", settings)
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


def test_silence_is_a_warning(model: SignalModel, settings: SignalSettings) -> None:
    watch = PairWatch("P0/USDT", settings)
    watch.serve(model, 100)
    watch.update_candle(100, {}, np.array([0.2, 0.3, 0.5]), trusted=True)
    watch.judge(100)
    for candle in range(101, 104):
        watch.update_candle(candle, {}, np.array([0.0, 1.0, 0.0]), trusted=False)
        watch.judge(candle)
    assert watch.health.reasons == ("no trusted prediction for 3 candles",)


def test_poor_live_skill_counts_only_this_models_rows(
    model: SignalModel, settings: SignalSettings
) -> None:
    watch = PairWatch("P0/USDT", settings)
    watch.serve(model, 100)
    for version, level in (("other", Level.OK), (model.card.version, Level.HALTED)):
        rows = [
            {"candle": n * 3600, "model_version": version, "realised": 1, "loss": 2.0,
             "prior_loss": 1.0}
            for n in range(60)
        ]  # fmt: skip
        watch.update_outcomes(Entry("outcomes", rows))
        watch.judge(200 if version == "other" else 201)
        assert watch.health.level is level


def test_level_survives_a_restart(settings: SignalSettings, model: SignalModel) -> None:
    before = Health(Level.HALTED, 100, 90, -1, ("live skill",))
    watch = PairWatch("P0/USDT", settings, Health.from_json(before.to_json()))
    watch.serve(model, 101)
    watch.judge(101)
    assert watch.health.level is Level.HALTED
