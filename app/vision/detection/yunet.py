"""YuNet (Wu et al., "YuNet: A Tiny Millisecond-level Face Detector", Machine Intelligence Research 2023)."""

import numpy as np

from app.types import Floats, Pixels
from app.vision.detection.found import Found
from app.vision.inference.session import Session

STRIDES = (8, 16, 32)
OUTPUTS = tuple(f"{kind}_{stride}" for stride in STRIDES for kind in ("cls", "obj", "bbox", "kps"))


class Yunet:
    """The network as OpenCV Zoo publishes it: BGR, 0..255, any size that 32 divides."""

    def __init__(self, session: Session) -> None:
        """Take a session opened with `OUTPUTS`."""
        self._session = session
        self.input_shape = session.fixed_size

    def find(self, views: Pixels, lowest_score: float) -> list[Found]:
        """See `Network.find`."""
        outputs = self._session.run(views[..., ::-1].transpose(0, 3, 1, 2).astype(np.float32))
        levels = [outputs[start : start + 4] for start in range(0, len(outputs), 4)]
        return [
            decode([tuple(array[row] for array in level) for level in levels], views.shape[2], lowest_score)
            for row in range(len(views))
        ]


def decode(levels: list[tuple[Floats, ...]], width: int, lowest_score: float) -> Found:
    """Turn the outputs for one view into faces with at least `lowest_score`.

    For each stride a tuple (cls (m, 1), obj (m, 1), bbox (m, 4), kps (m, 10)) over the m cells of a grid, row by row;
    offsets are in cells, sizes are logarithms, and the score is the geometric mean of class and objectness.
    """
    scores, boxes, landmarks = [], [], []
    for stride, (classes, objectness, box, points) in zip(STRIDES, levels, strict=True):
        score = np.sqrt(np.clip(classes[:, 0], 0, 1) * np.clip(objectness[:, 0], 0, 1))
        cells = np.flatnonzero(score >= lowest_score)
        corner = np.stack([cells % (width // stride), cells // (width // stride)], axis=1).astype(np.float32)
        centre, half = corner + box[cells, :2], np.exp(box[cells, 2:]) / 2
        scores.append(score[cells])
        boxes.append(np.concatenate([centre - half, centre + half], axis=1) * stride)
        landmarks.append((points[cells].reshape(-1, 5, 2) + corner[:, None]) * stride)
    return Found(np.concatenate(boxes), np.concatenate(scores), np.concatenate(landmarks))
