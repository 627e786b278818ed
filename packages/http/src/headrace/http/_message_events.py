"""The events of messages and of the server, for type checkers.

Only a type checker sees the classes with the overloads; at run time they are their
parents. An event of the user's own goes through `custom`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar, overload

from headrace import net
from headrace.http._outgoing import OutgoingMessage
from headrace.streams import Readable

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping

    from headrace.events import (
        ErrorEvent,
        ErrorListener,
        Listener,
        Signal,
        TableEvent,
        TableListener,
    )
    from headrace.http._incoming import IncomingMessage
    from headrace.http._server_response import ServerResponse

    ChunkListener = Callable[[Any], object]
    SocketListener = Callable[[net.Socket], object]
    SourceListener = Callable[[Readable], object]
    RequestListener = Callable[[IncomingMessage, ServerResponse], object]
    SwitchListener = Callable[[IncomingMessage, net.Socket, bytes], object]
    ClientErrorListener = Callable[[Exception, net.Socket], object]
    DropRequestListener = Callable[[IncomingMessage, net.Socket], object]
    DropListener = Callable[[Mapping[str, Any]], object]

    C = TypeVar("C", bound=ChunkListener)
    D = TypeVar("D", bound=DropListener)
    E = TypeVar("E", bound=ErrorListener)
    F = TypeVar("F", bound=ClientErrorListener)
    N = TypeVar("N", bound=Signal)
    P = TypeVar("P", bound=SourceListener)
    Q = TypeVar("Q", bound=DropRequestListener)
    R = TypeVar("R", bound=RequestListener)
    S = TypeVar("S", bound=SocketListener)
    T = TypeVar("T", bound=TableListener)
    W = TypeVar("W", bound=SwitchListener)

    _IncomingSignal = Literal["aborted", "close", "end", "pause", "readable", "resume"]
    _OutgoingSignal = Literal["close", "drain", "finish", "prefinish"]
    _Source = Literal["pipe", "unpipe"]
    _Request = Literal["check_continue", "check_expectation", "request"]
    _Switch = Literal["connect", "upgrade"]
    _OfSocket = Literal["connection", "secure_connection", "timeout"]

    class IncomingEvents(Readable):
        """What `on` and `once` of an incoming message take."""

        @overload  # type: ignore[override]  # known names only, on purpose
        def on(self, event: Literal["data"], listener: ChunkListener) -> Self: ...
        @overload
        def on(self, event: _IncomingSignal, listener: Signal) -> Self: ...
        @overload
        def on(self, event: Literal["timeout"], listener: SocketListener) -> Self: ...
        @overload
        def on(self, event: ErrorEvent, listener: ErrorListener) -> Self: ...
        @overload
        def on(self, event: TableEvent, listener: TableListener) -> Self: ...
        @overload
        def on(self, event: Literal["data"]) -> Callable[[C], C]: ...
        @overload
        def on(self, event: _IncomingSignal) -> Callable[[N], N]: ...
        @overload
        def on(self, event: Literal["timeout"]) -> Callable[[S], S]: ...
        @overload
        def on(self, event: ErrorEvent) -> Callable[[E], E]: ...
        @overload
        def on(self, event: TableEvent) -> Callable[[T], T]: ...
        def on(self, event: Hashable, listener: Listener = ...) -> Any: ...

        once = prepend_listener = on  # type: ignore[assignment]
        add_listener = prepend_once_listener = on  # type: ignore[assignment]

    class ResponseEvents(OutgoingMessage):
        """What `on` and `once` of a server's response take."""

        @overload  # type: ignore[override]  # known names only, on purpose
        def on(self, event: _OutgoingSignal, listener: Signal) -> Self: ...
        @overload
        def on(self, event: Literal["timeout"], listener: SocketListener) -> Self: ...
        @overload
        def on(self, event: _Source, listener: SourceListener) -> Self: ...
        @overload
        def on(self, event: ErrorEvent, listener: ErrorListener) -> Self: ...
        @overload
        def on(self, event: TableEvent, listener: TableListener) -> Self: ...
        @overload
        def on(self, event: _OutgoingSignal) -> Callable[[N], N]: ...
        @overload
        def on(self, event: Literal["timeout"]) -> Callable[[S], S]: ...
        @overload
        def on(self, event: _Source) -> Callable[[P], P]: ...
        @overload
        def on(self, event: ErrorEvent) -> Callable[[E], E]: ...
        @overload
        def on(self, event: TableEvent) -> Callable[[T], T]: ...
        def on(self, event: Hashable, listener: Listener = ...) -> Any: ...

        once = prepend_listener = on  # type: ignore[assignment]
        add_listener = prepend_once_listener = on  # type: ignore[assignment]

    class ServerEvents(net.Server):
        """What `on` and `once` of a server take."""

        @overload  # type: ignore[override]  # known names only, on purpose
        def on(self, event: _Request, listener: RequestListener) -> Self: ...
        @overload
        def on(self, event: _Switch, listener: SwitchListener) -> Self: ...
        @overload
        def on(
            self,
            event: Literal["client_error", "tls_client_error"],
            listener: ClientErrorListener,
        ) -> Self: ...
        @overload
        def on(
            self, event: Literal["drop_request"], listener: DropRequestListener
        ) -> Self: ...
        @overload
        def on(self, event: _OfSocket, listener: SocketListener) -> Self: ...
        @overload
        def on(self, event: Literal["drop"], listener: DropListener) -> Self: ...
        @overload
        def on(
            self, event: Literal["close", "listening"], listener: Signal
        ) -> Self: ...
        @overload
        def on(self, event: ErrorEvent, listener: ErrorListener) -> Self: ...
        @overload
        def on(self, event: TableEvent, listener: TableListener) -> Self: ...
        @overload
        def on(self, event: _Request) -> Callable[[R], R]: ...
        @overload
        def on(self, event: _Switch) -> Callable[[W], W]: ...
        @overload
        def on(
            self, event: Literal["client_error", "tls_client_error"]
        ) -> Callable[[F], F]: ...
        @overload
        def on(self, event: Literal["drop_request"]) -> Callable[[Q], Q]: ...
        @overload
        def on(self, event: _OfSocket) -> Callable[[S], S]: ...
        @overload
        def on(self, event: Literal["drop"]) -> Callable[[D], D]: ...
        @overload
        def on(self, event: Literal["close", "listening"]) -> Callable[[N], N]: ...
        @overload
        def on(self, event: ErrorEvent) -> Callable[[E], E]: ...
        @overload
        def on(self, event: TableEvent) -> Callable[[T], T]: ...
        def on(self, event: Hashable, listener: Listener = ...) -> Any: ...

        once = prepend_listener = on  # type: ignore[assignment]
        add_listener = prepend_once_listener = on  # type: ignore[assignment]

else:
    IncomingEvents = Readable
    ResponseEvents = OutgoingMessage
    ServerEvents = net.Server
