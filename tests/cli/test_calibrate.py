from uuid import uuid4

import numpy as np
import pytest
from typer.testing import CliRunner

from app.cli import cli
from app.config import read_settings
from app.faces import Detection
from app.factory.services import open_calibrations, open_packs, open_store
from app.identities.values import NewFace, Person
from tests.conftest import DATA

PEOPLE = 460
NOWHERE = Detection((0, 0, 1, 1), 1.0, np.zeros((5, 2), np.float32))


def run(*arguments):
    return CliRunner().invoke(cli, ["calibrate", *arguments])


@pytest.fixture
def gallery(settings, monkeypatch):
    """A collection of random people on an embedded database of its own."""
    monkeypatch.setenv("ARCID_DATA_DIR", str(settings.data_dir))
    monkeypatch.setenv("ARCID_MODELS_DIR", str(DATA))
    store = open_store(settings)
    name = f"people-{uuid4().hex[:8]}"
    collection = store.create_collection(name, model="sface-2021dec", dimension=128)
    rng = np.random.default_rng(0)
    for number in range(PEOPLE):
        drawn = rng.standard_normal(128)
        unit = (drawn / np.linalg.norm(drawn)).astype(np.float32)
        store.enrol(collection, Person(f"p{number}"), [NewFace(str(uuid4()), unit, 20.0, NOWHERE, "0" * 64)])
    return name


def test_a_gallery_calibrates_itself_and_is_served_by_it(gallery):
    settings = read_settings()
    calibrations = open_calibrations(settings, open_packs(settings))
    shipped = calibrations.of(gallery)
    done = run("--collection", gallery)
    assert done.exit_code == 0, done.output
    own = calibrations.of(gallery)
    assert own is not None
    assert own != shipped
    assert (own.origin.people, own.origin.pairs) == (PEOPLE, PEOPLE * (PEOPLE - 1) // 2)
    assert own.origin.source == f"collection {gallery}"
    assert f"{own.threshold(1e-4):.3f}" in done.output
    assert calibrations.of("default") == shipped


def test_too_few_people_are_refused(settings, monkeypatch):
    monkeypatch.setenv("ARCID_DATA_DIR", str(settings.data_dir))
    monkeypatch.setenv("ARCID_MODELS_DIR", str(DATA))
    name = f"few-{uuid4().hex[:8]}"
    open_store(settings).create_collection(name, model="sface-2021dec", dimension=128)
    assert type(run("--collection", name).exception).__name__ == "CalibrationTooSmall"


def test_a_folder_of_people_that_is_too_small_is_refused_after_its_photos_were_read(
    settings, monkeypatch, tmp_path, portrait
):
    monkeypatch.setenv("ARCID_DATA_DIR", str(settings.data_dir))
    monkeypatch.setenv("ARCID_MODELS_DIR", str(DATA))
    (tmp_path / "eileen").mkdir()
    (tmp_path / "eileen" / "1.png").write_bytes(portrait)
    (tmp_path / "eileen" / "notes.txt").write_bytes(b"no photo")
    done = run("--images", str(tmp_path), "--out", str(tmp_path))
    assert type(done.exception).__name__ == "CalibrationTooSmall"


@pytest.mark.parametrize("arguments", [(), ("--collection", "a", "--images", "b"), ("--images", "b")])
def test_it_must_be_said_what_to_measure(arguments):
    assert type(run(*arguments).exception).__name__ == "SettingsInvalid"
