"""Count how often strangers reach the thresholds of templates, for several photos of the person and of the probe.

    arcid evaluate identification --images people/ --out report/ --bootstrap 0 --save-embeddings people.npz
    python benchmarks/template_rates.py people.npz

The people are split into two halves. One half gives the calibration, the other is measured, and then the reverse.
Prints the observed rate divided by the requested one, with a 95 % interval (people resampled), and below it the ratio
without the correction for templates.

People with many photos resemble each other more often than others do, in LFW at least. So each row also shows what
single faces of the same people reach.
"""

import argparse
from copy import copy
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.recognition.decisions.calibration.error_rates import Calibration, CalibrationOrigin, scoring_of
from app.recognition.decisions.calibration.fit import calibrate
from app.recognition.decisions.calibration.templates import TemplateComparisons, TemplateScale
from app.recognition.decisions.matching import template_of
from app.types import Floats

_SIZES = ((1, 1), (1, 2), (1, 3), (1, 5), (1, 10), (2, 2), (2, 3), (3, 3), (3, 5), (5, 5))
_RATES = (1e-2, 1e-3, 1e-4)
_RESAMPLES = 200
_ORIGIN = CalibrationOrigin("", "benchmark", "", is_flip_averaged=True, people=0, faces=0, pairs=0, source="")

Counts = NDArray[np.float64]


class People:
    """Photos of people: unit vectors (n, d) and qualities (n,), by person."""

    def __init__(self, file: Path) -> None:
        """Read a file of `arcid evaluate --save-embeddings`."""
        saved = np.load(file)
        raw = saved["embeddings"]
        self.vectors: Floats = raw / np.linalg.norm(raw, axis=1, keepdims=True)
        self.qualities: Floats = saved["quality"]
        self.norms: Floats = saved["norms"]
        _, self.person = np.unique([Path(each).parent.name for each in saved["files"].tolist()], return_inverse=True)
        self.places = [np.flatnonzero(self.person == number) for number in range(self.person.max() + 1)]

    def templates(self, people: NDArray[np.intp], size: int, rng: np.random.Generator) -> Floats:
        """Return a template of `size` random photos of each person (n, d)."""
        drawn = [rng.permutation(self.places[each])[:size] for each in people]
        return np.stack([template_of(self.vectors[places], self.qualities[places]) for places in drawn])

    def calibration(self, is_used: NDArray[np.bool_]) -> Calibration:
        """Fit a calibration to some of the people (n,)."""
        rows = is_used[self.person]
        names = self.person[rows].astype(str).tolist()
        return calibrate(self.vectors[rows], names, _ORIGIN, norms=self.norms[rows])

    def scored(self, calibration: Calibration) -> "People":
        """Return the people with the vectors by which a service with this calibration compares them."""
        scored = copy(self)
        scored.vectors = scoring_of(calibration).vectors(self.vectors, self.norms)
        return scored


def exceeded(scores: Floats, thresholds: list[float], is_impostor: NDArray[np.bool_]) -> Counts:
    """Return which impostors reach each threshold (thresholds, people, people)."""
    return np.stack([(scores >= each) & is_impostor for each in thresholds]).astype(np.float64)


def counted(
    people: People, half: NDArray[np.bool_], size: tuple[int, int], rounds: int
) -> tuple[Counts, Counts, Counts]:
    """Count, for one half, the template scores above the corrected and uncorrected thresholds, and single faces.

    Three arrays (resamples + 1, rates) of ratios; the first row is the estimate, the others are resampled.
    """
    calibration, rng = people.calibration(~half), np.random.default_rng(0)
    people = people.scored(calibration)
    scale = TemplateScale.of(calibration, TemplateComparisons(1, *size))
    single = [calibration.threshold(rate) for rate in _RATES]
    corrected = [scale.to_templates(each) for each in single]
    chosen = [np.array([n for n, places in enumerate(people.places) if half[n] and len(places) >= k]) for k in size]
    is_impostor = chosen[0][:, None] != chosen[1][None]
    counts = np.zeros((3, len(_RATES), len(chosen[0]), len(chosen[1])))
    for _ in range(rounds):
        one, other = (people.templates(each, k, rng) for each, k in zip(chosen, size, strict=True))
        scores = one @ other.T
        counts[0] += exceeded(scores, corrected, is_impostor)
        counts[1] += exceeded(scores, single, is_impostor)
        one, other = (people.templates(each, 1, rng) for each in chosen)
        counts[2] += exceeded(one @ other.T, single, is_impostor)
    everybody = np.union1d(*chosen)
    draws = [everybody, *(rng.choice(everybody, len(everybody)) for _ in range(_RESAMPLES))]
    ratios = []
    for draw in draws:
        left, right = (np.bincount(draw, minlength=len(half))[each].astype(np.float64) for each in chosen)
        pairs = float(left @ is_impostor @ right) * rounds
        ratios.append((counts @ right @ left) / pairs / np.array(_RATES))
    corrected_ratios, plain_ratios, single_ratios = np.array(ratios).transpose(1, 0, 2)
    return corrected_ratios, plain_ratios, single_ratios


def main() -> None:
    """Read the options, measure, and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("embeddings", type=Path)
    parser.add_argument("--rounds", type=int, default=10)
    options = parser.parse_args()
    people = People(options.embeddings)
    half = np.random.default_rng(1).permutation(len(people.places)) < len(people.places) // 2
    print("stretch:", ", ".join(f"{people.calibration(each).template_stretch:.4f}" for each in (half, ~half)))
    print("observed / requested at", ", ".join(f"{rate:g}" for rate in _RATES))
    for size in _SIZES:
        parts = [counted(people, each, size, options.rounds) for each in (half, ~half)]
        labels = ("templates, corrected", "templates, uncorrected", "single faces of the same people")
        print(f"{size[0]} and {size[1]} faces:")
        for label, one, other in zip(labels, *parts, strict=True):
            both = (one + other) / 2
            low, high = np.quantile(both[1:], [0.025, 0.975], axis=0)
            figures = zip(both[0], low, high, strict=True)
            print(f"  {label:<32}", "  ".join(f"{mean:.2f} [{least:.2f}, {most:.2f}]" for mean, least, most in figures))


if __name__ == "__main__":
    main()
