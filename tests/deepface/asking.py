"""How DeepFace's routes are asked, and what their errors look like."""

import base64

REPRESENT, VERIFY, ANALYZE = "/deepface/represent", "/deepface/verify", "/deepface/analyze"


def data_of(photo, kind="jpeg"):
    return f"data:image/{kind};base64,{base64.b64encode(photo).decode()}"


def expect(answer, status, arcid_code):
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert (answer.status_code, body["arcid_code"]) == (status, arcid_code), body
    assert body["error"]
    assert set(body) <= {"error", "arcid_code", "errors"}
    return body["error"]
