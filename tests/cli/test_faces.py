"""`arcid identify` and its likes, on the local data and on a running service."""

import json

import pytest

from app.api.schemas.liveness import LivenessSchema
from app.cli.demo import serving
from app.cli.faces import verdict_in_words
from app.config import read_settings


@pytest.fixture(params=["local", "url"])
def run(request, arcid, home, settings, monkeypatch):
    """Run a command on the local data, or on a service that uses them."""
    monkeypatch.setenv("ARCID_MODELS_DIR", str(settings.models_dir))
    arcid("people")  # creates the database
    if request.param == "local":
        yield arcid
        return
    with serving(read_settings(), 0) as address:
        yield lambda *arguments: arcid(*arguments, "--url", address.removeprefix("http://"))


@pytest.fixture
def photos(tmp_path, portrait, settings):
    ada, blank, broken = tmp_path / "ada.jpg", tmp_path / "blank.png", tmp_path / "broken.jpg"
    ada.write_bytes(portrait)
    blank.write_bytes(
        bytes.fromhex(
            "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63f8ffff3f0005fe02fe"
            "dccc59e70000000049454e44ae426082"
        )
    )
    broken.write_bytes(b"no photo")
    return str(ada), str(blank), str(broken)


def rows(result):
    return [line.split() for line in result.stdout.splitlines()[1:]]


def test_a_person_is_enrolled_listed_identified_and_verified(run, photos):
    ada, blank, broken = photos
    enrolled = run("enroll", "ada", ada, blank, "--name", "Ada Lovelace")
    assert enrolled.exit_code == 3  # one of the photos is refused
    assert [row[0] for row in rows(enrolled)] == [ada, blank]
    assert "no face" in enrolled.stdout
    assert rows(run("people", "love"))[0][:4] == ["ada", "Ada", "Lovelace", "1"]
    assert rows(run("people", "nobody")) == []

    found = run("identify", ada, broken, blank)
    assert found.exit_code == 3
    first, empty = rows(found)
    assert first[0] == ada
    assert first[3:7] == ["match", "Ada", "Lovelace", "(ada)"]
    assert found.stderr.startswith(f"{broken}: the bytes are a short text, not an image")
    assert empty == [blank, "no", "face"]

    same = run("verify", ada, "--identity", "ada")
    assert (same.exit_code, rows(same)[0][0]) == (0, "match")
    assert run("verify", ada, ada).exit_code == 0


@pytest.mark.parametrize(
    ("liveness", "reasons", "words"),
    [
        ("live", ["network"], "match"),
        ("attack", ["network"], "match: attack network"),
        ("uncertain", [], "match: uncertain"),
    ],
)
def test_a_verdict_has_the_reason_if_the_face_is_not_live(liveness, reasons, words):
    checked = LivenessSchema.model_validate(
        {"score": None, "verdict": liveness, "reasons": reasons, "calibration": "uncalibrated"}
    )
    assert verdict_in_words("match", checked) == words
    assert verdict_in_words("match", None) == "match"


def test_an_empty_collection_is_said(run, photos):
    ada, blank, _ = photos
    found = run("identify", ada, ada)
    assert (found.exit_code, rows(found)[0][3]) == (0, "unknown")
    hint = "nobody is enrolled in collection 'default' yet; to enroll somebody: arcid enroll ID PHOTO..."
    assert found.stderr.splitlines() == [hint]
    assert run("identify", blank).stderr == ""
    assert (run("people").stdout, run("people").stderr) == ("", f"{hint}\n")
    assert run("enroll", "ada", ada).exit_code == 0
    assert run("identify", ada).stderr == ""


def test_an_error_comes_without_an_empty_table(run, photos):
    for command in ("identify", "detect"):
        refused = run(command, photos[2])
        assert (refused.exit_code, refused.stdout) == (3, "")
        assert refused.stderr.startswith(f"{photos[2]}: the bytes are a short text, not an image")
        assert refused.stderr.endswith(" [not_an_image]\n")


def test_json_is_the_answer_of_the_api(run, photos):
    ada, _, broken = photos
    lines = [json.loads(line) for line in run("identify", ada, broken, "--json").stdout.splitlines()]
    assert [each["photo"] for each in lines] == [ada, broken]
    assert lines[0]["faces"][0]["verdict"] == "unknown"
    assert len(lines[0]["faces"][0]["box"]) == 4
    assert lines[1]["code"] == "not_an_image"
    (face,) = json.loads(run("detect", ada, "--json").stdout)["faces"]
    assert face["quality"]["score"] > 0
    box = [f"{value:.0f}" for value in face["box"]]
    assert rows(run("detect", ada))[0][1:3] == [f"{box[0]},{box[1]}", f"{box[2]},{box[3]}"]


def test_a_person_of_whom_no_photo_is_accepted(run, photos):
    result = run("enroll", "ada", photos[1], "--json")
    assert result.exit_code == 3
    answer = json.loads(result.stdout)
    assert answer["faces"] == []
    assert [each["code"] for each in answer["rejected"]] == ["no_face"]


def test_an_error_is_that_of_the_service(run, photos):
    result = run("people", "--collection", "nowhere")
    assert "there is no collection 'nowhere'" in str(result.exception)


def test_a_pair_needs_exactly_one_reference(arcid, home, photos):
    for more in ([], [photos[0], "--identity", "ada"]):
        assert "name a second photo, or a person" in str(arcid("verify", photos[0], *more).exception)


@pytest.mark.parametrize(
    ("url", "message"),
    [("127.0.0.1:9", "no service answers at http://127.0.0.1:9"), ("localhost:port", "is not a URL")],
)
def test_a_service_that_is_not_there(arcid, home, url, message):
    assert message in str(arcid("people", "--url", url).exception)


def test_a_service_with_keys_is_asked_with_one(arcid, home, settings, photos, monkeypatch):
    monkeypatch.setenv("ARCID_MODELS_DIR", str(settings.models_dir))
    key = arcid("keys", "create", "me", "--scope", "admin").stdout.strip()
    narrow = arcid("keys", "create", "gate", "--scope", "recognise").stdout.strip()
    with serving(read_settings(), 0) as address:
        assert "(HTTP 401, " in str(arcid("people", "--url", address).exception)
        monkeypatch.setenv("ARCID_API_KEY", key)
        assert arcid("people", "--url", address).exit_code == 0
        found = arcid("identify", photos[0], "--url", address, "--key", narrow)  # it may not list people
        assert (found.exit_code, found.stderr) == (0, "")
