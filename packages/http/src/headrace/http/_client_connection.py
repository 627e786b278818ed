"""One socket of a client, as its receiver: parses answers and delivers them.

`_client_wire.py` sends the requests. Rules that hold in every state:

- Bytes answer a request only if they came after it was sent: what arrives on a used
  socket before that, or behind a complete answer, destroys the socket (H-073, H-098).
- A body that nobody reads stops the socket from being read: memory is bounded (H-072).
- Listeners may do anything inside an event, also raise: the parser goes on or stops by
  this object's state alone.
"""

from __future__ import annotations

import sys
import warnings
from typing import TYPE_CHECKING, Final
from weakref import ref

from headrace.http._client_exchange import Exchange
from headrace.http._client_parsers import leave_parser
from headrace.http._client_response import KEPT, ClientResponse
from headrace.http._client_wire import ClientWire
from headrace.http._errors import (
    BodyDiscardedError,
    TooManyInterimError,
)
from headrace.http._header_queue import SENT
from headrace.http._wire import PARSER
from headrace.http_parser import (
    END_OF_MESSAGE,
    NEED_DATA,
    EndOfMessage,
    HTTPParserError,
    ResponseHead,
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

# Events of a request that come before it is sent and has its response, or not at all.
_PAST: Final = frozenset(
    (
        *("connect", "continue", "drain", "error"),
        *("finish", "information", "socket", "upgrade"),
    )
)

_UNREAD: Final = (
    "a response was dropped unread, and its connection closed: read the body, or "
    "destroy the response"
)

# Where a socket keeps its connection object.
_KEY: Final = "_headrace_http_client"


class ClientConnection(ClientWire):
    """The HTTP side of a client's socket; a `headrace.net.Receiver`."""

    __slots__ = ()

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

    # Receiving

    def data_received(self, data: memoryview | bytes) -> None:
        """Take bytes from the socket and deliver the answer in them."""
        request = self.request
        if request is None or self._received:
            self._unread_received(data)
            return
        if not self.heard:
            unsent = request._stage < SENT or request._in_one is not None
            if unsent and self.exchanges > 1:
                self._peer_ended = True
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
            self._stop_parsing()

    def _stop_parsing(self) -> None:
        """Send what listeners have written in the meantime."""
        self._parsing = False
        if self._flush_due == PARSER:
            self._flush()

    def _unread_received(self, data: memoryview | bytes) -> None:
        """Take more of an answer that only its user holds, or part with the rest."""
        request = None if self._received else self._take_up()
        if request is None:
            self._surplus()
            return
        self.parser.receive(data)
        self._parse()
        if self.request is request and not self._received:
            self._let_go_unread(request)

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
            self._stop_parsing()

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
        if head.status_code == 100:
            self.continued = True
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
            event = None  # the parser says it again when its turn has come
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
            if event is NEED_DATA and self.request is request:
                self._let_go_unread(request)

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
                        self._let_go(request, response)
                    else:  # a HEAD, a 204: there is nothing to read, so nobody will
                        response._source = None
                        request._answer_read()
        finally:
            if surplus:
                self._surplus()

    # An answer that only its user holds

    def _let_go(self, request: RequestLife, response: ClientResponse) -> None:
        """Leave an awaited answer that waits for its reader to whoever has it.

        From here on nothing of ours keeps the request or the response: if their user
        forgets them, the response's finaliser closes the socket, and the pool goes on
        (pitfall 12). If not, the response tells when it is read.
        """
        self.request = self._response = None
        self.keep = self.keep and request._length_kept
        self._unread = ref(request), ref(response)

    def _let_go_unread(self, request: RequestLife) -> None:
        """Do so within a body, more of which comes when the server likes."""
        response = self._response
        if response is not None and is_only_held(request, response):
            self._let_go(request, response)

    def _take_up(self) -> RequestLife | None:
        """Go on with a response that was let go; return its request.

        None if there is no such response, or nobody has it any more.
        """
        unread, self._unread = self._unread, None
        response = None if unread is None else unread[1]()
        if unread is None or response is None:
            return None
        from headrace.http._client_life import RequestLife  # it imports this module

        request = unread[0]()
        if request is None:
            request = RequestLife.stand_in(self, response)
        self.request, self._response = request, response
        return request

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
                self._let_go(request, response)

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
        if self._unread is not None and (self._hold or not message.readable_length):
            self._take_up()  # else it is the buffer that wants more, not a reader
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
            request = unread[0]()
            if request is not None:
                request._answer_read()
                return
            if self.complete():
                message.socket = None
            self.give_back()
        elif request is not None and message is self._response:
            request._answer_read()
            if not message.readable_ended:
                request._refused(self)  # who destroys the answer gives the rest up

    def message_destroyed(
        self, message: IncomingMessage, error: BaseException | None
    ) -> None:
        """Give up the exchange: its response is not read to the end (H-117)."""
        request = self.request
        if self._unread is not None:
            request = self._unread[0]()
        self.request = self._response = self._unread = None
        if request is not None:
            request._answer_dropped()
        self.socket.destroy()

    def eof_received(self) -> None:
        """Take note that the server sends no more."""
        self._peer_ended = True
        request = self.request
        if request is None and not self._received:
            request = self._take_up()
        if request is None or self._is_cut():
            self.socket.destroy()
        elif not self._hold:
            self._after_eof()
        else:  # it has to be read first
            self._let_go_unread(request)

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

    def was_stale(self, error: Exception | None) -> bool:
        """Tell whether the server has left without a word, by an end or a reset."""
        by_peer = self._peer_ended or isinstance(error, ConnectionError)
        return by_peer and not self.heard

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
            request = self._take_up()
            self.request = None
        self._forget_response()
        self.lose(error)
        spares = self._spares
        if spares is not None and not self._parsing:  # a delivery still needs it
            self._spares = None
            leave_parser(self.parser, spares)
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

    # Time

    def timed_out(self) -> None:
        """Tell the request that its socket was idle."""
        if self.request is not None:
            self.request._socket_idle(self.net_socket)
        elif self._unread is not None:
            request, response = self._unread[0](), self._unread[1]()
            if request is not None:
                request._socket_idle(self.net_socket)
            elif response is not None:
                response.emit("timeout", self.net_socket)


def is_untouched(response: ClientResponse) -> bool:
    """Tell whether nobody has begun to read a response."""
    return response.readable_flowing is None and not response.listener_count("readable")


def is_only_held(request: RequestLife, response: ClientResponse) -> bool:
    """Tell whether an answer is there for its user alone: nobody is to be called.

    That is so after ``await``, while nobody reads and nobody listens to what may come.
    """
    return (
        request._awaited
        and request._exchange is _READING
        and (request._limits is None or request._limits.are_over())
        and not response._listeners
        and (not request._listeners or _PAST.issuperset(request._listeners))
        and (response._readable_state is None or is_untouched(response))
    )


def keep_alive_timeout(value: str) -> float | None:
    """Return the ``timeout`` parameter of a Keep-Alive header, in seconds (X-060)."""
    for parameter in value.lower().split(","):
        name, _, seconds = parameter.partition("=")
        seconds = seconds.strip()
        if name.strip() == "timeout" and seconds.isascii() and seconds.isdigit():
            return float(seconds[:9])
    return None
