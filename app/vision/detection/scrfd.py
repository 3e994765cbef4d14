"""SCRFD (Guo et al., "Sample and Computation Redistribution for Efficient Face Detection", ICLR 2022)."""

import numpy as np

from app.errors import NetworkInvalid
from app.types import Floats, Pixels
from app.vision.detection.detections import Detections
from app.vision.inference.session import Session

STRIDES = (8, 16, 32)
ANCHORS_PER_CELL = 2


class Scrfd:
    """The networks with landmarks in InsightFace's packs: RGB, (x - 127.5) / 128."""

    def __init__(self, session: Session) -> None:
        """Use a session with the nine published outputs: three of scores, three of boxes, three of landmarks.

        Raises NetworkInvalid if it has others: networks without landmarks cannot align a face.
        """
        if len(session.output_shapes) != 3 * len(STRIDES):
            raise NetworkInvalid("an SCRFD network with landmarks has nine outputs")
        self._session = session
        self.input_shape = session.fixed_size

    def find(self, views: Pixels, lowest_score: float) -> list[Detections]:
        """See `Network.find`. Each view is run alone: the published networks merge a batch into their anchors."""
        batch = ((views - np.float32(127.5)) / np.float32(128)).transpose(0, 3, 1, 2)
        return [
            decode(self._session.run(np.ascontiguousarray(view[None])), views.shape[2], lowest_score) for view in batch
        ]


def decode(outputs: list[Floats], width: int, lowest_score: float) -> Detections:
    """Return the faces of one view that score at least `lowest_score`, from the nine outputs.

    An anchor is the top left corner of its cell. A box is its four distances to left, top, right and bottom, and a
    landmark is an offset; both are in strides.
    """
    scores, boxes, landmarks = [], [], []
    for level, stride in enumerate(STRIDES):
        score, distance, points = (outputs[level + 3 * kind].reshape(-1, size) for kind, size in enumerate((1, 4, 10)))
        kept = np.flatnonzero(score[:, 0] >= lowest_score)
        cell = kept // ANCHORS_PER_CELL
        columns = -(-width // stride)
        anchor = np.stack([cell % columns, cell // columns], axis=1).astype(np.float32) * stride
        reach = distance[kept] * stride
        scores.append(score[kept, 0])
        boxes.append(np.concatenate([anchor - reach[:, :2], anchor + reach[:, 2:]], axis=1))
        landmarks.append(anchor[:, None] + points[kept].reshape(-1, 5, 2) * stride)
    return Detections(np.concatenate(boxes), np.concatenate(scores), np.concatenate(landmarks))
