"""A detector of presentation attacks for which dim photos are attacks."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import cv2
import numpy as np
import pytest

from app.types import Detection, Pixels
from app.vision.liveness import AttackSign, LivenessEvidence
from app.wiring.liveness import LivenessLoader

DIM = 90


class Brightness:
    """Takes the faces of dim photos for attacks; counts the photos that it sees."""

    def __init__(self) -> None:
        self.photos = 0

    def evidence(self, pixels: Pixels, detections: Sequence[Detection]) -> list[LivenessEvidence]:
        self.photos += 1
        is_dim = pixels[::8, ::8].mean() < DIM
        of_each = LivenessEvidence(0.05, (AttackSign.REGULAR_PATTERN,)) if is_dim else LivenessEvidence(0.95)
        return [of_each] * len(detections)

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Make it the detector of every service inside the block."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(LivenessLoader, "open", lambda _: self)
            yield


def dimmed(photo: bytes) -> bytes:
    """Return a photo with half its brightness."""
    pixels = cv2.imdecode(np.frombuffer(photo, np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None
    return cv2.imencode(".png", np.asarray(pixels // 2, np.uint8))[1].tobytes()
