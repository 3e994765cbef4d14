"""Comparison of an embedding network with the one that it replaces, on faces that neither was trained on."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from app.errors import EvaluationInvalid
from app.evaluation.paired import PairedRates, compare_tmr
from app.evaluation.values import Advance
from app.training.data.source import CropSource
from app.types import Floats
from app.vision.embedding import Embedder, Preprocessing
from app.vision.inference.runtime import Runtime
from app.vision.inference.session import Session
from app.vision.inference.timing import time_ratio

MOST_PHOTOS = 5_000  # their pairs take 100 MB
MOST_OF_A_PERSON = 10
_BATCH = 16
_TIMED = 16  # crops


@dataclass(frozen=True, slots=True)
class ComparedNetwork:
    """A network in a comparison: its name, the size of its file in bytes, and its embedder."""

    name: str
    size: int
    embedder: Embedder

    @classmethod
    def opened(cls, name: str, network: bytes, preprocessing: Preprocessing, runtime: Runtime) -> Self:
        """Open an ONNX network; raises NetworkInvalid if it cannot be opened."""
        return cls(name, len(network), Embedder(Session(network, runtime), preprocessing))


@dataclass(frozen=True, slots=True)
class NetworkComparison:
    """Result: CPU time of the new network / that of the old one, and rates (None without named people)."""

    old: ComparedNetwork
    new: ComparedNetwork
    time_ratio: float
    rates: PairedRates | None
    people: int
    photos: int


def compare_networks(
    old: ComparedNetwork, new: ComparedNetwork, source: CropSource, advance: Advance = lambda _: None
) -> NetworkComparison:
    """Compare two networks on the same crops. At most 10 photos of a person and 5,000 in all give the rates."""
    places = first_of_each(source)
    people = np.asarray(source.labels, np.intp)[places]
    sample = np.stack([source.crop(place) for place in places[:_TIMED]])
    ratio = time_ratio(old.embedder.embed, new.embedder.embed, list(sample[:, None]))
    rates = None
    if len(places) > len(set(people.tolist())):
        before, after = (embed_places(each.embedder, source, places, advance) for each in (old, new))
        try:
            rates = compare_tmr(before, after, np.unique(people, return_inverse=True)[1])
        except EvaluationInvalid:  # one person alone
            rates = None
    return NetworkComparison(old, new, ratio, rates, len(set(people.tolist())), len(places))


def first_of_each(source: CropSource, most: int = MOST_OF_A_PERSON) -> list[int]:
    """Return the indices of the first `most` photos of each person, and of 5,000 photos at most."""
    seen: Counter[int] = Counter()
    places = []
    for place, person in enumerate(source.labels.tolist()):
        seen[person] += 1
        if seen[person] <= most:
            places.append(place)
    return places[:MOST_PHOTOS]


def embed_places(
    embedder: Embedder, source: CropSource, places: Sequence[int], advance: Advance = lambda _: None
) -> Floats:
    """Return the flip-averaged unit vectors (n, d) of the crops at these indices."""
    parts = []
    for start in range(0, len(places), _BATCH):
        crops = np.stack([source.crop(place) for place in places[start : start + _BATCH]])
        parts.append(embedder.embed(crops, is_flip_averaged=True).vectors)
        advance(len(crops))
    return np.concatenate(parts)
