"""Methods of both clients from one definition: a function builds the call, and the transport sends it.

`enroll = Operation(recognition.enroll)` defines a method with the parameters of that function. It returns the answer in
a `Group[SyncTransport]` and is awaited in a `Group[AsyncTransport]`. Type checkers and editors see both signatures.
"""

from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator
from typing import Any, Generic, ParamSpec, TypeVar, overload

from arcid.calls import Call, Workflow
from arcid.transports import AsyncTransport, Item, PageT, SyncTransport

Params = ParamSpec("Params")
Answer = TypeVar("Answer")
Transport = TypeVar("Transport", bound=SyncTransport | AsyncTransport)


class Group(Generic[Transport]):
    """A group of methods that share a transport."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport


class Operation(Generic[Params, Answer]):
    """A method that returns one answer."""

    def __init__(self, build: Callable[Params, Call[Answer] | Workflow[Answer]]) -> None:
        self.build = build
        self.__doc__ = build.__doc__

    @overload
    def __get__(self, group: None, owner: type) -> "Operation[Params, Answer]": ...
    @overload
    def __get__(self, group: Group[SyncTransport], owner: type) -> Callable[Params, Answer]: ...
    @overload
    def __get__(self, group: Group[AsyncTransport], owner: type) -> Callable[Params, Coroutine[Any, Any, Answer]]: ...
    def __get__(self, group: Group[Any] | None, owner: type) -> Any:
        """Return the method bound to a group."""
        return self if group is None else group.transport.method(self.build)


class Pages(Generic[Params, PageT, Item]):
    """A method that iterates over the items of all pages of a list."""

    def __init__(self, build: Callable[Params, Call[PageT]], items: Callable[[PageT], Iterable[Item]]) -> None:
        self.build = build
        self._items = items
        self.__doc__ = build.__doc__

    @overload
    def __get__(self, group: None, owner: type) -> "Pages[Params, PageT, Item]": ...
    @overload
    def __get__(self, group: Group[SyncTransport], owner: type) -> Callable[Params, Iterator[Item]]: ...
    @overload
    def __get__(self, group: Group[AsyncTransport], owner: type) -> Callable[Params, AsyncIterator[Item]]: ...
    def __get__(self, group: Group[Any] | None, owner: type) -> Any:
        """Return the method bound to a group."""
        return self if group is None else group.transport.pages(self.build, self._items)


class Events(Generic[Params, Item]):
    """A method that iterates over server-sent events."""

    def __init__(self, build: Callable[Params, Call[Callable[[str], Item]]]) -> None:
        self.build = build
        self.__doc__ = build.__doc__

    @overload
    def __get__(self, group: None, owner: type) -> "Events[Params, Item]": ...
    @overload
    def __get__(self, group: Group[SyncTransport], owner: type) -> Callable[Params, Iterator[Item]]: ...
    @overload
    def __get__(self, group: Group[AsyncTransport], owner: type) -> Callable[Params, AsyncIterator[Item]]: ...
    def __get__(self, group: Group[Any] | None, owner: type) -> Any:
        """Return the method bound to a group."""
        return self if group is None else group.transport.events(self.build)
