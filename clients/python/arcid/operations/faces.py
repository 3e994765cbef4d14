"""Enrolled faces."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from arcid.calls import Body, Call, path, query, value_reader, without_none
from arcid.operations.resource_calls import list_call
from arcid.resources import Consent, ErasureReceipt, Identity, Page, StoredFace


def page(
    *, collection: str = "default", identity_id: str | None = None, limit: int | None = None, cursor: str | None = None
) -> Call[Page[StoredFace]]:
    """List the faces of a collection or of one person, one page."""
    listed = path("/collections/{collection}/faces", collection=collection)
    return list_call(listed, "faces", StoredFace, identity_id=identity_id, limit=limit, cursor=cursor)


def get(face_id: str, *, collection: str = "default", embedding: bool = False) -> Call[StoredFace]:
    """Return a face. With `embedding`, the answer contains its embedding, which is biometric data."""
    parameters = query(embedding=embedding or None)
    return Call("GET", _path(face_id, collection), value_reader(StoredFace), query=parameters, is_repeatable=True)


def image(face_id: str, *, collection: str = "default") -> Call[bytes]:
    """Return the image of a face, a small JPEG. Raises NotFound if the collection keeps no crops."""
    return Call("GET", _path(face_id, collection) + "/image", lambda reply: reply.content, is_repeatable=True)


def delete(face_id: str, *, collection: str = "default") -> Call[ErasureReceipt]:
    """Delete a face, and its person with the last face. The call is not retried, like the deletion of a person."""
    return Call("DELETE", _path(face_id, collection), value_reader(ErasureReceipt))


def move(face_id: str, *, identity_id: str, collection: str = "default") -> Call[StoredFace]:
    """Move a face to another person, who is created if new. A person without faces is deleted."""
    body = Body(json={"identity_id": identity_id})
    return Call("POST", _path(face_id, collection) + "/move", value_reader(StoredFace), body=body)


def move_several(
    face_ids: Sequence[str],
    *,
    identity_id: str,
    collection: str = "default",
    name: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    consent: Consent | None = None,
    expires_at: datetime | None = None,
) -> Call[Identity]:
    """Move faces to one person, all or none; a new person gets the name, metadata, consent and expiry.

    This undoes a merge. People without faces are deleted.
    """
    members: dict[str, Any] = {"face_ids": list(face_ids), "identity_id": identity_id}
    members |= {"name": name, "metadata": metadata, "consent": consent, "expires_at": expires_at}
    address = path("/collections/{collection}/faces/move", collection=collection)
    return Call("POST", address, value_reader(Identity), body=Body(json=without_none(members)))


def _path(face_id: str, collection: str) -> str:
    return path("/collections/{collection}/faces/{face_id}", collection=collection, face_id=face_id)
