from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from freqai_signals.model.signal_model import SignalModel
from freqai_signals.plugin.freqai.backtest_windows import WindowModels
from freqai_signals.training.fit import Request
from freqai_signals.training.model_store import ModelStore
from tests.model_rows import make_rows, small

FIRST, SECOND = SimpleNamespace(stopts=1000), SimpleNamespace(stopts=2000)
ROWS = {1000: make_rows(seed=0), 2000: make_rows(seed=1)}


class Asked:
    """Gives what a window is trained from, and remembers which were asked for."""

    def __init__(self) -> None:
        self.stops: list[int] = []

    def __call__(self, window: Any, previous: SignalModel | None) -> Request:
        self.stops.append(window.stopts)
        return Request(ROWS[window.stopts], small(), previous)


def test_each_window_is_trained_once_and_the_last_one_serves(tmp_path: Path) -> None:
    models, rows = WindowModels(ModelStore(tmp_path), small()), Asked()
    first = models.serving("run", [FIRST], rows)
    second = models.serving("run", [FIRST, SECOND], rows)
    assert rows.stops == [1000, 2000]
    assert models.serving("run", [FIRST, SECOND], rows) is second
    assert models.serving("run", [FIRST], rows) is first
    assert rows.stops == [1000, 2000]


def test_a_windows_model_does_not_depend_on_whether_earlier_ones_were_at_hand(
    tmp_path: Path,
) -> None:
    step_by_step, at_once = (
        WindowModels(ModelStore(tmp_path / name), small()) for name in ("step", "once")
    )
    step_by_step.serving("run", [FIRST], Asked())
    model = step_by_step.serving("run", [FIRST, SECOND], Asked())
    assert at_once.serving("run", [FIRST, SECOND], Asked()).card.key == model.card.key
    # It carries on the model before: alone, the same rows give another model.
    alone = WindowModels(ModelStore(tmp_path / "alone"), small()).serving("run", [SECOND], Asked())
    assert alone.card.key != model.card.key


def test_models_that_were_let_go_are_found_in_the_store(tmp_path: Path) -> None:
    models, rows = WindowModels(ModelStore(tmp_path), small()), Asked()
    before = models.serving("run", [FIRST, SECOND], rows)
    models.forget()
    after = models.serving("run", [FIRST, SECOND], rows)
    assert after is not before
    assert after.card == before.card
    assert rows.stops == [1000, 2000, 1000, 2000]


def test_runs_share_no_windows(tmp_path: Path) -> None:
    models, rows = WindowModels(ModelStore(tmp_path), small()), Asked()
    models.serving("one pool", [FIRST], rows)
    models.serving("another", [FIRST], rows)
    assert rows.stops == [1000, 1000]


def test_the_next_window_learns_that_the_gate_refused_the_one_before(tmp_path: Path) -> None:
    """Its members would join the next mixture."""
    asked = small(gate={"where": "always", "minimum_skill": 0.99})
    given: list[SignalModel | None] = []

    def request(window: Any, previous: SignalModel | None) -> Request:
        given.append(previous)
        return Request(ROWS[window.stopts], asked, previous)

    models = WindowModels(ModelStore(tmp_path), asked)
    assert models.serving("run", [FIRST, SECOND], request).fit is None
    first, second = given
    assert first is None
    assert second is not None
    assert second.card.refused
    assert second.fit is not None, "it is carried on from"


def test_no_window_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no training window"):
        WindowModels(ModelStore(tmp_path), small()).serving("run", [], Asked())
