"""What is read of bodies: how large one may be, how long it may take, and how much all together may hold."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from anyio import fail_after
from starlette.types import Message, Receive

from app.errors import BodyTooLarge, BodyTooSlow, Overloaded


class Intake:
    """Counts the bytes of all bodies as they come. For one event loop; not thread-safe."""

    def __init__(self, *, body_bytes: int, bodies_bytes: int, read_seconds: float) -> None:
        self.held = 0
        self._most_each = body_bytes
        self.most_held = max(body_bytes, bodies_bytes)
        self._read_seconds = read_seconds

    @contextmanager
    def holding(self) -> Iterator[Callable[[int], None]]:
        """Yield what counts bytes that were fetched for a request; they are held until the block is left.

        What is yielded raises Overloaded.
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
        """Yield a `receive` that stops reading; the body's bytes are held until the block is left.

        `announced` is the Content-Length. Raises BodyTooLarge and Overloaded, at once when that much is announced,
        and BodyTooSlow; all three from the yielded `receive` too.
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
            if is_complete:  # what comes now is the client's departure
                return await receive()
            try:
                with fail_after(deadline - time.monotonic()):
                    message = await receive()
            except TimeoutError:
                raise BodyTooSlow(f"the body did not arrive within {self._read_seconds:g} seconds") from None
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
