"""Enrolled faces."""

from arcid.calls import Body, Call, path, query, reading
from arcid.operations.forms import page_of
from arcid.resources import ErasureReceipt, Page, StoredFace


def page(
    *, collection: str = "default", identity_id: str | None = None, limit: int | None = None, cursor: str | None = None
) -> Call[Page[StoredFace]]:
    """List the faces of a collection, or of one person, one page."""
    listed = path("/collections/{collection}/faces", collection=collection)
    return page_of(listed, "faces", StoredFace, identity_id=identity_id, limit=limit, cursor=cursor)


def get(face_id: str, *, collection: str = "default", embedding: bool = False) -> Call[StoredFace]:
    """Show a face, with its embedding if that is asked for: it is biometric data."""
    asked = query(embedding=embedding or None)
    return Call("GET", _path(face_id, collection), reading(StoredFace), query=asked, is_repeatable=True)


def delete(face_id: str, *, collection: str = "default") -> Call[ErasureReceipt]:
    """Delete a face, and with the last one its person. As with people, it is not repeated."""
    return Call("DELETE", _path(face_id, collection), reading(ErasureReceipt))


def move(face_id: str, *, identity_id: str, collection: str = "default") -> Call[StoredFace]:
    """Give a face to another person, who is created if new; a person without faces is gone."""
    body = Body(json={"identity_id": identity_id})
    return Call("POST", _path(face_id, collection) + "/move", reading(StoredFace), body=body)


def _path(face_id: str, collection: str) -> str:
    return path("/collections/{collection}/faces/{face_id}", collection=collection, face_id=face_id)
