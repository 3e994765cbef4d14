"""The sequential model: one collection without concurrency, replicas or indexes."""

from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from tests.gallery.histories.history import MODELS, Operation


class Refused(Exception):
    """The model refuses an operation, with the code of the service's error."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass
class ModelPerson:
    """A person: faces with the photos that they come from."""

    faces: dict[str, str] = field(default_factory=dict)
    name: str | None = None
    is_over: bool = False


@dataclass
class State:
    """The collection after a write. `answers` are the identities of stored answers, by idempotency key."""

    model: str = next(iter(MODELS))
    people: dict[str, ModelPerson] = field(default_factory=dict)
    answers: dict[str, str] = field(default_factory=dict)

    def copy(self) -> "State":
        return deepcopy(self)

    def faces(self) -> dict[str, str]:
        """Return the owners of all faces."""
        return {face: name for name, person in self.people.items() for face in person.faces}

    def apply(self, operation: Operation) -> Any:
        """Change the state as the operation does, and return its result; raises Refused."""
        return getattr(self, f"_{operation.what}")(*operation.arguments)

    def is_known(self, identity: str, photos: list[str]) -> bool:
        person = self.people.get(identity)
        return person is not None and set(photos) <= set(person.faces.values())

    def _enroll(self, identity: str, faces: tuple[tuple[str, str], ...], key: str | None, name: str | None) -> Any:
        if key in self.answers:
            raise Refused("answered before")
        is_new = self._put(identity, faces, name)
        if key is not None:
            self.answers[key] = identity
        return is_new, tuple(face for face, _ in faces)

    def _put(self, identity: str, faces: tuple[tuple[str, str], ...], name: str | None = None) -> bool:
        is_new = identity not in self.people
        person = self.people.setdefault(identity, ModelPerson())
        person.faces |= dict(faces)
        person.name = name if name is not None else person.name
        return is_new

    def _import_(self, people: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]) -> Any:
        written = []
        for identity, faces in people:
            known = set(self.people[identity].faces.values()) if identity in self.people else set()
            new = tuple((face, photo) for face, photo in faces if photo not in known)
            if new:
                self._put(identity, new)
            written.append(tuple(face for face, _ in new))
        return tuple(written)

    def _bulk(self, identity: str, faces: tuple[tuple[str, str], ...]) -> Any:
        return len(faces), int(self._put(identity, faces))

    def _remove(self, identity: str) -> Any:
        self._person(identity)
        return tuple(sorted(self._gone(identity).faces))

    def _erase(self, identity: str) -> Any:
        if not self._person(identity).is_over:
            raise Refused("identity_unknown")
        return tuple(sorted(self._gone(identity).faces))

    def _gone(self, identity: str) -> ModelPerson:
        self._forget(identity)
        return self.people.pop(identity)

    def _remove_face(self, face: str) -> Any:
        owner = self._owner(face)
        del self.people[owner].faces[face]
        self._forget(owner)
        is_whole = not self.people[owner].faces
        if is_whole:
            del self.people[owner]
        return owner, is_whole

    def _remove_only_face(self, face: str) -> Any:
        owner = self._owner(face)
        del self.people[owner].faces[face]
        self._forget(owner)
        return owner

    def _create(self, identity: str) -> Any:
        if identity in self.people:
            raise Refused("identity_exists")
        self.people[identity] = ModelPerson()

    def _rename(self, identity: str, new: str) -> Any:
        person = self._person(identity)
        if new in self.people:
            raise Refused("identity_exists")
        self.people[new] = self.people.pop(identity)
        if person.name == identity:
            person.name = new
        self._answers_of(identity, new)

    def _merge(self, identity: str, into: str) -> Any:
        source, target = self._person(identity), self._person(into)
        if source is target:
            return
        target.faces |= source.faces
        target.name = target.name if target.name is not None else source.name
        target.is_over = target.is_over or source.is_over
        del self.people[identity]
        self._answers_of(identity, into)

    def _move(self, faces: tuple[str, ...], identity: str) -> Any:
        owners = {face: self._owner(face) for face in faces}
        moving = {face: owner for face, owner in owners.items() if owner != identity}
        for face, owner in moving.items():
            self._put(identity, ((face, self.people[owner].faces.pop(face)),))
        for owner in set(moving.values()):
            self._forget(owner)
            if not self.people[owner].faces:
                del self.people[owner]

    def _expire(self, identity: str, is_over: bool) -> Any:  # noqa: FBT001 - an argument of a history
        self._person(identity).is_over = is_over

    def _name(self, identity: str, name: str) -> Any:
        self._person(identity).name = name

    def _clear(self) -> Any:
        counts = len(self.people), len(self.faces())
        self.people, self.answers = {}, {}
        return counts

    def _migrate(self, model: str) -> Any:
        if model == self.model:
            raise Refused("request_invalid")
        self.model = model

    def _roll_back(self) -> Any:
        return self._migrate(next(each for each in MODELS if each != self.model))

    def _person(self, identity: str) -> ModelPerson:
        if identity not in self.people:
            raise Refused("identity_unknown")
        return self.people[identity]

    def _owner(self, face: str) -> str:
        for identity, person in self.people.items():
            if face in person.faces:
                return identity
        raise Refused("face_unknown")

    def _forget(self, identity: str) -> None:
        self.answers = {key: owner for key, owner in self.answers.items() if owner != identity}

    def _answers_of(self, identity: str, new: str) -> None:
        self.answers = {key: new if owner == identity else owner for key, owner in self.answers.items()}
