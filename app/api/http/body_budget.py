"""Limits of request bodies: size and time of each, and bytes that all of them hold together."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from anyio import fail_after
from starlette.types import Message, Receive

from app.errors import BodyTooLarge, BodyTooSlow, Overloaded


class BodyBudget:
    """Byte counter of all request bodies. For one event loop; not thread-safe."""

    def __init__(self, *, body_bytes: int, bodies_bytes: int, read_seconds: float) -> None:
        self.held = 0
        self._most_each = body_bytes
        self.most_held = max(body_bytes, bodies_bytes)
        self._read_seconds = read_seconds

    @contextmanager
    def holding(self) -> Iterator[Callable[[int], None]]:
        """Context manager: yield a function that counts bytes fetched for a request, until the block ends.

        The function raises Overloaded.
        """
        seen = 0

        def hold(more: int) -> None:
            nonlocal seen
            self._require_room(more)
            seen += more
            self.held += more

        try:
            yield hold
        finally:
            self.held -= seen

    def _require_room(self, more: int) -> None:
        if more and self.held + more > self.most_held:
            raise Overloaded("the service reads as many request bodies as it may hold")

    @contextmanager
    def limited(self, receive: Receive, announced: str) -> Iterator[Receive]:
        """Context manager: yield a `receive` with limits; the body's bytes count until the block ends.

        Args:
            receive: the ASGI channel of the request.
            announced: the Content-Length, which is checked at once.

        Raises BodyTooLarge, Overloaded or BodyTooSlow, also from the yielded `receive`.
        """
        seen = 0
        is_complete = False
        deadline = time.monotonic() + self._read_seconds

        def require_room(more: int) -> None:
            if seen + more > self._most_each:
                raise BodyTooLarge(f"the body is too large; at most {self._most_each:,} bytes are accepted")
            self._require_room(more)

        async def limited() -> Message:
            nonlocal seen, is_complete
            if is_complete:  # the next message is the client's departure
                return await receive()
            message = await self._piece(receive, deadline - time.monotonic())
            is_complete = not message.get("more_body", False)
            more = len(message.get("body", b""))
            require_room(more)
            seen += more
            self.held += more
            return message

        require_room(int(announced) if announced.isdecimal() else 0)
        try:
            yield limited
        finally:
            self.held -= seen

    @contextmanager
    def streamed(self, receive: Receive) -> Iterator[Receive]:
        """Context manager: yield a `receive` for a body of any size that its route stores piece by piece.

        Each piece has the time limit of a body, and counts until the next one is asked for. The yielded `receive`
        raises Overloaded or BodyTooSlow.
        """
        held = 0
        is_complete = False

        async def streamed() -> Message:
            nonlocal held, is_complete
            self.held -= held
            held = 0
            if is_complete:
                return await receive()
            message = await self._piece(receive, self._read_seconds)
            is_complete = not message.get("more_body", False)
            more = len(message.get("body", b""))
            self._require_room(more)
            held = more
            self.held += more
            return message

        try:
            yield streamed
        finally:
            self.held -= held

    async def _piece(self, receive: Receive, seconds: float) -> Message:
        try:
            with fail_after(seconds):
                return await receive()
        except TimeoutError:
            raise BodyTooSlow(f"the body did not arrive within {self._read_seconds:g} seconds") from None
