"""Schemas of reviews. Their names are the API's contract."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from app.api.schemas.candidates import Similarity
from app.api.schemas.fields import StrictSchema
from app.api.schemas.paging import cursor_of
from app.api.schemas.rates import Fmr, Fpir
from app.api.schemas.resources import Cursor
from app.gallery.store.review_values import NewDecision, ReviewDecision, ReviewOrigin, ReviewRecord, ReviewState
from app.names import IdentityId
from app.recognition.reviews.review_service import DecidedReview, ReviewList


class ReviewCandidateSchema(BaseModel):
    """A person whom the probe may show."""

    identity_id: str
    name: str | None
    face_id: Annotated[str | None, Field(description="The face to show.")]
    has_image: Annotated[bool, Field(description="That face has an image: GET .../faces/{face_id}/image.")]
    similarity: Similarity
    fmr: Fmr
    fpir: Fpir


class ReviewDecisionSchema(BaseModel):
    """The decision of one person."""

    decision: ReviewDecision
    identity_id: Annotated[str | None, Field(description="The confirmed person.")]
    decided_by: Annotated[str, Field(validation_alias="actor", description="Name of the key, or of the person.")]
    key_id: Annotated[str | None, Field(description="Id of the key or session. Null: the service has no keys.")]
    note: str | None
    decided_at: datetime


class ReviewUseSchema(BaseModel):
    """The use of recognition that led to the match."""

    origin: ReviewOrigin
    camera: str | None
    started_at: datetime
    ended_at: datetime
    times: Annotated[int, Field(description="How often the same match was made.")]
    requested_by: Annotated[str, Field(description="Name of the key, or of the person.")]
    key_id: str | None
    input_sha256: Annotated[str | None, Field(description="SHA-256 of the photo.")]
    quality: Annotated[float, Field(description="Quality of the face, 0 to 1.")]


class ReferenceDatabaseSchema(BaseModel):
    """The reference database as it was searched."""

    collection: str
    uid: Annotated[str, Field(description="Unlike the name, never given to another collection.")]
    revision: Annotated[int, Field(description="Number of its writes until then.")]
    model: str


class ReviewSchema(BaseModel):
    """A match that people decide."""

    review_id: str
    state: ReviewState
    verdict: Annotated[Literal["match", "possible"], Field(description="The service's verdict.")]
    threshold: Annotated[float | None, Field(description="The similarity that decided.")]
    use: ReviewUseSchema
    reference: ReferenceDatabaseSchema
    candidates: list[ReviewCandidateSchema]
    has_image: Annotated[bool, Field(description="GET .../reviews/{review_id}/image answers with the probe's face.")]
    decisions: list[ReviewDecisionSchema]
    opened_at: datetime
    closed_at: datetime | None
    version: Annotated[str, Field(description="The review's `ETag`, for `If-Match`.")]

    @classmethod
    def of(cls, collection: str, review: ReviewRecord) -> "ReviewSchema":
        """Return the schema of a review."""
        return cls(
            review_id=review.review_id,
            state=review.state,
            verdict="match" if review.verdict == "match" else "possible",
            threshold=review.threshold,
            use=ReviewUseSchema(
                origin=review.origin,
                camera=review.camera,
                started_at=review.started_at,
                ended_at=review.ended_at,
                times=review.times,
                requested_by=review.actor,
                key_id=review.key_id,
                input_sha256=review.input_sha256,
                quality=review.quality,
            ),
            reference=ReferenceDatabaseSchema(
                collection=collection, uid=review.uid, revision=review.revision, model=review.model
            ),
            candidates=[ReviewCandidateSchema.model_validate(each, from_attributes=True) for each in review.candidates],
            has_image=review.has_image,
            decisions=[ReviewDecisionSchema.model_validate(each, from_attributes=True) for each in review.decisions],
            opened_at=review.opened_at,
            closed_at=review.closed_at,
            version=review.version,
        )


class ReviewsPage(BaseModel):
    """Reviews, the oldest first."""

    reviews: list[ReviewSchema]
    open: Annotated[int, Field(description="Number of open reviews of the collection.")]
    reviewers: Annotated[int, Field(description="How many different people have to agree.")]
    next_cursor: Cursor

    @classmethod
    def of(cls, collection: str, found: ReviewList) -> "ReviewsPage":
        """Return the schema of a page."""
        return cls(
            reviews=[ReviewSchema.of(collection, each) for each in found.page.items],
            open=found.open,
            reviewers=found.reviewers,
            next_cursor=cursor_of(found.page.after),
        )


class DecisionRequest(StrictSchema):
    """A decision: the probe shows a candidate, or none of them."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"decision": "confirm", "identity_id": "ada", "note": "badge checked"}]}
    )

    decision: ReviewDecision
    identity_id: Annotated[IdentityId | None, Field(description="The confirmed candidate; null: the first one.")] = None
    note: Annotated[
        Annotated[str, StringConstraints(max_length=1000, pattern=r"^[^\x00-\x08\x0b-\x1f\x7f]*$")] | None,
        Field(description="A reason, kept with the decision."),
    ] = None
    enroll: Annotated[
        bool,
        Field(
            strict=True,
            description="If this confirms the person, enroll the image for them. Needs scope `enroll`.",
        ),
    ] = False

    def value(self) -> NewDecision:
        """Return the decision."""
        return NewDecision(self.decision, self.identity_id, self.note)


class DecisionAnswer(BaseModel):
    """The review after the decision."""

    review: ReviewSchema
    face_id: Annotated[str | None, Field(description="With `enroll`: the new face.")]
    code: Annotated[str | None, Field(description="With `enroll`: why the image was not enrolled, as in errors.")]
    detail: str | None

    @classmethod
    def of(cls, collection: str, decided: DecidedReview) -> "DecisionAnswer":
        """Return the answer."""
        review = ReviewSchema.of(collection, decided.review)
        return cls(review=review, face_id=decided.face_id, code=decided.code, detail=decided.detail)
