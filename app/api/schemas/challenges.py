"""Schemas of liveness challenges. Their names are the API's contract."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from app.access.challenges import Challenge
from app.api.schemas.answers import VerifyAnswer, example_of
from app.api.schemas.fields import DEFAULT_COLLECTION, PIXEL, WHOLE, Photo, StrictSchema
from app.api.schemas.form_arrays import ARRAY_FROM_FORM
from app.api.schemas.liveness import LivenessSchema
from app.errors import FramesInvalid
from app.names import CollectionName, IdentityId
from app.recognition.challenges.challenge_service import ChallengeResult, Frame
from app.recognition.challenges.presentation import PresentationSign
from app.recognition.liveness.decisions import LivenessVerdict
from app.vision.liveness.prompts import Prompt

LEAST_FRAMES, MOST_FRAMES = 2, 10
_LONGEST_MS = 3_600_000
_SHA256 = "75b9a0d2e0b1e7b8b65b92b1e9f9a44c4a2a1b31b1a5e0f2e5a3b7d9b3c1f0aa"
_NONCE = "Qm1v1D1m9a2bVxq0m8oJQ0yZ0b6q8f6sYk1Qw9Ck0zI"
_ID = "9f86d081884c7d659a2feaa0c55ad015"


class ChallengeRequest(StrictSchema):
    """A request for a liveness challenge."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"collection": "default"}]})

    collection: Annotated[
        CollectionName, Field(description="Its policy decides whether all frames show the same person.")
    ] = DEFAULT_COLLECTION


class ChallengeSchema(BaseModel):
    """A liveness challenge."""

    model_config = example_of(
        {
            "challenge_id": _ID,
            "nonce": _NONCE,
            "collection": "default",
            "prompts": ["look_up", "turn_left", "come_closer"],
            "expires_at": "2026-11-30T09:01:00Z",
            "most_frames": MOST_FRAMES,
        }
    )

    challenge_id: str
    nonce: Annotated[str, Field(description="Secret of this challenge; the answer contains it.")]
    collection: str
    prompts: Annotated[
        list[Prompt],
        Field(description="Movements of the person, in this order. Left and right are the person's own."),
    ]
    expires_at: datetime
    most_frames: Annotated[int, Field(description="Highest number of frames of an answer.")]

    @classmethod
    def of(cls, challenge: Challenge, nonce: str) -> Self:
        """Return the schema of a new challenge."""
        return cls(
            challenge_id=challenge.challenge_id,
            nonce=nonce,
            collection=challenge.collection,
            prompts=[Prompt(each) for each in challenge.prompts],
            expires_at=challenge.expires_at,
            most_frames=MOST_FRAMES,
        )


class TakenFrameSchema(StrictSchema):
    """When a frame was taken, and its hash."""

    at_ms: Annotated[int, Field(ge=0, le=_LONGEST_MS, description="Milliseconds since the challenge arrived."), WHOLE]
    sha256: Annotated[
        str, StringConstraints(pattern=r"^[0-9a-f]{64}$"), Field(description="SHA-256 of the frame's bytes.")
    ]


class ChallengeAnswer(StrictSchema):
    """The answer to a liveness challenge: the first frame shows the face before the first prompt."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "nonce": _NONCE,
                    "frames": [PIXEL, PIXEL],
                    "taken": [{"at_ms": 310, "sha256": _SHA256}, {"at_ms": 1490, "sha256": _SHA256}],
                }
            ]
        }
    )

    nonce: Annotated[str, StringConstraints(min_length=1, max_length=128)]
    frames: Annotated[list[Photo], Field(min_length=LEAST_FRAMES, max_length=MOST_FRAMES)]
    taken: Annotated[
        list[TakenFrameSchema],
        Field(min_length=LEAST_FRAMES, max_length=MOST_FRAMES, description="One for each frame, in the same order."),
        ARRAY_FROM_FORM,
    ]
    collection: Annotated[CollectionName, Field(description="That of the challenge.")] = DEFAULT_COLLECTION
    identity_id: Annotated[
        IdentityId | None, Field(description="If the verdict is live, the best frame is compared with this identity.")
    ] = None

    def value(self) -> list[Frame]:
        """Return the frames; raises FramesInvalid unless each has its time and hash."""
        if len(self.frames) != len(self.taken):
            raise FramesInvalid(f"taken has {len(self.taken)} items for {len(self.frames)} frames; send one for each")
        return [Frame(photo, each.at_ms, each.sha256) for photo, each in zip(self.frames, self.taken, strict=True)]


class PromptResultSchema(BaseModel):
    """A prompt, and whether the face followed it."""

    prompt: Prompt
    followed: bool
    frame: Annotated[int | None, Field(description="Place of the frame that shows it, from 0.")] = None


class FrameResultSchema(BaseModel):
    """A frame. Without a face that can be judged, it was left out."""

    frame: Annotated[int, Field(description="Place of the frame in the request, from 0.")]
    used: bool
    code: Annotated[str | None, Field(description="As in errors: no_face, several_faces, not_an_image ...")] = None


class ChallengeVerdictSchema(BaseModel):
    """The verdict on the answer to a liveness challenge."""

    model_config = example_of(
        {
            "verdict": "uncertain",
            "reasons": ["prompt_not_followed"],
            "prompts": [
                {"prompt": "look_up", "followed": True, "frame": 2},
                {"prompt": "turn_left", "followed": False, "frame": None},
            ],
            "frames": [{"frame": 0, "used": True, "code": None}, {"frame": 1, "used": False, "code": "no_face"}],
            "best_frame": 0,
            "passive": None,
            "verification": None,
        }
    )

    verdict: LivenessVerdict
    reasons: Annotated[list[PresentationSign], Field(description="Reasons against a live person.")]
    prompts: list[PromptResultSchema]
    frames: list[FrameResultSchema]
    best_frame: Annotated[int | None, Field(description="Frame with the best face among those that were judged.")]
    passive: Annotated[
        LivenessSchema | None,
        Field(description="Null: no detector of presentation attacks; only movements and the person were judged."),
    ] = None
    verification: Annotated[
        VerifyAnswer | None, Field(description="The best frame against `identity_id`, if that was sent and it is live.")
    ] = None

    @classmethod
    def of(cls, result: ChallengeResult) -> "ChallengeVerdictSchema":
        """Return the answer."""
        found = result.presentation
        return cls(
            verdict=found.verdict,
            reasons=list(found.reasons),
            prompts=[
                PromptResultSchema(prompt=each.prompt, followed=each.frame is not None, frame=each.frame)
                for each in found.prompts
            ],
            frames=[
                FrameResultSchema(frame=each.frame, used=each.code is None, code=each.code) for each in found.frames
            ],
            best_frame=found.best,
            passive=LivenessSchema.of(found.passive),
            verification=None if result.verification is None else VerifyAnswer.of(result.verification),
        )
