"""Detection cascade: a fast detector finds the faces, a precise network places their landmarks on crops."""

from collections.abc import Sequence

import numpy as np

from app.types import Detection, Pixels
from app.vision.detection.boxes import overlaps
from app.vision.detection.detections import Detections, Detector, Network
from app.vision.detection.main_face import most_prominent_first
from app.vision.detection.views import PhotoView
from app.vision.imaging.warp import warp

# Size of a face for the landmarker, and side of the crop around it; figures are in docs/adr/0004-cascade-detector.md.
FACE_SIDE = 160
CROP_SIDE = 320
# The same for probes that should cost less (docs/adr/0019-effort-for-probes.md).
SMALL_FACE_SIDE = 96
SMALL_CROP_SIDE = 192

_LOWEST_SCORE = 0.3
_SAME_FACE = 0.3
_LARGEST_BATCH = 8


class Cascade:
    """Detector that finds faces with `finder`, and places their landmarks with `landmarker`.

    If the finder finds no face (noise, odd angles), `fallback` searches the whole photo.
    """

    def __init__(
        self,
        finder: Detector,
        landmarker: Network,
        fallback: Detector,
        *,
        most: int = 100,
        face_side: int = FACE_SIDE,
        crop_side: int = CROP_SIDE,
    ) -> None:
        """Create the cascade.

        Args:
            finder: Finds the faces.
            landmarker: Places landmarks on a view of each face.
            fallback: Finds faces if the finder finds none.
            most: Number of most prominent faces with landmarks of `landmarker`; others keep the finder's.
            face_side: Pixels of the longer side of a face in its view.
            crop_side: Pixels of a side of the view.
        """
        self._face_side, self._crop_side = face_side, crop_side
        self._finder = finder
        self._landmarker = landmarker
        self._fallback = fallback
        self._most = most

    def detect(self, pixels: Pixels) -> list[Detection]:
        """See `Detector.detect`."""
        return self.place_landmarks(pixels, self._finder.detect(pixels) or self._fallback.detect(pixels))

    def place_landmarks(self, pixels: Pixels, detections: Sequence[Detection]) -> list[Detection]:
        """Return the faces of a photo (height, width, 3), RGB, the most prominent ones with the landmarker's points."""
        faces = list(detections)
        prominent = {id(face) for face in most_prominent_first(faces, pixels.shape)[: self._most]}
        refined = [index for index, face in enumerate(faces) if id(face) in prominent]
        for start in range(0, len(refined), _LARGEST_BATCH):
            batch = refined[start : start + _LARGEST_BATCH]
            views = [self._close_view(pixels, faces[index]) for index in batch]
            marked = self._landmarker.find(np.stack([view.pixels for view in views]), _LOWEST_SCORE)
            for index, view, found in zip(batch, views, marked, strict=True):
                faces[index] = _with_landmarks(faces[index], view.to_photo(found))
        return faces

    def _close_view(self, pixels: Pixels, detection: Detection) -> PhotoView:
        """Return a square view around the face, scaled so that its longer side has `face_side` pixels."""
        left, top, right, bottom = detection.box
        scale, middle = self._face_side / max(right - left, bottom - top, 1.0), self._crop_side / 2
        x, y = middle - scale * (left + right) / 2, middle - scale * (top + bottom) / 2
        matrix = np.array([[scale, 0, x], [0, scale, y]])
        return PhotoView(warp(pixels, matrix, self._crop_side), scale, x, y)


def _with_landmarks(detection: Detection, candidates: Detections) -> Detection:
    """Return the detection with the landmarks of the landmarker's face at the same place, if there is one."""
    overlap = overlaps(np.array(detection.box, np.float32), candidates.boxes)
    likely = np.where(overlap >= _SAME_FACE, overlap * candidates.scores, 0)
    if not likely.any():
        return detection
    return Detection(detection.box, detection.score, candidates.landmarks[int(likely.argmax())])
