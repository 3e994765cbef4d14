"""The detector with fake networks that detect bright squares, and with the real networks."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from app.types import Pixels
from app.vision.detection import mtcnn_decoding as geometry
from app.vision.detection.boxes import overlaps
from app.vision.detection.mtcnn import ONET_OUTPUTS, PNET_OUTPUTS, RNET_OUTPUTS, Mtcnn, MtcnnOptions
from app.vision.inference.archives import read_member
from app.vision.inference.conversion.mtcnn import onet, pnet, rnet
from app.vision.inference.runtime import Runtime
from app.vision.inference.session import Session
from tests.vision.detection.people import ASTRONAUT, SIX_PEOPLE, decoded, error

POINTS = [0.3, 0.7, 0.5, 0.35, 0.65, 0.4, 0.4, 0.6, 0.8, 0.8]  # five x, five y
OUTPUTS = {"pnet": PNET_OUTPUTS, "rnet": RNET_OUTPUTS, "onet": ONET_OUTPUTS}


def averaging_network(name: str, side: int) -> onnx.ModelProto:
    """Return a network whose probability is the window's mean brightness and whose offsets are 0."""
    window = (3, side, side)
    size = ["h", "w"] if name == "pnet" else [side, side]
    flat = (
        [] if name == "pnet" else [helper.make_node("Flatten", [f"{output}_map"], [output]) for output in OUTPUTS[name]]
    )
    kernels = {
        "probability": (np.full((1, *window), 1 / np.prod(window), np.float32), np.zeros(1, np.float32)),
        "box": (np.zeros((4, *window), np.float32), np.zeros(4, np.float32)),
        "landmarks": (np.zeros((10, *window), np.float32), np.array(POINTS, np.float32)),
    }
    nodes, tensors = [], []
    for output in OUTPUTS[name]:
        names = [f"{output}_kernel", f"{output}_bias"]
        result = f"{output}_map" if flat else output
        nodes.append(helper.make_node("Conv", ["input", *names], [result], strides=[2, 2]))
        tensors += [numpy_helper.from_array(value, key) for key, value in zip(names, kernels[output], strict=True)]
    graph = helper.make_graph(
        nodes + flat,
        name,
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", 3, *size])],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, None) for output in OUTPUTS[name]],
        tensors,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def open_detector(folder: Path, models: dict[str, onnx.ModelProto], options: MtcnnOptions | None = None) -> Mtcnn:
    for name, model in models.items():
        onnx.save(model, folder / f"{name}.onnx")
    sessions = {name: Session(folder / f"{name}.onnx", Runtime(), OUTPUTS[name]) for name in models}
    return Mtcnn(sessions["pnet"], sessions["rnet"], sessions["onet"], options or MtcnnOptions())


def bright_detector(folder: Path, options: MtcnnOptions | None = None) -> Mtcnn:
    sides = {"pnet": 12, "rnet": 24, "onet": 48}
    return open_detector(folder, {name: averaging_network(name, side) for name, side in sides.items()}, options)


@pytest.fixture(scope="module")
def real(archive, tmp_path_factory: pytest.TempPathFactory) -> Mtcnn:
    builders = {"pnet": pnet, "rnet": rnet, "onet": onet}
    wheel = archive("mtcnn", "mtcnn")
    models = {name: build(read_member(wheel, f"mtcnn/assets/weights/{name}.lz4")) for name, build in builders.items()}
    return open_detector(tmp_path_factory.mktemp("mtcnn"), models)


@pytest.fixture(scope="module")
def six_people(group_photo: bytes) -> Pixels:
    return decoded(group_photo)


@pytest.fixture(scope="module")
def astronaut(portrait: bytes) -> Pixels:
    return decoded(portrait)


# Geometry


@given(st.integers(1, 3000), st.floats(12, 100), st.floats(0.5, 0.9))
def test_the_pyramid_spans_all_sizes_without_gaps(short_side: int, min_face: float, factor: float):
    scales = geometry.pyramid(short_side, min_face, factor)
    largest = short_side * geometry.LARGEST_FACE
    assert bool(scales) == (largest >= min_face)
    if scales:
        assert scales[0] == pytest.approx(geometry.WINDOW / min_face)
        assert scales[-1] == pytest.approx(geometry.WINDOW / largest)
        steps = np.divide(scales[1:], scales[:-1])
        assert (steps <= 1).all()
        assert (steps >= factor - 1e-6).all()


def test_windows_lie_where_the_cells_look():
    cells = np.array([[0, 0], [2, 5]])
    expected = [[-16, -8, 32, 16], [24, 0, 72, 24]]
    np.testing.assert_allclose(geometry.windows(cells, (4, 2)), expected)


def test_offsets_are_shares_of_each_side():
    boxes, offsets = np.array([[10, 10, 30, 50]], np.float32), np.array([[0.1, 0.1, -0.1, 0.5]], np.float32)
    np.testing.assert_allclose(geometry.shift(boxes, offsets), [[12, 14, 28, 70]])


@given(st.tuples(*[st.floats(-50, 50, width=32)] * 2), st.tuples(*[st.floats(0, 90, width=32)] * 2))
def test_squares_are_whole_and_keep_the_middle(corner: tuple[float, float], size: tuple[float, float]):
    box = np.array([[*corner, corner[0] + size[0], corner[1] + size[1]]], np.float32)
    left, top, right, bottom = geometry.squares(box)[0].tolist()
    assert right - left == bottom - top == max(1, round(float((box[:, 2:] - box[:, :2]).max())))
    assert all(value.is_integer() for value in (left, top))
    assert (left + right) / 2 == pytest.approx(corner[0] + size[0] / 2, abs=0.51)
    assert (top + bottom) / 2 == pytest.approx(corner[1] + size[1] / 2, abs=0.51)


def test_crops_are_grey_beyond_the_photo():
    pixels = np.arange(4 * 5 * 3, dtype=np.uint8).reshape(4, 5, 3)
    boxes = np.array([[1, 0, 4, 3], [-1, -2, 2, 1], [4, 3, 7, 6], [90, 90, 93, 93]], np.float32)
    inside, above, below, far = geometry.crops(pixels, boxes, 3)
    np.testing.assert_array_equal(inside, pixels[:3, 1:4])
    np.testing.assert_array_equal(above[2, 1:], pixels[0, :2])
    np.testing.assert_array_equal(below[0, 0], pixels[3, 4])
    assert (above[:2] == geometry.GREY).all()
    assert (above[:, 0] == geometry.GREY).all()
    assert (below[1:] == geometry.GREY).all()
    assert (far == geometry.GREY).all()


def test_landmarks_are_shares_of_the_square():
    points = geometry.landmarks(np.array([POINTS], np.float32), np.array([[10, 20, 110, 120]], np.float32))
    np.testing.assert_allclose(points, [[[40, 60], [80, 60], [60, 80], [45, 100], [75, 100]]], rtol=1e-6)


def test_pixels_become_channels_first_about_zero():
    pixels = np.zeros((1, 2, 4, 3), np.uint8)
    pixels[0, 1, 3] = [0, 127, 255]
    values = geometry.normalise(pixels)
    assert values.shape == (1, 3, 2, 4)
    assert values.dtype == np.float32
    np.testing.assert_allclose(values[0, :, 1, 3], [-127.5 / 128, -0.5 / 128, 127.5 / 128])


# The cascade


@pytest.mark.parametrize("batch", [1, 7, 256])
def test_a_bright_square_is_found_where_it_is(tmp_path: Path, batch: int):
    detector = bright_detector(tmp_path, MtcnnOptions(batch=batch))
    pixels = np.zeros((200, 300, 3), np.uint8)
    pixels[60:140, 150:230] = 255
    best, *_ = detector.detect(pixels)
    square = np.array([150, 60, 230, 140], np.float32)
    assert overlaps(square, np.array([best.box], np.float32), "min") > 0.95
    assert best.score > 0.95
    left, top, right, bottom = best.box
    expected = np.array(POINTS).reshape(2, 5).T * (right - left) + [left, top]
    np.testing.assert_allclose(best.landmarks, expected, rtol=1e-5)
    assert right - left == bottom - top


def test_the_best_face_comes_first(tmp_path: Path):
    pixels = np.zeros((100, 300, 3), np.uint8)
    pixels[20:80, 20:80], pixels[20:80, 220:280] = 240, 255
    found = bright_detector(tmp_path).detect(pixels)
    scores = [face.score for face in found]
    assert scores == sorted(scores, reverse=True)
    assert found[0].box[0] > 150


@pytest.mark.parametrize("size", [(1, 1), (1, 700), (28, 28), (29, 29), (30, 300), (41, 40), (333, 79)])
def test_any_size_without_a_face_is_an_ordinary_photo(tmp_path: Path, size: tuple[int, int]):
    assert bright_detector(tmp_path).detect(np.zeros((*size, 3), np.uint8)) == []


# The real networks


def test_six_people_are_found_as_by_another_implementation(real: Mtcnn, six_people: Pixels):
    found = sorted(real.detect(six_people), key=lambda face: face.box)
    assert len(found) == len(SIX_PEOPLE)
    for face, (box, landmarks) in zip(found, SIX_PEOPLE, strict=True):
        assert overlaps(np.array(box, np.float32), np.array([face.box], np.float32)) > 0.85
        assert error(face, np.array(landmarks, np.float32)) < 0.08


def test_the_best_of_six_comes_first(real: Mtcnn, six_people: Pixels):
    scores = [face.score for face in real.detect(six_people)]
    assert scores == sorted(scores, reverse=True)
    assert 0.7 < scores[-1] <= scores[0] <= 1


def test_one_astronaut_is_found(real: Mtcnn, astronaut: Pixels):
    (face,) = real.detect(astronaut)
    assert error(face, np.array(ASTRONAUT, np.float32)) < 0.05
    assert face.landmarks.dtype == np.float32


@pytest.mark.parametrize(
    ("left", "top", "right", "bottom"),
    [(182, 60, 268, 174), (197, 85, 253, 150), (215, 40, 330, 230), (120, 90, 330, 230), (120, 20, 240, 230)],
    ids=["fills", "overfills", "cut at the left", "cut at the top", "cut at the right"],
)
def test_faces_that_the_frame_cuts_are_found(
    real: Mtcnn, astronaut: Pixels, left: int, top: int, right: int, bottom: int
):
    face, *_ = real.detect(astronaut[top:bottom, left:right])
    assert error(face, np.array(ASTRONAUT, np.float32) - np.array([left, top], np.float32)) < 0.1


def test_a_mirrored_photo_gives_mirrored_faces(real: Mtcnn, astronaut: Pixels):
    (face,) = real.detect(astronaut[:, ::-1])
    expected = np.array(ASTRONAUT, np.float32)[[1, 0, 2, 4, 3]]
    expected[:, 0] = astronaut.shape[1] - expected[:, 0]
    assert error(face, expected) < 0.08


@pytest.mark.parametrize("size", [(1, 1), (20, 640), (40, 40), (240, 320)])
def test_an_empty_photo_has_no_face(real: Mtcnn, size: tuple[int, int]):
    assert real.detect(np.full((*size, 3), 90, np.uint8)) == []
