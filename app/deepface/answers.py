"""Answers in DeepFace's form."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from app.deepface.distances import DistanceMetric, distance_of
from app.recognition.analysis import Face
from app.recognition.decisions.policy import Outcome
from app.recognition.examination import Examination, ExaminedFace
from app.recognition.liveness.decisions import LivenessDecision, LivenessVerdict, worst_liveness
from app.recognition.verification import Verification

Network = Annotated[str, Field(description="The network that was used, whatever `model_name` is.")]
Detector = Annotated[str, Field(description="The detector that was used, whatever `detector_backend` is.")]


class FacialAreaSchema(BaseModel):
    """Box of a face, and its eyes, in pixels of the upright photo. Left and right are the person's own."""

    x: int
    y: int
    w: int
    h: int
    left_eye: tuple[int, int]
    right_eye: tuple[int, int]

    @classmethod
    def of(cls, face: Face) -> "FacialAreaSchema":
        """Return the area of a face."""
        left, top, right, bottom = (max(0, round(each)) for each in face.detection.box)
        # Ours are as the viewer sees them: the first eye is the person's right one.
        right_eye, left_eye = ((round(x), round(y)) for x, y in face.detection.landmarks[:2].tolist())
        return cls(x=left, y=top, w=right - left, h=bottom - top, left_eye=left_eye, right_eye=right_eye)


class AntiSpoofingSchema(BaseModel):
    """The verdict on liveness; both are missing if it was not checked."""

    is_real: Annotated[bool | None, Field(description="Whether the face is live; false also if that is uncertain.")] = (
        None
    )
    antispoof_score: Annotated[
        float | None, Field(description="Confidence in `is_real`, 0 to 1; missing if the face cannot be judged.")
    ] = None

    @staticmethod
    def is_real_by(decision: LivenessDecision | None) -> bool | None:
        """Return whether a face is live by a decision; None without one."""
        return None if decision is None else decision.verdict is LivenessVerdict.LIVE

    @staticmethod
    def confidence_in(decision: LivenessDecision | None) -> float | None:
        """Return the confidence in `is_real`; None without a decision or a score."""
        if decision is None or decision.score is None:
            return None
        return decision.score if decision.verdict is LivenessVerdict.LIVE else round(1 - decision.score, 3)


class RepresentationSchema(AntiSpoofingSchema):
    """A face and its embedding."""

    embedding: Annotated[list[float], Field(description="A vector of length 1.")]
    facial_area: FacialAreaSchema
    face_confidence: Annotated[float, Field(description="The detection score.")]

    @classmethod
    def of(cls, examined: ExaminedFace) -> "RepresentationSchema":
        """Return the representation of a face."""
        face = examined.face
        return cls(
            embedding=face.vector.tolist(),
            facial_area=FacialAreaSchema.of(face),
            face_confidence=round(min(face.detection.score, 1.0), 5),
            is_real=cls.is_real_by(examined.liveness),
            antispoof_score=cls.confidence_in(examined.liveness),
        )


class RepresentAnswer(BaseModel):
    """The faces of the photo, the main face first."""

    results: list[RepresentationSchema]
    model: Network
    detector_backend: Detector

    @classmethod
    def of(cls, seen: Examination, detector: str, most: int | None) -> "RepresentAnswer":
        """Return the answer with at most `most` faces."""
        results = [RepresentationSchema.of(each) for each in seen.faces[:most]]
        return cls(results=results, model=seen.model, detector_backend=detector)


class FacialAreasSchema(BaseModel):
    """The compared faces."""

    img1: FacialAreaSchema
    img2: FacialAreaSchema


class DeepFaceVerifyAnswer(AntiSpoofingSchema):
    """The decision on the main faces of two photos."""

    verified: Annotated[bool, Field(description="Whether `arcid_verdict` is `match`.")]
    distance: Annotated[
        float,
        Field(description="Lower is closer. The largest possible one if the key may not see it: docs/security.md."),
    ]
    threshold: Annotated[float, Field(description="The distance of the collection's own threshold.")]
    model: Network
    detector_backend: Detector
    similarity_metric: DistanceMetric
    facial_areas: FacialAreasSchema
    time: Annotated[float, Field(description="Seconds.")]
    arcid_verdict: Annotated[
        Literal["match", "possible", "no_match"],
        Field(description="`possible`: near the threshold, or of low quality. It is not verified."),
    ]

    @classmethod
    def of(
        cls, verification: Verification, metric: DistanceMetric, *, detector: str, seconds: float
    ) -> "DeepFaceVerifyAnswer":
        """Return the answer about two photos."""
        assert verification.reference is not None  # noqa: S101 - two photos were compared
        faces = (verification.probe, verification.reference)
        areas = [FacialAreaSchema.of(each.face) for each in faces]
        worst = worst_liveness(each.liveness for each in faces if each.liveness is not None)
        return cls(
            verified=verification.verdict is Outcome.MATCH,
            distance=distance_of(verification.similarity, metric),
            threshold=distance_of(verification.threshold, metric),
            model=verification.model,
            detector_backend=detector,
            similarity_metric=metric,
            facial_areas=FacialAreasSchema(img1=areas[0], img2=areas[1]),
            time=round(seconds, 2),
            arcid_verdict=verification.verdict.value,
            is_real=cls.is_real_by(worst),
            antispoof_score=cls.confidence_in(worst),
        )
