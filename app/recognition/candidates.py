"""Candidates: the identities of a gallery that are most similar to a probe."""

from typing import Protocol

from app.gallery.store.values import Collection, EnrolledIdentity
from app.observability.stages import stage
from app.recognition.decisions.matching import rank_candidates
from app.recognition.decisions.scoring import AS_STORED, Scoring
from app.types import Candidate, Floats, Keys


class Searchable(Protocol):
    """A gallery, or a part of it in memory."""

    def nearest_identities(
        self, collection: Collection, vectors: Floats, top_k: int, *, among: Keys | None = None
    ) -> list[EnrolledIdentity]:
        """See `Gallery.nearest_identities`."""


# The index compares a probe with embeddings as they are stored. With so many more people than asked for, the two that
# are most similar by the scoring are among them for 99.5 % of LFW's photos, and the first one for all.
_MORE = 3


def nearest_candidates(
    gallery: Searchable,
    collection: Collection,
    vectors: Floats,
    top_k: int,
    *,
    among: Keys | None = None,
    scoring: Scoring = AS_STORED,
) -> list[list[Candidate]]:
    """Return at most `top_k` candidates for each probe (n, d): one for each identity, best first.

    With `among`, only the people of these faces are searched, exactly. The probes are vectors of `scoring`.

    Raises:
        CollectionSwitched: if the probes are of another model than the collection's templates.
    """
    with stage("search"):
        wanted = top_k if scoring.is_plain else top_k + _MORE
        near = gallery.nearest_identities(collection, vectors, wanted, among=among)
        return rank_candidates(vectors, [scoring.identity(each) for each in near], top_k)
