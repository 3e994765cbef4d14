"""Methods of both clients from one definition: what to ask for is a function, who asks says how it is answered.

`enroll = Operation(recognition.enroll)` is a method with the parameters of that function. On a `Group[Now]` it
returns the answer, on a `Group[Later]` it is awaited; type checkers and editors see both.
"""

from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator
from typing import Any, Generic, ParamSpec, TypeVar, overload

from arcid.calls import Call, Errand
from arcid.executors import Item, Later, Leaf, Now

Params = ParamSpec("Params")
Answer = TypeVar("Answer")
Executor = TypeVar("Executor", bound=Now | Later)


class Group(Generic[Executor]):
    """Methods that belong together."""

    def __init__(self, executor: Executor) -> None:
        self.executor = executor


class Operation(Generic[Params, Answer]):
    """A method that answers."""

    def __init__(self, ask: Callable[Params, Call[Answer] | Errand[Answer]]) -> None:
        self.ask = ask
        self.__doc__ = ask.__doc__

    @overload
    def __get__(self, group: None, owner: type) -> "Operation[Params, Answer]": ...
    @overload
    def __get__(self, group: Group[Now], owner: type) -> Callable[Params, Answer]: ...
    @overload
    def __get__(self, group: Group[Later], owner: type) -> Callable[Params, Coroutine[Any, Any, Answer]]: ...
    def __get__(self, group: Group[Any] | None, owner: type) -> Any:
        """Return the method of a group."""
        return self if group is None else group.executor.bound(self.ask)


class Pages(Generic[Params, Leaf, Item]):
    """A method that goes through all pages of a list."""

    def __init__(self, ask: Callable[Params, Call[Leaf]], items: Callable[[Leaf], Iterable[Item]]) -> None:
        self.ask = ask
        self._items = items
        self.__doc__ = ask.__doc__

    @overload
    def __get__(self, group: None, owner: type) -> "Pages[Params, Leaf, Item]": ...
    @overload
    def __get__(self, group: Group[Now], owner: type) -> Callable[Params, Iterator[Item]]: ...
    @overload
    def __get__(self, group: Group[Later], owner: type) -> Callable[Params, AsyncIterator[Item]]: ...
    def __get__(self, group: Group[Any] | None, owner: type) -> Any:
        """Return the method of a group."""
        return self if group is None else group.executor.pages(self.ask, self._items)


class Events(Generic[Params, Item]):
    """A method that goes through events as they come."""

    def __init__(self, ask: Callable[Params, Call[Callable[[str], Item]]]) -> None:
        self.ask = ask
        self.__doc__ = ask.__doc__

    @overload
    def __get__(self, group: None, owner: type) -> "Events[Params, Item]": ...
    @overload
    def __get__(self, group: Group[Now], owner: type) -> Callable[Params, Iterator[Item]]: ...
    @overload
    def __get__(self, group: Group[Later], owner: type) -> Callable[Params, AsyncIterator[Item]]: ...
    def __get__(self, group: Group[Any] | None, owner: type) -> Any:
        """Return the method of a group."""
        return self if group is None else group.executor.events(self.ask)
