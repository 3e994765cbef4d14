"""The decisions: best candidate of each identity, match or unknown. Pure."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from app.faces import Candidate, Floats
from app.identities.values import Owner


def best_per_identity(
    similarities: Floats, keys: NDArray[np.int64], owners: Mapping[int, Owner], top_k: int
) -> list[Candidate]:
    """Turn one probe's hits, best first, into at most `top_k` candidates, one for each identity, best first.

    `similarities` and `keys` are (m,). A key without an owner was deleted meanwhile and is passed over.
    """
    best: dict[str, Candidate] = {}
    for similarity, key in zip(similarities.tolist(), keys.tolist(), strict=True):
        owner = owners.get(key)
        if owner is not None and owner.identity_id not in best:
            best[owner.identity_id] = Candidate(owner.identity_id, owner.name, owner.face_id, similarity)
            if len(best) == top_k:
                break
    return list(best.values())


def matched(candidates: Sequence[Sequence[Candidate]], threshold: float) -> list[bool]:
    """Decide for every face of one photo whether its first candidate is a match.

    A face matches when its first candidate reaches `threshold` and no other face whose first candidate is the same
    identity is more similar to it: a person is in a photo once.
    """
    closest: dict[str, int] = {}
    for face, found in enumerate(candidates):
        if found and found[0].similarity >= threshold:
            rival = closest.get(found[0].identity_id)
            if rival is None or candidates[rival][0].similarity < found[0].similarity:
                closest[found[0].identity_id] = face
    winners = set(closest.values())
    return [face in winners for face in range(len(candidates))]
