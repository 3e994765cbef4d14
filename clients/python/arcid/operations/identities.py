"""People."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypedDict, Unpack

from arcid.calls import Body, Call, path, reading
from arcid.operations.forms import changed, page_of
from arcid.resources import Consent, ErasureReceipt, Identity, IdentityAnswer, Page, PersonExport


class IdentityChange(TypedDict, total=False):
    """What changes of a person; None removes it, and `expires_at` is again as the retention says."""

    name: str | None
    metadata: Mapping[str, Any] | None
    consent: Consent | None
    expires_at: datetime | None


def page(
    *, collection: str = "default", q: str | None = None, limit: int | None = None, cursor: str | None = None
) -> Call[Page[Identity]]:
    """List people in the order in which they were enrolled, one page; `q` is text in id or name."""
    listed = path("/collections/{collection}/identities", collection=collection)
    return page_of(listed, "identities", Identity, q=q, limit=limit, cursor=cursor)


def get(identity_id: str, *, collection: str = "default") -> Call[IdentityAnswer]:
    """Show a person with the first of their faces, and the `etag` of this version."""
    return Call("GET", _path(identity_id, collection), reading(IdentityAnswer), is_repeatable=True)


def patch(
    identity_id: str, *, collection: str = "default", etag: str | None = None, **change: Unpack[IdentityChange]
) -> Call[Identity]:
    """Change name, metadata, consent or end; each is replaced as a whole, what is not named stays.

    With `etag` only if the person is still that version: raises PreconditionFailed otherwise.
    """
    return changed(_path(identity_id, collection), Identity, change, etag)


def delete(identity_id: str, *, collection: str = "default") -> Call[ErasureReceipt]:
    """Erase a person; once this is answered they are found no more.

    It is not repeated after an answer that was lost: a second one would be NotFound, not the receipt.
    """
    return Call("DELETE", _path(identity_id, collection), reading(ErasureReceipt))


def merge(identity_id: str, *, into: str, collection: str = "default") -> Call[Identity]:
    """Give all faces of a person to another, who is returned; this one is gone."""
    return Call("POST", _path(identity_id, collection) + "/merge", reading(Identity), body=Body(json={"into": into}))


def export(identity_id: str, *, collection: str = "default") -> Call[PersonExport]:
    """Give everything that is stored about a person, embeddings included; the audit trail notes it."""
    return Call("GET", _path(identity_id, collection) + "/export", reading(PersonExport), is_repeatable=True)


def _path(identity_id: str, collection: str) -> str:
    template = "/collections/{collection}/identities/{identity_id}"
    return path(template, collection=collection, identity_id=identity_id)
