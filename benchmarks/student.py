"""Measure how many photos a student needs: distillation with 1/8, 1/4, 1/2 and all photos of half of the people.

    python benchmarks/student.py --images lfw/images --out runs/students --pack open -- --epochs 20

A hash of the names splits the people into two halves. Students learn from the teacher's embeddings of photos of one
half, without names; the other half is the test. Arguments after `--` are passed to `arcid train distill`, such as
`--backbone`, `--from` and `--skip`. Before that, prints the rows of the teacher and of the packs of `--beside`; with
`--arcface`, also that of the same backbone trained on the names of all photos with ArcFace.

Each row has the TMR at FMR 1e-3 with its 95 % interval by person, the difference from the teacher, the CPU time as a
multiple of `open`'s (the median of turns in one process), and the size of the network.
"""

import argparse
import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np

from app.config import read_settings
from app.evaluation.paired import compare_tmr
from app.evaluation.values import Ints
from app.training.checkpoint import LAST, load_trained
from app.training.data.folder import FolderSource, read_folder
from app.training.export.comparing import ComparedNetwork, embed_places, first_of_each
from app.training.export.network import as_onnx
from app.training.export.run_pack import PREPROCESSING
from app.vision.imaging.lossless import encode_png
from app.vision.inference.runtime import Runtime
from app.vision.inference.timing import time_ratio
from app.wiring.training import open_base, open_cropper

SHARES = (8, 4, 2, 1)
TIMED = 16  # crops
_HEAD = """| network | photos | TMR at FMR 1e-3 | difference | CPU time | file |
|---|---|---|---|---|---|"""


def half_of(person: str) -> int:
    """Assign a person to one of two halves."""
    return hashlib.sha256(person.encode()).digest()[0] % 2


def prepare(images: Path, out: Path) -> tuple[Path, Path]:
    """Align all photos, write the crops to a folder for each half, and return both folders."""
    halves = out / "0", out / "1"
    if not all(half.exists() for half in halves):
        source = read_folder(images, open_cropper(read_settings()))
        parts = out / "0.part", out / "1.part"
        for index, label in enumerate(source.labels.tolist()):
            file = parts[half_of(source.classes[label])] / Path(source.name(index)).with_suffix(".png")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(encode_png(source.crop(index)))
        for part, half in zip(parts, halves, strict=True):
            part.rename(half)
    return halves


def part_of(people: Path, share: int, folder: Path) -> Path:
    """Link every n-th photo of a folder, by the hash of its name, into a flat folder, and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    for photo in sorted(people.rglob("*.png")):
        if int.from_bytes(hashlib.sha256(photo.name.encode()).digest()[:4]) % share == 0:
            link = folder / photo.name
            if not link.exists():
                link.symlink_to(photo.resolve())
    return folder


def pack_network(name: str) -> ComparedNetwork:
    """Open the network of a pack."""
    base = open_base(read_settings(pack=name))
    return ComparedNetwork.opened(name, base.network, base.preprocessing, Runtime())


def run_network(folder: Path) -> ComparedNetwork:
    """Open the network of a run, as it would be exported."""
    return ComparedNetwork.opened(folder.name, as_onnx(load_trained(folder).backbone), PREPROCESSING, Runtime())


def train(arguments: list[str], out: Path) -> ComparedNetwork:
    """Run `arcid train`, continuing a run that exists, and return its network."""
    resumed = ["--resume"] if (out / LAST).exists() else arguments
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.with_suffix(".log").open("ab") as log:
        subprocess.run(
            [str(Path(sys.executable).with_name("arcid")), "train", *resumed, "--out", str(out)],
            check=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stderr=log,
        )
    return run_network(out)


def places_of_test(test: FolderSource, most: int, least: int) -> tuple[list[int], Ints]:
    """Return the indices of up to `most` photos of each person with `least` or more, and their people from 0 (n,)."""
    counts = np.bincount(test.labels)
    places = [place for place in first_of_each(test, most) if counts[test.labels[place]] >= least]
    return places, np.unique(test.labels[places], return_inverse=True)[1]


class TeacherComparison:
    """Comparison of networks with the teacher on the test half."""

    def __init__(self, test: FolderSource, teacher: ComparedNetwork, options: argparse.Namespace) -> None:
        self._test = test
        self._places, self._people = places_of_test(test, options.most, options.least)
        self.photos, self.people = len(self._places), len(np.unique(self._people))
        self._network = teacher
        self._teacher = embed_places(teacher.embedder, test, self._places)
        self._open = pack_network("open")
        self._timed = np.stack([test.crop(place) for place in self._places[:TIMED]])

    def row(self, network: ComparedNetwork, photos: str) -> str:
        """Return the row of a network."""
        is_teacher = network is self._network
        vectors = self._teacher if is_teacher else embed_places(network.embedder, self._test, self._places)
        rates = compare_tmr(self._teacher, vectors, self._people)
        ratio = time_ratio(self._open.embedder.embed, network.embedder.embed, list(self._timed[:, None]))
        low, high = rates.second.interval or (float("nan"), float("nan"))
        from_, to = rates.difference.interval or (float("nan"), float("nan"))
        return (
            f"| {network.name} | {photos} | {rates.second.value:.2%} ({low:.2%} to {high:.2%}) | "
            f"{rates.difference.value:+.2%} ({from_:+.2%} to {to:+.2%}) | {ratio:.2f} | {network.size / 1e6:.1f} MB |"
        )


def networks(
    options: argparse.Namespace, learned: Path, teacher: ComparedNetwork
) -> Iterator[tuple[str, Callable[[], ComparedNetwork]]]:
    """Yield the number of training photos and a function that makes the network, for each row."""
    yield "-", lambda: teacher
    for name in options.beside:
        yield "-", partial(pack_network, name)
    for share in options.shares:
        flat = part_of(learned, share, options.out / f"photos-{share}")
        arguments = ["distill", "--pack", options.pack, "--photos", str(flat), "--aligned", *options.arguments]
        made = partial(train, arguments, options.out / f"{options.name}-{share}")
        yield f"{len(list(flat.iterdir())):,}", made
    if options.arcface:
        arguments = ["--data", str(learned), "--aligned", "--loss", "arcface", *options.arcface.split()]
        yield f"{len(list(learned.rglob('*.png'))):,}", partial(train, arguments, options.out / "arcface")


def main() -> None:
    """Train and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True, help="photos of people: person/photo.jpg")
    parser.add_argument("--out", type=Path, required=True, help="folder for crops and runs")
    parser.add_argument("--pack", default="open", help="the teacher")
    parser.add_argument("--beside", nargs="*", default=[], help="packs to measure too")
    parser.add_argument("--name", default="student", help="name of the runs; runs of this name are continued")
    parser.add_argument("--shares", type=int, nargs="*", default=SHARES)
    parser.add_argument("--most", type=int, default=10, help="test photos of a person")
    parser.add_argument("--least", type=int, default=1, help="leave out test people with fewer photos")
    parser.add_argument("--arcface", help="options of `arcid train` for a network trained on the names")
    parser.add_argument("arguments", nargs="*", help="after --: options of `arcid train distill`")
    options = parser.parse_args()
    learned, tested = prepare(options.images, options.out)
    test, teacher = read_folder(tested, None), pack_network(options.pack)
    comparison = TeacherComparison(test, teacher, options)
    print(f"{comparison.people:,} people, {comparison.photos:,} photos in the test half\n\n{_HEAD}", flush=True)
    for photos, made in networks(options, learned, teacher):
        print(comparison.row(made(), photos), flush=True)


if __name__ == "__main__":
    main()
