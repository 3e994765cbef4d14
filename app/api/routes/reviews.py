"""Reviews: the queue of matches that people decide."""

import hashlib
from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import Depends, Path, Query, Response
from fastapi.responses import StreamingResponse

from app.access.keys import Scope
from app.api.http.body import JsonBody
from app.api.http.dependencies import PrincipalDependency, ServicesDependency, WorkersDependency
from app.api.http.etag import Known, Versions, is_known, tag
from app.api.http.routing import router_at
from app.api.schemas.fields import CollectionPath
from app.api.schemas.paging import After, Limit
from app.api.schemas.reviews import DecisionAnswer, DecisionRequest, ReviewSchema, ReviewsPage
from app.gallery.store.review_values import ReviewRecord, ReviewState

router = router_at("/collections/{collection}/reviews", tag="gallery", scope=Scope.MANAGE)

ReviewPath = Annotated[str, Path(max_length=36, description="Id of the review.")]
_JPEG: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}},
    304: {"description": "The image is the one of `If-None-Match`."},
}
_NDJSON = "application/x-ndjson"
_LINES: dict[int | str, dict[str, Any]] = {
    200: {"content": {_NDJSON: {"schema": {"type": "string", "format": "binary"}}}}
}


@router.get("")
async def list_reviews(
    collection: CollectionPath,
    services: ServicesDependency,
    workers: WorkersDependency,
    after: After,
    limit: Limit = 50,
    state: Annotated[ReviewState | None, Query(description="Only reviews in this state.")] = None,
) -> ReviewsPage:
    """List the reviews of a collection."""
    found = await workers.run(services.reviews.page, collection, after=after, limit=limit, state=state)
    return ReviewsPage.of(collection, found)


@router.get("/export", response_class=StreamingResponse, responses=_LINES)
async def export_reviews(
    collection: CollectionPath, services: ServicesDependency, workers: WorkersDependency
) -> StreamingResponse:
    """Download all reviews of a collection with their decisions, as one JSON object per line."""
    await workers.run(services.collections.get, collection)  # 404 before the first line
    name = {"Content-Disposition": f'attachment; filename="{collection}-reviews.ndjson"'}
    return StreamingResponse(_lines(collection, services.reviews.all(collection)), media_type=_NDJSON, headers=name)


@router.get("/{review_id}")
async def get_review(
    collection: CollectionPath,
    review_id: ReviewPath,
    services: ServicesDependency,
    workers: WorkersDependency,
    response: Response,
) -> ReviewSchema:
    """Return a review with its candidates and decisions."""
    review = await workers.run(services.reviews.get, collection, review_id)
    tag(response, review.version)
    return ReviewSchema.of(collection, review)


@router.get("/{review_id}/image", response_class=Response, responses=_JPEG)
async def get_review_image(
    collection: CollectionPath,
    review_id: ReviewPath,
    services: ServicesDependency,
    workers: WorkersDependency,
    known: Known,
) -> Response:
    """Return the face of the probe: a small JPEG. It is 404 if the collection keeps no crops."""
    image = await workers.run(services.reviews.image, collection, review_id)
    version = hashlib.sha256(image).hexdigest()
    headers = {"ETag": f'"{version}"', "Cache-Control": "private, no-cache"}
    if is_known(known, version):
        return Response(status_code=304, headers=headers)
    return Response(image, headers=headers, media_type="image/jpeg")


@router.post("/{review_id}/decision")
async def decide_review(
    collection: CollectionPath,
    review_id: ReviewPath,
    request: Annotated[DecisionRequest, Depends(JsonBody(DecisionRequest))],
    services: ServicesDependency,
    workers: WorkersDependency,
    principal: PrincipalDependency,
    versions: Versions,
    response: Response,
) -> DecisionAnswer:
    """Confirm or reject a match. It closes the review if as many different people agree as the collection requires."""
    if request.enroll:
        principal.require(Scope.ENROLL)
    decided = await workers.run(
        services.reviews.decide, collection, review_id, request.value(), versions, is_enrolled=request.enroll
    )
    tag(response, decided.review.version)
    return DecisionAnswer.of(collection, decided)


def _lines(collection: str, reviews: Iterator[ReviewRecord]) -> Iterator[str]:
    for each in reviews:
        yield f"{ReviewSchema.of(collection, each).model_dump_json()}\n"
