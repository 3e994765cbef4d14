"""Clients that send raw bytes: slow ones, ones that never read, crowds; and honest clients, which are timed."""

import asyncio
import contextlib
import http.client
import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

HOST = "127.0.0.1"
LONGEST = 60.0  # seconds until a request must be answered or its connection closed


async def ask(port: int, wire: bytes) -> int:
    """Send bytes on a new connection; return the status, 0 if it was closed without one, -1 if it hangs."""
    writer = None
    try:
        async with asyncio.timeout(LONGEST):
            reader, writer = await asyncio.open_connection(HOST, port)
            writer.write(wire)
            sent = asyncio.create_task(writer.drain())
            line = await reader.readline()
            if line.startswith(b"HTTP/1.1 100 "):
                await reader.readline()
                line = await reader.readline()
            sent.cancel()
            length = 0
            while (header := await reader.readline()).strip():
                if header.lower().startswith(b"content-length:"):
                    length = int(header.partition(b":")[2])
            while length > 0 and not wire.startswith(b"HEAD ") and (part := await reader.read(65_536)):
                length -= len(part)
            return int(line.split()[1]) if line.startswith(b"HTTP/") else 0
    except TimeoutError:
        return -1
    except OSError:
        return 0
    finally:
        if writer is not None:
            writer.transport.abort()


async def ask_all(port: int, wires: list[bytes], *, at_once: int) -> Counter[int]:
    """Send many requests, several at a time; return the number of answers by status."""
    turns = asyncio.Semaphore(at_once)

    async def one(wire: bytes) -> int:
        async with turns:
            return await ask(port, wire)

    return Counter(await asyncio.gather(*(one(each) for each in wires)))


async def dawdle(port: int, first: bytes, more: bytes, seconds: float) -> bytes:
    """Send some bytes, then a few every 0.2 seconds; return the service's answer before it closes."""
    reader, writer = await asyncio.open_connection(HOST, port)
    received = asyncio.create_task(reader.read())
    ends = time.monotonic() + seconds
    with contextlib.suppress(OSError):
        writer.write(first)
        while not received.done() and time.monotonic() < ends:
            writer.write(more)
            await asyncio.wait({received}, timeout=0.2)
    writer.transport.abort()
    try:
        return await asyncio.wait_for(received, 1)
    except OSError:
        return b""


async def never_read(port: int, wire: bytes, seconds: float) -> bool:
    """Send a request without reading the answer; return whether the service closed the connection."""
    own = socket.socket()
    own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # otherwise the system buffers the whole answer
    own.settimeout(0)
    await asyncio.get_running_loop().sock_connect(own, (HOST, port))
    reader, writer = await asyncio.open_connection(sock=own, limit=1)
    writer.write(wire * 10)
    await asyncio.sleep(seconds)
    try:
        async with asyncio.timeout(5):
            while await reader.read(1_000_000):
                pass
    except TimeoutError:
        return False
    except OSError:
        return True
    finally:
        writer.transport.abort()
    return True


@dataclass
class Honest:
    """Context: clients that identify a person repeatedly and check whether the service is up."""

    port: int
    identify: tuple[str, dict[str, str], bytes]
    clients: int = 2
    pause: float = 0.05
    seconds: list[float] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)
    _ends: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Self:
        """Start."""
        self._threads = [threading.Thread(target=self._run, args=(self._identify,)) for _ in range(self.clients)]
        self._threads.append(threading.Thread(target=self._run, args=(self._is_up,)))
        for each in self._threads:
            each.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        self._ends.set()
        for each in self._threads:
            each.join()

    def quantile(self, share: float) -> float:
        """Return a quantile of the identifications' times, in milliseconds."""
        ordered = sorted(self.seconds)
        return 1000 * ordered[int(share * (len(ordered) - 1))] if ordered else float("nan")

    def _run(self, once: Callable[[], None]) -> None:
        while not self._ends.wait(self.pause):
            once()

    def _identify(self) -> None:
        path, headers, body = self.identify
        started = time.perf_counter()
        status, answer = self._send("POST", path, headers, body)
        if status == 200 and json.loads(answer)["faces"][0]["verdict"] == "match":
            self.seconds.append(time.perf_counter() - started)
            self.answers["served"] += 1
        else:
            self.answers["asked to retry" if status == 503 else f"failed ({status})"] += 1

    def _is_up(self) -> None:
        status, _ = self._send("GET", "/healthz", {}, b"")
        self.answers["up" if status == 200 else f"not up ({status})"] += 1

    def _send(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(HOST, self.port, timeout=60)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            return 0, b""
        finally:
            connection.close()
