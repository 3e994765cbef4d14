import pytest

from app.errors import EvaluationInvalid
from app.evaluation.groups.group_table import GroupColumns, Match, band, read_bands, read_groups
from app.evaluation.values import Photo


def photos(*names):
    return [Photo(name, b"", name) for name in names]


@pytest.fixture
def read(tmp_path):
    def of(text, names, by="sex", match=None, **options):
        (tmp_path / "info.csv").write_text(text)
        columns = GroupColumns(tuple(by.split(",")), read_bands(options.pop("bands", ())), **options)
        return read_groups(tmp_path / "info.csv", photos(*names), columns, match)

    return of


INFO = "id;sex;age\n001;female;24\n002;male;31\n003;NA;\n009;male;50\n"
SESSIONS = ["neutral/001.jpg", "neutral/002.jpg", "neutral/003.jpg", "smiling/001.jpg", "smiling/004.jpg"]


def test_a_row_for_each_person_and_a_folder_for_each_session(read):
    grouped = read(INFO, SESSIONS)
    assert grouped.match is Match.NAME
    assert [(photo.name, photo.person) for photo in grouped.photos[2:]] == [
        ("neutral/003.jpg", "003"),
        ("smiling/001.jpg", "001"),
    ]
    assert (grouped.photos_without_row, grouped.rows_without_photo) == (1, 1)
    (sex,) = grouped.groupings
    assert sex.groups == ("female", "male")
    assert sex.of_photo.tolist() == [0, 1, -1, 0]


def test_a_folder_for_each_person(read):
    grouped = read("name,sex\nAda,f\nBob,m\n", ["Ada/1.jpg", "Ada/2.jpg", "Bob/1.jpg"])
    assert grouped.match is Match.FOLDER
    assert [photo.person for photo in grouped.photos] == ["Ada", "Ada", "Bob"]


def test_a_row_for_each_photo(read):
    text = "file,who,sex\na/1.jpg,x,f\nb/1.jpg,x,f\n"
    names = ["a/1.jpg", "b/1.jpg"]
    assert [photo.person for photo in read(text, names).photos] == ["a", "b"]
    assert [photo.person for photo in read(text, names, person="who").photos] == ["x", "x"]
    with pytest.raises(EvaluationInvalid, match="--person"):
        read("file,sex\n1.jpg,f\n", ["1.jpg"])


def test_ids_that_are_folders_and_names_are_ambiguous(read):
    text, names = "id,sex\n1,f\n2,m\n", ["1/1.jpg", "2/1.jpg"]
    with pytest.raises(EvaluationInvalid, match="as folder and as name of photos; name one of them with --match"):
        read(text, names)
    assert [photo.person for photo in read(text, names, match=Match.FOLDER).photos] == ["1", "2"]
    assert [photo.person for photo in read(text, names, match=Match.NAME).photos] == ["1", "1"]


def test_bands_and_a_crossing(read):
    sex, age, both = read(INFO, SESSIONS, by="sex,age,sex+age", bands=["age:25,31,40"]).groupings
    assert age.groups == ("under 25", "31 to 39")
    assert age.of_photo.tolist() == [0, 1, -1, 0]
    assert both.groups == ("female, under 25", "male, 31 to 39")
    assert both.of_photo.tolist() == [0, 1, -1, 0]
    assert sex.name == "sex"
    assert both.name == "sex+age"


def test_bands_ascend_whatever_their_names(read):
    text = "id,sex,age\n" + "".join(f"{number},f,{number}\n" for number in (5, 9, 30, 100))
    (age,) = read(text, ["5.jpg", "9.jpg", "30.jpg", "100.jpg"], by="age", bands=["age:9,10,100"]).groupings
    assert age.groups == ("under 9", "9", "10 to 99", "100 and over")


@pytest.mark.parametrize(
    ("value", "name"), [(24.9, "under 25"), (25, "25 to 34"), (34, "25 to 34"), (35, "35 and over")]
)
def test_an_edge_belongs_to_the_band_above_it(value, name):
    assert band(value, (25, 35)) == name


@pytest.mark.parametrize("option", ["25,35", "age:", "age:a", "age:35,25", "age:25,25", "age:-1"])
def test_bands_that_are_not_valid(option):
    with pytest.raises(EvaluationInvalid):
        read_bands([option])


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("id,age\n001,4\n", {}, "no column sex; its columns are id, age"),
        ("id,sex\n001,f\n001,m\n", {}, "row 3: the id 001 occurs twice"),
        ("id,sex\n001,f,x\n", {}, "row 2"),
        ("id,sex\n", {}, "no rows"),
        ("id,sex\nx1,f\n", {}, "ids are like x1, the photos like neutral/001.jpg"),
        ("id,sex\n001,f\n", {"bands": ["sex:3"]}, "f is not a number"),
        ("id,sex\n001,f\n", {"bands": ["age:3"]}, "no column age"),
        ("id,sex\n001,f\n", {"person": "who"}, "no column who"),
    ],
)
def test_tables_that_are_not_valid(read, text, options, message):
    with pytest.raises(EvaluationInvalid, match=message):
        read(text, SESSIONS, **options)


def test_many_numbers_need_bands(read):
    text = "id,sex\n" + "".join(f"{number},{number}\n" for number in range(20))
    with pytest.raises(EvaluationInvalid, match="sex has 20 numbers: divide them with --bands"):
        read(text, [f"{number}.jpg" for number in range(20)])
    text = "id,sex\n" + "".join(f"{number},g{number}\n" for number in range(60))
    with pytest.raises(EvaluationInvalid, match="60 groups"):
        read(text, [f"{number}.jpg" for number in range(60)])
