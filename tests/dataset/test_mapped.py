"""Arrays in files without a name."""

import errno
import mmap
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from freqai_signals.dataset.features import mapped
from freqai_signals.dataset.features.mapped import in_file, rest, zeros


def test_numbers_in_a_file_survive_a_rest_and_leave_nothing_behind(tmp_path: Path) -> None:
    values = np.random.default_rng(0).random((3, 100_000))
    found = in_file(values, tmp_path / "new")
    rest()
    np.testing.assert_array_equal(found, values)
    assert not np.shares_memory(found, values)
    assert not found.flags.writeable
    assert list((tmp_path / "new").iterdir()) == []
    assert f"{tmp_path / 'new'}/" in Path("/proc/self/maps").read_text()
    assert in_file(np.empty((3, 0)), tmp_path).shape == (3, 0)


def test_zeros_that_a_row_begins_with_take_no_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = []
    monkeypatch.setattr(mapped, "reserve", lambda file, size, start: taken.append((start, size)))
    values = np.zeros((3, 1000))
    values[0, 900:], values[1, 10] = 2.0, -0.0
    np.testing.assert_array_equal(in_file(values, tmp_path), values)
    assert taken == [(7200, 800), (8080, 7920), (24_000, 0)]
    assert np.signbit(in_file(values, tmp_path)[1, 10])


def test_a_full_disk_leaves_numbers_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    values = np.ones((2, 3))
    assert in_file(values, tmp_path) is values
    assert "No space left" in caplog.text


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="a mapping keeps no file open there")
def test_mapped_files_leave_half_of_those_that_may_be_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(mapped, "_MAPPINGS", [])
    monkeypatch.setattr(mapped.resource, "getrlimit", lambda kind: (6, 6))
    values = np.ones((2, 3))
    kept = [in_file(values, tmp_path) for _ in range(5)]
    assert [array is values for array in kept] == [False] * 3 + [True] * 2
    assert caplog.text.count("3 mapped files take half of those that may be open") == 1
    del kept
    assert in_file(values, tmp_path) is not values


def test_zeros_are_zeros_that_can_be_written() -> None:
    values = zeros((2, 3))
    assert values.tolist() == [[0.0] * 3] * 2
    values[1, 2] = 5.0
    assert values.sum() == 5.0
    assert zeros((0, 4)).shape == (0, 4)


def test_systems_without_these_calls_give_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on macOS and Windows."""
    monkeypatch.delattr(os, "posix_fallocate")
    monkeypatch.delattr(mmap, "MADV_DONTNEED")
    values = np.random.default_rng(0).random((3, 100_000))
    found = in_file(values, tmp_path)
    rest()
    np.testing.assert_array_equal(found, values)
    monkeypatch.delattr(mmap, "MAP_ANONYMOUS")
    assert zeros((2, 3)).tolist() == [[0.0] * 3] * 2

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    assert in_file(values, tmp_path) is values
