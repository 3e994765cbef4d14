"""Remembers unknown faces without photos."""

from datetime import UTC, datetime
from itertools import count

import numpy as np

from app.database.cipher import Sealed
from app.gallery.store.unknown.values import FaceOrigin, NewUnknownFace
from app.types import Detection, Floats
from app.vision.quality import Quality, Reason
from tests.gallery.store.enrolling import D

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)
_numbers = count()


def unknown_face(
    vector: Floats | None = None,
    *,
    photo: int | None = None,
    place: int = 0,
    quality: float = 0.5,
    seen_at: datetime = NOON,
    crop: Sealed | None = None,
) -> NewUnknownFace:
    number = next(_numbers)
    if vector is None:
        vector = np.asarray(np.random.default_rng(number).normal(size=D), np.float32)
    landmarks = np.arange(10, dtype=np.float32).reshape(5, 2) + number
    return NewUnknownFace(
        f"unknown-{number}",
        vector,
        12.5,
        Quality(quality, (Reason.BLURRED,)),
        Detection((1.5, -2, 30, 40.25), 0.75, landmarks),
        f"{number if photo is None else photo:064x}",
        place,
        FaceOrigin.CAMERA,
        seen_at,
        "door",
        crop,
    )
