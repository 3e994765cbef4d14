"""One service, two real networks: each collection is served by its own."""

import json
import shutil

import numpy as np
import pytest
from starlette.testclient import TestClient

from app.cli.serve import prepare_database
from app.config import read_settings
from app.errors import NetworkCorrupt, NetworkMissing
from app.gallery.store.model_migration import NextTemplates
from app.main import create_app
from tests.api.fakes import started
from tests.conftest import DATA
from tests.sealing import FakeSealer

OPEN, OTHER = "sface-2021dec", "arcface-mobilefacenet-192"
PACK = "arcface-mobilefacenet"


@pytest.fixture(scope="module")
def settings(packs, tmp_path_factory):
    for pack in ("open", PACK):
        if not all(packs.has(each) for each in packs.required_by(pack)):
            pytest.skip(f"the pack {pack} is not pulled; run: arcid models pull {pack}")
    settings = read_settings(
        data_dir=tmp_path_factory.mktemp("data"),
        models_dir=DATA,
        packs=PACK,
        server={"hosts": ["testserver"]},
        encryption={"own_key": False},  # crops are sealed by a fake
    )
    prepare_database(settings)
    return settings


@pytest.fixture(scope="module")
def services(settings):
    return started(settings, FakeSealer())


@pytest.fixture(scope="module")
def client(settings, services, portrait):
    """A client of the service, with the portrait enrolled in a collection of each network."""
    with TestClient(create_app(settings, services), raise_server_exceptions=False) as client:
        made = client.post("/collections", json={"name": "other", "model": PACK, "keep_crops": True})
        assert made.status_code == 201, made.text
        assert (made.json()["model"], made.json()["dimension"]) == (OTHER, 192)
        for collection in ("default", "other"):
            assert enroll(client, collection, "eileen", portrait).status_code == 200
        yield client


def enroll(client, collection, identity_id, photo):
    return client.post("/enroll", files={"photos": photo}, data={"collection": collection, "identity_id": identity_id})


def test_each_collection_answers_by_its_own_network(client, portrait):
    for collection, model in (("default", OPEN), ("other", OTHER)):
        found = client.post("/identify", files={"photo": portrait}, data={"collection": collection}).json()
        assert found["model"] == model
        assert found["faces"][0]["verdict"] == "match"
        assert found["faces"][0]["candidates"][0]["similarity"] > 0.9
        own = client.post(
            "/verify", files={"probe": portrait}, data={"collection": collection, "identity_id": "eileen"}
        ).json()
        assert (own["model"], own["verdict"]) == (model, "match")
        pair = client.post(
            "/verify", files={"probe": portrait, "reference": portrait}, data={"collection": collection}
        ).json()
        assert (pair["model"], pair["verdict"]) == (model, "match")


def test_rates_come_from_the_calibration_of_the_collections_network(client, services, portrait):
    thresholds = {
        collection: client.post(
            "/verify", files={"probe": portrait, "reference": portrait}, data={"collection": collection}
        ).json()["threshold"]
        for collection in ("default", "other")
    }
    assert thresholds == pytest.approx({"default": 0.354, "other": 0.528}, abs=0.01)


def test_photos_without_a_collection_name_their_network(client, portrait):
    for name, model, dimension in ((None, OPEN, 128), (OPEN, OPEN, 128), (PACK, OTHER, 192), (OTHER, OTHER, 192)):
        said = {} if name is None else {"model": name}
        seen = client.post("/embed", files={"photo": portrait}, data=said).json()
        assert (seen["model"], seen["dimension"], len(seen["faces"][0]["embedding"])) == (model, dimension, dimension)
        assert client.post("/detect", files={"photo": portrait}, data=said).status_code == 200


def test_a_network_that_is_not_served_is_refused_with_the_way_out(client, portrait):
    for refused in (
        client.post("/embed", files={"photo": portrait}, data={"model": "buffalo_l"}),
        client.post("/collections", json={"name": "third", "model": "buffalo_l"}),
        client.post("/search", json={"embedding": [1.0], "model": "buffalo_l"}),
    ):
        assert refused.status_code == 422
        assert refused.json()["errors"][0]["field"] == "model"
        assert "ARCID_PACKS" in refused.json()["detail"]


def test_an_embedding_says_by_what_network_it_is(client, portrait):
    seen = client.post("/embed", files={"photo": portrait}, data={"model": PACK}).json()
    probe = {"embedding": seen["faces"][0]["embedding"], "model": seen["model"]}
    found = client.post("/search", json={**probe, "collection": "other"})
    assert (found.json()["model"], found.json()["verdict"]) == (OTHER, "match")
    mixed = client.post("/search", json=probe)
    assert (mixed.status_code, mixed.json()["code"]) == (409, "model_mismatch")


def test_all_networks_are_listed(client):
    listed = {each["name"]: each for each in client.get("/models").json()["models"]}
    assert [name for name, each in listed.items() if each["is_in_use"]] == [PACK, "open"]
    assert [name for name, each in listed.items() if each["is_default"]] == ["open"]
    usable = {each["name"]: each["is_usable"] for each in client.get("/collections").json()["collections"]}
    assert usable["default"]
    assert usable["other"]


def test_a_service_of_one_network_refuses_the_others_collections(settings, client, portrait):
    with TestClient(create_app(settings.model_copy(update={"packs": ()})), raise_server_exceptions=False) as alone:
        refused = alone.post("/identify", files={"photo": portrait}, data={"collection": "other"})
        assert (refused.status_code, refused.json()["code"]) == (409, "model_mismatch")
        assert f"(ARCID_PACKS={PACK}), or move the collection to open " in refused.json()["detail"]
        assert "(arcid reembed start other --model open)" in refused.json()["detail"]
        ready = alone.get("/readyz")
        assert ready.status_code == 200
        assert (
            "1 collection has faces of a network that is not served" in ready.json()["checks"]["collections"]["detail"]
        )
        assert not alone.get("/collections/other").json()["is_usable"]
        crops = alone.post("/collections", json={"name": "crops", "keep_crops": True})
        assert (crops.status_code, crops.json()["code"]) == (409, "encryption_required")
        assert alone.patch("/collections/default", json={"keep_crops": True}).json()["code"] == "encryption_required"


@pytest.mark.parametrize("is_flip_averaged", [True, False])
def test_a_stored_crop_gives_the_template_of_its_photo(client, services, portrait, is_flip_averaged):
    name = f"crops-{is_flip_averaged}"
    made = client.post("/collections", json={"name": name, "flip": is_flip_averaged, "keep_crops": True})
    assert made.json()["keep_crops"]
    enroll(client, name, "eileen", portrait)
    collection = services.gallery.require(name)
    (block,) = services.migration_repository.blocks(collection, OTHER)
    (again,) = services.registry.analysis_of(collection).of_crops(
        block.crops, block.detections, is_flip_averaged=is_flip_averaged
    )
    stored = services.gallery.enrolled(collection, "eileen")
    assert float(again.vector @ stored.vectors[0]) > 0.99999
    quality = services.registry.policy_of(collection).quality(again)
    assert quality.score == pytest.approx(float(stored.qualities[0]), abs=1e-3)


def test_a_collection_goes_over_to_the_other_network(client, services, portrait):
    client.post("/collections", json={"name": "moving", "keep_crops": True})
    enroll(client, "moving", "eileen", portrait)
    collection = services.gallery.require("moving")
    network = services.registry.named(PACK)
    for block in services.migration_repository.blocks(collection, OTHER):
        faces = services.registry.analysis(network).of_crops(block.crops, block.detections, is_flip_averaged=True)
        templates = NextTemplates(
            block.keys,
            np.stack([face.vector for face in faces]),
            np.array([face.norm for face in faces], np.float32),
            np.ones(len(faces), np.float32),
        )
        services.migration_repository.put(collection, OTHER, templates)
    services.migration_repository.switch(collection, model=OTHER, dimension=network.dimension)
    found = client.post("/identify", files={"photo": portrait}, data={"collection": "moving"}).json()
    assert (found["model"], found["faces"][0]["verdict"]) == (OTHER, "match")
    assert found["faces"][0]["candidates"][0]["similarity"] > 0.95
    assert client.get("/collections/moving").json()["model"] == OTHER


def test_a_collections_own_rule_decides_where_a_request_says_nothing(client, portrait):
    def threshold(**said) -> float:
        data = {"collection": "ruled"} | {name: json.dumps(value) for name, value in said.items()}
        answer: float = client.post("/verify", files={"probe": portrait, "reference": portrait}, data=data).json()[
            "threshold"
        ]
        return answer

    client.post("/collections", json={"name": "ruled", "max_fmr": 1e-2, "max_fpir": 0.1})
    strict, own = threshold(max_fmr=1e-5), threshold()
    assert own == threshold(max_fmr=1e-2) < threshold(max_fmr=1e-4) < strict
    both = client.patch("/collections/ruled", json={"threshold": 0.7})
    assert (both.status_code, both.json()["code"]) == (422, "request_invalid")
    changed = client.patch("/collections/ruled", json={"threshold": 0.7, "max_fmr": None, "max_fpir": None}).json()
    assert (changed["threshold"], changed["max_fmr"], changed["max_fpir"]) == (0.7, None, None)
    assert threshold() == 0.7
    assert threshold(threshold=0.2) == 0.2
    found = client.post("/identify", files={"photo": portrait}, data={"collection": "ruled"}).json()
    assert found["threshold"] == 0.7
    client.patch("/collections/ruled", json={"threshold": None})
    assert threshold() == threshold(max_fmr=1e-4)


def test_error_rates_of_a_collection_may_be_about_similar_impostors(client, portrait, faces_of):
    def verify(name):
        files = {"probe": portrait, "reference": faces_of[0]}
        return client.post("/verify", files=files, data={"collection": name}).json()

    client.post("/collections", json={"name": "usual"}).raise_for_status()
    client.post("/collections", json={"name": "wary", "impostors": "similar"}).raise_for_status()
    usual, wary = verify("usual"), verify("wary")
    assert wary["threshold"] > usual["threshold"]
    assert wary["fmr"] == pytest.approx(min(4 * usual["fmr"], 1))
    assert usual["calibration"] == {**usual["calibration"], "adapted": None, "impostors": "any"}
    assert usual["calibration"]["people"] > 1000
    assert wary["calibration"] == {**usual["calibration"], "impostors": "similar"}
    assert client.patch("/collections/wary", json={"impostors": None}).json()["impostors"] is None
    assert verify("wary")["threshold"] == usual["threshold"]
    refused = client.patch("/collections/wary", json={"impostors": "all"})
    assert (refused.status_code, refused.json()["code"]) == (422, "request_invalid")


def test_a_collections_own_detector_finds_its_faces(client, services, portrait):
    made = client.post("/collections", json={"name": "quick", "detector": "yunet"})
    assert made.json()["detector"] == "yunet"
    landmarks = [
        client.post("/identify", files={"photo": portrait}, data={"collection": name}).json()["faces"][0]["landmarks"]
        for name in ("quick", "default")
    ]
    assert landmarks[0] != landmarks[1]
    assert services.registry.policy_of(services.gallery.require("quick")).calibration is None  # of another detector
    assert client.patch("/collections/quick", json={"detector": "retinaface"}).json()["detector"] == "retinaface"
    enroll(client, "quick", "eileen", portrait)
    fixed = client.patch("/collections/quick", json={"detector": None})
    assert (fixed.status_code, fixed.json()["code"]) == (409, "collection_not_empty")


@pytest.mark.parametrize("detector", ["nothing", "open", "buffalo_l", "yunet+mtcnn", "yunet+yunet+yunet", "../yunet"])
def test_a_detector_that_is_not_to_be_had_is_refused(client, detector):
    refused = client.post("/collections", json={"name": "refused", "detector": detector})
    assert (refused.status_code, refused.json()["code"]) == (422, "request_invalid")
    assert refused.json()["errors"][0]["field"] == "detector"


def test_the_files_of_every_network_are_checked_at_the_start(settings, packs, tmp_path):
    home = tmp_path / "models"
    shutil.copytree(DATA / "models", home)
    file = home / PACK / "mobilefacenet.onnx"
    file.write_bytes(file.read_bytes()[:-1])
    broken = settings.model_copy(update={"models_dir": tmp_path, "data_dir": tmp_path / "data"})
    prepare_database(broken)
    with pytest.raises(NetworkCorrupt, match=r"mobilefacenet\.onnx"):
        started(broken)
    file.unlink()
    with pytest.raises(NetworkMissing, match="models pull arcface-mobilefacenet"):
        started(broken)


def test_a_network_that_nobody_uses_is_not_opened(settings, portrait):
    services = started(settings)
    try:
        services.examination.examine(portrait)
        assert [model for model, _ in services.registry._analyses] == [OPEN]
    finally:
        services.close()
