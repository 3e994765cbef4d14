"""The faces of photos under /api/v1: recognized, detected, verified."""

from functools import partial
from typing import Annotated

from fastapi import Depends

from app.access.keys import Scope
from app.api.http.body import FormBody
from app.api.http.dependencies import CollectionDependency, ExactDependency, WorkersDependency
from app.api.http.outcomes import OutcomesDependency
from app.api.schemas.fields import MOST_CANDIDATES
from app.compreface.answers import (
    CompreFaceFace,
    DetectionAnswer,
    FaceVerificationAnswer,
    MatchSchema,
    PairAnswer,
    PairSchema,
    RecognisedSchema,
    RecognitionAnswer,
)
from app.compreface.dependencies import ChoiceDependency, ComparisonDependency, OptionsDependency
from app.compreface.requests import (
    CompreFacePair,
    CompreFacePhoto,
    DetectFaces,
    ImageId,
    PredictionCount,
)
from app.compreface.routing import router_at
from app.errors import RequestInvalid

router = router_at(scope=Scope.RECOGNISE)
PhotoDependency = Annotated[CompreFacePhoto, Depends(FormBody(CompreFacePhoto))]


@router.post("/recognition/recognize", response_model_exclude_none=True)
async def recognise(  # noqa: PLR0913, PLR0917 - one for each thing that FastAPI brings
    request: PhotoDependency,
    collection: CollectionDependency,
    choice: ChoiceDependency,
    options: OptionsDependency,
    comparison: ComparisonDependency,
    workers: WorkersDependency,
    outcomes: OutcomesDependency,
    is_exact: ExactDependency,
    prediction_count: PredictionCount = 1,
    detect_faces: DetectFaces = True,  # noqa: FBT002 - a query parameter
) -> RecognitionAnswer:
    """Find the most similar subjects for each face; the client applies its own threshold.

    Without scope `manage`, the answer omits subjects below the collection's own doubt range.
    """
    _require_detection(is_wanted=detect_faces)
    work = partial(
        comparison.recognise,
        request.file,
        choice,
        collection=collection,
        top_k=min(prediction_count, MOST_CANDIDATES),
        is_exact=is_exact,
    )
    found, described = await workers.run(options.described, work, lambda found: [each.face for each in found.faces])
    outcomes.identified(found.identification)
    extras = options.extras()
    result = [
        RecognisedSchema.of_recognised(each, extras, its) for each, its in zip(found.faces, described, strict=True)
    ]
    return RecognitionAnswer(result=result, plugins_versions=extras.versions)


@router.post("/recognition/faces/{image_id}/verify", response_model_exclude_none=True)
async def verify_example(
    image_id: ImageId,
    request: PhotoDependency,
    collection: CollectionDependency,
    choice: ChoiceDependency,
    options: OptionsDependency,
    comparison: ComparisonDependency,
    workers: WorkersDependency,
    is_exact: ExactDependency,
) -> FaceVerificationAnswer:
    """Compare every face of a photo with an enrolled face."""
    work = partial(
        comparison.with_face, request.file, choice, collection=collection, face_id=image_id, is_exact=is_exact
    )
    (subject, compared), described = await workers.run(
        options.described, work, lambda found: [each.face for each in found[1]]
    )
    extras = options.extras()
    result = [
        MatchSchema.of_compared(each, extras, its, subject) for each, its in zip(compared, described, strict=True)
    ]
    return FaceVerificationAnswer(result=result, plugins_versions=extras.versions)


@router.post("/detection/detect", response_model_exclude_none=True)
async def detect(
    request: PhotoDependency,
    collection: CollectionDependency,
    choice: ChoiceDependency,
    options: OptionsDependency,
    comparison: ComparisonDependency,
    workers: WorkersDependency,
) -> DetectionAnswer:
    """Find the faces of a photo; embeddings are computed as in the collection."""
    work = partial(comparison.faces, request.file, choice, collection=collection)
    faces, described = await workers.run(options.described, work, lambda found: [each.face for each in found])
    extras = options.extras()
    result = [CompreFaceFace.of(each, extras, its) for each, its in zip(faces, described, strict=True)]
    return DetectionAnswer(result=result, plugins_versions=extras.versions)


@router.post("/verification/verify", response_model_exclude_none=True)
async def verify(
    request: Annotated[CompreFacePair, Depends(FormBody(CompreFacePair, most_files=2))],
    collection: CollectionDependency,
    choice: ChoiceDependency,
    options: OptionsDependency,
    comparison: ComparisonDependency,
    workers: WorkersDependency,
    is_exact: ExactDependency,
) -> PairAnswer:
    """Compare the main face of one photo with every face of another."""
    work = partial(
        comparison.photos,
        request.source_image,
        request.target_image,
        choice,
        collection=collection,
        is_exact=is_exact,
    )
    (source, compared), (of_source, *described) = await workers.run(
        options.described, work, lambda found: [found[0].face, *(each.face for each in found[1])]
    )
    extras = options.extras()
    pair = PairSchema(
        source_image_face=CompreFaceFace.of(source, extras, of_source),
        face_matches=[
            MatchSchema.of_compared(each, extras, its) for each, its in zip(compared, described, strict=True)
        ],
        plugins_versions=extras.versions,
    )
    return PairAnswer(result=[pair])


def _require_detection(*, is_wanted: bool) -> None:
    if not is_wanted:
        detail = "cropped faces are not accepted without detection: landmarks are needed"
        raise RequestInvalid.at("query.detect_faces", detail)
