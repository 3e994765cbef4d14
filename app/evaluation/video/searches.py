"""Searches of frames and of tracks in a gallery, each with the threshold that the service would use. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.evaluation.identification import search
from app.evaluation.values import Bools, Doubles, EmbeddedPhotos, Ints
from app.recognition.decisions.calibration.templates import comparisons_among, independent_faces
from app.recognition.decisions.policy import Policy
from app.recognition.probe_fusion import fuse_track
from app.recognition.tracks.looks import INDEPENDENT_LOOKS, evidence_of, looks_reached
from app.types import Floats

ASKED = (1e-1, 1e-2)
"""FPIRs whose thresholds are tested."""


@dataclass(frozen=True, slots=True)
class ProbeVectors:
    """Probes: vectors (p, d), the track (p,) of each, whether it is below the minimum quality.

    `independent` (p,) is the number of independent faces in each, `looks` the number of searches that rates count.
    """

    vectors: Floats
    tracks: Ints
    is_poor: Bools
    independent: Doubles
    looks: float = 1.0


@dataclass(frozen=True, slots=True)
class ProbeSearches:
    """Result of searches, (p,) each: similarity of the mate if it is first, else -inf, and of the best other person.

    Both are -inf for probes of low quality, which cannot match. `thresholds` (a, p) are those for `ASKED`.
    """

    tracks: Ints
    mate: Doubles
    other: Doubles
    thresholds: Doubles


def frame_probes(embedded: EmbeddedPhotos, frames: int, policy: Policy) -> ProbeVectors:
    """Return each frame with a face as a probe; `frames` consecutive photos of `embedded` are a track."""
    places = np.flatnonzero(embedded.has_face)
    quality = embedded.quality[places]
    return ProbeVectors(
        embedded.vectors[places].astype(np.float32),
        places // frames,
        quality < policy.probe_quality,
        np.ones(len(places)),
    )


def look_probes(
    embedded: EmbeddedPhotos, frames: int, policy: Policy, *, looks: float = INDEPENDENT_LOOKS
) -> tuple[ProbeVectors, Bools]:
    """Return the fused faces of each track at each look as probes, and which of them are the last of their tracks."""
    vectors, quality = embedded.vectors.astype(np.float32), embedded.quality
    fused: list[Floats] = []
    independent: list[float] = []
    rows: list[tuple[int, bool, bool]] = []
    for track in range(len(embedded.photos) // frames):
        own = [each for each in range(track * frames, (track + 1) * frames) if each not in embedded.failures]
        for count in _look_counts(quality[own].tolist(), policy.probe_quality):
            seen = own[:count]
            probe = fuse_track(vectors[seen], quality[seen], policy)
            used = [seen[place] for place in probe.used]
            fused.append(probe.vector)
            independent.append(independent_faces(vectors[used], quality[used]))
            is_weak = bool(quality[used].max() < policy.probe_quality) or not probe.is_agreed
            rows.append((track, is_weak, count == len(own)))
    tracks, is_poor, is_last = (np.array(each) for each in zip(*rows, strict=True))
    return ProbeVectors(np.stack(fused), tracks, is_poor, np.array(independent), looks), is_last


def search_probes(probes: ProbeVectors, gallery: Floats, mates: Ints, policy: Policy) -> ProbeSearches:
    """Search probes in a gallery (g, d), one face each; `mates` (t,) is the place of each track's person, or -1."""
    found = search(probes.vectors, gallery, mates[probes.tracks])
    refused = np.where(probes.is_poor, -np.inf, 0)
    return ProbeSearches(
        probes.tracks,
        np.where(found.rank == 1, found.mate, -np.inf) + refused,
        found.other + refused,
        np.stack([_thresholds(probes, len(gallery), policy, asked) for asked in ASKED]),
    )


def _look_counts(qualities: Sequence[float], minimum: float) -> list[int]:
    """Return after how many faces a track is decided; the last of them is all of them."""
    counts, reached = [], 0
    for count in range(1, len(qualities) + 1):
        looks = looks_reached(evidence_of(qualities[:count]))
        if looks > reached and max(qualities[:count]) >= minimum:
            reached = looks
            counts.append(count)
    return [*dict.fromkeys([*counts, len(qualities)])] if qualities else []


def _thresholds(probes: ProbeVectors, people: int, policy: Policy, asked: float) -> Doubles:
    return np.array(
        [
            policy.for_identification(
                comparisons_among(people, people, faces).repeated(probes.looks), max_fpir=asked
            ).threshold
            for faces in probes.independent.tolist()
        ]
    )
