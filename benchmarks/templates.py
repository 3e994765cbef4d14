"""Compare three templates for a person with several photos: best face, mean, and quality-weighted mean.

    arcid evaluate identification --images people/ --out report/ --save-embeddings good.npz
    arcid evaluate identification --images people/ --out report/ --save-embeddings poor.npz --degrade
    python benchmarks/templates.py good.npz --poor poor.npz

Galleries contain random photos of the same people, and all rules use the same galleries. Their other photos are the
probes, and people with one photo are the strangers. With --poor, one enrolled photo per person is its degraded copy.
Prints FNIR at FPIR 1 % and rank-1 errors.
"""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.gallery.store.values import EnrolledIdentity
from app.recognition.decisions.matching import template
from app.types import Floats

_FPIR = 0.01

Rule = Callable[[Floats, list[EnrolledIdentity]], Floats]


@dataclass(frozen=True, slots=True)
class Saved:
    """Photos of people: unit vectors (n, d), qualities (n,) and people."""

    files: list[str]
    vectors: Floats
    qualities: Floats

    def of_people(self) -> list[NDArray[np.intp]]:
        """Return the positions of each person's photos."""
        _, person = np.unique([Path(file).parent.name for file in self.files], return_inverse=True)
        return [np.flatnonzero(person == number) for number in range(person.max() + 1)]


def read(file: Path) -> Saved:
    """Read a file of `arcid evaluate --save-embeddings`."""
    saved = np.load(file)
    raw = saved["embeddings"]
    return Saved(saved["files"].tolist(), raw / np.linalg.norm(raw, axis=1, keepdims=True), saved["quality"])


def best_face(probes: Floats, gallery: list[EnrolledIdentity]) -> Floats:
    """Compare with the nearest face of each person."""
    starts = np.cumsum([0, *(len(each.vectors) for each in gallery[:-1])])
    return np.maximum.reduceat(probes @ np.concatenate([each.vectors for each in gallery]).T, starts, axis=1)


def mean(probes: Floats, gallery: list[EnrolledIdentity]) -> Floats:
    """Compare with the mean of each person's faces."""
    means = np.stack([each.vectors.mean(axis=0) for each in gallery])
    return np.asarray(probes @ (means / np.linalg.norm(means, axis=1, keepdims=True)).T, np.float32)


def weighted(probes: Floats, gallery: list[EnrolledIdentity]) -> Floats:
    """Compare with the quality-weighted mean, as the service does."""
    return np.asarray(probes @ np.stack([template(each) for each in gallery]).T, np.float32)


RULES: dict[str, Rule] = {"best face": best_face, "mean": mean, "weighted mean": weighted}


def galleries(
    good: Saved, poor: Saved | None, share: int | None, rounds: int
) -> Iterator[tuple[list[EnrolledIdentity], list[EnrolledIdentity]]]:
    """Yield random galleries with their probes: `share` photos of each person with more, or half of their photos."""
    rng = np.random.default_rng(0)
    place = {file: at for at, file in enumerate(poor.files)} if poor else {}
    for _ in range(rounds):
        enrolled: list[EnrolledIdentity] = []
        probes: list[EnrolledIdentity] = []
        for photos in good.of_people():
            count = share or (len(photos) + 1) // 2
            if len(photos) <= max(count, 1):
                continue
            chosen = rng.permutation(photos)
            vectors, qualities = good.vectors[chosen].copy(), good.qualities[chosen].copy()
            if poor:
                at = place.get(good.files[chosen[0]])
                if at is None:  # no face was found in the degraded copy, so it would not be enrolled
                    continue
                vectors[0], qualities[0] = poor.vectors[at], poor.qualities[at]
            for group, part in ((enrolled, slice(count)), (probes, slice(count, None))):
                keys = np.arange(len(vectors[part]))
                group.append(EnrolledIdentity("", None, keys, ("",) * len(keys), vectors[part], qualities[part]))
        yield enrolled, probes


def figures(
    rule: Rule, gallery: list[EnrolledIdentity], probes: list[EnrolledIdentity], strangers: Floats
) -> tuple[float, float]:
    """Return FNIR at FPIR 1 % and the share of probes with a wrong best candidate."""
    mates = np.repeat(np.arange(len(gallery)), [len(each.vectors) for each in probes])
    rows = np.arange(len(mates))
    scores = rule(np.concatenate([each.vectors for each in probes]), gallery)
    genuine = scores[rows, mates].copy()
    scores[rows, mates] = -1
    other = scores.max(axis=1)
    best = np.sort(rule(strangers, gallery).max(axis=1))[::-1]
    threshold = best[int(_FPIR * len(best))]
    return float(np.mean((genuine <= threshold) | (genuine <= other))), float(np.mean(genuine <= other))


def compare(good: Saved, poor: Saved | None, rounds: int) -> None:
    """Print the rules side by side, for galleries of several sizes."""
    strangers = good.vectors[[photos[0] for photos in good.of_people() if len(photos) == 1]]
    print(f"\n{'enrolled':<24}" + "".join(f"{name:>32}" for name in RULES))
    for share in (1, 2, 3, 5, None):
        drawn = list(galleries(good, poor, share, rounds))
        label = f"{share or 'half of all'}, {len(drawn[0][0])} people"
        cells = []
        for rule in RULES.values():
            fnir, wrong = np.mean([figures(rule, *each, strangers) for each in drawn], axis=0)
            cells.append(f"FNIR {fnir:.2%}, rank-1 err {wrong:.2%}")
        print(f"{label:<24}" + "".join(f"{cell:>32}" for cell in cells))


def main() -> None:
    """Read the options, measure, and print the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("embeddings", type=Path)
    parser.add_argument("--poor", type=Path, help="the same photos, evaluated with --degrade")
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args()
    good = read(options.embeddings)
    compare(good, None, options.rounds)
    if options.poor:
        print("\none enrolled photo of each degraded:", end="")
        compare(good, read(options.poor), options.rounds)


if __name__ == "__main__":
    main()
