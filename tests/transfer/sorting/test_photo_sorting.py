import pytest

from app.transfer.sorting.photo_sorting import Place
from app.transfer.sorting.photo_tree import photos_below
from app.transfer.sorting.sorting_state import SortingState


def groups(results):
    return {each.photo.label: each.groups for each in results}


def test_photos_are_sorted_and_a_photo_of_two_people_is_with_both(sorting, tree):
    root = tree({"1.jpg": "ada", "2.jpg": "bob ada", "3.jpg": "bob#", "4.jpg": "cy", "5.jpg": "", "6.jpg": "broken"})
    results = sorting.sort(photos_below(root), SortingState("net"))
    assert groups(results) == {"1.jpg": [1], "2.jpg": [2, 1], "3.jpg": [2], "4.jpg": [], "5.jpg": [], "6.jpg": []}
    assert [each.is_unsure for each in results] == [False, False, False, True, False, False]
    assert results[5].error.code == "not_an_image"
    assert sorting.place(results[3].faces[0]) is Place.ALONE


def test_two_faces_of_one_photo_are_two_people(sorting, tree):
    results = sorting.sort(photos_below(tree({"1.jpg": "ada ada"})), SortingState("net"))
    assert results[0].is_unsure


def test_identical_files_are_one_photo(sorting, tree):
    results = sorting.sort(photos_below(tree({"1.jpg": "ada", "2.jpg": "ada"})), SortingState("net"))
    assert all(each.is_unsure for each in results)


def test_a_low_quality_face_has_its_reason(sorting, tree):
    results = sorting.sort(photos_below(tree({"1.jpg": "ada?"})), SortingState("net"))
    assert sorting.place(results[0].faces[0]) is Place.LOW_QUALITY


def test_a_later_run_analyses_new_photos_only_and_keeps_groups(sorting, finder, tree):
    state = SortingState("net")
    root = tree({"1.jpg": "bob", "2.jpg": "bob#2"})
    assert groups(sorting.sort(photos_below(root), state)) == {"1.jpg": [1], "2.jpg": [1]}
    (root / "2.jpg").rename(root / "moved.jpg")
    tree({"0.jpg": "ada", "00.jpg": "ada#2", "3.jpg": "bob#3"})
    (root / "1.jpg").unlink()
    again = sorting.sort(photos_below(root), state)
    assert groups(again) == {"0.jpg": [2], "00.jpg": [2], "3.jpg": [1], "moved.jpg": [1]}
    assert len(finder.photos) == 5
    assert len(state.faces) == 4


def test_an_interrupted_run_keeps_what_it_analysed(sorting, tree):
    state = SortingState("net")

    def interrupt(_count):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sorting.sort(photos_below(tree({"1.jpg": "ada", "2.jpg": "bob"})), state, interrupt)
    assert len(state.faces) == 1
