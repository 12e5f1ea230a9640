"""Quality of a rehearsal's predictions, pair by pair."""

from types import SimpleNamespace

import pytest

from freqai_signals.rehearsal.summary import _quality
from tests.report.run_rows import rows_of


def test_only_trusted_rows_with_an_outcome_are_measured() -> None:
    frames = {"A": rows_of("BBBB", "B?BB", do_predict=[1, 1, 0, 0]), "B": rows_of("B", "?")}
    first, second = _quality(SimpleNamespace(frames=frames))  # type: ignore[arg-type]
    assert (first["pair"], first["predicted"], first["scored"]) == ("A", "2", "1")
    assert float(first["brier"]) == pytest.approx(0.26)
    assert (second["predicted"], second["scored"], second["skill"]) == ("1", "0", "-")
    assert list(first) == list(second)
