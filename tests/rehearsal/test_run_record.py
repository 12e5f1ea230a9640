"""Tests of run_record."""

import json
import shutil
from pathlib import Path

import pytest
from freqtrade.enums import RunMode
from freqtrade.resolvers import StrategyResolver

from freqai_signals.config import settings_from_config
from freqai_signals.rehearsal.run_record import keep_parameters, tuned_settings
from tests.rehearsal.conftest import CODE, small_config

ALL = {
    "buy": {"minimum_confidence": 0.812, "medium_step": 0.25, "repeat_window_candles": 9},
    "sell": {"opposite_confidence": 0.91, "stop_multiple": 6.0},
}


@pytest.mark.parametrize("spaces", [ALL, {"sell": ALL["sell"]}, {"buy": {"strong_step": 0.9}}, {}])
def test_the_judge_reads_what_freqtrade_reads(spaces: dict[str, object], tmp_path: Path) -> None:
    strategies, kept = tmp_path / "strategies", tmp_path / "rehearsal"
    shutil.copytree(CODE[0], strategies, ignore=shutil.ignore_patterns("*.json"))
    content = {"strategy_name": "LightGBMSignalStrategy", "params": spaces}
    (strategies / "LightGBMSignalStrategy.json").write_text(json.dumps(content))
    kept.mkdir()
    keep_parameters(strategies, kept)
    config = small_config() | {"strategy": "LightGBMSignalStrategy", "runmode": RunMode.DRY_RUN}
    config |= {"strategy_path": strategies, "user_data_dir": tmp_path}
    given = settings_from_config(config)
    strategy = StrategyResolver.load_strategy(config)
    strategy.ft_load_hyper_params()
    used = tuned_settings(given, kept)
    assert used == strategy._settings_now()
    assert (used == given) is (not spaces)


def test_without_a_parameter_file_the_config_counts(tmp_path: Path) -> None:
    given = settings_from_config(small_config())
    (tmp_path / "parameters.json").write_text("an older rehearsal's")
    assert tuned_settings(given, tmp_path) == given
    keep_parameters(tmp_path / "nowhere", tmp_path)
    assert not (tmp_path / "parameters.json").exists()
    assert tuned_settings(given, tmp_path) == given
