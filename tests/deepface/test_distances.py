import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.deepface.distances import DistanceMetric, distance_of

SIMILARITIES = st.floats(-1, 1)
METRICS = st.sampled_from(DistanceMetric)


@pytest.mark.parametrize(
    ("metric", "same", "unrelated", "opposite"),
    [
        ("cosine", 0, 1, 2),
        ("euclidean", 0, math.sqrt(2), 2),
        ("euclidean_l2", 0, math.sqrt(2), 2),
        ("angular", 0, 0.5, 1),
    ],
)
def test_known_distances(metric, same, unrelated, opposite):
    found = [distance_of(each, DistanceMetric(metric)) for each in (1, 0, -1)]
    assert found == pytest.approx([same, unrelated, opposite], abs=1e-6)


@given(SIMILARITIES, SIMILARITIES, METRICS)
def test_a_distance_never_rises_with_the_similarity(one, other, metric):
    low, high = sorted((one, other))
    assert distance_of(high, metric) <= distance_of(low, metric)


@given(SIMILARITIES, METRICS)
def test_a_hidden_similarity_is_the_farthest(similarity, metric):
    assert distance_of(None, metric) == distance_of(-1, metric) >= distance_of(similarity, metric)
