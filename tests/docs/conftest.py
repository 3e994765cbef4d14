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
    smaller = cv2.resize(np.flip(pixels, 1) * 0.8, None, fx=0.9, fy=0.9, interpolation=cv2.INTER_AREA)
    return cv2.imencode(".jpg", smaller)[1].tobytes()


@pytest.fixture(scope="session")
def desk(tmp_path_factory, faces_of, group_photo, portrait) -> Path:
    """Return the folder; tests work on copies."""
    desk = tmp_path_factory.mktemp("desk")
    ada, bob = faces_of[:2]
    photos = {
        "ada": ada,
        "ada-1": ada,
        "ada-2": another_picture(ada),
        "visitor": another_picture(ada),
        "passport": ada,
        "bob": bob,
    }
    for name, photo in {**photos, "party": group_photo, "me": portrait}.items():
        (desk / f"{name}.jpg").write_bytes(photo)
    for name, photo in zip(NAMES, faces_of, strict=True):
        person = name.lower()
        if name in NAMES[:4]:
            _write(desk / "people" / person / "1.jpg", photo)
            _write(desk / "people" / person / "2.jpg", another_picture(photo))
            _write(desk / "lfw" / name / f"{name}_0001.jpg", photo)
            _write(desk / "lfw" / name / f"{name}_0002.jpg", another_picture(photo))
            _write(desk / "staff" / person / "1.jpg", photo)
        else:
            _write(desk / "strangers" / f"{person}.jpg", photo)
    shutil.make_archive(str(desk / "staff"), "zip", desk / "staff")
    known = NAMES[:4]
    matched = [f"{each}\t1\t2" for each in known]
    others = [f"{one}\t1\t{other}\t1" for one, other in pairwise((*known, known[0]))]
    lines = [*matched[:2], *others[:2], *matched[2:], *others[2:]]
    (desk / "pairs.txt").write_text("\n".join(["2\t2", *lines]) + "\n", "utf-8")
    (desk / "photos").mkdir()
    (desk / "pairs.csv").write_text("a.jpg,b.jpg,1\na.jpg,c.jpg,0\n", "utf-8")
    crops = [cv2.resize(_pixels(each), (112, 112)) for each in (ada, another_picture(ada), ada, bob)]
    for name, photo in zip("abc", (ada, another_picture(ada), bob), strict=True):
        (desk / "photos" / f"{name}.jpg").write_bytes(photo)
    encoded = [cv2.imencode(".jpg", each)[1].tobytes() for each in crops]
    (desk / "agedb_30.bin").write_bytes(pickle.dumps((encoded, [True, False])))
    return desk


@pytest.fixture(scope="session")
def programs(tmp_path_factory):
    """Return a folder for PATH in which `arcid` starts at once."""
    folder = tmp_path_factory.mktemp("programs")
    with installed(folder):
        yield folder


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _pixels(photo: bytes):
    pixels = cv2.imdecode(np.frombuffer(photo, np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None
    return pixels
