"""YuNet (Wu et al., "YuNet: A Tiny Millisecond-level Face Detector", Machine Intelligence Research 2023)."""

import numpy as np

from app.types import Floats, Pixels
from app.vision.detection.detections import Detections, bgr_planes
from app.vision.inference.session import Session

STRIDES = (8, 16, 32)
OUTPUTS = tuple(f"{kind}_{stride}" for stride in STRIDES for kind in ("cls", "obj", "bbox", "kps"))


class Yunet:
    """The network of OpenCV Zoo: BGR, 0..255, sides that are multiples of 32."""

    def __init__(self, session: Session) -> None:
        """Use a session that was opened with `OUTPUTS`."""
        self._session = session
        self.input_shape = session.fixed_size

    def find(self, views: Pixels, lowest_score: float) -> list[Detections]:
        """See `Network.find`."""
        outputs = self._session.run(bgr_planes(views))
        levels = [outputs[start : start + 4] for start in range(0, len(outputs), 4)]
        return [
            decode([tuple(array[row] for array in level) for level in levels], views.shape[2], lowest_score)
            for row in range(len(views))
        ]


def decode(levels: list[tuple[Floats, ...]], width: int, lowest_score: float) -> Detections:
    """Return the faces of one view that score at least `lowest_score`.

    `levels` has a tuple (cls (m, 1), obj (m, 1), bbox (m, 4), kps (m, 10)) for each stride, over the m cells of a grid,
    row by row. Offsets are in cells and sizes are logarithms. A score is the geometric mean of class and objectness.
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
    return Detections(np.concatenate(boxes), np.concatenate(scores), np.concatenate(landmarks))
