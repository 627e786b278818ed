"""The events of sockets and servers, with the types of their arguments.

Only a type checker sees the classes with the overloads; at run time they are their
parents. An event of the user's own goes through `custom`.
"""

from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar, overload

from headrace.events import EventEmitter
from headrace.streams import Duplex

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from headrace.events import (
        ErrorListener,
        ErrorMonitor,
        Listener,
        Signal,
        TableListener,
    )
    from headrace.net._socket import Socket

    LookupListener = Callable[[Exception | None, str | None, int | None, str], object]
    ChunkListener = Callable[[Any], object]
    ConnectionListener = Callable[[Socket], object]
    DropListener = Callable[[dict[str, Any]], object]
    TlsErrorListener = Callable[[Exception, Socket], object]

    A = TypeVar("A", bound=Signal)
    C = TypeVar("C", bound=ChunkListener)
    E = TypeVar("E", bound=ErrorListener)
    L = TypeVar("L", bound=LookupListener)
    N = TypeVar("N", bound=ConnectionListener)
    D = TypeVar("D", bound=DropListener)
    T = TypeVar("T", bound=TableListener)
    X = TypeVar("X", bound=TlsErrorListener)

    _Table = Literal["new_listener", "remove_listener"]
    _SocketSignal = Literal[
        "close",
        "connect",
        "drain",
        "end",
        "finish",
        "pause",
        "prefinish",
        "readable",
        "ready",
        "resume",
        "secure_connect",
        "timeout",
    ]
    _Chunk = Literal["data", "pipe", "session", "unpipe"]
    _ServerSignal = Literal["close", "listening"]
    _Connection = Literal["connection", "secure_connection"]

    class SocketEvents(Duplex):
        """A Duplex whose `on` takes the events of a socket only."""

        @overload  # type: ignore[override]  # known names only, on purpose
        def on(self, event: _SocketSignal, listener: Signal) -> Self: ...
        @overload
        def on(self, event: _Chunk, listener: ChunkListener) -> Self: ...
        @overload
        def on(self, event: Literal["lookup"], listener: LookupListener) -> Self: ...
        @overload
        def on(
            self, event: Literal["error"] | ErrorMonitor, listener: ErrorListener
        ) -> Self: ...
        @overload
        def on(self, event: _Table, listener: TableListener) -> Self: ...
        @overload
        def on(self, event: _SocketSignal) -> Callable[[A], A]: ...
        @overload
        def on(self, event: _Chunk) -> Callable[[C], C]: ...
        @overload
        def on(self, event: Literal["lookup"]) -> Callable[[L], L]: ...
        @overload
        def on(self, event: Literal["error"] | ErrorMonitor) -> Callable[[E], E]: ...
        @overload
        def on(self, event: _Table) -> Callable[[T], T]: ...
        def on(self, event: Hashable, listener: Listener = ...) -> Any: ...

        once = prepend_listener = on  # type: ignore[assignment]
        add_listener = prepend_once_listener = on  # type: ignore[assignment]

    class ServerEvents(EventEmitter):
        """An emitter whose `on` takes the events of a server only."""

        @overload  # type: ignore[override]  # known names only, on purpose
        def on(self, event: _ServerSignal, listener: Signal) -> Self: ...
        @overload
        def on(self, event: _Connection, listener: ConnectionListener) -> Self: ...
        @overload
        def on(self, event: Literal["drop"], listener: DropListener) -> Self: ...
        @overload
        def on(
            self, event: Literal["tls_client_error"], listener: TlsErrorListener
        ) -> Self: ...
        @overload
        def on(
            self, event: Literal["error"] | ErrorMonitor, listener: ErrorListener
        ) -> Self: ...
        @overload
        def on(self, event: _Table, listener: TableListener) -> Self: ...
        @overload
        def on(self, event: _ServerSignal) -> Callable[[A], A]: ...
        @overload
        def on(self, event: _Connection) -> Callable[[N], N]: ...
        @overload
        def on(self, event: Literal["drop"]) -> Callable[[D], D]: ...
        @overload
        def on(self, event: Literal["tls_client_error"]) -> Callable[[X], X]: ...
        @overload
        def on(self, event: Literal["error"] | ErrorMonitor) -> Callable[[E], E]: ...
        @overload
        def on(self, event: _Table) -> Callable[[T], T]: ...
        def on(self, event: Hashable, listener: Listener = ...) -> Any: ...

        once = prepend_listener = on  # type: ignore[assignment]
        add_listener = prepend_once_listener = on  # type: ignore[assignment]

else:
    SocketEvents = Duplex
    ServerEvents = EventEmitter
