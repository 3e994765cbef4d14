"""POST /detect, /embed: the faces of a photo, without a collection."""

from collections.abc import Sequence
from functools import partial
from typing import Annotated

from fastapi import Depends
from pydantic import BaseModel, Field

from app.access.keys import Scope
from app.api.http.dependencies import BatchesDependency, LivenessDependency, ServicesDependency, WorkersDependency
from app.api.http.outcomes import OutcomesDependency
from app.api.http.photos_by_url import PhotosBody
from app.api.http.routing import router_at
from app.api.schemas.answers import FaceSchema, FacesTruncated, PhotoCode
from app.api.schemas.attributes import AttributesQuery, AttributesSchema, joined
from app.api.schemas.face_parts import FaceParts
from app.api.schemas.fields import MOST_PHOTOS
from app.api.schemas.probe_requests import DetectRequest
from app.api.schemas.requests import EmbedRequest
from app.recognition.batches import PhotoOutcome, each_photo
from app.recognition.examination import Examination, ExaminedFace

router = router_at(tag="recognition", scope=Scope.RECOGNISE)


class DetectedFaceSchema(FaceSchema):
    """A detected face, with the attributes that were asked for."""

    attributes: Annotated[
        AttributesSchema | None, Field(description="Null unless the request asks for `attributes`.")
    ] = None

    @classmethod
    def of_examined(cls, examined: ExaminedFace, parts: FaceParts) -> "DetectedFaceSchema":
        """Return the schema of an examined face."""
        return cls.of(examined, parts, attributes=AttributesSchema.of(examined.attributes))


class DetectedPhotoSchema(BaseModel):
    """One of many photos and its faces, the main face first. If it cannot be used, `code` and `detail` say why."""

    photo: Annotated[int, Field(description="Place of the photo in the request, from 0.")]
    faces: list[DetectedFaceSchema]
    faces_truncated: FacesTruncated
    code: PhotoCode
    detail: str | None

    @classmethod
    def of(cls, outcome: PhotoOutcome[Examination], parts: FaceParts) -> "DetectedPhotoSchema":
        """Return the answer to a photo."""
        result, refusal = outcome.result, outcome.refusal
        return cls(
            photo=outcome.photo,
            faces=_faces(result.faces if result else (), parts),
            faces_truncated=result is not None and result.is_truncated,
            code=refusal.code if refusal else None,
            detail=str(refusal) if refusal else None,
        )


class DetectAnswer(BaseModel):
    """The faces of the photo, the main face first; with `photos_of=many` there are `answers` instead of `faces`."""

    faces: list[DetectedFaceSchema]
    faces_truncated: FacesTruncated
    answers: Annotated[
        list[DetectedPhotoSchema] | None, Field(description="With `photos_of=many`: the answer to each photo.")
    ] = None


class EmbeddedFaceSchema(FaceSchema):
    """A face with its embedding."""

    embedding: Annotated[list[float], Field(description="A vector of length 1.")]
    norm: Annotated[float, Field(description="Length of the network's feature before normalisation.")]


class EmbedAnswer(BaseModel):
    """The faces of the photo, the main face first. Compare embeddings only if `model` and `flip` are equal."""

    faces: list[EmbeddedFaceSchema]
    model: str
    dimension: int
    flip: Annotated[bool, Field(description="The embeddings are averages with the mirror image's.")]
    faces_truncated: FacesTruncated


@router.post("/detect")
async def detect(
    request: Annotated[DetectRequest, Depends(PhotosBody(DetectRequest, most_files=MOST_PHOTOS))],
    services: ServicesDependency,
    workers: WorkersDependency,
    batches: BatchesDependency,
    noted: OutcomesDependency,
    liveness: LivenessDependency,
    attributes: AttributesQuery = (),
) -> DetectAnswer:
    """Find the faces of a photo, or of up to 50, and measure their quality; nothing is stored."""
    examine = partial(
        services.examination.examine,
        model=request.model,
        liveness=liveness(request.liveness),
        attributes=joined(request.attributes, attributes),
    )
    parts = FaceParts.of(request)
    if request.photos_of == "many":
        await batches.take(request.count())
        outcomes = await workers.run(each_photo, request.photo, examine)
        noted.examined(outcomes)
        answers = [DetectedPhotoSchema.of(each, parts) for each in outcomes]
        return DetectAnswer(faces=[], faces_truncated=False, answers=answers)
    seen = await workers.run(examine, request.photo[0])
    noted.examined([PhotoOutcome(0, seen)])
    faces = _faces(seen.faces, parts)
    return DetectAnswer(faces=faces, faces_truncated=seen.is_truncated)


def _faces(examined: Sequence[ExaminedFace], parts: FaceParts) -> list[DetectedFaceSchema]:
    return [DetectedFaceSchema.of_examined(each, parts) for each in examined]


@router.post("/embed")
async def embed(
    request: Annotated[EmbedRequest, Depends(PhotosBody(EmbedRequest))],
    services: ServicesDependency,
    workers: WorkersDependency,
    noted: OutcomesDependency,
) -> EmbedAnswer:
    """Find the faces of a photo and embed them; nothing is stored."""
    seen = await workers.run(
        services.examination.examine, request.photo, is_flip_averaged=request.flip, model=request.model
    )
    noted.examined([PhotoOutcome(0, seen)])
    parts = FaceParts.of(request)
    faces = [
        EmbeddedFaceSchema.of(each, parts, embedding=each.face.vector.tolist(), norm=each.face.norm)
        for each in seen.faces
    ]
    return EmbedAnswer(
        faces=faces,
        model=seen.model,
        dimension=seen.dimension,
        flip=seen.is_flip_averaged,
        faces_truncated=seen.is_truncated,
    )
