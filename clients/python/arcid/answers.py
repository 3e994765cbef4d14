"""What recognition answers. The names are the API's; a `similarity` is a cosine, -1 to 1, higher is closer.

`fmr` is the share of other people who are at least as similar, `fpir` the chance that a stranger is as similar to
anyone in a gallery of this size; both are None while the network is not calibrated.
"""

from dataclasses import dataclass
from typing import Literal

from arcid.reading import Value

Box = tuple[float, float, float, float]
"""Left, top, right, bottom in pixels of the upright photo."""
Landmarks = tuple[tuple[float, float], ...]
"""Left eye, right eye, nose tip, left and right corner of the mouth, as the viewer sees them: (x, y) in pixels."""


@dataclass(frozen=True, slots=True)
class Quality(Value):
    """How usable a face is: `score` from 0 (useless) to 1, and what is wrong, such as `blurred`."""

    score: float
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EnrolledFace(Value):
    """A face that is in the gallery now; `photo` says which of the request, from 0."""

    face_id: str
    photo: int
    box: Box
    detection_score: float
    quality: Quality | None = None


@dataclass(frozen=True, slots=True)
class RejectedPhoto(Value):
    """A photo that was refused; `code` is stable, as in errors."""

    photo: int
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Duplicate(Value):
    """Somebody else whom the faces of the request look like: `face_id` is the nearest of their `faces`."""

    photo: int
    identity_id: str
    face_id: str
    faces: int
    similarity: float
    fpir: float | None


@dataclass(frozen=True, slots=True)
class Mismatch(Value):
    """A photo whose face does not look like the other `faces` of its identity, or of the request.

    `similarity` and `fmr` are None without scope `manage`.
    """

    photo: int
    similarity: float | None
    faces: int
    fmr: float | None


@dataclass(frozen=True, slots=True)
class EnrollAnswer(Value):
    """What became of each photo, whom else the faces look like, and which of them look like nobody's."""

    identity_id: str
    faces: tuple[EnrolledFace, ...]
    rejected: tuple[RejectedPhoto, ...]
    duplicates: tuple[Duplicate, ...]
    mismatches: tuple[Mismatch, ...]
    faces_truncated: bool = False


@dataclass(frozen=True, slots=True)
class Face(Value):
    """A detected face, and how usable it is."""

    box: Box
    landmarks: Landmarks
    detection_score: float
    quality: Quality


@dataclass(frozen=True, slots=True)
class ReferenceFace(Value):
    """What a probe was compared with: a face of the reference photo, or the template of an identity's `faces`."""

    box: Box | None = None
    landmarks: Landmarks | None = None
    detection_score: float | None = None
    quality: Quality | None = None
    face_id: str | None = None
    faces: int = 1


@dataclass(frozen=True, slots=True)
class VerifyAnswer(Value):
    """The decision on one pair; with `low_quality` the probe is too poor for more than `possible`.

    `similarity` is None if it is below what the key sees: without scope `manage`, below the collection's doubt range.
    """

    verdict: Literal["match", "possible", "no_match"]
    similarity: float | None
    threshold: float
    fmr: float | None
    low_quality: bool
    probe_face: Face
    reference_face: ReferenceFace
    model: str


@dataclass(frozen=True, slots=True)
class Candidate(Value):
    """An identity: `similarity` is to the template of its `faces`, `face_id` the one nearest to the probe."""

    identity_id: str
    name: str | None
    face_id: str
    faces: int
    similarity: float
    fmr: float | None
    fpir: float | None


@dataclass(frozen=True, slots=True)
class IdentifiedFace(Face):
    """A face of a photo: `match` says that `candidates[0]` is this person, `margin` how far ahead of the second."""

    verdict: Literal["match", "possible", "unknown"]
    low_quality: bool
    margin: float | None
    candidates: tuple[Candidate, ...]


@dataclass(frozen=True, slots=True)
class IdentifyAnswer(Value):
    """Every face of the photo, the most prominent first."""

    faces: tuple[IdentifiedFace, ...]
    threshold: float
    model: str
    faces_truncated: bool = False


@dataclass(frozen=True, slots=True)
class DetectAnswer(Value):
    """Every face of the photo, the most prominent first."""

    faces: tuple[Face, ...]
    faces_truncated: bool = False


@dataclass(frozen=True, slots=True)
class EmbeddedFace(Face):
    """A face with its `embedding` (of length 1) and the `norm` of the network's feature before that."""

    embedding: tuple[float, ...]
    norm: float


@dataclass(frozen=True, slots=True)
class EmbedAnswer(Value):
    """Every face of the photo, the most prominent first; embeddings compare only with those made the same way."""

    faces: tuple[EmbeddedFace, ...]
    model: str
    dimension: int
    flip: bool
    faces_truncated: bool = False


@dataclass(frozen=True, slots=True)
class SearchAnswer(Value):
    """The people whom an embedding resembles, best first: `match` says that the first one is this person."""

    verdict: Literal["match", "possible", "unknown"]
    margin: float | None
    candidates: tuple[Candidate, ...]
    threshold: float
    model: str


@dataclass(frozen=True, slots=True)
class Point(Value):
    """What a threshold at this similarity would let through."""

    similarity: float
    fmr: float
    fpir: float


@dataclass(frozen=True, slots=True)
class Rule(Value):
    """What decides where a request says nothing; between `doubt_from` and `doubt_to` a match is `possible`."""

    threshold: float
    doubt_from: float
    doubt_to: float


@dataclass(frozen=True, slots=True)
class CalibrationAnswer(Value):
    """The error rates of a collection's network, for its gallery as large as it is; no `points` without calibration."""

    collection: str
    model: str
    identities: int
    faces: int
    points: tuple[Point, ...]
    identification: Rule
    verification: Rule
