"""Server: a net server that speaks HTTP; its limits and its timeouts."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Hashable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self, Unpack, overload

from headrace import net
from headrace.events import EventEmitter
from headrace.events.loop import current
from headrace.http._carrier import Carrier, DuplexCarrier
from headrace.http._checks import check_duration
from headrace.http._connection import ServerConnection
from headrace.http._deadlines import Deadlines
from headrace.http._errors import (
    InvalidArgTypeError,
    OutOfRangeError,
)
from headrace.http._incoming import IncomingMessage
from headrace.http._message_events import ServerEvents
from headrace.http._server_options import (
    NET_OPTIONS,
    SETTINGS,
    ServerOptions,
    check_settings,
    merge_options,
)
from headrace.http._server_response import ServerResponse
from headrace.http._terms import Terms
from headrace.http_parser import EngineName, RequestParser

if TYPE_CHECKING:
    from headrace.events.loop import Loop, Owner
    from headrace.http._ending import EndingConnection
    from headrace.streams import Duplex

#: Bytes a message's head may have (X-006).
MAX_HEADER_SIZE: Final = 16384

RequestListener = Callable[[IncomingMessage, ServerResponse], object]


# Events about one exchange: the response is their last argument.
_EXCHANGE_EVENTS: Final = ("request", "check_continue", "check_expectation")


class Server(ServerEvents):
    """Listens for connections and emits a ``request`` for each request on them.

    Args:
        options: Options as one mapping; see `ServerOptions`.
        request_listener: Added as a listener of ``request``.
        **keywords: The same options as keywords; they win.

    Events:
        request: ``(request, response)`` after a head, before its body is read.
        check_continue: ``(request, response)`` instead, for ``Expect: 100-continue``.
        check_expectation: ``(request, response)`` instead, for any other ``Expect``.
        connect, upgrade: ``(request, socket, head)``; the socket is the listener's.
        client_error: ``(error, socket)`` for bad input or a broken connection; a
            listener must close the socket.
        drop_request: ``(request, socket)`` for one beyond `max_requests_per_socket`.
        timeout: ``(socket)`` when a connection was idle for `timeout` seconds.
        connection, listening, close, error, drop: as of `headrace.net.Server`.

    Source: H-021 to H-040, X-001 to X-027.
    """

    #: Seconds from the first byte within which a head must be complete (X-001).
    headers_timeout: float = 60.0
    #: Seconds from the first byte within which a request must be complete (X-002).
    request_timeout: float = 300.0
    #: Seconds a connection may rest between requests, as it is announced (X-004).
    keep_alive_timeout: float = 65.0
    #: Seconds by which we wait longer than announced, against the race (X-005).
    keep_alive_timeout_buffer: float = 1.0
    #: Seconds without traffic after which a connection times out (H-037).
    timeout: float = 120.0
    #: Bytes a head may have, request line included (X-006).
    max_header_size: int = MAX_HEADER_SIZE
    #: Fields that are kept per head; 0 or None: all (H-036).
    max_headers_count: int | None = 1000
    #: Requests that one connection may carry; 0: any number (X-007).
    max_requests_per_socket: int = 0
    #: Requests of one connection that may wait for their answers (X-025).
    max_pipelined_requests: int = 64
    #: Bytes of a body nobody reads that are taken to keep the connection (X-024).
    max_body_discard: int = 65536
    #: Answer 400 to HTTP/1.1 requests without a Host, or with several (X-013).
    require_host_header: bool = True
    #: Join repeated headers of which otherwise the first wins (X-014).
    join_duplicate_headers: bool = False
    #: Names whose list values are sent once, joined with ``; `` (X-015).
    unique_headers: frozenset[str] = frozenset()
    #: Accept folding, bare LF and odd codings of old peers (X-016).
    insecure_http_parser: bool = False
    #: Raise when a body is written where none is allowed (X-019).
    reject_non_standard_body_writes: bool = False
    #: Finish the answers when the client has half-closed (X-022).
    http_allow_half_open: bool = True
    #: Decide for one request whether its Upgrade is taken up (X-020).
    should_upgrade_callback: Callable[[IncomingMessage], bool] | None = None
    incoming_message_class: type[IncomingMessage] = IncomingMessage
    server_response_class: type[ServerResponse] = ServerResponse
    #: The parser's engine; auto: what the environment says, else the fastest.
    engine: EngineName = "auto"
    #: Accepted and ignored: deadlines need no checking interval (X-003).
    connections_checking_interval: float = 30.0

    #: The settings worked out for connections; None when one has changed.
    terms: Terms | None = None

    # What the server below is told, and the event that brings a connection to serve.
    _net_options: ClassVar[frozenset[str]] = NET_OPTIONS
    _connection_event: ClassVar[str] = "connection"

    def __init__(
        self,
        options: Mapping[str, Any] | RequestListener | None = None,
        request_listener: RequestListener | None = None,
        /,
        **keywords: Unpack[ServerOptions],
    ) -> None:
        if callable(options) and not isinstance(options, Mapping):
            options, request_listener = None, options
        given = merge_options(options, keywords)
        of_net = {name: given.pop(name) for name in self._net_options & given.keys()}
        of_net.setdefault("no_delay", True)
        super().__init__({**of_net, "allow_half_open": True})
        #: Bytes that a socket, a request or a response buffers; None: 64 KiB (X-017).
        self.high_water_mark: int | None = of_net.get("high_water_mark")
        # On the instance, where the hot path finds them at once.
        vars(self).update({name: getattr(self, name) for name in SETTINGS})
        self._apply(check_settings(given))
        #: The HTTP connections that are open, upgraded ones excepted.
        self._http_connections: set[ServerConnection] = set()
        self._deadlines: Deadlines | None = None
        #: Whether connections may go on after their present answers.
        self.accepts_more = True
        EventEmitter.on(self, self._connection_event, self._serve)
        if request_listener is not None:
            if not callable(request_listener):
                raise InvalidArgTypeError(
                    "request_listener", "callable", request_listener
                )
            EventEmitter.on(self, "request", request_listener)

    def _apply(self, settings: dict[str, Any]) -> None:
        vars(self).update(settings)
        if "headers_timeout" not in settings and self.request_timeout:
            self.headers_timeout = min(60.0, self.request_timeout)
        if self.headers_timeout > self.request_timeout > 0:
            raise OutOfRangeError(
                "headers_timeout", "at most request_timeout", self.headers_timeout
            )
        self.terms = None
        self.make_parser()  # an engine that is not there is told at once

    def __setattr__(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)
        if name in SETTINGS:
            self.terms = None
            if name == "max_requests_per_socket":  # it holds for open ones, too
                self._promise_nothing()

    def _promise_nothing(self) -> None:
        """Let each answer find out whether another request is wanted behind it."""
        for connection in self._http_connections:
            connection.usual_promise = None

    def make_terms(self) -> Terms:
        """Work out what the settings mean for connections from now on."""
        self.terms = terms = Terms(self)
        return terms

    # Connections -------------------------------------------------------------------

    def _serve(self, socket: net.Socket | Duplex) -> None:
        """Speak HTTP on a new connection, a socket or any other Duplex (X-026)."""
        carrier: Carrier
        if isinstance(socket, net.Socket):
            carrier = socket
            if self.timeout:
                socket._use_timeout(self.timeout)
        else:
            carrier = DuplexCarrier(socket)
        connection = ServerConnection(self, socket, carrier, socket.loop())
        socket._owner = connection
        self._http_connections.add(connection)
        if carrier is not socket:  # a net.Socket asks the connection
            socket.set_encoding = connection.set_encoding  # type: ignore[method-assign]
        carrier.consume(connection)

    def deadlines_on(self, loop: Loop) -> Deadlines:
        """Return the timer of all connections' deadlines on `loop`."""
        deadlines = self._deadlines
        if deadlines is None or deadlines.loop is not loop:
            deadlines = self._deadlines = Deadlines(loop, self._http_connections)
        return deadlines

    def make_parser(self) -> RequestParser:
        """Return a parser with this server's limits for a new connection."""
        return RequestParser(
            engine=self.engine,
            max_head_size=self.max_header_size,
            max_headers_count=self.max_headers_count or 0,
            insecure=self.insecure_http_parser,
        )

    def forget(self, connection: EndingConnection) -> None:
        """Take a connection that is closed or upgraded out of the books."""
        self._http_connections.discard(connection)
        if (
            not self.accepts_more
            and not self._http_connections
            and self._deadlines is not None
        ):
            self._deadlines.stop()

    def takes_upgrade(self, request: IncomingMessage) -> bool:
        """Decide whether a request's Upgrade is taken up (H-026, X-020)."""
        if self.should_upgrade_callback is not None:
            return bool(self.should_upgrade_callback(request))
        return bool(self.listener_count("upgrade"))

    # Async listeners ---------------------------------------------------------------

    def _adopt(
        self,
        coroutine: Coroutine[Any, Any, object],
        event: Hashable,
        args: tuple[Any, ...],
    ) -> None:
        """Run an async listener on behalf of the connection that it is about."""
        for arg in args[:2]:
            owner = getattr(arg, "_owner", None)
            if isinstance(owner, ServerConnection):
                owner.adopt(coroutine, partial(self._reject, event, args))
                return
        super()._adopt(coroutine, event, args)

    def keep_task(
        self,
        coroutine: Coroutine[Any, Any, object],
        owner: Owner,
        on_error: Callable[[Exception], object],
    ) -> None:
        """Run a coroutine that ends with this server."""
        self._keeper.spawn(current(), coroutine, owner, on_error)

    def __rejection__(self, error: Exception, event: object, *args: Any) -> None:
        """Answer for an ``async def`` listener that failed, as for others (X-027)."""
        current().report(error, args[-1] if event in _EXCHANGE_EVENTS else self)

    # Closing -----------------------------------------------------------------------

    def listen(self, *args: Any, **options: Any) -> Self:
        """Start to listen; see `headrace.net.Server.listen` (H-030 to H-033)."""
        super().listen(*args, **options)
        self.accepts_more = True
        return self

    def close(self, callback: Callable[..., object] | None = None) -> Self:
        """Stop accepting, close idle connections, let the others finish (H-034)."""
        self.accepts_more = False
        self._promise_nothing()
        super().close(callback)
        self.close_idle_connections()
        return self

    def close_idle_connections(self) -> None:
        """Destroy connections without a request or a response under way (X-010)."""
        for connection in list(self._http_connections):
            if connection.idle:
                connection.destroy()

    def close_all_connections(self) -> None:
        """Destroy every HTTP connection, upgraded ones excepted (X-009).

        Async listeners that have not completed their response are cancelled, also those
        whose client has left before: nobody waits for it any more.
        """
        self._keeper.cancel_for(_owes_an_answer)
        for connection in list(self._http_connections):
            connection.destroy()

    def _destroy_connections(self) -> None:
        super()._destroy_connections()
        self.close_all_connections()  # what was brought by `emit`, too

    def set_timeout(
        self,
        timeout: float = 0.0,
        callback: Callable[[net.Socket], object] | None = None,
    ) -> Self:
        """Set `timeout` for later connections; `callback` hears ``timeout`` (H-038)."""
        self.timeout = check_duration("timeout", timeout)
        if callback is not None:
            self.on("timeout", callback)
        return self


def _owes_an_answer(owner: Owner) -> bool:
    if not isinstance(owner, ServerConnection):
        return False
    return owner.forsook if owner.lost else not owner.idle


@overload
def create_server(
    request_listener: RequestListener | None = None,
    /,
    **options: Unpack[ServerOptions],
) -> Server: ...
@overload
def create_server(
    options: Mapping[str, Any],
    request_listener: RequestListener | None = None,
    /,
    **keywords: Unpack[ServerOptions],
) -> Server: ...
def create_server(
    options: Mapping[str, Any] | RequestListener | None = None,
    request_listener: RequestListener | None = None,
    /,
    **keywords: Unpack[ServerOptions],
) -> Server:
    """Return a server that does not listen yet (H-015).

    Args:
        options: Options as one mapping; see `ServerOptions`. May be left out.
        request_listener: Added as a listener of ``request``.
        **keywords: The same options as keywords; they win.

    Raises:
        TypeError: If an option is unknown.
        OutOfRangeError: If a duration is negative, or `headers_timeout` is longer than
            `request_timeout`.
    """
    return Server(options, request_listener, **keywords)
