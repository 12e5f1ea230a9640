import sys
import threading

import pytest

from freqai_signals.models.courtesy import SWITCH_SECONDS, courteous


def test_the_interval_is_short_inside_and_what_it_was_outside() -> None:
    before = sys.getswitchinterval()
    with courteous():
        assert sys.getswitchinterval() == pytest.approx(SWITCH_SECONDS, abs=1e-5)
        with courteous(1.0):
            assert sys.getswitchinterval() == pytest.approx(SWITCH_SECONDS, abs=1e-5), (
                "never longer"
            )
    assert sys.getswitchinterval() == before


def test_the_interval_is_put_back_after_an_error() -> None:
    before = sys.getswitchinterval()
    with pytest.raises(ValueError, match="no rows"), courteous():
        raise ValueError("no rows")
    assert sys.getswitchinterval() == before


def test_a_training_runs_courteously() -> None:
    seen: list[float] = []

    @courteous()
    def train() -> None:
        seen.append(sys.getswitchinterval())

    thread = threading.Thread(target=train)
    thread.start()
    thread.join()
    assert seen == [pytest.approx(SWITCH_SECONDS, abs=1e-5)]
