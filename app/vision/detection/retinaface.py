"""RetinaFace (Deng et al., "RetinaFace: Single-shot Multi-level Face Localisation in the Wild", CVPR 2020)."""

from functools import lru_cache

import numpy as np

from app.types import Floats, Pixels
from app.vision.detection.detections import Detections, bgr_planes
from app.vision.inference.session import Session

OUTPUTS = ("loc", "conf", "landmarks")

# Of the MobileNet-0.25 network of the PyTorch port (biubug6/Pytorch_Retinaface, MIT).
ANCHOR_SIDES = {8: (16, 32), 16: (64, 128), 32: (256, 512)}
CENTRE_VARIANCE, SIZE_VARIANCE = 0.1, 0.2
MEAN_BGR: Floats = np.array([104, 117, 123], np.float32)


class RetinaFace:
    """The MobileNet-0.25 network: BGR minus the mean colour, sides that are multiples of 32."""

    def __init__(self, session: Session) -> None:
        """Use a session that was opened with `OUTPUTS`."""
        self._session = session
        self.input_shape = session.fixed_size

    def find(self, views: Pixels, lowest_score: float) -> list[Detections]:
        """See `Network.find`."""
        batch = bgr_planes(views)
        batch -= MEAN_BGR[:, None, None]
        offsets, scores, points = self._session.run(batch)
        anchors = anchor_boxes(views.shape[1], views.shape[2])
        return [
            decode(offsets[row], scores[row, :, 1], points[row], anchors=anchors, lowest_score=lowest_score)
            for row in range(len(views))
        ]


@lru_cache(maxsize=32)
def anchor_boxes(height: int, width: int) -> Floats:
    """Return the anchors (m, 4) of a view in the network's order: centre x, centre y, side, side, in pixels."""
    grids = []
    for stride, sides in ANCHOR_SIDES.items():
        y, x = np.mgrid[: height // stride, : width // stride].astype(np.float32)
        centres = np.stack([(x.ravel() + 0.5) * stride, (y.ravel() + 0.5) * stride], axis=1)
        squares = np.repeat(np.array(sides, np.float32)[:, None], 2, axis=1)
        grids.append(np.hstack([np.repeat(centres, len(sides), axis=0), np.tile(squares, (len(centres), 1))]))
    return np.concatenate(grids)


def decode(offsets: Floats, scores: Floats, points: Floats, *, anchors: Floats, lowest_score: float) -> Detections:
    """Return the faces that score at least `lowest_score`, from offsets (m, 4), scores (m,) and points (m, 10)."""
    kept = np.flatnonzero(scores >= lowest_score)
    centre, side = anchors[kept, :2], anchors[kept, 2:]
    middle = centre + offsets[kept, :2] * CENTRE_VARIANCE * side
    half = side * np.exp(offsets[kept, 2:] * SIZE_VARIANCE) / 2
    landmarks = centre[:, None] + points[kept].reshape(-1, 5, 2) * CENTRE_VARIANCE * side[:, None]
    return Detections(np.concatenate([middle - half, middle + half], axis=1), scores[kept], landmarks)
