"""Enrolls people without photos."""

import numpy as np

from app.gallery.store.identities import IdentityStore
from app.gallery.store.values import Collection, NewFace, Person
from app.types import Detection
from app.vision.quality import Quality

DETECTION = Detection((0, 0, 9, 9), 0.9, np.zeros((5, 2), np.float32))


def enroll(store: IdentityStore, collection: Collection, number: int) -> None:
    """Enroll one face of one person, 2 KB of vector."""
    face = NewFace(f"face-{number}", np.ones(512, np.float32), 1, Quality(0.9), DETECTION, "0" * 64)
    store.enroll(collection, Person(f"p{number}"), [face])
