"""Photos that lie on a side or upside down and do not say so, through the real service."""

import io

import numpy as np
import pytest
from PIL import Image as Pillow


def turned(photo, turn):
    file = io.BytesIO()
    Pillow.fromarray(np.rot90(np.asarray(Pillow.open(io.BytesIO(photo)).convert("RGB")), turn)).save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="module")
def known(client, portrait):
    assert client.post("/enroll", files={"photos": portrait}, data={"identity_id": "ada"}).status_code == 200
    return client


@pytest.mark.parametrize("turn", [1, 2, 3])
def test_a_turned_photo_is_recognised_and_enrolled(known, portrait, turn):
    photo = turned(portrait, turn)
    (face,) = known.post("/identify", files={"photo": photo}).json()["faces"]
    assert (face["verdict"], face["candidates"][0]["identity_id"]) == ("match", "ada")
    (upright,) = known.post("/detect", files={"photo": portrait}).json()["faces"]
    side = 512  # of the portrait; how its pixel (x, y) lies after so many turns
    left, top, right, bottom = upright["box"]
    box = {
        1: (top, side - right, bottom, side - left),
        2: (side - right, side - bottom, side - left, side - top),
        3: (side - bottom, left, side - top, right),
    }[turn]
    assert face["box"] == pytest.approx(box, abs=0.15 * (right - left))
    strict = {"identity_id": "ada", "on_mismatch": "reject"}
    assert known.post("/enroll", files={"photos": photo}, data=strict).status_code == 200
