"""Answers in DeepFace's form."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from app.deepface.distances import DistanceMetric, distance_of
from app.recognition.analysis import Face
from app.recognition.decisions.policy import Outcome
from app.recognition.examination import Examination
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


class RepresentationSchema(BaseModel):
    """A face and its embedding."""

    embedding: Annotated[list[float], Field(description="A vector of length 1.")]
    facial_area: FacialAreaSchema
    face_confidence: Annotated[float, Field(description="The detection score.")]

    @classmethod
    def of(cls, face: Face) -> "RepresentationSchema":
        """Return the representation of a face."""
        confidence = round(min(face.detection.score, 1.0), 5)
        return cls(embedding=face.vector.tolist(), facial_area=FacialAreaSchema.of(face), face_confidence=confidence)


class RepresentAnswer(BaseModel):
    """The faces of the photo, the main face first."""

    results: list[RepresentationSchema]
    model: Network
    detector_backend: Detector

    @classmethod
    def of(cls, seen: Examination, detector: str, most: int | None) -> "RepresentAnswer":
        """Return the answer with at most `most` faces."""
        results = [RepresentationSchema.of(each.face) for each in seen.faces[:most]]
        return cls(results=results, model=seen.model, detector_backend=detector)


class FacialAreasSchema(BaseModel):
    """The compared faces."""

    img1: FacialAreaSchema
    img2: FacialAreaSchema


class DeepFaceVerifyAnswer(BaseModel):
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
        areas = [FacialAreaSchema.of(each.face) for each in (verification.probe, verification.reference)]
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
        )
