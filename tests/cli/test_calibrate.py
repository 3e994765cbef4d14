import sys
from uuid import uuid4

import numpy as np
import pytest
from typer.testing import CliRunner

from app.cli import cli
from app.config import read_settings
from app.container import Container
from app.errors import CalibrationTooSmall
from app.gallery.store.values import CollectionSettings, NewFace, Person
from app.types import Detection
from app.vision.quality import Quality
from tests.conftest import DATA

PEOPLE = 460
NOWHERE = Detection((0, 0, 1, 1), 1.0, np.zeros((5, 2), np.float32))


def run(*arguments):
    return CliRunner().invoke(cli, ["calibrate", *arguments])


@pytest.fixture(params=[True, False], ids=["flip-averaged", "plain"])
def gallery(settings, monkeypatch, request):
    """A collection of random people in a separate embedded database."""
    monkeypatch.setenv("ARCID_DATA_DIR", str(settings.data_dir))
    monkeypatch.setenv("ARCID_MODELS_DIR", str(DATA))
    store = Container(settings).store
    name = f"people-{uuid4().hex[:8]}"
    collection_settings = CollectionSettings(is_flip_averaged=request.param)
    collection = store.create_collection(name, model="sface-2021dec", dimension=128, settings=collection_settings)
    rng = np.random.default_rng(0)
    for number in range(PEOPLE):
        drawn = rng.standard_normal(128)
        unit = (drawn / np.linalg.norm(drawn)).astype(np.float32)
        face = NewFace(str(uuid4()), unit, 20.0 + number % 3, Quality(0.8), NOWHERE, "0" * 64)
        store.enroll(collection, Person(f"p{number}"), [face])
    return name


def test_a_gallery_calibrates_itself_and_is_served_by_it(gallery):
    settings = read_settings()
    serving = Container(settings).registry
    calibrations = serving.calibrations(serving.default)
    kind = Container(settings).store.collection(gallery).settings.is_flip_averaged
    shipped, other = (calibrations.of(gallery, is_flip_averaged=each) for each in (kind, not kind))
    done = run("--collection", gallery)
    assert done.exit_code == 0, done.output
    own = calibrations.of(gallery, is_flip_averaged=kind)
    assert own is not None
    assert own != shipped
    assert (own.origin.people, own.origin.pairs) == (PEOPLE, PEOPLE * (PEOPLE - 1) // 2)
    assert own.origin.source == f"collection {gallery}"
    assert f"{own.threshold(1e-4):.3f}" in done.output
    assert calibrations.of("default", is_flip_averaged=kind) == shipped
    assert own.origin.is_flip_averaged is kind
    assert own.typical_norm == (21 if shipped is None or shipped.mean is None else shipped.typical_norm)
    assert calibrations.of(gallery, is_flip_averaged=not kind) == other


def test_a_small_gallery_adapts_the_shipped_calibration_at_once(settings, monkeypatch):
    monkeypatch.setenv("ARCID_DATA_DIR", str(settings.data_dir))
    monkeypatch.setenv("ARCID_MODELS_DIR", str(DATA))
    store, name = Container(settings).store, f"small-{uuid4().hex[:8]}"
    collection = store.create_collection(name, model="sface-2021dec", dimension=128)
    rng = np.random.default_rng(0)
    for number in range(30):
        drawn = rng.standard_normal(128) + 0.5
        face = NewFace(
            str(uuid4()), (drawn / np.linalg.norm(drawn)).astype(np.float32), 0.1, Quality(0.8), NOWHERE, "0" * 64
        )
        store.enroll(collection, Person(f"p{number}"), [face])
    done = run("--collection", name)
    assert done.exit_code == 0, done.output
    assert "30 people and 0 probes" in done.output
    version = store.collection(name).calibration
    assert version is not None
    assert version.is_converged


def test_too_few_people_are_refused(settings, monkeypatch):
    monkeypatch.setenv("ARCID_DATA_DIR", str(settings.data_dir))
    monkeypatch.setenv("ARCID_MODELS_DIR", str(DATA))
    name = f"few-{uuid4().hex[:8]}"
    Container(settings).store.create_collection(name, model="sface-2021dec", dimension=128)
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


def test_photos_are_calibrated_as_the_setting_says(settings, monkeypatch, tmp_path, portrait, faces_of):
    """The photos of few people would not do, so the fit is left out: what it is given is looked at."""
    monkeypatch.setenv("ARCID_DATA_DIR", str(settings.data_dir))
    monkeypatch.setenv("ARCID_MODELS_DIR", str(DATA))
    for name, photo in (("eileen", portrait), ("jim", faces_of[0])):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1").write_bytes(photo)
    given = []

    def fit(vectors, people, origin, *, norms):
        given.append((vectors, people, origin, norms))
        raise CalibrationTooSmall("as expected")

    monkeypatch.setattr(sys.modules["app.cli.calibrate"], "fit", fit)  # the package has a function of that name
    for flip in ("true", "false"):
        monkeypatch.setenv("ARCID_INFERENCE__FLIP", flip)
        assert isinstance(run("--images", str(tmp_path), "--out", str(tmp_path)).exception, CalibrationTooSmall)
    (averaged, *_, norms), (plain, *_) = given
    assert averaged.shape == plain.shape == (2, 128)
    assert not np.allclose(averaged, plain, atol=1e-3)
    assert [origin.is_flip_averaged for _, _, origin, _ in given] == [True, False]
    assert [people for _, people, _, _ in given] == [["eileen", "jim"]] * 2
    assert norms.shape == (2,)
    assert (norms > 5).all()


@pytest.mark.parametrize("arguments", [(), ("--collection", "a", "--images", "b"), ("--images", "b")])
def test_it_must_be_said_what_to_measure(arguments):
    assert type(run(*arguments).exception).__name__ == "SettingsInvalid"
