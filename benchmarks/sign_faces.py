"""Cut the faces of photos with a margin, as `train_signs.py` takes them.

python benchmarks/sign_faces.py --images ../shared/lfw/images --out lfw.npz
python benchmarks/sign_faces.py --images ../shared/london/neutral ../shared/london/smiling --out london.npz

A photo lies in a folder named after its person, or its file is named after the person, as in London's folders.
"""

import argparse
from pathlib import Path

import numpy as np
from occlusion_samples import MARGIN, SIDE

from app.config import read_settings
from app.vision.alignment import ARCFACE_TEMPLATE, similarity_transforms
from app.vision.imaging.decode import Limits, decode
from app.vision.imaging.warp import warp
from app.wiring.model_loading import ModelLoader
from app.wiring.storage import open_packs


def main() -> None:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, nargs="+", required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    settings = read_settings()
    analysis = ModelLoader(settings, open_packs(settings)).default_analysis()
    limits = Limits(settings.limits.photo_bytes, settings.limits.photo_pixels)
    people, canvases, landmarks = [], [], []
    for folder in options.images:
        for path in sorted(folder.rglob("*.jpg")):
            data = path.read_bytes()
            faces = analysis.analyse(data, is_flip_averaged=False, most=1)
            if not faces:
                continue
            points = faces[0].detection.landmarks
            matrix = similarity_transforms(points[None], ARCFACE_TEMPLATE + MARGIN)[0]
            canvases.append(warp(decode(data, limits).pixels, matrix, SIDE + 2 * MARGIN))
            landmarks.append(points @ matrix[:, :2].T + matrix[:, 2])
            people.append(path.stem if path.parent == folder else path.parent.name)
    np.savez(options.out, canvas=np.stack(canvases), lm=np.stack(landmarks), people=np.array(people))
    print(f"{options.out}: {len(people)} faces of {len(set(people))} people")


if __name__ == "__main__":
    main()
