"""Answers of recognition, with the names of the API.

A `similarity` is a cosine from -1 to 1; higher is closer. `fmr` is the share of other people who are at least as
similar. `fpir` is the probability that a stranger is as similar to anyone in a gallery of this size. Neither is stated
below 1e-7. The true rate lies in `fmr_range` or `fpir_range` (95 %); if the first number is 0, only the second one is
known. All four are None if the network is not calibrated.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from arcid.attributes import Attributes
from arcid.parsing import Value

Box = tuple[float, float, float, float]
"""Left, top, right, bottom in pixels of the upright photo."""
RateRange = tuple[float, float]
"""Least and highest value that an error rate may have."""
Landmarks = tuple[tuple[float, float], ...]
"""(x, y) in pixels of left eye, right eye, nose tip, left and right corner of the mouth, from the viewer's side."""


@dataclass(frozen=True, slots=True)
class Quality(Value):
    """Quality of a face: `score` from 0 (useless) to 1, and the reasons for a low one, such as `blurred`.

    `hints` are advice to the person about the reasons. `components` go from 0 to 100 (good); `worst` is the lowest.
    """

    score: float
    reasons: tuple[str, ...]
    hints: tuple[str, ...] = ()
    components: Mapping[str, float] | None = None
    worst: str | None = None


@dataclass(frozen=True, slots=True)
class Liveness(Value):
    """Whether a person is in front of the camera (`live`), or a print or a screen is (`attack`).

    `score` goes from 0 to 1 (live); it is None if the face cannot be judged. `reasons` are signs against a live person,
    such as `regular_pattern`. `calibration` names the thresholds; the error rates of `uncalibrated` ones are not known.
    """

    score: float | None
    verdict: Literal["live", "uncertain", "attack"]
    reasons: tuple[str, ...]
    calibration: str


@dataclass(frozen=True, slots=True)
class EnrolledFace(Value):
    """A newly enrolled face; `photo` is the index of its photo in the request, from 0."""

    face_id: str
    photo: int
    box: Box
    detection_score: float
    quality: Quality | None = None
    liveness: Liveness | None = None


@dataclass(frozen=True, slots=True)
class RejectedPhoto(Value):
    """A rejected photo; `code` is stable, as in errors."""

    photo: int
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Duplicate(Value):
    """Another identity that a face of the request resembles; `face_id` is the most similar of its `faces`."""

    photo: int
    identity_id: str
    face_id: str
    faces: int
    similarity: float
    fpir: float | None
    fpir_range: RateRange | None = None


@dataclass(frozen=True, slots=True)
class Mismatch(Value):
    """A photo whose face does not resemble the other `faces` of its identity or of the request.

    `similarity` and `fmr` are None without scope `manage`.
    """

    photo: int
    similarity: float | None
    faces: int
    fmr: float | None
    fmr_range: RateRange | None = None


@dataclass(frozen=True, slots=True)
class EnrollAnswer(Value):
    """Result of an enrollment: enrolled faces, rejected photos, possible duplicates and mismatches."""

    identity_id: str
    faces: tuple[EnrolledFace, ...]
    rejected: tuple[RejectedPhoto, ...]
    duplicates: tuple[Duplicate, ...]
    mismatches: tuple[Mismatch, ...]
    faces_truncated: bool = False


@dataclass(frozen=True, slots=True)
class Face(Value):
    """A detected face with its quality, and its liveness if that was checked."""

    box: Box
    landmarks: Landmarks
    detection_score: float
    quality: Quality
    liveness: Liveness | None = field(default=None, kw_only=True)


@dataclass(frozen=True, slots=True)
class ReferenceFace(Value):
    """The reference of a comparison: a face of the reference photo, or the template of an identity's `faces`."""

    box: Box | None = None
    landmarks: Landmarks | None = None
    detection_score: float | None = None
    quality: Quality | None = None
    face_id: str | None = None
    faces: int = 1


@dataclass(frozen=True, slots=True)
class AdaptedTo(Value):
    """The collection's own people, to whom a calibration was adapted."""

    version: int
    people: int
    at: datetime


@dataclass(frozen=True, slots=True)
class ReferencePopulation(Value):
    """The people on whom the error rates were measured. The rates are about `impostors`: `any` or `similar` ones."""

    source: str
    people: int
    adapted: AdaptedTo | None
    impostors: str


@dataclass(frozen=True, slots=True)
class ProbePhoto(Value):
    """A photo of a probe, by its index in the request. If it was not `used`, `code` and `detail` say why."""

    photo: int
    used: bool
    face: Face | None
    code: str | None
    detail: str | None


@dataclass(frozen=True, slots=True)
class VerifyAnswer(Value):
    """The decision on one pair. With `low_quality`, the verdict is at most `possible`.

    Without scope `manage`, `similarity` is None if it is below the collection's doubt range.
    """

    verdict: Literal["match", "possible", "no_match"]
    similarity: float | None
    threshold: float
    fmr: float | None
    low_quality: bool
    probe_face: Face
    reference_face: ReferenceFace
    model: str
    fmr_range: RateRange | None = None
    calibration: ReferencePopulation | None = None
    photos: tuple[ProbePhoto, ...] | None = None
    review_id: str | None = None


@dataclass(frozen=True, slots=True)
class Candidate(Value):
    """A candidate identity: `similarity` compares the template of its `faces`; `face_id` is its most similar face."""

    identity_id: str
    name: str | None
    face_id: str
    faces: int
    similarity: float
    fmr: float | None
    fpir: float | None
    fmr_range: RateRange | None = None
    fpir_range: RateRange | None = None


@dataclass(frozen=True, slots=True)
class IdentifiedFace(Face):
    """A face of a photo. With verdict `match`, it is `candidates[0]`; `margin` is its lead over the second one."""

    verdict: Literal["match", "possible", "unknown"]
    low_quality: bool
    margin: float | None
    candidates: tuple[Candidate, ...]
    review_id: str | None = None


@dataclass(frozen=True, slots=True)
class IdentifiedPhoto(Value):
    """One of many photos and its faces. If it cannot be used, `code` and `detail` give the reason."""

    photo: int
    faces: tuple[IdentifiedFace, ...]
    faces_truncated: bool
    code: str | None
    detail: str | None


@dataclass(frozen=True, slots=True)
class IdentifyAnswer(Value):
    """All faces of the photo, the most prominent first; of many photos, `answers` has one entry for each."""

    faces: tuple[IdentifiedFace, ...]
    threshold: float
    model: str
    faces_truncated: bool = False
    calibration: ReferencePopulation | None = None
    photos: tuple[ProbePhoto, ...] | None = None
    answers: tuple[IdentifiedPhoto, ...] | None = None
    remembered: int | None = None


@dataclass(frozen=True, slots=True)
class DetectedFace(Face):
    """A detected face, with the requested attributes."""

    attributes: Attributes | None = None


@dataclass(frozen=True, slots=True)
class DetectedPhoto(Value):
    """One of many photos and its faces. If it cannot be used, `code` and `detail` give the reason."""

    photo: int
    faces: tuple[DetectedFace, ...]
    faces_truncated: bool
    code: str | None
    detail: str | None


@dataclass(frozen=True, slots=True)
class DetectAnswer(Value):
    """All faces of the photo, the most prominent first; of many photos, `answers` has one entry for each."""

    faces: tuple[DetectedFace, ...]
    faces_truncated: bool = False
    answers: tuple[DetectedPhoto, ...] | None = None


@dataclass(frozen=True, slots=True)
class EmbeddedFace(Face):
    """A face with its unit-norm `embedding` and the `norm` of the raw feature."""

    embedding: tuple[float, ...]
    norm: float


@dataclass(frozen=True, slots=True)
class EmbedAnswer(Value):
    """All faces of the photo, the most prominent first. Compare embeddings only if `model` and `flip` are the same."""

    faces: tuple[EmbeddedFace, ...]
    model: str
    dimension: int
    flip: bool
    faces_truncated: bool = False


@dataclass(frozen=True, slots=True)
class SearchAnswer(Value):
    """Candidates for an embedding, most similar first. With verdict `match`, the first candidate is the person."""

    verdict: Literal["match", "possible", "unknown"]
    margin: float | None
    candidates: tuple[Candidate, ...]
    threshold: float
    model: str
    calibration: ReferencePopulation | None = None


@dataclass(frozen=True, slots=True)
class CalibrationPoint(Value):
    """Error rates of a threshold at this similarity; `fitted_fmr` and `fitted_fpir` are those before adaptation."""

    similarity: float
    fmr: float
    fpir: float
    fmr_range: RateRange | None = None
    fpir_range: RateRange | None = None
    fitted_fmr: float | None = None
    fitted_fpir: float | None = None


@dataclass(frozen=True, slots=True)
class CurveMove(Value):
    """How far adaptation moved a curve; the thresholds are those at FMR 1e-4."""

    probes: int
    shift: float
    stretch: float
    threshold_before: float
    threshold_after: float
    is_converged: bool


@dataclass(frozen=True, slots=True)
class DecisionRule(Value):
    """Default decision of requests: `threshold`; similarities from `doubt_from` to `doubt_to` are `possible`."""

    threshold: float
    doubt_from: float
    doubt_to: float


@dataclass(frozen=True, slots=True)
class CalibrationAnswer(Value):
    """Error rates of a collection's network at the current gallery size; `points` is empty without a calibration."""

    collection: str
    model: str
    identities: int
    faces: int
    points: tuple[CalibrationPoint, ...]
    identification: DecisionRule
    verification: DecisionRule
    calibration: ReferencePopulation | None = None
    move: CurveMove | None = None
