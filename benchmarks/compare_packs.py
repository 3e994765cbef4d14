"""Compare two packs on the same photos, with the difference's interval from a bootstrap of people.

    arcid evaluate identification --images people/ --out report/ --save-embeddings open.npz
    ARCID_PACK=open-plus arcid evaluate identification --images people/ --out report/ --save-embeddings plus.npz
    python benchmarks/compare_packs.py open.npz plus.npz

Prints, for all people or for a half of them (by the hash of their names):
- TMR at a fixed FMR over all pairs; each person with several photos counts once,
- FNIR at FPIR 1 % and the rank-1 errors: one random photo of each person enrolled, another one as the probe, people
  with one photo as strangers; the mean of several draws.

With --parts, prints the weights of a fused pack's networks that the other half suggests: 1 / sd of impostors' cosines.
"""

import argparse
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.evaluation.paired import true_match_rate
from app.types import Floats

REPLICATES, DRAWS = 1000, 10
FMRS = (1e-3, 1e-4)
FPIR = 0.01

Doubles = NDArray[np.float64]
Figure = Callable[[Doubles], float]
"""Multiplicities of the people (p,) -> a figure."""


@dataclass(frozen=True, slots=True)
class Photos:
    """Unit vectors (n, d) of photos and the numbers of their people (n,)."""

    vectors: Floats
    people: NDArray[np.intp]

    def mated(self) -> list[NDArray[np.intp]]:
        """Return the positions of the photos of each person with several."""
        order = np.argsort(self.people, kind="stable")
        groups = np.split(order, np.flatnonzero(np.diff(self.people[order])) + 1)
        return [group for group in groups if len(group) > 1]

    def strangers(self) -> NDArray[np.intp]:
        """Return the positions of the photos of people with one photo."""
        return np.flatnonzero(np.bincount(self.people)[self.people] == 1)


def read(files: list[Path], half: int | None) -> list[Photos]:
    """Read files of `arcid evaluate --save-embeddings`; photos without a face in one of them are left out."""
    saved = [np.load(file) for file in files]
    common = sorted(set.intersection(*(set(each["files"].tolist()) for each in saved)))
    names = [Path(file).parent.name for file in common]
    is_kept = [half is None or hashlib.sha256(name.encode()).digest()[0] % 2 == half for name in names]
    kept = [file for file, wanted in zip(common, is_kept, strict=True) if wanted]
    _, people = np.unique([Path(file).parent.name for file in kept], return_inverse=True)
    photos = []
    for each in saved:
        place = {file: at for at, file in enumerate(each["files"].tolist())}
        raw = each["embeddings"][[place[file] for file in kept]].astype(np.float32)
        photos.append(Photos(raw / np.linalg.norm(raw, axis=1, keepdims=True), people))
    return photos


def centred(photos: Photos, others: Photos) -> Photos:
    """Subtract the mean embedding of other people, of whom each counts once, as the service does."""
    counts = np.bincount(others.people)[others.people]
    mean = (others.vectors / counts[:, None]).sum(axis=0) / (others.people.max() + 1)
    moved = photos.vectors - mean
    return Photos(moved / np.linalg.norm(moved, axis=1, keepdims=True), photos.people)


def verification(photos: Photos) -> list[Figure]:
    """Return the TMR at each of FMRS, as functions of the people's multiplicities."""
    return [true_match_rate(photos.vectors, photos.people, fmr) for fmr in FMRS]


def identification(photos: Photos) -> list[Figure]:
    """Return FNIR at FPIR 1 % and the rank-1 errors, as functions of the people's multiplicities."""
    groups, strangers = photos.mated(), photos.strangers()
    rng = np.random.default_rng(0)
    draws = []
    for _ in range(DRAWS):
        enrolled, probes = np.array([rng.permutation(group)[:2] for group in groups]).T
        scores = photos.vectors[probes] @ photos.vectors[enrolled].T
        genuine = np.diagonal(scores).copy()
        np.fill_diagonal(scores, -1)
        best = (photos.vectors[strangers] @ photos.vectors[enrolled].T).max(axis=1)
        order = np.argsort(-best)
        draws.append((genuine, scores.max(axis=1), best[order], photos.people[strangers[order]]))
    owners = photos.people[[group[0] for group in groups]]

    def errors(multiplicities: Doubles, *, is_open: bool) -> float:
        weights = multiplicities[owners] / multiplicities[owners].sum()
        results = []
        for genuine, other, best, stranger in draws:
            above = np.cumsum(multiplicities[stranger])
            threshold = best[np.searchsorted(above, FPIR * above[-1], side="right")] if is_open else -1.0
            results.append((weights * ((genuine <= threshold) | (genuine <= other))).sum())
        return float(np.mean(results))

    return [lambda each: errors(each, is_open=True), lambda each: errors(each, is_open=False)]


def compare(both: list[Photos]) -> None:
    """Print each figure of both packs, their difference and its 95 % interval."""
    people = int(both[0].people.max()) + 1
    strangers = len(both[0].strangers())
    print(f"{people} people, {len(both[0].people)} photos")
    names = [f"TMR at FMR {fmr:g}" for fmr in FMRS]
    figures = [verification(each) for each in both]
    if strangers:
        names += [f"FNIR at FPIR {FPIR:g}", "rank-1 errors"]
        figures = [each + identification(photos) for each, photos in zip(figures, both, strict=True)]
    drawn = np.random.default_rng(1).multinomial(people, np.full(people, 1 / people), REPLICATES).astype(np.float64)
    for name, first, second in zip(names, *figures, strict=True):
        low, high = np.percentile([second(each) - first(each) for each in drawn], (2.5, 97.5))
        before, after = first(np.ones(people)), second(np.ones(people))
        print(f"{name:<18} {before:8.2%} {after:8.2%}   {after - before:+.2%} [{low:+.2%}, {high:+.2%}]")


def suggest(photos: Photos, sizes: list[int]) -> None:
    """Print the weights of the networks in a fused vector: proportional to 1 / sd of impostors' cosines."""
    is_impostor = photos.people[:, None] != photos.people
    inverse = []
    for part in np.split(photos.vectors, np.cumsum(sizes)[:-1], axis=1):
        unit = part / np.linalg.norm(part, axis=1, keepdims=True)
        inverse.append(1 / (unit @ unit.T)[is_impostor].std())
    print("suggested weights:", ", ".join(f"{each / sum(inverse):.3f}" for each in inverse))


def main() -> None:
    """Read the arguments and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs=2, help="files of --save-embeddings")
    parser.add_argument("--half", type=int, choices=(0, 1), help="only people whose hash is even (0) or odd (1)")
    parser.add_argument("--parts", type=int, nargs="+", help="dimensions of the networks in the second file's vectors")
    parser.add_argument("--mean", action="store_true", help="subtract the mean embedding of the other half, see --half")
    options = parser.parse_args()
    if options.parts:
        other = None if options.half is None else 1 - options.half
        suggest(read(options.files, other)[1], options.parts)
    both = read(options.files, options.half)
    if options.mean:
        others = read(options.files, 1 - options.half)
        both = [centred(photos, other) for photos, other in zip(both, others, strict=True)]
    compare(both)


if __name__ == "__main__":
    main()
