"""Collections: isolated galleries, their health checks and their model migration."""

from typing import Literal, TypedDict, Unpack

from arcid.calls import Body, Call, Reply, path, query, value_reader, without_none
from arcid.health import HealthAnswer
from arcid.migration import DiscardResult, MigrationOverview, MigrationResult, OnMissing
from arcid.operations.resource_calls import list_call, patch_call
from arcid.resources import Collection, LivenessMode, Page, ReviewMode, ScreeningAction

IndexKind = Literal["auto", "exact", "compressed", "gpu", "milvus"]


class CollectionSettings(TypedDict, total=False):
    """Settings of a collection. None, where allowed, restores the default of the service."""

    flip: bool
    enroll_quality: float
    probe_quality: float
    detector: str | None
    max_fmr: float | None
    max_fpir: float | None
    threshold: float | None
    keep_crops: bool
    on_duplicate: ScreeningAction
    on_mismatch: ScreeningAction
    retention_days: int | None
    remember_unknown_days: int | None
    require_consent: bool
    adaptive: bool
    impostors: Literal["any", "similar"] | None
    liveness: LivenessMode
    review: ReviewMode
    review_days: int
    reviewers: int


def create(
    name: str, *, model: str | None = None, index: IndexKind | None = None, **settings: Unpack[CollectionSettings]
) -> Call[Collection]:
    """Create an empty collection for a served network; without `model`, for the default one."""
    members = without_none({"name": name, "model": model, "index": index}) | settings
    return Call("POST", "/collections", value_reader(Collection), body=Body(json=members))


def page(*, limit: int | None = None, cursor: str | None = None) -> Call[Page[Collection]]:
    """List the collections, one page of at most `limit` (1 to 200)."""
    return list_call("/collections", "collections", Collection, limit=limit, cursor=cursor)


def get(collection: str) -> Call[Collection]:
    """Return a collection."""
    return Call("GET", _path(collection), value_reader(Collection), is_repeatable=True)


def patch(collection: str, *, etag: str | None = None, **settings: Unpack[CollectionSettings]) -> Call[Collection]:
    """Change the given settings of a collection.

    With `etag`, the change is made only if the collection still has this version; otherwise PreconditionFailed is
    raised.
    """
    return patch_call(_path(collection), Collection, settings, etag)


def delete(collection: str) -> Call[None]:
    """Delete a collection and its content. The default collection is recreated at once, empty."""
    return Call("DELETE", _path(collection), _nothing)


def health(
    collection: str = "default",
    *,
    max_fpir: float | None = None,
    limit: int | None = None,
    cursor: str | None = None,
) -> Call[HealthAnswer]:
    """Check one page of identities for duplicates, wrong-person faces and low-quality faces."""
    parameters = query(max_fpir=max_fpir, limit=limit, cursor=cursor)
    return Call("GET", _path(collection, "/health"), value_reader(HealthAnswer), query=parameters, is_repeatable=True)


def reembedding(
    collection: str = "default", *, model: str | None = None, limit: int | None = None, cursor: str | None = None
) -> Call[MigrationOverview]:
    """Return the networks that the faces have templates of, and one page of the faces without a crop."""
    parameters = query(model=model, limit=limit, cursor=cursor)
    return Call(
        "GET", _path(collection, "/reembed"), value_reader(MigrationOverview), query=parameters, is_repeatable=True
    )


def switch(model: str, *, collection: str = "default", on_missing: OnMissing = "refuse") -> Call[MigrationResult]:
    """Switch atomically to a network that all faces have a template of."""
    body = Body(json={"model": model, "on_missing": on_missing})
    return Call("POST", _path(collection, "/reembed/switch"), value_reader(MigrationResult), body=body)


def roll_back(*, collection: str = "default", on_missing: OnMissing = "refuse") -> Call[MigrationResult]:
    """Switch atomically back to the previous network."""
    body = Body(json={"on_missing": on_missing})
    return Call("POST", _path(collection, "/reembed/rollback"), value_reader(MigrationResult), body=body)


def discard(*, collection: str = "default") -> Call[DiscardResult]:
    """Delete the templates of all networks except the collection's own; after this, no rollback is possible."""
    return Call("POST", _path(collection, "/reembed/discard"), value_reader(DiscardResult))


def _path(collection: str, rest: str = "") -> str:
    return path("/collections/{collection}", collection=collection) + rest


def _nothing(_: Reply) -> None:
    return None
