"""Features on disk: the same numbers, computed once, never those of something else."""

import shutil
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from freqai_signals.dataset.features import cache, feature_files
from freqai_signals.dataset.features.cache import FeatureCache
from freqai_signals.dataset.features.mapped import rest
from freqai_signals.settings import SignalSettings

Candles = Callable[..., pd.DataFrame]
SETTINGS = SignalSettings()
PAIR = "A/USDT"


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Rows of each computation."""
    calls: list[int] = []

    def counted(make: Callable[..., Any]) -> Callable[..., Any]:
        def made(candles: pd.DataFrame, *arguments: Any) -> Any:
            calls.append(len(candles))
            return make(candles, *arguments)

        return made

    monkeypatch.setattr(cache, "build_features", counted(cache.build_features))
    monkeypatch.setattr(cache, "feature_columns", counted(cache.feature_columns))
    return calls


def features_of(
    folder: Path | None, candles: pd.DataFrame, settings: SignalSettings = SETTINGS
) -> pd.DataFrame:
    """As a new process gets them."""
    return FeatureCache(settings, (PAIR,), folder).features(PAIR, candles, lambda *_: candles)


def test_another_process_maps_what_was_computed(
    candles: Candles, tmp_path: Path, computed: list[int]
) -> None:
    frame = candles(rows=2500)
    plain = features_of(None, frame)
    first, again = features_of(tmp_path, frame), features_of(tmp_path, frame)
    assert computed == [2500, 2500]  # in memory, and the first time on disk
    for mapped in (first, again):
        pd.testing.assert_frame_equal(mapped, plain, check_exact=True)
    (path,) = tmp_path.iterdir()
    # As NumPy would write it.
    buffer = BytesIO()
    np.save(buffer, np.asfortranarray(plain.to_numpy()))
    assert path.read_bytes() == buffer.getvalue()
    # Within the mapping of the file, of which the process has no copy.
    assert str(path) in Path("/proc/self/maps").read_text()
    # Pairs that are put together, and columns that are taken out, are no copies.
    joined = pd.concat([frame, again], axis=1)[list(again.columns)]
    assert np.shares_memory(joined.to_numpy(), again.to_numpy())


def test_another_last_candle_or_setting_is_computed(
    candles: Candles, tmp_path: Path, computed: list[int]
) -> None:
    frame = candles(rows=2500)
    features_of(tmp_path, frame)
    later = frame.copy()
    later.loc[2499, "close"] *= 1.001
    changed = features_of(tmp_path, later)
    pd.testing.assert_frame_equal(changed, features_of(None, later), check_exact=True)
    other = SETTINGS.model_copy(update={"indicator_periods_candles": (6, 12, 36)})
    features_of(tmp_path, frame, other)
    assert computed == [2500] * 4


def test_features_survive_a_rest_and_the_end_of_their_file(
    candles: Candles, tmp_path: Path
) -> None:
    frame = candles(rows=2500)
    kept = FeatureCache(SETTINGS, (PAIR,), tmp_path)
    mapped = kept.features(PAIR, frame, lambda *_: frame)
    before = mapped.to_numpy().copy()
    rest()
    shutil.rmtree(tmp_path)
    np.testing.assert_array_equal(mapped.to_numpy(), before)


@pytest.mark.parametrize("damage", [lambda data: data[:-100], lambda data: b"not an array"])
def test_a_damaged_file_is_computed_again(
    candles: Candles,
    tmp_path: Path,
    computed: list[int],
    caplog: pytest.LogCaptureFixture,
    damage: Callable[[bytes], bytes],
) -> None:
    frame = candles(rows=2500)
    plain = features_of(None, frame)
    features_of(tmp_path, frame)
    (path,) = tmp_path.iterdir()
    path.write_bytes(damage(path.read_bytes()))
    pd.testing.assert_frame_equal(features_of(tmp_path, frame), plain, check_exact=True)
    assert computed == [2500] * 3
    assert "its features are computed again" in caplog.text


def test_a_full_or_unwritable_disk_leaves_features_in_memory(
    candles: Candles,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    frame = candles(rows=2500)
    plain = features_of(None, frame)
    (tmp_path / "file").write_text("in the way")
    pd.testing.assert_frame_equal(features_of(tmp_path / "file", frame), plain)
    monkeypatch.setattr(
        feature_files.shutil, "disk_usage", lambda path: SimpleNamespace(free=2**20)
    )
    pd.testing.assert_frame_equal(features_of(tmp_path / "new", frame), plain)
    assert "only 1 MB of the disk are free" in caplog.text
    assert list((tmp_path / "new").iterdir()) == []


def test_what_fails_while_features_are_made_leaves_no_file(
    candles: Candles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = candles(rows=2500)
    columns = cache.feature_columns

    def fails(*arguments: Any) -> Iterator[Any]:
        yield from list(columns(*arguments))[:3]
        raise MemoryError

    def others(*arguments: Any) -> Iterator[Any]:
        yield from reversed(list(columns(*arguments)))

    for made, error in ((fails, MemoryError), (others, ValueError)):
        monkeypatch.setattr(cache, "feature_columns", made)
        with pytest.raises(error):
            features_of(tmp_path, frame)
    assert list(tmp_path.iterdir()) == []


def test_the_least_recently_used_files_go(
    candles: Candles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    features_of(tmp_path, candles(rows=2500))
    (first,) = tmp_path.iterdir()
    monkeypatch.setattr(feature_files, "MOST_BYTES", int(1.5 * first.stat().st_size))
    features_of(tmp_path, candles(rows=2500, seed=1))
    assert first not in list(tmp_path.iterdir())
    assert len(list(tmp_path.iterdir())) == 1
