"""Measure how right groups of unnamed faces are, by method, and what they cost.

    arcid evaluate identification --images people/ --out report/ --bootstrap 0 --save-embeddings people.npz
    python benchmarks/clustering.py people.npz
    python benchmarks/clustering.py people.npz --others     # also other methods; needs the packages below
    python benchmarks/clustering.py people.npz --linkages   # templates against single links
    python benchmarks/clustering.py people.npz --scale 10000 50000   # synthetic faces: time and memory

The people are split into two halves. The first gives the calibration, and chooses the parameters of each method: the
highest F among those with a precision of 0.99 over sets of 1,000 faces. The second half is measured: other sets of
1,000 faces of people with 2 to 30 photos and strangers (a fifth), and all of its people. `--apply FILE` measures other
people, such as those of one studio, with the same choices. `--others` compares methods of libraries, installed by
`pip install --target peers scikit-learn igraph leidenalg`, with `PYTHONPATH=peers:.`.
"""

import argparse
import resource
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from clustering_methods import Cluster, Method, all_methods
from clustering_sets import KnownFaces, chained, rightness

from app.recognition.clustering.face_groups import FaceGroups, FacesToGroup, Numbers
from app.recognition.clustering.grouping import group_faces
from app.recognition.clustering.grouping_rule import GroupingRule
from app.recognition.decisions.calibration.error_rates import Calibration
from app.types import Floats

_FACES, _LEAST_PRECISION = 1000, 0.99
_LIKENESS = 0.65  # of two synthetic faces of a person


@dataclass(frozen=True, slots=True)
class Rounds:
    """Means over sets of faces: precision, recall, F, BCubed F; the lowest precision and F; CPU seconds of a set."""

    means: tuple[float, ...]
    lowest_precision: float
    lowest_f: float
    seconds: float


def over(sets: Sequence[KnownFaces], cluster: Cluster) -> Rounds:
    """Cluster each set."""
    started = time.process_time()
    found = [rightness(each.person, cluster(each.to_group())) for each in sets]
    seconds = (time.process_time() - started) / len(sets)
    rows = np.array([[each[name].value for name in ("precision", "recall", "F", "BCubed F")] for each in found])
    return Rounds(tuple(rows.mean(axis=0).tolist()), float(rows[:, 0].min()), float(rows[:, 2].min()), seconds)


def choose(method: Method, sets: Sequence[KnownFaces]) -> tuple[str, Cluster]:
    """Return the setting with the highest F among those with enough precision, or else with the most precision."""
    results = [(over(sets, cluster).means, name, cluster) for name, cluster in method.settings]
    precise = [each for each in results if each[0][0] >= _LEAST_PRECISION]
    best = max(precise, key=lambda each: each[0][2]) if precise else max(results, key=lambda each: each[0][0])
    return best[1], best[2]


def compare(
    first: KnownFaces, second: KnownFaces, others: list[KnownFaces], methods: Sequence[Method], rounds: int
) -> None:
    """Print the methods side by side, each with the setting that the first half chooses."""
    rng = np.random.default_rng(1)
    to_choose = [first.drawn(_FACES, rng) for _ in range(5)]
    to_measure = [second.drawn(_FACES, rng) for _ in range(rounds)]
    columns = f"{'precision':>10}{'(lowest)':>10}{'recall':>8}{'F':>8}{'(lowest)':>9}{'BCubed F':>9}{'CPU s':>8}"
    print(f"{'method':34}{'setting':44}{columns}  precision and F: all people, other sets")
    for method in methods:
        name, cluster = choose(method, to_choose)
        found = over(to_measure, cluster)
        precision, recall, f, cubed = found.means
        further = [over([each], cluster).means for each in (second, *others)]
        ends = "  ".join(f"{each[0]:.4f} {each[2]:.4f}" for each in further)
        print(
            f"{method.name:34}{name:44}{precision:10.4f}{found.lowest_precision:10.4f}{recall:8.4f}{f:8.4f}"
            f"{found.lowest_f:9.4f}{cubed:9.4f}{found.seconds:8.2f}  {ends}",
            flush=True,
        )


def linkages(faces: KnownFaces, others: list[KnownFaces], calibration: Calibration, rounds: int) -> None:
    """Print templates and connected components at the same thresholds, also too low ones."""
    rng = np.random.default_rng(1)
    sets = [faces.drawn(_FACES, rng) for _ in range(rounds)]
    templates, components = (
        next(each for each in all_methods(calibration) if each.name == name)
        for name in ("ArcID", "connected components, calibrated")
    )
    for (name, of_templates), (_, of_components) in zip(templates.settings, components.settings, strict=True):
        for method, cluster in (("templates", of_templates), ("connected components", of_components)):
            found = over(sets, cluster)
            further = "  ".join(f"{over([each], cluster).means[0]:.4f}" for each in (faces, *others))
            print(
                f"{name:18}{method:22}precision {found.means[0]:.4f} (lowest {found.lowest_precision:.4f}), F "
                f"{found.means[2]:.4f}; precision of all people, other sets: {further}",
                flush=True,
            )


def detail(second: KnownFaces, others: list[KnownFaces], rule: GroupingRule, rounds: int) -> None:
    """Print the default rule on the measured people, and what doubling the collection does."""
    rng = np.random.default_rng(2)
    sets = [second.drawn(_FACES, rng) for _ in range(rounds)]
    found = over(sets, lambda faces: group_faces(faces, FaceGroups.none(len(faces.vectors)), rule).ids)
    precision, recall, f, _ = found.means
    print(
        f"default rule, {rounds} sets of {len(sets[0].person)} faces: precision {precision:.4f} (lowest "
        f"{found.lowest_precision:.4f}), recall {recall:.4f}, F {f:.4f} (lowest {found.lowest_f:.4f})"
    )
    for each in (sets[0], second, *others):
        groups = group_faces(each.to_group(), FaceGroups.none(len(each.person)), rule)
        estimates = rightness(each.person, groups.ids, replicates=500)
        print(f"\n{len(each.person):,} faces of {len(np.unique(each.person)):,} people, {groups.last_id} groups")
        for name, estimate in estimates.items():
            low, high = estimate.interval or (float("nan"), float("nan"))
            print(f"  {name:18}{estimate.value:8.4f} [{low:.4f}, {high:.4f}]")
    double(second, rule, rounds)


def double(faces: KnownFaces, rule: GroupingRule, rounds: int) -> None:
    """Print what happens if half of the faces are grouped first, and then all, and if they come in 30 parts."""
    chains, moved, values = 0, 0, []
    for seed in range(rounds):
        mixed = faces.part(np.random.default_rng(seed).permutation(len(faces.person)))
        groups = FaceGroups.none(0)
        for stop in np.linspace(0, len(mixed.person), (3 if seed % 2 else 31))[1:].astype(int).tolist():
            part = mixed.part(np.arange(stop))
            before, new = groups.ids, np.zeros(stop - len(groups.ids), np.int64)
            groups = group_faces(part.to_group(), FaceGroups(np.concatenate([before, new]), groups.last_id), rule)
            chains += chained(part.person, before, groups.ids)
            moved += int(((before > 0) & (before != groups.ids[: len(before)])).sum())
        values.append(rightness(mixed.person, groups.ids)["F"].value)
    print(
        f"\ngrouped in 2 parts (every second round) or 30, {rounds} rounds: {chains} pairs of people chained together "
        f"that were apart, {moved} faces with another id; F {np.mean(values):.4f} (lowest {min(values):.4f})"
    )


def scale(sizes: Sequence[int], dimension: int, calibration: Calibration) -> None:
    """Print the CPU time and the growth of memory for synthetic faces, half of the people strangers."""
    for count in sizes:
        vectors, person = _synthetic(count, dimension)
        faces = FacesToGroup(vectors, np.full(count, 0.8, np.float32), np.arange(count))
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        started, wall = time.process_time(), time.perf_counter()
        groups = group_faces(faces, FaceGroups.none(count), GroupingRule(calibration))
        seconds, wall = time.process_time() - started, time.perf_counter() - wall
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory
        started = time.process_time()
        for start in range(0, count, 256):
            (vectors[start : start + 256] @ vectors.T).max(axis=1)
        once = time.process_time() - started
        f = rightness(person, groups.ids)["F"].value
        print(
            f"{count:,} faces of {dimension} numbers: CPU {seconds:.1f} s, {seconds / once:.1f} times that of one pass "
            f"over all pairs; wall {wall:.0f} s; memory +{memory / 1024:.0f} MB, {memory * 1024 / count:,.0f} bytes a "
            f"face; {groups.last_id:,} groups, F {f:.4f}",
            flush=True,
        )


def _synthetic(count: int, dimension: int) -> tuple[Floats, Numbers]:
    rng = np.random.default_rng(1)
    sizes: list[int] = []
    while sum(sizes) < count:
        sizes.append(1 if rng.random() < 0.5 else int(rng.integers(2, 31)))
    person = rng.permutation(np.repeat(np.arange(len(sizes)), sizes)[:count])
    centres, own = (rng.standard_normal((n, dimension), np.float32) for n in (len(sizes), count))
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    own /= np.linalg.norm(own, axis=1, keepdims=True)
    own *= np.float32(np.sqrt(1 - _LIKENESS))
    own += np.float32(np.sqrt(_LIKENESS)) * centres[person]
    own /= np.linalg.norm(own, axis=1, keepdims=True)
    return own, person


def main() -> None:
    """Read the options, measure, and print the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("embeddings", type=Path, help="file of --save-embeddings")
    parser.add_argument("--apply", type=Path, action="append", default=[], help="embeddings of other people")
    parser.add_argument("--others", action="store_true", help="compare with other methods")
    parser.add_argument("--linkages", action="store_true", help="compare templates with single links")
    parser.add_argument("--only", default="", help="part of the names of the methods to compare")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--scale", type=int, nargs="+", default=[], help="numbers of synthetic faces")
    options = parser.parse_args()
    first, second = KnownFaces.read(options.embeddings).halves()
    calibration = first.calibration()
    if options.scale:
        scale(options.scale, first.vectors.shape[1], calibration)
        return
    others = [KnownFaces.read(file).scored(calibration) for file in options.apply]
    first, second = first.scored(calibration), second.scored(calibration)
    if options.linkages:
        linkages(second, others, calibration, options.rounds)
    elif options.others:
        methods = [each for each in all_methods(calibration) if options.only in each.name]
        compare(first, second, others, methods, options.rounds)
    else:
        detail(second, others, GroupingRule(calibration), options.rounds)


if __name__ == "__main__":
    main()
