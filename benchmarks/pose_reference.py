"""Write head poses by MediaPipe's Face Mesh, for `attributes.py --poses`.

    python -m venv mesh; mesh/bin/pip install --no-deps mediapipe==0.10.14
    mesh/bin/pip install absl-py attrs flatbuffers "protobuf<5" "numpy<2" opencv-python-headless matplotlib
    mesh/bin/python benchmarks/pose_reference.py --images lfw/ --frontal london/neutral --most 700 --out poses.json

It needs a separate environment. The pose of a face is the rotation of its 468 points against their mean shape
(Kabsch, Acta Crystallographica A 1976). The pose of the photos in `--frontal`, on average, is zero.
"""

import argparse
import importlib
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
_SEED = 1


def mesh_of(network: Any, path: Path) -> Doubles | None:
    """Return the points (468, 3) of the first face in pixels: right, down, away from the camera."""
    photo = np.ascontiguousarray(np.asarray(cv2.imread(str(path)))[:, :, ::-1])
    height, width = photo.shape[:2]
    faces = network.process(photo).multi_face_landmarks
    if not faces:
        return None
    return np.array([[point.x * width, point.y * height, point.z * width] for point in faces[0].landmark])


def centred(points: Doubles) -> Doubles:
    """Return points around the origin, with unit size."""
    moved = points - points.mean(axis=0)
    return np.asarray(moved / np.sqrt((moved**2).sum()))


def rotation(source: Doubles, target: Doubles) -> Doubles:
    """Return the rotation (3, 3) that turns the source's points to the target's."""
    left, _, right = np.linalg.svd(source.T @ target)
    sign = np.sign(np.linalg.det(left @ right))
    return np.asarray((left @ np.diag([1, 1, sign]) @ right).T)


def mean_shape(faces: list[Doubles]) -> Doubles:
    """Return the mean shape of frontal faces, turned so that their mean rotation is zero."""
    shape = np.mean(faces, axis=0)
    for _ in range(5):
        shape = np.mean([face @ rotation(face, shape).T for face in faces], axis=0)
    left, _, right = np.linalg.svd(np.mean([rotation(shape, face) for face in faces], axis=0))
    return np.asarray(shape @ (left @ right).T)


def angles(turned: Doubles) -> list[float]:
    """Return yaw, pitch and roll in degrees with the signs of `HeadPose`."""
    nose, eyes = -turned[:, 2], turned[:, 0]
    yaw, pitch = np.arctan2(nose[0], -nose[2]), np.arcsin(np.clip(-nose[1], -1, 1))
    down = np.array([np.sin(yaw) * np.sin(pitch), np.cos(pitch), -np.cos(yaw) * np.sin(pitch)])
    roll = np.arctan2(down @ eyes, np.cos(yaw) * eyes[0] + np.sin(yaw) * eyes[2])
    return [float(np.degrees(each)) for each in (yaw, pitch, roll)]


def main() -> None:
    """Read the arguments and write the poses."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True, help="folder of photos, at any depth")
    parser.add_argument("--frontal", type=Path, required=True, help="folder of photos of frontal faces")
    parser.add_argument("--most", type=int, default=700, help="photos, chosen at random")
    parser.add_argument("--out", type=Path, required=True, help="file to write")
    options = parser.parse_args()
    solutions = importlib.import_module("mediapipe.python.solutions.face_mesh")
    network = solutions.FaceMesh(static_image_mode=True, max_num_faces=1)
    frontal = [mesh_of(network, path) for path in sorted(options.frontal.glob("*.jpg"))]
    shape = mean_shape([centred(each) for each in frontal if each is not None])
    photos = sorted(options.images.rglob("*.jpg"))
    chosen = np.random.default_rng(_SEED).choice(len(photos), min(options.most, len(photos)), replace=False)
    poses = {}
    for path in (photos[place] for place in sorted(chosen)):
        points = mesh_of(network, path)
        if points is not None:
            turned = rotation(shape, centred(points))
            name = path.relative_to(options.images).as_posix()
            poses[name] = {"angles": angles(turned), "centre": points[:, :2].mean(axis=0).tolist()}
    options.out.write_text(json.dumps(poses), "utf-8")
    print(f"{len(poses)} of {len(chosen)} photos")


if __name__ == "__main__":
    main()
