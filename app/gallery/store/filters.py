"""Metadata filter (`where`): the face keys that a search may return."""

import json
from collections.abc import Mapping

import numpy as np
from sqlalchemy import Connection, String, cast, select

from app.database.tables import FaceTable, IdentityTable
from app.gallery.store.values import Collection, FilteredFaces, JsonObject

Where = Mapping[str, str | float | bool | None]
"""Members that an identity's metadata must have, with equal values; true differs from 1, 1.0 equals 1."""

_LEAST_EXPONENT = 10**16  # from here on a float is written as 1e+16


def filter_faces(connection: Connection, collection: Collection, where: Where) -> FilteredFaces:
    """Return the faces of the identities in a collection whose metadata matches `where`.

    The database preselects by the text of the metadata; then the values are compared.
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
    """Return a member as stored text, or its beginning: 7 may be "7" or "7.0", 0 also "-0.0"."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        if value == 0 or abs(value) >= _LEAST_EXPONENT:
            return f"{json.dumps(name)}: "
        value = int(value) if value == int(value) else value
    return f"{json.dumps(name)}: {json.dumps(value)}"


def _has(metadata: JsonObject, where: Where) -> bool:
    return all(name in metadata and _is_same(metadata[name], value) for name, value in where.items())


def _is_same(one: object, other: object) -> bool:
    return one == other and isinstance(one, bool) == isinstance(other, bool)
