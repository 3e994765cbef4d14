"""Measure error rates before and after the adaptation of a calibration to small galleries.

    arcid evaluate identification --images people/ --out report/ --save-embeddings people.npz
    python benchmarks/adaptive_calibration.py people.npz
    python benchmarks/adaptive_calibration.py people.npz --probes other-camera.npz --learn 200

Each round enrolls random people with one photo each; all others are strangers. Prints the observed over the asked FMR
and FPIR with the shipped calibration, and with the one adapted by the product's own code, with 95 % intervals resampled
by person. With --held-out, half of the people fit the calibration and the other half tests it: use it for photos that
the shipped calibration was made from. With --probes, the strangers' photos are those of another file. With --learn, so
many photos of half of the strangers are learned from as probes, and the other half tests.
"""

import argparse
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.config import PROJECT
from app.gallery.store.calibration_state import ProbeSums
from app.gallery.store.values import Collection, CollectionSettings
from app.recognition.decisions.calibration.adaptation import LEAST_PEOPLE
from app.recognition.decisions.calibration.error_rates import Calibration, RateCurve, read_calibration, scoring_of
from app.recognition.decisions.calibration.fit import calibrate
from app.recognition.decisions.calibration.moments import moments_of_gallery
from app.recognition.decisions.calibration.templates import comparisons_among
from app.recognition.decisions.calibration.versions import curves, look_alike_threshold, next_version
from app.recognition.decisions.policy import Policy
from app.recognition.probe_learning import ProbeReference
from app.types import CollectionKey, Floats

_SHIPPED = PROJECT / "models" / "calibrations" / "fb143eea07838aa5-yunet+retinaface-arcface112-flip.json"
_LEVELS = (1e-2, 1e-3, 1e-4)
_FPIR = 0.01
_RESAMPLES = 300
_MOST_PEOPLE = 1000


@dataclass(frozen=True, slots=True)
class LabelledFaces:
    """Photos of people: unit vectors (n, d), norms (n,), and numbers of people (n,)."""

    vectors: Floats
    norms: Floats
    person: NDArray[np.intp]

    def of(self, people: NDArray[np.intp]) -> "LabelledFaces":
        """Return the photos of some people, renumbered from 0."""
        is_chosen = np.isin(self.person, people)
        return LabelledFaces(
            self.vectors[is_chosen], self.norms[is_chosen], np.searchsorted(people, self.person[is_chosen])
        )


def read(files: list[Path]) -> list[LabelledFaces]:
    """Read files of `--save-embeddings`; people (the folders' names) have the same numbers in all of them."""
    opened = [np.load(file) for file in files]
    names = [np.array([Path(name).parent.name for name in each["files"]]) for each in opened]
    common = sorted(set.intersection(*(set(each.tolist()) for each in names)))
    faces = []
    for each, name in zip(opened, names, strict=True):
        is_common = np.isin(name, common)
        raw = each["embeddings"][is_common].astype(np.float32)
        person = np.searchsorted(common, name[is_common])
        faces.append(LabelledFaces(raw / np.linalg.norm(raw, axis=1, keepdims=True), each["norms"][is_common], person))
    return faces


def adapt(base: Calibration, gallery: Floats, probes: Floats) -> tuple[RateCurve, RateCurve]:
    """Return the curves after all versions: of a gallery's own pairs, and of probes (m, d) against it (n, d)."""
    people = len(gallery)
    collection = Collection(CollectionKey(1), "", "", "", 0, people, people, people, CollectionSettings())
    while True:
        of_gallery, of_probes = curves(collection, base)
        moments = moments_of_gallery(gallery, look_alike_threshold(of_gallery, people))
        below = look_alike_threshold(of_probes, max(people, LEAST_PEOPLE))
        reference = ProbeReference(np.arange(people), gallery, ("",) * people, below, 0, people)
        sums = reference.sums(probes, [None] * len(probes)) if len(probes) else ProbeSums()
        version = next_version(collection, base, moments, sums, now=datetime.now(UTC))
        if version is None:
            return of_gallery, of_probes
        collection = replace(collection, calibration=version)


class Tally:
    """Matches of pairs of people (n, n) at each level, and of strangers against whole galleries (n,)."""

    def __init__(self, people: int) -> None:
        self.matches = np.zeros((len(_LEVELS), people, people), np.float32)
        self.trials = np.zeros((people, people), np.float32)
        self.found, self.searches = np.zeros(people), np.zeros(people)

    def add(self, scores: Floats, strangers: NDArray[np.intp], enrolled: NDArray[np.intp], curve: RateCurve) -> None:
        """Count similarities (m, n) of strangers (m,) to enrolled people (n,)."""
        at = np.ix_(strangers, enrolled)
        for level, rate in enumerate(_LEVELS):
            np.add.at(self.matches[level], at, scores >= curve.threshold(rate))
        np.add.at(self.trials, at, 1)
        rule = Policy(curve, 0).for_identification(comparisons_among(len(enrolled), len(enrolled)), max_fpir=_FPIR)
        np.add.at(self.found, strangers, scores.max(axis=1) >= rule.threshold)
        np.add.at(self.searches, strangers, 1)

    def line(self) -> str:
        """Return observed over asked rates with intervals."""
        rng, people = np.random.default_rng(0), len(self.trials)
        draws = rng.multinomial(people, np.full(people, 1 / people), _RESAMPLES).astype(np.float32)
        weights = [np.ones(people, np.float32), *draws]
        columns = [[(w @ hits @ w) / (w @ self.trials @ w) / rate for w in weights] for hits, rate in self._rates()]
        columns.append([(w @ self.found) / (w @ self.searches) / _FPIR for w in weights])
        return "  ".join(_with_interval(np.array(each)) for each in columns)

    def _rates(self) -> list[tuple[Floats, float]]:
        return list(zip(self.matches, _LEVELS, strict=True))


def _with_interval(values: NDArray[np.float64]) -> str:
    low, high = np.quantile(values[1:], [0.025, 0.975])
    return f"{values[0]:6.2f} [{low:5.2f},{high:6.2f}]"


def measure(base: Calibration, faces: LabelledFaces, probes: LabelledFaces, args: argparse.Namespace) -> None:
    """Print a table of the sizes of galleries."""
    scoring = scoring_of(base)
    enrolled, seen = (scoring.vectors(each.vectors, each.norms) for each in (faces, probes))
    people = int(faces.person.max()) + 1
    for size in args.sizes:
        if size > people - 20:
            continue
        rng, tallies = np.random.default_rng(args.seed), [Tally(people), Tally(people)]
        for _ in range(args.rounds):
            chosen = rng.permutation(people)
            own = np.array([rng.choice(np.flatnonzero(faces.person == each)) for each in chosen[:size]])
            rest = rng.permutation(np.flatnonzero(np.isin(probes.person, chosen[size:])))
            teachers = rest[np.isin(probes.person[rest], chosen[size:][::2])][: args.learn]
            tests = rest[~np.isin(probes.person[rest], chosen[size:][::2])] if args.learn else rest
            _, adapted = adapt(base, enrolled[own], seen[teachers])
            scores = seen[tests] @ enrolled[own].T
            for tally, curve in zip(tallies, (base, adapted), strict=True):
                tally.add(scores, probes.person[tests], faces.person[own], curve)
        for name, tally in zip(("shipped", "adapted"), tallies, strict=True):
            print(f"{size:6} {name}  {tally.line()}", flush=True)


def main() -> None:
    """Read the arguments and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--probes", type=Path, help="photos of the same people by another camera")
    parser.add_argument("--learn", type=int, default=0, help="probes to learn from")
    parser.add_argument("--held-out", action="store_true", help="fit the calibration to half of the people")
    parser.add_argument("--calibration", type=Path, default=_SHIPPED)
    parser.add_argument("--sizes", type=int, nargs="+", default=[20, 50, 100, 400])
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    faces, *others = read([args.file, *([args.probes] if args.probes else [])])
    base = read_calibration(args.calibration)
    people = np.random.default_rng(args.seed).permutation(int(faces.person.max()) + 1)
    if args.held_out:
        half = faces.of(np.sort(people[: len(people) // 2]))
        base = calibrate(half.vectors, [str(each) for each in half.person], base.origin, norms=half.norms)
        people = people[len(people) // 2 :]
    people = np.sort(people[:_MOST_PEOPLE])
    print("people enrolled, then observed over asked: FMR 1e-2, 1e-3, 1e-4, FPIR 0.01 (95 % by person)")
    measure(base, faces.of(people), (others[0] if others else faces).of(people), args)


if __name__ == "__main__":
    main()
