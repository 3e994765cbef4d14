"""Fusion of several photos of one probe, or of the faces of a track, into one vector. Pure."""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.recognition.decisions.matching import template_of
from app.recognition.decisions.policy import Policy
from app.recognition.identity_consistency import PROBE_FACES, assess_consistency, least_similarity
from app.types import Floats

TRACK_FACES: Final = 3
"""Faces of a track that are fused, the best ones. Frames of one scene differ in little but their blur and noise, so the
worse ones add errors and no evidence (docs/adr/0024-one-decision-per-track.md)."""


@dataclass(frozen=True, slots=True)
class FusedProbe:
    """The template (d,) of the `used` photos, and which ones were left out: `poor` or `mismatched` faces.

    All are places of photos, from 0. `is_agreed` is False if at most half of the photos of sufficient quality show the
    same person.
    """

    vector: Floats
    used: NDArray[np.intp]
    poor: NDArray[np.intp]
    mismatched: NDArray[np.intp]
    is_agreed: bool


def fuse(vectors: Floats, qualities: Floats, policy: Policy) -> FusedProbe:
    """Fuse the faces of one person's photos: vectors (n, d) of the policy's scoring, qualities (n,), n >= 1.

    A face that does not look like the others is left out (`assess_consistency`): averaged, it would make the probe
    resemble two people. Faces below the minimum quality of probes have no say in this, unless all are. One that
    resembles the others is fused with them, by its small weight.
    """
    is_poor = qualities < policy.probe_quality
    if is_poor.all():
        is_poor[:] = False
    kept = np.flatnonzero(~is_poor)
    consistency = assess_consistency(vectors[kept], qualities[kept], policy, rule=PROBE_FACES)
    good = kept[consistency.fits]
    poor = np.flatnonzero(is_poor)
    similarities = vectors[poor] @ template_of(vectors[good], qualities[good])
    is_alike = similarities >= least_similarity(policy, len(good), PROBE_FACES)
    used = np.sort(np.concatenate([good, poor[is_alike]]))
    return FusedProbe(
        template_of(vectors[used], qualities[used]),
        used,
        poor[~is_alike],
        kept[~consistency.fits],
        is_agreed=consistency.is_majority,
    )


def fuse_track(vectors: Floats, qualities: Floats, policy: Policy) -> FusedProbe:
    """Fuse the best faces of a track, as `fuse` does; the others are in none of the lists."""
    best = np.sort(np.argsort(-qualities, kind="stable")[:TRACK_FACES])
    fused = fuse(vectors[best], qualities[best], policy)
    return replace(fused, used=best[fused.used], poor=best[fused.poor], mismatched=best[fused.mismatched])
