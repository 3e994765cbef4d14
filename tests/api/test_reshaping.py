"""Problems in the form of another API."""

import asyncio
import json

from app.api.http.reshaping import ErrorForm, reshaping

PROBLEM = json.dumps({"status": 422, "code": "no_face", "detail": "é"}).encode()
FORMS = (
    ErrorForm("/a/", lambda problem, method, path: (400, {"a": [problem["code"], method, path]})),
    ErrorForm("/b/", lambda problem, _method, _path: (418, {"b": problem["detail"]})),
)


def sent_at(path, pieces=(PROBLEM,), media_type=b"application/problem+json"):
    sent = []

    async def send(message):
        sent.append(message)

    async def run():
        reshaped = reshaping(FORMS)({"type": "http", "method": "GET", "path": path}, send)
        headers = [(b"content-type", media_type), (b"content-length", b"%d" % len(PROBLEM))]
        await reshaped({"type": "http.response.start", "status": 422, "headers": headers})
        for number, piece in enumerate(pieces, 1):
            await reshaped({"type": "http.response.body", "body": piece, "more_body": number < len(pieces)})

    asyncio.run(run())
    return sent


def test_an_answer_in_pieces_is_reworded_whole():
    start, content = sent_at("/a/x", (PROBLEM[:9], PROBLEM[9:]))
    assert start["status"] == 400
    assert dict(start["headers"]) == {
        b"content-type": b"application/json",
        b"content-length": b"%d" % len(content["body"]),
    }
    assert json.loads(content["body"]) == {"a": ["no_face", "GET", "/a/x"]}


def test_each_prefix_has_its_form():
    start, content = sent_at("/b/x")
    assert (start["status"], json.loads(content["body"])) == (418, {"b": "é"})


def test_other_paths_and_other_answers_pass_unchanged():
    for sent in (sent_at("/c/x"), sent_at("/a"), sent_at("/a/x", media_type=b"application/json")):
        start, content = sent
        assert (start["status"], content["body"]) == (422, PROBLEM)
