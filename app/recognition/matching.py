"""The decisions: best candidate of each identity, match, possible or unknown. Pure."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from app.faces import Candidate, Floats
from app.identities.values import Owner
from app.recognition.policy import Outcome, Rule

# By about so much do two photos of one person differ in their similarity to a third (one standard deviation on LFW): a
# smaller lead may be turned by the next photo.
_TOO_NEAR = 0.1


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


def decided(candidates: Sequence[Sequence[Candidate]], rule: Rule) -> list[Outcome]:
    """Decide for every face of one photo whether its first candidate is this person.

    A person is in a photo once: of the faces whose first candidate is the same identity, only the most similar can
    match. Under an error rate, a match whose runner-up reaches the threshold too and is nearly as similar is only
    possible: the two cannot be told apart. An explicit threshold decides alone.
    """
    closest: dict[str, int] = {}
    for face, found in enumerate(candidates):
        if found and found[0].similarity >= rule.doubt_from:
            rival = closest.get(found[0].identity_id)
            if rival is None or candidates[rival][0].similarity < found[0].similarity:
                closest[found[0].identity_id] = face
    winners = set(closest.values())
    return [_outcome(found, rule) if face in winners else Outcome.NO_MATCH for face, found in enumerate(candidates)]


def margin(candidates: Sequence[Candidate]) -> float | None:
    """Return how much more similar the first candidate is than the second, None without a second."""
    return candidates[0].similarity - candidates[1].similarity if len(candidates) > 1 else None


def _outcome(found: Sequence[Candidate], rule: Rule) -> Outcome:
    lead = margin(found)
    is_near = lead is not None and lead < _TOO_NEAR and found[1].similarity >= rule.threshold
    outcome = rule.outcome(found[0].similarity)
    return Outcome.POSSIBLE if is_near and rule.has_doubt() and outcome is Outcome.MATCH else outcome
