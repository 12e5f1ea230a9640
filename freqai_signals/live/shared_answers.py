"""What the ledger says of predictions and outcomes: asked once a candle for all pairs of a bot."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from freqai_signals.ledger.ledger import Ledger
from freqai_signals.ledger.questions import known_outcomes, unresolved
from freqai_signals.live.ledger_client import LiveLedger

_SHARED_CANDLES: Final = 200
_GONE_CANDLES: Final = 12
_NEVER: Final = 2**62

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Wanted:
    """What a pair needs to know at a candle; candles by their opening, seconds since 1970.

    Attributes
    ----------
    version
        Of the model that it monitors.
    first, until
        Oldest and newest candle whose prediction may still lack its outcome.
    since
        Oldest candle whose outcome may be new to the pair.
    written
        Number of the newest rows that the pair handed to the ledger.
    """

    version: str
    first: int
    until: int
    since: int
    written: int = 0

    def covers(self, other: "Wanted") -> bool:
        """Whether the answer to this question holds that to another one about the same pair."""
        return self.first <= other.first and other.until <= self.until and self.since <= other.since


@dataclass(frozen=True)
class Answer:
    """The ledger's answer about one pair.

    Attributes
    ----------
    waiting
        Predictions without an outcome, oldest first.
    stored
        Outcomes of the pair's model, oldest first.
    is_complete
        Whether all rows that the pair had handed over were written when the ledger was asked.
    """

    waiting: Rows
    stored: Rows
    is_complete: bool


@dataclass
class _Round:
    """The newest question that was asked for all, and those who have not had their part of it."""

    wanted: dict[str, Wanted] = field(default_factory=dict)
    versions: frozenset[str] = frozenset()
    waiting: Mapping[str, Rows] = field(default_factory=dict)
    stored: Mapping[str, Rows] = field(default_factory=dict)
    settled: int = 0

    def has(self, pair: str, wanted: Wanted) -> bool:
        asked = self.wanted.get(pair)
        return asked is not None and asked.covers(wanted) and wanted.version in self.versions

    def take(self, pair: str, wanted: Wanted) -> Answer:
        del self.wanted[pair]
        stored = [row for row in self.stored.get(pair, ()) if _is_new(row, wanted)]
        # By what the pair has handed over by now, which may be later than the question foresaw.
        return Answer(self.waiting.get(pair, ()), stored, wanted.written <= self.settled)


class SharedAnswers:
    """Asks for all pairs when the first one asks, and hands the answer out, to each once.

    What the others will need is known from their candle before. A pair for which that does not
    hold, and one that has had its part already, asks again for all. One that has much to catch up
    on, as every pair at its first candle, asks for itself alone: answers stay short.

    Parameters
    ----------
    ledger
        Of the bot.
    candle_seconds
        Length of a candle.

    Attributes
    ----------
    start
        Number of the newest rows that an earlier run left to be written.
    """

    def __init__(self, ledger: LiveLedger, candle_seconds: int) -> None:
        self._ledger = ledger
        self._seconds = candle_seconds
        self.start = ledger.newest
        self._expected: dict[str, Wanted] = {}
        self._round = _Round()

    def answer(self, pair: str, wanted: Wanted) -> Answer | None:
        """The answer to a pair's question; None if the ledger cannot be read now."""
        if not self._round.has(pair, wanted):
            asked = self._questions(pair, wanted)
            found = self._ask(asked)
            if found is None:
                return None
            if len(asked) == 1:
                return found.take(pair, wanted)
            self._round = found
        return self._round.take(pair, wanted)

    def expect(self, pair: str, wanted: Wanted) -> None:
        """Note what a pair will need to know at its next candle, at least."""
        self._expected[pair] = wanted

    def _questions(self, pair: str, wanted: Wanted) -> dict[str, Wanted]:
        """What to ask together with a pair's own question, which comes last."""
        before = self._expected.get(pair)
        oldest = wanted.until - _SHARED_CANDLES * self._seconds
        if before is None or wanted.first < oldest:
            return {pair: wanted}
        since = _NEVER
        # Of the same model everything before is known, however long ago its last outcome was.
        if wanted.version != before.version or wanted.since < before.since:
            if wanted.since < oldest:
                return {pair: wanted}
            # The others are about to follow to that model.
            since = wanted.since
        gone = wanted.until - _GONE_CANDLES * self._seconds
        asked = {
            other: replace(expected, until=wanted.until, since=min(expected.since, since))
            for other, expected in self._expected.items()
            if expected.until >= gone and expected.first >= oldest
        }
        return {**asked, pair: wanted}

    def _ask(self, asked: dict[str, Wanted]) -> _Round | None:
        bot, until = self._ledger.bot, max(wanted.until for wanted in asked.values())
        first = {pair: wanted.first for pair, wanted in asked.items()}
        since = {pair: wanted.since for pair, wanted in asked.items()}
        versions = frozenset(wanted.version for wanted in asked.values())
        # Before the question: what is written in the meantime may be missing in the answer.
        settled = self._ledger.settled

        def question(ledger: Ledger) -> _Round:
            return _Round(
                dict(asked),
                versions,
                unresolved(ledger, bot, first, until),
                known_outcomes(ledger, sorted(versions), since),
                settled,
            )

        return self._ledger.ask(question, None)


def _is_new(row: Mapping[str, Any], wanted: Wanted) -> bool:
    return bool(row["model_version"] == wanted.version and row["candle"] >= wanted.since)
