"""POST /enroll, /verify, /identify, /search."""

from collections.abc import Callable
from functools import partial
from typing import Annotated

import numpy as np
from fastapi import Depends, Header

from app.access.keys import Scope
from app.api.http.body import JsonBody
from app.api.http.dependencies import (
    BatchesDependency,
    ExactDependency,
    LivenessDependency,
    PrincipalDependency,
    SearchesDependency,
    ServicesDependency,
    WorkersDependency,
)
from app.api.http.outcomes import OutcomesDependency
from app.api.http.permissions import needs
from app.api.http.photos_by_url import PhotosBody
from app.api.http.routing import router_at
from app.api.schemas.answers import EnrollAnswer, SearchAnswer, VerifyAnswer
from app.api.schemas.face_parts import FaceParts
from app.api.schemas.fields import MOST_PHOTOS
from app.api.schemas.identify_answers import IdentifyAnswer
from app.api.schemas.probe_requests import MOST_PROBES, IdentifyRequest, VerifyRequest
from app.api.schemas.requests import EnrollRequest, SearchRequest
from app.gallery.store.unknown.values import FaceOrigin
from app.recognition.identification import Identification, IdentificationService
from app.recognition.screening import Reactions

router = router_at(tag="recognition", scope=Scope.RECOGNISE)


@router.post("/enroll", dependencies=[needs(Scope.ENROLL)])
async def enroll(
    request: Annotated[EnrollRequest, Depends(PhotosBody(EnrollRequest, most_files=MOST_PHOTOS))],
    services: ServicesDependency,
    workers: WorkersDependency,
    outcomes: OutcomesDependency,
    is_exact: ExactDependency,
    liveness: LivenessDependency,
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=255)] = None,
) -> EnrollAnswer:
    """Enroll a person with one or more photos; each photo is accepted or refused on its own."""
    enrollment = await workers.run(
        services.enrollment.enroll,
        request.photos,
        collection=request.collection,
        identity_id=request.identity_id,
        name=request.name,
        metadata=request.metadata,
        terms=request.terms(),
        choice=request.face,
        idempotency_key=idempotency_key,
        reactions=Reactions(request.on_duplicate, request.on_mismatch),
        is_exact=is_exact,
        liveness=liveness(request.liveness),
    )
    outcomes.enrolled(enrollment)
    return EnrollAnswer.of(enrollment)


@router.post("/verify")
async def verify(
    request: Annotated[VerifyRequest, Depends(PhotosBody(VerifyRequest, most_files=MOST_PROBES + 1))],
    services: ServicesDependency,
    workers: WorkersDependency,
    outcomes: OutcomesDependency,
    is_exact: ExactDependency,
    liveness: LivenessDependency,
) -> VerifyAnswer:
    """Compare a probe (photos of one person) with a reference photo, or with all faces of an enrolled identity."""
    against = (
        partial(services.verification.verify_photo, request.probe, request.reference)
        if request.reference is not None
        else partial(services.verification.verify_identity, request.probe, request.identity_id or "")
    )
    verification = await workers.run(
        against,
        collection=request.collection,
        max_fmr=request.max_fmr,
        threshold=request.threshold,
        is_exact=is_exact,
        liveness=liveness(request.liveness),
    )
    outcomes.verified(verification)
    return VerifyAnswer.of(verification, FaceParts.of(request))


@router.post("/identify")
async def identify(
    request: Annotated[IdentifyRequest, Depends(PhotosBody(IdentifyRequest, most_files=MOST_PHOTOS))],
    services: ServicesDependency,
    workers: WorkersDependency,
    batches: BatchesDependency,
    outcomes: OutcomesDependency,
    is_exact: ExactDependency,
    liveness: LivenessDependency,
    principal: PrincipalDependency,
) -> IdentifyAnswer:
    """Search the gallery for every face of a photo, of up to 50 photos, or for the person of several photos."""
    if request.remember_unknown:
        principal.require(Scope.ENROLL)
        request.require_all_people()
        await workers.run(services.unknown_faces.require, request.collection)
    await batches.take(request.count() if request.photos_of == "many" else 1)
    identification = await workers.run(
        _search_of(request, services.identification),
        collection=request.collection,
        top_k=request.top_k,
        max_fpir=request.max_fpir,
        threshold=request.threshold,
        where=request.where,
        is_exact=is_exact,
        liveness=liveness(request.liveness),
    )
    if request.photos_of == "many":
        outcomes.identified_each(identification.answers)
    else:
        outcomes.identified(identification)
    answer = IdentifyAnswer.of(identification, FaceParts.of(request))
    if request.remember_unknown:
        remember = services.unknown_faces.remember_identified
        answer.remembered = await workers.run(
            remember, request.collection, request.photo, identification, origin=FaceOrigin.IDENTIFY
        )
    return answer


def _search_of(request: IdentifyRequest, service: IdentificationService) -> Callable[..., Identification]:
    """Return the search that the request asks for: of many photos, of one person's photos, or of one photo."""
    if request.photos_of == "many":
        return partial(service.identify_each, request.photo)
    if request.photos_of == "one_person":
        return partial(service.identify_person, request.photo)
    return partial(service.identify, request.photo[0])


@router.post("/search", dependencies=[needs(Scope.SEARCH)])
async def search(
    request: Annotated[SearchRequest, Depends(JsonBody(SearchRequest))],
    services: ServicesDependency,
    workers: WorkersDependency,
    searches: SearchesDependency,
    outcomes: OutcomesDependency,
    is_exact: ExactDependency,
) -> SearchAnswer:
    """Search the gallery for an embedding."""
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
    outcomes.searched(found)
    return SearchAnswer.of(found)
