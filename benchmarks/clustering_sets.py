"""Faces to cluster, and how right groups are: pairs and BCubed, with intervals over people."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.evaluation.bootstrap import Estimate, Figures, estimates
from app.recognition.clustering.face_groups import NO_GROUP, FacesToGroup, Numbers
from app.recognition.decisions.calibration.error_rates import Calibration, CalibrationOrigin, scoring_of
from app.recognition.decisions.calibration.fit import calibrate
from app.types import Floats

MOST_PHOTOS = 30
_STRANGERS = 0.2  # of the faces
_ORIGIN = CalibrationOrigin("", "benchmark", "", is_flip_averaged=True, people=0, faces=0, pairs=0, source="")

Places = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class KnownFaces:
    """Faces of known people: unit vectors (n, d), norms (n,), qualities (n,), and the number of each person (n,)."""

    vectors: Floats
    norms: Floats
    qualities: Floats
    person: Numbers

    @classmethod
    def read(cls, file: Path) -> "KnownFaces":
        """Read a file of `arcid evaluate --save-embeddings`."""
        saved = np.load(file)
        raw = saved["embeddings"]
        _, person = np.unique([Path(each).parent.name for each in saved["files"].tolist()], return_inverse=True)
        vectors = np.asarray(raw / np.linalg.norm(raw, axis=1, keepdims=True), np.float32)
        return cls(vectors, saved["norms"], saved["quality"], person.astype(np.int64))

    def part(self, places: Places) -> "KnownFaces":
        """Return some of the faces."""
        return KnownFaces(self.vectors[places], self.norms[places], self.qualities[places], self.person[places])

    def halves(self) -> tuple["KnownFaces", "KnownFaces"]:
        """Return the faces of two random halves of the people."""
        people = np.random.default_rng(0).permutation(int(self.person.max()) + 1)
        is_first = np.isin(self.person, people[: len(people) // 2])
        return self.part(np.flatnonzero(is_first)), self.part(np.flatnonzero(~is_first))

    def calibration(self) -> Calibration:
        """Fit a calibration to these people."""
        return calibrate(self.vectors, self.person.astype(str).tolist(), _ORIGIN, norms=self.norms)

    def scored(self, calibration: Calibration) -> "KnownFaces":
        """Return the faces with the vectors by which a service with this calibration compares them."""
        return KnownFaces(
            scoring_of(calibration).vectors(self.vectors, self.norms), self.norms, self.qualities, self.person
        )

    def to_group(self) -> FacesToGroup:
        """Return the faces for clustering, each from its own photo."""
        return FacesToGroup(self.vectors, self.qualities, np.arange(len(self.person)))

    def drawn(self, faces: int, rng: np.random.Generator) -> "KnownFaces":
        """Return at most so many faces of people with 2 to 30 of them, and of strangers with one: a fifth."""
        order = rng.permutation(len(self.person))
        by_person = [
            order[self.person[order] == each][:MOST_PHOTOS] for each in rng.permutation(np.unique(self.person))
        ]
        several = [each for each in by_person if len(each) > 1]
        single = [each for each in by_person if len(each) == 1]
        chosen = _first(several, round(faces * (1 - _STRANGERS)))
        chosen += _first(single, faces - sum(map(len, chosen)))
        return self.part(rng.permutation(np.concatenate(chosen)))


def rightness(person: Numbers, ids: Numbers, replicates: int = 0) -> dict[str, Estimate]:
    """Return precision, recall and F over pairs of faces, and of BCubed (Bagga and Baldwin 1998), for groups (n,).

    A face in no group is a separate group. Intervals are over people: a person who is drawn twice counts twice.
    """
    group = np.where(ids == NO_GROUP, ids.max(initial=0) + 1 + np.arange(len(ids)), ids)
    _, person = np.unique(person, return_inverse=True)
    _, group = np.unique(group, return_inverse=True)
    people = int(person.max()) + 1
    cells, counts = np.unique(group * people + person, return_counts=True)
    of_group, of_person = cells // people, cells % people
    sizes = np.bincount(person).astype(np.float64)

    def figures(times: NDArray[np.float64]) -> Figures:
        weight = times[of_person]
        drawn = np.bincount(of_group, counts * weight)
        others = drawn[of_group] - counts * weight
        same = float((weight * counts * (counts - 1)).sum())
        wrong = float((weight * counts * others).sum())
        wanted = float((times * sizes * (sizes - 1)).sum())
        precision, recall = same / max(same + wrong, 1e-9), same / max(wanted, 1e-9)
        faces = float((weight * counts).sum())
        cubed_precision = float((weight * counts * counts / (counts + others)).sum()) / faces
        cubed_recall = float((weight * counts * counts / sizes[of_person]).sum()) / faces
        return {
            "precision": precision,
            "recall": recall,
            "F": harmonic(precision, recall),
            "BCubed precision": cubed_precision,
            "BCubed recall": cubed_recall,
            "BCubed F": harmonic(cubed_precision, cubed_recall),
        }

    return estimates(figures, people=people, replicates=replicates)


def chained(person: Numbers, before: Numbers, after: Numbers) -> int:
    """Return how many pairs of people share a group `after` (n,), and shared none `before` (m,), of the first m faces.

    Only faces that were grouped before count.
    """
    first = person[: len(before)]
    return len(_sharing(first, after[: len(before)]) - _sharing(first, before))


def harmonic(one: float, other: float) -> float:
    """Return the harmonic mean."""
    return 2 * one * other / (one + other) if one + other else 0.0


def _sharing(person: Numbers, ids: Numbers) -> set[tuple[int, int]]:
    found = set()
    for each in np.unique(ids[ids != NO_GROUP]):
        people = np.unique(person[ids == each]).tolist()
        found |= {(one, other) for place, one in enumerate(people) for other in people[place + 1 :]}
    return found


def _first(groups: list[Places], faces: int) -> list[Places]:
    """Return groups until their faces are as many as wanted."""
    chosen: list[Places] = []
    for each in groups:
        if sum(map(len, chosen)) + len(each) <= faces:
            chosen.append(each)
    return chosen
