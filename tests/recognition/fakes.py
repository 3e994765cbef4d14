"""A world in which a face is a square of one colour, and a person is a colour.

The network is a tiny ONNX graph that gives the mean colour of a crop, so that everything between the photo's bytes and
the vector is the real thing.
"""

import io

import numpy as np
from onnx import TensorProto, helper
from PIL import Image as Pillow

from app.alignment import ARCFACE_TEMPLATE, CROP_SIDE
from app.embedding import Embedder, Preprocessing
from app.faces import Detection, Floats, Pixels
from app.imaging.decode import Limits
from app.inference.runtime import Runtime
from app.inference.session import Session
from app.recognition.analysis import Analysis

Colour = tuple[int, int, int]

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)
PINK = (255, 60, 60)  # a red face in another light
WHITE = (255, 255, 255)  # no face

MODEL, DIMENSION = "colours", 3
SIDE = CROP_SIDE


def photo(*colours: Colour) -> bytes:
    """Return a PNG of squares side by side; white ones hold no face."""
    squares = [np.full((SIDE, SIDE, 3), colour, np.uint8) for colour in colours]
    data = io.BytesIO()
    Pillow.fromarray(np.hstack(squares)).save(data, "PNG")
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


def colour_network() -> bytes:
    """Return an ONNX network: images (n, 3, 112, 112) to their mean colours (n, 3)."""
    nodes = [
        helper.make_node("GlobalAveragePool", ["input"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["embedding"]),
    ]
    ends = [
        helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", 3, SIDE, SIDE]),
        helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", DIMENSION]),
    ]
    graph = helper.make_graph(nodes, "colours", ends[:1], ends[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    data: bytes = model.SerializeToString()
    return data


def colour_analysis() -> Analysis:
    embedder = Embedder(Session(colour_network(), Runtime()), Preprocessing(127.5, 127.5), is_flip_averaged=True)
    return Analysis(SquareDetector(), embedder, limits=Limits(pixels=SIDE * SIDE * 8), detection_side=640)
