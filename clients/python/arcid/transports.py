"""Transports: they send calls synchronously or with asyncio. `arcid.retries` has the logic that both share."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, ParamSpec, Protocol, TypeVar

import httpx2

from arcid.atomic_file import atomic_file
from arcid.calls import Call, Pause, Reply, Workflow
from arcid.retries import Exchange, RetryPolicy, connection_error, run, send

Params = ParamSpec("Params")
Answer = TypeVar("Answer")
Item = TypeVar("Item")


class Paged(Protocol):
    """One page of a list."""

    @property
    def next_cursor(self) -> str | None:
        """The cursor of the next page; None on the last page."""


PageT = TypeVar("PageT", bound=Paged)


class SyncTransport:
    """Synchronous transport: its methods return the answer."""

    def __init__(self, http: httpx2.Client, policy: RetryPolicy) -> None:
        self.http = http
        self._policy = policy

    def method(self, build: Callable[Params, Call[Answer] | Workflow[Answer]]) -> Callable[Params, Answer]:
        """Return a method that builds an operation, sends it, and returns its answer."""

        @wraps(build)
        def method(*args: Params.args, **kwargs: Params.kwargs) -> Answer:
            return self._exchange(run(build(*args, **kwargs), self._policy))

        return method

    def pages(
        self, build: Callable[Params, Call[PageT]], items: Callable[[PageT], Iterable[Item]]
    ) -> Callable[Params, Iterator[Item]]:
        """Return a method that iterates over the items of all pages and fetches each page when it is needed."""

        @wraps(build)
        def method(*args: Params.args, **kwargs: Params.kwargs) -> Iterator[Item]:
            call: Call[PageT] | None = build(*args, **kwargs)
            while call is not None:
                page = self._exchange(run(call, self._policy))
                yield from items(page)
                call = call.after(page.next_cursor)

        return method

    def events(self, build: Callable[Params, Call[Callable[[str], Item]]]) -> Callable[Params, Iterator[Item]]:
        """Return a method that iterates over server-sent events."""

        @wraps(build)
        def method(*args: Params.args, **kwargs: Params.kwargs) -> Iterator[Item]:
            call = build(*args, **kwargs)
            reply = self._exchange(send(call, self._policy))
            read, stream = call.read(reply), reply.open_stream
            try:
                with _connection_errors(call):
                    for event in httpx2.EventSource(stream):
                        yield read(event.data)
            finally:
                stream.close()

        return method

    def _exchange(self, exchange: Exchange[Answer]) -> Answer:
        try:
            step = next(exchange)
            while True:
                try:
                    reply = self._perform(step)
                except httpx2.RequestError as error:
                    step = exchange.throw(error)
                else:
                    step = exchange.send(reply)
        except StopIteration as end:
            answer: Answer = end.value
            return answer

    def _perform(self, step: Call[Any] | Pause) -> Reply | None:
        if isinstance(step, Pause):
            time.sleep(step.seconds)
            return None
        response = self.http.send(request_of(self.http, step), stream=True)
        if step.is_streamed and response.is_success:
            return Reply(response.status_code, response.headers, b"", response)
        try:
            if step.save_to is not None and response.is_success:
                with atomic_file(step.save_to) as file:
                    for chunk in response.iter_bytes():
                        file.write(chunk)
                return Reply(response.status_code, response.headers, b"")
            return Reply(response.status_code, response.headers, response.read())
        finally:
            response.close()


class AsyncTransport:
    """Asynchronous transport: its methods return awaitables and asynchronous iterators (asyncio)."""

    def __init__(self, http: httpx2.AsyncClient, policy: RetryPolicy) -> None:
        self.http = http
        self._policy = policy

    def method(
        self, build: Callable[Params, Call[Answer] | Workflow[Answer]]
    ) -> Callable[Params, Coroutine[Any, Any, Answer]]:
        """Return a method that builds an operation, sends it, and returns its answer."""

        @wraps(build)
        async def method(*args: Params.args, **kwargs: Params.kwargs) -> Answer:
            return await self._exchange(run(build(*args, **kwargs), self._policy))

        return method

    def pages(
        self, build: Callable[Params, Call[PageT]], items: Callable[[PageT], Iterable[Item]]
    ) -> Callable[Params, AsyncIterator[Item]]:
        """Return a method that iterates over the items of all pages and fetches each page when it is needed."""

        @wraps(build)
        async def method(*args: Params.args, **kwargs: Params.kwargs) -> AsyncIterator[Item]:
            call: Call[PageT] | None = build(*args, **kwargs)
            while call is not None:
                page = await self._exchange(run(call, self._policy))
                for item in items(page):
                    yield item
                call = call.after(page.next_cursor)

        return method

    def events(self, build: Callable[Params, Call[Callable[[str], Item]]]) -> Callable[Params, AsyncIterator[Item]]:
        """Return a method that iterates over server-sent events."""

        @wraps(build)
        async def method(*args: Params.args, **kwargs: Params.kwargs) -> AsyncIterator[Item]:
            call = build(*args, **kwargs)
            reply = await self._exchange(send(call, self._policy))
            read, stream = call.read(reply), reply.open_stream
            try:
                with _connection_errors(call):
                    async for event in httpx2.EventSource(stream):
                        yield read(event.data)
            finally:
                await stream.aclose()

        return method

    async def _exchange(self, exchange: Exchange[Answer]) -> Answer:
        try:
            step = next(exchange)
            while True:
                try:
                    reply = await self._perform(step)
                except httpx2.RequestError as error:
                    step = exchange.throw(error)
                else:
                    step = exchange.send(reply)
        except StopIteration as end:
            answer: Answer = end.value
            return answer

    async def _perform(self, step: Call[Any] | Pause) -> Reply | None:
        if isinstance(step, Pause):
            await asyncio.sleep(step.seconds)
            return None
        response = await self.http.send(request_of(self.http, step), stream=True)
        if step.is_streamed and response.is_success:
            return Reply(response.status_code, response.headers, b"", response)
        try:
            if step.save_to is not None and response.is_success:
                with atomic_file(step.save_to) as file:
                    async for chunk in response.aiter_bytes():
                        file.write(chunk)
                return Reply(response.status_code, response.headers, b"")
            return Reply(response.status_code, response.headers, await response.aread())
        finally:
            await response.aclose()


def request_of(http: httpx2.Client | httpx2.AsyncClient, call: Call[Any]) -> httpx2.Request:
    """Build the HTTP request of a call."""
    body = call.body
    return http.build_request(
        call.method,
        call.path,
        params=call.query or None,
        headers=call.headers,
        content=body.content,
        json=body.json,
        data=body.fields or None,
        # File names are not sent, because they often contain names of people.
        files=[(name, (name, content)) for name, content in body.files] or None,
    )


@contextmanager
def _connection_errors(call: Call[Any]) -> Iterator[None]:
    try:
        yield
    except httpx2.RequestError as error:
        raise connection_error(call, error) from error
