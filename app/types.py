"""Frozen values that several rooms use. Nothing writes to the arrays inside."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, Literal, NewType, TypeVar

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
"""Any float32 array; the docstring of each function states the shape."""

Pixels = NDArray[np.uint8]
"""Colour images: RGB, uint8, 0..255, shape (height, width, 3) or (n, height, width, 3)."""

Keys = NDArray[np.int64]
"""Keys of faces in the database and in the index, shape (n,)."""

CollectionKey = NewType("CollectionKey", int)
"""Key of a collection in the database, unlike its name; the same holds for the next three."""
IdentityKey = NewType("IdentityKey", int)
FaceKey = NewType("FaceKey", int)
JobKey = NewType("JobKey", int)

CommercialUse = Literal["yes", "no", "unverified"]
"""Whether a network may be used commercially."""

RateRange = tuple[float, float]
"""Least and highest value that an error rate may have, 0..1."""

Box = tuple[float, float, float, float]
"""Left, top, right, bottom (xyxy) in pixels of the photo; may extend beyond its edges."""


class IndexKind(StrEnum):
    """Index engine of a collection."""

    AUTO = "auto"
    EXACT = "exact"
    COMPRESSED = "compressed"
    GPU = "gpu"
    MILVUS = "milvus"


class Impostors(StrEnum):
    """Impostors that error rates are about: `any` other person, or those of the same sex and origin (`similar`)."""

    ANY = "any"
    SIMILAR = "similar"


class LivenessMode(StrEnum):
    """How verdicts on liveness are used: not made (`off`), only answered (`observe`), or part of decisions (`enforce`).

    Each mode is stricter than the one before it.
    """

    OFF = "off"
    OBSERVE = "observe"
    ENFORCE = "enforce"

    def is_below(self, other: "LivenessMode") -> bool:
        """Return whether this mode is less strict than another one."""
        modes = list(LivenessMode)
        return modes.index(self) < modes.index(other)


class ReviewMode(StrEnum):
    """Which verdicts people review: none (`off`), only `possible` ones, or also matches (`all_matches`)."""

    OFF = "off"
    POSSIBLE = "possible"
    ALL_MATCHES = "all_matches"


class Provider(StrEnum):
    """Execution provider of networks. `auto` selects the best one that works."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"
    TENSORRT = "tensorrt"
    OPENVINO = "openvino"
    COREML = "coreml"


class Effort(StrEnum):
    """How much work a probe gets. Enrolled photos always get that of `accurate`.

    `fast`: the finder's landmarks, one embedding. `balanced`: the landmarker's on a small view, one embedding.
    `accurate`: the landmarker's on a large view, and the mirror image if the collection is flip-averaged.
    """

    FAST = "fast"
    BALANCED = "balanced"
    ACCURATE = "accurate"


class Attribute(StrEnum):
    """An attribute of a face that a request can ask for."""

    AGE = "age"
    GENDER = "gender"
    POSE = "pose"
    MASK = "mask"
    EYES = "eyes"


@dataclass(frozen=True, slots=True)
class Detection:
    """One face found in a photo: box, score in 0..1 and five landmarks.

    `landmarks` has shape (5, 2), x and y in pixels of the photo, in the order left eye, right eye, nose tip, left
    corner of the mouth, right corner (left and right as the viewer sees them).
    """

    box: Box
    score: float
    landmarks: Floats

    def scaled(self, factor: float) -> "Detection":
        """Return the same face in a photo `factor` times as large."""
        left, top, right, bottom = self.box
        box = (left * factor, top * factor, right * factor, bottom * factor)
        return Detection(box, self.score, self.landmarks * np.float32(factor))


@dataclass(frozen=True, slots=True)
class Candidate:
    """An enrolled identity that a probe resembles: similarity (cosine, -1..1) to its template of `faces` faces.

    `face_id` is the face of the identity that is nearest to the probe.
    """

    identity_id: str
    name: str | None
    face_id: str
    similarity: float
    faces: int = 1


@dataclass(frozen=True, slots=True)
class ImpostorMoments:
    """Mean and standard deviation of the similarities of different people, each person with the same weight.

    `count` is the number of people behind them; of probes (old ones count less) for the pairs of probe and gallery.
    """

    mean: float
    deviation: float
    count: float


Record = TypeVar("Record")


@dataclass(frozen=True, slots=True)
class Page(Generic[Record]):
    """A part of a listing; `after` is the last key on it, None on the last page."""

    items: list[Record]
    after: int | None
