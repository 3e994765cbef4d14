"""Networks that distinguish live faces from attacks, each with the crop that it was trained on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.types import Box, Floats, Pixels
from app.vision.inference.session import Session
from app.vision.liveness.crops import CropKind, crop


@dataclass(frozen=True, slots=True)
class LivenessInput:
    """A network's input: which crop, its side, colour order and divisor; and the index of the live class."""

    crop: CropKind
    scale: float
    side: int
    is_bgr: bool
    divisor: float
    live_class: int


class LivenessNetwork:
    """A network of crops (n, 3, side, side) to logits (n, classes)."""

    def __init__(self, session: Session, form: LivenessInput) -> None:
        self._session = session
        self._form = form

    def log_odds(self, pixels: Pixels, boxes: Sequence[Box]) -> Floats:
        """Return the log-odds (n,) that each face of a photo (height, width, 3), RGB, is live."""
        form = self._form
        crops = np.stack([crop(pixels, box, form.crop, scale=form.scale, side=form.side) for box in boxes])
        ordered = crops[..., ::-1] if form.is_bgr else crops
        batch = np.ascontiguousarray(ordered.transpose(0, 3, 1, 2), np.float32) / np.float32(form.divisor)
        logits = self._session.run(batch)[0]
        others = np.delete(logits, form.live_class, axis=1)
        largest = others.max(axis=1)
        against = largest + np.log(np.exp(others - largest[:, None]).sum(axis=1))
        log_odds: Floats = (logits[:, form.live_class] - against).astype(np.float32)
        return log_odds
