"""Each component falls as its own flaw grows, on crops and on photos that have it."""

import cv2
import numpy as np
import pytest

from app.vision.alignment import ARCFACE_TEMPLATE, CROP_SIDE
from app.vision.imaging.decode import Image
from app.vision.quality import HINTS, Component, Measures, Quality, Reason, judge, measure, worst_of
from app.vision.quality.detail import _first_line
from tests.vision.quality.test_judgement import GOOD, TYPICAL, textured

COLOUR = np.array([1.25, 0.95, 0.8])  # of skin, as factors of the luma
FRONTAL = ARCFACE_TEMPLATE.astype(np.float64)


def skin():
    """A sharp crop in the colour of skin."""
    return np.clip(textured() * COLOUR, 0, 255).astype(np.uint8)


def components(crop, landmarks=ARCFACE_TEMPLATE, photo=None):
    return measure(crop, landmarks, image=None if photo is None else Image(photo)).components


def noisy(crop, sigma):
    return np.clip(crop + np.random.default_rng(1).normal(0, sigma, crop.shape), 0, 255).astype(np.uint8)


def compressed(crop, quality):
    data = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)


def side_lit(crop, strength):
    return (crop * np.linspace(1 - strength, 1, CROP_SIDE)[None, :, None]).astype(np.uint8)


def posterized(crop, levels):
    step = 255 / levels
    return (np.round(crop / step) * step).astype(np.uint8)


@pytest.mark.parametrize(
    ("component", "flawed", "strengths"),
    [
        (Component.ILLUMINATION_UNIFORMITY, side_lit, (0, 0.2, 0.5, 0.9)),
        (Component.LUMINANCE_MEAN, lambda crop, by: (crop * by).astype(np.uint8), (1, 0.6, 0.3, 0.1)),
        (Component.UNDER_EXPOSURE_PREVENTION, lambda crop, by: (crop * by).astype(np.uint8), (1, 0.5, 0.2, 0.1)),
        (
            Component.OVER_EXPOSURE_PREVENTION,
            lambda crop, by: np.clip(crop * float(by), 0, 255).astype(np.uint8),
            (1, 1.5, 2, 4),
        ),
        (Component.DYNAMIC_RANGE, posterized, (255, 30, 10, 4)),
        (Component.NATURAL_COLOUR, lambda crop, by: np.clip(crop * [1, 1, by], 0, 255).astype(np.uint8), (1, 1.5, 2)),
        (Component.SHARPNESS, lambda crop, sigma: cv2.GaussianBlur(crop, (0, 0), sigma), (1, 1.5, 2.5, 4)),
        (Component.SHARPNESS, noisy, (0, 10, 25, 50)),
        (Component.NOISE_PREVENTION, noisy, (0, 5, 15, 50)),
    ],
)
def test_a_component_falls_with_its_flaw(component, flawed, strengths):
    found = [components(flawed(skin(), strength))[component] for strength in strengths]
    assert found == sorted(found, reverse=True)
    assert found[0] > found[-1] + 20


def test_a_bright_spot_on_a_cheek_is_not_uneven_light():
    spotted = skin()
    spotted[64:72, 30:38] = 255
    clean, found = components(skin())[Component.ILLUMINATION_UNIFORMITY], components(spotted)
    assert found[Component.ILLUMINATION_UNIFORMITY] == pytest.approx(clean, abs=3)


@pytest.mark.parametrize("shift", [0, 3])
def test_compression_is_seen_wherever_its_grid_starts(shift):
    def found(quality):
        photo = compressed(cv2.resize(skin(), (224, 224)), quality)[shift:, shift:]
        return components(skin(), ARCFACE_TEMPLATE * 2 - shift, photo)[Component.COMPRESSION_ARTIFACTS]

    good, middle, bad = found(95), found(40), found(10)
    assert good > middle > bad
    assert bad < 30
    assert good > 60


@pytest.mark.parametrize("width", [24, 25, 57, 63, 64, 65, 159, 160])
def test_the_grid_starts_where_the_mean_step_is_largest(width):
    luma = np.random.default_rng(width).uniform(0, 255, (40, width)).astype(np.float32)
    steps = np.abs(np.diff(luma, axis=1)).mean(axis=0)
    assert _first_line(luma) == (np.argmax([steps[phase::8].mean() for phase in range(8)]) + 1) % 8


@pytest.mark.parametrize(
    ("component", "centre"),
    [
        (Component.LEFTWARD_CROP, (30, 150)),
        (Component.RIGHTWARD_CROP, (270, 150)),
        (Component.MARGIN_ABOVE, (150, 30)),
        (Component.MARGIN_BELOW, (150, 270)),
    ],
)
def test_a_margin_is_small_near_its_own_edge_only(component, centre):
    photo = np.zeros((300, 300, 3), np.uint8)
    moved = FRONTAL - FRONTAL.mean(axis=0) + centre
    found = components(skin(), moved.astype(np.float32), photo)
    margins = {name: value for name, value in found.items() if "margin" in name or "crop" in name}
    assert len(margins) == 4
    assert min(margins, key=lambda name: margins[name]) == component
    assert sorted(margins.values())[1] > 2 * margins[component]


def test_a_reduced_photo_has_the_same_margins():
    landmarks = (FRONTAL * 4).astype(np.float32)
    whole = measure(skin(), landmarks, image=Image(np.zeros((600, 600, 3), np.uint8))).components
    small = measure(skin(), landmarks, image=Image(np.zeros((300, 300, 3), np.uint8), 2)).components
    assert small[Component.MARGIN_ABOVE] == whole[Component.MARGIN_ABOVE]


def test_roll_and_size():
    found = []
    for degrees in (0, 15, 40, 80):
        matrix = cv2.getRotationMatrix2D((56, 56), degrees, 1)
        turned = (FRONTAL @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)
        found.append(components(skin(), turned)[Component.HEAD_POSE_ROLL])
    assert found == sorted(found, reverse=True)
    sizes = [components(skin(), ARCFACE_TEMPLATE * scale)[Component.INTER_EYE_DISTANCE] for scale in (0.2, 0.5, 1, 4)]
    assert sizes == sorted(sizes)


@pytest.mark.parametrize(
    ("component", "direction"), [(Component.HEAD_POSE_YAW, (1, 0)), (Component.HEAD_POSE_PITCH, (0, 1))]
)
def test_the_nose_tells_yaw_and_pitch(component, direction):
    found = []
    for pixels in (0, 4, 10, 20):
        landmarks = FRONTAL.copy()
        landmarks[2] += np.array(direction) * pixels
        found.append(components(skin(), landmarks.astype(np.float32))[component])
    assert found == sorted(found, reverse=True)
    assert found[0] > 90


def test_without_the_photo_its_components_are_left_out():
    found = components(skin())
    assert Component.MARGIN_ABOVE not in found
    assert Component.COMPRESSION_ARTIFACTS not in found


@pytest.mark.parametrize(
    ("component", "reason"),
    [
        (Component.EYES_VISIBLE, Reason.EYES_COVERED),
        (Component.MOUTH_OCCLUSION_PREVENTION, Reason.MOUTH_COVERED),
        (Component.MOTION_BLUR_PREVENTION, Reason.MOTION_BLURRED),
        (Component.COMPRESSION_ARTIFACTS, Reason.COMPRESSED),
    ],
)
def test_a_low_component_gives_its_reason_and_hint_and_fails_the_gates(component, reason):
    def judged(value):
        return judge(
            Measures(**{**_without_components(), "size": 80, "components": {component: value}}), TYPICAL, TYPICAL
        )

    assert judged(90) == Quality(judge(GOOD, TYPICAL, TYPICAL).score, (), {component: 90})
    bad = judged(5)
    assert bad.reasons == (reason,)
    assert bad.hints == [HINTS[component]]
    assert bad.worst is component
    assert bad.score < 0.4 * judged(90).score
    assert judged(90).score > judged(40).score > bad.score


def _without_components():
    return {field: getattr(GOOD, field) for field in Measures.__dataclass_fields__ if field != "components"}


def test_every_component_has_a_hint_and_the_worst_is_the_lowest():
    assert set(HINTS) == set(Component)
    assert worst_of({}) is None
    assert worst_of({Component.SHARPNESS: 40, Component.NATURAL_COLOUR: 30}) is Component.NATURAL_COLOUR
    assert Quality(1).worst is None
    assert Quality(0.2, (Reason.OCCLUDED_OR_UNCERTAIN,)).hints
