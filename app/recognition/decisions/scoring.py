"""Scoring: from stored embeddings to the vectors whose dot product is the similarity. Pure.

Embeddings of all faces have a common part, the mean embedding of the network. It makes different people similar, so it
is subtracted. A face with a longer raw feature (a sharp, frontal photo) reaches higher similarities to strangers, too.
Its vector is therefore shortened a little, and that of a low-quality face is lengthened.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.gallery.store.values import EnrolledIdentity
from app.types import Floats

_LEAST_KNOWN: Final = 0.3  # a shorter norm is that of an imported unit vector, not of a photo

# By measurement on LFW, one photo against one: FNIR at FPIR 1 % falls from 2.76 % to 2.42 % by the mean and to 2.05 %
# by both (benchmarks/scoring.py). Exponents from 0.2 to 0.4 give the same.
_NORM_EXPONENT: Final = -0.25
_RELATIVE_NORMS: Final = 0.8, 1.2  # beyond them, lengths stay the same; 98 % of LFW's faces are between them


@dataclass(frozen=True, slots=True)
class Scoring:
    """The network's `mean` embedding (d,) and its typical feature norm; None: vectors stay as they are stored."""

    mean: Floats | None = None
    typical_norm: float | None = None

    @property
    def is_plain(self) -> bool:
        """Whether the similarity is the cosine of the stored embeddings."""
        return self.mean is None

    def vectors(self, embeddings: Floats, norms: Floats | None = None) -> Floats:
        """Return the vectors (n, d) of which dot products are similarities.

        Args:
            embeddings: Unit vectors (n, d), as they are stored.
            norms: Raw feature norms (n,). Without them, the lengths are those of a typical face.
        """
        if self.mean is None:
            return embeddings
        centred = embeddings - self.mean
        lengths = np.maximum(np.linalg.norm(centred, axis=1), np.finfo(np.float32).tiny)
        if norms is not None and self.typical_norm is not None:
            relative = norms / np.float32(self.typical_norm)
            relative = np.where(relative < _LEAST_KNOWN, 1, np.clip(relative, *_RELATIVE_NORMS))
            lengths = lengths / relative**_NORM_EXPONENT
        return np.asarray(centred / lengths[:, None], np.float32)

    @classmethod
    def fitted(cls, embeddings: Floats, norms: Floats, person: NDArray[np.intp]) -> "Scoring":
        """Return the scoring of unit vectors (n, d), their raw norms (n,) and the numbers of their people (n,).

        Every person counts once.
        """
        photos = np.bincount(person)[person].astype(np.float32)
        mean = (embeddings / photos[:, None]).sum(axis=0) / np.float32(len(np.unique(person)))
        return cls(np.asarray(mean, np.float32), float(np.median(norms)))

    def vector(self, embedding: Floats, norm: float | None = None) -> Floats:
        """Return the vector (d,) of one embedding (d,); see `vectors`."""
        norms = None if norm is None else np.array([norm], np.float32)
        return np.asarray(self.vectors(embedding[None], norms)[0], np.float32)

    def identity(self, enrolled: EnrolledIdentity) -> EnrolledIdentity:
        """Return an identity with the vectors of its faces."""
        return enrolled if self.is_plain else replace(enrolled, vectors=self.vectors(enrolled.vectors, enrolled.norms))


AS_STORED: Final = Scoring()
"""The cosine of the stored embeddings."""


def similarity_of(one: Floats, other: Floats) -> float:
    """Return the similarity -1..1 of two vectors (d,) of `Scoring.vectors`."""
    return float(np.clip(one @ other, -1, 1))
