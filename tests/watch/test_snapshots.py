from functools import partial
from hashlib import md5
from itertools import islice

import pytest

from app.errors import CameraUnreachable
from app.remote.camera_urls import CameraUrlRules
from app.remote.fetching import Fetcher, FetchLimits
from app.vision.imaging.decode import Limits, decode
from app.watch.snapshots import SnapshotSource
from tests.watch.videos import HOST, grey, site

LIMITS = FetchLimits(max_bytes=100_000, seconds=20, redirects=0, at_once=1)


@pytest.fixture(scope="module")
def photo():
    import cv2  # noqa: PLC0415 - as elsewhere in tests

    return cv2.imencode(".jpg", grey(100))[1].tobytes()


def snapshots(url):
    rules = CameraUrlRules.parse((HOST,))
    pauses: list[float] = []
    source = SnapshotSource(
        url,
        lambda: Fetcher(rules, LIMITS, is_allowed=rules.allows),
        partial(decode, limits=Limits()),
        fps=2,
        pause=pauses.append,
    )
    return source.frames(), pauses


def test_each_frame_is_a_photo(photo):
    with site({"/shot": (200, {}, photo)}) as (port, asked):
        frames, pauses = snapshots(f"http://{HOST}:{port}/shot")
        found = list(islice(frames, 3))
        frames.close()
    assert [each.image.pixels.shape for each in found] == [(48, 64, 3)] * 3
    assert len(asked) == 3
    assert all(0 <= each <= 0.5 for each in pauses)


@pytest.mark.parametrize("answer", [(404, {}, b""), (200, {}, b"text"), (302, {"Location": "/shot"}, b"")])
def test_anything_but_a_photo_is_an_error(answer):
    with site({"/": answer}) as (port, _):
        frames, _ = snapshots(f"http://ada:secret@{HOST}:{port}/")
        with pytest.raises(CameraUnreachable) as raised:
            next(frames)
    assert "secret" not in str(raised.value) + raised.value.reason


def basic(handler, photo):
    if handler.headers["Authorization"] == "Basic YWRhOnNlY3JldA==":
        return 200, {}, photo
    return 401, {"WWW-Authenticate": 'Basic realm="door"'}, b""


def digest(handler, photo):
    header = handler.headers["Authorization"] or ""
    fields = dict(part.strip().split("=", 1) for part in header.removeprefix("Digest ").split(",") if "=" in part)
    given = {name: value.strip('"') for name, value in fields.items()}
    first, second = (md5(text, usedforsecurity=False).hexdigest() for text in (b"ada:door:secret", b"GET:/shot"))
    whole = ":".join([first, "n1", given.get("nc", ""), given.get("cnonce", ""), "auth", second])
    if given.get("response") == md5(whole.encode(), usedforsecurity=False).hexdigest():
        return 200, {}, photo
    return 401, {"WWW-Authenticate": 'Digest realm="door", nonce="n1", qop="auth", algorithm=MD5'}, b""


@pytest.mark.parametrize("challenge", [basic, digest])
def test_user_name_and_password_answer_a_challenge(photo, challenge):
    with site(partial(challenge, photo=photo)) as (port, asked):
        frames, _ = snapshots(f"http://ada:secret@{HOST}:{port}/shot")
        next(frames)
        frames.close()
    assert len(asked) == 2


def malformed(_):
    return 401, {"WWW-Authenticate": "Digest nothing"}, b""


@pytest.mark.parametrize("challenge", [partial(basic, photo=b""), malformed])
def test_a_wrong_password_is_tried_once(challenge):
    with site(challenge) as (port, asked):
        frames, _ = snapshots(f"http://ada:wrong@{HOST}:{port}/shot")
        with pytest.raises(CameraUnreachable):
            next(frames)
    assert len(asked) == 2
