"""Groups of unknown faces: list, show, merge, split, name, delete."""

import hashlib
from typing import Annotated, Any

from fastapi import Depends, Query, Response

from app.access.keys import Scope
from app.api.http.body import JsonBody
from app.api.http.dependencies import ExactDependency, ServicesDependency, WorkersDependency
from app.api.http.etag import Known, Versions, is_known, tag
from app.api.http.routing import router_at
from app.api.schemas.answers import EnrollAnswer
from app.api.schemas.fields import CollectionPath
from app.api.schemas.groups import (
    GroupAddRequest,
    GroupChange,
    GroupFacesRequest,
    GroupMergeRequest,
    GroupNameRequest,
    GroupPurge,
    GroupsAnswer,
    GroupSchema,
    UnknownFacesPage,
)
from app.api.schemas.paging import After, Limit
from app.gallery.store.unknown.values import GroupState, UnknownGroup
from app.names import FaceId
from app.recognition.group_naming import NamingOptions
from app.recognition.screening import Reactions

router = router_at("/collections/{collection}", tag="gallery", scope=Scope.MANAGE)
_JPEG: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}},
    304: {"description": "The image is the one of `If-None-Match`."},
}


@router.get("/groups")
async def list_groups(
    collection: CollectionPath,
    services: ServicesDependency,
    workers: WorkersDependency,
    after: After,
    limit: Limit = 50,
    state: Annotated[GroupState, Query(description="Only groups in this state.")] = GroupState.OPEN,
) -> GroupsAnswer:
    """List the groups of unknown faces, the largest first."""
    page = services.unknown_groups.page
    return GroupsAnswer.of(await workers.run(page, collection, state=state, after=after, limit=limit))


@router.post("/groups", status_code=201)
async def create_group(
    collection: CollectionPath,
    request: Annotated[GroupFacesRequest, Depends(JsonBody(GroupFacesRequest))],
    services: ServicesDependency,
    workers: WorkersDependency,
    response: Response,
) -> GroupSchema:
    """Make a group of faces that are in no group."""
    return _answer(response, await workers.run(services.unknown_groups.create, collection, request.face_ids))


@router.get("/groups/{group_id}")
async def get_group(
    collection: CollectionPath,
    group_id: FaceId,
    services: ServicesDependency,
    workers: WorkersDependency,
    response: Response,
) -> GroupSchema:
    """Return a group."""
    return _answer(response, await workers.run(services.unknown_groups.get, collection, group_id))


@router.patch("/groups/{group_id}")
async def change_group(
    collection: CollectionPath,
    group_id: FaceId,
    request: Annotated[GroupChange, Depends(JsonBody(GroupChange))],
    services: ServicesDependency,
    workers: WorkersDependency,
    versions: Versions,
    response: Response,
) -> GroupSchema:
    """Leave a group out of the review (ignored, hidden), or open it again."""
    change = services.unknown_groups.set_state
    return _answer(response, await workers.run(change, collection, group_id, request.state, versions))


@router.post("/groups/{group_id}/merge")
async def merge_groups(
    collection: CollectionPath,
    group_id: FaceId,
    request: Annotated[GroupMergeRequest, Depends(JsonBody(GroupMergeRequest))],
    services: ServicesDependency,
    workers: WorkersDependency,
    versions: Versions,
    response: Response,
) -> GroupSchema:
    """Move the faces of other groups to this one, and delete those groups. `If-Match` takes the tags of all of them."""
    merge = services.unknown_groups.merge
    return _answer(response, await workers.run(merge, collection, group_id, request.groups, versions))


@router.post("/groups/{group_id}/split", status_code=201)
async def split_group(
    collection: CollectionPath,
    group_id: FaceId,
    request: Annotated[GroupFacesRequest, Depends(JsonBody(GroupFacesRequest))],
    services: ServicesDependency,
    workers: WorkersDependency,
    versions: Versions,
    response: Response,
) -> GroupSchema:
    """Move faces of a group to a new group, and return it. The service never merges the two again."""
    split = services.unknown_groups.split
    return _answer(response, await workers.run(split, collection, group_id, request.face_ids, versions))


@router.post("/groups/{group_id}/name")
async def name_group(
    collection: CollectionPath,
    group_id: FaceId,
    request: Annotated[GroupNameRequest, Depends(JsonBody(GroupNameRequest))],
    services: ServicesDependency,
    workers: WorkersDependency,
    versions: Versions,
    is_exact: ExactDependency,
) -> EnrollAnswer:
    """Enroll the best faces of a group as a new person, and delete the group."""
    options = NamingOptions(Reactions(request.on_duplicate, request.on_mismatch), versions, is_exact)
    name = services.group_naming.name
    return EnrollAnswer.of(await workers.run(name, collection, group_id, request.person(), options))


@router.post("/groups/{group_id}/add")
async def add_group(
    collection: CollectionPath,
    group_id: FaceId,
    request: Annotated[GroupAddRequest, Depends(JsonBody(GroupAddRequest))],
    services: ServicesDependency,
    workers: WorkersDependency,
    versions: Versions,
    is_exact: ExactDependency,
) -> EnrollAnswer:
    """Enroll the best faces of a group for a person who is enrolled already, and delete the group."""
    options = NamingOptions(Reactions(request.on_duplicate, request.on_mismatch), versions, is_exact)
    add = services.group_naming.add_to
    return EnrollAnswer.of(await workers.run(add, collection, group_id, request.identity_id, options))


@router.delete("/groups/{group_id}")
async def delete_group(
    collection: CollectionPath,
    group_id: FaceId,
    services: ServicesDependency,
    workers: WorkersDependency,
    versions: Versions,
) -> GroupPurge:
    """Delete a group with all its faces."""
    faces = await workers.run(services.unknown_groups.delete, collection, group_id, versions)
    return GroupPurge(group_id=group_id, faces=faces)


@router.get("/unknown-faces")
async def list_unknown_faces(
    collection: CollectionPath,
    services: ServicesDependency,
    workers: WorkersDependency,
    after: After,
    limit: Limit = 50,
    group_id: Annotated[FaceId | None, Query(description="The group; leave it out for faces in no group.")] = None,
) -> UnknownFacesPage:
    """List the faces of a group, or those in no group."""
    faces = services.unknown_groups.faces
    return UnknownFacesPage.of(await workers.run(faces, collection, group_id, after=after, limit=limit))


@router.get("/unknown-faces/{face_id}/image", response_class=Response, responses=_JPEG)
async def get_unknown_face_image(
    collection: CollectionPath, face_id: FaceId, services: ServicesDependency, workers: WorkersDependency, known: Known
) -> Response:
    """Return the image of an unknown face: a small JPEG. It is 404 `face_image_unknown` if no crop was kept."""
    image = await workers.run(services.unknown_groups.image, collection, face_id)
    version = hashlib.sha256(image).hexdigest()
    headers = {"ETag": f'"{version}"', "Cache-Control": "private, no-cache"}
    if is_known(known, version):
        return Response(status_code=304, headers=headers)
    return Response(image, headers=headers, media_type="image/jpeg")


def _answer(response: Response, group: UnknownGroup) -> GroupSchema:
    """Return the schema of a group, and set its ETag."""
    tag(response, group.version)
    return GroupSchema.of(group)
