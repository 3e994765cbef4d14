"""Candidates: the identities of a gallery that are most similar to a probe."""

from typing import Protocol

from app.gallery.store.values import Collection, EnrolledIdentity
from app.observability.stages import stage
from app.recognition.decisions.matching import rank_candidates
from app.types import Candidate, Floats, Keys


class Searchable(Protocol):
    """A gallery, or a part of it in memory."""

    def nearest_identities(
        self, collection: Collection, vectors: Floats, top_k: int, *, among: Keys | None = None
    ) -> list[EnrolledIdentity]:
        """See `Gallery.nearest_identities`."""


def nearest_candidates(
    gallery: Searchable, collection: Collection, vectors: Floats, top_k: int, *, among: Keys | None = None
) -> list[list[Candidate]]:
    """Return at most `top_k` candidates for each probe (n, d): one for each identity, best first.

    With `among`, only the people of these faces are searched, exactly.

    Raises:
        CollectionSwitched: if the probes are of another model than the collection's templates.
    """
    with stage("search"):
        return rank_candidates(vectors, gallery.nearest_identities(collection, vectors, top_k, among=among), top_k)
