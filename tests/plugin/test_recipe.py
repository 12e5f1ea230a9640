"""What a live model's inputs are known by covers the adapters that choose windows and labels."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from freqai_signals.plugin import live_training
from freqai_signals.plugin.freqai import backtest_windows, data_drawer, data_kitchen
from freqai_signals.plugin.live_training import LiveTraining
from freqai_signals.settings import SignalSettings


class _Model:
    signal_settings = SignalSettings()
    config: dict[str, object] = {}  # noqa: RUF012
    strategy = SimpleNamespace(round_trip_cost=lambda pair: 0.002)


def test_windows_and_labels_are_part_of_the_recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_training, "pool_pairs", lambda settings, config: ("B/USDT",))
    recipe = LiveTraining._recipe(_Model(), "A/USDT")  # type: ignore[arg-type]
    assert recipe.pool == ("A/USDT", "B/USDT")
    needed = {Path(module.__file__) for module in (backtest_windows, data_drawer, data_kitchen)}
    assert needed <= set(recipe.adapter_files)
