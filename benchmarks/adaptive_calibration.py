"""Measure error rates before and after the adaptation of a calibration to small galleries.

    arcid evaluate identification --images people/ --out report/ --save-embeddings people.npz
    python benchmarks/adaptive_calibration.py people.npz
    python benchmarks/adaptive_calibration.py people.npz --probes other-camera.npz --learn 200
    python benchmarks/adaptive_calibration.py degraded/motion.npz --fit people.npz

Each round enrolls random people with one photo each; all others are strangers. Prints the observed over the asked FMR
and FPIR with the shipped calibration, and with the one adapted by the product's own code, with 95 % intervals resampled
by person. With --held-out, each half of the people is tested with the calibration of the other half: use it for photos
that the shipped calibration was made from. With --fit, those people of another file fit the calibration who are not
tested (`degraded_faces.py` writes degraded copies). With --probes, strangers are searched by photos of another file.
With --learn, so many photos of half of the strangers are learned from as probes, and the other half tests.
"""

import argparse
from argparse import Namespace
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
_PROBE_QUALITY = 0.2  # probes of lower quality teach nothing
_RESAMPLES = 300
_MOST_PEOPLE = 1000


@dataclass(frozen=True, slots=True)
class LabelledFaces:
    """Photos of people: unit vectors (n, d), norms (n,), qualities (n,), and numbers of people (n,)."""

    vectors: Floats
    norms: Floats
    qualities: Floats
    person: NDArray[np.intp]

    def of(self, people: NDArray[np.intp]) -> "LabelledFaces":
        """Return the photos of some people, renumbered from 0."""
        is_chosen = np.isin(self.person, people)
        vectors, norms, qualities = (each[is_chosen] for each in (self.vectors, self.norms, self.qualities))
        return LabelledFaces(vectors, norms, qualities, np.searchsorted(people, self.person[is_chosen]))


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
        units = raw / np.linalg.norm(raw, axis=1, keepdims=True)
        faces.append(LabelledFaces(units, each["norms"][is_common], each["quality"][is_common], person))
    return faces


def read_others(file: Path, tested: list[Path]) -> LabelledFaces:
    """Read the photos of those people of a file who are not in all the other files."""
    (faces,) = read([file])
    names, *known = ({Path(name).parent.name for name in np.load(each)["files"]} for each in (file, *tested))
    excluded = set.intersection(*known)
    return faces.of(np.array([place for place, name in enumerate(sorted(names)) if name not in excluded], np.intp))


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


@dataclass(frozen=True, slots=True)
class Part:
    """People who are tested together (n,), and a calibration that was fitted to others."""

    base: Calibration
    people: NDArray[np.intp]

    def measure(
        self, faces: LabelledFaces, probes: LabelledFaces, size: int, tallies: tuple[Tally, Tally], args: Namespace
    ) -> None:
        """Count, in each round, what strangers reach with the base curve and with the adapted one."""
        faces, probes, scoring = faces.of(self.people), probes.of(self.people), scoring_of(self.base)
        enrolled, seen = (scoring.vectors(each.vectors, each.norms) for each in (faces, probes))
        photos = [np.flatnonzero(faces.person == each) for each in range(len(self.people))]
        rng = np.random.default_rng(args.seed)
        for _ in range(args.rounds):
            chosen = rng.permutation(len(self.people))
            own = np.array([rng.choice(photos[each]) for each in chosen[:size]])
            rest = rng.permutation(np.flatnonzero(np.isin(probes.person, chosen[size:])))
            is_teacher = np.isin(probes.person[rest], chosen[size:][::2]) & bool(args.learn)
            teachers = rest[is_teacher & (probes.qualities[rest] >= _PROBE_QUALITY)][: args.learn]
            _, adapted = adapt(self.base, enrolled[own], seen[teachers])
            tests = rest[~is_teacher]
            scores = seen[tests] @ enrolled[own].T
            for tally, curve in zip(tallies, (self.base, adapted), strict=True):
                tally.add(scores, self.people[probes.person[tests]], self.people[faces.person[own]], curve)


def parts_of(faces: LabelledFaces, fitted: LabelledFaces | None, args: Namespace) -> list[Part]:
    """Return the people to test, with calibrations; see the module's docstring."""
    shipped = read_calibration(args.calibration)
    order = np.random.default_rng(args.seed).permutation(int(faces.person.max()) + 1)
    if fitted is not None:
        return [Part(_fit(fitted, shipped), np.sort(order))]
    if not args.held_out:
        return [Part(shipped, np.sort(order[:_MOST_PEOPLE]))]
    halves = np.array_split(order, 2)
    bases = [_fit(faces.of(np.sort(half)), shipped) for half in halves]
    return [Part(base, np.sort(half[:_MOST_PEOPLE])) for base, half in zip(bases, halves[::-1], strict=True)]


def _fit(faces: LabelledFaces, shipped: Calibration) -> Calibration:
    return calibrate(faces.vectors, faces.person.astype(str).tolist(), shipped.origin, norms=faces.norms)


def main() -> None:
    """Read the arguments and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--probes", type=Path, help="photos of the same people by another camera")
    parser.add_argument("--learn", type=int, default=0, help="probes to learn from")
    parser.add_argument("--fit", type=Path, help="photos of other people, to fit the calibration to")
    parser.add_argument("--held-out", action="store_true", help="fit the calibration to the other half of the people")
    parser.add_argument("--calibration", type=Path, default=_SHIPPED)
    parser.add_argument("--sizes", type=int, nargs="+", default=[20, 50, 100, 400])
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    faces, *others = read([args.file, *([args.probes] if args.probes else [])])
    fitted = read_others(args.fit, [args.file, *([args.probes] if args.probes else [])]) if args.fit else None
    parts = parts_of(faces, fitted, args)
    print("people enrolled, then observed over asked: FMR 1e-2, 1e-3, 1e-4, FPIR 0.01 (95 % by person)")
    for size in args.sizes:
        if size > min(len(part.people) for part in parts) - 20:
            continue
        people = int(faces.person.max()) + 1
        tallies = (Tally(people), Tally(people))
        for part in parts:
            part.measure(faces, others[0] if others else faces, size, tallies, args)
        for name, tally in zip(("shipped", "adapted"), tallies, strict=True):
            print(f"{size:6} {name}  {tally.line()}", flush=True)


if __name__ == "__main__":
    main()
