"""A HEIC photo is accepted where others are: in a form, as base64, by CompreFace's API and in imports."""

import base64
import zipfile
from pathlib import Path

from app.transfer.photo_sources import open_source

HEIC = (Path(__file__).parents[1] / "vision" / "imaging" / "heic" / "turned-6.heic").read_bytes()


def test_a_heic_is_examined(client):
    assert client.post("/detect", files={"photo": ("IMG_1.HEIC", HEIC, "image/heic")}).json()["faces"] == []
    assert client.post("/detect", json={"photo": base64.b64encode(HEIC).decode()}).json()["faces"] == []


def test_compreface_takes_a_heic(client):
    answer = client.post("/api/v1/detection/detect", files={"file": HEIC}, headers={"x-api-key": "none"})
    assert answer.json()["code"] == 28  # no face, not a damaged photo


def test_a_zip_of_heics_is_read(tmp_path):
    with zipfile.ZipFile(tmp_path / "people.zip", "w") as file:
        file.writestr("ada/IMG_1.HEIC", HEIC)
    with open_source(tmp_path / "people.zip") as source:
        assert len(source.items) == 1
