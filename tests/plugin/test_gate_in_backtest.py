"""freqtrade's own backtest with ``gate.where`` always: who speaks when a window is poisoned."""

from pathlib import Path

import pandas as pd
import pytest

from freqai_signals.model.signal_model import SignalModel
from freqai_signals.schema import TRUST_COLUMN
from freqai_signals.training import model_store
from freqai_signals.training.fit import Boosters, Request, train
from tests.plugin.conftest import PAIRS, Bench, Run, small_config
from tests.registry.gate_rows import shuffled

ALWAYS = {"where": "always", "prior_significance": 0.3}
"""A hold-out of three days proves little, and the level asked of it here is little too."""


@pytest.fixture
def poison(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Ends of training windows whose labels are shuffled before training."""
    ends: list[int] = []
    whole = train

    def trained(request: Request, key: str, boosters: Boosters) -> SignalModel:
        newest = int(request.rows.start.max())
        if any(abs(newest - end) < 96 for end in ends):
            request = Request(shuffled(request.rows, 0), request.settings, request.previous)
        return whole(request, key, boosters)

    monkeypatch.setattr(model_store, "train", trained)
    return ends


def models(run: Run, pair: str = PAIRS[0]) -> list[int]:
    """Number of the model behind each of the two windows, 0 where none speaks."""
    rows = run.predictions(pair)
    found = []
    for half in (rows.iloc[: len(rows) // 2], rows.iloc[len(rows) // 2 :]):
        (number,) = set(half["model_id"])
        assert (half[TRUST_COLUMN] == 1).any() == (number > 0)
        found.append(int(number))
    return found


def test_a_poisoned_window_is_refused_and_the_champion_goes_on(
    bench: Bench, tmp_path: Path, poison: list[int]
) -> None:
    poison.append(_candle("2024-01-31"))
    asked = bench.backtest(tmp_path / "asked", small_config(freqai__signals__gate=ALWAYS))
    first, later = models(asked)
    assert first == later > 0
    assert asked.said("refuse_worse_than_")
    unasked = bench.backtest(tmp_path / "unasked", small_config())
    first, later = models(unasked)
    assert first != later, "without the gate the poisoned model speaks"


def test_a_poisoned_first_window_abstains_and_the_next_model_is_the_first_to_speak(
    bench: Bench, tmp_path: Path, poison: list[int]
) -> None:
    poison.append(_candle("2024-01-29"))
    run = bench.backtest(tmp_path / "user", small_config(freqai__signals__gate=ALWAYS))
    first, later = models(run)
    assert first == 0 < later
    assert run.said("refuse_worse_than_prior")


def _candle(day: str) -> int:
    return int(pd.Timestamp(day, tz="UTC").timestamp()) // 900
