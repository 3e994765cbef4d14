"""Scenes for tests of tracks: frames that name their people, and an identification that reads them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np

from app.recognition.analysis import Face
from app.recognition.decisions.policy import Outcome
from app.recognition.tracks.identification import FrameFaces, TrackDecision
from app.recognition.tracks.shots import Shot
from app.types import Candidate, Detection, Pixels
from app.vision.alignment import ARCFACE_TEMPLATE
from app.vision.quality import Measures

START = datetime(2026, 1, 1, tzinfo=UTC)
SIDE = 40
CERTAIN = 0.6


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def detection(left: float, top: float = 0, *, score: float = 0.9, side: float = SIDE) -> Detection:
    return Detection((left, top, left + side, top + side), score, ARCFACE_TEMPLATE * (side / 112) + (left, top))


@dataclass(frozen=True)
class Appearance:
    """A person in a frame: where their face is, and how good it is."""

    person: str
    left: float
    quality: float = 0.8
    score: float = 0.9
    liveness: str | None = None


@dataclass(frozen=True)
class Scene:
    """A frame with people, or the same pixels as an empty one."""

    people: tuple[Appearance, ...] = ()
    pixels: Pixels = field(default_factory=lambda: np.zeros((60, 400, 3), np.uint8))


def scene(*people: Appearance) -> Scene:
    return Scene(people)


def person_vector(person: str) -> np.ndarray:
    vector = np.random.default_rng(list(person.encode())).normal(size=32)
    return np.asarray(vector / np.linalg.norm(vector), np.float32)


class SceneIdentification:
    """Stands in for `TrackIdentification`: knows the people in `enrolled`, and counts its work."""

    def __init__(self, enrolled: Sequence[str] = (), *, minimum: float = 0.2) -> None:
        self.enrolled = set(enrolled)
        self.detected = self.embedded = self.decided = 0
        self.is_switched = False
        self._minimum = minimum

    def detect(self, frame, _collection):
        self.detected += 1
        return FrameFaces([detection(each.left, score=each.score) for each in frame.people], CERTAIN)

    def glance(self, frame, detections):
        return [_at(frame, each).quality for each in detections]

    def embed(self, frame, detections, _collection, *, seconds):
        self.embedded += len(detections)
        return [_shot(_at(frame, each), each, seconds) for each in detections]

    def likeness(self, shot, shots, _collection, *, rule):  # noqa: ARG002 - as the real one
        return float(shot.face.vector @ np.mean([each.face.vector for each in shots], axis=0)) - 0.5

    def decide(self, shots, _collection):
        self.decided += 1
        if self.is_switched:
            return None
        best = max(shots, key=lambda each: each.quality)
        name = next((each for each in self.enrolled if person_vector(each) @ best.face.vector > 0.9), None)
        is_poor = best.quality < self._minimum
        outcome = Outcome.NO_MATCH if name is None else Outcome.POSSIBLE if is_poor else Outcome.MATCH
        candidate = None if name is None else Candidate(name, name.title(), "face", 0.7)
        is_attack = best.model == "attack"
        return TrackDecision(outcome, candidate, 0.001, "attack" if is_attack else None, is_attack, is_poor)


def _at(frame, found):
    return next(each for each in frame.people if each.left == found.box[0])


def _shot(each: Appearance, found: Detection, seconds: float) -> Shot:
    measures = Measures(SIDE, 0.6, 120, 0, 0)
    face = Face(found, person_vector(each.person), 1.0, measures)
    return Shot(face, each.quality, each.quality, seconds, each.liveness or "network")
