"""Probes: one person's face from one or more photos."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import numpy as np

from app.errors import FaceMismatch, LowQuality, NoFace, PhotoRefused
from app.recognition.analysis import Analysis, Face
from app.recognition.decisions.calibration.templates import independent_faces
from app.recognition.decisions.policy import Outcome, Policy
from app.recognition.liveness.decisions import LivenessDecision, is_attack, worst_liveness
from app.recognition.liveness.gate import UNCHECKED, LivenessCheck
from app.recognition.probe_fusion import FusedProbe, fuse, fuse_track
from app.types import Floats
from app.vision.liveness import fused as fused_evidence
from app.vision.quality import Quality


@dataclass(frozen=True, slots=True)
class JudgedFace:
    """A face of a photo, how usable it is, and the decision on its liveness, if that was checked."""

    face: Face
    quality: Quality
    liveness: LivenessDecision | None = None


@dataclass(frozen=True, slots=True)
class ProbePhoto:
    """A photo of a probe (number from 0) and its main face; `code` and `detail` say why it was not used, if so."""

    photo: int
    face: JudgedFace | None
    code: str | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Probe:
    """The face to compare: the template (d,) of `faces` photos, of which `best` has the highest quality.

    `faces` is a fraction if the faces are not independent (`track_probe`).

    `is_poor`: all of them are below the collection's minimum quality. `is_agreed` is False if at most half of the
    photos show the same person. `photos` are all photos, or none if only one was sent.
    The `liveness` of `best` is the decision on all of them.
    """

    vector: Floats
    faces: float
    best: JudgedFace
    is_poor: bool
    is_agreed: bool
    photos: Sequence[ProbePhoto]

    @property
    def liveness(self) -> LivenessDecision | None:
        """The decision on the liveness of all photos; None if it was not checked."""
        return self.best.liveness

    def verdict(self, outcome: Outcome) -> Outcome:
        """Return the verdict for an outcome: a match is only possible if the photos do not agree."""
        return Outcome.POSSIBLE if outcome is Outcome.MATCH and not self.is_agreed else outcome


def main_face(
    photo: bytes,
    role: Literal["probe", "reference"],
    analysis: Analysis,
    policy: Policy,
    *,
    is_flip_averaged: bool,
    check: LivenessCheck = UNCHECKED,
    has_portraits: bool = False,
) -> JudgedFace:
    """Return the main face of a photo, with its portrait if wanted; a reference is embedded like an enrolled photo.

    Raises a PhotoRefused if the photo cannot be used: NoFace names the photo's role.
    """
    faces = analysis.analyse(
        photo,
        is_flip_averaged=is_flip_averaged,
        is_probe=role == "probe",
        most=1,
        has_portraits=has_portraits,
        has_liveness=check.is_on,
    )
    if not faces:
        raise NoFace(f"no face was found in the {role} photo")
    return JudgedFace(faces[0], policy.quality(faces[0]), check.decide(faces[0]))


def read_probe(
    photos: Sequence[bytes | PhotoRefused],
    analysis: Analysis,
    policy: Policy,
    *,
    is_flip_averaged: bool,
    check: LivenessCheck = UNCHECKED,
    has_portraits: bool = False,
) -> Probe:
    """Return the probe of one or more photos of a person: the main face of each, fused (`probe_fusion`).

    A photo that could not be read is passed as its error. Photos that cannot be used are left out. Raises the error of
    the first photo if none can be used. `check` refuses nothing here.
    """
    read = partial(main_face, is_flip_averaged=is_flip_averaged, check=check, has_portraits=has_portraits)
    faces: dict[int, JudgedFace] = {}
    errors: dict[int, PhotoRefused] = {}
    for number, photo in enumerate(photos):
        try:
            if isinstance(photo, PhotoRefused):
                raise photo
            faces[number] = read(photo, "probe", analysis, policy)
        except PhotoRefused as error:
            errors[number] = error
    if not faces:
        raise errors[0]
    numbers = list(faces)
    fused = fuse(*_arrays(list(faces.values()), policy), policy)
    best = _best(list(faces.values()), fused)
    errors |= _left_out(fused, numbers)
    results = [_result(number, faces.get(number), errors.get(number)) for number in range(len(photos))]
    return Probe(
        fused.vector,
        len(fused.used),
        best,
        policy.is_poor(best.quality),
        fused.is_agreed,
        results if len(photos) > 1 else (),
    )


def track_probe(faces: Sequence[Face], policy: Policy, check: LivenessCheck = UNCHECKED) -> Probe:
    """Return the probe of the faces of a track: the best ones (`fuse_track`), fused as those of several photos.

    The faces of a track resemble each other more than photos of other days. So they count as fewer `faces`
    (`independent_faces`). Their liveness is decided once, on the evidence of all of them.
    """
    judged = [JudgedFace(face, policy.quality(face)) for face in faces]
    fused = fuse_track(*_arrays(judged, policy), policy)
    used = [judged[place] for place in fused.used]
    best = max(used, key=lambda each: each.quality.score)
    evidence = fused_evidence([each.liveness for each in faces if each.liveness is not None])
    decision = check.decide(replace(best.face, liveness=evidence))
    return Probe(
        fused.vector,
        independent_faces(*_arrays(used, policy)),
        replace(best, liveness=decision),
        policy.is_poor(best.quality),
        fused.is_agreed,
        (),
    )


def _arrays(faces: Sequence[JudgedFace], policy: Policy) -> tuple[Floats, Floats]:
    """Return the vectors (n, d) and qualities (n,) of faces."""
    vectors = np.stack([policy.vector(each.face) for each in faces])
    return vectors, np.array([each.quality.score for each in faces], np.float32)


def _best(faces: Sequence[JudgedFace], fused: FusedProbe) -> JudgedFace:
    """Return the face of the highest quality that was used, with the worst decision on liveness.

    An attack in any photo counts, any other decision only if the photo was used.
    """
    used: list[JudgedFace] = [faces[place] for place in fused.used]
    attacks = [each for each in faces if is_attack(each.liveness)]
    best = max(used, key=lambda each: each.quality.score)
    return replace(best, liveness=worst_liveness(each.liveness for each in [*used, *attacks] if each.liveness))


def _left_out(fused: FusedProbe, numbers: Sequence[int]) -> dict[int, PhotoRefused]:
    """Return why faces were left out, by the numbers of their photos."""
    poor = LowQuality("the quality of the face is below the collection's minimum for probes")
    mismatch = FaceMismatch("the face does not look like the faces of the other photos")
    return {numbers[place]: poor for place in fused.poor} | {numbers[place]: mismatch for place in fused.mismatched}


def _result(number: int, face: JudgedFace | None, error: PhotoRefused | None) -> ProbePhoto:
    return ProbePhoto(number, face) if error is None else ProbePhoto(number, face, error.code, str(error))
