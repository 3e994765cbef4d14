"""A sighting: the decision on one person on one camera."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class SightingVerdict(StrEnum):
    """Decision on a track."""

    MATCH = "match"
    POSSIBLE = "possible"
    UNKNOWN = "unknown"
    ATTACK = "attack"


@dataclass(frozen=True, slots=True)
class Sighting:
    """The current decision on one track of one camera; a later one on the same track replaces it.

    Attributes:
        camera: Id of the camera.
        track_id: Id of the track, unique among all cameras and runs.
        collection: The collection that was searched.
        verdict: The decision.
        identity_id: The person of a match or possible match.
        name: Their name.
        similarity: Similarity (cosine, -1..1) of the first candidate.
        fpir: Chance that a stranger's track reaches this similarity, 0..1; None if no calibration states it.
        liveness: Verdict on liveness (`live`, `uncertain`, `attack`); None if it was not checked.
        quality: Quality of the best shot, 0..1.
        frames: Number of frames in which the face was seen.
        first_seen: Time of the first frame.
        last_seen: Time of the last frame so far.
        is_revised: Whether an earlier decision on this track was another one.
        best_shot: JPEG of the best face; None if the camera may not keep images.
    """

    camera: str
    track_id: str
    collection: str
    verdict: SightingVerdict
    identity_id: str | None
    name: str | None
    similarity: float | None
    fpir: float | None
    liveness: str | None
    quality: float
    frames: int
    first_seen: datetime
    last_seen: datetime
    is_revised: bool = False
    best_shot: bytes | None = None
