"""POST /detect, /embed: what is in a photo, without any collection. POST /search: who is like an embedding."""

from typing import Annotated, Literal

import numpy as np
from fastapi import Depends
from pydantic import BaseModel, Field

from app.access.keys import Scope
from app.api.http.body import JsonBody
from app.api.http.dependencies import ExactDependency, SearchesDependency, ServicesDependency, WorkersDependency
from app.api.http.permissions import needs
from app.api.http.photos_by_url import PhotosBody
from app.api.http.routing import router_at
from app.api.schemas.answers import CandidateSchema, FaceSchema, FacesTruncated
from app.api.schemas.requests import DetectRequest, EmbedRequest, SearchRequest
from app.recognition.decisions.policy import Outcome
from app.recognition.identification import SearchResult

router = router_at(tag="recognition", scope=Scope.RECOGNISE)


class DetectAnswer(BaseModel):
    """The faces of the photo, the most prominent first."""

    faces: list[FaceSchema]
    faces_truncated: FacesTruncated


class EmbeddedFaceSchema(FaceSchema):
    """A face with its embedding."""

    embedding: Annotated[list[float], Field(description="Of length 1.")]
    norm: Annotated[float, Field(description="Length of the network's feature before normalisation.")]


class EmbedAnswer(BaseModel):
    """Every face of the photo, the most prominent first; embeddings compare only with those made the same way."""

    faces: list[EmbeddedFaceSchema]
    model: str
    dimension: int
    flip: Annotated[bool, Field(description="Embeddings are averaged with the mirror image's.")]
    faces_truncated: FacesTruncated


class SearchAnswer(BaseModel):
    """The people whom an embedding resembles, best first: `match` says that the first one is this person."""

    verdict: Literal["match", "possible", "unknown"]
    margin: Annotated[float | None, Field(description="How much more similar the first candidate is than the second.")]
    candidates: list[CandidateSchema]
    threshold: float
    model: str

    @classmethod
    def of(cls, found: SearchResult, model: str) -> "SearchAnswer":
        """Take over the service's result."""
        return cls(
            verdict="unknown" if found.verdict is Outcome.NO_MATCH else found.verdict.value,
            margin=found.margin,
            candidates=[CandidateSchema.of(*each) for each in zip(found.candidates, found.rates, strict=True)],
            threshold=found.threshold,
            model=model,
        )


@router.post("/detect")
async def detect(
    request: Annotated[DetectRequest, Depends(PhotosBody(DetectRequest))],
    services: ServicesDependency,
    workers: WorkersDependency,
) -> DetectAnswer:
    """Find the faces of a photo, and say how usable they are; nothing is stored."""
    seen = await workers.run(services.examination.examine, request.photo, model=request.model)
    faces = [FaceSchema.of(each.face.detection, each.quality) for each in seen.faces]
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
        EmbeddedFaceSchema(
            **FaceSchema.of(each.face.detection, each.quality).model_dump(),
            embedding=each.face.vector.tolist(),
            norm=each.face.norm,
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


@router.post("/search", dependencies=[needs(Scope.SEARCH)])
async def search(
    request: Annotated[SearchRequest, Depends(JsonBody(SearchRequest))],
    services: ServicesDependency,
    workers: WorkersDependency,
    searches: SearchesDependency,
    is_exact: ExactDependency,
) -> SearchAnswer:
    """Look up an embedding among the enrolled."""
    await searches.take(1)
    found = await workers.run(
        services.identification.search,
        np.array(request.embedding, np.float64),
        collection=request.collection,
        model=services.registry.named(request.model).model if request.model is not None else None,
        top_k=request.top_k,
        max_fpir=request.max_fpir,
        threshold=request.threshold,
        where=request.where,
        is_exact=is_exact,
    )
    return SearchAnswer.of(found, found.model)
