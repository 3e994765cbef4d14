"""Worth of the mean embedding and of the feature norm: misses of an open-set search, one photo against one.

    arcid evaluate identification --images LFW/images --flip --out report/ --save-embeddings embeddings.npz
    python -m benchmarks.scoring embeddings.npz

People with two photos or more are enrolled with a random one; their other photos are searched, and the photos of
everybody else are strangers. The scoring of each half of the people was fitted to the other half. Intervals come from
resampled people; the threshold is chosen again for each of them.
"""

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.recognition.decisions.scoring import AS_STORED, Scoring
from app.types import Floats

_FPIR = 0.01
_ROUNDS = 20
_RESAMPLES = 200


class Faces:
    """Saved embeddings: unit vectors (n, d), norms (n,) and the numbers of their people (n,)."""

    def __init__(self, file: Path) -> None:
        saved = np.load(file)
        raw = saved["embeddings"]
        self.units: Floats = raw / np.linalg.norm(raw, axis=1, keepdims=True)
        self.norms: Floats = saved["norms"]
        _, self.person = np.unique([Path(each).parent.name for each in saved["files"].tolist()], return_inverse=True)
        self.photos = np.bincount(self.person)
        self.is_first_half = (np.random.default_rng(5).random(len(self.photos)) < 0.5)[self.person]

    def scored(self, *, has_norms: bool) -> Floats:
        """Return the vectors, each half by the scoring of the other half."""
        vectors = np.empty_like(self.units)
        for half in (self.is_first_half, ~self.is_first_half):
            scoring = Scoring.fitted(self.units[~half], self.norms[~half], self.person[~half])
            vectors[half] = scoring.vectors(self.units[half], self.norms[half] if has_norms else None)
        return vectors


def searched(faces: Faces, vectors: Floats, rng: np.random.Generator) -> tuple[Floats, Floats, NDArray[np.intp]]:
    """Return the best similarity of each stranger, of each probe's mate if it is the best (else -1), and its person."""
    order = rng.permutation(len(vectors))
    _, first = np.unique(faces.person[order], return_index=True)
    is_several = faces.photos > 1
    gallery = order[first][is_several]
    probes = np.setdiff1d(np.flatnonzero(is_several[faces.person]), gallery)
    strangers = np.flatnonzero(~is_several[faces.person])
    mates = np.searchsorted(faces.person[gallery], faces.person[probes])
    similarities = vectors[probes] @ vectors[gallery].T
    is_best = similarities.argmax(axis=1) == mates
    own = np.where(is_best, similarities[np.arange(len(probes)), mates], -1)
    return (vectors[strangers] @ vectors[gallery].T).max(axis=1), own, faces.person[probes]


def misses(faces: Faces, vectors: Floats) -> NDArray[np.float64]:
    """Return the FNIR at FPIR 1 % of the people and of each resampling of them (resamples + 1,)."""
    rng, draws = np.random.default_rng(0), np.random.default_rng(1)
    people = len(faces.photos)
    weights = [
        np.ones(people),
        *(np.bincount(draws.integers(people, size=people), minlength=people) for _ in range(_RESAMPLES)),
    ]
    rates = np.zeros(len(weights))
    strangers_of = faces.person[np.flatnonzero(~(faces.photos > 1)[faces.person])]
    for _ in range(_ROUNDS):
        strangers, own, persons = searched(faces, vectors, rng)
        order = np.argsort(-strangers)
        for number, weight in enumerate(weights):
            counted = np.cumsum(weight[strangers_of[order]])
            threshold = strangers[order[np.searchsorted(counted, _FPIR * counted[-1])]]
            rates[number] += np.average(own < threshold, weights=weight[persons]) / _ROUNDS
    return rates


def main() -> None:
    """Read the options, measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("embeddings", type=Path)
    faces = Faces(parser.parse_args().embeddings)
    ways = {
        "cosine of the embeddings": AS_STORED.vectors(faces.units),
        "without the mean": faces.scored(has_norms=False),
        "without the mean, by norm": faces.scored(has_norms=True),
    }
    rates = {way: misses(faces, vectors) for way, vectors in ways.items()}
    print("FNIR at FPIR 1 %, and the difference to the cosine, with 95 % intervals by person")
    for way, found in rates.items():
        difference = found - rates["cosine of the embeddings"]
        figures = (
            f"{100 * each[0]:5.2f} [{', '.join(f'{100 * q:.2f}' for q in np.quantile(each[1:], [0.025, 0.975]))}]"
            for each in (found, difference)
        )
        print(f"{way:<28}", "   ".join(figures))


if __name__ == "__main__":
    main()
