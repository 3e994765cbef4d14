"""Edits of groups of unknown faces: state, merge, split, delete. Every method is one transaction.

Each edit locks the collection, changes the revision of its groups, and appends a line to the audit trail.
"""

from collections.abc import Collection as AnyOf
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import uuid4

from sqlalchemy import Engine, delete, insert, or_, select, update
from sqlalchemy.orm import Session

from app.database import audit
from app.database.audit import Action
from app.database.tables import CollectionTable
from app.database.unknown_face_tables import UnknownFaceTable, UnknownGroupTable, UnknownSeparationTable
from app.errors import IdentityExists, PreconditionFailed, RequestInvalid
from app.gallery.store import rows
from app.gallery.store.enrolled import LockedCollection
from app.gallery.store.unknown.faces import count_again
from app.gallery.store.unknown.groups import no_group, no_unknown_face
from app.gallery.store.unknown.values import GroupState, group_version
from app.gallery.store.values import Collection

Versions = AnyOf[str] | None


class GroupEditor:
    """Edits of groups.

    Every method raises CollectionUnknown, GroupUnknown, FaceUnknown, and PreconditionFailed if a group has none of the
    wanted `versions` (None: any will do).
    """

    def __init__(self, engine: Engine) -> None:
        self._writing = engine

    def set_state(self, collection: Collection, group_id: str, state: GroupState, versions: Versions = None) -> None:
        """Change the state of a group."""
        with Session(self._writing) as session, session.begin():
            lock(session, collection)
            group = required(session, collection, group_id, versions)
            if group.state != state:
                group.state, group.revision, group.updated_at = state, group.revision + 1, datetime.now(UTC)
                _note(session, Action.GROUP_CHANGED, collection, group_id, {"state": state.value})

    def create(self, collection: Collection, face_ids: Sequence[str]) -> str:
        """Make a group of faces that are in no group, and return its id; raises RequestInvalid if one is in a group."""
        with Session(self._writing) as session, session.begin():
            lock(session, collection)
            faces = _faces(session, collection, face_ids)
            if any(each.group_key is not None for each in faces):
                raise RequestInvalid.at("face_ids", "a face is in a group already; split that group")
            group = new_group(session, collection)
            _move(session, [each.id for each in faces], group.id)
            count_again(session, [group.id])
            _note(session, Action.GROUP_CREATED, collection, group.group_id, {"faces": len(faces)})
            return group.group_id

    def merge(self, collection: Collection, group_id: str, others: Sequence[str], versions: Versions = None) -> None:
        """Give the faces of other groups to a group, and delete these."""
        with Session(self._writing) as session, session.begin():
            lock(session, collection)
            group = required(session, collection, group_id, versions)
            gone = [required(session, collection, each, versions) for each in dict.fromkeys(others) if each != group_id]
            join(session, collection, group.id, [each.id for each in gone])
            group.state, group.updated_at = GroupState.OPEN, datetime.now(UTC)
            _note(session, Action.GROUP_MERGED, collection, group_id, {"from": [each.group_id for each in gone]})

    def split(self, collection: Collection, group_id: str, face_ids: Sequence[str], versions: Versions = None) -> str:
        """Move faces of a group to a new one, and return its id. The two are not merged again without a person.

        Raises RequestInvalid if no face would stay.
        """
        with Session(self._writing) as session, session.begin():
            lock(session, collection)
            group = required(session, collection, group_id, versions)
            faces = _faces(session, collection, face_ids)
            for each in faces:
                if each.group_key != group.id:
                    raise no_unknown_face(collection, each.face_id)
            if len(faces) >= group.faces:
                raise RequestInvalid.at("face_ids", "a split leaves at least one face in the group")
            new = new_group(session, collection)
            _move(session, [each.id for each in faces], new.id)
            separate(session, collection, new.id, [group.id, *apart_from(session, group.id)])
            count_again(session, [group.id, new.id])
            _note(session, Action.GROUP_SPLIT, collection, group_id, {"into": new.group_id, "faces": len(faces)})
            return new.group_id

    def delete(self, collection: Collection, group_id: str, versions: Versions = None) -> int:
        """Delete a group with its faces, and return the number of faces."""
        with Session(self._writing) as session, session.begin():
            lock(session, collection)
            group = required(session, collection, group_id, versions)
            dissolve(session, group)
            _note(session, Action.GROUP_DELETED, collection, group_id, {"faces": group.faces})
            return group.faces


def take_named(
    locked: LockedCollection,
    collection: Collection,
    group_id: str,
    *,
    identity_id: str,
    is_new: bool,
    kept: Sequence[str],
    versions: Versions = None,
) -> None:
    """Delete a group whose faces are enrolled in the same write; the faces `kept` are in no group then.

    Raises GroupUnknown, PreconditionFailed, IdentityExists if the person is not new, or IdentityUnknown.
    """
    session = locked.session
    group = required(session, collection, group_id, versions)
    there = rows.identity(session, collection, identity_id)
    if is_new and there is not None:
        raise IdentityExists(f"collection {collection.name!r} already has an identity {identity_id!r}")
    if not is_new and there is None:
        raise rows.nobody(collection, identity_id)
    dissolve(session, group, kept)


def lock(session: Session, collection: Collection) -> None:
    """Lock a collection for a write that changes no enrolled face; raises CollectionUnknown."""
    query = select(CollectionTable.id).where(CollectionTable.id == collection.key).with_for_update()
    if session.scalar(query) is None:
        raise rows.unknown(collection.name)


def required(session: Session, collection: Collection, group_id: str, versions: Versions = None) -> UnknownGroupTable:
    """Return the row of a group; raises GroupUnknown and PreconditionFailed."""
    query = select(UnknownGroupTable).where(
        UnknownGroupTable.collection_id == collection.key, UnknownGroupTable.group_id == group_id
    )
    group = session.scalar(query)
    if group is None:
        raise no_group(collection, group_id)
    if versions is not None and group_version(group_id, group.revision) not in versions:
        raise PreconditionFailed(f"group {group_id!r}")
    return group


def new_group(session: Session, collection: Collection) -> UnknownGroupTable:
    """Add an empty group."""
    now = datetime.now(UTC)
    group = UnknownGroupTable(
        group_id=str(uuid4()),
        collection_id=collection.key,
        state=GroupState.OPEN,
        faces=0,
        revision=0,
        created_at=now,
        updated_at=now,
    )
    session.add(group)
    session.flush()
    return group


def join(session: Session, collection: Collection, key: int, gone: Sequence[int]) -> None:
    """Give the faces and separations of the groups `gone` to another group, and delete them."""
    moved = update(UnknownFaceTable).where(UnknownFaceTable.group_key.in_(gone)).values(group_key=key)
    session.execute(moved, execution_options={"synchronize_session": False})
    apart = {other for each in gone for other in apart_from(session, each)} - {key, *gone}
    session.execute(delete(UnknownGroupTable).where(UnknownGroupTable.id.in_(gone)))
    separate(session, collection, key, sorted(apart))
    count_again(session, [key])


def dissolve(session: Session, group: UnknownGroupTable, kept: Sequence[str] = ()) -> None:
    """Delete a group and its faces, except the faces `kept`, which are in no group then."""
    if kept:
        loose = update(UnknownFaceTable).where(
            UnknownFaceTable.group_key == group.id, UnknownFaceTable.face_id.in_(kept)
        )
        session.execute(loose.values(group_key=None))
    session.execute(delete(UnknownFaceTable).where(UnknownFaceTable.group_key == group.id))
    session.execute(delete(UnknownGroupTable).where(UnknownGroupTable.id == group.id))


def separate(session: Session, collection: Collection, key: int, others: Sequence[int]) -> None:
    """Note that a group is of another person than others."""
    apart = apart_from(session, key)
    new = [sorted((key, other)) for other in others if other not in apart]
    pairs = [{"collection_id": collection.key, "first_key": low, "second_key": high} for low, high in new]
    if pairs:
        session.execute(insert(UnknownSeparationTable), pairs)


def apart_from(session: Session, key: int) -> set[int]:
    """Return the groups that are of another person than a group."""
    first, second = UnknownSeparationTable.first_key, UnknownSeparationTable.second_key
    read = session.execute(select(first, second).where(or_(first == key, second == key)))
    return {other for row in read for other in row} - {key}


def _faces(session: Session, collection: Collection, face_ids: Sequence[str]) -> list[UnknownFaceTable]:
    wanted = list(dict.fromkeys(face_ids))
    query = select(UnknownFaceTable).where(
        UnknownFaceTable.collection_id == collection.key, UnknownFaceTable.face_id.in_(wanted)
    )
    found = {each.face_id: each for each in session.scalars(query)}
    for face_id in wanted:
        if face_id not in found:
            raise no_unknown_face(collection, face_id)
    return [found[face_id] for face_id in wanted]


def _move(session: Session, face_keys: Sequence[int], group_key: int) -> None:
    moved = update(UnknownFaceTable).where(UnknownFaceTable.id.in_(face_keys)).values(group_key=group_key)
    session.execute(moved, execution_options={"synchronize_session": False})


def _note(session: Session, action: Action, collection: Collection, group_id: str, detail: dict[str, object]) -> None:
    audit.append(session, action, collection=collection.name, subject=group_id, detail=detail)
