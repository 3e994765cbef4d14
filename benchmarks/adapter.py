"""Measure whether an adapter helps with unseen people if all photos are degraded in the same way.

PYTHONPATH=. .venv/bin/python benchmarks/adapter.py --images PEOPLE [--pack open] [--work FOLDER]  PEOPLE/person/photo

Each photo is shrunk almost fourfold, enlarged again, reduced to a fifth of its contrast, and given noise, like a photo
of a cheap camera in a dark hall. A hash of the names splits the people into two halves. The adapter is trained on one
half and tested on the other: FNMR at FMR 1e-3 over all pairs, flip-averaged, with 95 % intervals from resampling
people. At most 10 photos of a person are tested (`--most`), because the pairs grow with the square of the photos, and
one person with many would decide the result. The interval of the difference keeps both thresholds fixed. `--validate`
splits the training half again and does not use the other; the method was chosen in this way.
"""

import argparse
import hashlib
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from app.config import Settings, read_settings
from app.errors import PhotoRefused
from app.evaluation.all_pairs import compare_all
from app.evaluation.bootstrap import draw_multiplicities, interval
from app.evaluation.curves import threshold_at
from app.evaluation.degradation import Degradation, apply_degradation
from app.evaluation.protocols import read_people
from app.evaluation.values import Doubles, EmbeddedPhotos, Ints, Photo, normalise
from app.training.data.folder import FolderSource, read_folder
from app.training.finetune.adapter_training import AdapterSettings, train_adapter
from app.training.finetune.linear_adapter import append_adapter
from app.types import Floats, Pixels
from app.vision.imaging.decode import Limits, decode
from app.vision.imaging.lossless import encode_png
from app.wiring.training import open_base, open_cropper, views_of

FMR = 1e-3
SHRUNK, DARKENED = 0.3, 0.6  # severities of app.evaluation.degradation
REPLICATES = 1000


def degrade(data: bytes) -> Pixels:
    """Degrade a photo, with noise seeded by its bytes."""
    pixels = decode(data, Limits()).pixels
    height, width = pixels.shape[:2]
    generator = np.random.default_rng(int.from_bytes(hashlib.sha256(data).digest()))
    small = apply_degradation(pixels, Degradation.SMALL, SHRUNK, generator)
    large = np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
    return apply_degradation(large, Degradation.DARK, DARKENED, generator)


def half_of(person: str, salt: str = "") -> int:
    """Assign a person to one of two halves."""
    return hashlib.sha256(f"{salt}{person}".encode()).digest()[0] % 2


def cut(photos: Sequence[Photo], folder: Path, settings: Settings) -> FolderSource:
    """Degrade and align photos; cache the crops in a folder."""
    cropper = open_cropper(settings)

    def one(photo: Photo) -> None:
        place = (folder / photo.name).with_suffix(".png")
        if place.exists() or place.with_suffix(".none").exists():
            return
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            place.write_bytes(encode_png(cropper.crop(encode_png(degrade(photo.read())))))
        except PhotoRefused:
            place.with_suffix(".none").touch()

    with ThreadPoolExecutor(cropper.threads) as pool:
        list(pool.map(one, photos))
    return read_folder(folder, None)


def features_of(source: FolderSource, network: bytes, settings: Settings, kept: Path) -> Floats:
    """Return the raw features (n, 2, d) of crops and their mirror images by a network; cache them in a folder."""
    file = kept / f"{hashlib.sha256(network).hexdigest()[:16]}.npy"
    if not file.exists():
        kept.mkdir(parents=True, exist_ok=True)
        np.save(file, views_of(settings, replace(open_base(settings), network=network), source))
    return np.asarray(np.load(file), np.float32)


def first_of_each(people: Sequence[str], most: int) -> list[int]:
    """Return the positions of the first `most` photos of each person."""
    seen: Counter[str] = Counter()
    places = []
    for place, person in enumerate(people):
        seen[person] += 1
        if seen[person] <= most:
            places.append(place)
    return places


def as_found(photos: Sequence[Photo], views: Floats) -> EmbeddedPhotos:
    """Return flip-averaged embeddings for an evaluation."""
    vectors = views.mean(axis=1)
    ones = np.ones(len(vectors), np.float32)
    return EmbeddedPhotos(tuple(photos), vectors, ones, np.ones((len(vectors), 4), np.float32), ones, {})


def missed(embedded: EmbeddedPhotos, threshold: float) -> tuple[Ints, Doubles]:
    """Return the person of each genuine pair, and 1 where its similarity is below the threshold."""
    units, people = normalise(embedded.embeddings), embedded.people
    first, second = np.triu_indices(len(people), 1)
    is_genuine = people[first] == people[second]
    first, second = first[is_genuine], second[is_genuine]
    return people[first], (np.einsum("nd,nd->n", units[first], units[second]) < threshold).astype(np.float64)


def report(name: str, before: EmbeddedPhotos, after: EmbeddedPhotos) -> None:
    """Print FNMR before and after, and the interval of the difference."""
    lost = []
    for stage, embedded in (("before", before), ("after", after)):
        compared = compare_all(embedded, replicates=REPLICATES)
        estimate = compared.estimates["tar@1e-3"]
        low, high = estimate.interval or (float("nan"), float("nan"))
        threshold = float(compared.curve.thresholds[threshold_at(compared.curve, FMR)])
        lost.append(missed(embedded, threshold))
        fnmr = f"FNMR {1 - estimate.value:.4f} ({1 - high:.4f} to {1 - low:.4f})"
        print(f"{name} {stage}: {fnmr} at similarity {threshold:.3f}", flush=True)
    (owners, first), (_, second) = lost
    drawn = draw_multiplicities(int(owners.max()) + 1, REPLICATES)[:, owners]
    low, high = interval((drawn @ (second - first)) / drawn.sum(axis=1)) or (float("nan"), float("nan"))
    verdict = "better" if high < 0 else "worse" if low > 0 else "no clear difference"
    print(f"{name} difference: {(second - first).mean():+.4f} ({low:+.4f} to {high:+.4f}): {verdict}", flush=True)


def main() -> None:
    """Degrade, split, learn, measure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--pack", action="append")
    parser.add_argument("--work", type=Path, default=Path(".data/benchmarks/adapter"))
    parser.add_argument("--most", type=int, default=10)
    parser.add_argument("--validate", action="store_true")
    given = parser.parse_args()
    photos = read_people(given.images)
    halves = [
        cut([each for each in photos if half_of(each.person) == number], given.work / str(number), read_settings())
        for number in range(1 if given.validate else 2)
    ]
    for pack in given.pack or ["open", "arcface-mobilefacenet"]:
        settings = read_settings(pack=pack)
        network = open_base(settings).network
        views = features_of(halves[0], network, settings, given.work / "features-0")
        labels = halves[0].labels
        if given.validate:
            is_learned = np.array([half_of(each.person, "inner ") == 0 for each in halves[0].photos])
            judged = [each for each, is_one in zip(halves[0].photos, is_learned, strict=True) if not is_one]
            adaptation = train_adapter(
                views[is_learned], np.unique(labels[is_learned], return_inverse=True)[1], AdapterSettings()
            )
            before, after = views[~is_learned], adaptation.apply(views[~is_learned])
        else:
            judged = list(halves[1].photos)
            one = append_adapter(network, train_adapter(views, labels, AdapterSettings()))
            before, after = (
                features_of(halves[1], each, settings, given.work / "features-1") for each in (network, one)
            )
        places = first_of_each([each.person for each in judged], given.most)
        judged = [judged[place] for place in places]
        print(f"{pack}: {len(judged)} photos of {len({each.person for each in judged})} people", flush=True)
        report(pack, as_found(judged, before[places]), as_found(judged, after[places]))


if __name__ == "__main__":
    main()
