"""MTCNN: a cascade of three small networks (proposals, refinement, output)."""

from dataclasses import dataclass

import numpy as np

from app.types import Detection, Floats, Pixels
from app.vision.detection import mtcnn_decoding as geometry
from app.vision.detection.boxes import nms
from app.vision.detection.detections import Detections
from app.vision.inference.session import Session

PNET_OUTPUTS = RNET_OUTPUTS = ("probability", "box")
ONET_OUTPUTS = ("probability", "box", "landmarks")
RNET_SIDE, ONET_SIDE = 24, 48


@dataclass(frozen=True, slots=True)
class MtcnnOptions:
    """Options of MTCNN. The defaults are the published values, except for the smallest face (published: 20).

    `min_face`: side of the smallest face to detect, in pixels; the time grows with the inverse of its square.
    `factor`: ratio of one level of the pyramid to the previous one.
    `pnet_score`, `rnet_score`, `onet_score`: lowest score of a face in each network, 0..1.
    `level_overlap`, `overlap`: boxes of one level, or of all levels, that overlap more are one face; see `nms`.
    `batch`: most crops in one run of a network.
    """

    min_face: float = 40
    factor: float = 0.709
    pnet_score: float = 0.6
    rnet_score: float = 0.7
    onet_score: float = 0.7
    level_overlap: float = 0.5
    overlap: float = 0.7
    batch: int = 64


class Mtcnn:
    """MTCNN (Zhang et al., "Joint Face Detection and Alignment Using Multitask Cascaded Convolutional Networks", 2016).

    The sessions are those of `app.vision.inference.conversion.mtcnn`, opened with `PNET_OUTPUTS`, `RNET_OUTPUTS` and
    `ONET_OUTPUTS`.
    """

    def __init__(self, pnet: Session, rnet: Session, onet: Session, options: MtcnnOptions = MtcnnOptions()) -> None:
        self._pnet, self._rnet, self._onet = pnet, rnet, onet
        self._options = options

    def detect(self, pixels: Pixels) -> list[Detection]:
        """See `Detector.detect`."""
        proposals = self._propose(pixels)
        refined = self._refine(pixels, proposals)
        return self._finish(pixels, refined).to_list()

    def _propose(self, pixels: Pixels) -> Floats:
        """Return the squares (m, 4) that P-Net proposes."""
        options = self._options
        scales = geometry.pyramid(min(pixels.shape[:2]), options.min_face, options.factor)
        levels = [self._propose_at(pixels, scale) for scale in scales]
        if not levels:
            return np.empty((0, 4), np.float32)
        boxes, scores, offsets = (np.concatenate(parts) for parts in zip(*levels, strict=True))
        kept = nms(boxes, scores, options.overlap)
        return geometry.squares(geometry.shift(boxes[kept], offsets[kept]))

    def _propose_at(self, pixels: Pixels, scale: float) -> tuple[Floats, Floats, Floats]:
        """Return windows (m, 4), scores (m,) and offsets (m, 4) at one level of the pyramid."""
        level = geometry.resize(pixels, scale)
        probability, offsets = self._pnet.run(geometry.pad(geometry.normalise(level[None])))
        cells = np.argwhere(probability[0, 0] >= self._options.pnet_score)
        rows, columns = cells.T
        boxes = geometry.windows(cells, (pixels.shape[1] / level.shape[1], pixels.shape[0] / level.shape[0]))
        scores = probability[0, 0, rows, columns]
        kept = nms(boxes, scores, self._options.level_overlap)
        return boxes[kept], scores[kept], offsets[0][:, rows, columns].T[kept]

    def _refine(self, pixels: Pixels, boxes: Floats) -> Floats:
        """Return refined squares (k, 4) of those proposals `boxes` (m, 4) that R-Net accepts."""
        probability, offsets = self._look(pixels, boxes, self._rnet, RNET_SIDE)
        passed = probability[:, 0] > self._options.rnet_score
        boxes, scores, offsets = boxes[passed], probability[passed, 0], offsets[passed]
        kept = nms(boxes, scores, self._options.overlap)
        return geometry.squares(geometry.shift(boxes[kept], offsets[kept]))

    def _finish(self, pixels: Pixels, boxes: Floats) -> Detections:
        """Return the faces that O-Net finds in the squares `boxes` (m, 4), best first."""
        probability, offsets, points = self._look(pixels, boxes, self._onet, ONET_SIDE)
        faces = Detections(geometry.shift(boxes, offsets), probability[:, 0], geometry.landmarks(points, boxes))
        faces = faces.take(faces.scores > self._options.onet_score)
        return faces.take(nms(faces.boxes, faces.scores, self._options.overlap, "min"))

    def _look(self, pixels: Pixels, boxes: Floats, network: Session, side: int) -> list[Floats]:
        """Return all outputs (m, ...) of a network for the squares `boxes` (m, 4) of the photo, run in batches."""
        starts = range(0, max(len(boxes), 1), self._options.batch)
        batches = [geometry.crops(pixels, boxes[start : start + self._options.batch], side) for start in starts]
        outputs = [network.run(geometry.normalise(batch)) for batch in batches]
        return [np.concatenate(parts) for parts in zip(*outputs, strict=True)]
