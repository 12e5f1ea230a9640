"""Model files from elsewhere cannot hang or end the process that looks at them."""

import re
import time

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


def test_parts_that_do_not_fit_each_other_are_refused() -> None:
    members = members_of(SMALL_FILE)
    members.pop("manifest.json")
    names = members["model.json"].replace(b'"names": ["%-', b'"names": ["%-more", "%-')
    assert names != members["model.json"]
    data = archive.pack(members | {"model.json": names}, artefact.FORMAT)
    with pytest.raises(ArtefactError, match=r"other\.model"):
        foreign.checked(data, "other.model")
