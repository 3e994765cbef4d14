"""The embeddings of a history: each face has one vector for each model."""

from functools import cache

import numpy as np

from app.gallery.store.values import NewFace
from app.types import Detection, Floats
from app.vision.quality import Quality
from tests.gallery.histories.history import MODELS

_NOWHERE = Detection((0, 0, 9, 9), 0.9, np.zeros((5, 2), np.float32))


@cache
def vector_of(face: str, model: str) -> Floats:
    """Return the unit vector (d,) of a face by a model."""
    number = int(face.removeprefix("f"))
    vector = np.random.default_rng([number, len(model), MODELS[model]]).normal(size=MODELS[model])
    return np.asarray(vector / np.linalg.norm(vector), np.float32)


def new_face(face: str, photo: str, model: str) -> NewFace:
    """Return the template of a face."""
    return NewFace(face, vector_of(face, model), 1, Quality(1), _NOWHERE, photo)
