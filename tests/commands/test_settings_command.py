"""The subcommand that lists every settings key."""

import pytest

from freqai_signals.commands.cli import main
from freqai_signals.settings import SignalSettings


def test_every_key_of_every_section_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["settings"]) == 0
    printed = capsys.readouterr().out
    for section in SignalSettings().__dict__.values():
        for key in getattr(type(section), "model_fields", ()):
            assert key in printed


def test_one_section_can_be_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["settings", "labels"]) == 0
    printed = capsys.readouterr().out
    assert "freqai.signals.labels" in printed
    assert "minimum_confidence" not in printed


def test_an_unknown_section_names_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["settings", "lables"]) == 2
    assert "labels" in capsys.readouterr().err
