"""Settings of jobs and of the files that they read."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from app.config.groups import Group


class JobSettings(Group):
    """Background jobs; see docs/jobs.md."""

    import_dir: Annotated[
        Path | None, Field(description="Folder on the server that imports over the API may read. Unset: uploads only.")
    ] = None
    lease_seconds: Annotated[
        float, Field(ge=1, le=3600, description="Seconds until another process resumes the job of a dead process.")
    ] = 30
    keep_days: Annotated[float, Field(gt=0, description="Days to keep finished jobs and their errors.")] = 30
    upload_bytes: Annotated[int, Field(gt=0, description="Maximum size of a resumable upload, in bytes.")] = (
        10_000_000_000
    )
    uploads_bytes: Annotated[
        int,
        Field(gt=0, description="Maximum bytes of all uploads on a machine: resumable ones and those of waiting jobs."),
    ] = 20_000_000_000
    uploads: Annotated[int, Field(ge=0, description="Maximum open resumable uploads on a machine.")] = 20
    upload_hours: Annotated[
        float, Field(gt=0, description="Hours until a resumable upload is deleted, counted from its last part.")
    ] = 24
