"""A desk with the files that the documentation's examples name, made of the photos that all tests use."""

import pickle
import shutil
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.docs.quick_arcid import installed

NAMES = ("Ada", "Bob", "Cora", "Dan", "Eve", "Finn")


def another_picture(photo: bytes) -> bytes:
    """Return a photo as another picture of the same person: darker, a little smaller, mirrored."""
    pixels = _pixels(photo)
    darker = (np.flip(pixels, 1) * 0.8).astype(np.uint8)
    smaller = cv2.resize(darker, None, fx=0.9, fy=0.9, interpolation=cv2.INTER_AREA)
    return cv2.imencode(".jpg", smaller)[1].tobytes()


@pytest.fixture(scope="session")
def desk(tmp_path_factory, faces_of, group_photo, portrait, faceless) -> Path:
    """Return the folder; tests work on copies."""
    desk: Path = tmp_path_factory.mktemp("desk")
    ada, bob = faces_of[:2]
    other = another_picture(ada)
    photos = {"ada": ada, "ada-1": ada, "ada-2": other, "visitor": other, "passport": ada, "bob": bob}
    photos |= {
        "photos/a": ada,
        "photos/b": other,
        "photos/c": bob,
        "party": group_photo,
        "me": portrait,
        "landscape": faceless,
    }
    for name, photo in zip(NAMES[:4], faces_of, strict=False):
        photos |= {f"people/{name.lower()}/1": photo, f"people/{name.lower()}/2": another_picture(photo)}
        photos |= {f"lfw/{name}/{name}_0001": photo, f"lfw/{name}/{name}_0002": another_picture(photo)}
        photos |= {f"staff/{name.lower()}/1": photo}
    photos |= {f"strangers/{number}": photo for number, photo in enumerate(faces_of[4:])}
    for name, photo in photos.items():
        path = desk / f"{name}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(photo)
    shutil.make_archive(str(desk / "staff"), "zip", desk / "staff")
    _write_pairs(desk, [ada, other, ada, bob])
    return desk


def _write_pairs(desk: Path, bin_photos: list[bytes]) -> None:
    """Write pairs as LFW, a CSV file and InsightFace's sets have them."""
    known = NAMES[:4]
    matched = [f"{each}\t1\t2" for each in known]
    others = [f"{one}\t1\t{other}\t1" for one, other in pairwise((*known, known[0]))]
    lines = [*matched[:2], *others[:2], *matched[2:], *others[2:]]
    (desk / "pairs.txt").write_text("\n".join(["2\t2", *lines]) + "\n", "utf-8")
    (desk / "pairs.csv").write_text("a.jpg,b.jpg,1\na.jpg,c.jpg,0\n", "utf-8")
    crops = [cv2.resize(_pixels(each), (112, 112)) for each in bin_photos]
    encoded = [cv2.imencode(".jpg", each)[1].tobytes() for each in crops]
    (desk / "agedb_30.bin").write_bytes(pickle.dumps((encoded, [True, False])))


@pytest.fixture(scope="session")
def programs(tmp_path_factory):
    """Return a folder for PATH in which `arcid` starts at once."""
    folder = tmp_path_factory.mktemp("programs")
    with installed(folder):
        yield folder


def _pixels(photo: bytes):
    pixels = cv2.imdecode(np.frombuffer(photo, np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None
    return pixels
