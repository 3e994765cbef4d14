"""Collections: isolated galleries."""

from typing import Annotated

from fastapi import Depends, Response

from app.access.keys import Scope
from app.api.http.body import JsonBody
from app.api.http.dependencies import PrincipalDependency, ServicesDependency, WorkersDependency
from app.api.http.etag import Versions, tag
from app.api.http.routing import router_at
from app.api.schemas.fields import CollectionPath
from app.api.schemas.paging import After, Limit, cursor_of
from app.api.schemas.resources import CollectionChange, CollectionRequest, CollectionSchema, CollectionsPage
from app.container import Container
from app.gallery.store.values import Collection

router = router_at("/collections", tag="collections", scope=Scope.MANAGE)


@router.post("", status_code=201)
async def create_collection(
    request: Annotated[CollectionRequest, Depends(JsonBody(CollectionRequest))],
    services: ServicesDependency,
    workers: WorkersDependency,
    principal: PrincipalDependency,
    response: Response,
) -> CollectionSchema:
    """Create an empty collection, for the default network unless the request names another."""
    principal.require_collection(request.name)
    made = await workers.run(
        services.collections.create, request.name, request.settings(), request.index, model=request.model
    )
    tag(response, made.version)
    response.headers["Location"] = f"/collections/{made.name}"
    return _shown(made, services)


@router.get("")
async def list_collections(
    services: ServicesDependency,
    workers: WorkersDependency,
    principal: PrincipalDependency,
    after: After,
    limit: Limit = 50,
) -> CollectionsPage:
    """List the collections, including those of networks that the service does not run; a key sees only its own."""
    page = await workers.run(services.collections.page, after=after, limit=limit, among=principal.collections)
    listed = [_shown(each, services) for each in page.items]
    return CollectionsPage(collections=listed, next_cursor=cursor_of(page.after))


@router.get("/{collection}")
async def get_collection(
    collection: CollectionPath, services: ServicesDependency, workers: WorkersDependency, response: Response
) -> CollectionSchema:
    """Return a collection, also if the service does not run its network."""
    found = await workers.run(services.collections.get, collection)
    tag(response, found.version)
    return _shown(found, services)


@router.patch("/{collection}")
async def change_collection(
    collection: CollectionPath,
    request: Annotated[CollectionChange, Depends(JsonBody(CollectionChange))],
    services: ServicesDependency,
    workers: WorkersDependency,
    principal: PrincipalDependency,
    versions: Versions,
    response: Response,
) -> CollectionSchema:
    """Change settings of a collection; missing fields keep their values. Fewer `reviewers` need scope `admin`."""
    if request.reviewers is not None:
        found = await workers.run(services.collections.get, collection)
        if request.reviewers < found.settings.reviewers:
            principal.require(Scope.ADMIN)  # a reviewer must not decide that the other one is not needed
    changed = await workers.run(services.collections.change, collection, request.settings(), versions)
    tag(response, changed.version)
    return _shown(changed, services)


@router.delete("/{collection}", status_code=204)
async def delete_collection(
    collection: CollectionPath, services: ServicesDependency, workers: WorkersDependency
) -> None:
    """Delete a collection with all its data; the default one is created again at once, empty."""
    await workers.run(services.collections.delete, collection)


def _shown(collection: Collection, services: Container) -> CollectionSchema:
    return CollectionSchema.of(collection, services.registry.models, services.collections.in_force(collection))
