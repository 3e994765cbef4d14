"""A real server under overload, slow clients and a stop; the work behind it is a fake."""

import asyncio
import json
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress

import pytest
import uvicorn

from app.config import PROJECT
from tests.api.fakes import HOST, Identifying, answer, ask, request, serving

READ_BESIDE = "0.54"  # the minor version of uvicorn whose private parts app/api/http/server.py was written for


def test_server_py_was_read_beside_this_uvicorn():
    """Read docs/adr/0015-uvicorn-watched.md before you change READ_BESIDE."""
    assert ".".join(uvicorn.__version__.split(".")[:2]) == READ_BESIDE


def codes(answers):
    return [json.loads(body).get("code", "ok") for _, _, body in answers]


def memory():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def test_a_thousand_clients_at_once_are_served_or_refused():
    identifying = Identifying(seconds=0.002)
    with serving(identifying, waiting=16) as port:

        async def crowd():
            return await asyncio.gather(*(ask(port) for _ in range(1000)))

        answers = asyncio.run(crowd())
        assert {status for status, _, _ in answers} <= {200, 503}
        served = sum(status == 200 for status, _, _ in answers)
        assert served == identifying.seen >= 18
        assert identifying.most == 2
        assert set(codes(answers)) <= {"ok", "overloaded"}
        assert asyncio.run(ask(port, request("GET", "/healthz")))[0] == 200


def test_overload_is_refused_at_once_and_unread():
    go = threading.Event()
    identifying = Identifying(go=go)
    with serving(identifying, waiting=3) as port:

        async def run():
            admitted = [asyncio.create_task(ask(port)) for _ in range(5)]
            await asyncio.sleep(0.3)
            before, started = memory(), time.monotonic()
            # 60 MB are announced and none of it is sent: the answer does not wait for it.
            unread = b"POST /identify HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000000\r\n\r\n"
            refused = await asyncio.gather(*(ask(port, unread) for _ in range(50)))
            assert time.monotonic() - started < 2
            assert memory() - before < 50_000_000
            assert set(codes(refused)) == {"overloaded"}
            assert all(status == 503 and int(headers["retry-after"]) > 0 for status, headers, _ in refused)
            assert refused[0][1]["content-type"] == "application/problem+json"
            for path in ("/healthz", "/readyz"):
                assert (await ask(port, request("GET", path)))[0] == 200
            _, _, metrics = await ask(port, request("GET", "/metrics"))
            assert b"arcid_work_running 2.0\n" in metrics
            assert b"arcid_work_waiting 3.0\n" in metrics
            assert b'arcid_problems_total{code="overloaded"} 50.0\n' in metrics
            go.set()
            assert [status for status, _, _ in await asyncio.gather(*admitted)] == [200] * 5

        asyncio.run(run())


def test_a_client_that_has_gone_is_not_worked_for():
    go = threading.Event()
    identifying = Identifying(go=go)
    with serving(identifying, at_once=1) as port:

        async def run():
            first = asyncio.create_task(ask(port))
            await asyncio.sleep(0.1)
            _, writer = await asyncio.open_connection(HOST, port)
            writer.write(request())
            await asyncio.sleep(0.1)
            writer.close()
            await asyncio.sleep(0.1)
            last = asyncio.create_task(ask(port))
            await asyncio.sleep(0.1)
            go.set()
            assert [(await each)[0] for each in (first, last)] == [200, 200]
            assert identifying.seen == 2
            assert b"arcid_abandoned_total 1.0\n" in (await ask(port, request("GET", "/metrics")))[2]

        asyncio.run(run())


def test_a_wait_that_is_too_long_ends():
    go = threading.Event()
    with serving(Identifying(go=go), at_once=1, wait_seconds=0.2) as port:

        async def run():
            first = asyncio.create_task(ask(port))
            await asyncio.sleep(0.1)
            status, headers, body = await ask(port)
            assert (status, json.loads(body)["code"]) == (503, "deadline_exceeded")
            assert "retry-after" in headers
            go.set()
            assert (await first)[0] == 200

        asyncio.run(run())


def test_two_hundred_slow_clients_keep_nobody_out():
    identifying = Identifying()
    with serving(identifying, read_seconds=1.5) as port:

        async def trickle(first):
            reader, writer = await asyncio.open_connection(HOST, port)
            writer.write(first)
            received = asyncio.create_task(reader.read())
            while not received.done():
                writer.write(b"x")
                await asyncio.wait({received}, timeout=0.1)
            writer.close()
            return await received

        async def run():
            head = request(body=b"x" * 1000)[:-1000]
            slow = [asyncio.create_task(trickle(head)) for _ in range(100)]
            slow += [asyncio.create_task(trickle(b"POST /identify HTTP/1.1\r\nX: ")) for _ in range(100)]
            await asyncio.sleep(0.2)
            for _ in range(20):
                status, _, _ = await ask(port)
                assert status == 200
            ends = await asyncio.wait_for(asyncio.gather(*slow, return_exceptions=True), 10)
            bodies = [each for each in ends[:100] if isinstance(each, bytes) and b"body_too_slow" in each]
            assert bodies
            assert all(each.startswith(b"HTTP/1.1 408 ") for each in bodies)
            assert all(not isinstance(each, bytes) or each == b"" for each in ends[100:])
            assert (await ask(port))[0] == 200

        asyncio.run(run())
        assert identifying.seen == 21


def test_a_head_without_an_end_is_cut():
    with serving(Identifying()) as port:

        async def run():
            reader, writer = await asyncio.open_connection(HOST, port)
            writer.write(b"GET /healthz HTTP/1.1\r\nX: ")
            received = asyncio.create_task(reader.read())
            for _ in range(500):
                writer.write(b"x" * 10_000)
                await asyncio.sleep(0.001)
                if received.done():
                    break
            assert received.done()
            received.exception()  # a reset: what was on its way is not read
            writer.transport.abort()
            assert (await ask(port, request("GET", "/healthz")))[0] == 200

        asyncio.run(run())


async def expect_cut(port):
    """Expect the only connection that there may be to be held now, and free a little later."""
    await asyncio.sleep(0.1)
    assert (await ask(port, request("GET", "/healthz")))[0] == 503
    await asyncio.sleep(3)
    assert (await ask(port, request("GET", "/healthz")))[0] == 200


def test_a_client_that_does_not_read_is_cut():
    with serving(Identifying(), read_seconds=0.5, connections=1) as port:

        async def run():
            _, writer = await asyncio.open_connection(HOST, port, limit=1)
            writer.write(request("GET", "/docs/assets/swagger-ui-bundle.js") * 10)
            await expect_cut(port)
            writer.transport.abort()

        asyncio.run(run())


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="only Linux lets go of what it holds")
def test_a_client_that_does_not_read_is_cut_though_the_system_holds_its_answer():
    with serving(Identifying(), read_seconds=0.5, connections=1) as port:

        async def run():
            own = socket.socket()
            own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            own.settimeout(0)
            await asyncio.get_running_loop().sock_connect(own, (HOST, port))
            _, writer = await asyncio.open_connection(sock=own, limit=1)
            writer.write(request("GET", "/openapi.json"))
            await expect_cut(port)
            writer.transport.abort()

        asyncio.run(run())


def test_very_many_requests_at_once_on_one_connection_are_cut():
    identifying = Identifying(seconds=0.2)
    with serving(identifying) as port:

        async def run():
            reader, writer = await asyncio.open_connection(HOST, port)
            writer.write(request() + request("GET", "/healthz") * 5000)
            received = await reader.read()
            assert received.count(b"HTTP/1.1 ") < 20
            writer.close()
            reader, writer = await asyncio.open_connection(HOST, port)
            writer.write(request() + request("GET", "/healthz") * 10)
            assert [(await answer(reader))[0] for _ in range(11)] == [200] * 11
            writer.close()

        asyncio.run(run())


def test_a_client_that_reads_slowly_gets_its_whole_answer():
    with serving(Identifying(), read_seconds=1) as port:

        async def run():
            reader, writer = await asyncio.open_connection(HOST, port, limit=1024)
            writer.write(request("GET", "/docs/assets/swagger-ui-bundle.js"))
            for _ in range(10):
                await reader.read(1024)
                await asyncio.sleep(0.1)
            head = 0
            while more := await asyncio.wait_for(reader.read(65_536), 5):
                head += len(more)
                if head > 1_000_000:
                    break
            assert head > 1_000_000
            writer.close()

        asyncio.run(run())


def test_one_connection_too_many_is_told_so():
    with serving(Identifying(), connections=3) as port:

        async def run():
            held = [await asyncio.open_connection(HOST, port) for _ in range(3)]
            reader, writer = await asyncio.open_connection(HOST, port)
            status, headers, body = await answer(reader)
            assert (status, headers["connection"], json.loads(body)["code"]) == (503, "close", "overloaded")
            for _, each in [*held, (reader, writer)]:
                each.close()
            await asyncio.sleep(0.1)
            assert (await ask(port))[0] == 200

        asyncio.run(run())


def test_a_client_that_is_refused_while_it_sends_can_read_why():
    with serving(Identifying(), connections=1) as port:

        async def run():
            _, held = await asyncio.open_connection(HOST, port)
            reader, writer = await asyncio.open_connection(HOST, port)
            await asyncio.sleep(0.2)  # now the answer has been sent, and the sending half closed
            writer.write(request(body=b"x" * 8_000_000))
            await writer.drain()
            status, _, body = await answer(reader)
            assert (status, json.loads(body)["code"]) == (503, "overloaded")
            assert await reader.read() == b""
            for each in (held, writer):
                each.close()

        asyncio.run(run())


@pytest.fixture
def log(tmp_path):
    """The log file of a service in a separate process."""
    return tmp_path / "log"


@pytest.fixture
def process(log):
    """Return a function that starts a service in a separate process and returns port and process."""
    started = []

    def start(seconds, grace):
        command = [sys.executable, "-m", "tests.api.fakes", str(seconds), str(grace)]
        with log.open("w") as errors:  # a pipe that nobody reads would hold the service up
            each = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=errors, text=True)
        started.append(each)
        assert each.stdout
        return int(each.stdout.readline()), each

    yield start
    for each in started:
        each.kill()
        each.communicate()


async def until_ready(port):
    for _ in range(200):
        try:
            return await asyncio.wait_for(ask(port, request("GET", "/healthz")), 1)
        except (OSError, TimeoutError):
            await asyncio.sleep(0.05)
    raise AssertionError


def test_a_stop_finishes_what_is_under_way_and_refuses_the_rest_cleanly(process, log):
    port, service = process(0.4, 8)

    async def run():
        await until_ready(port)
        idle_reader, idle = await asyncio.open_connection(HOST, port)
        idle.write(request("GET", "/readyz"))
        assert (await answer(idle_reader))[0] == 200
        under_way = [asyncio.create_task(ask(port)) for _ in range(10)]
        await asyncio.sleep(0.3)
        service.send_signal(signal.SIGTERM)
        await asyncio.sleep(0.3)
        idle.write(request("GET", "/readyz"))
        status, headers, body = await answer(idle_reader)
        assert (status, headers["connection"]) == (503, "close")
        assert json.loads(body)["checks"]["shutdown"]["is_ready"] is False
        late = await ask(port)
        assert (late[0], json.loads(late[2])["code"]) == (503, "shutting_down")
        assert [status for status, _, _ in await asyncio.gather(*under_way)] == [200] * 10
        idle.close()
        await idle.wait_closed()

    asyncio.run(run())
    assert "closed" in service.communicate(timeout=10)[0]
    assert "Traceback" not in log.read_text()


def test_a_stop_cuts_nobody_who_has_sent_a_request(process, log):
    port, service = process(0.02, 8)
    outcomes: list[int | str] = []

    async def client():
        while True:
            try:
                reader, writer = await asyncio.open_connection(HOST, port)
            except OSError:
                return  # the service has gone
            stays = True
            while stays:
                try:
                    writer.write(request())
                    status, headers, _ = await answer(reader)
                except (OSError, asyncio.IncompleteReadError) as error:
                    outcomes.append(repr(error))
                    break
                outcomes.append(status)
                stays = headers.get("connection") != "close"
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def run():
        await until_ready(port)
        clients = [asyncio.create_task(client()) for _ in range(200)]
        await asyncio.sleep(1)
        service.send_signal(signal.SIGTERM)
        await asyncio.wait_for(asyncio.gather(*clients), 60)

    asyncio.run(run())
    assert set(outcomes) == {200, 503}
    assert "closed" in service.communicate(timeout=10)[0]
    assert "Traceback" not in log.read_text()


def test_what_takes_longer_than_the_grace_gets_a_clean_answer(process, log):
    port, service = process(3, 0.3)

    async def run():
        await until_ready(port)
        under_way = [asyncio.create_task(ask(port)) for _ in range(5)]
        await asyncio.sleep(0.3)
        service.send_signal(signal.SIGTERM)
        return await asyncio.gather(*under_way)

    answers = asyncio.run(run())
    assert codes(answers) == ["shutting_down"] * 5
    assert "closed" in service.communicate(timeout=10)[0]
    assert "Traceback" not in log.read_text()
