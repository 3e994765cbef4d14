"""Enrolled people."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, TypedDict, Unpack

from arcid.calls import Body, Call, path, value_reader
from arcid.operations.resource_calls import list_call, patch_call
from arcid.resources import Consent, ErasureReceipt, Identity, IdentityAnswer, Page, PersonExport

Order = Literal["oldest", "newest", "name", "faces", "quality"]


class IdentityChange(TypedDict, total=False):
    """Changes of a person. None removes the value; for `expires_at`, it restores the retention of the collection."""

    name: str | None
    metadata: Mapping[str, Any] | None
    consent: Consent | None
    expires_at: datetime | None


def page(
    *,
    collection: str = "default",
    q: str | None = None,
    order: Order | None = None,
    limit: int | None = None,
    cursor: str | None = None,
) -> Call[Page[Identity]]:
    """List people, one page, the oldest first; `q` has beginnings of words of a name or id."""
    listed = path("/collections/{collection}/identities", collection=collection)
    return list_call(listed, "identities", Identity, q=q, order=order, limit=limit, cursor=cursor)


def get(identity_id: str, *, collection: str = "default") -> Call[IdentityAnswer]:
    """Return a person with the first of their faces and the `etag` of the version."""
    return Call("GET", _path(identity_id, collection), value_reader(IdentityAnswer), is_repeatable=True)


def patch(
    identity_id: str, *, collection: str = "default", etag: str | None = None, **change: Unpack[IdentityChange]
) -> Call[Identity]:
    """Replace the given values: name, metadata, consent or expiry.

    With `etag`, the change is made only if the person still has this version; otherwise PreconditionFailed is raised.
    """
    return patch_call(_path(identity_id, collection), Identity, change, etag)


def delete(identity_id: str, *, collection: str = "default") -> Call[ErasureReceipt]:
    """Erase a person. Once the call returns, no search finds them.

    The call is not retried if its answer was lost: the retry would raise NotFound instead of returning the receipt.
    """
    return Call("DELETE", _path(identity_id, collection), value_reader(ErasureReceipt))


def merge(identity_id: str, *, into: str, collection: str = "default") -> Call[Identity]:
    """Move all faces of a person to another one, delete the first, and return the second."""
    return Call(
        "POST", _path(identity_id, collection) + "/merge", value_reader(Identity), body=Body(json={"into": into})
    )


def export(identity_id: str, *, collection: str = "default") -> Call[PersonExport]:
    """Return all stored data about a person, including embeddings. The audit trail records the export."""
    return Call("GET", _path(identity_id, collection) + "/export", value_reader(PersonExport), is_repeatable=True)


def _path(identity_id: str, collection: str) -> str:
    template = "/collections/{collection}/identities/{identity_id}"
    return path(template, collection=collection, identity_id=identity_id)
