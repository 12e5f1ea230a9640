"""The test of live quality over a ledger: restarts, late outcomes, several bots, gaps."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from freqai_signals.ledger.ledger import Entry, Ledger
from freqai_signals.live.ledger_client import LiveLedger
from freqai_signals.live.pool_quality import PoolQuality
from freqai_signals.metrics import log_losses
from freqai_signals.model.signal_model import SignalModel
from freqai_signals.settings import SignalSettings
from freqai_signals.training.fit import Request, train
from tests.ledger.ledger_rows import postgres_url, sqlite_url
from tests.registry.gate_rows import make_rows, small_settings
from tests.waiting import PATIENCE

TRAINED, PER_DAY, HOUR = 200, 24, 3600
SETTINGS = small_settings()


@pytest.fixture(scope="module")
def model() -> SignalModel:
    return train(Request(make_rows(days=TRAINED), SETTINGS))


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return sqlite_url(tmp_path) if request.param == "sqlite" else postgres_url()


Client = Callable[..., LiveLedger]


@pytest.fixture
def client(url: str, tmp_path: Path) -> Iterator[Client]:
    opened: list[LiveLedger] = []

    def opens(bot: str = "bot") -> LiveLedger:
        settings = SETTINGS.ledger.model_copy(update={"url": url})
        opened.append(LiveLedger(settings, tmp_path, bot, time.monotonic))
        return opened[-1]

    yield opens
    for one in opened:
        one.close()


def outcomes(
    model: SignalModel, days: int, first: int = TRAINED, kind: str = "", bot: str = "bot"
) -> list[Entry]:
    """Predictions and outcomes of whole days; ``kind`` prior: all that the model knows is lost."""
    assert model.fit is not None
    rows = make_rows(days=days, first_day=first, seed=5)
    proba = model.fit.calibrated(rows.features)
    prior = np.tile(model.fit.prior, (len(rows), 1))
    if kind == "prior":
        proba = prior
    names = ("proba_sell", "proba_hold", "proba_buy", "prior_sell", "prior_hold", "prior_buy")
    losses = log_losses(rows.label, proba), log_losses(rows.label, prior)
    predicted, resolved = [], []
    for i in range(len(rows)):
        key = {
            "pair": rows.pairs[rows.pair[i]], "candle": int(rows.start[i]) * HOUR,
            "model_version": model.card.version, "bot": bot,
        }  # fmt: skip
        values = dict(zip(names, [*proba[i].tolist(), *prior[i].tolist()], strict=True))
        predicted.append(
            {**key, **values, "kind": "live", "predicted": int(proba[i].argmax()), "strength": 0,
             "confidence": 0.5, "expected_return": 0.0, "cost": 0.0, "signal": "", "reason": ""}
        )  # fmt: skip
        resolved.append(
            {**key, "realised": int(rows.label[i]), "event_end": int(rows.event_end[i]) * HOUR,
             "gross": 0.0, "moved": float(rows.realised_return[i]), "net": 0.0,
             "loss": float(losses[0][i]),
             "prior_loss": float(losses[1][i])}
        )  # fmt: skip
    return [Entry("predictions", predicted), Entry("outcomes", resolved)]


def run(
    tested: PoolQuality, ledger: LiveLedger, model: SignalModel, first: int, last: int
) -> PoolQuality:
    """Look four times on each of some days, and write what is to be written."""
    for candle in range(first * PER_DAY, last * PER_DAY, PER_DAY // 4):
        found = tested.update(model, candle)
        if found:
            ledger.write(found)
    assert ledger.flush(PATIENCE)
    return tested


def pool(ledger: LiveLedger, settings: SignalSettings = SETTINGS) -> PoolQuality:
    return PoolQuality("pool", settings, ledger)


def alarms(tested: PoolQuality, model: SignalModel) -> list[str]:
    return [s.detector for s in tested.states(model.card.version) if s.drift]


def test_a_model_that_holds_has_no_alarm_and_one_that_does_not_has(
    client: Client, url: str, model: SignalModel
) -> None:
    ledger = client()
    Ledger(url).write(outcomes(model, 20))
    tested = run(pool(ledger), ledger, model, TRAINED, TRAINED + 20)
    # The last day's outcomes are known two candles after its end.
    assert [day.day for day in tested.days] == list(range(TRAINED, TRAINED + 19))
    assert alarms(tested, model) == []
    Ledger(url).write(outcomes(model, 20, TRAINED + 20, "prior"))
    run(tested, ledger, model, TRAINED + 20, TRAINED + 41)
    assert "live skill" in alarms(tested, model)
    assert "found on 1970-08-" in tested.states(model.card.version)[0].detail
    # Trained before the alarm it is no better; one that was trained beyond it begins anew.
    for trained, detectors in ((TRAINED, ["live skill"]), (TRAINED + 41, [])):
        other = version_of(model, f"until {trained}", trained * PER_DAY)
        tested.update(other, (TRAINED + 41) * PER_DAY)
        assert alarms(tested, other)[:1] == detectors


def version_of(model: SignalModel, version: str, until: int) -> SignalModel:
    return replace(model, card=replace(model.card, version=version), trained_until=until)


def turns(model: SignalModel, hours: int, at: int) -> Callable[[int], SignalModel]:
    """Which model serves at a candle: every so many hours another one, trained until then."""
    made: dict[int, SignalModel] = {}

    def serving(candle: int) -> SignalModel:
        number = (candle - at) // hours
        return made.setdefault(number, version_of(model, f"v{number}", number * hours + at))

    return serving


def served(entries: list[Entry], serving: Callable[[int], SignalModel]) -> list[Entry]:
    return [
        Entry(entry.table, [
            {**row, "model_version": serving(row["candle"] // HOUR).card.version}
            for row in entry.rows
        ])
        for entry in entries
    ]  # fmt: skip


def candle_by_candle(
    tested: PoolQuality, ledger: LiveLedger, serving: Callable[[int], SignalModel], days: range
) -> PoolQuality:
    """A bot's life, with a restart every third day."""
    for candle in range(days.start * PER_DAY, days.stop * PER_DAY):
        found = tested.update(serving(candle), candle)
        if found:
            ledger.write(found)
        if candle % (3 * PER_DAY) == 0:
            assert ledger.flush(PATIENCE)
            tested = pool(ledger)
            tested.update(serving(candle), candle)
    return tested


@pytest.mark.parametrize(("hours", "at"), [(168, 18), (24, 6), (8, 3)])
def test_every_day_is_judged_however_often_models_change(
    client: Client, url: str, model: SignalModel, hours: int, at: int
) -> None:
    serving, ledger = turns(model, hours, TRAINED * PER_DAY + at), client()
    Ledger(url).write(served(outcomes(model, 20), serving))
    tested = candle_by_candle(pool(ledger), ledger, serving, range(TRAINED, TRAINED + 21))
    assert [day.day - TRAINED for day in tested.days] == list(range(20))
    # All versions are one model here, so what a day adds depends on none of them.
    Ledger(url).write(outcomes(model, 20))
    other = client("steady")
    steady = run(pool(other), other, model, TRAINED, TRAINED + 21)
    assert [day.skill for day in tested.days] == pytest.approx([d.skill for d in steady.days])
    assert len(tested._references) <= 2 + 6 * PER_DAY // hours, "old ones are forgotten"


@pytest.mark.parametrize(("hours", "at"), [(24, 18), (24, 2), (24, 23), (8, 18)])
def test_an_alarm_acts_where_models_are_trained_daily(
    client: Client, url: str, model: SignalModel, hours: int, at: int
) -> None:
    serving, ledger = turns(model, hours, TRAINED * PER_DAY + at), client()
    Ledger(url).write(served(outcomes(model, 20, kind="prior"), serving))
    tested, first = pool(ledger), 0
    for candle in range(TRAINED * PER_DAY, (TRAINED + 20) * PER_DAY):
        now = serving(candle)
        tested.update(now, candle)
        if alarms(tested, now):
            first = candle
            break
    assert first % PER_DAY in (2, 3), "once the day's outcomes are known"
    over = next(
        c
        for c in range(first, first + 48)
        # A training at midnight has seen the whole day before.
        if (serving(c).trained_until + 1) // PER_DAY > first // PER_DAY
    )
    for candle in range(first, over + 1):
        tested.update(serving(candle), candle)
        assert bool(alarms(tested, serving(candle))) == (candle < over)


def test_a_day_whose_rows_are_gone_keeps_what_it_was(
    client: Client, url: str, model: SignalModel
) -> None:
    ledger = client()
    Ledger(url).write(outcomes(model, 4))
    tested = run(pool(ledger), ledger, model, TRAINED, TRAINED + 5)
    before = list(tested.days)
    assert len(before) == 4
    tested._references.clear()
    other = version_of(model, "other", 0)
    run(tested, ledger, other, TRAINED + 5, TRAINED + 8)
    assert tested.days == before


def test_a_restart_changes_nothing(client: Client, url: str, model: SignalModel) -> None:
    """A bot that starts again every other day, and one that never does; late outcomes too."""
    steady, broken = client("steady"), client("broken")
    Ledger(url).write(outcomes(model, 12)[:1])
    results = outcomes(model, 12)[1].rows
    one, other = pool(steady), pool(broken)
    for day in range(TRAINED, TRAINED + 13):
        # Half of a day's outcomes come a day late, as after a pause.
        due = [
            row for i, row in enumerate(results)
            if row["candle"] // HOUR // PER_DAY == day - 1 - i % 2
        ]  # fmt: skip
        Ledger(url).write([Entry("outcomes", due)])
        run(one, steady, model, day, day + 1)
        other = pool(broken) if day % 2 else other
        run(other, broken, model, day, day + 1)
    assert len(one.days) == 12
    assert one.days == other.days
    assert one.states(model.card.version) == other.states(model.card.version)
    # And one that reads the whole ledger afterwards finds the same days.
    late = pool(client("late"))
    late.update(model, (TRAINED + 13) * PER_DAY)
    assert late.days == one.days[-len(late.days) :]
    assert len(late.days) >= 6


def test_a_day_is_read_again_only_for_rows_that_came_since(
    client: Client, url: str, model: SignalModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    frame = Ledger.frame

    def counted(self: Ledger, query: Any) -> pd.DataFrame:
        found = frame(self, query)
        if "moved" in found:
            read.append(len(found))
        return found

    monkeypatch.setattr(Ledger, "frame", counted)
    ledger = client()
    predicted, resolved = outcomes(model, 4)
    Ledger(url).write([predicted, Entry("outcomes", resolved.rows[:-1])])
    tested, late = pool(ledger), resolved.rows[-1]
    run(tested, ledger, model, TRAINED, TRAINED + 5)
    days = tested.days
    # First the days before; then one of four looks a day found a new one.
    a_day = len(resolved) // 4
    assert read == [*[0] * 8, *[a_day] * 3, a_day - 1]
    assert len(days) == 4
    Ledger(url).write([Entry("outcomes", [late])])
    run(tested, ledger, model, TRAINED + 5, TRAINED + 6)
    assert read[-2:] == [a_day, 0]
    assert len(read) == 8 + 4 + 2
    # Another model's rows may be of the same number.
    other = version_of(model, "other", 0)
    Ledger(url).write(outcomes(other, 1, TRAINED + 5, bot="other"))
    read.clear()
    tested.update(other, (TRAINED + 6) * PER_DAY + 6)
    assert read[0] == a_day


def test_a_pair_that_lags_takes_nothing_back(client: Client, url: str, model: SignalModel) -> None:
    ledger = client()
    Ledger(url).write(outcomes(model, 6))
    tested = run(pool(ledger), ledger, model, TRAINED, TRAINED + 7)
    days = tested.days
    assert len(days) == 6
    # Halted days ago, or a few candles late at every look.
    tested.update(model, (TRAINED + 3) * PER_DAY)
    assert tested.days == days
    for candle in range((TRAINED + 7) * PER_DAY, (TRAINED + 8) * PER_DAY):
        tested.update(model, candle)
        tested.update(model, candle - 4)
    assert tested.days == days


def test_days_before_an_unanswered_question_are_judged_at_a_later_look(
    client: Client, url: str, model: SignalModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger, asked = client(), []
    Ledger(url).write(outcomes(model, 4))
    ask = ledger.ask

    def away_at_the_last(question: Any, otherwise: Any) -> Any:
        asked.append(question)
        return otherwise if len(asked) == 7 else ask(question, otherwise)

    monkeypatch.setattr(ledger, "ask", away_at_the_last)
    tested = pool(ledger)
    tested.update(model, (TRAINED + 5) * PER_DAY)
    assert len(asked) == 7
    assert tested.days == []
    tested.update(model, (TRAINED + 5) * PER_DAY + 6)
    assert [day.day for day in tested.days] == list(range(TRAINED, TRAINED + 4))


def test_two_bots_with_one_model_come_to_the_same_state(
    client: Client, url: str, model: SignalModel
) -> None:
    ledgers = [client("first"), client("second")]
    Ledger(url).write(outcomes(model, 8, bot="first"))
    found = [run(pool(ledger), ledger, model, TRAINED, TRAINED + 9) for ledger in ledgers]
    assert found[0].days == found[1].days
    assert len(found[0].days) == 8


def test_outcomes_of_another_bots_model_do_not_count(
    client: Client, url: str, model: SignalModel
) -> None:
    other = replace(model, card=replace(model.card, version="other"))
    Ledger(url).write([*outcomes(model, 6), *outcomes(other, 6, kind="prior", bot="other")])
    ledger = client()
    assert len(run(pool(ledger), ledger, model, TRAINED, TRAINED + 7).days) == 6
    alone = client("alone")
    Ledger(url).write(outcomes(other, 6, TRAINED + 20, "prior"))
    assert run(pool(alone), alone, model, TRAINED + 20, TRAINED + 27).days == []


def test_a_gap_of_days_is_left_out(client: Client, url: str, model: SignalModel) -> None:
    Ledger(url).write([*outcomes(model, 3), *outcomes(model, 3, TRAINED + 10)])
    ledger = client()
    found = run(pool(ledger), ledger, model, TRAINED, TRAINED + 14).days
    assert [day.day - TRAINED for day in found] == [0, 1, 2, 10, 11, 12]


def test_later_rows_do_not_change_a_day_that_was_judged(
    client: Client, url: str, model: SignalModel
) -> None:
    """Neither does a day before its outcomes are known, a horizon after its end."""
    ledger = client()
    Ledger(url).write(outcomes(model, 6))
    tested = pool(ledger)
    tested.update(model, (TRAINED + 1) * PER_DAY)
    assert tested.days == []
    run(tested, ledger, model, TRAINED, TRAINED + 4)
    before = list(tested.days)
    Ledger(url).write(outcomes(model, 6, TRAINED + 6, "prior"))
    run(tested, ledger, model, TRAINED + 4, TRAINED + 12)
    assert tested.days[: len(before)] == before


def test_a_ledger_that_is_away_or_damaged_does_no_harm(
    client: Client, url: str, model: SignalModel, caplog: pytest.LogCaptureFixture
) -> None:
    ledger = client()
    Ledger(url).write(outcomes(model, 4))
    ledger._reader._rests_until = float("inf")  # type: ignore[union-attr]
    tested = pool(ledger)
    assert tested.update(model, (TRAINED + 5) * PER_DAY) == []
    ledger._reader._rests_until = 0.0  # type: ignore[union-attr]
    for text in ("[]", "{}", '{"days": [[1]], "references": {}}', "x"):
        ledger.write([ledger.counters({"quality pool": text})])
        assert ledger.flush(PATIENCE)
        again = pool(ledger)
        again.update(model, (TRAINED + 5) * PER_DAY)
        assert len(again.days) == 4
    assert "begins again" in caplog.text


def test_too_short_a_hold_out_says_so_and_does_nothing(
    client: Client, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    few = train(Request(make_rows(days=60), SETTINGS))
    Ledger(url).write(outcomes(few, 6, 60, "prior"))
    ledger = client()
    tested = run(pool(ledger), ledger, few, 60, 67)
    assert (tested.days, tested.states(few.card.version)) == ([], ())
    assert caplog.text.count("the test needs") == 1
    assert "train_period_days" in caplog.text


def test_switched_off_it_asks_nothing(client: Client, model: SignalModel) -> None:
    drift = SETTINGS.drift.model_copy(update={"enabled": False})
    ledger = client()
    tested = pool(ledger, SETTINGS.model_copy(update={"drift": drift}))
    assert tested.update(model, (TRAINED + 9) * PER_DAY) == []
    assert ledger.counter("quality pool") == ""
