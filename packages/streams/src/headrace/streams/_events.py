"""The events of streams for type checkers; nothing here exists at run time.

Each class stands between a stream class and its parent and is, at run time, the parent
itself.
"""

from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar, overload

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from headrace.events import (
        ErrorEvent,
        ErrorListener,
        EventEmitter,
        Listener,
        Signal,
        TableEvent,
        TableListener,
    )
    from headrace.streams._readable import Readable
    from headrace.streams._stream import Stream
    from headrace.streams._writable import Writable

    DataListener = Callable[[Any], object]
    SourceListener = Callable[[Readable], object]
    SourceEvent = Literal["pipe", "unpipe"]
    ReadableSignal = Literal["close", "end", "pause", "readable", "resume"]
    WritableSignal = Literal["close", "drain", "finish", "prefinish"]
    DuplexSignal = ReadableSignal | WritableSignal

    D = TypeVar("D", bound=DataListener)
    E = TypeVar("E", bound=ErrorListener)
    P = TypeVar("P", bound=SourceListener)
    S = TypeVar("S", bound=Signal)
    T = TypeVar("T", bound=TableListener)

    class StreamEvents(EventEmitter):
        """What every stream emits."""

        @overload  # type: ignore[override]  # known names only, on purpose
        def on(self, event: Literal["close"], listener: Signal) -> Self: ...
        @overload
        def on(self, event: ErrorEvent, listener: ErrorListener) -> Self: ...
        @overload
        def on(self, event: TableEvent, listener: TableListener) -> Self: ...
        @overload
        def on(self, event: Literal["close"]) -> Callable[[S], S]: ...
        @overload
        def on(self, event: ErrorEvent) -> Callable[[E], E]: ...
        @overload
        def on(self, event: TableEvent) -> Callable[[T], T]: ...
        def on(self, event: Hashable, listener: Listener = ...) -> Any: ...

        once = prepend_listener = on  # type: ignore[assignment]
        add_listener = prepend_once_listener = on  # type: ignore[assignment]

    class ReadableEvents(Stream):
        """What a Readable emits."""

        @overload  # type: ignore[override]  # known names only, on purpose
        def on(self, event: Literal["data"], listener: DataListener) -> Self: ...
        @overload
        def on(self, event: ReadableSignal, listener: Signal) -> Self: ...
        @overload
        def on(self, event: ErrorEvent, listener: ErrorListener) -> Self: ...
        @overload
        def on(self, event: TableEvent, listener: TableListener) -> Self: ...
        @overload
        def on(self, event: Literal["data"]) -> Callable[[D], D]: ...
        @overload
        def on(self, event: ReadableSignal) -> Callable[[S], S]: ...
        @overload
        def on(self, event: ErrorEvent) -> Callable[[E], E]: ...
        @overload
        def on(self, event: TableEvent) -> Callable[[T], T]: ...
        def on(self, event: Hashable, listener: Listener = ...) -> Any: ...

        once = prepend_listener = on  # type: ignore[assignment]
        add_listener = prepend_once_listener = on  # type: ignore[assignment]

    class WritableEvents(Stream):
        """What a Writable emits."""

        @overload  # type: ignore[override]  # known names only, on purpose
        def on(self, event: WritableSignal, listener: Signal) -> Self: ...
        @overload
        def on(self, event: SourceEvent, listener: SourceListener) -> Self: ...
        @overload
        def on(self, event: ErrorEvent, listener: ErrorListener) -> Self: ...
        @overload
        def on(self, event: TableEvent, listener: TableListener) -> Self: ...
        @overload
        def on(self, event: WritableSignal) -> Callable[[S], S]: ...
        @overload
        def on(self, event: SourceEvent) -> Callable[[P], P]: ...
        @overload
        def on(self, event: ErrorEvent) -> Callable[[E], E]: ...
        @overload
        def on(self, event: TableEvent) -> Callable[[T], T]: ...
        def on(self, event: Hashable, listener: Listener = ...) -> Any: ...

        once = prepend_listener = on  # type: ignore[assignment]
        add_listener = prepend_once_listener = on  # type: ignore[assignment]

    class DuplexEvents(Readable, Writable):
        """What a Duplex emits."""

        __slots__ = ()

        @overload  # type: ignore[override]  # both parents' names
        def on(self, event: Literal["data"], listener: DataListener) -> Self: ...
        @overload
        def on(self, event: DuplexSignal, listener: Signal) -> Self: ...
        @overload
        def on(self, event: SourceEvent, listener: SourceListener) -> Self: ...
        @overload
        def on(self, event: ErrorEvent, listener: ErrorListener) -> Self: ...
        @overload
        def on(self, event: TableEvent, listener: TableListener) -> Self: ...
        @overload
        def on(self, event: Literal["data"]) -> Callable[[D], D]: ...
        @overload
        def on(self, event: DuplexSignal) -> Callable[[S], S]: ...
        @overload
        def on(self, event: SourceEvent) -> Callable[[P], P]: ...
        @overload
        def on(self, event: ErrorEvent) -> Callable[[E], E]: ...
        @overload
        def on(self, event: TableEvent) -> Callable[[T], T]: ...
        def on(self, event: Hashable, listener: Listener = ...) -> Any: ...

        once = prepend_listener = on  # type: ignore[assignment]
        add_listener = prepend_once_listener = on  # type: ignore[assignment]

        def pipe(self, destination: Any, *, end: bool = True) -> Any: ...
