"""The networks of coverings and motion blur: their inputs, and what they see on photos of people."""

import cv2
import numpy as np
import pytest
from onnx import TensorProto, helper

from app.errors import NetworkInvalid
from app.vision.alignment import CROP_SIDE
from app.vision.inference.runtime import Runtime
from app.vision.inference.session import Session
from app.vision.quality import Component, Reason, SignNetworks, judge
from app.vision.quality.spectrum import spectrum
from app.wiring.model_loading import ModelLoader
from app.wiring.networks import open_signs
from app.wiring.storage import open_packs
from tests.vision.quality.test_judgement import textured

# The smallest network, x -> x.
IDENTITY = helper.make_model(
    helper.make_graph(
        [helper.make_node("Identity", ["x"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 4])],
    ),
    opset_imports=[helper.make_opsetid("", 17)],
    ir_version=8,
).SerializeToString()


def test_a_spectrum_loses_power_along_a_motion():
    kernel = np.full((1, 11), 1 / 11, np.float32)
    crops = [textured(), *(cv2.filter2D(textured(), -1, each).astype(np.uint8) for each in (kernel, kernel.T))]
    still, across, down = (spectrum(crop).reshape(-1, 12)[-1] for crop in crops)
    assert still[0] - across[0] > 1 > still[6] - across[6]
    assert still[6] - down[6] > 1 > still[0] - down[0]


def test_a_flat_crop_has_a_spectrum():
    assert not spectrum(np.full((CROP_SIDE, CROP_SIDE, 3), 9, np.uint8)).any()


def test_each_crop_has_the_components():
    signs = open_signs()
    assert signs.components(np.empty((0, CROP_SIDE, CROP_SIDE, 3), np.uint8)) == []
    crops = np.stack([textured(), np.zeros((CROP_SIDE, CROP_SIDE, 3), np.uint8)])
    together, alone = signs.components(crops), [signs.components(crop[None])[0] for crop in crops]
    for one, other in zip(together, alone, strict=True):
        assert one == pytest.approx(other, abs=1e-3)
        assert len(one) == 4
        assert all(0 <= value <= 100 for value in one.values())


def test_networks_with_other_inputs_are_refused():
    with pytest.raises(NetworkInvalid, match="crops and spectra"):
        SignNetworks(Session(IDENTITY, Runtime()), Session(IDENTITY, Runtime()))


@pytest.fixture(scope="module")
def analysis(settings):
    return ModelLoader(settings, open_packs(settings)).default_analysis()


def patched(pixels, landmarks, centre, half, colour):
    """Cover an ellipse around a place in eye distances from the middle of the eyes."""
    eyes, mouth = landmarks[:2].mean(axis=0), landmarks[3:].mean(axis=0)
    apart = float(np.linalg.norm(landmarks[1] - landmarks[0]))
    at = eyes + (mouth - eyes) * centre
    axes = tuple(int(each * apart) for each in half)
    cv2.ellipse(pixels, tuple(int(each) for each in at), axes, 0, 0, 360, colour, -1, cv2.LINE_AA)
    return pixels


def with_sunglasses(pixels, landmarks):
    for eye in landmarks[:2]:
        radius = int(0.42 * np.linalg.norm(landmarks[1] - landmarks[0]))
        cv2.ellipse(pixels, [int(each) for each in eye], (radius, int(radius * 0.8)), 0, 0, 360, (25, 20, 20), -1)
    return pixels


def with_mask(pixels, landmarks):
    return patched(pixels, landmarks, 1.05, (0.95, 0.7), (225, 205, 190))


def moved(pixels, landmarks):
    length = int(0.3 * np.linalg.norm(landmarks[1] - landmarks[0])) | 1
    return cv2.filter2D(pixels, -1, np.eye(length, dtype=np.float32) / length)


def main_face(analysis, pixels):
    return analysis.analyse(cv2.imencode(".png", pixels)[1].tobytes(), is_flip_averaged=False, most=1)[0]


def reasons_of(analysis, pixels):
    face = main_face(analysis, pixels)
    return face.detection.landmarks, judge(face.measures, 1, None).reasons


def enlarged(data):
    pixels = np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR))
    return cv2.resize(pixels, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)


@pytest.mark.parametrize(
    ("flawed", "reason"),
    [(with_sunglasses, Reason.EYES_COVERED), (with_mask, Reason.MOUTH_COVERED), (moved, Reason.MOTION_BLURRED)],
)
def test_coverings_and_motion_are_seen_and_only_where_they_are(analysis, faces_of, flawed, reason):
    signs = {Reason.EYES_COVERED, Reason.MOUTH_COVERED, Reason.MOTION_BLURRED}
    seen = 0
    for data in faces_of:
        pixels = enlarged(data)
        landmarks, clean = reasons_of(analysis, pixels)
        assert not signs & set(clean)
        _, found = reasons_of(analysis, flawed(pixels.copy(), landmarks))
        seen += reason in found
    assert seen >= len(faces_of) - 1


def with_opaque_lenses(pixels, landmarks, opacity):
    return cv2.addWeighted(with_sunglasses(pixels.copy(), landmarks), opacity, pixels, 1 - opacity, 0)


def with_larger_mask(pixels, landmarks, size):
    return patched(pixels.copy(), landmarks, 1.05, (0.95 * size, 0.7 * size), (225, 205, 190))


def moved_along(pixels, landmarks, length):
    side = int(length * np.linalg.norm(landmarks[1] - landmarks[0])) | 1
    return cv2.filter2D(pixels, -1, np.eye(side, dtype=np.float32) / side)


@pytest.mark.parametrize(
    ("component", "flawed", "strengths"),
    [
        (Component.EYES_VISIBLE, with_opaque_lenses, (0.5, 0.75, 1)),
        (Component.MOUTH_OCCLUSION_PREVENTION, with_larger_mask, (0.6, 0.8, 1)),
        (Component.FACE_OCCLUSION_PREVENTION, with_larger_mask, (0.6, 0.8, 1)),
        (Component.MOTION_BLUR_PREVENTION, moved_along, (0.15, 0.3, 0.4)),
    ],
)
def test_a_component_falls_and_does_not_rise_with_its_flaw(analysis, faces_of, component, flawed, strengths):
    def value(pixels):
        return main_face(analysis, pixels).measures.components[component]

    is_falling = []
    for data in faces_of:
        pixels = enlarged(data)
        landmarks = main_face(analysis, pixels).detection.landmarks
        clean, *bad = value(pixels), *(value(flawed(pixels, landmarks, each)) for each in strengths)
        assert bad[-1] < 50 < clean
        is_falling.append(max(np.diff([clean, *bad])) <= 1)
    assert sum(is_falling) >= len(is_falling) - 1
