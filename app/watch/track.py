"""A track: the frames of one person on one camera, their best shots, and the decisions on them."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import uuid4

from app.notify.sighting import Sighting, SightingVerdict
from app.recognition.decisions.policy import Outcome
from app.recognition.tracks.identification import TrackDecision
from app.recognition.tracks.looks import evidence_of, looks_reached
from app.recognition.tracks.shots import MOST_SHOTS, Shot, best_shots
from app.types import Pixels
from app.vision.imaging.portrait import encode_jpeg

_GAP_S = 0.15  # between two shots of a new track; it doubles with each `MOST_SHOTS` of them
_LONGEST_GAP_S = 5.0
_CHECK_GAPS = 4  # after so many gaps a shot need not be better than the others: it may show another person
_PROMISING = 0.6  # share of the best glance that a shot of a new track needs, and one that checks
_FIRM_LOOK = 2  # look from which also other verdicts than a match are reported
_LEAST_FRAMES = 3  # of a track of poor quality: with fewer, it may be a false detection

_VERDICTS: Final = {
    Outcome.MATCH: SightingVerdict.MATCH,
    Outcome.POSSIBLE: SightingVerdict.POSSIBLE,
    Outcome.NO_MATCH: SightingVerdict.UNKNOWN,
}


@dataclass(slots=True)
class Track:
    """A track of the camera `camera`, searched in `collection`."""

    camera: str
    collection: str
    first_seen: datetime
    last_seen: datetime
    track_id: str = field(default_factory=lambda: uuid4().hex)
    frames: int = 0
    shots: list[Shot] = field(default_factory=list)
    unlike: list[Shot] = field(default_factory=list)
    """The last shots that seem to show somebody else, and the same person each."""

    picture: bytes | None = None
    _before: tuple[int, datetime] | None = None
    _embedded: int = 0
    _embedded_at: float = float("-inf")
    _looks: int = 0
    _reported: Sighting | None = None

    @property
    def quality(self) -> float:
        """Quality of the best shot, 0..1."""
        return max((each.quality for each in self.shots), default=0.0)

    def see(self, at: datetime) -> None:
        """Count a frame."""
        if not self.unlike:
            self._before = self.frames, self.last_seen
        self.frames, self.last_seen = self.frames + 1, at

    def is_promising(self, glance: float, seconds: float) -> bool:
        """Return whether a face is worth embedding: it adds to the shots, or checks that this is the same person.

        `glance` is its quality before it is embedded, 0..1.
        """
        gap = _GAP_S * 2.0 ** (len(self.unlike) or self._embedded // MOST_SHOTS)
        waited = seconds - self._embedded_at
        if waited < min(gap, _LONGEST_GAP_S):
            return False
        if self.unlike or waited >= _LONGEST_GAP_S:  # a person may never have a better face
            return True
        glances = [each.glance for each in self.shots]
        if len(glances) < MOST_SHOTS or waited >= min(_CHECK_GAPS * gap, _LONGEST_GAP_S):
            return glance >= _PROMISING * max(glances, default=0.0)
        return glance > min(glances)

    def add(self, shot: Shot, portrait: Pixels | None) -> None:
        """Add a shot, and keep its portrait (height, width, 3), RGB, if it is the best one."""
        if portrait is not None and (self.picture is None or shot.quality > self.quality):
            self.picture = encode_jpeg(portrait)
        self.unlike = []
        self._embedded, self._embedded_at = self._embedded + 1, shot.seconds
        self.shots = best_shots([*self.shots, shot.kept()])

    def doubt(self, shot: Shot, *, is_same: bool) -> bool:
        """Note a shot that seems to show somebody else, and return whether these shots suffice for a track.

        They do if they are several that show the same person, with the evidence of a first look. `is_same`: whether
        this one shows the person of the last ones.
        """
        self.unlike = [*(self.unlike if is_same else ()), shot.kept()][-MOST_SHOTS:]
        self._embedded_at = shot.seconds
        return len(self.unlike) > 1 and looks_reached(evidence_of([each.quality for each in self.unlike])) > 0

    def end_doubt(self) -> None:
        """Uncount the frames since the first of the shots that show somebody else, or the last frame without them."""
        if self._before is not None:
            self.frames, self.last_seen = self._before
        self.unlike = []

    def is_due(self) -> bool:
        """Return whether there is enough new evidence for another decision."""
        return looks_reached(evidence_of([each.quality for each in self.shots])) > self._looks

    def report(self, decision: TrackDecision, *, is_last: bool = False) -> Sighting | None:
        """Return the sighting of a decision, or None if it is not a new one, or not certain enough yet."""
        if not decision.is_poor:
            self._looks = looks_reached(evidence_of([each.quality for each in self.shots]))
        sighting = self._sighting(decision)
        if not is_last and not self._is_firm(sighting, decision):
            return None
        if decision.is_poor and self.frames < _LEAST_FRAMES and sighting.verdict is SightingVerdict.UNKNOWN:
            return None
        if self._reported is not None and _content(self._reported) == _content(sighting):
            return None
        self._reported = sighting
        return sighting

    def _is_firm(self, sighting: Sighting, decision: TrackDecision) -> bool:
        if sighting.verdict in {SightingVerdict.MATCH, SightingVerdict.ATTACK}:
            return True
        return self._looks >= _FIRM_LOOK and not decision.is_poor

    def _sighting(self, decision: TrackDecision) -> Sighting:
        verdict = SightingVerdict.ATTACK if decision.is_attack else _VERDICTS[decision.outcome]
        candidate = decision.candidate
        person = candidate if verdict in {SightingVerdict.MATCH, SightingVerdict.POSSIBLE} else None
        return Sighting(
            camera=self.camera,
            track_id=self.track_id,
            collection=self.collection,
            verdict=verdict,
            identity_id=None if person is None else person.identity_id,
            name=None if person is None else person.name,
            similarity=None if candidate is None else candidate.similarity,
            fpir=decision.fpir,
            liveness=decision.liveness,
            quality=self.quality,
            frames=self.frames,
            first_seen=self.first_seen,
            last_seen=self.last_seen,
            is_revised=self._reported is not None,
            best_shot=self.picture,
        )


def _content(sighting: Sighting) -> tuple[SightingVerdict, str | None, bool]:
    """Return what makes two decisions different."""
    return sighting.verdict, sighting.identity_id, sighting.liveness == "attack"
