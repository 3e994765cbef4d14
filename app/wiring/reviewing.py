"""Recognition, and the queue of its matches that people decide."""

from functools import cached_property

from app.gallery.store.review_pages import ReviewPages
from app.gallery.store.reviews import ReviewStore
from app.recognition.reviews.review_queue import ReviewQueue
from app.recognition.reviews.review_service import ReviewService
from app.recognition.verification import VerificationService
from app.wiring.enrolling import EnrollingResources


class Reviewing(EnrollingResources):
    """Resources of a process that recognises people."""

    @cached_property
    def review_store(self) -> ReviewStore:
        """The stored reviews, to open and decide."""
        return ReviewStore(self.current_database.engine, self.sealer, most_open=self.settings.reviews.open)

    @cached_property
    def review_pages(self) -> ReviewPages:
        """The stored reviews, to read."""
        return ReviewPages(self.current_database.engine, self.sealer)

    @cached_property
    def review_queue(self) -> ReviewQueue:
        """Opens reviews of verdicts."""
        return ReviewQueue(self.review_store, self.store.collection, has_images=self.sealer is not None)

    @cached_property
    def reviews(self) -> ReviewService:
        """Reviews, as callers see them."""
        return ReviewService(self.store.collection, self.review_store, self.review_pages, self.enrollment)

    @cached_property
    def verification(self) -> VerificationService:
        """Verification, 1:1."""
        registry, gate, reviews = self.registry, self.liveness_gate, self.review_queue
        return VerificationService(registry.analysis_of, self.gallery, registry.policy_of, gate=gate, reviews=reviews)
