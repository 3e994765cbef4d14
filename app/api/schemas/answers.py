"""Answers about faces in photos. Their names are the API's contract."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from app.api.schemas.boxes import BoxSchema, PointSchema
from app.api.schemas.candidates import CandidateSchema, ReviewId
from app.api.schemas.face_parts import ALL_PARTS, FaceParts
from app.api.schemas.health import DuplicateSchema, MismatchSchema
from app.api.schemas.liveness import LIVENESS_EXAMPLE, LivenessField, LivenessSchema
from app.api.schemas.quality import QualitySchema
from app.api.schemas.rates import CALIBRATION_EXAMPLE, CalibrationField, Fmr, FmrRange, population_of
from app.recognition.decisions.policy import Outcome
from app.recognition.enrollment import Enrollment
from app.recognition.examination import ExaminedFace
from app.recognition.identification import IdentifiedFace
from app.recognition.probes import JudgedFace, ProbePhoto
from app.recognition.search_scope import SearchResult
from app.recognition.verification import Verification

FacesTruncated = Annotated[
    bool, Field(description="A photo shows more faces than the service examines: see ARCID_LIMITS__FACES.")
]
LowQuality = Annotated[
    bool,
    Field(
        description="The face is below the collection's minimum quality. With an error rate it is at most `possible`."
    ),
]


PhotoCode = Annotated[
    str | None, Field(description="As in errors: not_an_image, too_many_pixels ...", examples=["not_an_image"])
]


class EnrolledFaceSchema(BaseModel):
    """A new face of the gallery."""

    face_id: str
    photo: Annotated[int, Field(description="Place of the photo in the request, from 0.")]
    box: BoxSchema
    detection_score: float
    quality: Annotated[QualitySchema | None, Field(description="Null if a former version enrolled the face.")] = None
    liveness: LivenessField = None


class RejectedPhotoSchema(BaseModel):
    """A refused photo."""

    photo: Annotated[int, Field(description="Place of the photo in the request, from 0.")]
    code: Annotated[str, Field(description="Stable, as in errors.", examples=["no_face"])]
    detail: str


_BOX = [112.4, 80.1, 203.9, 201.7]
_LANDMARKS = [[135.2, 128.0], [178.8, 127.1], [157.3, 153.6], [139.9, 176.2], [175.0, 175.5]]
_QUALITY = {
    "score": 0.78,
    "reasons": [],
    "hints": [],
    "components": {"sharpness": 83.1, "eyes_visible": 97.4},
    "worst": "sharpness",
}
_EVIDENCE = {"detection_score": 0.93, "quality": _QUALITY, "liveness": LIVENESS_EXAMPLE}
FACE_EXAMPLE = {"box": _BOX, "landmarks": _LANDMARKS, **_EVIDENCE}
FACE_ID = "5f0c2b1e-7a54-4a53-9a0e-3f8f0c2f6b11"


def example_of(example: dict[str, Any]) -> ConfigDict:
    """Return the configuration of an answer with an example."""
    return ConfigDict(json_schema_extra={"examples": [example]})


class EnrollAnswer(BaseModel):
    """Result of each photo."""

    model_config = example_of(
        {
            "identity_id": "ada",
            "faces": [{"face_id": FACE_ID, "photo": 0, "box": _BOX, **_EVIDENCE}],
            "rejected": [{"photo": 1, "code": "no_face", "detail": "no face was found in the photo"}],
            "duplicates": [
                {
                    "photo": 0,
                    "identity_id": "a.lovelace",
                    "face_id": FACE_ID,
                    "faces": 1,
                    "similarity": 0.74,
                    "fpir": 1e-7,
                    "fpir_range": [0, 1e-7],
                }
            ],
            "mismatches": [],
            "faces_truncated": False,
        }
    )

    identity_id: str
    faces: list[EnrolledFaceSchema]
    rejected: list[RejectedPhotoSchema]
    duplicates: Annotated[list[DuplicateSchema], Field(description="Other identities that the faces look like.")]
    mismatches: Annotated[list[MismatchSchema], Field(description="Enrolled photos that are unlike the others.")]
    faces_truncated: Annotated[FacesTruncated, Field(validation_alias=AliasChoices("faces_truncated", "is_truncated"))]

    @classmethod
    def of(cls, enrollment: Enrollment) -> "EnrollAnswer":
        """Return the answer."""
        return cls.model_validate(enrollment, from_attributes=True)


class FaceSchema(BaseModel):
    """A detected face with its quality."""

    box: BoxSchema
    landmarks: Annotated[
        list[PointSchema],
        Field(
            description="Left eye, right eye, nose tip, left and right corner of the mouth, as the viewer sees them. "
            "Empty if the request contains `landmarks=false`."
        ),
    ]
    detection_score: float
    quality: QualitySchema
    liveness: LivenessField = None

    @classmethod
    def of(
        cls, analysed: ExaminedFace | IdentifiedFace | JudgedFace, parts: FaceParts = ALL_PARTS, **fields: Any
    ) -> Self:
        """Return the schema of a face, with the fields that a subclass adds."""
        detection = analysed.face.detection
        return cls(
            box=detection.box,
            landmarks=detection.landmarks.tolist() if parts.has_landmarks else [],
            detection_score=detection.score,
            quality=QualitySchema.of(analysed.quality, has_components=parts.has_components),
            liveness=LivenessSchema.of(analysed.liveness),
            **fields,
        )


class ReferenceFaceSchema(BaseModel):
    """The reference: a face of the reference photo, or the template of an enrolled identity."""

    box: BoxSchema | None = None
    landmarks: list[PointSchema] | None = None
    detection_score: float | None = None
    quality: QualitySchema | None = None
    face_id: Annotated[str | None, Field(description="The enrolled face nearest to the probe.")] = None
    faces: Annotated[int, Field(description="Number of faces in the template.")] = 1


class ProbePhotoSchema(BaseModel):
    """A photo of the probe and its main face. If it was not used, `code` and `detail` say why."""

    photo: Annotated[int, Field(description="Place of the photo in the request, from 0.")]
    used: bool
    face: FaceSchema | None
    code: Annotated[
        str | None,
        Field(description="As in errors: no_face, low_quality, face_mismatch ...", examples=["face_mismatch"]),
    ]
    detail: str | None

    @classmethod
    def all_of(cls, photos: Sequence[ProbePhoto], parts: FaceParts) -> "list[ProbePhotoSchema] | None":
        """Return the photos, or None without any."""
        return [
            cls(
                photo=each.photo,
                used=each.code is None,
                face=None if each.face is None else FaceSchema.of(each.face, parts),
                code=each.code,
                detail=each.detail,
            )
            for each in photos
        ] or None


ProbePhotosSchema = Annotated[
    list[ProbePhotoSchema] | None,
    Field(description="If the probe has several photos: each of them. The probe's face is the best one that was used."),
]


class VerifyAnswer(BaseModel):
    """The decision on a pair of faces."""

    model_config = example_of(
        {
            "verdict": "match",
            "similarity": 0.71,
            "threshold": 0.358,
            "fmr": 1e-7,
            "fmr_range": [0, 1e-7],
            "probe_face": FACE_EXAMPLE,
            "low_quality": False,
            "reference_face": {
                "box": None,
                "landmarks": None,
                "detection_score": None,
                "quality": None,
                "face_id": FACE_ID,
                "faces": 3,
            },
            "model": "sface-2021dec",
            "calibration": CALIBRATION_EXAMPLE,
            "photos": None,
            "review_id": None,
        }
    )

    verdict: Literal["match", "possible", "no_match"]
    similarity: Annotated[
        float | None,
        Field(description="Cosine, -1 to 1; higher is closer. Null if the key may not see it: docs/security.md."),
    ]
    threshold: float
    fmr: Fmr
    fmr_range: FmrRange
    low_quality: LowQuality
    probe_face: FaceSchema
    reference_face: ReferenceFaceSchema
    model: str
    calibration: CalibrationField
    photos: ProbePhotosSchema = None
    review_id: ReviewId = None

    @classmethod
    def of(cls, verification: Verification, parts: FaceParts = ALL_PARTS) -> "VerifyAnswer":
        """Return the answer."""
        seen = verification.reference
        reference = ReferenceFaceSchema(face_id=verification.reference_face_id, faces=verification.reference_faces)
        if seen is not None:
            face = FaceSchema.of(seen, parts)
            reference = ReferenceFaceSchema.model_validate(face, from_attributes=True)
        return cls(
            verdict=verification.verdict.value,
            similarity=verification.similarity,
            threshold=verification.threshold,
            fmr=verification.fmr.value,
            fmr_range=verification.fmr.range,
            low_quality=verification.is_poor,
            probe_face=FaceSchema.of(verification.probe, parts),
            reference_face=reference,
            model=verification.model,
            calibration=population_of(verification.population),
            photos=ProbePhotoSchema.all_of(verification.photos, parts),
            review_id=verification.review_id,
        )


SearchVerdict = Literal["match", "possible", "unknown"]


def verdict_of(identified: IdentifiedFace | SearchResult) -> SearchVerdict:
    """Return the verdict in the words of the API."""
    match identified.verdict:
        case Outcome.MATCH:
            return "match"
        case Outcome.POSSIBLE:
            return "possible"
        case Outcome.NO_MATCH:
            return "unknown"


class SearchAnswer(BaseModel):
    """The people that an embedding resembles, the most similar first: a `match` is the first candidate."""

    verdict: SearchVerdict
    margin: Annotated[float | None, Field(description="Difference in similarity between the first two candidates.")]
    candidates: list[CandidateSchema]
    threshold: float
    model: str
    calibration: CalibrationField

    @classmethod
    def of(cls, found: SearchResult) -> "SearchAnswer":
        """Return the answer."""
        return cls(
            verdict=verdict_of(found),
            margin=found.margin,
            candidates=CandidateSchema.all_of(found),
            threshold=found.threshold,
            model=found.model,
            calibration=population_of(found.population),
        )
