"""Uploads: large files in parts, by the tus protocol; a job then takes them."""

from typing import Annotated, Any

from anyio import to_thread
from fastapi import Depends, Header, Request, Response
from pydantic import StringConstraints

from app.access.keys import Scope
from app.api.http.body import media_type
from app.api.http.dependencies import PrincipalDependency, ServicesDependency
from app.api.http.routing import router_at
from app.api.http.tus import PART, PARTS, PATH, UploadWrites, describe, receive_part
from app.api.schemas.uploads import UploadSchema
from app.errors import ContentTypeUnsupported

router = router_at(PATH, tag="jobs", scope=Scope.MANAGE)

_LONGEST_METADATA = 4_000
_PART_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}

UploadPath = Annotated[str, StringConstraints(min_length=1, max_length=36, pattern=r"^[0-9A-Za-z_-]+$")]
Metadata = Annotated[
    str,
    Header(
        max_length=_LONGEST_METADATA,
        pattern=r"^[ -~]*$",
        description="Names and base64 values, as tus defines them; answers repeat them.",
    ),
]


async def _writes(request: Request) -> UploadWrites:
    writes: UploadWrites = request.app.state.upload_writes
    return writes


WritesDependency = Annotated[UploadWrites, Depends(_writes)]


@router.post("", status_code=201)
async def create_upload(
    request: Request,
    response: Response,
    services: ServicesDependency,
    principal: PrincipalDependency,
    writes: WritesDependency,
    upload_length: Annotated[int, Header(ge=0, description="Size of the whole file, in bytes.")],
    upload_metadata: Metadata = "",
) -> UploadSchema:
    """Create an upload. The body may be its first part (`application/offset+octet-stream`)."""
    uploads, owner = services.resumable_uploads, principal.key_id
    upload = await to_thread.run_sync(uploads.create, owner, upload_length, upload_metadata)
    if media_type(request) in PARTS:
        async with writes.only(upload.upload_id):
            await receive_part(request, await to_thread.run_sync(uploads.open, upload.upload_id, owner, 0))
        upload = await to_thread.run_sync(uploads.get, upload.upload_id, owner)
    response.headers["Location"] = f"{PATH}/{upload.upload_id}"
    describe(response, upload)
    return UploadSchema.of(upload)


@router.get("/{upload_id}")
async def get_upload(
    upload_id: UploadPath,
    response: Response,
    services: ServicesDependency,
    principal: PrincipalDependency,
    writes: WritesDependency,
) -> UploadSchema:
    """Return how much of an upload has arrived. A part that is still being sent ends here, and its bytes stay."""
    await to_thread.run_sync(services.resumable_uploads.get, upload_id, principal.key_id)
    await writes.end(upload_id)
    upload = await to_thread.run_sync(services.resumable_uploads.get, upload_id, principal.key_id)
    describe(response, upload)
    return UploadSchema.of(upload)


@router.patch("/{upload_id}", status_code=204, openapi_extra=_PART_BODY)
async def append_upload(
    upload_id: UploadPath,
    request: Request,
    response: Response,
    services: ServicesDependency,
    principal: PrincipalDependency,
    writes: WritesDependency,
    upload_offset: Annotated[int, Header(ge=0, description="The bytes that have arrived before this part.")],
) -> None:
    """Append a part to an upload. Bytes that arrived before a connection broke are kept.

    Clients of tus send it as `application/offset+octet-stream`.
    """
    if media_type(request) not in PARTS:
        raise ContentTypeUnsupported(f"send a part with Content-Type: {PART}")
    uploads, owner = services.resumable_uploads, principal.key_id
    await to_thread.run_sync(uploads.get, upload_id, owner)
    async with writes.only(upload_id):
        await receive_part(request, await to_thread.run_sync(uploads.open, upload_id, owner, upload_offset))
    describe(response, await to_thread.run_sync(uploads.get, upload_id, owner))


@router.delete("/{upload_id}", status_code=204)
async def delete_upload(
    upload_id: UploadPath, services: ServicesDependency, principal: PrincipalDependency, writes: WritesDependency
) -> None:
    """Delete an upload that no job has taken."""
    await to_thread.run_sync(services.resumable_uploads.get, upload_id, principal.key_id)
    await writes.end(upload_id)
    await to_thread.run_sync(services.resumable_uploads.delete, upload_id, principal.key_id)
