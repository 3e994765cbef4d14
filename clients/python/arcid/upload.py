"""Uploads: large files that are sent in parts, with the names of the API."""

from dataclasses import dataclass
from datetime import datetime

from arcid.parsing import Value


@dataclass(frozen=True, slots=True)
class Upload(Value):
    """An upload: `offset` of `length` bytes have arrived. It is deleted at `expires_at`; each part postpones that."""

    upload_id: str
    length: int
    offset: int
    expires_at: datetime

    @property
    def is_complete(self) -> bool:
        """Return whether all bytes have arrived, so that a job can take the upload."""
        return self.offset == self.length
