"""The comparisons that a report names: those that came nearest to a wrong decision, or made one. Pure."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from app.evaluation.all_pairs import KEPT, Hard
from app.evaluation.identification import Identified
from app.evaluation.values import Embedded

Row = dict[str, Any]


def of_pairs(embedded: Embedded, hard: Iterable[Hard]) -> list[Row]:
    """Name the photos of pairs."""
    photos = embedded.photos
    named = ((similarity, photos[one].name, photos[two].name) for similarity, one, two in hard)
    return [{"similarity": similarity, "first": one, "second": two} for similarity, one, two in named][:KEPT]


def of_mated(embedded: Embedded, identified: Identified) -> list[Row]:
    """Name the mated searches by how much closer somebody else was."""
    mated, roles, names = identified.mated, identified.split, [each.name for each in embedded.photos]
    compared = np.flatnonzero(np.isfinite(mated.mate) & np.isfinite(mated.other))
    order = compared[np.argsort(mated.mate[compared] - mated.other[compared])[:KEPT]]
    return [
        {
            "similarity": float(mated.mate[at]),
            "first": names[roles.probes[at]],
            "second": names[roles.gallery[roles.mates[at]]],
            "rank": int(mated.rank[at]),
            "closest_other": names[roles.gallery[mated.other_place[at]]],
            "similarity_of_other": float(mated.other[at]),
        }
        for at in order
    ]


def of_non_mated(embedded: Embedded, identified: Identified) -> list[Row]:
    """Name the searches that should find nobody by how similar somebody was."""
    roles = identified.split
    of = roles.probes if identified.is_leave_one_out else roles.strangers
    order = [at for at in np.argsort(-identified.non_mated)[:KEPT] if np.isfinite(identified.non_mated[at])]
    places = [(int(of[at]), int(roles.gallery[identified.non_mated_place[at]])) for at in order]
    return of_pairs(
        embedded, [(float(identified.non_mated[at]), *pair) for at, pair in zip(order, places, strict=True)]
    )
