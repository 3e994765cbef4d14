"""A world in which a face is a square of one colour with some grain, and a person is a colour.

The network is a tiny ONNX graph that gives the mean colour of a crop, so that everything between the photo's bytes and
the vector is the real thing. The grain makes a face as sharp as a photo is; without it, it is blurred.
"""

import io
from collections.abc import Mapping, Sequence

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from PIL import Image as Pillow

from app.recognition.analysis import Analysis, Assessors, ProbeWork
from app.recognition.decisions.calibration.error_rates import LEVELS, Calibration, CalibrationOrigin, ParetoTail, Spread
from app.types import Detection, Floats, Pixels
from app.vision.alignment import ARCFACE_TEMPLATE, CROP_SIDE
from app.vision.embedding import Embedder, Preprocessing
from app.vision.imaging.decode import Limits
from app.vision.inference.runtime import Runtime
from app.vision.inference.session import Session
from app.vision.liveness import LivenessEvidence, PresentationAttackDetector

Colour = tuple[int, int, int]

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)
PINK = (255, 60, 60)  # a red face in another light
WHITE = (255, 255, 255)  # no face

MODEL, DIMENSION = "colours", 3
SIDE = CROP_SIDE


_CONTRAST = 0.6  # leaves room for the grain
_GRAIN = np.random.default_rng(0).integers(-24, 25, (SIDE // 2, SIDE, 1))


def square(colour: Colour, *, grain: float = 1) -> Pixels:
    """Return a face, or nothing but white; its mean is the colour, paler."""
    if colour == WHITE:
        return np.full((SIDE, SIDE, 3), colour, np.uint8)
    pale = 127.5 + (np.array(colour) - 127.5) * _CONTRAST
    return np.asarray(pale + grain * np.vstack([_GRAIN, -_GRAIN]), np.uint8)


def photo(*colours: Colour, grain: float = 1) -> bytes:
    """Return a PNG of squares side by side; white ones hold no face. Without grain a face is worth nothing."""
    return png(np.hstack([square(colour, grain=grain) for colour in colours]))


def blurred(*colours: Colour) -> bytes:
    """Return a photo of faces whose quality is 0."""
    return photo(*colours, grain=0)


def halved(left: Colour, right: Colour) -> bytes:
    """Return a photo of one face that is not symmetric."""
    return png(np.hstack([square(left)[:, : SIDE // 2], square(right)[:, SIDE // 2 :]]))


def png(pixels: Pixels) -> bytes:
    data = io.BytesIO()
    Pillow.fromarray(pixels).save(data, "PNG")
    return data.getvalue()


def vector_of(colour: Colour) -> Floats:
    """Return the embedding of a square of this colour."""
    vector = (np.array(colour, np.float32) - 127.5) / 127.5
    return np.asarray(vector / np.linalg.norm(vector), np.float32)


def similarity(one: Colour, other: Colour) -> float:
    return float(vector_of(one) @ vector_of(other))


class SquareDetector:
    """Finds every square that is not white, from left to right."""

    def detect(self, pixels: Pixels) -> list[Detection]:
        return [
            Detection((left, 0, left + SIDE, SIDE), 0.9, ARCFACE_TEMPLATE + np.array([left, 0], np.float32))
            for left in range(0, pixels.shape[1], SIDE)
            if tuple(pixels[SIDE // 2, left + SIDE // 2].tolist()) != WHITE
        ]


class ColourJudge:
    """Judges squares by their colours: `evidence_of` some; all others are live. Counts the photos that it sees."""

    def __init__(self, evidence_of: Mapping[Colour, LivenessEvidence]) -> None:
        self._evidence_of = {_middle(square(colour)): evidence for colour, evidence in evidence_of.items()}
        self.photos = 0

    def evidence(self, pixels: Pixels, detections: Sequence[Detection]) -> list[LivenessEvidence]:
        self.photos += 1
        lefts = [int(each.box[0]) for each in detections]
        live = LivenessEvidence(0.9)
        return [self._evidence_of.get(_middle(pixels[:, left : left + SIDE]), live) for left in lefts]


def _middle(pixels: Pixels) -> Colour:
    red, green, blue = pixels[SIDE // 2, SIDE // 2].tolist()
    return red, green, blue


def colour_network(*, is_half_blind: bool = False) -> bytes:
    """Return an ONNX network: images (n, 3, 112, 112) to their mean colours (n, 3), or those of their left halves."""
    width = [numpy_helper.from_array(np.array([end], np.int64), name) for end, name in ((0, "from"), (SIDE // 2, "to"))]
    axis = numpy_helper.from_array(np.array([3], np.int64), "axis")
    nodes = [
        helper.make_node("Slice", ["input", "from", "to", "axis"], ["half"]),
        helper.make_node("GlobalAveragePool", ["half" if is_half_blind else "input"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["embedding"]),
    ]
    ends = [
        helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", 3, SIDE, SIDE]),
        helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", DIMENSION]),
    ]
    graph = helper.make_graph(nodes, "colours", ends[:1], ends[1:], [*width, axis])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    data: bytes = model.SerializeToString()
    return data


def colour_analysis(
    *,
    is_half_blind: bool = False,
    is_inverted: bool = False,
    has_mirrored_probes: bool = True,
    judge: PresentationAttackDetector | None = None,
) -> Analysis:
    """Return the world's analysis; inverted, it is that of another network, to which red is what cyan is to this."""
    scale = -127.5 if is_inverted else 127.5
    embedder = Embedder(Session(colour_network(is_half_blind=is_half_blind), Runtime()), Preprocessing(127.5, scale))
    return Analysis(
        SquareDetector(),
        embedder,
        limits=Limits(pixels=SIDE * SIDE * 8),
        detection_side=640,
        model=MODEL,
        probes=ProbeWork(SquareDetector(), has_mirrored_probes),
        assessors=Assessors(liveness=None if judge is None else lambda: judge),
    )


def calibration(*, typical_norm: float | None = None, start: float = 0.4, is_flip_averaged: bool = True) -> Calibration:
    """Return a calibration made up: one pair of strangers in a thousand reaches `start`."""
    return Calibration(
        CalibrationOrigin("ab" * 32, MODEL, "squares", is_flip_averaged, people=9, faces=9, pairs=36, source="test"),
        tuple(start - 0.6 + 0.02 * number for number in range(len(LEVELS))),
        ParetoTail(start, 1e-3, -0.05, 0.025),
        tuple(Spread(rate, 0.8, 1.25) for rate in (1e-1, 1e-3, 1e-6)),
        typical_norm=typical_norm,
    )
