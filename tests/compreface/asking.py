"""How CompreFace's routes are asked, and what their errors look like."""

RECOGNITION = "/api/v1/recognition"
UNKNOWN = "6b135f5b-a365-4522-b1f1-4c9ac2dd0728"


def expect(answer, status, code, arcid_code):
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert (answer.status_code, body["code"], body["arcid_code"]) == (status, code, arcid_code)
    assert body["message"]
    assert set(body) <= {"message", "code", "arcid_code", "errors"}
    assert int(answer.headers["content-length"]) == len(answer.content)
    assert answer.headers["x-request-id"]


def add(client, photo, subject, **query):
    answer = client.post(f"{RECOGNITION}/faces", params={"subject": subject, **query}, files={"file": photo})
    assert answer.status_code == 201, answer.text
    assert set(answer.json()) == {"image_id", "subject"}
    return answer.json()["image_id"]


def subjects(client, **query):
    answer = client.get(f"{RECOGNITION}/subjects", params=query)
    assert answer.status_code == 200
    return answer.json()["subjects"]
