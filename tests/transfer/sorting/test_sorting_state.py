import numpy as np
import pytest

from app.errors import SortingInvalid
from app.transfer.sorting.sorting_state import SortedFace, SortingState, read_state, write_state


def test_a_state_is_read_as_it_was_written(tmp_path):
    face = SortedFace((1.0, 2.0, 3.0, 4.0), np.array([0.6, 0.8], np.float32), 12.5, 0.7, 3)
    written = SortingState("net", {"ab": (face, face), "cd": ()}, 5)
    write_state(written, tmp_path / "state")
    read = read_state(tmp_path / "state", "net")
    assert (read.network, read.last_id, list(read.faces)) == ("net", 5, ["ab", "cd"])
    assert read.faces["cd"] == ()
    assert [(each.box, each.norm, each.quality, each.group) for each in read.faces["ab"]] == [
        (face.box, 12.5, 0.7, 3)
    ] * 2
    assert read.faces["ab"][0].vector.tolist() == face.vector.tolist()


def test_groups_are_merged_if_they_exist():
    one, other, none = (SortedFace((0.0, 0.0, 1.0, 1.0), np.ones(1, np.float32), 1.0, 0.7, each) for each in (1, 2, 0))
    state = SortingState("net", {"ab": (one, none), "cd": (other,)}, 2)
    state.merge(2, 1)
    assert {photo: [face.group for face in found] for photo, found in state.faces.items()} == {"ab": [2, 0], "cd": [2]}
    for missing in (0, 1, 3):
        with pytest.raises(SortingInvalid, match="no person"):
            state.merge(2, missing)


def test_an_empty_state_is_read(tmp_path):
    write_state(SortingState("net"), tmp_path / "state")
    assert read_state(tmp_path / "state", "net") == SortingState("net") == read_state(tmp_path / "missing", "net")


@pytest.mark.parametrize("damage", [b"", b"PK\3\4 cut off", b"text"])
def test_a_damaged_state_is_refused(tmp_path, damage):
    (tmp_path / "state").write_bytes(damage)
    with pytest.raises(SortingInvalid, match="damaged"):
        read_state(tmp_path / "state", "net")


def test_the_state_of_another_network_is_refused(tmp_path):
    write_state(SortingState("net"), tmp_path / "state")
    with pytest.raises(SortingInvalid, match="another network"):
        read_state(tmp_path / "state", "other")
