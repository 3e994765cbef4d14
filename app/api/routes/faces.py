"""Enrolled faces: list, get, move, delete."""

import hashlib
from typing import Annotated, Any

from fastapi import Depends, Query, Response

from app.access.keys import Scope
from app.api.http.body import JsonBody
from app.api.http.dependencies import ServicesDependency, WorkersDependency
from app.api.http.etag import Known, is_known, tag
from app.api.http.routing import router_at
from app.api.routes.privacy import ErasureReceipt
from app.api.schemas.fields import CollectionPath
from app.api.schemas.paging import After, Limit
from app.api.schemas.resources import FacesPage, IdentitySchema, MoveFacesRequest, MoveRequest, StoredFaceSchema
from app.names import FaceId, IdentityId

router = router_at("/collections/{collection}/faces", tag="gallery", scope=Scope.MANAGE)
_JPEG: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}},
    304: {"description": "The image is the one of `If-None-Match`."},
}


@router.get("")
async def list_faces(
    collection: CollectionPath,
    services: ServicesDependency,
    workers: WorkersDependency,
    after: After,
    limit: Limit = 50,
    identity_id: Annotated[IdentityId | None, Query(description="Only faces of this identity.")] = None,
) -> FacesPage:
    """List the faces of a collection, or of one identity."""
    faces_page = services.people.faces_page
    return FacesPage.of(await workers.run(faces_page, collection, after=after, limit=limit, identity_id=identity_id))


@router.get("/{face_id}")
async def get_face(
    collection: CollectionPath,
    face_id: FaceId,
    services: ServicesDependency,
    workers: WorkersDependency,
    embedding: Annotated[bool, Query(description="Include the embedding, which is biometric data.")] = False,  # noqa: FBT002 - a query parameter
) -> StoredFaceSchema:
    """Return a face."""
    face = await workers.run(services.people.face, collection, face_id, has_embedding=embedding)
    return StoredFaceSchema.of(face)


@router.get("/{face_id}/image", response_class=Response, responses=_JPEG)
async def get_face_image(
    collection: CollectionPath, face_id: FaceId, services: ServicesDependency, workers: WorkersDependency, known: Known
) -> Response:
    """Return the image of a face: a small JPEG. It is 404 `face_image_unknown` if the collection keeps no crops."""
    image = await workers.run(services.people.image, collection, face_id)
    version = hashlib.sha256(image).hexdigest()
    # A cache asks again before each use, so that nobody sees a deleted face.
    headers = {"ETag": f'"{version}"', "Cache-Control": "private, no-cache"}
    if is_known(known, version):
        return Response(status_code=304, headers=headers)
    return Response(image, headers=headers, media_type="image/jpeg")


@router.post("/{face_id}/move")
async def move_face(
    collection: CollectionPath,
    face_id: FaceId,
    request: Annotated[MoveRequest, Depends(JsonBody(MoveRequest))],
    services: ServicesDependency,
    workers: WorkersDependency,
) -> StoredFaceSchema:
    """Move a face to another identity, which is created if new; an identity without faces is deleted."""
    return StoredFaceSchema.of(await workers.run(services.people.move_face, collection, face_id, request.identity_id))


@router.post("/move")
async def move_faces(
    collection: CollectionPath,
    request: Annotated[MoveFacesRequest, Depends(JsonBody(MoveFacesRequest))],
    services: ServicesDependency,
    workers: WorkersDependency,
    response: Response,
) -> IdentitySchema:
    """Move faces to one identity, all or none; this also undoes a merge. Identities without faces are deleted."""
    moved = await workers.run(services.people.move_faces, collection, request.face_ids, request.person())
    tag(response, moved.version)
    return IdentitySchema.of(moved)


@router.delete("/{face_id}")
async def delete_face(
    collection: CollectionPath, face_id: FaceId, services: ServicesDependency, workers: WorkersDependency
) -> ErasureReceipt:
    """Delete a face, and its identity with the last one; searches ignore it from the answer on."""
    return ErasureReceipt.of(await workers.run(services.erasure.face, collection, face_id))
