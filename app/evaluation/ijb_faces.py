"""Embedding of the faces of a template set: photos with known landmarks, many at a time."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from app.errors import EvaluationInvalid, PhotoRefused
from app.evaluation.ijb_lists import TemplateSet
from app.evaluation.values import Advance
from app.types import Floats, Pixels
from app.vision.alignment import align
from app.vision.imaging.decode import Limits, decode

_BATCH = 64

EmbedCrops = Callable[[Pixels], tuple[Floats, Floats]]
"""Crops (n, 112, 112, 3), RGB uint8 -> vectors (n, d) whose dot products are similarities, and norms (n,)."""


@dataclass(frozen=True, slots=True)
class TemplateFaces:
    """Vectors (n, d) and norms (n,) of faces, NaN for photos that were refused; `failures` has their error codes."""

    vectors: Floats
    norms: Floats
    failures: dict[int, str]

    def weighted(self, scores: Floats, *, by_norm: bool, by_score: bool) -> Floats:
        """Return the vectors (n, d), multiplied by their norms and by the detector's scores (n,), if requested."""
        weights = np.ones(len(self.vectors), np.float32)
        for factors, is_used in ((self.norms, by_norm), (scores, by_score)):
            weights = weights * factors if is_used else weights
        return self.vectors * weights[:, None]


def check_photos(faces: TemplateSet, images: Path) -> None:
    """Raise EvaluationInvalid if a folder lacks a photo, before hours of embedding."""
    missing = [name for name in faces.names if not (images / name).is_file()]
    if missing:
        raise EvaluationInvalid(f"{images} lacks {len(missing):,} of the photos, for example {missing[0]}")


def embed_faces(
    faces: TemplateSet,
    images: Path,
    embed: EmbedCrops,
    *,
    limits: Limits,
    threads: int,
    advance: Advance = lambda _: None,
) -> TemplateFaces:
    """Decode, align and embed the faces of a set; raises EvaluationInvalid if none of the photos can be decoded."""
    failures: dict[int, str] = {}
    parts: list[tuple[Sequence[int], Floats, Floats]] = []

    def crop(index: int) -> Pixels | str:
        try:
            pixels = decode((images / faces.names[index]).read_bytes(), limits).pixels
        except PhotoRefused as error:
            return error.code
        cropped: Pixels = align(pixels, faces.landmarks[index][None])[0]
        return cropped

    with ThreadPoolExecutor(threads) as pool:
        for batch in _batches(len(faces.names)):
            crops = dict(zip(batch, pool.map(crop, batch), strict=True))
            failures |= {index: code for index, code in crops.items() if isinstance(code, str)}
            usable = {index: pixels for index, pixels in crops.items() if not isinstance(pixels, str)}
            if usable:
                parts.append((list(usable), *embed(np.stack(list(usable.values())))))
            advance(len(batch))
    if not parts:
        raise EvaluationInvalid(f"none of the {len(faces.names):,} photos can be decoded")
    vectors = np.full((len(faces.names), parts[0][1].shape[1]), np.nan, np.float32)
    norms = np.full(len(faces.names), np.nan, np.float32)
    for indices, rows, lengths in parts:
        vectors[indices], norms[indices] = rows, lengths
    return TemplateFaces(vectors, norms, failures)


def _batches(count: int) -> Iterator[range]:
    return (range(start, min(start + _BATCH, count)) for start in range(0, count, _BATCH))
