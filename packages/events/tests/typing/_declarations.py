"""How headrace's own classes declare their events: overloads with literal names.

One overload for each *signature*, not for each event, with and without the listener; a
class repeats its parent's; the other ways of adding are `on`. The class with the
overloads is, at run time, the parent itself.
"""

from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar, overload

from headrace.events import (
    ErrorEvent,
    ErrorListener,
    EventEmitter,
    Listener,
    Signal,
    TableEvent,
    TableListener,
)

DataListener = Callable[[bytes], object]
LookupListener = Callable[[str, int], object]

if TYPE_CHECKING:
    D = TypeVar("D", bound=DataListener)
    E = TypeVar("E", bound=ErrorListener)
    S = TypeVar("S", bound=Signal)
    T = TypeVar("T", bound=TableListener)
    SourceSignal = Literal["end", "close"]

    class SourceEvents(EventEmitter):
        """What a source emits."""

        @overload  # type: ignore[override]  # known names only, on purpose
        def on(self, event: Literal["data"], listener: DataListener) -> Self: ...
        @overload
        def on(self, event: SourceSignal, listener: Signal) -> Self: ...
        @overload
        def on(self, event: ErrorEvent, listener: ErrorListener) -> Self: ...
        @overload
        def on(self, event: TableEvent, listener: TableListener) -> Self: ...
        @overload
        def on(self, event: Literal["data"]) -> Callable[[D], D]: ...
        @overload
        def on(self, event: SourceSignal) -> Callable[[S], S]: ...
        @overload
        def on(self, event: ErrorEvent) -> Callable[[E], E]: ...
        @overload
        def on(self, event: TableEvent) -> Callable[[T], T]: ...
        def on(self, event: Hashable, listener: Listener = ...) -> Any: ...

        once = prepend_listener = on  # type: ignore[assignment]
        add_listener = prepend_once_listener = on  # type: ignore[assignment]

else:
    SourceEvents = EventEmitter


class Source(SourceEvents):
    """A class like Readable."""


if TYPE_CHECKING:
    L = TypeVar("L", bound=LookupListener)
    SocketSignal = SourceSignal | Literal["connect", "drain"]

    class SocketEvents(Source):
        """What a socket emits: its parent's events, more signals, and ``lookup``."""

        @overload  # type: ignore[override]  # known names only, on purpose
        def on(self, event: Literal["data"], listener: DataListener) -> Self: ...
        @overload
        def on(self, event: Literal["lookup"], listener: LookupListener) -> Self: ...
        @overload
        def on(self, event: SocketSignal, listener: Signal) -> Self: ...
        @overload
        def on(self, event: ErrorEvent, listener: ErrorListener) -> Self: ...
        @overload
        def on(self, event: TableEvent, listener: TableListener) -> Self: ...
        @overload
        def on(self, event: Literal["data"]) -> Callable[[D], D]: ...
        @overload
        def on(self, event: Literal["lookup"]) -> Callable[[L], L]: ...
        @overload
        def on(self, event: SocketSignal) -> Callable[[S], S]: ...
        @overload
        def on(self, event: ErrorEvent) -> Callable[[E], E]: ...
        @overload
        def on(self, event: TableEvent) -> Callable[[T], T]: ...
        def on(self, event: Hashable, listener: Listener = ...) -> Any: ...

        once = prepend_listener = on  # type: ignore[assignment]
        add_listener = prepend_once_listener = on  # type: ignore[assignment]

else:
    SocketEvents = Source


class Socket(SocketEvents):
    """A class like Socket."""
