"""Accuracy by the landmarks and the mirror image of a probe: the figures behind ARCID_EFFORT.

    python benchmarks/frontier.py embed --images LFW/images --out lfw.npz
    python benchmarks/frontier.py figures lfw.npz --pairs pairs.txt
    python benchmarks/frontier.py others london.npz --calibration models/calibrations/NAME-flip.json

`embed` embeds the main face of each photo with each kind of landmarks, and its mirror image. `figures` compares the
ways to treat a probe: one photo of each person is enrolled, the person's other photos are searched, and the photos of
people with one photo are strangers. The scoring and the calibration of each half of the people were fitted to the other
half, always to photos as they are enrolled. Intervals resample people. `benchmarks/frontier_cost.py` prints the costs.
"""

import argparse
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.config import read_settings
from app.evaluation.bootstrap import interval
from app.recognition.analysis import Analysis, Assessors
from app.recognition.decisions.calibration import error_rates
from app.recognition.decisions.calibration.error_rates import Calibration, CalibrationOrigin
from app.recognition.decisions.calibration.fit import calibrate
from app.types import Detection, Floats
from app.vision.alignment import align
from app.vision.detection import retinaface, yunet
from app.vision.detection.cascade import CROP_SIDE, FACE_SIDE, SMALL_CROP_SIDE, SMALL_FACE_SIDE, Cascade
from app.vision.detection.detections import Detector
from app.vision.detection.main_face import most_prominent_first
from app.vision.detection.orientations import OrientationSearch
from app.vision.detection.single_shot import Options, SingleShotDetector
from app.vision.imaging.decode import Limits, decode
from app.vision.inference.runtime import resolve
from app.vision.inference.session import Session
from app.wiring.networks import open_embedder, open_signs
from app.wiring.storage import open_packs

SIDE = 1280
SMALL, LARGE = (SMALL_FACE_SIDE, SMALL_CROP_SIDE), (FACE_SIDE, CROP_SIDE)
LANDMARKS = {"finder": None, "smaller": (96, 160), "small": SMALL, "large": LARGE}
"""Kinds of landmarks: the finder's own, or the landmarker's on a close view (pixels of the face, of the view)."""

Doubles = NDArray[np.float64]
Figure = Callable[[Doubles], float]
"""Multiplicities of the people (p,) -> a figure."""

FMRS, FPIR, REPLICATES = (1e-3, 1e-4), 0.01, 400
DECIDING = 0.004  # share of the impostor pairs, the most similar ones, that can decide a threshold


@dataclass(frozen=True, slots=True)
class Way:
    """Landmarks of enrolled photos and of probes, and whether mirror images are averaged in."""

    title: str
    probe: str
    has_mirror: bool
    is_enrolled_with_mirror: bool = True
    enrolled: str = "large"

    def needs(self) -> set[str]:
        """Return the arrays of a features file that it needs."""
        sides = (self.enrolled, self.is_enrolled_with_mirror), (self.probe, self.has_mirror)
        return {f"{kind}/{view}" for kind, has_mirror in sides for view in ("pm" if has_mirror else "p")}


WAYS = (
    Way("accurate, the default before efforts", "large", has_mirror=True),
    Way("large view, no mirror image", "large", has_mirror=False),
    Way("large view, no mirror image, enrolled alike", "large", has_mirror=False, is_enrolled_with_mirror=False),
    Way("small view, mirror image", "small", has_mirror=True),
    Way("balanced: small view, no mirror image", "small", has_mirror=False),
    Way("smaller view, no mirror image", "smaller", has_mirror=False),
    Way("finder's landmarks, mirror image", "finder", has_mirror=True),
    Way("fast: finder's landmarks, no mirror image", "finder", has_mirror=False),
    Way("fast, enrolled alike", "finder", has_mirror=False, is_enrolled_with_mirror=False, enrolled="finder"),
)


class Networks:
    """The networks of the pack of the settings and its two detectors, opened one by one."""

    def __init__(self) -> None:
        settings = read_settings()
        self.runtime = resolve(settings.inference.provider, settings.inference.threads)
        self.packs = open_packs(settings)
        files = {
            name: self.packs.verified(self.packs.manifest(name), f"{name}.onnx") for name in ("yunet", "retinaface")
        }
        self.finder = yunet.Yunet(Session(files["yunet"], self.runtime, yunet.OUTPUTS))
        self.landmarker = retinaface.RetinaFace(Session(files["retinaface"], self.runtime, retinaface.OUTPUTS))
        self.embedder = open_embedder(self.packs, self.packs.manifest(settings.pack), self.runtime)

    def detector(self, kind: str, *, is_sparing: bool = False) -> Detector:
        """Return the detector with these landmarks."""
        finder = SingleShotDetector(self.finder, Options(is_sparing=is_sparing))
        fallback, view = SingleShotDetector(self.landmarker), LANDMARKS[kind]
        face, side = view or (FACE_SIDE, CROP_SIDE)
        most = 0 if view is None else 100
        return OrientationSearch(
            Cascade(finder, self.landmarker, fallback, most=most, face_side=face, crop_side=side), finder, SIDE
        )

    def analysis(self, kind: str, *, is_sparing: bool = False) -> Analysis:
        """Return the analysis with these landmarks."""
        detector = self.detector(kind, is_sparing=is_sparing)
        return Analysis(
            detector, self.embedder, limits=Limits(), detection_side=SIDE, assessors=Assessors(open_signs())
        )


# Embeddings


def embed(images: Path, out: Path, most: int) -> None:
    """Write the features of each kind of landmarks, plain and mirrored; photos without a face are left out."""
    networks = Networks()
    detectors = {kind: networks.detector(kind) for kind in LANDMARKS}
    files: list[str] = []
    features: dict[str, tuple[list[Floats], list[Floats]]] = {kind: ([], []) for kind in LANDMARKS}
    for path in photos_of(images, most):
        pixels = decode(path.read_bytes(), Limits()).pixels
        faces = {kind: _main(detector, pixels) for kind, detector in detectors.items()}
        if None in faces.values():
            continue
        files.append(str(path.relative_to(images)))
        for kind, face in faces.items():
            crops = align(pixels, face.landmarks[None]) if face is not None else np.empty(0, np.uint8)
            for view, kept in zip((crops, crops[:, :, ::-1]), features[kind], strict=True):
                found = networks.embedder.embed(view)
                kept.append(found.vectors[0] * found.norms[0])
    arrays = {"files": np.array(files)}
    for kind, (plain, mirrored) in features.items():
        arrays |= {f"{kind}/p": np.stack(plain), f"{kind}/m": np.stack(mirrored)}
    np.savez(out, allow_pickle=False, **arrays)


def photos_of(images: Path, most: int) -> Iterator[Path]:
    """Yield the first photos of each person, at most `most`."""
    for folder in sorted(each for each in images.iterdir() if each.is_dir()):
        yield from sorted(folder.glob("*.jpg"))[:most]


def _main(detector: Detector, pixels: NDArray[np.uint8]) -> Detection | None:
    faces = most_prominent_first(detector.detect(pixels), pixels.shape)
    return faces[0] if faces else None


# Figures


Calibrations = list[tuple[NDArray[np.bool_], Calibration]]
"""Which photos (n,) each calibration is for."""


class Features:
    """Saved features of photos and the numbers of their people; `is_first` marks the photos of one half of them."""

    def __init__(self, file: Path) -> None:
        self.arrays = np.load(file)
        self.files = self.arrays["files"].tolist()
        names = [Path(each).parent.name for each in self.files]
        self.names, self.people = np.unique(names, return_inverse=True)
        self.counts = np.bincount(self.people)
        self.is_first = np.array([hashlib.sha256(name.encode()).digest()[0] % 2 == 0 for name in names])

    def of(self, kind: str, *, has_mirror: bool) -> tuple[Floats, Floats]:
        """Return unit vectors (n, d) and raw norms (n,)."""
        plain = self.arrays[f"{kind}/p"]
        raw = (plain + self.arrays[f"{kind}/m"]) / 2 if has_mirror else plain
        norms = np.linalg.norm(raw, axis=1)
        return (raw / norms[:, None]).astype(np.float32), norms.astype(np.float32)

    def calibrations(self, way: Way) -> Calibrations:
        """Return the calibration for each half of the people, fitted to photos of the other half as enrolled."""
        has_mirror = way.is_enrolled_with_mirror
        units, norms = self.of(way.enrolled, has_mirror=has_mirror)
        origin = CalibrationOrigin("", "", "", has_mirror, 0, 0, 0, "the other half")
        return [
            (half, calibrate(units[~half], [str(each) for each in self.people[~half]], origin, norms=norms[~half]))
            for half in (self.is_first, ~self.is_first)
        ]

    def vectors(self, way: Way, shipped: Calibration | None = None) -> tuple[Floats, Floats, Calibrations]:
        """Return the scored vectors of the photos as enrolled and as probes, and the calibrations of the halves."""
        calibrations = [(np.ones(len(self.people), bool), shipped)] if shipped else self.calibrations(way)
        sides = []
        for kind, has_mirror in ((way.enrolled, way.is_enrolled_with_mirror), (way.probe, way.has_mirror)):
            units, norms = self.of(kind, has_mirror=has_mirror)
            scored = np.empty_like(units)
            for half, calibration in calibrations:
                scored[half] = error_rates.scoring_of(calibration).vectors(units[half], norms[half])
            sides.append(scored)
        return sides[0], sides[1], calibrations


def misses(photos: Features, enrolled: Floats, probes: Floats, draws: int = 5) -> Figure:
    """Return the FNIR at FPIR, one photo against one: the mean of several draws of the enrolled photos."""
    rng, is_several = np.random.default_rng(0), (photos.counts > 1)[photos.people]
    strangers, rounds = np.flatnonzero(~is_several), []
    for _ in range(draws):
        order = rng.permutation(len(photos.people))
        order = order[is_several[order]]
        owners, first = np.unique(photos.people[order], return_index=True)
        gallery = order[first]
        searched = np.setdiff1d(np.flatnonzero(is_several), gallery)
        similarities = probes[searched] @ enrolled[gallery].T
        mates = np.searchsorted(owners, photos.people[searched])
        own = np.where(similarities.argmax(axis=1) == mates, similarities[np.arange(len(searched)), mates], -1)
        highest = (probes[strangers] @ enrolled[gallery].T).max(axis=1)
        descending = np.argsort(-highest)
        rounds.append((own, photos.people[searched], highest[descending], photos.people[strangers[descending]]))

    def figure(weights: Doubles) -> float:
        rates = []
        for own, owner, highest, stranger in rounds:
            above = np.cumsum(weights[stranger])
            threshold = highest[np.searchsorted(above, FPIR * above[-1])]
            rates.append(np.average(own < threshold, weights=weights[owner] / photos.counts[owner]))
        return float(np.mean(rates))

    return figure


def false_non_matches(photos: Features, enrolled: Floats, probes: Floats) -> list[Figure]:
    """Return the FNMR at each of FMRS over all pairs of a probe and an enrolled photo; each person counts once."""
    similarities, people, counts = probes @ enrolled.T, photos.people, photos.counts
    is_same = people[:, None] == people
    first, second = np.nonzero(is_same & ~np.eye(len(people), dtype=bool))
    genuine, owner = similarities[first, second], people[first]
    similarities[is_same] = -2
    most = int(DECIDING * similarities.size)
    best = np.argpartition(similarities.ravel(), -most)[-most:]
    best = best[np.argsort(-similarities.ravel()[best])]
    highest, one, other = similarities.ravel()[best], people[best // len(people)], people[best % len(people)]
    each_once = 1 / (counts[owner] * (counts[owner] - 1))

    def figure(weights: Doubles, fmr: float) -> float:
        total = (weights * counts).sum() ** 2 - ((weights * counts) ** 2).sum()
        place = np.searchsorted(np.cumsum(weights[one] * weights[other]), fmr * total)
        return float(np.average(genuine < highest[min(place, most - 1)], weights=weights[owner] * each_once))

    return [partial(figure, fmr=fmr) for fmr in FMRS]


def observed(photos: Features, enrolled: Floats, probes: Floats, calibrations: Calibrations) -> list[float]:
    """Return the observed over the stated FMR at each of FMRS, over both halves of the people."""
    reached, pairs = np.zeros(len(FMRS)), 0
    for half, calibration in calibrations:
        similarities = probes[half] @ enrolled[half].T
        impostors = similarities[photos.people[half][:, None] != photos.people[half]]
        reached += [(impostors >= calibration.threshold(fmr)).sum() for fmr in FMRS]
        pairs += impostors.size
    return [float(count / pairs / fmr) for count, fmr in zip(reached, FMRS, strict=True)]


def view_2(photos: Features, pairs: Path, enrolled: Floats, probes: Floats) -> tuple[float, int]:
    """Return the accuracy on the pairs of embedded photos; the threshold is that of the other folds."""
    header, *lines = pairs.read_text().splitlines()
    folds, size = (int(each) for each in header.split())
    place = {file: at for at, file in enumerate(photos.files)}
    scores, truth, fold = [], [], []
    for number, line in enumerate(lines):
        parts = line.split("\t")
        one, other = (parts[0], parts[1]), ((parts[0], parts[2]) if len(parts) == 3 else (parts[2], parts[3]))
        both = [place.get(f"{name}/{name}_{int(photo):04d}.jpg") for name, photo in (one, other)]
        if None not in both:
            scores.append(float(enrolled[both[0]] @ probes[both[1]]))
            truth.append(len(parts) == 3)
            fold.append(number // (2 * size))
    similarity, is_mate, of = np.array(scores), np.array(truth), np.array(fold)
    right = 0
    for number in range(folds):
        others, held = of != number, of == number
        steps = np.sort(similarity[others])
        best = max(steps, key=lambda step: ((similarity[others] >= step) == is_mate[others]).sum())
        right += int(((similarity[held] >= best) == is_mate[held]).sum())
    return right / len(similarity), len(similarity)


def figures(file: Path, pairs: Path | None) -> None:
    """Print the figures of each way, and the differences to the first with their intervals."""
    photos = Features(file)
    ways = [way for way in WAYS if way.needs() <= set(photos.arrays.files)]
    several = int((photos.counts > 1).sum())
    print(f"{len(photos.people)} photos of {len(photos.counts)} people, {several} of them with several photos")
    people = len(photos.counts)
    drawn = np.random.default_rng(1).multinomial(people, np.full(people, 1 / people), REPLICATES).astype(np.float64)
    names = ["FNIR at FPIR 1 %", *(f"FNMR at FMR {fmr:g}" for fmr in FMRS)]
    base: list[Doubles] = []
    for way in ways:
        enrolled, probes, calibrations = photos.vectors(way)
        found = [misses(photos, enrolled, probes), *false_non_matches(photos, enrolled, probes)]
        samples = [np.array([figure(np.ones(people)), *(figure(each) for each in drawn)]) for figure in found]
        base = base or samples
        print(f"\n{way.title}")
        for name, these, first in zip(names, samples, base, strict=True):
            change = these - first
            print(f"  {name:<18}{these[0]:8.2%} {_interval(these)}   {change[0]:+.2%} {_interval(change)}")
        ratios = ", ".join(f"{each:.2f}" for each in observed(photos, enrolled, probes, calibrations))
        print(f"  observed over stated FMR at {' and '.join(f'{fmr:g}' for fmr in FMRS)}: {ratios}", flush=True)
        if pairs is not None:
            accuracy, count = view_2(photos, pairs, enrolled, probes)
            print(f"  accuracy of {count} pairs: {accuracy:.2%}", flush=True)


def others(file: Path, calibration: Path) -> None:
    """Print the observed over the stated FMR of a calibration on other people."""
    photos, shipped = Features(file), error_rates.read_calibration(calibration)
    print(f"{len(photos.people)} photos of {len(photos.counts)} people")
    for way in WAYS:
        if way.needs() <= set(photos.arrays.files) and way.is_enrolled_with_mirror:
            enrolled, probes, calibrations = photos.vectors(way, shipped)
            ratios = ", ".join(f"{each:.2f}" for each in observed(photos, enrolled, probes, calibrations))
            print(f"{way.title:<44} FMR at {' and '.join(f'{fmr:g}' for fmr in FMRS)}: {ratios} times what is stated")


def _interval(samples: Doubles) -> str:
    low, high = interval(samples[1:]) or (np.nan, np.nan)
    return f"[{low:+.2%}, {high:+.2%}]"


def main() -> None:
    """Read the options and run the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    of = {name: commands.add_parser(name) for name in ("embed", "figures", "others")}
    of["embed"].add_argument("--images", type=Path, required=True)
    of["embed"].add_argument("--out", type=Path, required=True)
    of["embed"].add_argument("--most", type=int, default=1000, help="photos of a person")
    of["figures"].add_argument("file", type=Path)
    of["figures"].add_argument("--pairs", type=Path)
    of["others"].add_argument("file", type=Path)
    of["others"].add_argument("--calibration", type=Path, required=True)
    options = parser.parse_args()
    if options.command == "embed":
        embed(options.images, options.out, options.most)
    elif options.command == "others":
        others(options.file, options.calibration)
    else:
        figures(options.file, options.pairs)


if __name__ == "__main__":
    main()
