"""The subcommand that explains every settings key."""

from pathlib import Path

import pytest

from freqai_signals.commands.cli import main
from freqai_signals.settings import SignalSettings
from freqai_signals.settings.key_reference import all_keys
from tests.conftest import REPO


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


@pytest.mark.parametrize(
    ("asked", "meant"),
    [("lables", "labels"), ("decision.weka", "decision.weak"), ("embargo", "embargo_candles")],
)
def test_an_unknown_key_names_the_nearest(
    asked: str, meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["settings", asked]) == 2
    assert meant in capsys.readouterr().err


@pytest.mark.parametrize("asked", ["sizing.leverage", "freqai.signals.labels.k", "fee"])
def test_a_key_is_explained(asked: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["settings", asked]) == 0
    printed = capsys.readouterr().out
    (key,) = [key for key in all_keys() if key.path.endswith(f".{asked}") or key.path == asked]
    for fact in (key.path, key.description, key.unit, key.default, key.allowed, key.affects):
        assert fact in printed


def test_a_name_in_several_sections_shows_each(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["settings", "learning_rate"]) == 0
    printed = capsys.readouterr().out
    assert "model_training_parameters.learning_rate" in printed
    assert "freqai.signals.direction.learning_rate" in printed


def test_what_a_config_says_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "config.json"
    config.write_text('{"freqai": {"signals": {"labels": {"k": 2.5}}}}')
    assert main(["settings", "labels.k", "--config", str(config)]) == 0
    assert "config   2.5" in capsys.readouterr().out


def test_every_key_says_what_it_does() -> None:
    """A key's text stands below it in its class, with its unit in brackets at the end."""
    assert [key.path for key in all_keys() if not key.description.endswith(".")] == []
    timed = [key for key in all_keys() if key.name.rpartition("_")[2] in {"candles", "days"}]
    assert [key.path for key in timed if key.unit not in {"candles", "days"}] == []


def test_the_reference_is_current(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["settings", "--markdown"]) == 0
    written = (REPO / "docs" / "settings.md").read_text()
    assert capsys.readouterr().out == written, (
        "freqai-signals settings --markdown > docs/settings.md"
    )
