"""HEAD answers as GET does, without a body."""

import asyncio

import pytest

from app.access.keys import NewKey, Scope
from app.api.http.head import Head
from app.container import Container
from tests.api.fakes import HOST, Identifying, request, serving

OPEN = ("/", "/healthz", "/readyz", "/docs", "/openapi.json", "/web/app.js", "/docs/assets/swagger-ui.css", "/metrics")


async def raw(port, path, method="HEAD"):
    reader, writer = await asyncio.open_connection(HOST, port)
    writer.write(request(method, path, body=b"", Connection="close"))
    received = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    head, _, body = received.partition(b"\r\n\r\n")
    lines = head.decode().splitlines()
    return int(lines[0].split()[1]), {n.lower(): v.strip() for n, _, v in (x.partition(":") for x in lines[1:])}, body


@pytest.mark.parametrize("path", OPEN)
def test_over_a_socket(path):
    with serving(Identifying()) as port:
        status, headers, body = asyncio.run(raw(port, path))
        got, as_get, content = asyncio.run(raw(port, path, "GET"))
    assert (status, body) == (got, b"")
    assert headers["content-type"] == as_get["content-type"]
    if path != "/metrics":  # counts the first one
        assert headers["content-length"] == as_get["content-length"] == str(len(content))


def test_of_resources_and_streams(client):
    client.post("/collections", json={"name": "heads"}).raise_for_status()
    job = client.post("/jobs", json={"kind": "export", "collection": "heads"}).json()["job_id"]
    while client.get(f"/jobs/{job}").json()["state"] not in {"succeeded", "failed"}:
        pass
    for path in ("/collections/heads", f"/jobs/{job}", f"/jobs/{job}/archive", f"/jobs/{job}/events", "/jobs"):
        answer, as_get = client.head(path), client.get(path)
        assert (answer.status_code, answer.content) == (200, b"")
        assert answer.headers["content-type"] == as_get.headers["content-type"]
        assert answer.headers.get("etag") == as_get.headers.get("etag")
    assert client.head("/collections/nowhere").status_code == client.head("/nowhere").status_code == 404
    refused = client.head("/enroll")
    assert (refused.status_code, refused.headers["allow"]) == (405, "POST")
    assert client.put("/healthz").headers["allow"] == "GET, HEAD"
    assert all("head" not in each for each in client.get("/openapi.json").json()["paths"].values())
    assert b'method="HEAD",route="/jobs"' in client.get("/metrics").content


def test_a_stream_that_goes_on_is_cut_after_its_head():
    async def stream(scope, receive, send):
        async def tell():
            await send({"type": "http.response.start", "status": 200, "headers": []})
            while True:
                await send({"type": "http.response.body", "body": b"x", "more_body": True})

        async with asyncio.TaskGroup() as group:
            group.create_task(tell())

    sent: list[dict[str, object]] = []

    async def send(message):
        sent.append(message)

    async def receive():
        return {"type": "http.disconnect"}

    asyncio.run(Head(stream)({"type": "http", "method": "HEAD"}, receive, send))
    assert [each.get("more_body") for each in sent] == [None, False]


def test_permissions_are_those_of_get(client, settings):
    _, secret = Container(settings).keys.create(NewKey("head", [Scope.RECOGNISE]))
    client.app.state.services.access.refresh()
    assert client.head("/collections").status_code == 401
    assert client.head("/collections", headers={"X-Api-Key": secret}).status_code == 403
    assert client.head("/models", headers={"X-Api-Key": secret}).status_code == 200
