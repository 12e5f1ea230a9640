import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from freqai_signals.plugin.freqai.thread_priority import (
    MOST_SECONDS,
    NICENESS,
    QUIET_SECONDS,
    SWITCH_SECONDS,
    InferencePriority,
    low_priority,
)


def test_the_interval_is_short_inside_and_what_it_was_outside() -> None:
    before = sys.getswitchinterval()
    with low_priority():
        assert sys.getswitchinterval() == pytest.approx(SWITCH_SECONDS, abs=1e-5)
        with low_priority(1.0):
            assert sys.getswitchinterval() == pytest.approx(SWITCH_SECONDS, abs=1e-5), (
                "never longer"
            )
    assert sys.getswitchinterval() == before


def test_the_interval_is_put_back_after_an_error() -> None:
    before = sys.getswitchinterval()
    with pytest.raises(ValueError, match="no rows"), low_priority():
        raise ValueError("no rows")
    assert sys.getswitchinterval() == before


def _niceness() -> int:
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


def _inside() -> list[int]:
    """Niceness of a thread before it trains, of one that it starts, and after it has trained."""
    before = _niceness()
    with low_priority(), ThreadPoolExecutor(1) as started:
        inside = started.submit(_niceness).result()
    return [before, inside, _niceness()]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a niceness for each thread")
def test_cores_go_to_other_threads_than_those_of_a_training() -> None:
    usual = _niceness()
    # What starts with more keeps it.
    nicer = max(usual, NICENESS)
    with ThreadPoolExecutor(1) as training:
        assert training.submit(_inside).result() == [usual, nicer, nicer]
        assert training.submit(_inside).result() == [nicer, nicer, nicer]
    with ThreadPoolExecutor(1) as deciding:
        assert deciding.submit(_niceness).result() == usual


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a niceness for each thread")
def test_a_main_thread_keeps_its_claim_to_the_cores() -> None:
    assert threading.current_thread() is threading.main_thread()
    usual = _niceness()
    assert _inside() == [usual, usual, usual]


class Time:
    """Seconds that pass by sleeping; at some of them the bot decides."""

    def __init__(self) -> None:
        self.now = 100.0
        self.precedence = InferencePriority(lambda: self.now, self.sleep)
        self.decisions: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        while self.decisions and self.decisions[0] <= self.now:
            self.decisions.pop(0)
            self.precedence.decides()


def test_a_training_waits_until_the_bot_is_through_with_its_pairs() -> None:
    time = Time()
    time.precedence.wait()
    assert time.now == 100.0, "nobody decides"
    time.precedence.decides()
    time.decisions = [100.2, 100.4, 100.6]
    time.precedence.wait()
    assert 100.6 + QUIET_SECONDS <= time.now < 100.6 + 2 * QUIET_SECONDS
    assert time.decisions == []


def test_a_training_does_not_wait_for_ever() -> None:
    time = Time()
    time.precedence.decides()
    time.decisions = [100 + 0.1 * step for step in range(10_000)]
    time.precedence.wait()
    assert time.now == pytest.approx(100 + MOST_SECONDS, abs=QUIET_SECONDS)
