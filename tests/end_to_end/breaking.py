"""A proxy that breaks its connections after some bytes of the client, and may throttle them."""

import asyncio
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tests.accepting import stop_accepting

_PIECE = 16_384


class Breaking:
    """A proxy in front of a port. It breaks each connection after the next number of bytes in `cuts`."""

    def __init__(self, port: int, cuts: list[int], bytes_per_second: float) -> None:
        self.cuts = cuts
        self.bytes_per_second = bytes_per_second
        self.broken = 0
        self.is_away = False
        self._port = port
        self._connections: list[asyncio.Task[None]] = []
        self._writers: list[asyncio.StreamWriter] = []

    async def run(self, started: queue.SimpleQueue[int]) -> None:
        """Serve until `stop`; put the port into the queue."""
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._accept, "127.0.0.1")
        started.put(server.sockets[0].getsockname()[1])
        await self._stopping.wait()
        await stop_accepting(server)
        server.close()
        for each in self._connections:
            each.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        for writer in self._writers:  # a task that was cancelled before its first step has closed nothing
            await _end(writer)

    def stop(self) -> None:
        """End the proxy and all its connections; for another thread."""
        self._loop.call_soon_threadsafe(self._stopping.set)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        self._connections.append(asyncio.create_task(self._serve(reader, writer)))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner, outer = await asyncio.open_connection("127.0.0.1", self._port)
        self._writers.append(outer)
        back = asyncio.create_task(_copy(inner, writer))
        try:
            with suppress(OSError):
                if await self._forward(reader, outer):
                    self.broken += 1
                else:
                    await back
        finally:
            back.cancel()
            for each in (writer, outer):
                await _end(each)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Copy what the client sends; return whether the connection breaks here."""
        seen = 0
        while not self.is_away and (data := await reader.read(_PIECE)):
            seen += len(data)
            writer.write(data)
            await writer.drain()
            if self.bytes_per_second:
                await asyncio.sleep(len(data) / self.bytes_per_second)
            if self.cuts and seen >= self.cuts[0]:
                self.cuts.pop(0)
                return True
        return self.is_away


async def _end(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()
    with suppress(OSError):
        await writer.wait_closed()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(_PIECE):
            writer.write(data)
            await writer.drain()


@contextmanager
def breaking(port: int, *cuts: int, bytes_per_second: float = 0) -> Iterator[tuple[int, Breaking]]:
    """Run a proxy in a thread; yield its port and itself."""
    proxy, started = Breaking(port, list(cuts), bytes_per_second), queue.SimpleQueue[int]()
    thread = threading.Thread(target=lambda: asyncio.run(proxy.run(started)))
    thread.start()
    try:
        yield started.get(timeout=10), proxy
    finally:
        proxy.stop()
        thread.join()
