"""Personal data: receipts of erasures, and the export of a person's data."""

import base64
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from app.access.keys import Scope
from app.api.http.dependencies import ServicesDependency, WorkersDependency
from app.api.http.routing import router_at
from app.api.routes.identity_routes import IdentityRoute
from app.api.schemas.events import EventSchema
from app.api.schemas.fields import CollectionPath
from app.api.schemas.resources import IdentitySchema, StoredFaceSchema
from app.api.schemas.reviews import ReviewSchema
from app.gallery.erasure import Receipt
from app.gallery.store.records import FaceRecord
from app.names import IdentityId
from app.recognition.person_export import PersonalData


class RemainderSchema(BaseModel):
    """Erased data that remains, or may remain, in a place."""

    where: str
    what: str


class AuditLineSchema(BaseModel):
    """The audit trail's line about the erasure."""

    seq: int
    sha256: str


class IndexErasureSchema(BaseModel):
    """Faces removed from the index."""

    kind: str
    faces: int
    snapshot_segments: Annotated[int, Field(description="Files of the snapshot on disk that were deleted.")]


class ErasureReceipt(BaseModel):
    """Receipt of an erasure: the removed data, and data that remains elsewhere."""

    collection: str
    identity_id: str
    identity_removed: Annotated[bool, Field(description="False: other faces of the person are still enrolled.")]
    faces: Annotated[list[str], Field(description="Ids of the removed faces.")]
    enrollment_answers: Annotated[int, Field(description="Stored answers about the person that were deleted.")]
    events: Annotated[int, Field(description="Events about the person that were deleted, with their images.")]
    index: IndexErasureSchema
    revision: Annotated[int, Field(description="Revision of the collection after the erasure.")]
    audit: AuditLineSchema
    erased_at: datetime
    status: Annotated[
        Literal["complete", "pending"], Field(description="Pending: this service still has to remove data.")
    ]
    pending: list[RemainderSchema]
    left: Annotated[list[RemainderSchema], Field(description="Data that this service cannot remove.")]

    @classmethod
    def of(cls, receipt: Receipt) -> "ErasureReceipt":
        """Return the schema of a receipt."""
        return cls(
            collection=receipt.collection,
            identity_id=receipt.identity_id,
            identity_removed=receipt.is_identity_gone,
            faces=list(receipt.face_ids),
            enrollment_answers=receipt.answers,
            events=receipt.events,
            index=IndexErasureSchema(
                kind=receipt.index_kind, faces=len(receipt.face_ids), snapshot_segments=receipt.snapshot_files
            ),
            revision=receipt.revision,
            audit=AuditLineSchema(seq=receipt.noted.seq, sha256=receipt.noted.sha256),
            erased_at=receipt.at,
            status="pending" if receipt.pending else "complete",
            pending=[RemainderSchema(where=where, what=what) for where, what in receipt.pending],
            left=[RemainderSchema(where=where, what=what) for where, what in receipt.left],
        )


class ExportedFaceSchema(StoredFaceSchema):
    """An enrolled face with its image."""

    image: Annotated[str | None, Field(description="A JPEG in base64; null if the face has no image.")]

    @classmethod
    def with_image(cls, record: FaceRecord, image: bytes | None) -> "ExportedFaceSchema":
        """Return the schema of a face."""
        encoded = None if image is None else base64.b64encode(image).decode()
        return cls(**StoredFaceSchema.of(record).model_dump(), image=encoded)


class PersonExport(BaseModel):
    """All data that is stored about a person."""

    collection: str
    identity: IdentitySchema
    faces: Annotated[list[ExportedFaceSchema], Field(description="All faces, with embeddings and images.")]
    enrollment_answers: list[dict[str, Any]]
    reviews: Annotated[list[dict[str, Any]], Field(description="Reviews in which the person is a candidate.")]
    events: Annotated[list[EventSchema], Field(description="The events about the person, the oldest first.")]
    audit: Annotated[list[dict[str, Any]], Field(description="The readable lines of the trail about the person.")]

    @classmethod
    def of(cls, data: PersonalData) -> "PersonExport":
        """Return the schema of a person's data."""
        return cls(
            collection=data.collection,
            identity=IdentitySchema.of(data.identity),
            faces=[ExportedFaceSchema.with_image(each, data.images.get(each.face_id)) for each in data.faces],
            enrollment_answers=[dict(each) for each in data.answers],
            reviews=[ReviewSchema.of(data.collection, each).model_dump(mode="json") for each in data.reviews],
            events=[EventSchema.of(each) for each in data.events],
            audit=[each.content() for each in data.trail],
        )


router = router_at("/collections/{collection}/identities", tag="gallery", scope=Scope.MANAGE, route_class=IdentityRoute)


@router.get("/{identity_id:path}/export")
async def export_identity(
    collection: CollectionPath, identity_id: IdentityId, services: ServicesDependency, workers: WorkersDependency
) -> PersonExport:
    """Return all data that is stored about a person, with embeddings and images; the audit trail records it."""
    return PersonExport.of(await workers.run(services.person_export.of, collection, identity_id))
