import numpy as np

from app.vision.inference.conversion.quantisation import quantise
from app.vision.inference.ranges import CLIPPED, activation_ranges
from tests.vision.inference.conversion.test_quantisation import CHANNELS, SIDE, network, random


def test_a_range_leaves_out_the_extremes_of_some_faces():
    faces = random(20, CHANNELS, SIDE, SIDE)
    ranges = activation_ranges(network().SerializeToString(), [faces[:7], faces[7:]])
    extremes = (-faces).reshape(20, -1)
    expected = np.quantile(extremes.min(axis=1), CLIPPED), np.quantile(extremes.max(axis=1), 1 - CLIPPED)
    np.testing.assert_allclose(ranges["mapped"], expected, atol=1e-4)
    assert ranges["flat"][0] == 0  # after a relu


def test_a_network_can_be_quantised_with_its_ranges():
    faces = random(20, CHANNELS, SIDE, SIDE)
    ranges = activation_ranges(network().SerializeToString(), [faces])
    assert list(ranges) == ["mapped", "flat"]
    assert quantise(network(), ranges).graph.node
