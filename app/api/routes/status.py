"""GET /healthz, /readyz, /models."""

from collections.abc import Sequence
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, Field

from app.api.http.dependencies import AdmissionDependency, ServicesDependency
from app.api.http.openapi import PROBLEM_RESPONSES, problem_response
from app.api.http.permissions import ANY_KEY, needs
from app.api.http.queries import require_known
from app.container import Container
from app.errors import ArcidError, LivenessUnavailable
from app.gallery.index_projection import LONGEST_LAG
from app.gallery.index_state import IndexState
from app.gallery.store.reencryption import Reencryption
from app.gallery.store.values import Collection
from app.observability.counted import counted
from app.types import CommercialUse, LivenessMode

router = APIRouter(tags=["status"])

_NOT_UTF8 = "The path or query is not UTF-8."


class Health(BaseModel):
    """The process runs."""

    status: Literal["ok"] = "ok"


class Check(BaseModel):
    """One condition of readiness."""

    is_ready: bool
    detail: str


CheckName = Literal["database", "networks", "index", "collections", "liveness", "encryption", "shutdown"]


class Readiness(BaseModel):
    """All checks, by name."""

    status: Literal["ready", "not_ready"]
    checks: dict[CheckName, Check]


class ModelSchema(BaseModel):
    """A pack of networks."""

    name: str
    title: str
    licence: str
    commercial_use: CommercialUse
    is_pulled: bool
    is_in_use: Annotated[bool, Field(description="The service runs it: to embed, for attributes or for liveness.")]
    is_default: Annotated[bool, Field(description="New collections use this pack's network.")]
    model: str | None
    dimension: int | None
    default_detector: str | None
    files: dict[str, str | None]


class Models(BaseModel):
    """All known packs, and the runtime of the networks."""

    models: list[ModelSchema]
    detector: str
    provider: str


@router.get("/healthz", responses={422: problem_response(_NOT_UTF8)})
async def get_health() -> Health:
    """Answer while the process runs; checks nothing else."""
    return Health()


@router.get("/readyz", responses={403: PROBLEM_RESPONSES[403], 503: {"model": Readiness}})
def get_readiness(services: ServicesDependency, admission: AdmissionDependency, response: Response) -> Readiness:
    """Return the readiness of database, networks, index and collections, and whether the service is shutting down."""
    default = services.registry.default
    effort = services.settings.effort
    networks = f"{default.pack} with {default.detector} on {services.models.runtime.provider}, {effort} probes"
    checks: dict[CheckName, Check] = {
        "database": _database(services),
        "networks": Check(is_ready=True, detail=networks),
    }
    if checks["database"].is_ready:
        checks |= _gallery(services)
    else:
        checks["index"] = Check(is_ready=False, detail="the database is not ready")
    if checks["database"].is_ready and services.database.vault.is_on:
        checks["encryption"] = _encryption(services)
    if admission.is_draining:
        checks["shutdown"] = Check(is_ready=False, detail="running requests finish, new ones are refused")
    is_ready = all(check.is_ready for check in checks.values())
    response.status_code = 200 if is_ready else 503
    return Readiness(status="ready" if is_ready else "not_ready", checks=checks)


@router.get("/models", dependencies=[needs(ANY_KEY), Depends(require_known)])
def list_models(services: ServicesDependency) -> Models:
    """List the packs: licence, whether they are pulled, which are in use."""
    default = services.registry.default
    used = services.models.packs_in_use
    listed = [
        ModelSchema(
            name=each.name,
            title=each.title,
            licence=each.licence,
            commercial_use=each.commercial_use,
            is_pulled=services.packs.has(each),
            is_in_use=each.name in used,
            is_default=each.name == default.pack,
            model=each.embedder.model if each.embedder else None,
            dimension=each.embedder.dimension if each.embedder else None,
            default_detector=each.default_detector,
            files={file.name: services.packs.sha256(each, file.name) for file in each.files},
        )
        for each in services.packs.manifests()
    ]
    return Models(models=listed, detector=default.detector, provider=services.models.runtime.provider.value)


def _database(services: Container) -> Check:
    try:
        current = services.database.schema.require_compatible()
    except ArcidError as error:
        return Check(is_ready=False, detail=str(error))
    detail, head = f"at revision {current}", services.database.schema.head()
    if current != head:
        detail += f", newer than this version needs ({head}): upgrade this replica, too"
    return Check(is_ready=True, detail=detail)


def _encryption(services: Container) -> Check:
    """Count the rows that cannot be used. The service stays ready: every row that it uses is authenticated."""
    try:
        plain, broken = Reencryption(services.database.engine, services.database.vault).standing()
    except ArcidError as error:
        return Check(is_ready=False, detail=str(error))
    if services.database.vault.is_closed:
        refused = plain + broken
        detail = (
            f"{counted(refused, 'row is', 'rows are')} refused: in plain, or not to be opened; see arcid doctor"
            if refused
            else "on"
        )
    else:
        detail = f"on; {counted(plain, 'row')} in plain yet, {broken} do not open: arcid keys rotate-data"
    return Check(is_ready=True, detail=detail)


def _gallery(services: Container) -> dict[CheckName, Check]:
    """Return the checks of the indexes and of the collections, which are read once."""
    try:
        collections = services.store.collections()
        states = services.gallery.states(collections)
        unserved = [each for each in collections if services.unserved.is_permanent(each)]
    except ArcidError as error:
        return {"index": Check(is_ready=False, detail=str(error))}
    checks: dict[CheckName, Check] = {"index": _index(states), "collections": _collections(collections, unserved)}
    if gated := sum(each.settings.liveness is not LivenessMode.OFF for each in collections):
        checks["liveness"] = _liveness(services, gated)
    return checks


def _liveness(services: Container, gated: int) -> Check:
    """Check the detector of presentation attacks that some collections need; without names, as in `_index`."""
    detail = f"{counted(gated, 'collection')} checked for presentation attacks"
    try:
        services.liveness_gate.require_detector()
    except LivenessUnavailable:
        return Check(is_ready=False, detail=f"{detail}, without a detector: arcid doctor names the remedy")
    return Check(is_ready=True, detail=detail)


def _index(states: Sequence[IndexState]) -> Check:
    behind = [each.behind for each in states if each.behind]
    # This answer is public, so it has no names and sizes of collections. Those are in GET /metrics.
    detail = f"{len(behind)} behind, by up to {counted(max(behind), 'revision')}" if behind else "none behind"
    return Check(is_ready=all(each.seconds_behind < LONGEST_LAG for each in states), detail=detail)


def _collections(collections: Sequence[Collection], unserved: Sequence[Collection]) -> Check:
    """Count the collections that cannot be searched until the operator acts, because their networks are not served.

    The service is ready while it can recognize anybody; without names, as in `_index`.
    """
    if not unserved:
        return Check(is_ready=True, detail="the networks of all are served")
    with_faces = [each for each in unserved if each.faces]
    empty = [each for each in unserved if not each.faces]
    counts = [
        f"{counted(len(group), one, several)} of a network that is not served ({_models(group)})"
        for group, one, several in (
            (with_faces, "collection has faces", "collections have faces"),
            (empty, "empty collection is", "empty collections are"),
        )
        if group
    ]
    is_any_usable = any(each.faces for each in collections if each not in unserved)
    detail = f"{', '.join(counts)}: arcid doctor names the remedy"
    return Check(is_ready=is_any_usable or not with_faces, detail=detail)


def _models(collections: Sequence[Collection]) -> str:
    return ", ".join(sorted({each.model for each in collections}))
