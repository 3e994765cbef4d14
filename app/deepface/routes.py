"""/deepface: faces of photos embedded, two photos compared, and the analysis that this service refuses."""

import time
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Depends

from app.access.keys import Scope
from app.api.http.body import FormBody
from app.api.http.dependencies import (
    CollectionDependency,
    ExactDependency,
    LivenessDependency,
    ServicesDependency,
    WorkersDependency,
)
from app.api.http.outcomes import OutcomesDependency
from app.api.http.permissions import needs
from app.api.http.photos_by_url import PhotosBody
from app.api.http.queries import require_known
from app.deepface.answers import DeepFaceVerifyAnswer, RepresentAnswer
from app.deepface.problems import PREFIX, RESPONSES
from app.deepface.requests import DeepFaceAnalysis, DeepFacePair, DeepFacePhoto
from app.errors import AttributesUnsupported, NoFace, PresentationAttack
from app.recognition.batches import PhotoOutcome
from app.recognition.liveness.decisions import is_attack
from app.recognition.liveness.gate import LivenessRequest
from app.recognition.verification import Verification
from app.types import LivenessMode

router = APIRouter(
    tags=["deepface"],
    responses=RESPONSES,
    prefix=PREFIX.rstrip("/"),
    dependencies=[needs(Scope.RECOGNISE), Depends(require_known)],
)


@router.post("/represent", response_model_exclude_none=True)
async def represent(
    request: Annotated[DeepFacePhoto, Depends(PhotosBody(DeepFacePhoto))],
    services: ServicesDependency,
    workers: WorkersDependency,
    outcomes: OutcomesDependency,
) -> RepresentAnswer:
    """Find the faces of a photo and embed them with the service's own network; nothing is stored."""
    mode = LivenessMode.ENFORCE if request.anti_spoofing else LivenessMode.OFF
    seen = await workers.run(services.examination.examine, request.photo, liveness=LivenessRequest(mode))
    outcomes.examined([PhotoOutcome(0, seen)])
    if not seen.faces:
        raise NoFace
    if any(is_attack(each.liveness) for each in seen.faces[: request.max_faces]):
        raise PresentationAttack
    return RepresentAnswer.of(seen, services.registry.default.detector, request.max_faces)


@router.post("/verify", response_model_exclude_none=True)
async def verify(
    request: Annotated[DeepFacePair, Depends(PhotosBody(DeepFacePair, most_files=2))],
    collection: CollectionDependency,
    services: ServicesDependency,
    workers: WorkersDependency,
    outcomes: OutcomesDependency,
    is_exact: ExactDependency,
    liveness: LivenessDependency,
) -> DeepFaceVerifyAnswer:
    """Compare the main faces of two photos by the threshold of the collection; the collection is not searched."""
    started = time.perf_counter()
    probe, reference = request.photos
    asked = liveness(None)
    if request.anti_spoofing:
        asked = replace(asked, mode=LivenessMode.ENFORCE, is_about_reference=True)

    def compare() -> tuple[Verification, str]:
        detector = services.registry.detector_of(services.gallery.collection(collection))
        made = services.verification.verify_photo(
            [probe], reference, collection=collection, is_exact=is_exact, liveness=asked
        )
        return made, detector

    verification, detector = await workers.run(compare)
    outcomes.verified(verification)
    seconds = time.perf_counter() - started
    return DeepFaceVerifyAnswer.of(verification, request.distance_metric, detector=detector, seconds=seconds)


@router.post("/analyze")
async def analyze(
    request: Annotated[DeepFaceAnalysis, Depends(FormBody(DeepFaceAnalysis))],  # noqa: ARG001 - read, then refused
) -> None:
    """Refuse: the service never estimates emotion or race. Always 400 `attributes_unsupported`."""
    raise AttributesUnsupported
