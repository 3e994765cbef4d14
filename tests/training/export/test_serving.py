"""From a run to an answer: export, add, enroll and identify."""

import shutil

import numpy as np
import pytest
from rich.console import Console
from starlette.testclient import TestClient
from typer.testing import CliRunner

from app.cli import cli
from app.cli.serve import prepare_database
from app.config import read_settings
from app.errors import TrainingInvalid
from app.main import create_app
from app.training import running
from app.training.checkpoint import load_trained
from app.training.config import parse_config
from app.training.evaluating import embed
from app.vision.inference.packs import Packs
from app.vision.inference.runtime import Runtime
from app.wiring.networks import open_embedder
from tests.conftest import DATA
from tests.training.people import no_cropper, write_people

DETECTORS = ("yunet", "retinaface")


@pytest.fixture(scope="module")
def home(packs, tmp_path_factory):
    """Return a data folder that contains only the detectors."""
    folder = tmp_path_factory.mktemp("home")
    for name in DETECTORS:
        if not packs.has(packs.manifest(name)):
            pytest.skip(f"the pack {name} is not pulled; run: arcid models pull {name}")
        shutil.copytree(DATA / "models" / name, folder / "models" / name)
    return folder


@pytest.fixture(scope="module")
def arcid(home):
    """Return the command line in that folder, as a function: arcid("models", "list")."""
    environment = {"ARCID_DATA_DIR": str(home), "ARCID_MODELS_DIR": str(home)}

    def run(*arguments, **more):
        done = CliRunner().invoke(cli, [str(each) for each in arguments], env=environment | more)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done.output

    return run


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    """Return a run of a few iterations on made-up people, enough to distinguish some patterns."""
    people = write_people(tmp_path_factory.mktemp("people"), people=8, photos=4)
    out = tmp_path_factory.mktemp("runs") / "ours"
    config = parse_config(
        {
            "data": {"path": people, "aligned": True},
            "backbone": {"name": "iresnet18", "width": 0.125, "dimension": 32},
            "loss": {"name": "normface"},
            "schedule": {"epochs": 5, "batch_size": 16, "learning_rate": 0.05},
        }
    )
    running.train(config, out, open_cropper=no_cropper, console=Console(quiet=True))
    return out


@pytest.fixture(scope="module")
def client(arcid, home, run_folder, tmp_path_factory):
    """Return a client of the service with the exported and calibrated network."""
    strangers = write_people(tmp_path_factory.mktemp("strangers"), people=460, photos=1)
    out = tmp_path_factory.mktemp("packs")
    output = arcid(
        *("train", "export", run_folder, "--out", out, "--licence", "ours alone"),
        *("--calibrate", strangers, "--aligned"),
    )
    assert f"arcid models add {out / 'ours'}" in output
    assert "ours: added" in arcid("models", "add", out / "ours")
    settings = read_settings(
        data_dir=home, models_dir=home, pack="ours", effort="accurate", server={"hosts": ["testserver"]}
    )
    prepare_database(settings)
    with TestClient(create_app(settings), raise_server_exceptions=False) as client:
        yield client


def test_the_exported_network_is_enrolled_against_and_identified(client, portrait):
    answer = client.post("/enroll", files={"photos": portrait}, data={"identity_id": "eileen"})
    assert answer.status_code == 200, answer.text
    body = client.post("/identify", files={"photo": portrait}).json()
    assert body["model"].startswith("ours-")
    (face,) = body["faces"]
    candidate = face["candidates"][0]
    assert candidate["identity_id"] == "eileen"
    assert candidate["similarity"] == pytest.approx(1, abs=1e-3)


def test_its_calibration_is_used(client, home):
    kinds = {path.name.rpartition("-")[2] for path in (home / "models" / "ours" / "calibrations").iterdir()}
    assert kinds == {"flip.json", "plain.json"}
    points = client.get("/calibration").json()["points"]
    rates = [each["fmr"] for each in points]
    assert rates == sorted(rates, reverse=True)
    assert rates[0] > 0.5 > rates[-1]


def test_it_is_listed_with_its_licence(client, arcid):
    output = " ".join(arcid("models", "list").split())
    assert "ours yes unverified ours alone yunet+retinaface ours-" in output


def test_nobody_but_the_operator_knows_the_licence(arcid, run_folder, tmp_path):
    with pytest.raises(TrainingInvalid, match="--licence is missing"):
        arcid("train", "export", run_folder, "--out", tmp_path)
    assert not any(tmp_path.iterdir())


def test_a_folder_that_is_no_run_is_refused(arcid, tmp_path):
    with pytest.raises(TrainingInvalid):
        arcid("train", "export", tmp_path, "--out", tmp_path / "out", "--licence", "x")


def test_numbers_of_the_network_are_those_of_the_service(client, home, run_folder):
    """The exported network matches the trained one, including the preprocessing."""
    crops = np.random.default_rng(0).integers(0, 256, (5, 112, 112, 3), np.uint8)
    added = Packs(home / "none", home / "models")
    actual = open_embedder(added, added.manifest("ours"), Runtime()).embed(crops).vectors
    expected = embed(load_trained(run_folder).backbone, crops, is_flip_averaged=False)
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    assert (actual * expected).sum(axis=1).min() >= 0.9999
