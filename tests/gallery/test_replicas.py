"""Replicas with separate indexes agree with the database after any sequence of events."""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import count

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from app.gallery.gallery import Gallery
from app.gallery.index.flat import FlatIndex
from app.gallery.index.growing import GrowingIndex
from app.gallery.index.protocol import VectorIndex
from app.gallery.store.values import Person
from tests.recognition.enrolling import D, new_face, units
from tests.recognition.galleries import compared, gallery_on, index_of

KINDS: dict[str, Callable[[int], VectorIndex]] = {
    "flat": partial(FlatIndex, block_rows=8),
    "growing": partial(GrowingIndex, limit=12, block_rows=8),
}
_numbers = count()


@pytest.fixture(scope="module")
def kept_engine(databases) -> Iterator[Engine]:
    with databases.engine() as engine:
        yield engine


WRITES = ["enroll", "enroll", "enroll", "remove face", "remove person"]
STEP = st.tuples(st.sampled_from([*WRITES, "follow", "save", "restart"]), st.integers(0, 1), st.integers(0, 9))


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=15)
@given(steps=st.lists(STEP, min_size=5, max_size=30))
def test_replicas_converge(kept_engine, tmp_path_factory, kind, steps):  # noqa: C901 - a history's steps
    model, folder = f"net {next(_numbers)}", tmp_path_factory.mktemp("replicas")

    def start(name: int) -> Gallery:
        gallery = gallery_on(kept_engine, KINDS[kind], model=model, dimension=D, folder=folder / str(name))
        gallery.ensure(model)
        gallery.open()
        return gallery

    replicas = [start(0), start(1)]
    faces: dict[int, tuple[str, str]] = {}  # by key: face id and person
    for number, (what, which, choice) in enumerate(steps):
        gallery = replicas[which]
        collection = gallery.require(model)
        person, gone = f"p{choice % 4}", {}
        if what == "enroll":
            new = [new_face(vector) for vector in units(1 + choice % 3, seed=number)]
            keys = gallery.add(collection, Person(person), new, None).keys
            faces |= {key: (face.face_id, person) for key, face in zip(keys, new, strict=True)}
            assert not np.isnan(index_of(gallery, model).vectors(np.array(keys))).any()
        elif what == "remove face" and faces:
            key = sorted(faces)[choice % len(faces)]
            gallery.remove_face(collection, faces[key][0])
            gone = {key: faces.pop(key)}
        elif what == "remove person" and person in {owner for _, owner in faces.values()}:
            gallery.remove_identity(collection, person)
            gone = {key: face for key, face in faces.items() if face[1] == person}
            faces = {key: face for key, face in faces.items() if key not in gone}
        elif what == "follow":
            gallery.follow()
            assert compared(kept_engine, gallery, model).is_empty()
        elif what == "save":
            gallery.save()
        elif what == "restart":
            gallery.close() if choice % 2 else None  # or killed
            replicas[which] = start(which)
            assert compared(kept_engine, replicas[which], model).is_empty()
        if gone:
            assert np.isnan(index_of(gallery, model).vectors(np.array(list(gone)))).all()
    for gallery in replicas:
        gallery.follow()
        assert compared(kept_engine, gallery, model).is_empty()
        assert index_of(gallery, model).keys().tolist() == sorted(faces)
        gallery.close()
