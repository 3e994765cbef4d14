"""Identities: list, get, change, merge, delete. An id may have slashes, so it takes the rest of a path."""

from typing import Annotated

from fastapi import Depends, Query, Response

from app.access.keys import Scope
from app.api.http.body import JsonBody
from app.api.http.dependencies import ServicesDependency, WorkersDependency
from app.api.http.etag import Versions, tag
from app.api.http.routing import router_at
from app.api.routes.identity_routes import IdentityRoute
from app.api.routes.privacy import ErasureReceipt
from app.api.schemas.fields import CollectionPath
from app.api.schemas.paging import MOST_ON_A_PAGE, After, Limit
from app.api.schemas.resources import IdentitiesPage, IdentityAnswer, IdentityChange, IdentitySchema, MergeRequest
from app.gallery.store.records import IdentityOrder
from app.names import IdentityId, Text

router = router_at("/collections/{collection}/identities", tag="gallery", scope=Scope.MANAGE, route_class=IdentityRoute)


@router.get("")
async def list_identities(
    collection: CollectionPath,
    services: ServicesDependency,
    workers: WorkersDependency,
    after: After,
    limit: Limit = 50,
    q: Annotated[
        Text | None,
        Query(description="Beginnings of words of a name or id; case, accents and separators do not matter."),
    ] = None,
    order: Annotated[IdentityOrder, Query(description="Order of the list.")] = IdentityOrder.OLDEST,
) -> IdentitiesPage:
    """List the identities of a collection, or search for them."""
    page = services.people.page
    return IdentitiesPage.of(await workers.run(page, collection, after=after, limit=limit, text=q, order=order))


@router.get("/{identity_id:path}")
async def get_identity(
    collection: CollectionPath,
    identity_id: IdentityId,
    services: ServicesDependency,
    workers: WorkersDependency,
    response: Response,
) -> IdentityAnswer:
    """Return an identity with its first faces."""
    people = services.people
    person = await workers.run(people.get, collection, identity_id)
    faces = await workers.run(people.faces_page, collection, after=0, limit=MOST_ON_A_PAGE, identity_id=identity_id)
    tag(response, person.version)
    return IdentityAnswer.of_person(person, faces)


@router.patch("/{identity_id:path}")
async def change_identity(
    collection: CollectionPath,
    identity_id: IdentityId,
    request: Annotated[IdentityChange, Depends(JsonBody(IdentityChange))],
    services: ServicesDependency,
    workers: WorkersDependency,
    versions: Versions,
    response: Response,
) -> IdentitySchema:
    """Change the name, metadata, consent or end of an identity."""
    changed = await workers.run(services.people.change, collection, identity_id, request.change(), versions)
    tag(response, changed.version)
    return IdentitySchema.of(changed)


@router.post("/{identity_id:path}/merge")
async def merge_identity(
    collection: CollectionPath,
    identity_id: IdentityId,
    request: Annotated[MergeRequest, Depends(JsonBody(MergeRequest))],
    services: ServicesDependency,
    workers: WorkersDependency,
    response: Response,
) -> IdentitySchema:
    """Move all faces to another identity and delete this one."""
    merged = await workers.run(services.people.merge, collection, identity_id, request.into)
    tag(response, merged.version)
    return IdentitySchema.of(merged)


@router.delete("/{identity_id:path}")
async def delete_identity(
    collection: CollectionPath, identity_id: IdentityId, services: ServicesDependency, workers: WorkersDependency
) -> ErasureReceipt:
    """Delete an identity with all faces; searches ignore it from the answer on."""
    return ErasureReceipt.of(await workers.run(services.erasure.identity, collection, identity_id))
