"""What answers carry. The names are the API's contract."""

from dataclasses import asdict
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, WithJsonSchema

from app.api.schemas.health import DuplicateSchema, MismatchSchema
from app.recognition.decisions.policy import Outcome
from app.recognition.enrollment import Enrollment
from app.recognition.identification import ErrorRates, Identification, IdentifiedFace
from app.recognition.verification import Verification
from app.types import Candidate, Detection
from app.vision.quality import Quality, Reason


def _numbers(count: int) -> WithJsonSchema:
    """Say the length of a tuple of numbers as all generators of clients understand it: without `prefixItems`."""
    return WithJsonSchema({"type": "array", "items": {"type": "number"}, "minItems": count, "maxItems": count})


BoxSchema = Annotated[
    tuple[float, float, float, float],
    _numbers(4),
    Field(description="Left, top, right, bottom in pixels of the upright photo."),
]
PointSchema = Annotated[tuple[float, float], _numbers(2)]
Similarity = Annotated[float, Field(description="Cosine, -1 to 1; higher is closer.")]
FacesTruncated = Annotated[
    bool, Field(description="A photo shows more faces than are looked at: see ARCID_LIMITS__FACES.")
]
Rate = Annotated[
    float | None,
    Field(description="Share of other people at least as similar; null while the network is not calibrated."),
]
LowQuality = Annotated[
    bool,
    Field(description="The face is below the collection's least quality: under an error rate, possible at best."),
]


class QualitySchema(BaseModel):
    """How usable a face is."""

    score: Annotated[float, Field(description="0 (useless) to 1.")]
    reasons: Annotated[
        list[Reason], Field(description="What is wrong with it; may be empty at any score.", examples=[["blurred"]])
    ]

    @classmethod
    def of(cls, quality: Quality) -> "QualitySchema":
        """Take over a quality."""
        return cls(score=quality.score, reasons=list(quality.reasons))


class EnrolledFaceSchema(BaseModel):
    """A face that is in the gallery now."""

    face_id: str
    photo: Annotated[int, Field(description="Which photo of the request, from 0.")]
    box: BoxSchema
    detection_score: float
    quality: Annotated[QualitySchema | None, Field(description="Null in answers of earlier versions.")] = None


class RejectedPhotoSchema(BaseModel):
    """A photo that was refused."""

    photo: Annotated[int, Field(description="Which photo of the request, from 0.")]
    code: Annotated[str, Field(description="Stable, as in errors.", examples=["no_face"])]
    detail: str


_BOX = [112.4, 80.1, 203.9, 201.7]
_LANDMARKS = [[135.2, 128.0], [178.8, 127.1], [157.3, 153.6], [139.9, 176.2], [175.0, 175.5]]
_QUALITY = {"score": 0.78, "reasons": []}
_FACE = {"box": _BOX, "landmarks": _LANDMARKS, "detection_score": 0.93, "quality": _QUALITY}
_FACE_ID = "5f0c2b1e-7a54-4a53-9a0e-3f8f0c2f6b11"


def _example(example: dict[str, Any]) -> ConfigDict:
    return ConfigDict(json_schema_extra={"examples": [example]})


class EnrollAnswer(BaseModel):
    """What became of each photo."""

    model_config = _example(
        {
            "identity_id": "ada",
            "faces": [{"face_id": _FACE_ID, "photo": 0, "box": _BOX, "detection_score": 0.93, "quality": _QUALITY}],
            "rejected": [{"photo": 1, "code": "no_face", "detail": "no face was found in the photo"}],
            "duplicates": [
                {
                    "photo": 0,
                    "identity_id": "a.lovelace",
                    "face_id": _FACE_ID,
                    "faces": 1,
                    "similarity": 0.74,
                    "fpir": 2e-8,
                }
            ],
            "mismatches": [],
            "faces_truncated": False,
        }
    )

    identity_id: str
    faces: list[EnrolledFaceSchema]
    rejected: list[RejectedPhotoSchema]
    duplicates: Annotated[list[DuplicateSchema], Field(description="Whom else the faces look like.")]
    mismatches: Annotated[list[MismatchSchema], Field(description="Enrolled photos that do not look like the others.")]
    faces_truncated: Annotated[FacesTruncated, Field(validation_alias=AliasChoices("faces_truncated", "is_truncated"))]

    @classmethod
    def of(cls, enrollment: Enrollment) -> "EnrollAnswer":
        """Take over the service's result."""
        return cls.model_validate(enrollment, from_attributes=True)


class FaceSchema(BaseModel):
    """A detected face, and how usable it is."""

    box: BoxSchema
    landmarks: Annotated[
        list[PointSchema],
        Field(
            description="Left eye, right eye, nose tip, left and right corner of the mouth, as the viewer sees them."
        ),
    ]
    detection_score: float
    quality: QualitySchema

    @classmethod
    def of(cls, detection: Detection, quality: Quality) -> "FaceSchema":
        """Take over a detection and its quality."""
        landmarks = [(x, y) for x, y in detection.landmarks.tolist()]
        return cls(
            box=detection.box,
            landmarks=landmarks,
            detection_score=detection.score,
            quality=QualitySchema.of(quality),
        )


class ReferenceFaceSchema(BaseModel):
    """What the probe was compared with: a face of the reference photo, or the template of an enrolled identity."""

    box: BoxSchema | None = None
    landmarks: list[PointSchema] | None = None
    detection_score: float | None = None
    quality: QualitySchema | None = None
    face_id: Annotated[str | None, Field(description="The enrolled face that is nearest to the probe.")] = None
    faces: Annotated[int, Field(description="How many faces the template is made of.")] = 1


class VerifyAnswer(BaseModel):
    """The decision on one pair."""

    model_config = _example(
        {
            "verdict": "match",
            "similarity": 0.71,
            "threshold": 0.42,
            "fmr": 1.2e-10,
            "probe_face": _FACE,
            "low_quality": False,
            "reference_face": {
                "box": None,
                "landmarks": None,
                "detection_score": None,
                "quality": None,
                "face_id": _FACE_ID,
                "faces": 3,
            },
            "model": "sface-2021dec",
        }
    )

    verdict: Literal["match", "possible", "no_match"]
    similarity: Annotated[
        float | None,
        Field(description="Cosine, -1 to 1; higher is closer. Null below what the key sees: docs/security.md."),
    ]
    threshold: float
    fmr: Rate
    low_quality: LowQuality
    probe_face: FaceSchema
    reference_face: ReferenceFaceSchema
    model: str

    @classmethod
    def of(cls, verification: Verification, model: str) -> "VerifyAnswer":
        """Take over the service's result."""
        probe, seen = verification.probe, verification.reference
        reference = ReferenceFaceSchema(face_id=verification.reference_face_id, faces=verification.reference_faces)
        if seen is not None:
            reference = ReferenceFaceSchema.model_validate(
                FaceSchema.of(seen.face.detection, seen.quality).model_dump()
            )
        return cls(
            verdict=verification.verdict.value,
            similarity=verification.similarity,
            threshold=verification.threshold,
            fmr=verification.fmr,
            low_quality=verification.is_poor,
            probe_face=FaceSchema.of(probe.face.detection, probe.quality),
            reference_face=reference,
            model=model,
        )


class CandidateSchema(BaseModel):
    """An enrolled identity: `similarity` is to the template of its `faces`, `face_id` the one nearest to the probe."""

    identity_id: str
    name: str | None
    face_id: str
    faces: int
    similarity: Similarity
    fmr: Rate
    fpir: Annotated[
        float | None, Field(description="Chance that a stranger is as similar to anyone in a gallery of this size.")
    ]

    @classmethod
    def of(cls, candidate: Candidate, rates: ErrorRates) -> "CandidateSchema":
        """Take over a candidate and its error rates."""
        return cls(**asdict(candidate), fmr=rates.fmr, fpir=rates.fpir)


class IdentifiedFaceSchema(FaceSchema):
    """A face of the photo: `match` says that its first candidate is this person."""

    verdict: Literal["match", "possible", "unknown"]
    low_quality: LowQuality
    margin: Annotated[float | None, Field(description="How much more similar the first candidate is than the second.")]
    candidates: list[CandidateSchema]

    @classmethod
    def of_identified(cls, identified: IdentifiedFace) -> "IdentifiedFaceSchema":
        """Take over one face of the service's result."""
        return cls(
            **FaceSchema.of(identified.face.detection, identified.quality).model_dump(),
            verdict="unknown" if identified.verdict is Outcome.NO_MATCH else identified.verdict.value,
            low_quality=identified.is_poor,
            margin=identified.margin,
            candidates=[
                CandidateSchema.of(*each) for each in zip(identified.candidates, identified.rates, strict=True)
            ],
        )


class IdentifyAnswer(BaseModel):
    """The faces of the photo, the most prominent first."""

    model_config = _example(
        {
            "faces": [
                {
                    **_FACE,
                    "verdict": "match",
                    "low_quality": False,
                    "margin": 0.58,
                    "candidates": [
                        {
                            "identity_id": "ada",
                            "name": "Ada",
                            "face_id": _FACE_ID,
                            "faces": 3,
                            "similarity": 0.71,
                            "fmr": 1.2e-10,
                            "fpir": 1.2e-7,
                        }
                    ],
                }
            ],
            "threshold": 0.42,
            "model": "sface-2021dec",
            "faces_truncated": False,
        }
    )

    faces: list[IdentifiedFaceSchema]
    threshold: float
    model: str
    faces_truncated: FacesTruncated

    @classmethod
    def of(cls, identification: Identification, model: str) -> "IdentifyAnswer":
        """Take over the service's result."""
        faces = [IdentifiedFaceSchema.of_identified(each) for each in identification.faces]
        return cls(
            faces=faces,
            threshold=identification.threshold,
            model=model,
            faces_truncated=identification.is_truncated,
        )


class ProblemSchema(BaseModel):
    """An error (RFC 9457); `code` is stable, and some codes bring members of their own."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "examples": [
                {
                    "type": "urn:arcid:error:identity_unknown",
                    "title": "Not Found",
                    "status": 404,
                    "detail": "nobody is enrolled as 'ada' in collection 'default'",
                    "code": "identity_unknown",
                }
            ]
        },
    )

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: Annotated[
        str | None, Field(description="As in X-Request-ID and in the service's log; absent before a request is read.")
    ] = None
