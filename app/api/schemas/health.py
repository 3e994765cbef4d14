"""Answers about the health of a gallery and of an enrollment. Their names are the API's contract."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.api.schemas.paging import cursor_of
from app.api.schemas.quality import StoredQuality
from app.api.schemas.rates import FMR, FPIR, Fmr, FmrRange, FpirRange, RangeSchema, range_of, rate_of
from app.recognition.health.findings import Findings

Similarity = Annotated[float, Field(description="Cosine, -1 to 1; higher is closer.")]
FmrOf = Annotated[float | None, rate_of("fmr", FMR)]
FmrRangeOf = Annotated[RangeSchema | None, range_of("fmr")]
FpirOf = Annotated[float | None, rate_of("fpir", FPIR)]
FpirRangeOf = Annotated[RangeSchema | None, range_of("fpir")]


class _AttributeSchema(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class DuplicateSchema(_AttributeSchema):
    """Another identity that faces of the request look like."""

    photo: Annotated[int, Field(description="The photo with the most similar face, from 0.")]
    identity_id: str
    face_id: Annotated[str, Field(description="The identity's face nearest to it.")]
    faces: Annotated[int, Field(description="Number of its faces.")]
    similarity: Similarity
    fpir: Annotated[
        float | None,
        Field(description="Chance that any photo of a stranger is as similar to anyone in this gallery."),
    ]
    fpir_range: FpirRange = None


class MismatchSchema(_AttributeSchema):
    """A photo whose face is unlike the other `faces` of its identity or request."""

    photo: Annotated[int, Field(description="Place of the photo in the request, from 0.")]
    similarity: Annotated[float | None, Field(description="Cosine, -1 to 1; null without scope `manage`.")]
    faces: int
    fmr: Fmr
    fmr_range: FmrRange = None


class MendSchema(_AttributeSchema):
    """A call that would fix the problem."""

    method: Literal["POST", "DELETE"]
    path: str
    body: Annotated[dict[str, Any] | None, Field(description="Add photos if `photos` is empty.")]


class SomeoneSchema(_AttributeSchema):
    """An identity: a person."""

    identity_id: str
    name: str | None
    faces: Annotated[int, Field(description="Number of faces.")]
    face_id: Annotated[
        str | None, Field(description="The face to show: the best, if possible another one than the finding's.")
    ]


class LikePairSchema(_AttributeSchema):
    """Two identities that look like one person: merge `first` into `second`, which has at least as many faces."""

    first: SomeoneSchema
    second: SomeoneSchema
    similarity: Similarity
    fpir: FpirOf
    fpir_range: FpirRangeOf
    mend: MendSchema


class LookalikeSchema(_AttributeSchema):
    """The person that a wrong-person face looks like."""

    person: SomeoneSchema
    similarity: Similarity
    fpir: FpirOf
    fpir_range: FpirRangeOf


class ForeignFaceSchema(_AttributeSchema):
    """A face that is unlike the `others` of its identity."""

    face_id: str
    identity: SomeoneSchema
    quality: StoredQuality
    similarity: Similarity
    fmr: FmrOf
    fmr_range: FmrRangeOf
    others: Annotated[int, Field(description="Number of faces that it was compared with.")]
    is_undecided: Annotated[
        bool,
        Field(description="The identity's faces have no majority: this face or the others are of a wrong person."),
    ]
    looks_like: Annotated[LookalikeSchema | None, Field(description="Null if it resembles no other identity.")]
    mend: MendSchema


class PoorFaceSchema(_AttributeSchema):
    """A face below the collection's `enroll_quality`."""

    face_id: str
    identity: SomeoneSchema
    quality: StoredQuality
    least: float
    mend: MendSchema


_ADA = {"identity_id": "ada", "name": "Ada Lovelace", "faces": 4, "face_id": "c1a0f6a2-58f5-4d0c-a3f1-6f2f1f6f4b0d"}
_ADA_TOO = {
    "identity_id": "a.lovelace",
    "name": "A. Lovelace",
    "faces": 1,
    "face_id": "0e1d7d57-2d0c-4c58-9a5b-0b6c2f7c1e33",
}
_FACE_ID = "5f0c2b1e-7a54-4a53-9a0e-3f8f0c2f6b11"
_BOB = {"identity_id": "bob", "name": "Bob", "faces": 3, "face_id": "a3cf5e60-9a0b-4e6e-8a43-7d1c1f0a9b52"}
_EXAMPLE: dict[str, Any] = {
    "identities": 50,
    "faces": 131,
    "duplicates": [
        {
            "first": _ADA_TOO,
            "second": _ADA,
            "similarity": 0.74,
            "fpir": 1e-7,
            "fpir_range": [0, 1e-7],
            "mend": {
                "method": "POST",
                "path": "/collections/default/identities/a.lovelace/merge",
                "body": {"into": "ada"},
            },
        }
    ],
    "foreign_faces": [
        {
            "face_id": _FACE_ID,
            "identity": _ADA,
            "quality": {"score": 0.71, "reasons": [], "hints": [], "components": {}},
            "similarity": 0.06,
            "fmr": 0.31,
            "fmr_range": [0.3, 0.33],
            "others": 3,
            "is_undecided": False,
            "looks_like": {"person": _BOB, "similarity": 0.68, "fpir": 4e-7, "fpir_range": [1.4e-7, 1.1e-6]},
            "mend": {
                "method": "POST",
                "path": f"/collections/default/faces/{_FACE_ID}/move",
                "body": {"identity_id": "bob"},
            },
        }
    ],
    "poor_faces": [],
    "next_cursor": "YWZ0ZXI6NTA",
}


class HealthAnswer(BaseModel):
    """Problems of the identities of one page."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    identities: Annotated[int, Field(description="Number of identities examined.")]
    faces: Annotated[int, Field(description="Number of its faces.")]
    duplicates: list[LikePairSchema]
    foreign_faces: list[ForeignFaceSchema]
    poor_faces: list[PoorFaceSchema]
    next_cursor: Annotated[str | None, Field(description="`cursor` of the next page; null on the last one.")]

    @classmethod
    def of(cls, found: Findings) -> "HealthAnswer":
        """Return the answer."""
        return cls(
            identities=found.identities,
            faces=found.faces,
            duplicates=[LikePairSchema.model_validate(each) for each in found.pairs],
            foreign_faces=[ForeignFaceSchema.model_validate(each) for each in found.foreign],
            poor_faces=[PoorFaceSchema.model_validate(each) for each in found.poor],
            next_cursor=cursor_of(found.after),
        )
