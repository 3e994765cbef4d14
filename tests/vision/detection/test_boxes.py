import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from app.types import Floats
from app.vision.detection.boxes import MOST_BOXES, Mode, area_of, nms, overlaps

CORNERS = st.integers(0, 12)  # whole, so that areas are exact in float32


@st.composite
def scored_boxes(draw: st.DrawFn) -> tuple[Floats, Floats]:
    count = draw(st.integers(0, 12))
    first, second = (draw(arrays(np.float32, (count, 2), elements=CORNERS)) for _ in range(2))
    scores = draw(arrays(np.float32, count, elements=st.sampled_from([0, 0.25, 0.5, 1])))
    return np.hstack([np.minimum(first, second), np.maximum(first, second)]), scores


def naive_overlap(one: list[float], two: list[float], mode: Mode) -> float:
    width = max(0, min(one[2], two[2]) - max(one[0], two[0]))
    height = max(0, min(one[3], two[3]) - max(one[1], two[1]))
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, two)]
    whole = sum(areas) - width * height if mode == "union" else min(areas)
    return width * height / whole if whole else 0


def naive_nms(boxes: Floats, scores: Floats, overlap: float, mode: Mode) -> list[int]:
    kept: list[int] = []
    for candidate in sorted(range(len(boxes)), key=lambda row: (-scores[row], row)):
        rivals = [naive_overlap(boxes[row].tolist(), boxes[candidate].tolist(), mode) for row in kept]
        if all(rival <= overlap for rival in rivals):
            kept.append(candidate)
    return kept


@given(scored_boxes(), st.sampled_from([0.0, 0.3, 0.55, 0.7, 1.0]), st.sampled_from(["union", "min"]))
def test_nms_keeps_what_the_naive_one_keeps(scored: tuple[Floats, Floats], overlap: float, mode: Mode):
    kept = nms(*scored, overlap, mode)
    assert kept.dtype == np.intp
    assert kept.tolist() == naive_nms(*scored, overlap, mode)


@given(scored_boxes())
def test_overlaps_are_shares_and_a_box_overlaps_itself_wholly(scored: tuple[Floats, Floats]):
    boxes, _ = scored
    for box in boxes:
        shares = overlaps(box, boxes)
        assert ((shares >= 0) & (shares <= 1)).all()
        assert (overlaps(box, boxes, "min") >= shares).all()
        assert overlaps(box, box[None]) == (area_of(box) > 0)


def test_no_boxes_leave_none():
    assert nms(np.empty((0, 4), np.float32), np.empty(0, np.float32), 0.5).tolist() == []


@pytest.mark.parametrize(("mode", "kept"), [("union", [1, 0]), ("min", [1])])
def test_a_box_inside_another_goes_only_by_the_smaller_area(mode: Mode, kept: list[int]):
    boxes = np.array([[2, 2, 5, 5], [0, 0, 10, 10]], np.float32)
    assert nms(boxes, np.array([0.8, 0.9], np.float32), 0.5, mode).tolist() == kept


def test_only_the_best_of_very_many_boxes_are_compared():
    count = MOST_BOXES + 500
    apart = np.arange(count, dtype=np.float32)[:, None] * 10 + np.array([0, 0, 5, 5], np.float32)
    scores = np.linspace(0.1, 1, count, dtype=np.float32)
    assert nms(apart, scores, 0.4).tolist() == list(range(count - 1, 499, -1))
