"""Uvicorn server with time limits for slow clients, a limit of connections, and a graceful stop."""

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any, ClassVar

import uvicorn
from fastapi import FastAPI
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from app.api.http.errors import problem
from app.api.http.listening import address_of
from app.errors import ArcidError, Overloaded, ShuttingDown
from app.observability.logs import get_logger

_log = get_logger(__name__)

# Longer than the 60 s of common load balancers: the side that reuses a connection should be the one that closes it.
_KEEP_ALIVE_S = 75
_MOST_HEAD_BYTES = 65_536
_MOST_PIPELINED = 16  # requests of a connection that wait for the previous answer; thousands fit in a packet
# Idle connections close this long after /readyz and `Connection: close` have announced the stop.
_LINGER_S = 0.5
_LAST_ANSWERS_S = 1
_MOST_REFUSED = 256  # connections above the limit that still get an answer; more are aborted at once


class LingeringTransport:
    """Transport whose `close` gives the client time to read the last answer (RFC 9112, section 9.6).

    Closing a connection with unread bytes resets it, and a reset may destroy an answer that the client has not read
    yet. So `close` first closes the sending half, then reads and drops data until the client closes its half or
    `seconds` have passed. Other calls go to the `transport` itself.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop, *, seconds: float) -> None:
        self._transport = transport
        self._loop = loop
        self._seconds = seconds
        self.is_lingering = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def is_closing(self) -> bool:
        """Return whether nothing more may be written."""
        return self.is_lingering or self._transport.is_closing()

    def close_idle(self) -> None:
        """Close at once; call it if no request is running."""
        if not self.is_lingering:
            self._transport.close()

    def close(self) -> None:
        """Send the written data and the end of the stream; drop further data of the client."""
        if self.is_closing():
            return
        if not self._transport.can_write_eof():
            self._transport.close()
            return
        self.is_lingering = True
        self._transport.write_eof()
        self._transport.resume_reading()
        self._loop.call_later(self._seconds, self._transport.abort)


class Protocol(HttpToolsProtocol):
    """One connection, with limits that uvicorn lacks: time and size of a head, time of an answer, connections."""

    read_seconds: ClassVar[float]
    most_connections: ClassVar[int]
    is_stopping: ClassVar[bool] = False
    _reading: asyncio.TimerHandle | None = None
    _writing: asyncio.TimerHandle | None = None
    _running: RequestResponseCycle | None = None
    _lingering: LingeringTransport
    _is_refused = False
    _unanswered: int = 0  # bytes since the start of the head, or since the last part of the body

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn's
        """Wait for a request; with too many connections, refuse this one."""
        super().connection_made(transport)
        self.transport = self._lingering = LingeringTransport(transport, self.loop, seconds=self.read_seconds)  # type: ignore[assignment] # it has the methods of a transport
        transport.set_write_buffer_limits(high=0)  # wait for everything that the client does not read at once
        _limit_unread(transport.get_extra_info("socket"), self.read_seconds)
        if self.is_stopping:
            self._refuse(ShuttingDown())
        elif len(self.connections) > self.most_connections:
            self._refuse(Overloaded("too many connections are open"))
        else:
            self._await_request()

    def data_received(self, data: bytes) -> None:
        """Process data; abort a connection whose head does not end."""
        if self._is_refused or self._lingering.is_lingering:
            return
        if self._reading is None:
            self._await_request()
        self._unanswered += len(data)
        super().data_received(data)
        if self._unanswered > _MOST_HEAD_BYTES + len(data):
            self._leave_running()
            self.transport.abort()

    def on_message_begin(self) -> None:
        """Start a request; close connections that pipeline more than 16."""
        if len(self.pipeline) >= _MOST_PIPELINED:
            raise ConnectionAbortedError("too many requests at once")  # uvicorn stops parsing
        super().on_message_begin()

    def send_400_response(self, msg: str) -> None:
        """Refuse data that is not HTTP; a running answer is completed first, and is the last one."""
        if self._running is None or self._running.response_complete:
            super().send_400_response(msg)
        else:
            self._is_refused = True
            self.pipeline.clear()
            self._running.keep_alive = False
            self.flow.pause_reading()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def on_body(self, body: bytes) -> None:
        """Process a part of the body; the application limits its size."""
        self._unanswered = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Stop waiting: the request is complete."""
        self._unanswered = 0
        self._stop_waiting()
        super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._stop_waiting()
        self._stop_writing()
        self._leave_running()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Wait for the client to read; abort the connection if it does not."""
        super().pause_writing()
        self._stop_writing()
        self._writing = self.loop.call_later(self.read_seconds, self._unread)

    def resume_writing(self) -> None:
        """Continue to write."""
        self._stop_writing()
        super().resume_writing()

    def _await_request(self) -> None:
        self._reading = self.loop.call_later(self.read_seconds, self._too_slow)

    def _stop_waiting(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None

    def _unread(self) -> None:
        self._leave_running()
        self.transport.abort()

    def _leave_running(self) -> None:
        """Notify the running request that its client has gone; uvicorn notifies only the newest one."""
        self.pipeline.clear()
        if self._running is not None:
            self._running.disconnected = True
            self._running.message_event.set()

    def _stop_writing(self) -> None:
        if self._writing is not None:
            self._writing.cancel()
            self._writing = None

    def _too_slow(self) -> None:
        if self.cycle is None or self.cycle.response_complete:
            self.transport.abort()  # no head, or the rest of a refused body
        else:
            self._await_request()  # a body that the application reads and limits: app/api/http/body_budget.py

    def shutdown(self) -> None:
        """Close the connection if it is idle; the first request of a new one is still answered, with 503."""
        if self.cycle is not None and self.cycle.response_complete:
            self._lingering.close_idle()
        elif self.cycle is not None:
            super().shutdown()

    def _refuse(self, error: ArcidError) -> None:
        answer = problem(503, error.code, str(error))
        head = "".join(f"{name.decode()}: {value.decode()}\r\n" for name, value in answer.raw_headers)
        status = "HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\n"
        self.transport.write(f"{status}{head}\r\n".encode() + bytes(answer.body))
        self._is_refused = True
        if len(self.connections) > self.most_connections + _MOST_REFUSED:
            self.transport.abort()
        else:
            self.transport.close()


def _limit_unread(connection: socket.socket, seconds: float) -> None:
    """Let the system close a connection whose client does not read; it may hold megabytes for each.

    It does so after twice `seconds`, because it notices the progress of a slow client only in large steps. On Linux;
    on other systems the connection ends as an idle one.
    """
    is_tcp = connection.family in {socket.AF_INET, socket.AF_INET6}
    if is_tcp and hasattr(socket, "TCP_USER_TIMEOUT"):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(2 * seconds * 1000))


class Server(uvicorn.Server):
    """Server with a graceful stop: it finishes running requests within a time limit, and refuses new ones."""

    def __init__(
        self, config: uvicorn.Config, protocol: type[Protocol], *, drain: Callable[[], None], grace_seconds: float
    ) -> None:
        super().__init__(config)
        self._protocol = protocol
        self._drain = drain
        self._grace_seconds = grace_seconds

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to listen on the sockets, and log the page's address."""
        await super().startup(sockets)
        if self.started:
            _log.info("serve.ready", page=" ".join(dict.fromkeys(map(address_of, sockets or ()))))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Finish the running requests; refuse new ones with an answer."""
        _log.info("serve.stopping")
        self._drain()
        running = set(self.server_state.tasks)
        if running:
            await asyncio.wait(running, timeout=self._grace_seconds)
        if self.server_state.connections:
            await asyncio.sleep(_LINGER_S)
        self._protocol.is_stopping = True
        await self._close_listeners()
        await super().shutdown(sockets)  # cancels the remaining requests, which app/api/http/middleware.py answers
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await asyncio.sleep(0)
        _log.info("serve.stopped")

    async def _close_listeners(self) -> None:
        """Stop listening; refuse the connections that the system has queued, instead of letting it reset them.

        All are accepted before the first one is answered, so that no client connects again in between.
        """
        queued: list[socket.socket] = []
        for server in self.servers:
            for listener in server.sockets:
                with socket.fromfd(listener.fileno(), listener.family, listener.type) as own:
                    own.settimeout(0)
                    with suppress(BlockingIOError):
                        while True:
                            queued.append(own.accept()[0])
            server.close()
        loop = asyncio.get_running_loop()
        for connection in queued:
            await loop.connect_accepted_socket(self._connection, connection)

    def _connection(self) -> Protocol:
        """Return a new connection, made as uvicorn does."""
        return self._protocol(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)


def server_of(app: FastAPI, *, read_seconds: float, most_connections: int, grace_seconds: float) -> Server:
    """Return a server for the application; run it with the sockets of `app.api.http.listening`."""
    limits = {"read_seconds": read_seconds, "most_connections": most_connections}
    protocol = type("LimitedProtocol", (Protocol,), limits)
    config = uvicorn.Config(
        app,
        http=protocol,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # app/api/http/proxies.py
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_LAST_ANSWERS_S,
    )
    return Server(config, protocol, drain=app.state.admission.drain, grace_seconds=grace_seconds)
