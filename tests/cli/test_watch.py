import json
import sys

import pytest

from app.vision.imaging.decode import Limits, decode
from tests.watch.videos import grey, write_pictures


@pytest.fixture
def photo(tmp_path, faces_of):
    path = tmp_path / "ada.jpg"
    path.write_bytes(faces_of[0])
    return path


@pytest.fixture
def video(tmp_path, faces_of):
    """A video of one person who moves, after a second of nothing."""
    face = decode(faces_of[0], Limits()).pixels
    height, width, _ = face.shape
    frames = [grey(120, (640, 480)) for _ in range(15)]
    for place, frame in enumerate(frames[5:]):
        frame[40 : 40 + height, 40 + 4 * place : 40 + 4 * place + width] = face
    return str(write_pictures(tmp_path / "visit.mp4", frames, rate=5))


@pytest.fixture
def watch(arcid, home, settings, monkeypatch):
    monkeypatch.setenv("ARCID_MODELS_DIR", str(settings.models_dir))
    return lambda *arguments: arcid("watch", *arguments)


def test_a_known_person_is_one_line(arcid, watch, video, photo):
    arcid("enroll", "ada", str(photo), "--name", "Ada")
    done = watch(video)
    assert done.exit_code == 0, done.output
    (line,) = done.stdout.splitlines()
    assert line.startswith("00:01.0-")
    assert "match      Ada (ada)  similarity" in line
    assert "chance of a stranger" in line
    assert "tracks: 1 match" in done.stderr
    found = json.loads(watch(video, "--json").stdout)
    assert (found["verdict"], found["identity_id"]) == ("match", "ada")


def test_nobody(watch, tmp_path):
    done = watch(str(write_pictures(tmp_path / "empty.mp4", [grey(100)] * 5, rate=5)))
    assert (done.exit_code, done.stdout) == (0, "")
    assert "no person was seen" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ((), "settings_invalid"),
        (("a.mp4", "--device", "0"), "settings_invalid"),
        (("missing.mp4",), "file_unusable"),
        (("VIDEO", "--collection", "nobody"), "collection_unknown"),
        (("--device", "987"), "camera_unreachable"),
        (("rtsp://ada:secret@127.0.0.1:9/",), "camera_unreachable"),
    ],
)
def test_what_cannot_be_watched(watch, video, arguments, code):
    done = watch(*(video if each == "VIDEO" else each for each in arguments))
    assert done.exception.code == code
    assert "secret" not in str(done.exception)


def test_the_reason_is_in_words(watch, tmp_path):
    text = tmp_path / "notes.mp4"
    text.write_text("no video " * 1000)
    assert "it is not a video, or it is damaged" in str(watch(str(text)).exception)
    photo = tmp_path / "hello.jpg"
    photo.write_text("hello")
    assert "it contains no frames that can be decoded" in str(watch(str(photo)).exception)
    assert "the connection was refused" in str(watch("rtsp://127.0.0.1:9/").exception)


def test_the_smallest_rate_is_a_bound(watch, arcid, video, photo):
    arcid("enroll", "ada", str(photo))
    assert "chance of a stranger below 1 in 10 million" in watch(video).stdout


def test_without_pyav_the_remedy_is_named(watch, video, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    done = watch(video)
    assert done.exception.code == "video_unavailable"
