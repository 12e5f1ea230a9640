"""Digests: stable for the same, different for anything else."""

import functools
from pathlib import Path

from freqai_signals.provenance import (
    code_digest,
    digest,
    file_digest,
    hook_files,
    library_versions,
)


def test_a_digest_ignores_key_order_and_nothing_else() -> None:
    assert digest({"a": 1, "b": [1, 2]}) == digest({"b": [1, 2], "a": 1})
    others = [{"a": 1, "b": [2, 1]}, {"a": 1.5, "b": [1, 2]}, {"a": "1", "b": [1, 2]}, None]
    assert len({digest(value) for value in [{"a": 1, "b": [1, 2]}, *others]}) == 5


def test_a_file_digest_changes_with_content_and_name_but_not_with_the_folder(
    tmp_path: Path,
) -> None:
    def made(folder: str, name: str, text: str) -> str:
        path = tmp_path / folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return file_digest([path])

    base = made("a", "x.py", "1")
    assert made("b", "x.py", "1") == base
    assert made("c", "x.py", "2") != base
    assert made("d", "y.py", "1") != base


def test_the_order_of_files_does_not_matter(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("a.py", "b.py")]
    for file in files:
        file.write_text(file.name)
    assert file_digest(files) == file_digest(reversed(files))


def test_code_and_libraries_are_named() -> None:
    assert len(code_digest()) == 64
    assert {"lightgbm", "pandas", "numpy", "freqtrade"} <= library_versions().keys()


def test_files_of_hooks_are_found_through_wrappers_and_bases_and_no_others(tmp_path: Path) -> None:
    def loaded(name: str, text: str, **known: object) -> type:
        file = tmp_path / f"{name}.py"
        file.write_text(text)
        names = {"wraps": functools.wraps, **known}
        exec(compile(text, str(file), "exec"), names)
        return names[name]  # type: ignore[return-value]

    base = loaded("Base", "class Base:\n    def hook(self): pass\n    def entry(self): pass\n")
    own = loaded("Own", "class Own(Base):\n    def entry(self): pass\n", Base=base)
    assert hook_files(own, ["hook"]) == (tmp_path / "Base.py",)
    text = "class Hooked(Base):\n    def hook(self): pass\n"
    hooked = loaded("Hooked", text, Base=base)
    inner = hooked.hook

    @functools.wraps(inner)
    def outer(self: object) -> None:
        inner(self)

    hooked.hook = outer
    assert hook_files(hooked, ["hook"]) == (tmp_path / "Base.py", tmp_path / "Hooked.py")
