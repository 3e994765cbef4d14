"""Liveness challenges of a service in tests: photos as frames, and answers with them."""

import hashlib
import json
from datetime import timedelta

import cv2
import numpy as np
from sqlalchemy import update

from app.database.liveness_tables import ChallengeTable

EVERY_MS = 1000


def decoded(data):
    """Return the pixels (height, width, 3), RGB, of a photo."""
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None
    return pixels[:, :, ::-1].copy()


def encoded(pixels):
    """Return pixels (height, width, 3), RGB, as JPEG."""
    return cv2.imencode(".jpg", pixels[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92])[1].tobytes()


def closer(photo, zoom=1.5):
    """Return a photo from nearer: its centre, enlarged."""
    pixels = decoded(photo)
    height, width = pixels.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), 0, zoom)
    return encoded(cv2.warpAffine(pixels, matrix, (width, height)))


def create(client, **fields):
    """Create a challenge."""
    created = client.post("/liveness/challenges", json=fields)
    assert created.status_code == 201, created.text
    return created.json()


def change(client, challenge, **columns):
    """Change the stored times of a challenge by numbers of seconds."""
    engine = client.app.state.services.database.engine
    changed = {name: getattr(ChallengeTable, name) for name in columns}
    with engine.begin() as connection:
        row = connection.execute(
            ChallengeTable.__table__.select().where(ChallengeTable.challenge_id == challenge["challenge_id"])
        ).one()
        values = {name: getattr(row, name) + timedelta(seconds=columns[name]) for name in changed}
        connection.execute(
            update(ChallengeTable).where(ChallengeTable.challenge_id == challenge["challenge_id"]).values(values)
        )


def form_of(challenge, frames, *, every_ms=EVERY_MS, **fields):
    """Return the form of an answer with frames that are taken one after another."""
    taken = [
        {"at_ms": number * every_ms, "sha256": hashlib.sha256(each).hexdigest()} for number, each in enumerate(frames)
    ]
    files = [("frames", (f"{number}.jpg", each, "image/jpeg")) for number, each in enumerate(frames)]
    return {"data": {"nonce": challenge["nonce"], "taken": json.dumps(taken), **fields}, "files": files}


def answer(client, challenge, frames, **fields):
    """Answer a challenge with frames, as if they had been taken one second after another."""
    change(client, challenge, created_at=-len(frames) * EVERY_MS / 1000)
    path = f"/liveness/challenges/{challenge['challenge_id']}/answers"
    return client.post(path, **form_of(challenge, frames, **fields))


def refused(response, status, code):
    """Check that a request is refused with a status and a code."""
    assert (response.status_code, response.json()["code"]) == (status, code), response.text
