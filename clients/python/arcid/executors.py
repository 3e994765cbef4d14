"""How calls are sent: now, or awaited. What both do alike is in `arcid.attempts`; they differ in `await` alone."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, ParamSpec, Protocol, TypeVar

import httpx2

from arcid.attempts import Retries, Steps, attempts, failed, perform
from arcid.calls import Call, Errand, Pause, Reply
from arcid.saving import saved

Params = ParamSpec("Params")
Answer = TypeVar("Answer")
Item = TypeVar("Item")


class Paged(Protocol):
    """An answer that has a next page."""

    @property
    def next_cursor(self) -> str | None:
        """Its cursor; None on the last one."""


Leaf = TypeVar("Leaf", bound=Paged)


class Now:
    """Sends calls and waits for their answers."""

    def __init__(self, http: httpx2.Client, retries: Retries) -> None:
        self.http = http
        self._retries = retries

    def bound(self, ask: Callable[Params, Call[Answer] | Errand[Answer]]) -> Callable[Params, Answer]:
        """Return a method that does what `ask` asks for."""

        @wraps(ask)
        def method(*args: Params.args, **kwargs: Params.kwargs) -> Answer:
            return self._take(perform(ask(*args, **kwargs), self._retries))

        return method

    def pages(
        self, ask: Callable[Params, Call[Leaf]], items: Callable[[Leaf], Iterable[Item]]
    ) -> Callable[Params, Iterator[Item]]:
        """Return a method that goes through the items of all pages, fetching each page when it is reached."""

        @wraps(ask)
        def method(*args: Params.args, **kwargs: Params.kwargs) -> Iterator[Item]:
            call: Call[Leaf] | None = ask(*args, **kwargs)
            while call is not None:
                page = self._take(perform(call, self._retries))
                yield from items(page)
                call = call.after(page.next_cursor)

        return method

    def events(self, ask: Callable[Params, Call[Callable[[str], Item]]]) -> Callable[Params, Iterator[Item]]:
        """Return a method that goes through server-sent events as they come."""

        @wraps(ask)
        def method(*args: Params.args, **kwargs: Params.kwargs) -> Iterator[Item]:
            call = ask(*args, **kwargs)
            reply = self._take(attempts(call, self._retries))
            read, live = call.read(reply), reply.body_to_come
            try:
                with _failures_of(call):
                    for event in httpx2.EventSource(live):
                        yield read(event.data)
            finally:
                live.close()

        return method

    def _take(self, steps: Steps[Answer]) -> Answer:
        try:
            step = next(steps)
            while True:
                try:
                    reply = self._do(step)
                except httpx2.RequestError as error:
                    step = steps.throw(error)
                else:
                    step = steps.send(reply)
        except StopIteration as end:
            answer: Answer = end.value
            return answer

    def _do(self, step: Call[Any] | Pause) -> Reply | None:
        if isinstance(step, Pause):
            time.sleep(step.seconds)
            return None
        response = self.http.send(request_of(self.http, step), stream=True)
        if step.is_live and response.is_success:
            return Reply(response.status_code, response.headers, b"", response)
        try:
            if step.save_to is not None and response.is_success:
                with saved(step.save_to) as file:
                    for chunk in response.iter_bytes():
                        file.write(chunk)
                return Reply(response.status_code, response.headers, b"")
            return Reply(response.status_code, response.headers, response.read())
        finally:
            response.close()


class Later:
    """Sends calls, and their answers are awaited (asyncio)."""

    def __init__(self, http: httpx2.AsyncClient, retries: Retries) -> None:
        self.http = http
        self._retries = retries

    def bound(
        self, ask: Callable[Params, Call[Answer] | Errand[Answer]]
    ) -> Callable[Params, Coroutine[Any, Any, Answer]]:
        """Return a method that does what `ask` asks for."""

        @wraps(ask)
        async def method(*args: Params.args, **kwargs: Params.kwargs) -> Answer:
            return await self._take(perform(ask(*args, **kwargs), self._retries))

        return method

    def pages(
        self, ask: Callable[Params, Call[Leaf]], items: Callable[[Leaf], Iterable[Item]]
    ) -> Callable[Params, AsyncIterator[Item]]:
        """Return a method that goes through the items of all pages, fetching each page when it is reached."""

        @wraps(ask)
        async def method(*args: Params.args, **kwargs: Params.kwargs) -> AsyncIterator[Item]:
            call: Call[Leaf] | None = ask(*args, **kwargs)
            while call is not None:
                page = await self._take(perform(call, self._retries))
                for item in items(page):
                    yield item
                call = call.after(page.next_cursor)

        return method

    def events(self, ask: Callable[Params, Call[Callable[[str], Item]]]) -> Callable[Params, AsyncIterator[Item]]:
        """Return a method that goes through server-sent events as they come."""

        @wraps(ask)
        async def method(*args: Params.args, **kwargs: Params.kwargs) -> AsyncIterator[Item]:
            call = ask(*args, **kwargs)
            reply = await self._take(attempts(call, self._retries))
            read, live = call.read(reply), reply.body_to_come
            try:
                with _failures_of(call):
                    async for event in httpx2.EventSource(live):
                        yield read(event.data)
            finally:
                await live.aclose()

        return method

    async def _take(self, steps: Steps[Answer]) -> Answer:
        try:
            step = next(steps)
            while True:
                try:
                    reply = await self._do(step)
                except httpx2.RequestError as error:
                    step = steps.throw(error)
                else:
                    step = steps.send(reply)
        except StopIteration as end:
            answer: Answer = end.value
            return answer

    async def _do(self, step: Call[Any] | Pause) -> Reply | None:
        if isinstance(step, Pause):
            await asyncio.sleep(step.seconds)
            return None
        response = await self.http.send(request_of(self.http, step), stream=True)
        if step.is_live and response.is_success:
            return Reply(response.status_code, response.headers, b"", response)
        try:
            if step.save_to is not None and response.is_success:
                with saved(step.save_to) as file:
                    async for chunk in response.aiter_bytes():
                        file.write(chunk)
                return Reply(response.status_code, response.headers, b"")
            return Reply(response.status_code, response.headers, await response.aread())
        finally:
            await response.aclose()


def request_of(http: httpx2.Client | httpx2.AsyncClient, call: Call[Any]) -> httpx2.Request:
    """Return the request of a call."""
    body = call.body
    return http.build_request(
        call.method,
        call.path,
        params=call.query or None,
        headers=call.headers,
        json=body.json,
        data=body.fields or None,
        # The names of files on disk are often those of people.
        files=[(name, (name, content)) for name, content in body.files] or None,
    )


@contextmanager
def _failures_of(call: Call[Any]) -> Iterator[None]:
    try:
        yield
    except httpx2.RequestError as error:
        raise failed(call, error) from error
