"""The events of the client's classes, for type checkers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar, overload

from headrace.http._request_message import RequestMessage

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from headrace.events import (
        ErrorEvent,
        ErrorListener,
        Listener,
        Signal,
        TableEvent,
        TableListener,
    )
    from headrace.http._incoming import IncomingMessage
    from headrace.http._information import Information
    from headrace.net import Socket
    from headrace.streams import Readable

    ResponseListener = Callable[[IncomingMessage], object]
    SocketListener = Callable[[Socket], object]
    SwitchListener = Callable[[IncomingMessage, Socket, bytes], object]
    InformationListener = Callable[[Information], object]
    SourceListener = Callable[[Readable], object]

    E = TypeVar("E", bound=ErrorListener)
    D = TypeVar("D", bound=InformationListener)
    N = TypeVar("N", bound=Signal)
    R = TypeVar("R", bound=ResponseListener)
    S = TypeVar("S", bound=SocketListener)
    T = TypeVar("T", bound=TableListener)
    W = TypeVar("W", bound=SwitchListener)

    _Signal = Literal[
        "abort", "close", "continue", "drain", "finish", "prefinish", "timeout"
    ]
    _Source = Literal["pipe", "unpipe"]
    _Switch = Literal["connect", "upgrade"]

    class ClientRequestEvents(RequestMessage):
        """What `on` and `once` of a request take."""

        @overload  # type: ignore[override]  # known names only, on purpose
        def on(
            self, event: Literal["response"], listener: ResponseListener
        ) -> Self: ...
        @overload
        def on(self, event: ErrorEvent, listener: ErrorListener) -> Self: ...
        @overload
        def on(self, event: _Signal, listener: Signal) -> Self: ...
        @overload
        def on(self, event: Literal["socket"], listener: SocketListener) -> Self: ...
        @overload
        def on(self, event: _Switch, listener: SwitchListener) -> Self: ...
        @overload
        def on(
            self, event: Literal["information"], listener: InformationListener
        ) -> Self: ...
        @overload
        def on(self, event: _Source, listener: SourceListener) -> Self: ...
        @overload
        def on(self, event: TableEvent, listener: TableListener) -> Self: ...
        @overload
        def on(self, event: Literal["response"]) -> Callable[[R], R]: ...
        @overload
        def on(self, event: ErrorEvent) -> Callable[[E], E]: ...
        @overload
        def on(self, event: _Signal) -> Callable[[N], N]: ...
        @overload
        def on(self, event: Literal["socket"]) -> Callable[[S], S]: ...
        @overload
        def on(self, event: _Switch) -> Callable[[W], W]: ...
        @overload
        def on(self, event: Literal["information"]) -> Callable[[D], D]: ...
        @overload
        def on(self, event: TableEvent) -> Callable[[T], T]: ...
        def on(self, event: Hashable, listener: Listener = ...) -> Any: ...

        once = prepend_listener = on  # type: ignore[assignment]
        add_listener = prepend_once_listener = on  # type: ignore[assignment]

else:
    ClientRequestEvents = RequestMessage
