"""Enrolls people without photos."""

from itertools import count

import numpy as np

from app.gallery.store.identities import IdentityStore
from app.gallery.store.values import Collection, NewFace, Person
from app.types import Detection, Floats
from app.vision.quality import Quality

D = 4
_numbers = count()


def new_face(vector: Floats | None = None, quality: float = 0.5) -> NewFace:
    number = next(_numbers)
    if vector is None:
        vector = np.asarray(np.random.default_rng(number).normal(size=D), np.float32)
    landmarks = np.arange(10, dtype=np.float32).reshape(5, 2) + number
    detection = Detection((1.5, -2, 30, 40.25), 0.75, landmarks)
    return NewFace(f"face-{number}", vector, 12.5, Quality(quality), detection, f"{number:064x}")


def enroll(store: IdentityStore, collection: Collection, identity_id: str, faces: int = 1) -> list[NewFace]:
    new = [new_face() for _ in range(faces)]
    store.enroll(collection, Person(identity_id), new)
    return new
