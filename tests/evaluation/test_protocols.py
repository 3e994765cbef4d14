"""Files and folders are read as described in docs/evaluation.md; errors name their location."""

import pickle

import pytest

from app.errors import EvaluationInvalid
from app.evaluation.protocols import (
    consecutive,
    people_of,
    read_bin_set,
    read_csv,
    read_lfw,
    read_people,
    read_photos,
)


@pytest.fixture
def images(tmp_path):
    """Return a folder with three photos of Ada and of Bob and one PNG of Cy."""
    folder = tmp_path / "images"
    names = [f"{person}/{person}_{number:04d}.jpg" for person in ("Ada", "Bob") for number in (1, 2, 3)]
    for name in [*names, "Cy/Cy_0001.png"]:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())
    (folder / "Ada" / "notes.txt").write_text("no photo")
    return folder


@pytest.fixture
def file(tmp_path):
    """Write a file and return its path."""

    def write(text: str):
        path = tmp_path / "pairs"
        path.write_text(text)
        return path

    return write


def rows(pairs):
    names = [each.name for each in pairs.photos]
    return [
        (names[one], names[two], bool(same), int(fold))
        for (one, two), same, fold in zip(pairs.places, pairs.is_same, pairs.folds, strict=True)
    ]


LFW = "2\t1\nAda\t1\t2\nAda\t1\tBob\t3\nBob\t1\t2\nAda\t3\tCy\t1\n"


def test_view_2(images, file):
    pairs = read_lfw(file(LFW), images)
    assert rows(pairs) == [
        ("Ada/Ada_0001.jpg", "Ada/Ada_0002.jpg", True, 0),
        ("Ada/Ada_0001.jpg", "Bob/Bob_0003.jpg", False, 0),
        ("Bob/Bob_0001.jpg", "Bob/Bob_0002.jpg", True, 1),
        ("Ada/Ada_0003.jpg", "Cy/Cy_0001.png", False, 1),
    ]
    assert {each.name: each.person for each in pairs.photos}["Cy/Cy_0001.png"] == "Cy"
    assert pairs.photos[0].read() == b"Ada/Ada_0001.jpg"


def test_view_1_has_no_folds(images, file):
    pairs = read_lfw(file("1\nAda\t1\t2\nAda\t1\tBob\t3\n"), images)
    assert [(same, fold) for *_, same, fold in rows(pairs)] == [(True, 0), (False, 1)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        ("ten\n", "first line"),
        ("0\t0\n", "has 0 pairs"),
        (LFW + "Ada\t1\t3\n", "has 5 pairs"),
        (LFW.replace("Ada\t1\t2", "Ada\t1\tBob\t2"), "line 2: not a matched pair"),
        (LFW.replace("Bob\t1\t2", "Bob\tone\t2"), "line 4: not a matched pair"),
        (LFW.replace("Ada\t1\tBob\t3", "Ada\t1\t3"), "line 3: not a mismatched pair"),
        (LFW.replace("Cy\t1", "Cy\t7"), "lacks 1 photos of the pairs, for example Cy/Cy_0007.jpg"),
    ],
)
def test_a_pairs_file_that_is_wrong(images, file, text, said):
    with pytest.raises(EvaluationInvalid, match=said):
        read_lfw(file(text), images)


A, B, C = "Ada/Ada_0001.jpg", "Ada/Ada_0002.jpg", "Bob/Bob_0001.jpg"


@pytest.mark.parametrize(
    "text",
    [
        f"{A},{B},1\n{A},{C},0\n",
        f"first,second,same\n{A},{B},true\n\n{A},{C},False\n",
        f"\ufeff{A};{B};TRUE\n{A};{C};FALSE\n",
        f"{A}\t{B}\t1\n{A}\t{C}\t-1\n",
        f'"{A}", {B}, yes\n{A}, {C}, no\n',
    ],
)
def test_csv(images, file, text):
    pairs = read_csv(file(text), images)
    assert rows(pairs) == [(A, B, True, 0), (A, C, False, 1)]
    people = [each.person for each in pairs.photos]
    assert people[0] == people[1] != people[2]


def test_folds_and_people_of_a_csv(images, file):
    head, tail = "one,two,label,person1,person2,fold", "x,y,2"
    pairs = read_csv(file(f"{head}\n{A},{B},1,{tail}\n{A},{C},0,x,z,1\n{C},{B},0,z,y,2\n"), images)
    assert pairs.folds.tolist() == [1, 0, 1]
    assert [each.person for each in pairs.photos] == ["x", "y", "z"]


@pytest.mark.parametrize("text", [f"{A},{B}\n", f"{A},{B},1\n{A},{C},maybe\n", "first,second,same\n", "\n", f"{A},x,1"])
def test_a_csv_that_is_wrong(images, file, text):
    with pytest.raises(EvaluationInvalid):
        read_csv(file(text), images)


def test_a_file_that_is_none(images, tmp_path):
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    for path in (tmp_path / "nowhere", tmp_path / "binary", tmp_path):
        with pytest.raises(EvaluationInvalid):
            read_csv(path, images)


def test_bin(tmp_path):
    (tmp_path / "set.bin").write_bytes(pickle.dumps(([b"a", b"b", b"b", b"c", b"d", b"a"], [True, True, False])))
    pairs = read_bin_set(tmp_path / "set.bin")
    assert rows(pairs) == [
        ("#00000", "#00001", True, 0),
        ("#00001", "#00003", True, 1),
        ("#00004", "#00000", False, 2),
    ]
    assert [each.read() for each in pairs.photos] == [b"a", b"b", b"c", b"d"]
    assert [each.person for each in pairs.photos] == ["#00000"] * 3 + ["#00004"]


def test_folders(images):
    people = read_people(images)
    assert [each.person for each in people] == ["Ada"] * 3 + ["Bob"] * 3 + ["Cy"]
    assert len({each.person for each in read_photos(images)}) == 7
    for read in (read_people, read_photos):
        with pytest.raises(EvaluationInvalid):
            read(images.parent / "nowhere")


def test_folds_are_consecutive_and_the_longer_ones_come_first():
    assert consecutive(23).tolist() == sorted([*range(10), *range(10), 0, 1, 2])
    assert consecutive(3).tolist() == [0, 1, 2]


def test_people_are_told_apart_by_matched_pairs():
    result = people_of([("a", "b", True), ("c", "d", True), ("a", "e", False), ("d", "b", True), ("e", "f", False)])
    assert len({result[name] for name in "abcd"}) == 1
    assert len({result[name] for name in "aef"}) == 3
