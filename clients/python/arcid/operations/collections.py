"""Collections: isolated galleries, their health, and their way from one network to another."""

from typing import Literal, TypedDict, Unpack

from arcid.calls import Body, Call, Reply, path, query, reading, said
from arcid.changes import Discarded, OnMissing, Overview, Switched
from arcid.findings import HealthAnswer
from arcid.operations.forms import changed, page_of
from arcid.resources import Collection, Page, Reaction

IndexKind = Literal["auto", "exact", "compressed", "gpu", "milvus"]


class Practice(TypedDict, total=False):
    """How a collection makes and judges faces; None, where it may be, is the service's default again."""

    flip: bool
    enrol_quality: float
    probe_quality: float
    detector: str | None
    max_fmr: float | None
    max_fpir: float | None
    threshold: float | None
    keep_crops: bool
    on_duplicate: Reaction
    on_mismatch: Reaction
    retention_days: int | None
    require_consent: bool


def create(
    name: str, *, model: str | None = None, index: IndexKind | None = None, **practice: Unpack[Practice]
) -> Call[Collection]:
    """Make an empty collection for a network that is served, the usual one if none is named."""
    members = said({"name": name, "model": model, "index": index}) | practice
    return Call("POST", "/collections", reading(Collection), body=Body(json=members))


def page(*, limit: int | None = None, cursor: str | None = None) -> Call[Page[Collection]]:
    """List the collections, one page of at most `limit` (1 to 200)."""
    return page_of("/collections", "collections", Collection, limit=limit, cursor=cursor)


def get(collection: str) -> Call[Collection]:
    """Show a collection."""
    return Call("GET", _path(collection), reading(Collection), is_repeatable=True)


def patch(collection: str, *, etag: str | None = None, **practice: Unpack[Practice]) -> Call[Collection]:
    """Change how faces are made and judged; what is not named stays.

    With `etag` only if the collection is still that version: raises PreconditionFailed otherwise.
    """
    return changed(_path(collection), Collection, practice, etag)


def delete(collection: str) -> Call[None]:
    """Delete a collection with everything in it; the default one is there again at once, empty."""
    return Call("DELETE", _path(collection), _nothing)


def health(
    collection: str = "default",
    *,
    max_fpir: float | None = None,
    limit: int | None = None,
    cursor: str | None = None,
) -> Call[HealthAnswer]:
    """Look for identities that look like one person, foreign faces, and poor ones: one page of identities."""
    asked = query(max_fpir=max_fpir, limit=limit, cursor=cursor)
    return Call("GET", _path(collection, "/health"), reading(HealthAnswer), query=asked, is_repeatable=True)


def reembedding(
    collection: str = "default", *, model: str | None = None, limit: int | None = None, cursor: str | None = None
) -> Call[Overview]:
    """Show of which networks the faces have templates, and a page of the faces that lack a crop."""
    asked = query(model=model, limit=limit, cursor=cursor)
    return Call("GET", _path(collection, "/reembed"), reading(Overview), query=asked, is_repeatable=True)


def switch(model: str, *, collection: str = "default", on_missing: OnMissing = "refuse") -> Call[Switched]:
    """Go over to a network that all faces have a template of, in one moment."""
    body = Body(json={"model": model, "on_missing": on_missing})
    return Call("POST", _path(collection, "/reembed/switch"), reading(Switched), body=body)


def roll_back(*, collection: str = "default", on_missing: OnMissing = "refuse") -> Call[Switched]:
    """Go back to the network of before, in one moment."""
    body = Body(json={"on_missing": on_missing})
    return Call("POST", _path(collection, "/reembed/rollback"), reading(Switched), body=body)


def discard(*, collection: str = "default") -> Call[Discarded]:
    """Delete the templates of all networks but the collection's own: after this there is no way back."""
    return Call("POST", _path(collection, "/reembed/discard"), reading(Discarded))


def _path(collection: str, rest: str = "") -> str:
    return path("/collections/{collection}", collection=collection) + rest


def _nothing(_: Reply) -> None:
    return None
