"""Decisions: the template of an identity, its similarity to a probe, match, possible or unknown. Pure."""

from collections.abc import Sequence

import numpy as np

from app.gallery.store.values import EnrolledIdentity
from app.recognition.decisions.policy import Outcome, Rule
from app.types import Candidate, Floats

# Two photos of one person differ by about this much in their similarity to a third (one standard deviation on LFW).
# The next photo may reverse a smaller lead.
_TOO_NEAR = 0.1

LEAST_WEIGHT = 0.02  # of a face with quality 0, so that an identity with only those has a template, too
_LEAST_LENGTH = 1e-4  # of a mean of unit vectors; the direction of a shorter one is only rounding


def template(enrolled: EnrolledIdentity) -> Floats:
    """Return the template of an identity (d,): the quality-weighted mean of its faces, with their mean length.

    Chosen by measurement against the best single face, the plain mean and mixtures of them (docs/thresholds.md).
    """
    return template_of(enrolled.vectors, enrolled.qualities)


def template_of(vectors: Floats, qualities: Floats) -> Floats:
    """Return the template of one or more faces of a person; see `template`."""
    first: Floats = vectors[0]
    if len(vectors) == 1:
        return first
    weights = qualities + np.float32(LEAST_WEIGHT)
    weights = weights / weights.sum()
    mean, length = weights @ vectors, float(weights @ np.linalg.norm(vectors, axis=1))
    found = np.linalg.norm(mean)
    return np.asarray(mean * (length / found), np.float32) if found > _LEAST_LENGTH else first  # they cancel out


def similarities_to_others(vectors: Floats, qualities: Floats) -> Floats:
    """Return how similar each of two or more faces (n, d) is to the template of all others (n,)."""
    weights = (qualities + np.float32(LEAST_WEIGHT))[:, None]
    others = (weights * vectors).sum(axis=0) - weights * vectors
    lengths = weights * np.linalg.norm(vectors, axis=1, keepdims=True)
    mean_lengths = (lengths.sum() - lengths) / (weights.sum() - weights)
    found = np.maximum(np.linalg.norm(others, axis=1, keepdims=True), _LEAST_LENGTH)
    return np.asarray((vectors * others * mean_lengths / found).sum(axis=1), np.float32)


def rank_candidates(probes: Floats, people: Sequence[EnrolledIdentity], top_k: int) -> list[list[Candidate]]:
    """Compare every probe (n, d) with every person: at most `top_k` candidates for each probe, best first.

    Probes and people are vectors of one `Scoring`.

    A candidate's face is the one of the person's that is nearest to the probe.
    """
    if not people:
        return [[] for _ in probes]
    similarities = np.clip(probes @ np.stack([template(each) for each in people]).T, -1, 1)
    best = np.argsort(-similarities, axis=1, kind="stable")[:, :top_k]
    return [
        [candidate(probe, people[at], float(similarities[row, at])) for at in places]
        for row, (probe, places) in enumerate(zip(probes, best, strict=True))
    ]


def candidate(probe: Floats, enrolled: EnrolledIdentity, similarity: float) -> Candidate:
    """Return a person as a candidate for a probe (d,)."""
    nearest = int((enrolled.vectors @ probe).argmax())
    return Candidate(enrolled.identity_id, enrolled.name, enrolled.face_ids[nearest], similarity, len(enrolled.keys))


def decide(candidates: Sequence[Sequence[Candidate]], is_poor: Sequence[bool], rule: Rule) -> list[Outcome]:
    """Decide for every face of one photo whether its first candidate is this person.

    A person is in a photo once. If several faces have the same first candidate, only the most similar one can match.
    Under an error rate, a match becomes `possible` if the face has a low quality (`is_poor`), or if the runner-up also
    reaches the threshold with nearly the same similarity. An explicit threshold decides alone.
    """
    closest: dict[str, int] = {}
    for face, found in enumerate(candidates):
        if found and found[0].similarity >= rule.doubt_from:
            rival = closest.get(found[0].identity_id)
            if rival is None or candidates[rival][0].similarity < found[0].similarity:
                closest[found[0].identity_id] = face
    winners = set(closest.values())
    return [
        rule.outcome(found[0].similarity, is_doubtful=is_poor[face] or _is_close_race(found, rule))
        if face in winners
        else Outcome.NO_MATCH
        for face, found in enumerate(candidates)
    ]


def margin(candidates: Sequence[Candidate]) -> float | None:
    """Return the lead of the first candidate over the second, or None without a second."""
    return candidates[0].similarity - candidates[1].similarity if len(candidates) > 1 else None


def _is_close_race(found: Sequence[Candidate], rule: Rule) -> bool:
    lead = margin(found)
    return lead is not None and lead < _TOO_NEAR and found[1].similarity >= rule.threshold
