import pytest

from app.observability.counted import counted


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (counted(0, "line"), "0 lines"),
        (counted(1, "line"), "1 line"),
        (counted(2_000, "line"), "2,000 lines"),
        (counted(1, "person", "people"), "1 person"),
        (counted(3, "row is refused", "rows are refused"), "3 rows are refused"),
    ],
)
def test_a_number_comes_with_its_noun(text, expected):
    assert text == expected
