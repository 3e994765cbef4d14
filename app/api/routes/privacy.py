"""Answers about personal data: receipts of erasures, and a person's own data."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from app.access.keys import Scope
from app.access.trail import AuditLine
from app.api.http.dependencies import ServicesDependency, WorkersDependency
from app.api.http.routing import router_at
from app.api.routes.identity_routes import IdentityRoute
from app.api.schemas.fields import CollectionPath
from app.api.schemas.resources import IdentitySchema, StoredFaceSchema
from app.gallery.erasure import Receipt
from app.names import IdentityId
from app.recognition.person_export import PersonalData


class RemainderSchema(BaseModel):
    """Something of what was erased that is, or may be, still there."""

    where: str
    what: str


class AuditLineSchema(BaseModel):
    """Which line of the audit trail tells of it."""

    seq: int
    sha256: str


class IndexErasureSchema(BaseModel):
    """What was removed from the index."""

    kind: str
    faces: int
    snapshot_segments: Annotated[int, Field(description="Files on disk that were deleted for it.")]


class ErasureReceipt(BaseModel):
    """What an erasure has removed, and what is left where."""

    collection: str
    identity_id: str
    identity_removed: Annotated[bool, Field(description="False: other faces of the person are still enrolled.")]
    faces: Annotated[list[str], Field(description="Ids of the removed faces.")]
    enrollment_answers: Annotated[int, Field(description="Stored answers about the person that went with it.")]
    index: IndexErasureSchema
    revision: Annotated[int, Field(description="The collection's, from this erasure on.")]
    audit: AuditLineSchema
    erased_at: datetime
    status: Annotated[
        Literal["complete", "pending"], Field(description="Whether this service has still to do something.")
    ]
    pending: list[RemainderSchema]
    left: Annotated[list[RemainderSchema], Field(description="What is beyond this service's reach, or not its own.")]

    @classmethod
    def of(cls, receipt: Receipt) -> "ErasureReceipt":
        """Take over a receipt."""
        return cls(
            collection=receipt.collection,
            identity_id=receipt.identity_id,
            identity_removed=receipt.is_identity_gone,
            faces=list(receipt.face_ids),
            enrollment_answers=receipt.answers,
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


class PersonExport(BaseModel):
    """Everything that is stored about a person."""

    collection: str
    identity: IdentitySchema
    faces: Annotated[list[StoredFaceSchema], Field(description="All of them, with embeddings.")]
    enrollment_answers: list[dict[str, Any]]
    audit: Annotated[list[dict[str, Any]], Field(description="The trail's lines about the person that can be read.")]

    @classmethod
    def of(cls, disclosure: PersonalData) -> "PersonExport":
        """Take over a disclosure."""
        return cls(
            collection=disclosure.collection,
            identity=IdentitySchema.of(disclosure.identity),
            faces=[StoredFaceSchema.of(each) for each in disclosure.faces],
            enrollment_answers=[dict(each) for each in disclosure.answers],
            audit=[_line(each) for each in disclosure.trail],
        )


def _line(line: AuditLine) -> dict[str, Any]:
    return {**line.entry.content(), "sha256": line.sha256}


router = router_at("/collections/{collection}/identities", tag="gallery", scope=Scope.MANAGE, route_class=IdentityRoute)


@router.get("/{identity_id:path}/export")
async def export_identity(
    collection: CollectionPath, identity_id: IdentityId, services: ServicesDependency, workers: WorkersDependency
) -> PersonExport:
    """Give everything that is stored about a person, embeddings included; the audit trail notes it."""
    return PersonExport.of(await workers.run(services.disclosure.of, collection, identity_id))
