"""Answers of POST /identify. Their names are the API's contract."""

from typing import Annotated

from pydantic import BaseModel, Field

from app.api.schemas.answers import (
    FACE_EXAMPLE,
    FACE_ID,
    FaceSchema,
    FacesTruncated,
    LowQuality,
    PhotoCode,
    ProbePhotoSchema,
    ProbePhotosSchema,
    SearchVerdict,
    example_of,
    verdict_of,
)
from app.api.schemas.candidates import CandidateSchema, ReviewId
from app.api.schemas.face_parts import ALL_PARTS, FaceParts
from app.api.schemas.rates import CALIBRATION_EXAMPLE, CalibrationField, population_of
from app.recognition.batches import PhotoOutcome
from app.recognition.identification import Identification, IdentifiedFace


class IdentifiedFaceSchema(FaceSchema):
    """A face of the photo: a `match` is its first candidate."""

    verdict: SearchVerdict
    low_quality: LowQuality
    margin: Annotated[float | None, Field(description="Difference in similarity between the first two candidates.")]
    candidates: list[CandidateSchema]
    review_id: ReviewId = None

    @classmethod
    def of_identified(cls, identified: IdentifiedFace, parts: FaceParts) -> "IdentifiedFaceSchema":
        """Return the schema of a face with its candidates."""
        return cls.of(
            identified,
            parts,
            verdict=verdict_of(identified),
            low_quality=identified.is_poor,
            margin=identified.margin,
            candidates=CandidateSchema.all_of(identified),
            review_id=identified.review_id,
        )


class IdentifiedPhotoSchema(BaseModel):
    """One of many photos and its faces, the main face first. If it cannot be used, `code` and `detail` say why."""

    photo: Annotated[int, Field(description="Place of the photo in the request, from 0.")]
    faces: list[IdentifiedFaceSchema]
    faces_truncated: FacesTruncated
    code: PhotoCode
    detail: str | None

    @classmethod
    def of(cls, outcome: PhotoOutcome[Identification], parts: FaceParts) -> "IdentifiedPhotoSchema":
        """Return the answer to a photo."""
        result, refusal = outcome.result, outcome.refusal
        return cls(
            photo=outcome.photo,
            faces=[IdentifiedFaceSchema.of_identified(each, parts) for each in (result.faces if result else ())],
            faces_truncated=result is not None and result.is_truncated,
            code=refusal.code if refusal else None,
            detail=str(refusal) if refusal else None,
        )


class IdentifyAnswer(BaseModel):
    """The faces of the photo, the main face first; with `photos_of=many` there are `answers` instead of `faces`."""

    model_config = example_of(
        {
            "faces": [
                {
                    **FACE_EXAMPLE,
                    "verdict": "match",
                    "low_quality": False,
                    "margin": 0.58,
                    "candidates": [
                        {
                            "identity_id": "ada",
                            "name": "Ada",
                            "face_id": FACE_ID,
                            "faces": 3,
                            "similarity": 0.71,
                            "fmr": 1e-7,
                            "fmr_range": [0, 1e-7],
                            "fpir": 1e-7,
                            "fpir_range": [0, 1e-7],
                        }
                    ],
                    "review_id": None,
                }
            ],
            "threshold": 0.219,
            "model": "sface-2021dec",
            "calibration": CALIBRATION_EXAMPLE,
            "faces_truncated": False,
            "photos": None,
            "answers": None,
            "remembered": None,
        }
    )

    faces: list[IdentifiedFaceSchema]
    threshold: float
    model: str
    calibration: CalibrationField
    faces_truncated: FacesTruncated
    photos: ProbePhotosSchema = None
    answers: Annotated[
        list[IdentifiedPhotoSchema] | None, Field(description="With `photos_of=many`: the answer to each photo.")
    ] = None
    remembered: Annotated[
        int | None, Field(description="With `remember_unknown`: the number of unknown faces that are kept now.")
    ] = None

    @classmethod
    def of(cls, identification: Identification, parts: FaceParts = ALL_PARTS) -> "IdentifyAnswer":
        """Return the answer."""
        return cls(
            faces=[IdentifiedFaceSchema.of_identified(each, parts) for each in identification.faces],
            threshold=identification.threshold,
            model=identification.model,
            calibration=population_of(identification.population),
            faces_truncated=identification.is_truncated,
            photos=ProbePhotoSchema.all_of(identification.photos, parts),
            answers=[IdentifiedPhotoSchema.of(each, parts) for each in identification.answers] or None,
        )
