"""Measure the share of genuine pairs below each similarity of docs/compreface.md.

PYTHONPATH=. .venv/bin/python benchmarks/likeness.py FOLDER [PEOPLE]      FOLDER/person/photo.jpg
"""

import random
import sys
from pathlib import Path

import numpy as np

from app.compreface.similarity_score import SimilarityScale
from app.config import read_settings
from app.recognition.decisions.policy import Policy
from app.wiring.model_loading import ModelLoader
from app.wiring.storage import open_packs

THRESHOLDS = (0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.97, 0.98, 0.99)


def main(folder: Path, most: int = 400) -> None:
    """Compare two photos of each of `most` people, chosen with a fixed seed."""
    settings = read_settings()
    models = ModelLoader(settings, open_packs(settings))
    analysis = models.default_analysis()
    scale = SimilarityScale(Policy(models.calibrations(models.served[0]).shipped(is_flip_averaged=True), 0))
    people = [sorted(step.glob("*.jpg")) for step in sorted(folder.iterdir()) if step.is_dir()]
    people = [photos for photos in people if len(photos) > 1]
    choice = random.Random(5)
    choice.shuffle(people)
    likenesses = []
    for photos in people[:most]:
        pair = choice.sample(photos, 2)
        faces = [analysis.analyse(photo.read_bytes(), is_flip_averaged=True) for photo in pair]
        if all(faces):
            likenesses.append(scale.score(float(faces[0][0].vector @ faces[1][0].vector)))
    similarities = np.array(likenesses)
    print(f"{len(similarities)} pairs")
    for step in THRESHOLDS:
        print(f"{step:.2f}  {np.mean(similarities < step):.4f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
