"""Make simulated presentation attacks from photos of people, to try what looks for them.

    python benchmarks/presentation_attacks.py --photos LFW/images --people 200 --out attacks/
    arcid evaluate liveness --live attacks/live --attacks attacks/attacks --out report/

Writes `live/PERSON/photo.jpg`, and `attacks/KIND/PERSON/photo.jpg` for each kind: a print held by hand (`print`) or so
close that its edge does not show (`print-close`), a screen (`screen`, `screen-close`), and a compressed video on a
screen (`replay`). Live faces go through the same simulated camera as attacks. A photo's person is its folder, or its
file name with `--person file`. The same photo, kind and seed give the same file. A file SIMULATED.txt marks both
folders, so that no table mixes their figures with those of real attacks.

**A simulation tests that the parts work together. It does not measure security**: a real print differs from this one.
"""

import argparse
import hashlib
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import cv2
import numpy as np
from attack_artefacts import Artefact, Image, displayed, linear, printed, recompressed
from attack_camera import held, photographed, with_glare

from app.evaluation.liveness.presentations import SIMULATED_FILE

_SUFFIXES = {".jpg", ".jpeg", ".png"}
_LIVE = "live"
_SHARE_OF_PICTURE = {False: (0.72, 0.92), True: (1.08, 1.25)}  # of the artefact's side; above 1 if it is close
_SIDES = (320, 720)  # smallest and largest longer side of an attack's picture, in pixels


class AttackKind(StrEnum):
    """A kind of presentation attack instrument."""

    PRINT = "print"
    PRINT_CLOSE = "print-close"
    SCREEN = "screen"
    SCREEN_CLOSE = "screen-close"
    REPLAY = "replay"

    @property
    def is_close(self) -> bool:
        """Whether the artefact fills the picture."""
        return self in {AttackKind.PRINT_CLOSE, AttackKind.SCREEN_CLOSE}


@dataclass(frozen=True)
class SourcePhoto:
    """A photo and its person."""

    path: Path
    person: str


def attack(pixels: Image, kind: AttackKind, rng: np.random.Generator) -> Image:
    """Return the photo (h, w, 3), RGB, of an artefact that shows another photo (h, w, 3)."""
    low, high = _SHARE_OF_PICTURE[kind.is_close]
    share = rng.uniform(low, high)
    longer = np.clip(max(pixels.shape) / (1.0 if kind.is_close else share), *_SIDES)
    height, width = (round(side / max(pixels.shape) * longer) for side in pixels.shape[:2])
    artefact = _artefact(pixels, kind, longer * share, rng)
    light = held(artefact, (height, width), rng, is_close=kind.is_close)
    is_glass = kind not in {AttackKind.PRINT, AttackKind.PRINT_CLOSE}
    return photographed(with_glare(light, rng) if is_glass and rng.random() < 0.6 else light, rng)


def live(pixels: Image, rng: np.random.Generator) -> Image:
    """Return a photo as the simulated camera takes it, without an artefact."""
    return photographed(linear(pixels), rng)


def photos_of(folder: Path, *, is_person_file: bool) -> list[SourcePhoto]:
    """Return all photos below a folder, sorted by path."""
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in _SUFFIXES)
    return [SourcePhoto(path, path.stem if is_person_file else path.parent.name) for path in paths]


def chosen(photos: list[SourcePhoto], people: int, each: int, seed: int) -> Iterator[SourcePhoto]:
    """Yield the first photos of random people."""
    of_people: dict[str, list[SourcePhoto]] = {}
    for photo in photos:
        of_people.setdefault(photo.person, []).append(photo)
    names = sorted(of_people)
    for at in np.random.default_rng(seed).permutation(len(names))[:people]:
        yield from of_people[names[at]][:each]


def write_all(photo: SourcePhoto, out: Path, kinds: list[AttackKind], seed: int) -> None:
    """Write a photo's live file and its attacks."""
    data = photo.path.read_bytes()
    pixels = np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), np.uint8)[:, :, ::-1]
    name = f"{photo.path.parent.name}-{photo.path.stem}.jpg"
    _write(live(pixels, _generator(data, _LIVE, seed)), out / _LIVE / photo.person / name)
    for kind in kinds:
        made = attack(pixels, kind, _generator(data, kind, seed))
        _write(made, out / "attacks" / kind / photo.person / name)


def main() -> None:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--people", type=int, default=200)
    parser.add_argument("--each", type=int, default=1, help="photos of each person")
    parser.add_argument("--person", choices=("folder", "file"), default="folder")
    parser.add_argument("--kinds", nargs="+", type=AttackKind, choices=list(AttackKind), default=list(AttackKind))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=1)
    options = parser.parse_args()
    photos = photos_of(options.photos, is_person_file=options.person == "file")
    todo = list(chosen(photos, options.people, options.each, options.seed))
    with ProcessPoolExecutor(options.processes) as pool:
        runs = [pool.submit(write_all, photo, options.out, options.kinds, options.seed) for photo in todo]
        for run in runs:
            run.result()
    for each in (_LIVE, "attacks"):
        (options.out / each / SIMULATED_FILE).write_text("made by benchmarks/presentation_attacks.py\n", "utf-8")
    print(f"{len(todo)} photos, {len(options.kinds)} kinds of simulated attacks: {options.out}")


def _artefact(pixels: Image, kind: AttackKind, side: float, rng: np.random.Generator) -> Artefact:
    match kind:
        case AttackKind.PRINT | AttackKind.PRINT_CLOSE:
            return printed(pixels, side, rng, has_margin=not kind.is_close and rng.random() < 0.7)
        case AttackKind.SCREEN | AttackKind.SCREEN_CLOSE:
            return displayed(pixels, side, rng, has_bezel=not kind.is_close)
        case AttackKind.REPLAY:
            return displayed(recompressed(pixels, rng), side, rng, has_bezel=rng.random() < 0.5)


def _generator(data: bytes, kind: str, seed: int) -> np.random.Generator:
    return np.random.default_rng(int.from_bytes(hashlib.sha256(data + f"{kind} {seed}".encode()).digest()))


def _write(pixels: Image, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(".jpg", pixels[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes())


if __name__ == "__main__":
    main()
