"""What a client's socket is to the requests that are sent on it, one after another.

It stays with the socket while that rests in a pool. `_client_connection.py` receives
the answers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from headrace.http._carrier import Carrier, DuplexCarrier
from headrace.http._client_parsers import take_parser
from headrace.http._wire import TICK, Wire
from headrace.net import Socket, TLSSocket

if TYPE_CHECKING:
    from weakref import ref

    from headrace.events.loop import Loop
    from headrace.http._client_life import RequestLife
    from headrace.http._client_parsers import ParserSettings
    from headrace.http._client_response import ClientResponse
    from headrace.http_parser import EngineName, ResponseHead, ResponseParser
    from headrace.net import Receiver


class ClientWire(Wire):
    """The HTTP side of a client's socket: begins exchanges, sends, and ends them."""

    __slots__ = (
        "_discarding",
        "_hint",
        "_hint_head",
        "_hint_text",
        "_hold",
        "_interims",
        "_listens",
        "_peer_ended",
        "_received",
        "_response",
        "_settings",
        "_spares",
        "_unread",
        "agent",
        "continued",
        "exchanges",
        "heard",
        "home",
        "idle_hint",
        "is_connected",
        "keep",
        "keeps_watch",
        "net_socket",
        "parser",
        "request",
        "reusable",
    )

    #: The pool need not turn the socket into a stream; see `SocketHolder`.
    consumes: bool = True

    def __init__(self, net_socket: Any, loop: Loop) -> None:
        carrier: Carrier = (
            net_socket if isinstance(net_socket, Socket) else DuplexCarrier(net_socket)
        )
        super().__init__(carrier, loop)
        # Of the socket.
        self.net_socket = net_socket
        self._settings: ParserSettings | None = None  # until the first exchange
        self.parser: ResponseParser
        # Where the parser goes when the connection ends, if others can use it.
        self._spares: list[ResponseParser] | None = None
        #: How many exchanges have begun here.
        self.exchanges = 0
        self._hint: float | None = None
        self._hint_text: str | None = None
        self._hint_head: ResponseHead | None = None
        self.is_connected = is_ready(net_socket)
        self._listens = False  # to the event of being connected
        self._peer_ended = False
        self.owner = None
        # For the pool: this gives the socket back, and is its receiver while it rests.
        self.home = loop
        self.agent: Any = None
        self.reusable = False
        self.keeps_watch = isinstance(net_socket, Socket)
        # Of the exchange.
        self.request: RequestLife | None = None
        self._response: ClientResponse | None = None
        #: An answer that only its user holds, behind its request; see `_let_go`.
        self._unread: tuple[ref[RequestLife], ref[ClientResponse]] | None = None
        #: Whether a byte of the answer has come.
        self.heard = False
        #: Whether both sides want the socket to be used again.
        self.keep = False
        #: After how many idle seconds the server closes the socket, if it says so.
        self.idle_hint: float | None = None
        #: Whether the server has sent a 100.
        self.continued = False
        self._received = False
        self._interims = 0
        self._hold = False
        self._discarding = False

    def __repr__(self) -> str:
        state = "lost" if self.lost else "idle" if self.request is None else "busy"
        return f"<ClientConnection {state}, {self.exchanges} exchanges>"

    # An exchange

    def begin(self, request: RequestLife) -> None:
        """Serve `request`, which has not been sent."""
        net_socket = self.net_socket
        self.request = request
        self.agent = request.agent
        self.exchanges += 1
        self.owner = net_socket._owner = request._owner
        self.heard = self.keep = self._received = self._hold = self.continued = False
        self._discarding = False
        self._interims = 0
        if request._parser_settings is not self._settings:
            self._choose_parser(request)
        if not self.is_connected:
            self._blocked = True
            secure = isinstance(net_socket, TLSSocket)
            event = "secure_connect" if secure else "connect"
            if event in net_socket._listeners or self.socket is not net_socket:
                # Behind who listens already: they may want to say something first.
                self._listens = True
                net_socket.custom.once(event, self._connected)
        if not self.keeps_watch or net_socket._receiver is not self:
            self.socket.consume(cast("Receiver", self))  # a subclass is

    def _choose_parser(self, request: RequestLife) -> None:
        settings = self._settings = request._parser_settings
        engine: EngineName = getattr(request.agent, "engine", "auto")
        self.parser, self._spares = take_parser(self.loop, settings, engine)

    def connection_opened(self) -> None:
        """Go on: the socket is connected, and has not told its listeners yet."""
        if not self._listens:
            self._connected()

    def _connected(self) -> None:
        if self.lost or self.is_connected:
            return
        self.is_connected = True
        if self.request is not None:
            self.request._socket_connected()
        self.flushed()

    def send_held(self, request: RequestLife) -> None:
        """Send what a request has held back until it got its socket."""
        whole = request._in_one
        if whole is None:
            self._flush_due = TICK  # at once: nothing more is written in this tick
            request._attach(self)
            self._flush()
            return
        request._wire = self
        if self._blocked or self.lost:
            request._in_one = None
            self.finish(whole, request._all_flushed)
        else:
            self.unflushed = len(whole)
            self._flush_together()

    def _flush(self) -> None:
        request = self.request
        whole = None if request is None or self.lost else request._in_one
        if request is None or whole is None:
            super()._flush()
        else:
            self._send_in_one(request, whole)

    def _is_put_off(self) -> bool:
        """Tell whether a request that is one piece waits for the others of its turn."""
        request = self.request
        return (
            request is not None
            and request._in_one is not None
            and request._wire is self
            and not self.lost
        )

    @property
    def unsent(self) -> int:
        """Bytes that requests have written and are not with the socket yet."""
        return self.unflushed if self._is_put_off() else super().unsent

    def flush_now(self) -> None:
        """Hand what waits to the socket: something else is about to be written."""
        if self._is_put_off():
            self._flush()
        else:
            super().flush_now()

    def _send_in_one(self, request: RequestLife, whole: bytes) -> None:
        """Send a request that is one piece, past the queue."""
        request._in_one = None
        if self.socket.send([whole]):
            self.unflushed = 0
            try:
                request._all_flushed(None)
            except Exception as error:
                self.loop.report(error, request, self.owner)
        else:
            self.unflushed = len(whole)
            self._wait_for_socket([request._all_flushed])

    def complete(self) -> bool:
        """End a complete exchange; return whether the socket can be used again."""
        self.request = self._response = None
        self.owner = self.net_socket._owner = None
        self.reusable = (
            self.keep
            and not self._peer_ended
            and not self.lost
            and not self.unflushed
            and not self.parser.buffer
        )
        if self.reusable and not self.keeps_watch:
            self.socket.release()  # whoever is next may be no request
        return self.reusable

    def give_back(self) -> None:
        """Give the socket to the pool, which keeps or closes it; without one close."""
        release = getattr(self.agent, "release", None)
        if release is not None:
            release(self.net_socket, self)
        else:
            self.socket.destroy_soon()

    def drop(self) -> None:
        """Break off whatever runs here, in silence: the caller tells the request."""
        self.request = self._unread = None
        self._forget_response()
        self.socket.destroy()

    def _forget_response(self) -> None:
        response, self._response = self._response, None
        if response is not None:
            response._source = None

    def drained(self) -> None:
        """Let the request write on."""
        request = self.request
        if request is not None and request._need_drain and not self.unflushed:
            request._drain()

    def take_exception(self, error: Exception, source: object) -> bool:
        """Pass on to whoever made the request."""
        owner = self.owner
        return owner is not None and owner.take_exception(error, source)


def is_ready(net_socket: object) -> bool:
    """Tell whether a socket can carry HTTP now."""
    if isinstance(net_socket, TLSSocket) and net_socket.secure_connecting:
        return False
    return not getattr(net_socket, "connecting", False)
