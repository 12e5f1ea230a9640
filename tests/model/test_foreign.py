"""Model files from elsewhere cannot hang or end the process that looks at them."""

import re
import time

import numpy as np
import pytest

from freqai_signals.model import archive, artefact, foreign
from freqai_signals.model.artefact import ArtefactError, to_bytes
from tests.model.test_artefact import SMALL_FILE, crafted, members_of

BOOSTER = "booster_0_0.txt"


def test_a_whole_file_from_elsewhere_is_loaded() -> None:
    assert to_bytes(foreign.checked(SMALL_FILE, "other.model")) == SMALL_FILE


def test_a_tree_that_leads_back_to_its_root_is_given_up_after_the_time_limit() -> None:
    text = members_of(SMALL_FILE)[BOOSTER].decode()
    looped = re.sub(r"(left_child|right_child)=(\S+)", r"\1=0", text)
    looped = re.sub(r"(left_child|right_child)=.*", lambda m: f"{m[1]}=0 0", looped)
    assert looped != text
    began = time.monotonic()
    with pytest.raises(ArtefactError, match=r"other\.model: .*(took more than|ended with)"):
        foreign.checked(crafted({BOOSTER: looped.encode()}), "other.model", seconds=15)
    assert time.monotonic() - began < 40


def test_a_tree_that_ends_the_process_ends_another_one() -> None:
    text = members_of(SMALL_FILE)[BOOSTER].decode()
    wild = re.sub(r"left_child=.*", "left_child=2000000000 2000000000", text)
    with pytest.raises(ArtefactError, match=r"other\.model"):
        foreign.checked(crafted({BOOSTER: wild.encode()}), "other.model", seconds=15)


def test_a_loop_that_no_prediction_meets_is_found_too() -> None:
    """Zeros go left below a threshold of 1,000; only contributions visit the right side."""
    text = members_of(SMALL_FILE)[BOOSTER].decode()
    looped = re.sub(r"right_child=.*", lambda m: re.sub(r"-?\d+", "0", m[0]), text)
    looped = re.sub(r"threshold=.*", lambda m: re.sub(r"[^ =]+(?= |$)", "1000", m[0]), looped)
    assert "left_child=0 0" not in looped
    with pytest.raises(ArtefactError, match=r"other\.model: .*(took more than|ended with)"):
        foreign.checked(crafted({BOOSTER: looped.encode()}), "other.model", seconds=15)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("prior", np.zeros(2), "references of another shape"),
        ("prior", np.array([0.0, np.nan, 0.0]), "not finite"),
        ("margins", np.array(["a", "b"]), "margins"),
        ("margins", np.zeros((2, 2)), "margins"),
    ],
)
def test_references_of_another_shape_or_kind_are_refused(
    name: str, value: np.ndarray, message: str
) -> None:
    arrays = archive.unpack_arrays(members_of(SMALL_FILE)[archive.ARRAYS])
    data = crafted({archive.ARRAYS: archive.pack_arrays(arrays | {name: value})})
    with pytest.raises(ArtefactError, match=rf"other\.model: .*{message}"):
        foreign.checked(data, "other.model")


def test_parts_that_do_not_fit_each_other_are_refused() -> None:
    members = members_of(SMALL_FILE)
    members.pop("manifest.json")
    names = members["model.json"].replace(b'"names": ["%-', b'"names": ["%-more", "%-')
    assert names != members["model.json"]
    data = archive.pack(members | {"model.json": names}, artefact.FORMAT)
    with pytest.raises(ArtefactError, match=r"other\.model"):
        foreign.checked(data, "other.model")
