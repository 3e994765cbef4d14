"""What requests say and answers carry. The names are the API's contract."""

import base64
import binascii
import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, WithJsonSchema, model_validator

from app.faces import Candidate, Detection
from app.recognition.enrolment import Enrolment, FaceChoice
from app.recognition.identification import Identification, IdentifiedFace
from app.recognition.verification import Verification

MOST_PHOTOS = 50
MOST_CANDIDATES = 100
LONGEST_METADATA = 16_384
DEFAULT_COLLECTION = "default"


def _photo(value: object) -> object:
    """Take a multipart file's bytes as they are, and base64 (also as a data: URL) from JSON."""
    if isinstance(value, bytes):
        return value
    if not isinstance(value, str):
        raise ValueError("a photo is a file, or base64 text in JSON")  # noqa: TRY004 - pydantic reports ValueErrors
    text = value.partition(",")[2] if value.startswith("data:") else value
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("the photo is not valid base64") from error


def _json_object(value: object) -> object:
    """Take an object, also as JSON text from a form; what JSON cannot say (NaN) or what is too long is refused."""
    try:
        parsed = json.loads(value) if isinstance(value, str) else value
        text = json.dumps(parsed, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError("metadata must be a JSON object") from error
    if len(text) > LONGEST_METADATA:
        raise ValueError(f"metadata must have at most {LONGEST_METADATA} characters as JSON")
    return parsed


Photo = Annotated[
    bytes,
    BeforeValidator(_photo),
    WithJsonSchema(
        {"type": "string", "contentEncoding": "base64", "description": "JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF"}
    ),
]
Id = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]+$")]
PersonName = Annotated[str, StringConstraints(max_length=256, pattern=r"^[^\x00-\x1f\x7f]*$")]
CollectionName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
JsonObject = Annotated[
    dict[str, Any], BeforeValidator(_json_object), WithJsonSchema({"type": "object", "additionalProperties": True})
]
BoxSchema = Annotated[
    tuple[float, float, float, float], Field(description="Left, top, right, bottom in pixels of the upright photo.")
]
Similarity = Annotated[float, Field(description="Cosine, -1 to 1; higher is closer.")]


class _Schema(BaseModel):
    model_config = ConfigDict(extra="forbid")


class EnrollRequest(_Schema):
    """Photos of one person."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"photos": ["/9j/4AAQSkZJRg..."], "identity_id": "ada", "name": "Ada Lovelace"}]
        }
    )

    photos: Annotated[list[Photo], Field(min_length=1, max_length=MOST_PHOTOS)]
    identity_id: Annotated[Id | None, Field(description="The caller's id of the person; generated when missing.")] = (
        None
    )
    name: PersonName | None = None
    metadata: Annotated[JsonObject | None, Field(description="A JSON object, kept as it is.")] = None
    collection: CollectionName = DEFAULT_COLLECTION
    face: Annotated[FaceChoice, Field(description="Refuse photos with several faces, or take the main one.")] = (
        FaceChoice.ONLY
    )


class VerifyRequest(_Schema):
    """A probe photo, and what it is compared with: a photo, or an enrolled identity."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"probe": "/9j/4AAQSkZJRg...", "identity_id": "ada"}]})

    probe: Photo
    reference: Photo | None = None
    identity_id: Id | None = None
    collection: CollectionName = DEFAULT_COLLECTION

    @model_validator(mode="after")
    def _one_reference(self) -> "VerifyRequest":
        if (self.reference is None) == (self.identity_id is None):
            raise ValueError("send either reference or identity_id")
        return self


class IdentifyRequest(_Schema):
    """A photo, in which every face is looked up."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"photo": "/9j/4AAQSkZJRg...", "top_k": 3}]})

    photo: Photo
    collection: CollectionName = DEFAULT_COLLECTION
    top_k: Annotated[int, Field(ge=1, le=MOST_CANDIDATES, description="Most candidates for each face.")] = 5


class EnrolledFaceSchema(BaseModel):
    """A face that is in the gallery now."""

    face_id: str
    photo: Annotated[int, Field(description="Which photo of the request, from 0.")]
    box: BoxSchema
    detection_score: float


class RejectedPhotoSchema(BaseModel):
    """A photo that was refused."""

    photo: Annotated[int, Field(description="Which photo of the request, from 0.")]
    code: Annotated[str, Field(description="Stable, as in errors.", examples=["no_face"])]
    detail: str


_BOX = [112.4, 80.1, 203.9, 201.7]
_LANDMARKS = [[135.2, 128.0], [178.8, 127.1], [157.3, 153.6], [139.9, 176.2], [175.0, 175.5]]
_FACE = {"box": _BOX, "landmarks": _LANDMARKS, "detection_score": 0.93}
_FACE_ID = "5f0c2b1e-7a54-4a53-9a0e-3f8f0c2f6b11"


def _example(example: dict[str, Any]) -> ConfigDict:
    return ConfigDict(json_schema_extra={"examples": [example]})


class EnrollAnswer(BaseModel):
    """What became of each photo."""

    model_config = _example(
        {
            "identity_id": "ada",
            "faces": [{"face_id": _FACE_ID, "photo": 0, "box": _BOX, "detection_score": 0.93}],
            "rejected": [{"photo": 1, "code": "no_face", "detail": "no face was found in the photo"}],
        }
    )

    identity_id: str
    faces: list[EnrolledFaceSchema]
    rejected: list[RejectedPhotoSchema]

    @classmethod
    def of(cls, enrolment: Enrolment) -> "EnrollAnswer":
        """Take over the service's result."""
        return cls.model_validate(enrolment, from_attributes=True)


class FaceSchema(BaseModel):
    """A detected face."""

    box: BoxSchema
    landmarks: Annotated[
        list[tuple[float, float]],
        Field(
            description="Left eye, right eye, nose tip, left and right corner of the mouth, as the viewer sees them."
        ),
    ]
    detection_score: float

    @classmethod
    def of(cls, detection: Detection) -> "FaceSchema":
        """Take over a detection."""
        landmarks = [(x, y) for x, y in detection.landmarks.tolist()]
        return cls(box=detection.box, landmarks=landmarks, detection_score=detection.score)


class ReferenceFaceSchema(BaseModel):
    """What the probe was compared with: a face of the reference photo, or an enrolled face."""

    box: BoxSchema | None = None
    landmarks: list[tuple[float, float]] | None = None
    detection_score: float | None = None
    face_id: str | None = None


class VerifyAnswer(BaseModel):
    """The decision on one pair."""

    model_config = _example(
        {
            "verdict": "match",
            "similarity": 0.71,
            "threshold": 0.42,
            "probe_face": _FACE,
            "reference_face": {"box": None, "landmarks": None, "detection_score": None, "face_id": _FACE_ID},
            "model": "sface-2021dec",
        }
    )

    verdict: Literal["match", "no_match"]
    similarity: Similarity
    threshold: float
    probe_face: FaceSchema
    reference_face: ReferenceFaceSchema
    model: str

    @classmethod
    def of(cls, verification: Verification, model: str) -> "VerifyAnswer":
        """Take over the service's result."""
        reference = ReferenceFaceSchema(face_id=verification.reference_face_id)
        if verification.reference_face is not None:
            face = FaceSchema.of(verification.reference_face.detection)
            reference = ReferenceFaceSchema.model_validate(face.model_dump())
        return cls(
            verdict=verification.verdict.value,
            similarity=verification.similarity,
            threshold=verification.threshold,
            probe_face=FaceSchema.of(verification.probe_face.detection),
            reference_face=reference,
            model=model,
        )


class CandidateSchema(BaseModel):
    """An enrolled identity, by its face nearest to the probe."""

    identity_id: str
    name: str | None
    face_id: str
    similarity: Similarity

    @classmethod
    def of(cls, candidate: Candidate) -> "CandidateSchema":
        """Take over a candidate."""
        return cls.model_validate(candidate, from_attributes=True)


class IdentifiedFaceSchema(FaceSchema):
    """A face of the photo: `match` says that its first candidate is this person."""

    verdict: Literal["match", "unknown"]
    candidates: list[CandidateSchema]

    @classmethod
    def of_identified(cls, identified: IdentifiedFace) -> "IdentifiedFaceSchema":
        """Take over one face of the service's result."""
        return cls(
            **FaceSchema.of(identified.face.detection).model_dump(),
            verdict=identified.verdict.value,
            candidates=[CandidateSchema.of(each) for each in identified.candidates],
        )


class IdentifyAnswer(BaseModel):
    """Every face of the photo, the most prominent first."""

    model_config = _example(
        {
            "faces": [
                {
                    **_FACE,
                    "verdict": "match",
                    "candidates": [{"identity_id": "ada", "name": "Ada", "face_id": _FACE_ID, "similarity": 0.71}],
                }
            ],
            "threshold": 0.42,
            "model": "sface-2021dec",
        }
    )

    faces: list[IdentifiedFaceSchema]
    threshold: float
    model: str

    @classmethod
    def of(cls, identification: Identification, model: str) -> "IdentifyAnswer":
        """Take over the service's result."""
        faces = [IdentifiedFaceSchema.of_identified(each) for each in identification.faces]
        return cls(faces=faces, threshold=identification.threshold, model=model)


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
