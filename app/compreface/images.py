"""Images of faces, as CompreFace serves photos: with the API key in a header, or in the path for `<img>`."""

from typing import Annotated, Any

from fastapi import Path, Response

from app.access.keys import Scope
from app.api.http.dependencies import CollectionDependency, WorkersDependency
from app.compreface.dependencies import SubjectsDependency
from app.compreface.requests import ImageId
from app.compreface.routing import router_at

router = router_at(scope=Scope.MANAGE)
_JPEG: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}}
}
_HEADERS = {"Cache-Control": "private, no-cache"}  # nobody sees a deleted face


@router.get("/recognition/faces/{image_id}/img", response_class=Response, responses=_JPEG)
async def download_example(
    image_id: ImageId, collection: CollectionDependency, subjects: SubjectsDependency, workers: WorkersDependency
) -> Response:
    """Return the image of a face; 404 `face_image_unknown` if its collection kept no crops."""
    image = await workers.run(subjects.photo, collection, image_id)
    return Response(image, media_type="image/jpeg", headers=_HEADERS)


@router.get("/static/{key}/images/{image_id}", response_class=Response, responses=_JPEG)
async def download_example_by_key(
    key: Annotated[str, Path(max_length=200, description="The API key, instead of a header.")],  # noqa: ARG001 - see KeyInPath
    image_id: ImageId,
    collection: CollectionDependency,
    subjects: SubjectsDependency,
    workers: WorkersDependency,
) -> Response:
    """Return the image of a face as the route above does; the address works in `<img>`."""
    return await download_example(image_id, collection, subjects, workers)
