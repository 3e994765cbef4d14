import pytest

from app.transfer.sorting.people_folder import PeopleFolder, Placing, photos_of_groups
from app.transfer.sorting.photo_tree import photos_below
from app.transfer.sorting.sorting_state import SortingState


@pytest.fixture(params=list(Placing))
def placing(request):
    return request.param


@pytest.fixture
def place(sorting, tmp_path, placing):
    state = SortingState("net")

    def place(root):
        results = sorting.sort(photos_below(root), state)
        PeopleFolder(tmp_path / "out", placing).place(results)
        return results

    return place


def content(folder):
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()}
    return {each for each in found if not each.endswith(".arcid-group")}


def test_photos_come_into_folders_of_people(place, placing, tree, tmp_path):
    root = tree({"1.jpg": "ada", "2.jpg": "bob ada", "3.jpg": "bob#", "4.jpg": "cy", "5.jpg": "", "6.jpg": "broken"})
    results = place(root)
    people = {"person-0001/1.jpg", "person-0001/2.jpg", "person-0002/2.jpg", "person-0002/3.jpg"}
    assert content(tmp_path / "out") == people | {"unsure/4.jpg", "no-face/5.jpg"}
    assert (tmp_path / "out/person-0002/2.jpg").is_symlink() == (placing is Placing.LINK)
    assert (tmp_path / "out/person-0002/2.jpg").read_text() == "bob ada"
    assert photos_of_groups(results) == [(1, 2), (2, 2)]
    assert len(content(root)) == 6


def test_a_later_run_adds_photos_also_to_a_renamed_folder(place, tree, tmp_path):
    root = tree({"1.jpg": "ada", "2.jpg": "ada#2", "4.jpg": "cy"})
    place(root)
    (tmp_path / "out/person-0001").rename(tmp_path / "out/Ada")
    (tmp_path / "out/unsure/mine.jpg").write_text("of the user")
    tree({"3.jpg": "ada#3", "5.jpg": "cy#5"})
    place(root)
    ada = {"Ada/1.jpg", "Ada/2.jpg", "Ada/3.jpg"}
    assert content(tmp_path / "out") == ada | {"person-0002/4.jpg", "person-0002/5.jpg", "unsure/mine.jpg"}


def test_files_of_one_name_are_all_placed_and_none_is_overwritten(place, tree, tmp_path):
    root = tree({"a/1.jpg": "ada", "b/1.jpg": "ada#2"})
    place(root)
    place(root)
    assert content(tmp_path / "out") == {"person-0001/1.jpg", "person-0001/b-1.jpg"}
    assert (tmp_path / "out/person-0001/b-1.jpg").read_text() == "ada#2"
