"""One implementation: what doctor calls an error is what start-up refuses."""

import inspect
import logging
from collections.abc import Iterator

import pytest

from freqai_signals.config import SettingsError
from freqai_signals.preflight import bot_checks, candle_checks, installation_checks, settings_checks
from freqai_signals.preflight.check_lists import (
    DOCTOR_CHECKS,
    START_CHECKS,
    guarded,
    refuse_or_warn,
)
from freqai_signals.preflight.findings import Finding, error, exit_status, ok, warning
from freqai_signals.preflight.situation import Situation
from tests.preflight.situations import config_of, situation


def test_only_checks_of_the_start_give_errors() -> None:
    others = set(DOCTOR_CHECKS) - set(START_CHECKS)
    assert others
    assert set(START_CHECKS) < set(DOCTOR_CHECKS)
    for check in others:
        assert "error(" not in inspect.getsource(check), check.__name__
    for check in (candle_checks._one_pair, candle_checks._balance, bot_checks._mode):
        assert "error(" not in inspect.getsource(check)


def test_every_check_is_run_by_doctor() -> None:
    modules = (bot_checks, candle_checks, installation_checks, settings_checks)
    made = {
        function
        for module in modules
        for name, function in vars(module).items()
        if inspect.isfunction(function)
        and function.__module__ == module.__name__
        and not name.startswith("_")
        and list(inspect.signature(function).parameters) == ["situation"]
    }
    assert made == set(DOCTOR_CHECKS)


def test_all_errors_come_in_one_message() -> None:
    config = config_of("A/USDT", use_exit_signal=False, freqai__identifier="a/b")
    config["freqai"]["signals"] = {"labels": {"k": -1}}
    with pytest.raises(SettingsError) as caught:
        refuse_or_warn(situation(config))
    assert [line.split(":")[0] for line in caught.value.problems] == [
        "freqai.signals.labels.k", "freqai.identifier", "use_exit_signal",
    ]  # fmt: skip


def test_what_is_ignored_comes_in_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    switches = {"DI_threshold": 0.9, "weight_factor": 0.5, "include_timeframes": ["5m", "1w"]}
    config = config_of("BTC/USDT", freqai__feature_parameters=switches)
    with caplog.at_level(logging.WARNING):
        refuse_or_warn(situation(config))
    (record,) = caplog.records
    assert record.message.count("\n- ") == 3
    assert "DI_threshold = 0.9: " in record.message


def test_a_check_that_fails_itself_ends_no_other() -> None:
    def breaks(situation: Situation) -> Iterator[Finding]:
        raise RuntimeError("odd")
        yield

    def works(situation: Situation) -> Iterator[Finding]:
        yield ok("fine")

    told = list(guarded(situation(config_of("A/USDT")), (breaks, works)))
    assert [name for name, _ in told] == ["breaks", "works"]
    assert "could not be looked at" in told[0][1].what


@pytest.mark.parametrize(
    ("findings", "status"),
    [([], 0), ([ok("a")], 0), ([ok("a"), warning("b")], 1), ([error("a"), warning("b")], 2)],
)
def test_exit_status(findings: list[Finding], status: int) -> None:
    assert exit_status(findings) == status
