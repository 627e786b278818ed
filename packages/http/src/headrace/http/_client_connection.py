"""One socket of a client: its parser and the exchange that runs on it.

It stays with the socket while that rests in a pool, so the parser is made once. Rules
that hold in every state:

- Bytes answer a request only if they came after it was sent: what arrives on a used
  socket before that, or behind a complete answer, destroys the socket (H-073, H-098).
- A body that nobody reads stops the socket from being read: memory is bounded (H-072).
- Listeners may do anything inside an event, also raise: the parser goes on or stops by
  this object's state alone.
"""

from __future__ import annotations

import sys
import warnings
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast
from weakref import ref

from headrace.http._carrier import Carrier, DuplexCarrier
from headrace.http._client_exchange import Exchange
from headrace.http._client_response import KEPT, ClientResponse
from headrace.http._errors import (
    BodyDiscardedError,
    PeerGoneError,
    TooManyInterimError,
)
from headrace.http._header_queue import SENT
from headrace.http._wire import PARSER, TICK, Wire
from headrace.http_parser import (
    END_OF_MESSAGE,
    MAX_HEADER_SIZE,
    MAX_HEADERS_COUNT,
    NEED_DATA,
    EndOfMessage,
    EngineName,
    HTTPParserError,
    ResponseHead,
    ResponseParser,
    State,
)
from headrace.net import Socket, TLSSocket

if TYPE_CHECKING:
    from headrace.events.loop import Loop
    from headrace.http._client_life import RequestLife
    from headrace.http._incoming import IncomingMessage
    from headrace.streams import Duplex

#: Informational responses that one request may get. A progress report every few seconds
#: for a quarter of an hour fits; a peer that sends nothing else is cut off.
MAX_INTERIM_RESPONSES: Final = 256

_READING: Final = Exchange.READING
_FIXED: Final = State.FIXED

_UNREAD: Final = (
    "a response was dropped unread, and its connection closed: read the body, or "
    "destroy the response"
)

# Where a socket keeps its connection object.
_KEY: Final = "_headrace_http_client"

# Where a loop keeps the parsers of ended connections, with the name of their engine.
_PARSERS: Final = "headrace.http parsers of responses"
#: As many connections as a busy client has at a time.
MAX_PARSERS: Final = 64


class ParserSettings(NamedTuple):
    """What requests may ask of the parser."""

    max_header_size: int = MAX_HEADER_SIZE
    max_headers_count: int = MAX_HEADERS_COUNT
    insecure: bool = False
    engine: EngineName = "auto"

    def make_parser(self, engine: EngineName = "auto") -> ResponseParser:
        """Return a parser with these settings.

        Args:
            engine: What "auto" is here.

        Raises:
            EngineChoiceError: If the engine does not exist or is not installed.
        """
        return ResponseParser(
            engine if self.engine == "auto" else self.engine,
            max_head_size=self.max_header_size,
            max_headers_count=self.max_headers_count,
            insecure=self.insecure,
        )


DEFAULT_SETTINGS: Final = ParserSettings()


class ClientConnection(Wire):
    """The HTTP side of a client's socket; a `headrace.net.Receiver`."""

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
        #: The request of an answer that only its user holds; see `_let_go`.
        self._unread: ref[RequestLife] | None = None
        #: Whether a byte of the answer has come.
        self.heard = False
        #: Whether both sides want the socket to be used again.
        self.keep = False
        #: After how many idle seconds the server closes the socket, if it says so.
        self.idle_hint: float | None = None
        self._received = False
        self._interims = 0
        self._hold = False
        self._discarding = False

    def __repr__(self) -> str:
        state = "lost" if self.lost else "idle" if self.request is None else "busy"
        return f"<ClientConnection {state}, {self.exchanges} exchanges>"

    @classmethod
    def of(cls, net_socket: Socket | Duplex, loop: Loop) -> ClientConnection:
        """Return the connection object that a socket has, or give it one."""
        connection = net_socket.__dict__.get(_KEY)
        if isinstance(connection, ClientConnection):
            return connection
        connection = net_socket.__dict__[_KEY] = cls(net_socket, loop)
        if not isinstance(net_socket, Socket):  # it has told its receiver
            net_socket.custom.on("timeout", connection.timed_out)
        return connection

    # An exchange

    def begin(self, request: RequestLife) -> None:
        """Serve `request`, which has not been sent."""
        net_socket = self.net_socket
        self.request = request
        self.agent = request.agent
        self.exchanges += 1
        self.owner = net_socket._owner = request._owner
        self.heard = self.keep = self._received = self._hold = False
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
            self.socket.consume(self)

    def _choose_parser(self, request: RequestLife) -> None:
        """Take the parser of an ended connection, or make one."""
        settings = self._settings = request._parser_settings
        engine: EngineName = getattr(request.agent, "engine", "auto")
        self._spares = None
        if settings is DEFAULT_SETTINGS:
            locals_ = self.loop.locals
            spares = self._spares = locals_.setdefault((_PARSERS, engine), [])
            if spares:
                self.parser = spares.pop()
                return
        self.parser = settings.make_parser(engine)

    def connected(self) -> None:
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
        head = request._head_only
        if head is None:
            self._flush_due = TICK  # at once: nothing more is written in this tick
            request._attach(self)
            self._flush()
            return
        request._head_only = None
        request._wire = self
        if self._blocked or self.lost:
            self.finish(head, request._all_flushed)
        elif self.socket.send([head]):
            try:
                request._all_flushed(None)
            except Exception as error:
                self.loop.report(error, request, self.owner)
        else:
            self.unflushed = len(head)
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

    # Receiving

    def data_received(self, data: memoryview | bytes) -> None:
        """Take bytes from the socket and deliver the answer in them."""
        request = self.request
        if request is None or self._received:
            self._surplus()
            return
        if not self.heard:
            if self.exchanges > 1 and request._stage < SENT:
                self.socket.destroy()  # they belong to no request
                return
            self.heard = True
            method, data = request._method, bytes(data)
            whole = self.parser.take_whole(method, data)
            if whole is not None:
                self._deliver_whole(request, *whole)
                return
            self.parser.expect(method)
        self.parser.receive(data)
        if not self._hold:
            self._parse()

    def _deliver_whole(
        self, request: RequestLife, head: ResponseHead, body: bytes
    ) -> None:
        """Deliver an answer that came in one piece, as `_parse` does with others."""
        self._parsing = True
        try:
            self._answer(request, head, body)
        except Exception as error:
            self.loop.report(error, self._response, self.owner)
        finally:
            self._parsing = False
            if self._flush_due == PARSER:
                self._flush()

    def _surplus(self) -> None:
        """Cut the connection: bytes came that answer nothing (H-073)."""
        self.keep = False
        self.socket.destroy()

    def _parse(self) -> None:
        """Deliver what has come until more is needed or the reader must catch up."""
        if self._parsing:
            return
        self._parsing = True
        try:
            while self.request is not None and not self._hold:
                try:
                    if not self._deliver_events():
                        break
                except HTTPParserError as error:
                    self._refuse(error)
                except Exception as error:
                    # A listener's: its bug must not keep the next event from coming.
                    self.loop.report(error, self._response, self.owner)
        finally:
            self._parsing = False
            if self._flush_due == PARSER:
                self._flush()

    def _deliver_events(self) -> bool:
        """Deliver events; return whether there may be more."""
        parser = self.parser
        while self.request is not None and not self._hold:
            try:
                event = parser.next_event()
            except HTTPParserError:
                raise
            except Exception as error:  # a bug of ours, not of a listener
                self._break_off(error)
                return False
            if event is NEED_DATA:
                return False
            kind = type(event)
            if kind is bytes:
                self._on_body(event)  # type: ignore[arg-type]
                if (
                    parser.state is _FIXED
                    and not parser.buffer
                    and not self._peer_ended
                ):
                    return False  # the parser would say NEED_DATA
            elif kind is ResponseHead:
                self._on_head(event)  # type: ignore[arg-type]
            elif kind is EndOfMessage:
                self._on_end(event)  # type: ignore[arg-type]
            else:
                return False
            if self._received:
                return False
        return True

    def _on_head(self, head: ResponseHead) -> None:
        request = self.request
        if request is None:
            return
        status = head.status_code
        if status < 200 and status != 101:
            self._on_interim(request, head)
            return
        if head.upgrade:
            self._switch(
                request, ClientResponse(self.net_socket, self, request._owner, head)
            )
        else:
            self._answer(request, head, self.parser.take_rest())

    def _read_hint(self, head: ResponseHead) -> float | None:
        """Return after how long an idle time the server says it closes (X-060)."""
        self._hint_head = head
        value = head.first("keep-alive")
        if value != self._hint_text:  # mostly the same for the life of a connection
            self._hint_text = value
            self._hint = None if value is None else keep_alive_timeout(value)
        return self._hint

    def _on_interim(self, request: RequestLife, head: ResponseHead) -> None:
        self._interims += 1
        if self._interims > MAX_INTERIM_RESPONSES:
            self._break_off(TooManyInterimError(MAX_INTERIM_RESPONSES))
        else:
            request._informed(head)

    def _answer(
        self, request: RequestLife, head: ResponseHead, whole: bytes | None
    ) -> None:
        """Give a response to its request, with the whole body if it is here."""
        response = self._response = ClientResponse(
            self.net_socket, self, request._owner, head
        )
        if not (head.keep_alive and request.should_keep_alive):
            self.keep = request.should_keep_alive = False
            self.idle_hint = None
        else:
            self.keep = True
            # The parser remembers equal heads.
            known = head is self._hint_head
            self.idle_hint = self._hint if known else self._read_hint(head)
        if whole is None:
            self._answer_in_parts(request, response)
            return
        response._whole = KEPT
        response._whole_body = whole
        try:
            request._answered(response)
        finally:
            self._on_end(END_OF_MESSAGE)

    def _answer_in_parts(self, request: RequestLife, response: ClientResponse) -> None:
        """Do so if the body is not all here, or of no known length."""
        next_event = self.parser.next_event
        body: list[bytes] = []
        try:
            event = next_event()
            while type(event) is bytes:
                body.append(event)
                event = next_event()
        except HTTPParserError:
            event = NEED_DATA  # the parser says it again when its turn has come
        if type(event) is EndOfMessage:
            response._whole = KEPT
            response._whole_body = body[0] if len(body) == 1 else b"".join(body)
            try:
                request._answered(response)
            finally:
                self._on_end(event)
            return
        self.socket.expect(self.parser.missing)
        try:
            request._answered(response)
        finally:
            for data in body:
                self._on_body(data)

    def _on_body(self, data: bytes) -> None:
        response = self._response
        if response is None or self._discarding:
            return
        if not response.push(data) and self.request is not None:
            self._wait_for_reader(self.request, response)

    def discard(self) -> None:
        """Show nothing more of the body that is arriving."""
        self._discarding = True
        if self._response is not None:
            self._response._discard_whole()

    def _on_end(self, end: EndOfMessage) -> None:
        self._received = True
        response, request = self._response, self.request
        surplus = bool(self.parser.buffer)
        try:
            if response is not None and request is not None and not request._gone:
                if end is not END_OF_MESSAGE:
                    response._raw_trailers = end.raw_trailers
                if response._whole:
                    response.complete = True
                else:
                    response._finish()
                if request.unclaimed and is_untouched(response):
                    self._complete_unclaimed(request, response)
                elif is_only_held(request, response):
                    if response._whole_body or response._readable_state is not None:
                        self._let_go(request)
                    else:  # a HEAD, a 204: there is nothing to read, so nobody will
                        response._source = None
                        request._answer_read()
        finally:
            if surplus:
                self._surplus()

    # An answer that only its user holds

    def _let_go(self, request: RequestLife) -> None:
        """Leave an awaited answer that waits for its reader to whoever has it.

        From here on nothing of ours keeps the request or the response: if their user
        forgets them, the response's finaliser closes the socket, and the pool goes on
        (pitfall 12). If not, the response tells when it is read.
        """
        self.request = self._response = None
        self.keep = self.keep and request._length_kept
        self._unread = ref(request)

    def _take_up(self, response: ClientResponse, unread: ref[RequestLife]) -> None:
        """Go on with a response that was let go: somebody reads it."""
        self._unread = None
        if self.lost:
            response._source = None
            response._abort(PeerGoneError("aborted"))
            return
        from headrace.http._client_life import RequestLife  # it imports this module

        self.request = unread() or RequestLife.stand_in(self, response)
        self._response = response

    def forgotten(self) -> None:
        """Close the socket of a response that nobody has any more, unread.

        Called by a finaliser, which may run anywhere, also in another thread.
        """
        if self._unread is None or self.lost:
            return
        self._unread = None
        self.loop.call_soon_threadsafe(self.socket.destroy)
        if sys.flags.dev_mode:
            warnings.warn(_UNREAD, ResourceWarning, stacklevel=1)

    def _wait_for_reader(self, request: RequestLife, response: ClientResponse) -> None:
        """Stop reading; what nobody has claimed is thrown away instead (H-072)."""
        if response.destroyed:
            return
        if request.unclaimed and is_untouched(response):
            self._discarding = True
        else:
            self._hold = True
            self.socket.pause_receiving()
            if is_only_held(request, response):
                self._let_go(request)

    def _complete_unclaimed(
        self, request: RequestLife, response: ClientResponse
    ) -> None:
        """Go on as if a response that nobody has claimed had been read (H-072).

        A small one stays where it is: an ``await`` that comes late finds it there.
        """
        response._source = None
        if self._discarding:
            response.destroy(BodyDiscardedError())
        request._answer_read()

    def body_wanted(self, message: IncomingMessage) -> None:
        """Go on delivering a body that was held back."""
        unread = self._unread
        if unread is not None:
            self._take_up(cast("ClientResponse", message), unread)
        if self._hold:
            self._hold = False
            self.socket.resume_receiving()
            parser = self.parser
            in_body = parser.state is _FIXED and not parser.buffer
            if not self._parsing and (not in_body or self._peer_ended):
                self.loop.next_tick_for(self.owner, self._go_on)

    def _go_on(self) -> None:
        """Deliver what was held back while the reader was behind."""
        if not self._hold:
            self._parse()
        if self._peer_ended and not self._hold:
            self._after_eof()

    # The end

    def message_over(self, message: IncomingMessage) -> None:
        """Take note that a complete response was read, or thrown away."""
        unread, request = self._unread, self.request
        if unread is not None:
            self._unread = None
            request = unread()
            if request is not None:
                request._answer_read()
                return
            if self.complete():
                message.socket = None
            self.give_back()
        elif request is not None and message is self._response:
            request._answer_read()

    def message_destroyed(
        self, message: IncomingMessage, error: BaseException | None
    ) -> None:
        """Give up the exchange: its response is not read to the end (H-117)."""
        request = self.request
        if self._unread is not None:
            request = self._unread()
        self.request = self._response = self._unread = None
        if request is not None:
            request._answer_dropped()
        self.socket.destroy()

    def eof_received(self) -> None:
        """Take note that the server sends no more."""
        self._peer_ended = True
        if self.request is None or self._is_cut():
            self.socket.destroy()
        elif not self._hold:
            self._after_eof()

    def _is_cut(self) -> bool:
        """Tell whether a body that ends with the connection lost TLS's own end.

        Then anybody may have ended it (RFC 9112 section 9.8).
        """
        net_socket, response = self.net_socket, self._response
        if response is None or not isinstance(net_socket, TLSSocket):
            return False
        head = response._head
        until_close = isinstance(head, ResponseHead) and head.body_until_close
        return until_close and not net_socket.ended_cleanly

    def _after_eof(self) -> None:
        if self.request is not None and not self._received:
            self.parser.finish()
            self._parse()
        request = self.request
        if request is None or self._hold:
            return
        if not self._received or request.writable_finished:
            self.socket.destroy()
        else:
            request._refused(self)

    def is_closing(self) -> bool:
        """Tell whether the server has ended the connection, or is about to."""
        return self._peer_ended or not self.keep

    def connection_lost(self, error: Exception | None) -> None:
        """Tell the request that runs here, if any (H-071)."""
        self.net_socket.__dict__.pop(_KEY, None)
        if self.request is not None and self.request._ends_by_itself():
            self.lose(error)
            return
        request, self.request = self.request, None
        if self._unread is not None:
            request = self._unread()
            if request is not None:
                self._unread = None
                self._response = request.response
        self._forget_response()
        self.lose(error)
        spares = self._spares
        if spares is not None and not self._parsing:  # a delivery still needs it
            self._spares = None
            if len(spares) < MAX_PARSERS and self.parser.renew():
                spares.append(self.parser)
            del self.parser  # it may be another connection's by now
        if request is not None:
            request._connection_lost(self, error)

    def _refuse(self, error: HTTPParserError) -> None:
        """End the exchange over what the server sent; a mere end is a lost peer."""
        if error.code == "HPE_INVALID_EOF_STATE":
            self.socket.destroy()
        else:
            self._break_off(error)

    def _break_off(self, error: Exception) -> None:
        request = self.request
        self.drop()
        if request is not None:
            request._failed(error)

    def _switch(self, request: RequestLife, response: ClientResponse) -> None:
        """Let go of the socket: HTTP ends with this response (H-075, H-076)."""
        head = self.parser.take_leftover()
        self.request = None
        self.net_socket.__dict__.pop(_KEY, None)
        if self.socket is not self.net_socket:
            self.net_socket.custom.off("timeout", self.timed_out)
        response._source = None
        if request._takes_switch():
            self.socket.release()
            request._switched(response, self.net_socket, head)
        else:
            self.socket.destroy()
            request._switch_refused()

    # Writing, time, owner

    def drained(self) -> None:
        """Let the request write on."""
        request = self.request
        if request is not None and request._need_drain and not self.unflushed:
            request._drain()

    def timed_out(self) -> None:
        """Tell the request that its socket was idle."""
        if self.request is not None:
            self.request._socket_idle(self.net_socket)

    def take_exception(self, error: Exception, source: object) -> bool:
        """Pass on to whoever made the request."""
        owner = self.owner
        return owner is not None and owner.take_exception(error, source)


def is_untouched(response: ClientResponse) -> bool:
    """Tell whether nobody has begun to read a response."""
    return response.readable_flowing is None and not response.listener_count("readable")


def is_only_held(request: RequestLife, response: ClientResponse) -> bool:
    """Tell whether an answer is there for its user alone: nobody is to be called.

    That is so after ``await``, while nobody reads and nobody listens to anything.
    """
    return (
        request._awaited
        and request._exchange is _READING
        and request._limits is None
        and not response._listeners
        and not request._listeners
        and (response._readable_state is None or is_untouched(response))
    )


def is_ready(net_socket: object) -> bool:
    """Tell whether a socket can carry HTTP now."""
    if isinstance(net_socket, TLSSocket) and net_socket.secure_connecting:
        return False
    return not getattr(net_socket, "connecting", False)


def keep_alive_timeout(value: str) -> float | None:
    """Return the ``timeout`` parameter of a Keep-Alive header, in seconds (X-060)."""
    for parameter in value.lower().split(","):
        name, _, seconds = parameter.partition("=")
        seconds = seconds.strip()
        if name.strip() == "timeout" and seconds.isascii() and seconds.isdigit():
            return float(seconds[:9])
    return None
