"""Enrolls vectors as people, without photos, and looks for them."""

from itertools import count

import numpy as np

from app.gallery.gallery import Gallery
from app.gallery.store.values import Collection, NewFace, Person
from app.recognition.candidates import nearest_candidates
from app.types import Detection, Floats
from app.vision.quality import Quality

D = 8
_numbers = count()


def units(number: int, *, seed: int) -> Floats:
    vectors = np.random.default_rng(seed).normal(size=(number, D))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def new_face(vector: Floats, quality: float = 1) -> NewFace:
    number = next(_numbers)
    detection = Detection((0, 0, 9, 9), 0.9, np.zeros((5, 2), np.float32))
    return NewFace(f"face-{number}", vector, 1, Quality(quality), detection, "0" * 64)


def enroll(gallery: Gallery, collection: Collection, identity_id: str, vectors: Floats) -> list[str]:
    """Enroll a face for each vector (n, d) and return their ids."""
    faces = [new_face(vector) for vector in vectors]
    assert gallery.add(collection, Person(identity_id, identity_id.title()), faces, None).keys
    return [face.face_id for face in faces]


def found(gallery: Gallery, collection: Collection, vector: Floats) -> str | None:
    (candidates,) = nearest_candidates(gallery, collection, vector[None], 1)
    return candidates[0].identity_id if candidates else None
