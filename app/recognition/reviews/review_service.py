"""Reviews, as callers see them: list, decide, export."""

from collections.abc import Callable, Iterator
from collections.abc import Collection as AnyOf
from dataclasses import dataclass

from app.errors import ArcidError, RequestInvalid
from app.gallery.store.review_pages import ReviewPages
from app.gallery.store.review_values import NewDecision, ReviewRecord, ReviewState
from app.gallery.store.reviews import ReviewStore
from app.gallery.store.values import Collection
from app.recognition.enrollment import EnrollmentService
from app.types import Page


@dataclass(frozen=True, slots=True)
class ReviewList:
    """A page of reviews, the number of `open` ones, and of the `reviewers` who have to agree."""

    page: Page[ReviewRecord]
    open: int
    reviewers: int


@dataclass(frozen=True, slots=True)
class DecidedReview:
    """A review after a decision. If its photo should be enrolled: the new face's id, or the error's code and text."""

    review: ReviewRecord
    face_id: str | None = None
    code: str | None = None
    detail: str | None = None


class ReviewService:
    """Reviews of collections of any network. Every method raises CollectionUnknown."""

    def __init__(
        self,
        collection_of: Callable[[str], Collection],
        store: ReviewStore,
        pages: ReviewPages,
        enrollment: EnrollmentService,
    ) -> None:
        """`collection_of` returns a collection by its name, or raises CollectionUnknown."""
        self._collection_of = collection_of
        self._store = store
        self._pages = pages
        self._enrollment = enrollment

    def page(self, collection: str, *, after: int, limit: int, state: ReviewState | None) -> ReviewList:
        """Return a page of reviews, the oldest first."""
        target = self._collection_of(collection)
        found = self._pages.page(target, after=after, limit=limit, state=state)
        return ReviewList(found, self._pages.open_count(target), target.settings.reviewers)

    def get(self, collection: str, review_id: str) -> ReviewRecord:
        """Return a review; raises ReviewUnknown."""
        return self._pages.get(self._collection_of(collection), review_id)

    def image(self, collection: str, review_id: str) -> bytes:
        """Return the probe's face as a JPEG; raises as `ReviewPages.image`."""
        return self._pages.image(self._collection_of(collection), review_id)

    def all(self, collection: str) -> Iterator[ReviewRecord]:
        """Return all reviews, the oldest first."""
        return self._pages.all(self._collection_of(collection))

    def decide(
        self,
        collection: str,
        review_id: str,
        new: NewDecision,
        versions: AnyOf[str] | None = None,
        *,
        is_enrolled: bool = False,
    ) -> DecidedReview:
        """Store a decision; raises as `ReviewStore.decide`.

        With `is_enrolled`, the image of a review that is confirmed now is enrolled as any photo is. If it is refused,
        the decision stays. Raises RequestInvalid if the review has no image.
        """
        target = self._collection_of(collection)
        if is_enrolled and not self._pages.get(target, review_id).has_image:
            raise RequestInvalid.at("enroll", "the review has no image to enroll")
        review = self._store.decide(target, review_id, new, versions)
        if not is_enrolled or review.state is not ReviewState.CONFIRMED:
            return DecidedReview(review)
        try:
            photo = self._pages.image(target, review_id)
            enrolled = self._enrollment.enroll([photo], collection=collection, identity_id=review.confirmed)
        except ArcidError as error:
            return DecidedReview(review, code=error.code, detail=str(error))
        return DecidedReview(review, face_id=enrolled.faces[0].face_id)
