"""Backups that jobs have written: list, download, delete. A restore is a command: `arcid restore`."""

from typing import Annotated, Any

from fastapi.responses import FileResponse
from pydantic import StringConstraints

from app.access.keys import Scope
from app.api.http.dependencies import ServicesDependency, WorkersDependency
from app.api.http.permissions import needs
from app.api.http.routing import router_at
from app.api.schemas.backups import BackupsSchema

router = router_at("/backups", tag="administration", scope=Scope.ADMIN)

_ALL = needs(Scope.ADMIN, is_about_all_collections=True)
_FILE: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}}}
}
BackupName = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[0-9A-Za-z_.-]+$")]


@router.get("", dependencies=[_ALL])
async def list_backups(services: ServicesDependency, workers: WorkersDependency) -> BackupsSchema:
    """List the backups in the service's folder, the newest first."""
    backups = services.backups
    return BackupsSchema.of(await workers.run(backups.all), str(backups.folder))


@router.get("/{name}", dependencies=[_ALL], response_class=FileResponse, responses=_FILE)
async def get_backup(name: BackupName, services: ServicesDependency, workers: WorkersDependency) -> FileResponse:
    """Download a backup, for `arcid restore`; the audit trail records it."""
    path = await workers.run(services.backups.fetch, name)
    return FileResponse(path, media_type="application/zip", filename=name)


@router.delete("/{name}", status_code=204, dependencies=[_ALL])
async def delete_backup(name: BackupName, services: ServicesDependency, workers: WorkersDependency) -> None:
    """Delete a backup; the audit trail records it."""
    await workers.run(services.backups.delete, name)
