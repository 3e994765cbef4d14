"""Outcomes of requests: verdicts for the metrics, and also qualities and refusals for the statistics."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Annotated

from fastapi import Depends, Request
from starlette.types import Scope

from app.api.http.metrics import Metrics
from app.api.http.request_notes import noted_collection, noted_outcomes
from app.api.schemas.answers import verdict_of
from app.errors import PhotoRefused
from app.recognition.batches import PhotoOutcome
from app.recognition.challenges.challenge_service import ChallengeResult
from app.recognition.enrollment import Enrollment
from app.recognition.examination import Examination
from app.recognition.identification import Identification
from app.recognition.search_scope import SearchResult
from app.recognition.verification import Verification
from app.statistics.counts import Observation, Operation, Recorder, Series

_COMPREFACE = "/api/v1/recognition"
_OPERATIONS: Mapping[tuple[str, str], Operation] = MappingProxyType(
    {
        **{("POST", f"/{each}"): each for each in Operation},
        ("POST", f"{_COMPREFACE}/recognize"): Operation.IDENTIFY,
        ("POST", f"{_COMPREFACE}/embeddings/recognize"): Operation.SEARCH,
        ("POST", f"{_COMPREFACE}/faces"): Operation.ENROLL,
        ("POST", f"{_COMPREFACE}/faces/{{image_id}}/verify"): Operation.VERIFY,
        ("POST", f"{_COMPREFACE}/embeddings/faces/{{image_id}}/verify"): Operation.VERIFY,
        ("POST", "/api/v1/verification/verify"): Operation.VERIFY,
        ("POST", "/api/v1/verification/embeddings/verify"): Operation.VERIFY,
        ("POST", "/api/v1/detection/detect"): Operation.DETECT,
        ("POST", "/deepface/verify"): Operation.VERIFY,
        ("POST", "/deepface/represent"): Operation.EMBED,
    }
)


class Outcomes:
    """The outcomes of one request, which handlers state."""

    def __init__(self, metrics: Metrics, scope: Scope) -> None:
        self._metrics = metrics
        self._noted = noted_outcomes(scope)

    def identified(self, identification: Identification) -> None:
        """Note the faces of a photo, or of all photos of a person, and their verdicts."""
        self._metrics.identified(identification)
        for face in identification.faces:
            self._noted += (Observation(Series.VERDICT, verdict_of(face)), Observation.of_quality(face.quality.score))

    def identified_each(self, answers: Iterable[PhotoOutcome[Identification]]) -> None:
        """Note the faces of many photos, and the photos that were refused."""
        for each in answers:
            if each.result is not None:
                self.identified(each.result)
            self._refused(each.refusal)

    def verified(self, verification: Verification) -> None:
        """Note a verdict and the quality of the probe."""
        self._metrics.verified(verification)
        verdict, score = verification.verdict.value, verification.probe.quality.score
        self._noted += (Observation(Series.VERDICT, verdict), Observation.of_quality(score))

    def presented(self, result: ChallengeResult) -> None:
        """Note the verdict on an answer to a liveness challenge, and that of its verification."""
        self._metrics.presented(result.presentation)
        if result.verification is not None:
            self.verified(result.verification)

    def searched(self, found: SearchResult) -> None:
        """Note a verdict."""
        self._noted.append(Observation(Series.VERDICT, verdict_of(found)))

    def enrolled(self, enrollment: Enrollment) -> None:
        """Note the qualities of the new faces, and the photos that were refused."""
        self._noted += (
            Observation.of_quality(each.quality.score) for each in enrollment.faces if each.quality is not None
        )
        self._noted += (Observation(Series.REFUSAL, each.code) for each in enrollment.rejected)

    def examined(self, outcomes: Iterable[PhotoOutcome[Examination]]) -> None:
        """Note the qualities of the faces of photos, and the photos that were refused."""
        for each in outcomes:
            self._refused(each.refusal)
            if each.result is not None:
                self._noted += (Observation.of_quality(face.quality.score) for face in each.result.faces)

    def _refused(self, refusal: PhotoRefused | None) -> None:
        if refusal is not None:
            self._noted.append(Observation(Series.REFUSAL, refusal.code))


def count(scope: Scope, route: str | None, seconds: float) -> None:
    """Count a finished request in the statistics, if it is for recognition."""
    operation = _OPERATIONS.get((scope["method"], route or ""))
    if operation is None:
        return
    recorder: Recorder | None = scope["app"].state.services.recorder
    if recorder is not None:
        recorder.count(operation, noted_collection(scope), seconds, noted_outcomes(scope))


async def _outcomes(request: Request) -> Outcomes:
    return Outcomes(request.app.state.metrics, request.scope)


OutcomesDependency = Annotated[Outcomes, Depends(_outcomes)]
