"""Candidates of a search, with their error rates."""

from dataclasses import asdict
from typing import Annotated

from pydantic import BaseModel, Field

from app.api.schemas.rates import Fmr, FmrRange, Fpir, FpirRange
from app.recognition.identification import IdentifiedFace
from app.recognition.search_scope import SearchResult

Similarity = Annotated[float, Field(description="Cosine, -1 to 1; higher is closer.")]

ReviewId = Annotated[
    str | None, Field(description="The review of this verdict, if people decide it: GET .../reviews/{review_id}.")
]


class CandidateSchema(BaseModel):
    """An enrolled identity: `similarity` to the template of its `faces`; `face_id` is the face nearest to the probe."""

    identity_id: str
    name: str | None
    face_id: str
    faces: int
    similarity: Similarity
    fmr: Fmr
    fmr_range: FmrRange
    fpir: Fpir
    fpir_range: FpirRange

    @classmethod
    def all_of(cls, identified: IdentifiedFace | SearchResult) -> "list[CandidateSchema]":
        """Return the candidates with their error rates."""
        pairs = zip(identified.candidates, identified.rates, strict=True)
        return [
            cls(
                **asdict(candidate),
                fmr=rates.fmr.value,
                fmr_range=rates.fmr.range,
                fpir=rates.fpir.value,
                fpir_range=rates.fpir.range,
            )
            for candidate, rates in pairs
        ]
