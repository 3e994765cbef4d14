"""Cameras: create, list, change, delete; and frames that a client posts."""

from functools import partial
from typing import Annotated

from fastapi import Depends, Response

from app.access.keys import Principal, Scope
from app.api.http.body import FormBody, JsonBody
from app.api.http.dependencies import PrincipalDependency, ServicesDependency, WorkersDependency
from app.api.http.permissions import needs
from app.api.http.routing import router_at
from app.api.schemas.cameras import (
    MOST_FRAMES,
    CameraChange,
    CameraId,
    CameraRequest,
    CameraSchema,
    CamerasPage,
    FramesAnswer,
    FramesRequest,
)
from app.api.schemas.paging import After, Limit, cursor_of
from app.container import Container
from app.watch.posted_frames import PostedResult

router = router_at(tag="cameras", scope=Scope.MANAGE)


@router.get("/cameras")
async def list_cameras(
    services: ServicesDependency,
    workers: WorkersDependency,
    principal: PrincipalDependency,
    after: After,
    limit: Limit = 50,
) -> CamerasPage:
    """List the cameras of the key's collections with their status, the oldest first."""
    page = await workers.run(services.cameras.page, principal, after=after, limit=limit)
    return CamerasPage(cameras=[CameraSchema.of(each) for each in page.items], next_cursor=cursor_of(page.after))


@router.post("/cameras", status_code=201)
async def create_camera(
    camera: Annotated[CameraRequest, Depends(JsonBody(CameraRequest))],
    services: ServicesDependency,
    workers: WorkersDependency,
    principal: PrincipalDependency,
    response: Response,
) -> CameraSchema:
    """Add a camera; the service starts to watch it within some seconds."""
    made = await workers.run(services.cameras.create, principal, camera.value())
    response.headers["Location"] = f"/cameras/{made.setup.camera_id}"
    return CameraSchema.of(made)


@router.get("/cameras/{camera_id}")
async def get_camera(
    camera_id: CameraId, services: ServicesDependency, workers: WorkersDependency, principal: PrincipalDependency
) -> CameraSchema:
    """Return a camera with its status."""
    return CameraSchema.of(await workers.run(services.cameras.get, principal, camera_id))


@router.patch("/cameras/{camera_id}")
async def change_camera(
    camera_id: CameraId,
    changes: Annotated[CameraChange, Depends(JsonBody(CameraChange))],
    services: ServicesDependency,
    workers: WorkersDependency,
    principal: PrincipalDependency,
) -> CameraSchema:
    """Change a camera; its open tracks end."""
    return CameraSchema.of(await workers.run(services.cameras.change, principal, camera_id, changes.changes()))


@router.delete("/cameras/{camera_id}", status_code=204)
async def delete_camera(
    camera_id: CameraId, services: ServicesDependency, workers: WorkersDependency, principal: PrincipalDependency
) -> None:
    """Delete a camera; events about it stay."""
    await workers.run(services.cameras.delete, principal, camera_id)


@router.post("/watch/{camera_id}/frames", dependencies=[needs(Scope.RECOGNISE)])
async def post_frames(
    camera_id: CameraId,
    posted: Annotated[FramesRequest, Depends(FormBody(FramesRequest, most_files=MOST_FRAMES))],
    services: ServicesDependency,
    workers: WorkersDependency,
    principal: PrincipalDependency,
) -> FramesAnswer:
    """Add frames to a camera without URL; a frame is dropped while the service is busy."""
    result = await workers.run(partial(_post, services, principal, camera_id, posted))
    return FramesAnswer.of(camera_id, result)


def _post(services: Container, principal: Principal, camera_id: str, posted: FramesRequest) -> PostedResult:
    camera = services.cameras.get(principal, camera_id)
    return services.posted_frames.post(camera, posted.frames, posted.times)
