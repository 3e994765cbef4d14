"""Answers about backups. Their names are the API's contract."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field

from app.transfer.backup_folder import StoredBackup


class BackupSchema(BaseModel):
    """A backup of the database, which was checked when it was written."""

    name: str
    size: Annotated[int, Field(description="Size of the file, in bytes.")]
    created_at: datetime
    arcid_version: Annotated[str | None, Field(description="Null if the file cannot be read, also for `revision`.")]
    revision: Annotated[str | None, Field(description="Revision of the database's schema.")]


class BackupsSchema(BaseModel):
    """The backups in the service's folder, the newest first."""

    backups: list[BackupSchema]
    folder: Annotated[str, Field(description="The folder on the service's machine, for `arcid restore`.")]

    @classmethod
    def of(cls, backups: list[StoredBackup], folder: str) -> "BackupsSchema":
        """Return the schema of backups."""
        return cls(backups=[BackupSchema.model_validate(each, from_attributes=True) for each in backups], folder=folder)
