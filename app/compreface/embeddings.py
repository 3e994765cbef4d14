"""Recognition and verification of embeddings under /api/v1."""

from collections.abc import Sequence
from typing import Annotated

import numpy as np
from fastapi import Depends
from numpy.typing import NDArray

from app.access.keys import Scope
from app.api.http.body import JsonBody
from app.api.http.dependencies import (
    CollectionDependency,
    ExactDependency,
    SearchesDependency,
    WorkersDependency,
)
from app.api.http.permissions import needs
from app.api.schemas.fields import MOST_CANDIDATES
from app.compreface.answers import (
    EmbeddingAnswer,
    EmbeddingLikeness,
    EmbeddingRecognitionAnswer,
    EmbeddingSubjects,
    SubjectLikeness,
)
from app.compreface.dependencies import ComparisonDependency
from app.compreface.requests import (
    CompreFaceEmbeddingPair,
    CompreFaceEmbeddings,
    ImageId,
    PredictionCount,
)
from app.compreface.routing import router_at

router = router_at(scope=Scope.SEARCH)
EmbeddingsDependency = Annotated[CompreFaceEmbeddings, Depends(JsonBody(CompreFaceEmbeddings))]


@router.post("/recognition/embeddings/recognize")
async def recognise_embeddings(
    request: EmbeddingsDependency,
    collection: CollectionDependency,
    comparison: ComparisonDependency,
    workers: WorkersDependency,
    searches: SearchesDependency,
    is_exact: ExactDependency,
    prediction_count: PredictionCount = 1,
) -> EmbeddingRecognitionAnswer:
    """Find the most similar subjects for each embedding."""
    await searches.take(len(request.embeddings))
    found = await workers.run(
        comparison.recognise_embeddings,
        _arrays(request.embeddings),
        collection=collection,
        top_k=min(prediction_count, MOST_CANDIDATES),
        is_exact=is_exact,
    )
    result = [
        EmbeddingSubjects(
            embedding=embedding,
            similarities=[SubjectLikeness(subject=each.identity_id, similarity=each.score) for each in people],
        )
        for embedding, people in zip(request.embeddings, found, strict=True)
    ]
    return EmbeddingRecognitionAnswer(result=result)


@router.post("/recognition/embeddings/faces/{image_id}/verify")
async def verify_embeddings_with_example(
    image_id: ImageId,
    request: EmbeddingsDependency,
    collection: CollectionDependency,
    comparison: ComparisonDependency,
    workers: WorkersDependency,
    searches: SearchesDependency,
    is_exact: ExactDependency,
) -> EmbeddingAnswer:
    """Compare embeddings with an enrolled face."""
    await searches.take(len(request.embeddings))
    found = await workers.run(
        comparison.embeddings_with_face,
        _arrays(request.embeddings),
        collection=collection,
        face_id=image_id,
        is_exact=is_exact,
    )
    return _answer(request.embeddings, found)


@router.post("/verification/embeddings/verify", dependencies=[needs(Scope.RECOGNISE)])
async def verify_embeddings(
    request: Annotated[CompreFaceEmbeddingPair, Depends(JsonBody(CompreFaceEmbeddingPair))],
    collection: CollectionDependency,
    comparison: ComparisonDependency,
    workers: WorkersDependency,
    is_exact: ExactDependency,
) -> EmbeddingAnswer:
    """Compare embeddings with one embedding."""
    (source,) = _arrays([request.source])
    targets = _arrays(request.targets)
    found = await workers.run(comparison.embeddings, source, targets, collection=collection, is_exact=is_exact)
    return _answer(request.targets, found)


def _arrays(embeddings: Sequence[Sequence[float]]) -> list[NDArray[np.float64]]:
    return [np.array(each, np.float64) for each in embeddings]


def _answer(embeddings: Sequence[list[float]], found: Sequence[float]) -> EmbeddingAnswer:
    return EmbeddingAnswer(
        result=[
            EmbeddingLikeness(embedding=embedding, similarity=score)
            for embedding, score in zip(embeddings, found, strict=True)
        ]
    )
