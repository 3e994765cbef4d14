"""POST /detect, /embed: the faces of a photo, without a collection."""

from typing import Annotated

from fastapi import Depends
from pydantic import BaseModel, Field

from app.access.keys import Scope
from app.api.http.dependencies import ServicesDependency, WorkersDependency
from app.api.http.photos_by_url import PhotosBody
from app.api.http.routing import router_at
from app.api.schemas.answers import FaceSchema, FacesTruncated
from app.api.schemas.requests import DetectRequest, EmbedRequest

router = router_at(tag="recognition", scope=Scope.RECOGNISE)


class DetectAnswer(BaseModel):
    """The faces of the photo, the main face first."""

    faces: list[FaceSchema]
    faces_truncated: FacesTruncated


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
    request: Annotated[DetectRequest, Depends(PhotosBody(DetectRequest))],
    services: ServicesDependency,
    workers: WorkersDependency,
) -> DetectAnswer:
    """Find the faces of a photo and measure their quality; nothing is stored."""
    seen = await workers.run(services.examination.examine, request.photo, model=request.model)
    faces = [FaceSchema.of(each, has_landmarks=request.landmarks) for each in seen.faces]
    return DetectAnswer(faces=faces, faces_truncated=seen.is_truncated)


@router.post("/embed")
async def embed(
    request: Annotated[EmbedRequest, Depends(PhotosBody(EmbedRequest))],
    services: ServicesDependency,
    workers: WorkersDependency,
) -> EmbedAnswer:
    """Find the faces of a photo and embed them; nothing is stored."""
    seen = await workers.run(
        services.examination.examine, request.photo, is_flip_averaged=request.flip, model=request.model
    )
    faces = [
        EmbeddedFaceSchema.of(
            each, has_landmarks=request.landmarks, embedding=each.face.vector.tolist(), norm=each.face.norm
        )
        for each in seen.faces
    ]
    return EmbedAnswer(
        faces=faces,
        model=seen.model,
        dimension=seen.dimension,
        flip=seen.is_flip_averaged,
        faces_truncated=seen.is_truncated,
    )
