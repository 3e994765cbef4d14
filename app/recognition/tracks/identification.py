"""Identification of tracks: find faces in frames, embed chosen ones, and decide once on all of a track."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.errors import ModelMismatch
from app.gallery.gallery import Gallery
from app.recognition.analysis import AnalysisOf
from app.recognition.decisions.matching import template_of
from app.recognition.decisions.policy import Outcome, PolicyOf
from app.recognition.identification import IdentificationService, IdentifiedFace
from app.recognition.identity_consistency import ConsistencyRule, least_similarity
from app.recognition.liveness.decisions import is_attack
from app.recognition.liveness.gate import LivenessGate
from app.recognition.tracks.looks import INDEPENDENT_LOOKS
from app.recognition.tracks.shots import Shot
from app.statistics.counts import Operation
from app.types import Candidate, Detection, LivenessMode
from app.vision.alignment import align
from app.vision.imaging.decode import Image
from app.vision.quality import judge, measure


@dataclass(frozen=True, slots=True)
class FrameFaces:
    """The faces of a frame, best first. One with a score below `certain` may continue a track, but not start one."""

    detections: Sequence[Detection]
    certain: float


@dataclass(frozen=True, slots=True)
class TrackDecision:
    """The decision on a track: outcome, first candidate, the chance that a stranger's track reaches its similarity.

    `is_attack`: the collection refuses presentation attacks, and this is one. `liveness` is the verdict on all shots,
    if it was checked. `is_poor`: no shot has the collection's minimum quality.
    """

    outcome: Outcome
    candidate: Candidate | None
    fpir: float | None
    liveness: str | None
    is_attack: bool
    is_poor: bool


class TrackIdentification:
    """Detects, embeds and decides for tracks. It holds no state of a track, so concurrent calls are safe."""

    def __init__(
        self,
        analysis_of: AnalysisOf,
        gallery: Gallery,
        policy_of: PolicyOf,
        identification: IdentificationService,
        gate: LivenessGate | None = None,
    ) -> None:
        """`identification` decides. `gate` decides whether shots need evidence of their liveness."""
        self._analysis_of = analysis_of
        self._gallery = gallery
        self._policy_of = policy_of
        self._identification = identification
        self._gate = gate or LivenessGate()

    def detect(self, frame: Image, collection: str) -> FrameFaces:
        """Find the faces of a frame that was not reduced; raises CollectionUnknown and ModelMismatch."""
        analysis = self._analysis_of(self._gallery.require(collection))
        return FrameFaces(analysis.detect_in_frame(frame), analysis.frames.certain)

    def glance(self, frame: Image, detections: Sequence[Detection]) -> list[float]:
        """Return the quality of each face (0..1), as far as it can be measured without a network."""
        if not detections:
            return []
        crops = align(frame.pixels, np.array([each.landmarks for each in detections], np.float32))
        measures = [measure(crop, each.landmarks) for crop, each in zip(crops, detections, strict=True)]
        return [judge(each, 0.0, None).score for each in measures]

    def embed(self, frame: Image, detections: Sequence[Detection], collection: str, *, seconds: float) -> list[Shot]:
        """Return a shot of each face of a frame; raises the errors of `detect` and of `LivenessGate.check`."""
        if not detections:
            return []
        target = self._gallery.require(collection)
        policy = self._policy_of(target).for_probes()
        faces = self._analysis_of(target).embed_in_frame(
            frame,
            detections,
            is_flip_averaged=target.settings.is_flip_averaged,
            has_liveness=self._gate.check(target, Operation.IDENTIFY).is_on,
        )
        return [
            Shot(face, policy.quality(face).score, judge(face.measures, 0.0, None).score, seconds, target.model)
            for face in faces
        ]

    def likeness(self, shot: Shot, shots: Sequence[Shot], collection: str, *, rule: ConsistencyRule) -> float | None:
        """Return the similarity of a shot to a track's shots, minus the least similarity for one person.

        The rule sets that least similarity. A negative result means another person. Return None if all of the track's
        shots are from another network.
        """
        others = [each for each in shots if each.model == shot.model]
        if not others:
            return None
        policy = self._policy_of(self._gallery.require(collection))
        vectors = np.stack([policy.vector(each.face) for each in others])
        qualities = np.array([each.quality for each in others], np.float32)
        similarity = float(policy.vector(shot.face) @ template_of(vectors, qualities))
        return similarity - least_similarity(policy, len(others), rule)

    def decide(self, shots: Sequence[Shot], collection: str) -> TrackDecision | None:
        """Decide on a track by its shots, fused to one probe.

        Return None if all shots are from a network that the collection no longer uses. Raises the errors of `embed`.
        """
        model = self._gallery.require(collection).model
        faces = [each.face for each in shots if each.model == model]
        if not faces:
            return None
        try:
            found = self._identification.identify_track(
                faces, collection=collection, model=model, top_k=1, looks=INDEPENDENT_LOOKS, is_exact=False
            )
        except ModelMismatch:  # the collection moved while this ran
            return None
        return _decision(found.faces[0], is_enforced=self._is_enforced(collection))

    def _is_enforced(self, collection: str) -> bool:
        return self._gallery.require(collection).settings.liveness is LivenessMode.ENFORCE


def _decision(face: IdentifiedFace, *, is_enforced: bool) -> TrackDecision:
    candidate = face.candidates[0] if face.candidates else None
    return TrackDecision(
        face.verdict,
        candidate,
        face.rates[0].fpir.value if face.rates else None,
        None if face.liveness is None else face.liveness.verdict.value,
        is_attack=is_enforced and is_attack(face.liveness),
        is_poor=face.is_poor,
    )
