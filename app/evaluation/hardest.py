"""The hardest comparisons for a report: those nearest to a wrong decision, or wrong ones. Pure."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from app.evaluation.all_pairs import HARDEST, HardPair
from app.evaluation.identification import IdentificationResult
from app.evaluation.values import EmbeddedPhotos

Row = dict[str, Any]


def of_pairs(embedded: EmbeddedPhotos, hard: Iterable[HardPair]) -> list[Row]:
    """Return rows with the photo names of pairs."""
    photos = embedded.photos
    named = ((similarity, photos[one].name, photos[two].name) for similarity, one, two in hard)
    return [{"similarity": _shown(similarity), "first": one, "second": two} for similarity, one, two in named][:HARDEST]


def of_mated(embedded: EmbeddedPhotos, identified: IdentificationResult) -> list[Row]:
    """Return rows of the hardest mated searches, each with the most similar other person."""
    mated, roles, names = identified.mated, identified.split, [photo.name for photo in embedded.photos]
    compared = np.flatnonzero(np.isfinite(mated.mate) & np.isfinite(mated.other))
    order = compared[np.argsort(mated.mate[compared] - mated.other[compared])[:HARDEST]]
    return [
        {
            "similarity": _shown(mated.mate[at]),
            "first": names[roles.probes[at]],
            "second": names[roles.gallery[roles.mates[at]]],
            "rank": int(mated.rank[at]),
            "closest_other": names[roles.gallery[mated.other_index[at]]],
            "similarity_of_other": _shown(mated.other[at]),
        }
        for at in order
    ]


def of_non_mated(embedded: EmbeddedPhotos, identified: IdentificationResult) -> list[Row]:
    """Return rows of the hardest non-mated searches: those with the highest similarities."""
    roles = identified.split
    searches = roles.searches
    order = [at for at in np.argsort(-identified.non_mated)[:HARDEST] if np.isfinite(identified.non_mated[at])]
    pairs = [(int(searches[at]), int(roles.gallery[identified.non_mated_index[at]])) for at in order]
    return of_pairs(embedded, [(float(identified.non_mated[at]), *pair) for at, pair in zip(order, pairs, strict=True)])


def _shown(similarity: float) -> float:
    """Return a similarity in its range, as the service does: vectors scaled by the norm can exceed it."""
    return float(np.clip(similarity, -1, 1))
