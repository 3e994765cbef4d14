"""Accuracy of the contestants of `benchmarks/peers.py` on the same pairs of photos."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from peer_processes import Running

from app.evaluation.bootstrap import Estimate, estimates, pair_weights
from app.evaluation.values import Bools, Doubles, Ints, Pairs, number_names
from app.evaluation.verification import cross_validate

FMR = 1e-3
_SAVED_EVERY = 100  # photos
_REPLICATES = 500
_SEED = 16


@dataclass(frozen=True, slots=True)
class Accuracy:
    """The figures of a contestant: accuracy of the pairs, TMR at an FMR of 1e-3 over all pairs of their photos."""

    pairs: Estimate
    tmr: Estimate
    undetected: int
    photos: int


def embed(running: Callable[[], Running], pairs: Pairs, cached: Path, advance: Callable[[int, int], None]) -> Doubles:
    """Return one embedding for each photo of the pairs (n, d): that of its main face; NaN without a face.

    Embeddings are kept in a file, so that an interrupted run continues.
    """
    found: dict[str, Doubles] = {}
    if cached.exists():
        with np.load(cached) as stored:
            found = dict(zip(stored["names"].tolist(), stored["rows"], strict=True))
    missing = [photo for photo in pairs.photos if photo.name not in found]
    peer = running() if missing else None
    for place, photo in enumerate(missing, 1):
        if peer is not None and isinstance(photo.source, Path):
            found[photo.name] = _main_vector(*peer.vectors(photo.source))
        if place % _SAVED_EVERY == 0 or place == len(missing):
            _save(found, cached)
            advance(place, len(missing))
    return _stacked([found[photo.name] for photo in pairs.photos])


def sample(pairs: Pairs, count: int) -> Pairs:
    """Return a sample of about `count` pairs, drawn with a fixed seed: equally many of each fold and kind."""
    generator = np.random.default_rng(_SEED)
    groups = [(fold, is_same) for fold in np.unique(pairs.folds) for is_same in (True, False)]
    drawn = [
        generator.permutation(np.flatnonzero((pairs.folds == fold) & (pairs.is_same == is_same)))[
            : count // len(groups)
        ]
        for fold, is_same in groups
    ]
    chosen = np.sort(np.concatenate(drawn))
    shown, places = np.unique(pairs.places[chosen], return_inverse=True)
    photos = tuple(pairs.photos[place] for place in shown)
    return Pairs(photos, places.reshape(-1, 2).astype(np.intp), pairs.is_same[chosen], pairs.folds[chosen])


def accuracy(vectors: Doubles, pairs: Pairs, *, is_by_distance: bool) -> Accuracy:
    """Return the figures of embeddings (n, d) of the photos; a photo without a face is an error."""
    people = number_names([photo.person for photo in pairs.photos])
    similarities = _compared(vectors, pairs.places, is_by_distance=is_by_distance)
    first, second = people[pairs.places].T
    tmr = _tmr(vectors, people, is_by_distance=is_by_distance)

    def figures(multiplicities: Doubles) -> dict[str, float]:
        weights = pair_weights(multiplicities, first, second)
        accepted = cross_validate(similarities, pairs.is_same, pairs.folds, weights).mean
        return {"pairs": accepted, "tmr": tmr(multiplicities)}

    found = estimates(figures, people=int(people.max()) + 1, replicates=_REPLICATES)
    undetected = int(np.isnan(vectors[:, 0]).sum())
    return Accuracy(found["pairs"], found["tmr"], undetected, len(vectors))


def _tmr(vectors: Doubles, people: Ints, *, is_by_distance: bool) -> Callable[[Doubles], float]:
    """Return a function: multiplicities of the people -> TMR at the threshold that FMR of all impostor pairs reach."""
    first, second = np.triu_indices(len(people), 1)
    is_same = people[first] == people[second]
    places = np.stack([first[is_same], second[is_same]], axis=1)
    genuine = _compared(vectors, places, is_by_distance=is_by_distance)
    impostor = _similarities(vectors, is_by_distance=is_by_distance)[first[~is_same], second[~is_same]]
    threshold = float(np.quantile(impostor[np.isfinite(impostor)], 1 - FMR))
    is_accepted: Bools = genuine >= threshold  # NaN, without a face, is never accepted
    owners = people[places[:, 0]]

    def rate(multiplicities: Doubles) -> float:
        weights = multiplicities[owners]
        return float(weights[is_accepted].sum() / weights.sum())

    return rate


def _similarities(vectors: Doubles, *, is_by_distance: bool) -> Doubles:
    """Return those of all photos (n, n): dot products, or negative Euclidean distances."""
    products: Doubles = vectors @ vectors.T
    if not is_by_distance:
        return products
    squares = np.diagonal(products)
    return -np.sqrt(np.maximum(squares[:, None] + squares - 2 * products, 0))


def _compared(vectors: Doubles, places: Ints, *, is_by_distance: bool) -> Doubles:
    first, second = vectors[places[:, 0]], vectors[places[:, 1]]
    compared: Doubles = -np.linalg.norm(first - second, axis=1) if is_by_distance else (first * second).sum(axis=1)
    return compared


def _main_vector(boxes: list[list[float]], vectors: list[list[float]]) -> Doubles:
    """Return the embedding of the largest face, the same rule for everybody; NaN (1,) without a face."""
    if not boxes:
        return np.full(1, np.nan)
    sizes = [(right - left) * (bottom - top) for left, top, right, bottom in boxes]
    return np.array(vectors[int(np.argmax(sizes))])


def _stacked(rows: list[Doubles]) -> Doubles:
    length = max(len(row) for row in rows)
    return np.stack([row if len(row) == length else np.full(length, np.nan) for row in rows])


def _save(found: dict[str, Doubles], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part.npz")
    np.savez(unfinished, names=np.array(list(found)), rows=_stacked(list(found.values())))
    unfinished.replace(path)
