"""Embed degraded copies of photos of people, to measure error rates on photos like those of a bad camera.

    python benchmarks/degraded_faces.py --images LFW/images --people 600 --out degraded/

Writes a file for `benchmarks/adaptive_calibration.py` for each way: `motion` (blur along a line of 0.3 eye distances,
13 pixels in a photo of LFW), `cctv` (a face 62 pixels wide, noise, JPEG quality 30), `sunglasses` (a black bar) and
`mask` (a plain patch from the nose to the chin). The images are folders of people. A copy in which no face is found is
left out.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from occluders import Image, Points, Scene
from occlusion_samples import moved

from app.config import read_settings
from app.recognition.analysis import Face
from app.vision.imaging.decode import Limits, decode
from app.vision.quality import judge
from app.wiring.model_loading import ModelLoader
from app.wiring.storage import open_packs

Degrade = Callable[[Image, Points, np.random.Generator], Image]
_SUFFIXES = {".jpg", ".jpeg", ".png"}
_BLUR = 0.3  # eye distances
_FACE_PIXELS, _FACE_WIDTH = 62, 2.6  # width of a face in pixels of the camera, and in eye distances
_NOISE, _JPEG_QUALITY = 10, 30
_BAR = np.array([(-1.05, -0.3), (1.05, -0.3), (1.05, 0.35), (-1.05, 0.35)])  # in face units, see `Scene`
_MASK = np.array([(0, 0.45), (0.95, 0.6), (0.9, 1.3), (0.45, 1.9), (-0.45, 1.9), (-0.9, 1.3), (-0.95, 0.6)])


def _motion(photo: Image, landmarks: Points, rng: np.random.Generator) -> Image:
    return moved(photo, max(_BLUR * _eye_distance(landmarks), 3.0), rng)


def _cctv(photo: Image, landmarks: Points, rng: np.random.Generator) -> Image:
    factor = _FACE_PIXELS / (_FACE_WIDTH * _eye_distance(landmarks))
    small = cv2.resize(photo, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    noisy = np.clip(small + rng.normal(0, _NOISE, small.shape), 0, 255).astype(np.uint8)
    data = cv2.imencode(".jpg", noisy, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])[1]
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)


def _covered(shape: Points, colour: tuple[float, float, float]) -> Degrade:
    def cover(photo: Image, landmarks: Points, rng: np.random.Generator) -> Image:
        scene = Scene.of(photo, landmarks, rng, [])
        scene.cover(scene.mask(shape, softness=0.7), np.broadcast_to(np.array(colour, np.float32), photo.shape))
        return np.clip(scene.picture, 0, 255).astype(np.uint8)

    return cover


def _eye_distance(landmarks: Points) -> float:
    return float(np.linalg.norm(landmarks[1] - landmarks[0]))


WAYS: dict[str, Degrade] = {
    "motion": _motion,
    "cctv": _cctv,
    "sunglasses": _covered(_BAR, (20, 20, 20)),
    "mask": _covered(_MASK, (190, 215, 230)),
}


def chosen_photos(folder: Path, people: int, photos: int) -> list[Path]:
    """Return the first photos of random people."""
    folders = sorted(each for each in folder.iterdir() if each.is_dir())
    order = np.random.default_rng(0).permutation(len(folders))[:people]
    found = (sorted(each for each in folders[at].iterdir() if each.suffix.lower() in _SUFFIXES) for at in order)
    return [photo for each in found for photo in each[:photos]]


class EmbeddedCopies:
    """Embeddings of the copies made in one way."""

    def __init__(self) -> None:
        self.files: list[str] = []
        self.faces: list[Face] = []

    def add(self, path: Path, face: Face) -> None:
        """Add the face of a copy."""
        self.files.append(f"{path.parent.name}/{path.name}")
        self.faces.append(face)

    def write(self, file: Path, typical_norm: float | None) -> None:
        """Write the file, with the fields of `--save-embeddings` except vectors and boxes."""
        norms = np.array([each.norm for each in self.faces], np.float32)
        embeddings = np.stack([each.vector for each in self.faces]) * norms[:, None]
        scores = [judge(each.measures, each.norm, typical_norm).score for each in self.faces]
        quality = np.array(scores, np.float32)
        np.savez(file, files=np.array(self.files), embeddings=embeddings, norms=norms, quality=quality)


def main() -> None:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--people", type=int, default=600)
    parser.add_argument("--photos", type=int, default=1, help="of each person")
    options = parser.parse_args()
    settings = read_settings()
    loader = ModelLoader(settings, open_packs(settings))
    analysis = loader.default_analysis()
    calibration = loader.calibrations(loader.served[0]).shipped(is_flip_averaged=True)
    limits = Limits(settings.limits.photo_bytes, settings.limits.photo_pixels)
    rng = np.random.default_rng(0)
    copies = {name: EmbeddedCopies() for name in WAYS}
    for path in chosen_photos(options.images, options.people, options.photos):
        data = path.read_bytes()
        found = analysis.analyse(data, is_flip_averaged=False, most=1)
        for name, degrade in WAYS.items() if found else ():
            landmarks = found[0].detection.landmarks.astype(np.float64)
            copy = np.ascontiguousarray(degrade(decode(data, limits).pixels, landmarks, rng)[:, :, ::-1])
            faces = analysis.analyse(cv2.imencode(".png", copy)[1].tobytes(), is_flip_averaged=True, most=1)
            if faces:
                copies[name].add(path, faces[0])
    options.out.mkdir(parents=True, exist_ok=True)
    for name, embedded in copies.items():
        embedded.write(options.out / f"{name}.npz", calibration.typical_norm if calibration else None)
        print(f"{name}: {len(embedded.files)} faces")


if __name__ == "__main__":
    main()
