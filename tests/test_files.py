from pathlib import Path

import pytest
from freqtrade.configuration.load_config import load_from_files

from freqai_signals.files import merged_config


def write(folder: Path, **texts: str) -> list[Path]:
    paths = [folder / f"{name}.json" for name in texts]
    for path, text in zip(paths, texts.values(), strict=True):
        path.write_text(text)
    return paths


def test_files_are_merged_as_freqtrade_merges_them(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    write(tmp_path / "below", deep='{"a": {"x": 1, "z": 9}, "b": 1, "only": true}')
    files = write(
        tmp_path,
        first='{"add_config_files": ["below/deep.json"], "a": {"x": 2, "y": [1, 2]}, // no\n}',
        second='{"a": {"y": [3],}, /* later */ "b": null}',
    )
    expected = load_from_files([str(path) for path in files])
    expected.pop("config_files")
    assert merged_config(files) == expected
    assert expected["a"] == {"x": 2, "y": [3], "z": 9}


def test_no_file_is_an_empty_config() -> None:
    assert merged_config([]) == {}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "is not JSON"),
        ("[]", "must hold a JSON object"),
        ('{"add_config_files": ["bad.json"]}', "nested more than 5 deep"),
        ('{"add_config_files": ["absent.json"]}', "absent.json: there is no such"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, text: str, words: str) -> None:
    (path,) = write(tmp_path, bad=text)
    with pytest.raises(ValueError, match=words):
        merged_config([path])
