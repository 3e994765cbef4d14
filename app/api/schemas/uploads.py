"""Answers about uploads. Their names are the API's contract."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field

from app.jobs.resumable_uploads import ResumableUpload


class UploadSchema(BaseModel):
    """An upload."""

    upload_id: str
    length: Annotated[int, Field(description="Size of the whole file, in bytes.")]
    offset: Annotated[int, Field(description="Bytes that have arrived; the next part starts there.")]
    expires_at: Annotated[datetime, Field(description="When it is deleted, unless a part or a job comes before.")]

    @classmethod
    def of(cls, upload: ResumableUpload) -> "UploadSchema":
        """Return the schema of an upload."""
        return cls.model_validate(upload, from_attributes=True)
