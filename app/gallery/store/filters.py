"""Which faces a search is restricted to by what is known of their people."""

import json
from collections.abc import Mapping

import numpy as np
from sqlalchemy import Connection, String, cast, select

from app.database.tables import FaceTable, IdentityTable
from app.gallery.store.values import Collection, FilteredFaces, JsonObject

Where = Mapping[str, str | float | bool | None]
"""Members that an identity's metadata must have, with these very values; true is not 1, 1.0 is 1."""

_LEAST_EXPONENT = 10**16  # from here on a float is written as 1e+16


def filter_faces(connection: Connection, collection: Collection, where: Where) -> FilteredFaces:
    """Return the faces of all people in a collection whose metadata match `where`.

    The database selects by the text of the metadata, which may select too many; then the values decide.
    """
    query = (
        select(FaceTable.id, FaceTable.identity_key, IdentityTable.metadata_)
        .join(IdentityTable, FaceTable.identity_key == IdentityTable.id)
        .where(IdentityTable.collection_id == collection.key)
    )
    text = cast(IdentityTable.metadata_, String)
    for name, value in where.items():
        query = query.where(text.contains(_written(name, value), autoescape=True))
    keys: list[int] = []
    people: dict[int, bool] = {}
    for key, identity, metadata in connection.execute(query):
        if identity not in people:
            people[identity] = _has(metadata, where)
        if people[identity]:
            keys.append(key)
    return FilteredFaces(np.array(sorted(keys), np.int64), sum(people.values()))


def _written(name: str, value: object) -> str:
    """Return how a member is stored, or how it starts: 7 may be "7" or "7.0", 0 also "-0.0"."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        if value == 0 or abs(value) >= _LEAST_EXPONENT:
            return f"{json.dumps(name)}: "
        value = int(value) if value == int(value) else value
    return f"{json.dumps(name)}: {json.dumps(value)}"


def _has(metadata: JsonObject, where: Where) -> bool:
    return all(name in metadata and _is_same(metadata[name], value) for name, value in where.items())


def _is_same(one: object, other: object) -> bool:
    return one == other and isinstance(one, bool) == isinstance(other, bool)
