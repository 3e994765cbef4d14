"""The real service with batching, as on a GPU: answers, stages, metrics, and clients that leave before their run."""

import asyncio
import base64
import json
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx2
import numpy as np
import pytest
from starlette.testclient import TestClient

from app.config import InferenceSettings
from app.main import create_app
from app.recognition.identification import Identification
from app.vision.inference.batcher import Batcher, Batching
from tests.api.fakes import HOST, ask, request, serving
from tests.api.test_metrics import scraped


@pytest.fixture(scope="module")
def batched(settings):
    """A client of the real service whose requests share runs."""
    inference = InferenceSettings(batch_size=8, batch_wait_ms=300, concurrency=8)
    with TestClient(create_app(settings.model_copy(update={"inference": inference}))) as client:
        yield client


def test_concurrent_photos_share_a_run_and_get_their_own_answers(batched, client, faces_of):
    def embedded(service, photo):
        return service.post("/embed", files={"photo": photo}).json()["faces"]

    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda photo: embedded(batched, photo), faces_of[:3]))
    for photo, faces in zip(faces_of, found, strict=False):
        expected = embedded(client, photo)
        assert len(faces) == len(expected) >= 1
        for one, other in zip(faces, expected, strict=True):
            assert one["embedding"] == pytest.approx(other["embedding"], abs=1e-4)
    measured = {name: value for (name, _), value in scraped(batched).items() if name.startswith("arcid_batch")}
    crops = 2 * sum(map(len, found))
    assert measured["arcid_batch_size_sum"] == crops
    assert 1 <= measured["arcid_batch_size_count"] < 3
    assert (measured["arcid_batch_waiting"], measured["arcid_batch_waiting_limit"]) == (0, 1024)
    assert measured["arcid_batch_refused_total"] == measured["arcid_batch_dropped_total"] == 0


def test_the_answer_carries_its_wait_and_its_run(batched, portrait):
    timing = batched.post("/identify", files={"photo": portrait}).headers["server-timing"]
    assert {"wait", "queue", "infer", "embed"} <= {each.partition(";")[0] for each in timing.split(", ")}


def test_every_batch_metric_is_documented(batched):
    from tests.api.test_metrics import test_every_metric_is_documented  # noqa: PLC0415 - not to be collected here

    test_every_metric_is_documented(batched)


class Embedding:
    """Identifies nobody, by a shared run."""

    def __init__(self, batcher):
        self.batcher = batcher

    def identify(self, photo, **_):
        self.batcher.run(np.full((1, 1), photo[0], np.float32))
        return Identification([], 0.5)


def test_a_client_that_leaves_before_its_run_is_dropped_and_harms_nobody():
    go, entered, seen = threading.Event(), threading.Event(), []

    def run(rows):
        seen.extend(rows[:, 0].tolist())
        entered.set()
        assert go.wait(20)
        return rows

    batcher = Batcher(run, Batching(largest=8, wait_seconds=0))

    def photo(number):
        return request(body=json.dumps({"photo": base64.b64encode(bytes([number]) * 30).decode()}).encode())

    async def until(is_so):
        for _ in range(500):
            if is_so():
                return
            await asyncio.sleep(0.01)
        raise AssertionError

    async def story(port):
        first = asyncio.create_task(ask(port, photo(1)))
        await until(entered.is_set)
        _, leaving = await asyncio.open_connection(HOST, port)
        leaving.write(photo(2))
        await until(lambda: batcher.state().waiting == 1)
        third = asyncio.create_task(ask(port, photo(3)))
        await until(lambda: batcher.state().waiting == 2)
        leaving.close()
        await until(lambda: batcher.state().waiting == 1)
        metrics = await asyncio.to_thread(httpx2.get, f"http://{HOST}:{port}/metrics")
        assert "arcid_abandoned_total 1.0" in metrics.text
        assert "arcid_work_running 2.0" in metrics.text
        go.set()
        assert [(await each)[0] for each in (first, third)] == [200, 200]

    with serving(Embedding(batcher), at_once=4) as port:
        asyncio.run(story(port))
    batcher.close()
    assert seen == [1, 3]
    assert batcher.state().dropped == 1
