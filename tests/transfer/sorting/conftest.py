import numpy as np
import pytest

from app.errors import NotAnImage
from app.recognition.clustering.grouping_rule import GroupingRule
from app.recognition.decisions.scoring import AS_STORED
from app.transfer.sorting.photo_sorting import PhotoSorting
from app.transfer.sorting.sorting_state import SortedFace


class FaceFinder:
    """Finds the faces that a photo's text names: `ada bob` shows two people, `ada?` a low-quality face."""

    def __init__(self):
        self.photos = []

    def __call__(self, data):
        self.photos.append(data)
        if data.startswith(b"broken"):
            raise NotAnImage("the bytes are not an image")
        names = data.decode().partition("#")[0].split()
        return tuple(self.face(name, place) for place, name in enumerate(names))

    @staticmethod
    def face(name, place):
        vector = np.zeros(26, np.float32)
        vector[ord(name[0]) - ord("a")] = 1
        return SortedFace((10.0 * place, 0.0, 10.0 * place + 8, 8.0), vector, 12.0, 0.1 if "?" in name else 0.8)


@pytest.fixture
def finder():
    return FaceFinder()


@pytest.fixture
def sorting(finder):
    return PhotoSorting(finder, AS_STORED, GroupingRule(None, 0.5), threads=2, most_bytes=1000)


@pytest.fixture
def tree(tmp_path):
    """Write photos by their texts: tree({"a.jpg": "ada"}). Text after a # only makes bytes differ."""
    root = tmp_path / "photos"

    def tree(photos):
        for name, text in photos.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        return root

    return tree
