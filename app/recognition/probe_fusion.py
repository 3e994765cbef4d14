"""Fusion of several photos of one probe into one vector. Pure."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.recognition.decisions.matching import template_of
from app.recognition.decisions.policy import Policy
from app.recognition.identity_consistency import PROBE_FACES, assess_consistency
from app.types import Floats


@dataclass(frozen=True, slots=True)
class FusedProbe:
    """The template (d,) of the `used` photos, and which ones have too little quality or a `mismatched` face.

    All are places of photos, from 0. `is_agreed` is False if at most half of the photos show the same person.
    """

    vector: Floats
    used: NDArray[np.intp]
    poor: NDArray[np.intp]
    mismatched: NDArray[np.intp]
    is_agreed: bool


def fuse(vectors: Floats, qualities: Floats, policy: Policy) -> FusedProbe:
    """Fuse the faces of one person's photos: vectors (n, d) of the policy's scoring, qualities (n,), n >= 1.

    A face below the minimum quality of probes is left out, unless all are. So is a face that does not look like the
    others (`assess_consistency`): averaged, it would make the probe resemble two people.
    """
    is_poor = qualities < policy.probe_quality
    if is_poor.all():
        is_poor[:] = False
    kept = np.flatnonzero(~is_poor)
    consistency = assess_consistency(vectors[kept], qualities[kept], policy, rule=PROBE_FACES)
    used = kept[consistency.fits]
    return FusedProbe(
        template_of(vectors[used], qualities[used]),
        used,
        np.flatnonzero(is_poor),
        kept[~consistency.fits],
        is_agreed=consistency.is_majority,
    )
