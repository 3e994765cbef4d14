"""Report on the overlap of two sets of photos: JSON, CSV, and a list of photos to leave out of a training."""

import csv
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from app.evaluation.overlap import Place, SharedPerson
from app.evaluation.report import to_json
from app.evaluation.values import EmbeddedPhotos
from app.observability.printable import cell

COLUMNS = ("first", "second", "similarity", "first_photo", "second_photo", "pairs", "duplicates", "is_same_name")


@dataclass(frozen=True, slots=True)
class Overlap:
    """People and files in both of two sets. `max_fmr` is None if the threshold was given without a calibration."""

    first: EmbeddedPhotos
    second: EmbeddedPhotos
    threshold: float
    max_fmr: float | None
    shared: Sequence[SharedPerson]
    duplicates: Sequence[Place]

    @property
    def comparisons(self) -> int:
        """Return the number of compared photo pairs."""
        return int(self.first.has_face.sum()) * int(self.second.has_face.sum())

    @property
    def expected_false_pairs(self) -> float | None:
        """Return how many photo pairs of different people the calibration promises above the threshold."""
        return None if self.max_fmr is None else self.max_fmr * self.comparisons


def write_overlap(overlap: Overlap, setup: dict[str, Any], out: Path) -> None:
    """Write overlap.json, overlap.csv and exclude.txt to a folder.

    `exclude.txt` names the photos of the first set whose people are in the second, as `data.exclude` of a training
    takes it.
    """
    (out / "overlap.json").write_text(json.dumps(to_json(_content(overlap, setup)), indent=1), "utf-8")
    with (out / "overlap.csv").open("w", encoding="utf-8", newline="") as file:
        rows = [_row(person) for person in overlap.shared]
        csv.writer(file).writerows(map(cell, row) for row in [COLUMNS, *rows])
    others = {person.first: person.second for person in reversed(overlap.shared)}
    lines = [f"{photo.name}\t{others[photo.person]}\n" for photo in overlap.first.photos if photo.person in others]
    (out / "exclude.txt").write_text("".join(lines), "utf-8")


def _content(overlap: Overlap, setup: dict[str, Any]) -> dict[str, Any]:
    first, second = overlap.first, overlap.second
    return {
        "kind": "overlap",
        "threshold": overlap.threshold,
        "max_fmr": overlap.max_fmr,
        "comparisons": overlap.comparisons,
        "expected_false_pairs": overlap.expected_false_pairs,
        "photos": [len(first.photos), len(second.photos)],
        "people": [len({photo.person for photo in embedded.photos}) for embedded in (first, second)],
        "photos_without_face": [
            {embedded.photos[index].name: code for index, code in embedded.failures.items()}
            for embedded in (first, second)
        ],
        "shared": [{**asdict(person), "is_same_name": person.is_same_name} for person in overlap.shared],
        "duplicates": [
            {"first": first.photos[one].name, "second": second.photos[other].name} for one, other in overlap.duplicates
        ],
        "setup": setup,
    }


def _row(person: SharedPerson) -> list[str]:
    similarity = f"{person.similarity:.4f}" if person.pairs else ""
    photos = [person.first_photo, person.second_photo]
    counts = [str(person.pairs), str(person.duplicates), str(person.is_same_name).lower()]
    return [person.first, person.second, similarity, *photos, *counts]
