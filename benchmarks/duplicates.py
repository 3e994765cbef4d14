"""Count planted duplicates and wrong pairs, by the size of the gallery and the number of photos, without a service.

    arcid evaluate identification --images people/ --out report/ --bootstrap 0 --save-embeddings people.npz
    python benchmarks/duplicates.py people.npz

One half of the people gives the calibration, galleries of the other half are measured, and the reverse. In each, some
people are split into two identities. All pairs of templates are compared by the rule of the health check. Prints recall
and precision, with 95 % intervals (galleries resampled), and the share of people with a wrong pair divided by
`max_fpir`. LFW has people under two names: a pair of different names is left out if its rate is below 1e-8.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.recognition.decisions.calibration.error_rates import (
    Calibration,
    CalibrationOrigin,
    rate_for_chance,
    scoring_of,
)
from app.recognition.decisions.calibration.fit import calibrate
from app.recognition.decisions.calibration.templates import TemplateComparisons, TemplateScale
from app.recognition.decisions.matching import template_of
from app.types import Floats

_SETS = ((1400, 50, 5), (1400, 50, 1), (700, 50, 5), (200, 20, 5))  # people, of whom so many are split, most photos
_FPIRS = (0.01, 0.005, 0.002, 0.001)
_SURE = 1e-8
_ORIGIN = CalibrationOrigin("", "benchmark", "", is_flip_averaged=True, people=0, faces=0, pairs=0, source="")


@dataclass(frozen=True, slots=True)
class Half:
    """People of one half: positions of their photos, vectors and qualities of all, and the other half's calibration."""

    places: list[NDArray[np.intp]]
    vectors: Floats
    qualities: Floats
    calibration: Calibration


def halves(file: Path) -> list[Half]:
    """Read a file of `arcid evaluate --save-embeddings`, and split its people at random."""
    saved = np.load(file)
    raw, norms = saved["embeddings"], saved["norms"]
    vectors = raw / np.linalg.norm(raw, axis=1, keepdims=True)
    _, person = np.unique([Path(each).parent.name for each in saved["files"].tolist()], return_inverse=True)
    order = np.random.default_rng(1).permutation(person.max() + 1)
    made = []
    for own, other in np.array_split(order, 2), np.array_split(order, 2)[::-1]:
        rows = np.isin(person, other)
        calibration = calibrate(vectors[rows], person[rows].astype(str).tolist(), _ORIGIN, norms=norms[rows])
        places = [np.flatnonzero(person == number) for number in own]
        made.append(Half(places, scoring_of(calibration).vectors(vectors, norms), saved["quality"], calibration))
    return made


def gallery(
    half: Half, size: tuple[int, int, int], rng: np.random.Generator
) -> tuple[list[NDArray[np.intp]], list[int]]:
    """Return the photos of each identity, and whose they are."""
    people, split, most = size
    several = rng.permutation([n for n, places in enumerate(half.places) if len(places) > 1])[:split].tolist()
    others = rng.permutation(np.setdiff1d(np.arange(len(half.places)), several))[: people - split].tolist()
    identities, owners = [], [*several, *several, *others]
    parts = []
    for person in several:
        drawn = rng.permutation(half.places[person])[: 2 * most]
        at = rng.integers(max(1, len(drawn) - most), min(most, len(drawn) - 1) + 1)
        identities.append(drawn[:at])
        parts.append(drawn[at:])
    rest = [rng.permutation(half.places[person])[: rng.integers(1, most + 1)] for person in others]
    return [*identities, *parts, *rest], owners


def as_singles(half: Half, identities: list[NDArray[np.intp]]) -> Floats:
    """Return the similarities of single faces that stand for those of all pairs of templates (n, n)."""
    templates = np.stack([template_of(half.vectors[places], half.qualities[places]) for places in identities])
    similarities = templates @ templates.T
    counts = np.array([len(places) for places in identities])
    for faces in np.unique(counts).tolist():
        for probes in np.unique(counts).tolist():
            scale = TemplateScale.of(half.calibration, TemplateComparisons(1, faces, probes))
            pairs = np.ix_(counts == faces, counts == probes)
            similarities[pairs] = np.vectorize(scale.to_single)(similarities[pairs])
    return similarities


def counted(half: Half, size: tuple[int, int, int], seed: int) -> NDArray[np.float64]:
    """Count planted pairs found, wrong pairs and people wrongly paired, for each rate (rates, 3)."""
    identities, owners = gallery(half, size, np.random.default_rng(seed))
    similarities, person = as_singles(half, identities), np.array(owners)
    is_same = person[:, None] == person[None]
    is_wrong = ~is_same & (similarities < half.calibration.threshold(_SURE))
    np.fill_diagonal(is_same, val=False)
    rows = []
    for fpir in _FPIRS:
        is_found = similarities >= half.calibration.threshold(rate_for_chance(fpir, len(identities)))
        wrong = is_found & is_wrong
        rows.append(((is_found & is_same).sum() / 2, wrong.sum() / 2, wrong.any(axis=1).sum() / len(identities)))
    return np.array(rows, np.float64)


def main() -> None:
    """Read the options, measure, and print the shares."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("embeddings", type=Path)
    parser.add_argument("--galleries", type=int, default=10, help="of each half")
    options = parser.parse_args()
    parts = halves(options.embeddings)
    rng = np.random.default_rng(0)
    for size in _SETS:
        counts = np.array([counted(half, size, seed) for half in parts for seed in range(options.galleries)])
        print(f"{size[0]} people, {size[1]} of them twice, up to {size[2]} photos")
        for fpir, (found, wrong, paired) in zip(_FPIRS, counts.transpose(1, 2, 0), strict=True):
            draws = [np.arange(len(found)), *rng.integers(len(found), size=(500, len(found)))]
            recalls = [found[each].mean() / size[1] for each in draws]
            precisions = [found[each].sum() / (found[each] + wrong[each]).sum() for each in draws]
            shares = [paired[each].mean() / fpir for each in draws]
            figures = (
                f"{name} {each[0]:.3f} [{np.quantile(each, 0.025):.3f}, {np.quantile(each, 0.975):.3f}]"
                for name, each in (("recall", recalls), ("precision", precisions), ("wrongly / asked", shares))
            )
            print(f"  max_fpir {fpir:g}:", ", ".join(figures))


if __name__ == "__main__":
    main()
