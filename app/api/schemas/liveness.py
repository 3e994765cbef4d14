"""Decisions on liveness. Their names are the API's contract."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from app.recognition.liveness.decisions import LivenessDecision
from app.vision.liveness import AttackSign

LIVENESS_EXAMPLE: dict[str, JsonValue] = {
    "score": 0.93,
    "verdict": "live",
    "reasons": [],
    "calibration": "uncalibrated",
}


class LivenessSchema(BaseModel):
    """Whether a person is in front of the camera (`live`), or a print or a screen is (`attack`)."""

    model_config = ConfigDict(json_schema_extra={"examples": [LIVENESS_EXAMPLE]})

    score: Annotated[
        float | None, Field(description="Evidence of a live person, 0 to 1. Null if the face cannot be judged.")
    ]
    verdict: Literal["live", "uncertain", "attack"]
    reasons: Annotated[list[AttackSign], Field(description="Signs against a live person, the strongest first.")]
    calibration: Annotated[
        str,
        Field(description="Name and version of the thresholds. `uncalibrated`: their error rates are not known."),
    ]

    @classmethod
    def of(cls, decision: LivenessDecision | None) -> "LivenessSchema | None":
        """Return the schema of a decision, or None without one."""
        return None if decision is None else cls.model_validate(decision, from_attributes=True)


LivenessField = Annotated[
    LivenessSchema | None, Field(description="Null if liveness was not checked. It never changes a similarity.")
]
