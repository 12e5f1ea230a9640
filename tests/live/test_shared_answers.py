"""One question a candle for all pairs, and when a pair asks anew."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from freqai_signals.ledger.ledger import Entry, Ledger
from freqai_signals.live.ledger_client import LiveLedger
from freqai_signals.live.shared_answers import Answer, SharedAnswers, Wanted
from freqai_signals.settings import LedgerSettings
from tests.ledger.ledger_rows import CANDLE, outcome, predictions, sqlite_url
from tests.waiting import PATIENCE

PAIRS = tuple(f"P{number}/USDT" for number in range(5))
NOW, HORIZON = 10_000, 24


class Asked(LiveLedger):
    """Counts what it is asked; answers nothing while it is ``away``."""

    def __init__(self, folder: Path) -> None:
        settings = LedgerSettings(url=sqlite_url(folder), wait_seconds=30)
        super().__init__(settings, folder, "bot", lambda: 0.0)
        self.asked = 0
        self.away = False
        self.unwritten: set[int] = set()

    def ask(self, question: Callable[[Ledger], object], otherwise: object) -> object:  # type: ignore[override]
        self.asked += 1
        return otherwise if self.away else super().ask(question, otherwise)

    @property
    def settled(self) -> int:
        return min(self.unwritten) - 1 if self.unwritten else super().newest

    def store(self, *entries: Entry) -> None:
        self.write(list(entries))
        assert self.flush(PATIENCE)


class Pair:
    """What a pair's operation remembers between candles."""

    def __init__(self, name: str, answers: SharedAnswers) -> None:
        self.name, self.answers = name, answers
        self.version, self.first, self.since = "v1", NOW - 2000, NOW - 2000
        self.written = 0

    def candle(self, number: int) -> Answer | None:
        until = number - HORIZON
        wanted = Wanted(
            self.version, self.first * CANDLE, until * CANDLE, self.since * CANDLE, self.written
        )
        answer = self.answers.answer(self.name, wanted)
        if answer is None:
            return None
        if answer.is_complete:
            self.first = until + 1
        if answer.stored:
            self.since = answer.stored[-1]["candle"] // CANDLE - HORIZON
        said = Wanted(
            self.version, self.first * CANDLE, wanted.until, self.since * CANDLE, self.written
        )
        self.answers.expect(self.name, said)
        return answer


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Asked]:
    opened = Asked(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def pairs(ledger: Asked) -> list[Pair]:
    """After their first candle, at which each asks for itself: it has much to catch up on."""
    known = [outcome(NOW - 2000 + i, pair=pair) for pair in PAIRS for i in range(3)]
    ledger.store(Entry("outcomes", [*known, *(outcome(NOW - 30, pair=p) for p in PAIRS)]))
    answers = SharedAnswers(ledger, CANDLE)
    made = [Pair(name, answers) for name in PAIRS]
    for pair in made:
        answer = pair.candle(NOW)
        assert answer is not None
        assert len(answer.stored) == 4
    assert ledger.asked == len(PAIRS)
    ledger.asked = 0
    return made


def candles(rows: "list[dict[str, object]] | object") -> list[int]:
    return [row["candle"] // CANDLE for row in rows]  # type: ignore[attr-defined]


def test_a_candle_of_all_pairs_is_one_question(ledger: Asked, pairs: list[Pair]) -> None:
    for number in range(NOW + 1, NOW + 4):
        due = number - HORIZON
        ledger.store(*(predictions(due, due + 1, pair=name) for name in PAIRS))
        ledger.store(Entry("outcomes", [outcome(number - 30, pair=name) for name in PAIRS]))
        for pair in pairs:
            answer = pair.candle(number)
            assert answer is not None
            assert candles(answer.waiting) == [due], "the next one is not due"
            assert {row["pair"] for row in (*answer.waiting, *answer.stored)} == {pair.name}
            assert candles(answer.stored)[-1] == number - 30
    assert ledger.asked == 3


def test_a_second_look_at_a_candle_asks_anew(ledger: Asked, pairs: list[Pair]) -> None:
    for pair in pairs:
        pair.candle(NOW + 1)
    ledger.store(Entry("outcomes", [outcome(NOW - 25, pair=PAIRS[0])]))
    answer = pairs[0].candle(NOW + 1)
    assert answer is not None
    assert candles(answer.stored)[-1] == NOW - 25, "what came meanwhile is in it"
    for pair in pairs[1:]:
        pair.candle(NOW + 1)
    assert ledger.asked == 2


def test_a_late_pair_costs_one_question(ledger: Asked, pairs: list[Pair]) -> None:
    """Its answer would lack what is due for the others."""
    ledger.store(*(predictions(NOW + 2 - HORIZON, pair=name) for name in PAIRS))
    found = [pair.candle(NOW + 2 - (i == 0)) for i, pair in enumerate(pairs)]
    assert [candles(answer.waiting) for answer in found if answer] == [[]] + 4 * [[NOW - 22]]
    assert ledger.asked == 2
    (late,) = candles(pairs[0].candle(NOW + 2).waiting)  # type: ignore[union-attr]
    assert late == NOW - 22
    # The other way round, the answer for the others holds what it asks.
    ledger.asked = 0
    for pair in reversed(pairs):
        pair.candle(NOW + 4 - (pair is pairs[0]))
    assert ledger.asked == 1


def test_a_pair_that_joins_asks_for_itself(ledger: Asked, pairs: list[Pair]) -> None:
    ledger.store(predictions(NOW - 1500, NOW - 30, pair="NEW/USDT"))
    joined = Pair("NEW/USDT", pairs[0].answers)
    pairs[0].candle(NOW + 1)
    answer = joined.candle(NOW + 1)
    assert answer is not None
    assert candles(answer.waiting) == [NOW - 1500, NOW - 30]
    for pair in pairs[1:]:
        pair.candle(NOW + 1)
    assert ledger.asked == 2, "nobody lost its part of the answer"
    ledger.asked = 0
    for pair in (*pairs, joined):
        pair.candle(NOW + 2)
    assert ledger.asked == 1


def test_a_new_model_of_all_pairs_is_one_question(ledger: Asked, pairs: list[Pair]) -> None:
    """Another bot may have served it before: its outcomes reach further back than what is known."""
    rows = [outcome(NOW - 90, pair=name, version="v2") for name in PAIRS]
    ledger.store(Entry("outcomes", rows))
    for pair in pairs:
        pair.version, pair.since = "v2", NOW - 100
        answer = pair.candle(NOW + 1)
        assert answer is not None
        assert candles(answer.stored) == [NOW - 90]
    assert ledger.asked == 1


def test_after_a_rollback_each_pair_reads_its_past_alone(ledger: Asked, pairs: list[Pair]) -> None:
    old = [outcome(NOW - 1000 + i, pair=p, version="v0") for p in PAIRS for i in range(900)]
    ledger.store(Entry("outcomes", old))
    for number in (NOW + 1, NOW + 2):
        ledger.asked = 0
        for pair in pairs:
            if number == NOW + 1:
                pair.version, pair.since = "v0", NOW - 2000
            answer = pair.candle(number)
            assert answer is not None
            assert len(answer.stored) == (900 if number == NOW + 1 else HORIZON + 1)
        assert ledger.asked == (len(PAIRS) if number == NOW + 1 else 1)


def test_a_pair_without_outcomes_for_long_is_asked_about_with_the_others(
    ledger: Asked, pairs: list[Pair]
) -> None:
    pairs[0].since = NOW - 1990
    pairs[0].candle(NOW + 1)
    ledger.asked = 0
    for pair in pairs:
        pair.candle(NOW + 2)
    assert ledger.asked == 1


def test_what_was_not_written_yet_is_asked_for_again(ledger: Asked, pairs: list[Pair]) -> None:
    pairs[0].written = 7
    ledger.unwritten.add(7)
    for pair in pairs:
        pair.candle(NOW + 1)
    # The writer comes to it only now.
    ledger.unwritten.clear()
    ledger.store(*(predictions(NOW + 1 - HORIZON, pair=name) for name in PAIRS[:2]))
    ledger.asked = 0
    found = [pair.candle(NOW + 2) for pair in pairs]
    assert [len(answer.waiting) for answer in found if answer] == [1, 0, 0, 0, 0]
    assert ledger.asked == 1


def test_what_was_handed_over_since_a_question_was_foreseen_counts(
    ledger: Asked, pairs: list[Pair]
) -> None:
    """A candle's row is handed over after its outcomes, and another pair asks at the next one."""
    for pair in pairs:
        pair.candle(NOW + 1)
    pairs[0].written = 7
    ledger.unwritten.add(7)
    found = [pair.candle(NOW + 2) for pair in reversed(pairs)]
    assert [answer.is_complete for answer in found if answer] == [True] * 4 + [False]


def test_pairs_that_are_gone_are_asked_about_no_more(ledger: Asked, pairs: list[Pair]) -> None:
    for number in range(NOW + 1, NOW + 20):
        for pair in pairs[1:]:
            pair.candle(number)
    seen: list[object] = []
    ask = ledger.ask

    def noted(question: Callable[[Ledger], object], otherwise: object) -> object:
        seen.append(ask(question, otherwise))
        return seen[-1]

    ledger.ask = noted  # type: ignore[method-assign,assignment]
    pairs[1].candle(NOW + 20)
    assert set(seen[0].wanted) == set(PAIRS[2:])  # type: ignore[attr-defined]
    back = pairs[0].candle(NOW + 20)
    assert back is not None
    assert back.is_complete


def test_while_the_ledger_is_away_nothing_is_known_and_nothing_is_lost(
    ledger: Asked, pairs: list[Pair]
) -> None:
    ledger.store(*(predictions(NOW - HORIZON + 1, pair=name) for name in PAIRS))
    ledger.away = True
    assert [pair.candle(NOW + 1) for pair in pairs] == [None] * len(PAIRS)
    ledger.away, ledger.asked = False, 0
    found = [pair.candle(NOW + 2) for pair in pairs]
    assert [len(answer.waiting) for answer in found if answer] == [1] * len(PAIRS)
    assert ledger.asked == 1
