"""A bot's operation as the adapters drive it, over an SQLite file."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from freqai_signals.drift.sequential import QualityDay
from freqai_signals.ledger.ledger import Entry, Ledger
from freqai_signals.ledger.reader import LedgerReader
from freqai_signals.live.alerts import Ahead
from freqai_signals.live.health import Health, Level
from freqai_signals.live.operation import LiveOperation
from freqai_signals.model.signal_model import SignalModel
from freqai_signals.registry.promotion import unless_refused
from freqai_signals.registry.registry import Registry
from freqai_signals.schema import PROBA_COLUMNS
from freqai_signals.settings import SignalSettings
from freqai_signals.signals.health_limits import HealthLimits
from freqai_signals.training.fit import Request, train
from tests.ledger.ledger_rows import predictions
from tests.registry.gate_rows import model_of, shuffled, small_settings, window
from tests.waiting import PATIENCE

PAIR, BOT, HOUR, COST = "P0/USDT", "bot", 3600, 0.002
SCOPE = f"{BOT}/pool"
FIRST = 80 * 24


def with_section(section: str, **values: Any) -> SignalSettings:
    settings = small_settings()
    changed = getattr(settings, section).model_copy(update=values)
    return settings.model_copy(update={section: changed})


def candles(last: int, count: int = 400) -> pd.DataFrame:
    """A random walk that is the same whenever it is asked for."""
    close = 100 * np.exp(np.random.default_rng(3).normal(0, 0.01, FIRST + 2000).cumsum())
    numbers = np.arange(last - count + 1, last + 1)
    price = close[numbers]
    dates = pd.to_datetime(numbers * HOUR, unit="s", utc=True)
    return pd.DataFrame(
        {"date": dates, "open": price, "high": price * 1.001, "low": price * 0.999,
         "close": price, "volume": 1.0}
    )  # fmt: skip


@dataclass
class Bot:
    """What the adapters do, without freqtrade.

    One that ``settles`` has its rows written before the next candle comes, as a candle's length
    allows; only a ledger in trouble leaves them waiting.
    """

    operation: LiveOperation
    folder: Path
    settles: bool = True
    sent: list[str] = field(default_factory=list)
    send_signals: Callable[[str], None] | None = None

    def candle(
        self, number: int, shift: float = 0.0, signal: int = -1, pair: str = PAIR
    ) -> HealthLimits:
        values = np.random.default_rng(number).normal(size=4) + shift
        date = pd.to_datetime([number * HOUR], unit="s", utc=True)
        features = pd.DataFrame([values], columns=["%-a", "%-b", "%-c", "%-d"]).assign(date=date)
        model = self.operation.model(pair, None)
        said = model.predict(features).probabilities[0] if model else np.array([0.0, 1.0, 0.0])
        outputs = pd.DataFrame([said], columns=list(PROBA_COLUMNS)).assign(do_predict=1)
        candles_now = features.assign(volume=1.0)
        trust = outputs["do_predict"].to_numpy()
        self.operation.observe(pair, model, candles_now, features, trust)
        health_limits = self.operation.judge(pair, candles(number), COST)
        strength = int(signal in (0, 2))
        frame = outputs.assign(
            date=date, close=100.0, confidence=0.9, expected_return=0.01, signal=signal,
            signal_strength=strength, signal_tag="buy_weak" if strength else "",
            reject_reason="" if strength else "no_edge",
        )  # fmt: skip
        frame["&-signal"] = float(said.argmax())
        self.operation.record(pair, frame, COST, self.send_signals or self.sent.append)
        if self.settles:
            self.settle()
        return health_limits

    def settle(self) -> None:
        writer, until = self.operation._ledger._writer, time.monotonic() + PATIENCE
        while writer and not writer.flush(0.01) and not writer.problem:
            assert time.monotonic() < until, "rows wait though nothing is wrong"

    def alerts(self, number: int) -> list[str]:
        """Messages at the close of a candle, without the bot's name and the time."""
        texts = self.operation.alerts((number + 1) * HOUR + 5, [PAIR])
        assert all(text.startswith(f"{BOT} at ") for text in texts)
        if self.settles:
            self.settle()
        return [text.partition(" UTC: ")[2] for text in texts]

    def ledger(self) -> Ledger:
        self.operation._ledger.flush(PATIENCE)
        return Ledger(f"sqlite:///{self.folder / 'signals' / 'ledger.sqlite'}")


Start = Callable[..., Bot]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[Bot] = []

    def starts(
        settings: SignalSettings | None = None, name: str = BOT, folder: Path = tmp_path
    ) -> Bot:
        bot = Bot(LiveOperation(settings or small_settings(), folder, name), folder)
        started.append(bot)
        return bot

    yield starts
    for bot in started:
        bot.operation.close()


def poisoned() -> SignalModel:
    return train(Request(shuffled(window(8)), small_settings()))


def test_accepted_model_serves_and_every_candle_is_written_and_scored(start: Start) -> None:
    bot = start()
    model = bot.operation.promote(PAIR, model_of(0), window(0))
    assert model.card.gate["verdict"] == "first_accepted"
    assert bot.operation.model(PAIR, None).card.version == model.card.version  # type: ignore[union-attr]
    for number in range(FIRST, FIRST + 6):
        bot.candle(number)
    ledger = bot.ledger()
    assert ledger.rows("model_decisions")["verdict"].tolist() == ["first_accepted"]
    rows = ledger.rows("predictions")
    assert rows["kind"].tolist() == ["live"] * 6
    assert set(rows["model_version"]) == {model.card.version}
    # The first two outcomes need two more candles, and are known at the candle after.
    assert len(ledger.scored()) >= 3
    assert Registry(bot.folder / "signals" / "registry").scope(SCOPE).serving == model.card.version


def outcomes_of(bot: Bot, model: SignalModel) -> list[dict[str, Any]]:
    rows = bot.ledger().rows("outcomes")
    return rows[rows["model_version"] == model.card.version].to_dict("records")


def test_each_bot_scores_its_own_predictions_by_its_own_label(start: Start, tmp_path: Path) -> None:
    alone = start(folder=tmp_path / "alone")
    together = start()
    other = start(small_settings().model_copy(update={"label_horizon_candles": 1}), "other")
    mine, others = model_of(0), model_of(8)
    for bot in (alone, together):
        bot.operation.promote(PAIR, mine, window(0))
    other.operation.promote(PAIR, others, window(8))
    for number in range(FIRST, FIRST + 12):
        # The one with the shorter horizon could be first to score all.
        for bot in (alone, together, other):
            bot.candle(number)
    found = [outcomes_of(bot, mine) for bot in (alone, together)]
    for row in found[0] + found[1]:
        # Places in the chains, which differ: the second ledger holds two bots.
        for name in ("resolved", "number", "hash"):
            del row[name]
    assert len(found[0]) >= 8
    assert found[0] == found[1]
    assert len(outcomes_of(other, others)) > len(found[1])


def test_outcomes_that_could_not_be_read_at_the_start_are_taken_in_later(start: Start) -> None:
    bot = start()
    bot.operation.promote(PAIR, model_of(0), window(0))
    for number in range(FIRST, FIRST + 8):
        bot.candle(number)
    again = start()
    again.operation._ledger._reader._rests_until = float("inf")  # type: ignore[union-attr]
    again.candle(FIRST + 8)
    again.operation._ledger._reader._rests_until = 0.0  # type: ignore[union-attr]
    for watched in (bot, again):
        watched.candle(FIRST + 9)
    known = [list(watched.operation._pair(PAIR).watch._resolved) for watched in (bot, again)]
    assert known[0] == known[1] != []


def test_more_pairs_ask_the_ledger_no_more_often(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, ask = [0], LedgerReader.ask

    def counted(self: LedgerReader, question: Any, otherwise: Any) -> Any:
        asked[0] += 1
        return ask(self, question, otherwise)

    monkeypatch.setattr(LedgerReader, "ask", counted)
    found = {}
    for count in (2, 6):
        bot = start(folder=tmp_path / str(count))
        bot.operation.promote(PAIR, model_of(0), window(0))
        for number in range(FIRST, FIRST + 15):
            if number == FIRST + 3:
                asked[0] = 0
            for i in range(count):
                bot.candle(number, pair=f"P{i}/USDT")
        found[count] = asked[0]
        resolved = bot.ledger().rows("outcomes").groupby("pair").size().tolist()
        assert resolved == [13] * count, "all that were due"
    # Each pair looks back at its week once in twelve candles, at one of its own.
    assert found[6] - found[2] == 4


def test_rows_that_were_not_written_in_time_are_scored_later(start: Start, tmp_path: Path) -> None:
    bot = start()
    bot.operation.promote(PAIR, model_of(0), window(0))
    for number in range(FIRST, FIRST + 4):
        bot.candle(number)
    bot.settle()
    other = sqlite3.connect(tmp_path / "signals" / "ledger.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    bot.settles = False
    for number in range(FIRST + 4, FIRST + 9):
        bot.candle(number)
    other.rollback()
    other.close()
    assert bot.operation._ledger.flush(PATIENCE)
    bot.settles = True
    for number in range(FIRST + 9, FIRST + 12):
        bot.candle(number)
    numbers = [row["candle"] // HOUR for row in outcomes_of(bot, model_of(0))]
    assert sorted(numbers) == list(range(FIRST, FIRST + 10))


def test_columns_for_charts_are_as_each_candle_had_them(start: Start) -> None:
    bot = start()
    bot.operation.promote(PAIR, model_of(0), window(0))
    bot.candle(FIRST)
    bot.candle(FIRST + 1)
    numbers = np.array([FIRST - 1, FIRST, FIRST + 1])
    dates = pd.to_datetime(numbers * HOUR, unit="s", utc=True)
    found = bot.operation.columns(PAIR, pd.DataFrame({"date": dates}))
    assert list(found) == ["live_rows", "live_skill", "live_accuracy", "drift_level"]
    # Unknown is empty: a candle from before the start, and a skill without outcomes.
    assert np.nan_to_num(found["drift_level"], nan=-1).tolist() == [-1, 0, 0]
    assert np.nan_to_num(found["live_rows"], nan=-1).tolist() == [-1, 0, 0]
    assert np.isnan(found["live_skill"]).all()


def test_refused_model_does_not_serve_and_the_operator_is_told(start: Start) -> None:
    bot = start()
    champion = bot.operation.promote(PAIR, model_of(0), window(0))
    refused = bot.operation.promote(PAIR, poisoned(), window(8))
    assert refused.fit is not None, "the next training carries on from it"
    assert bot.operation.model(PAIR, refused).card.version == champion.card.version  # type: ignore[union-attr]
    (text,) = bot.alerts(FIRST)
    assert text.startswith(f"model {SCOPE}: refused {refused.card.version}")
    assert bot.alerts(FIRST) == []
    again = start()
    assert again.operation.model(PAIR, refused).card.version == champion.card.version  # type: ignore[union-attr]
    assert again.alerts(FIRST + 1) == []


def test_refused_first_model_abstains_also_after_a_restart(start: Start) -> None:
    bot = start()
    refused = bot.operation.promote(PAIR, poisoned(), window(8))
    for operation in (bot.operation, start().operation):
        serving = operation.model(PAIR, refused)
        assert serving is not None
        assert serving.fit is None
        assert "refuse_worse_than_prior" in serving.card.reason
    assert unless_refused(model_of(0)) is model_of(0)


def test_gate_that_is_never_asked_accepts(start: Start) -> None:
    bot = start(with_section("gate", where="never"))
    model = bot.operation.promote(PAIR, poisoned(), window(8))
    assert bot.operation.model(PAIR, None).card.version == model.card.version  # type: ignore[union-attr]


def test_rollback_by_command_is_followed_and_told(start: Start) -> None:
    bot = start(with_section("gate", where="never"))
    old = bot.operation.promote(PAIR, model_of(0), window(0)).card.version
    new = bot.operation.promote(PAIR, model_of(8), window(8)).card.version
    assert bot.operation.model(PAIR, None).card.version == new  # type: ignore[union-attr]
    Registry(bot.folder / "signals" / "registry").rollback(SCOPE, reason="it was better")
    assert bot.operation.model(PAIR, None).card.version == old  # type: ignore[union-attr]
    assert bot.alerts(FIRST) == [f"model {SCOPE}: rolled back to {old} (was {new}; it was better)"]


def test_signal_is_told_after_its_row_and_once(start: Start) -> None:
    settings = with_section("alerts", every_signal=True)
    bot = start(settings)
    bot.operation.promote(PAIR, model_of(0), window(0))
    bot.candle(FIRST)
    bot.candle(FIRST + 1, signal=2)
    bot.candle(FIRST + 1, signal=2)
    assert len(bot.sent) == 1
    rows = bot.ledger().rows("signals")
    assert rows["sent"].notna().tolist() == [True]
    assert '"top_features": [["%-' in rows["record"][0]
    again = start(settings)
    again.candle(FIRST + 1, signal=2)
    assert again.sent == []


def test_message_that_a_kill_prevented_goes_out_after_the_restart(start: Start) -> None:
    settings = with_section("alerts", every_signal=True)
    bot = start(settings)
    bot.operation.promote(PAIR, model_of(0), window(0))

    bot.candle(FIRST)

    def killed(_text: str) -> None:
        raise RuntimeError

    bot.send_signals = killed
    bot.candle(FIRST + 1, signal=2)
    assert bot.ledger().unsent(PAIR, BOT) == (FIRST + 1) * HOUR
    again = start(settings)
    again.candle(FIRST + 1, signal=2)
    assert len(again.sent) == 1


def test_level_restrains_asks_for_training_and_survives_a_restart(start: Start) -> None:
    settings = with_section("drift", resume_candles=5)
    bot = start(settings)
    bot.operation.promote(PAIR, model_of(0), window(0))
    bot.candle(FIRST)
    halted = Health(Level.HALTED, FIRST, FIRST, -1, ("live skill",))
    bot.ledger().write(
        [Entry("counters", [{"bot": BOT, "name": f"health {PAIR}", "content": halted.to_json()}])]
    )
    again = start(settings)
    health_limits = again.candle(FIRST + 1)
    assert health_limits.blocked == "halted"
    assert again.operation._pair(PAIR).watch.health.level == 3
    asked = [again.operation.wants_training(PAIR)]
    for number in range(FIRST + 2, FIRST + 5):
        again.candle(number)
        asked.append(again.operation.wants_training(PAIR))
    assert asked == [True, False, False, False]
    assert again.alerts(FIRST + 5)[0].startswith(f"level {PAIR}: halted (")


def test_a_failed_test_of_live_quality_halts_until_a_later_model_serves(start: Start) -> None:
    bot = start(with_section("gate", where="never"))
    version = bot.operation.promote(PAIR, model_of(0), window(0)).card.version
    bot.candle(FIRST)
    # Both models are trained on sixty days, the second one from the ninth day on.
    bot.operation._tested["pool"].days = [
        QualityDay(62 + i, version, 1.0 - i / 2, 0.0) for i in range(3)
    ]
    assert bot.candle(FIRST + 1).blocked == "halted"
    assert bot.operation.wants_training(PAIR)
    texts = bot.alerts(FIRST + 1)
    halted = f"level {PAIR}: halted (live skill: half of what it was"
    assert any(halted in text for text in texts), texts
    bot.operation.promote(PAIR, model_of(0, seed=1), window(0, seed=1))
    assert bot.candle(FIRST + 2).blocked == "halted", "it was trained before the alarm too"
    bot.operation.promote(PAIR, model_of(8), window(8))
    assert bot.candle(FIRST + 3).blocked == ""
    assert bot.operation._pairs[PAIR].watch.health.level == Level.WARNING


def test_numbers_of_a_shorter_timeframe_hold_nothing_back(start: Start) -> None:
    settings = with_section("drift", resume_candles=3)
    bot = start(settings)
    bot.operation.promote(PAIR, model_of(0), window(0))
    bot.candle(FIRST)
    later = 12 * FIRST
    halted = Health(Level.HALTED, later, later, -1, ("live skill",))
    told = {f"health {PAIR}": halted.to_json(), "training pool": str(later)}
    bot.ledger().write(
        [Entry("counters", [{"bot": BOT, "name": n, "content": c} for n, c in told.items()])]
    )
    again = start(settings)
    assert again.candle(FIRST + 1).blocked == "halted"
    assert again.operation.wants_training(PAIR)
    levels = [again.operation._pair(PAIR).watch.health.level]
    for number in range(FIRST + 2, FIRST + 9):
        again.candle(number)
        levels.append(again.operation._pair(PAIR).watch.health.level)
    assert levels == [3, 3, 3, 3, 2, 2, 2, 1]


def test_a_clock_that_is_ahead_warns_and_holds_nothing_back(start: Start) -> None:
    settings = with_section("drift", resume_candles=3)
    bot = start(settings)
    bot.operation.promote(PAIR, model_of(0), window(0))
    bot.candle(FIRST)
    for _ in range(2):
        bot.alerts(FIRST + 500)
    assert bot.operation._pair(PAIR).watch.health.level == 1
    assert bot.candle(FIRST + 1) == HealthLimits(since=(FIRST + 1) * HOUR)
    for number in range(FIRST + 2, FIRST + 5):
        bot.candle(number)
    assert bot.operation._pair(PAIR).watch.health.level == 0


def test_silence_is_noticed_where_no_candle_arrives(start: Start) -> None:
    bot = start()
    bot.operation.promote(PAIR, model_of(0), window(0))
    bot.candle(FIRST)
    assert [text.split(" (")[0] for text in bot.alerts(FIRST)] == [
        f"model {SCOPE}: accepted {model_of(0).card.version}"
    ]
    (text,) = bot.alerts(FIRST + 3)
    assert text.startswith(f"level {PAIR}: warning (no trusted prediction for 3 candles")


def test_a_candle_ahead_of_the_clock_invents_no_row_and_hides_no_silence(tmp_path: Path) -> None:
    now = [0.0]
    operation = LiveOperation(small_settings(), tmp_path, BOT, now=lambda: now[0])
    bot = Bot(operation, tmp_path)
    operation.promote(PAIR, model_of(0), window(0))
    for number in (FIRST, FIRST + 1):
        now[0] = (number + 1) * HOUR + 5
        bot.candle(number)
    bot.candle(FIRST + 25)
    watch = operation._pair(PAIR).watch
    assert watch.candle == FIRST + 1
    now[0] = (FIRST + 3) * HOUR + 5
    bot.candle(FIRST + 2)
    rows = bot.ledger().rows("predictions")
    assert (rows["candle"] // HOUR).tolist() == [FIRST, FIRST + 1, FIRST + 2]
    assert set(rows["kind"]) == {"live"}
    bot.candle(FIRST + 30)
    told = bot.alerts(FIRST + 6)
    assert any("warning" in text for text in told), told
    operation.close()


def test_a_row_from_a_candle_ahead_of_its_time_holds_up_nothing(start: Start) -> None:
    """An earlier version wrote such rows; the clock of the machine may have been wrong."""
    bot = start()
    bot.operation.promote(PAIR, model_of(0), window(0))
    bot.candle(FIRST)
    bot.ledger().write([predictions(FIRST + 24, pair=PAIR, bot=BOT, candle=(FIRST + 24) * HOUR)])
    bot.operation.close()
    again = start()
    again.candle(FIRST + 1)
    rows = again.ledger().rows("predictions")
    assert (FIRST + 1) * HOUR in rows["candle"].tolist()


def test_candles_ahead_of_the_clock_are_told_once(start: Start) -> None:
    bot = start()
    texts = [bot.operation.alerts(FIRST * HOUR, [PAIR], Ahead(frozenset({PAIR}))) for _ in range(2)]
    assert [[text.partition(" UTC: ")[2] for text in part] for part in texts] == [
        ["candles P0/USDT: ahead of the clock (left out; the exchange or this machine's clock is "
         "wrong)"], [],
    ]  # fmt: skip


def test_a_clock_that_is_ahead_of_the_exchange_is_told_once(start: Start) -> None:
    bot = start()
    texts = [
        bot.operation.alerts(FIRST * HOUR, [PAIR], Ahead(seconds=seconds))
        for seconds in (4.0, 1200.0, 1210.0)
    ]
    assert [len(part) for part in texts] == [0, 1, 0]
    assert "clock: ahead of the exchange (by 1200 s, open candles are left out)" in texts[1][0]


def test_a_ledger_that_is_away_stops_nothing(start: Start, tmp_path: Path) -> None:
    folder = tmp_path / "folder.sqlite"
    folder.mkdir()
    bot = start(with_section("ledger", url=f"sqlite:///{folder}"))
    bot.operation.promote(PAIR, model_of(0), window(0))
    bot.candle(FIRST)
    bot.candle(FIRST + 1, signal=2)
    assert any(text.startswith("ledger: cannot be written") for text in bot.alerts(FIRST + 1))


def test_a_trade_finds_the_signal_of_the_candle_it_was_decided_on(start: Start) -> None:
    bot = start()
    version = bot.operation.promote(PAIR, model_of(0), window(0)).card.version
    bot.candle(FIRST, signal=2)
    opened = datetime.fromtimestamp((FIRST + 1) * HOUR + 20, UTC)
    kept = bot.operation.trade_data(PAIR, opened)
    assert kept["model"] == version
    assert kept["signal"].startswith("buy, weak, of ")
    assert kept["confidence rank"] == "90.0 of 100"
    assert kept["signal record"]["expected_return"] == 0.01
    assert bot.operation.trade_data(PAIR, opened + timedelta(hours=1)) == {}


def test_a_second_accepted_model_names_the_one_that_it_replaces(start: Start) -> None:
    bot = start(with_section("gate", where="never"))
    old = bot.operation.promote(PAIR, model_of(0), window(0)).card.version
    new = bot.operation.promote(PAIR, model_of(8), window(8)).card.version
    (text,) = bot.alerts(FIRST)
    assert text.startswith(f"model {SCOPE}: accepted {new} (")
    assert text.endswith(f"; serves instead of {old})")


def test_a_bot_that_was_away_says_for_how_long(start: Start) -> None:
    bot = start()
    bot.candle(FIRST)
    assert bot.alerts(FIRST) == []
    # Killed: what it left behind is the last sign of life.
    again = start()
    (text,) = again.alerts(FIRST + 10)
    assert text.startswith("back after 10 h without a sign of life (since ")
    assert "10 candles a pair were not decided in time" in text
    assert again.alerts(FIRST + 11) == []


def test_trainings_are_announced_and_their_failure(start: Start) -> None:
    bot = start()
    bot.operation.notices.training_started("the pool of 5 pairs", FIRST * HOUR)
    bot.operation.notices.training_ended("the pool of 5 pairs", "too few rows")
    started, failed = bot.alerts(FIRST)
    assert started.startswith("training of the pool of 5 pairs starts, data until ")
    assert failed.startswith("training of the pool of 5 pairs failed: too few rows; what served")
    assert bot.alerts(FIRST) == []


def test_the_day_is_summarised_once_after_midnight_if_asked_for(start: Start) -> None:
    midnight = (FIRST // 24 + 1) * 24
    bot = start(with_section("alerts", daily_summary=True))
    bot.operation.promote(PAIR, model_of(0), window(0))
    bot.candle(midnight - 2, signal=2)
    bot.alerts(midnight - 2)
    (text,) = bot.alerts(midnight)
    assert text.startswith("daily summary of ")
    assert "1 buy and 0 sell signals" in text
    assert model_of(0).card.version in text
    again = start(with_section("alerts", daily_summary=True))
    later = [*bot.alerts(midnight + 1), *again.alerts(midnight + 2), *start().alerts(midnight + 26)]
    assert not [text for text in later if "summary" in text]


def test_a_summary_that_fails_takes_no_alert_with_it_and_waits_an_hour(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    midnight, asked = (FIRST // 24 + 1) * 24, []
    bot = start(with_section("alerts", daily_summary=True))
    bot.alerts(midnight - 2)
    bot.settle()

    def fails(*_: object) -> str:
        asked.append(1)
        raise KeyError("column")

    monkeypatch.setattr("freqai_signals.live.notices.daily_summary", fails)
    bot.operation.promote(PAIR, model_of(0), window(0))
    (text,) = bot.alerts(midnight)
    assert text.startswith("model ")
    second = (midnight + 1) * HOUR + 10
    for later in (0, 60, 3500):
        assert bot.operation.alerts(second + later, [PAIR]) == []
    assert len(asked) == 1
    monkeypatch.undo()
    (text,) = bot.operation.alerts(second + 3700, [PAIR])
    assert "daily summary" in text


def test_switched_off_sections_do_nothing(start: Start, tmp_path: Path) -> None:
    settings = with_section("ledger", enabled=False)
    drift = settings.drift.model_copy(update={"enabled": False})
    alerts = settings.alerts.model_copy(update={"enabled": False, "every_signal": True})
    bot = start(settings.model_copy(update={"drift": drift, "alerts": alerts}))
    bot.operation.promote(PAIR, poisoned(), window(8))
    assert bot.candle(FIRST, signal=2) == HealthLimits()
    assert bot.alerts(FIRST + 9) == []
    assert bot.sent == []
    assert not (tmp_path / "signals" / "ledger.sqlite").exists()


def test_nothing_is_raised_and_the_same_trouble_is_logged_once(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    bot = start()
    for _ in range(2):
        bot.operation.record(PAIR, pd.DataFrame({"date": ["?"]}), COST, bot.sent.append)
    assert sum("Error in live monitoring" in line for line in caplog.messages) <= 2
    assert bot.operation.judge(PAIR, pd.DataFrame({"date": [1]}), COST) == HealthLimits()


def test_slow_database_is_left_alone_for_a_while(tmp_path: Path) -> None:
    now = [0.0]
    reader = LedgerReader(lambda: Ledger(f"sqlite:///{tmp_path}/x"), 1.0, lambda: now[0])
    asked = []

    def fails(_ledger: Ledger) -> str:
        asked.append(now[0])
        raise OSError("away")

    assert reader.ask(fails, "otherwise") == "otherwise"
    assert reader.ask(fails, "otherwise") == "otherwise"
    assert (len(asked), reader.problem) == (1, "away")
    now[0] = 31.0
    assert reader.ask(lambda ledger: "answer", "otherwise") == "answer"
    assert reader.problem == ""
