"""The operations of a history, as the service performs them on a replica."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import numpy as np

from app.gallery.gallery import Gallery
from app.gallery.index_state import ErasureResult
from app.gallery.store.bulk import FaceBlock
from app.gallery.store.records import PersonChange
from app.gallery.store.snapshot import MovedFace, MovedPerson
from app.gallery.store.values import Collection, EnrolledIdentity, IdempotencyRecord, Person, RemovalResult
from app.recognition.retry_on_migration import retry_on_migration
from tests.gallery.histories.history import MODELS, PEOPLE, Found
from tests.gallery.histories.replica import Replica
from tests.gallery.histories.vectors import new_face, vector_of

Done = tuple[Any, int | None]
"""The result, and the revision of a write."""
_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
_EVERYBODY = 50


class Names:
    """Chooses the arguments of operations."""

    def __init__(self, rng: Random, faces: Callable[[], list[tuple[str, str]]], numbers: Iterator[int]) -> None:
        """`faces` returns the enrolled faces and their owners, some of which may be gone when they are used."""
        self._rng, self._faces, self._numbers = rng, faces, numbers

    def of(self, what: str) -> tuple[Any, ...]:
        """Return arguments for an operation."""
        known = self._faces()
        anybody = self._rng.choice(known)[1] if known and self._rng.random() < 0.9 else self.person()
        face = self._rng.choice(known)[0] if known else "f0"
        choices: dict[str, Callable[[], tuple[Any, ...]]] = {
            "enroll": self.enrollment,
            "import_": lambda: (tuple((name, self.photos()) for name in {self.person(): 0, self.person(): 0}),),
            "bulk": lambda: (self.person(), self.new_faces()),
            "remove_face": lambda: (face,),
            "remove_only_face": lambda: (face,),
            "create": lambda: (self.person(),),
            "rename": lambda: (anybody, self.person()),
            "merge": lambda: (anybody, self._rng.choice(known)[1] if known else self.person()),
            "move": lambda: (tuple(sorted({face, self._rng.choice(known)[0] if known else face})), self.person()),
            "expire": lambda: (anybody, self._rng.random() < 0.8),
            "name": lambda: (anybody, f"n{self._rng.randrange(9)}"),
            "migrate": lambda: (self._rng.choice(list(MODELS)),),
            "search": lambda: (face,),
        }
        return choices[what]() if what in choices else (anybody,) if what in {"remove", "get"} else ()

    def person(self) -> str:
        return f"p{self._rng.randrange(6)}"

    def new_faces(self) -> tuple[tuple[str, str], ...]:
        numbers = [next(self._numbers) for _ in range(self._rng.choice((1, 1, 2, 3)))]
        return tuple((f"f{number}", f"photo {number}") for number in numbers)

    def photos(self) -> tuple[tuple[str, str], ...]:
        """Return new faces of photos that may be enrolled already."""
        photos = self._rng.sample(range(4), self._rng.choice((1, 2)))
        return tuple((f"f{next(self._numbers)}", f"imported {photo}") for photo in photos)

    def enrollment(self) -> tuple[Any, ...]:
        key = f"key {next(self._numbers)}" if self._rng.random() < 0.4 else None
        name = f"n{self._rng.randrange(9)}" if self._rng.random() < 0.3 else None
        return self.person(), self.new_faces(), key, name


@retry_on_migration
def enroll(replica: Replica, identity: str, faces: Any, key: str | None, name: str | None) -> Done:
    gallery, collection = gallery_of(replica), replica.collection()
    retry = None if key is None else IdempotencyRecord(key, "0" * 64, {"key": key})
    if retry is not None and (earlier := gallery.earlier_answer(collection, retry)) is not None:
        return earlier.earlier_answer, None
    new = [new_face(face, photo, collection.model) for face, photo in faces]
    written = gallery.add(collection, Person(identity, name), new, retry)
    if written.earlier_answer is not None:
        return written.earlier_answer, None
    return (written.is_new, tuple(face.face_id for face in written.faces)), written.revision


@retry_on_migration
def import_(replica: Replica, people: Any) -> Done:
    gallery, collection = gallery_of(replica), replica.collection()
    new = [(Person(name), [new_face(face, photo, collection.model) for face, photo in faces]) for name, faces in people]
    written = gallery.add_people(collection, new)
    result = tuple(tuple(face.face_id for face in each.faces) for each in written)
    return result, written[0].revision if any(result) else None


@retry_on_migration
def bulk(replica: Replica, identity: str, faces: Any) -> Done:
    gallery, collection = gallery_of(replica), replica.collection()
    now = datetime.now(UTC)
    landmarks = ((0.0, 0.0),) * 5
    moved = [MovedFace(face, identity, 1, 1, (0, 0, 9, 9), landmarks, 0.9, photo, now) for face, photo in faces]
    vectors = np.stack([vector_of(face, collection.model) for face, _ in faces])
    block = FaceBlock([MovedPerson(identity, None, None, now, now)], moved, vectors)
    written = replica.bulk.add(collection, block, origin={})
    gallery.catch_up(collection, written.revision)
    return (written.faces, written.identities), written.revision


@retry_on_migration
def remove(replica: Replica, identity: str) -> Done:
    collection = replica.collection()
    removed = _erased(replica, collection, gallery_of(replica).remove_identity(collection, identity))
    return tuple(sorted(removed.face_ids)), removed.revision


@retry_on_migration
def remove_face(replica: Replica, face: str) -> Done:
    collection = replica.collection()
    removed = _erased(replica, collection, gallery_of(replica).remove_face(collection, face))
    return (removed.identity_id, removed.is_whole), removed.revision


@retry_on_migration
def remove_only_face(replica: Replica, face: str) -> Done:
    collection = replica.collection()
    example, removed = replica.subjects.remove_face(collection, face)
    gallery_of(replica).finish_removal(collection, removed)
    return example.identity_id, removed.revision


def _erased(replica: Replica, collection: Collection, result: ErasureResult) -> RemovalResult:
    """Return the removal; the collection's snapshot must be purged if the result has a number of files."""
    if result.files is not None:
        left = replica.saved().get(collection.uid, set()) & set(result.removed.keys)
        assert not left, f"{replica.name} keeps snapshots of erased faces {left}"
    return result.removed


def _written(replica: Replica, write: Callable[[Any], Any]) -> Done:
    """Make an edit as the service does, and bring the index up to its revision."""
    gallery, collection = gallery_of(replica), replica.collection()
    done = write(collection)
    revision: int = done if isinstance(done, int) else done.revision
    gallery.catch_up(collection, revision)
    return None, revision


@retry_on_migration
def create(replica: Replica, identity: str) -> Done:
    return _written(replica, lambda of: replica.subjects.create(of, Person(identity)))


@retry_on_migration
def rename(replica: Replica, identity: str, new: str) -> Done:
    return _written(replica, lambda of: replica.subjects.rename(of, identity, new))


@retry_on_migration
def merge(replica: Replica, identity: str, into: str) -> Done:
    return _written(replica, lambda of: replica.editing.merge(of, identity, into))


@retry_on_migration
def move(replica: Replica, faces: tuple[str, ...], identity: str) -> Done:
    return _written(replica, lambda of: replica.editing.move_faces(of, faces, Person(identity)))


@retry_on_migration
def expire(replica: Replica, identity: str, is_over: bool) -> Done:  # noqa: FBT001 - an argument of a history
    change = PersonChange(expires_at=_LONG_AGO if is_over else None, has_expires_at=True)
    return _written(replica, lambda of: replica.editing.change(of, identity, change))


@retry_on_migration
def name(replica: Replica, identity: str, new: str) -> Done:
    return _written(replica, lambda of: replica.editing.change(of, identity, PersonChange(name=new, has_name=True)))


@retry_on_migration
def clear(replica: Replica) -> Done:
    collection = replica.collection()
    cleared = replica.subjects.clear(collection)
    gallery_of(replica).catch_up(collection, cleared.revision)
    return (cleared.identities, cleared.faces), cleared.revision


def migrate(replica: Replica, model: str) -> Done:
    done = replica.migration.switch(PEOPLE, model, is_rest_dropped=False)
    return None, done.collection.revision


def prepare(replica: Replica) -> Done:
    """Embed all faces with the other model, and do not switch."""
    (other,) = set(MODELS) - {replica.collection().model}
    replica.migration.embed_and_switch(PEOPLE, other, is_rest_dropped=False, is_switched=False)
    return None, None


def roll_back(replica: Replica) -> Done:
    prepare(replica)  # faces enrolled since the switch
    done = replica.migration.roll_back(PEOPLE, is_rest_dropped=False)
    return None, done.collection.revision


def discard(replica: Replica) -> Done:
    replica.migration.discard(PEOPLE)
    return None, None


@retry_on_migration
def search(replica: Replica, face: str) -> Done:
    collection = replica.collection()
    people = gallery_of(replica).nearest_identities(collection, vector_of(face, collection.model)[None], _EVERYBODY)
    return _found(people), None


@retry_on_migration
def get(replica: Replica, identity: str) -> Done:
    return _found([gallery_of(replica).enrolled(replica.collection(), identity)]), None


def save(replica: Replica) -> Done:
    gallery_of(replica).save()
    return None, None


def follow(replica: Replica) -> Done:
    replica.worker.step()
    return None, None


def trim(replica: Replica) -> Done:
    """Delete the whole change log."""
    replica.log.trim(datetime.now(UTC) + timedelta(days=1))
    return None, None


def rebuild(replica: Replica) -> Done:
    for projection in list(gallery_of(replica)._projections.values()):
        projection.rebuild()
    return None, None


def gallery_of(replica: Replica) -> Gallery:
    assert replica.gallery is not None
    return replica.gallery


def _found(people: list[EnrolledIdentity]) -> Found:
    found = Found()
    for each in people:
        found.model = each.model
        found.people[each.identity_id] = each.name, frozenset(each.face_ids)
        vectors = [vector_of(face, each.model) for face in each.face_ids]
        found.is_genuine &= np.array_equal(each.vectors, np.stack(vectors))
    return found


OPERATIONS: dict[str, Callable[..., Done]] = {
    each.__name__: each
    for each in (
        enroll, import_, bulk, remove, remove_face, remove_only_face, create, rename, merge, move, expire, name, clear,
        migrate, roll_back, prepare, discard, search, get, save, follow, trim, rebuild,
    )
}  # fmt: skip
WEIGHTS = {
    "enroll": 14, "import_": 4, "bulk": 3, "remove": 6, "remove_face": 5, "remove_only_face": 2, "create": 1,
    "rename": 2, "merge": 4, "move": 4, "expire": 4, "name": 1, "clear": 1, "migrate": 3, "roll_back": 1, "prepare": 2,
    "discard": 1, "search": 16, "get": 3, "save": 4, "sweep": 2, "trim": 1, "rebuild": 2,
}  # fmt: skip
"""How often clients choose an operation."""
