"""Liveness challenges: issue one, and judge its answer."""

from typing import Annotated

from fastapi import Depends, Path, Response

from app.access.keys import Scope
from app.api.http.body import FormBody, JsonBody
from app.api.http.dependencies import BatchesDependency, ExactDependency, ServicesDependency, WorkersDependency
from app.api.http.outcomes import OutcomesDependency
from app.api.http.routing import router_at
from app.api.schemas.challenges import (
    MOST_FRAMES,
    ChallengeAnswer,
    ChallengeRequest,
    ChallengeSchema,
    ChallengeVerdictSchema,
)

router = router_at("/liveness", tag="recognition", scope=Scope.RECOGNISE)

ChallengeId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$", description="Id of the challenge.")]


@router.post("/challenges", status_code=201)
async def create_challenge(
    request: Annotated[ChallengeRequest, Depends(JsonBody(ChallengeRequest))],
    services: ServicesDependency,
    workers: WorkersDependency,
    response: Response,
) -> ChallengeSchema:
    """Create a challenge: prompts that a person in front of a camera follows within a minute."""
    challenge, nonce = await workers.run(services.challenges.issue, request.collection)
    response.headers["Cache-Control"] = "no-store"
    return ChallengeSchema.of(challenge, nonce)


@router.post("/challenges/{challenge_id}/answers")
async def answer_challenge(
    challenge_id: ChallengeId,
    answer: Annotated[ChallengeAnswer, Depends(FormBody(ChallengeAnswer, most_files=MOST_FRAMES))],
    services: ServicesDependency,
    workers: WorkersDependency,
    batches: BatchesDependency,
    outcomes: OutcomesDependency,
    is_exact: ExactDependency,
) -> ChallengeVerdictSchema:
    """Judge the frames that answer a challenge. Each challenge and each frame counts once."""
    await batches.take(len(answer.frames))
    result = await workers.run(
        services.challenges.answer,
        challenge_id,
        answer.nonce,
        answer.value(),
        collection=answer.collection,
        identity_id=answer.identity_id,
        is_exact=is_exact,
    )
    outcomes.presented(result)
    return ChallengeVerdictSchema.of(result)
