import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from app.types import Detection
from app.vision.detection.main_face import count_rivals, most_prominent_first

HEIGHT, WIDTH = 100, 200
NO_LANDMARKS = np.zeros((5, 2), np.float32)


def face(x: float, y: float, side: float) -> Detection:
    """Return a square face around (x, y)."""
    return Detection((x - side / 2, y - side / 2, x + side / 2, y + side / 2), 0.9, NO_LANDMARKS)


def ordered(*faces: Detection) -> list[int]:
    """Return the original indices of the faces."""
    first = most_prominent_first(list(faces), (HEIGHT, WIDTH, 3))
    return [next(place for place, each in enumerate(faces) if each is one) for one in first]


def test_no_face():
    assert most_prominent_first([], (HEIGHT, WIDTH, 3)) == []


def test_of_faces_alike_in_size_the_one_in_the_middle_comes_first():
    assert ordered(face(20, 50, 30), face(105, 50, 25), face(180, 50, 28)) == [1, 0, 2]


def test_a_far_larger_face_wins_from_the_edge():
    assert ordered(face(100, 50, 20), face(10, 10, 60)) == [1, 0]


def test_half_the_area_is_enough_and_less_is_not():
    large = face(10, 10, 40)
    assert ordered(large, Detection((90, 40, 130, 60), 0.9, NO_LANDMARKS)) == [1, 0]
    assert ordered(large, Detection((90, 40, 130, 59.9), 0.9, NO_LANDMARKS)) == [0, 1]


def test_the_middle_is_that_of_the_photo_in_both_directions():
    assert ordered(face(50, 50, 20), face(100, 50, 20)) == [1, 0]
    assert ordered(face(100, 90, 20), face(100, 55, 20)) == [1, 0]


def test_equal_faces_keep_their_order():
    twin = face(80, 50, 20)
    assert ordered(twin, face(120, 50, 20), face(80, 50, 20)) == [0, 1, 2]


def rivals(*faces: Detection) -> int:
    """Return the rivals of the first face."""
    return count_rivals(list(faces), (HEIGHT, WIDTH, 3))


def test_a_photo_without_a_second_face_has_no_rivals():
    assert rivals() == rivals(face(100, 50, 30)) == 0


def test_faces_with_more_than_two_thirds_of_the_prominence_are_rivals():
    main = face(100, 50, 30)
    # Halfway to the border the weight is 3/4, so that a rival has 8/9 of the area.
    assert rivals(main, face(150, 50, 30 * math.sqrt(8 / 9) + 0.01), face(50, 50, 30 * math.sqrt(8 / 9) - 0.01)) == 1


def test_only_the_part_of_a_face_inside_the_photo_counts():
    main = face(100, 50, 30)
    assert rivals(main, Detection((0, 30, 40, 70), 0.9, NO_LANDMARKS)) == 1
    assert rivals(main, Detection((-20, 30, 20, 70), 0.9, NO_LANDMARKS)) == 0


FACES = st.lists(st.builds(face, st.integers(0, WIDTH), st.integers(0, HEIGHT), st.integers(1, 60)), max_size=8)


@given(FACES)
def test_the_main_face_is_the_most_central_of_the_large_ones_and_the_rest_follow_by_area(faces):
    before = list(faces)
    first = most_prominent_first(faces, (HEIGHT, WIDTH, 3))
    assert faces == before
    assert sorted(map(id, first)) == sorted(map(id, faces))

    def area(each: Detection) -> float:
        return (each.box[2] - each.box[0]) * (each.box[3] - each.box[1])

    def off_centre(each: Detection) -> float:
        left, top, right, bottom = each.box
        return math.hypot((left + right - WIDTH) / 2, (top + bottom - HEIGHT) / 2)

    areas = [area(each) for each in first]
    assert areas[1:] == sorted(areas[1:], reverse=True)
    if first:
        large = [each for each in first if 2 * area(each) >= max(areas)]
        assert first[0] in large
        assert off_centre(first[0]) == min(map(off_centre, large))


def visible(each: Detection) -> float:
    left, top, right, bottom = each.box
    return max(min(right, WIDTH) - max(left, 0), 0) * max(min(bottom, HEIGHT) - max(top, 0), 0)


@given(FACES)
def test_without_rivals_no_other_face_is_more_than_a_third_larger(faces):
    first = most_prominent_first(faces, (HEIGHT, WIDTH, 3))
    if first and not count_rivals(first, (HEIGHT, WIDTH, 3)):
        assert all(visible(each) <= visible(first[0]) * 4 / 3 + 1e-6 for each in first[1:])
