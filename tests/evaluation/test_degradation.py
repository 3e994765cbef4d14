"""The degradation of a photo depends only on its bytes."""

from collections import Counter

import cv2
import numpy as np
import pytest

from app.errors import NotAnImage, TooManyBytes, TooManyPixels
from app.evaluation.degradation import Degradation, apply_degradation, degrade, draw_degradation
from app.vision.imaging.decode import Limits, decode


def picture(seed=0, size=(120, 90)):
    coarse = np.random.default_rng(seed).integers(60, 190, (8, 6, 3)).astype(np.uint8)
    return cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC)


def encoded(seed):
    return cv2.imencode(".png", picture(seed))[1].tobytes()


@pytest.fixture(scope="module")
def of_kind():
    """Return one photo for each kind of degradation."""
    result: dict[Degradation, bytes] = {}
    for seed in range(60):
        data = encoded(seed)
        result.setdefault(draw_degradation(data)[0], data)
    assert set(result) == set(Degradation)
    return result


def test_kinds_come_in_their_shares_and_severities_evenly():
    result = [draw_degradation(str(number).encode()) for number in range(3000)]
    counts = Counter(kind for kind, _, _ in result)
    assert counts[Degradation.NONE] == pytest.approx(1000, abs=90)
    assert all(counts[kind] == pytest.approx(500, abs=75) for kind in set(Degradation) - {Degradation.NONE})
    severities = np.array([severity for kind, severity, _ in result if kind != Degradation.NONE])
    np.testing.assert_allclose(np.percentile(severities, (0, 25, 50, 75, 100)), (0, 0.25, 0.5, 0.75, 1), atol=0.05)


@pytest.mark.parametrize("kind", Degradation)
def test_a_photo_is_made_worse_the_same_way_each_time(of_kind, kind):
    data = of_kind[kind]
    worse = degrade(data, Limits())
    assert worse == degrade(data, Limits())
    before, after = decode(data, Limits()).pixels, decode(worse, Limits()).pixels
    assert (kind == Degradation.NONE) == np.array_equal(before, after)
    assert (kind == Degradation.SMALL) == (before.shape != after.shape)
    assert decode(degrade(data, Limits(), is_size_kept=True), Limits()).pixels.shape == before.shape


@pytest.mark.parametrize("severity", [0.0, 0.5, 1.0])
def test_what_is_done(severity):
    pixels, generator = picture(), np.random.default_rng(0)
    contrast = np.abs(np.diff(pixels.astype(float), axis=1)).mean()

    def worse(kind, of=pixels):
        return apply_degradation(of, kind, severity, generator)

    assert np.abs(np.diff(worse(Degradation.BLURRED).astype(float), axis=1)).mean() < contrast
    assert worse(Degradation.DARK).mean() == pytest.approx(pixels.mean() * (0.5 - 0.48 * severity), abs=1)
    flat = np.full((300, 300, 3), 200, np.uint8)
    assert worse(Degradation.DARK, flat).std() == pytest.approx(2.5, abs=0.6)  # black is clipped
    assert worse(Degradation.OVEREXPOSED, flat // 10).mean() == pytest.approx(
        20 * (1.5 + 4 * severity) + 20 * severity, abs=1
    )
    assert worse(Degradation.OVEREXPOSED, flat).min() == 255
    assert worse(Degradation.SMALL).shape == (round(120 / (1.5 + 8 * severity)), round(90 / (1.5 + 8 * severity)), 3)
    assert worse(Degradation.SMALL, flat[:1, :1]).shape == (1, 1, 3)


def test_blur_is_relative_to_the_photo():
    pixels = picture(size=(240, 180))
    small = cv2.resize(pixels, (90, 120), interpolation=cv2.INTER_AREA)
    generator = np.random.default_rng(0)
    blurred, blurred_small = (apply_degradation(each, Degradation.BLURRED, 1, generator) for each in (pixels, small))
    again = cv2.resize(blurred, (90, 120), interpolation=cv2.INTER_AREA)
    assert np.abs(again.astype(float) - blurred_small).mean() < 1


def test_limits_hold(of_kind):
    data = of_kind[Degradation.NONE]
    with pytest.raises(TooManyBytes):
        degrade(data, Limits(bytes=100))
    with pytest.raises(TooManyPixels):
        degrade(data, Limits(pixels=100))
    with pytest.raises(NotAnImage):
        degrade(b"no photo", Limits())
