"""One socket of a server: its parser, its queue of exchanges and its deadlines.

Rules that hold in every state:

- Answers leave in the order of their requests, however the handlers finish (H-127).
- A body that nobody reads, too many waiting requests or too many waiting answers stop
  the socket from being read: memory per connection is bounded.
- Whatever is raised on behalf of this connection ends here (H-010): it is logged, the
  client gets a 500 if no head has gone out, else the connection is cut.
"""

from __future__ import annotations

import logging
from collections import deque
from math import inf
from typing import TYPE_CHECKING, Any, Final

from headrace.http._errors import PeerGoneError, RequestTimeoutError
from headrace.http._exchange import MOVES, Exchange, Move
from headrace.http._header_queue import OPEN, SENT
from headrace.http._outgoing import HIGH_WATER_MARK
from headrace.http._server_response import CLOSE_LINE
from headrace.http._wire import Wire
from headrace.http_parser import (
    END_OF_MESSAGE,
    STATUS_CODES,
    EndOfMessage,
    HTTPParserError,
    RequestHead,
    RequestParser,
)

if TYPE_CHECKING:
    from headrace.events.loop import Loop
    from headrace.http._carrier import Carrier
    from headrace.http._incoming import IncomingMessage
    from headrace.http._server import Server
    from headrace.http._server_response import ServerResponse

logger = logging.getLogger("headrace.http")

# Why the socket is not read at present: bits, because several reasons can hold at once.
_BODY_FULL: Final = 1  #: nobody takes the request's body
_QUEUE_FULL: Final = 2  #: too many requests or answers wait
_CLOSING: Final = 4  #: no further request is wanted
_SWITCHING: Final = 8  #: an upgrade waits for the answers before it

#: Seconds for which a closed connection still reads what its client is sending, so that
#: the last answer is not lost in a reset (RFC 9112 section 9.6).
_LINGER: Final = 2.0


# Members of an Enum are slow to look up on the hot path (Python 3.11).
_DRAINING: Final = Exchange.DRAINING
_DONE: Final = Exchange.DONE
_REQUEST_ENDED: Final = Move.REQUEST_ENDED
_RESPONSE_ENDED: Final = Move.RESPONSE_ENDED


class ServerConnection(Wire):
    """The HTTP side of an accepted connection; a `headrace.net.Receiver`."""

    __slots__ = (
        "_clock_runs",
        "_deadlines",
        "_discarded",
        "_ended",
        "_exchanges",
        "_farewell",
        "_hold",
        "_idle_promise",
        "_parsing",
        "_peer_ended",
        "_receiving",
        "_request_deadline",
        "_requests",
        "_switch",
        "deadline",
        "net_socket",
        "parser",
        "server",
        "upgraded",
    )

    def __init__(
        self, server: Server, net_socket: Any, carrier: Carrier, loop: Loop
    ) -> None:
        super().__init__(carrier, loop)
        # Of the connection.
        self.server = server
        self.net_socket = net_socket
        self.parser: RequestParser = server.make_parser()
        self.upgraded = False
        self._requests = 0
        self._hold = 0
        self._parsing = False
        self._peer_ended = False
        self._ended = False
        self._farewell: bytes | None = None  # a last reply without a request
        # Of the exchanges: the oldest unfinished one is in front.
        self._exchanges: deque[ServerResponse] = deque()
        self._receiving: ServerResponse | None = None
        self._discarded = 0
        self._switch: IncomingMessage | None = None
        self._idle_promise = server.keep_alive_lines()
        # Of time: a silent new connection counts as a head that does not arrive.
        self._deadlines = server.deadlines
        self.deadline = inf
        self._request_deadline = inf
        self._clock_runs = False
        self._start_clock()

    def __repr__(self) -> str:
        return (
            f"<ServerConnection {self._requests} requests, {len(self._exchanges)} open>"
        )

    # Receiving -------------------------------------------------------------------

    def data_received(self, data: memoryview) -> None:
        """Take bytes from the socket and deliver the messages in them."""
        if self._ended:
            self._discard(len(data))
            return
        parser = self.parser
        parser.receive(data)
        if self._hold:
            return
        self._parse()
        # A request that has come whole needs no clock; nearly all have.
        if not self._clock_runs and (self._receiving is not None or parser.started):
            self._start_clock()

    def _parse(self) -> None:
        """Deliver what is parsed until more bytes are needed or somebody must wait."""
        if self._parsing:
            return
        self._parsing = True
        next_event = self.parser.next_event
        try:
            while not self._hold:
                event = next_event()
                kind = type(event)
                if kind is RequestHead:
                    self._on_head(event)  # type: ignore[arg-type]
                elif kind is EndOfMessage:
                    self._on_end(event)  # type: ignore[arg-type]
                elif kind is bytes:
                    self._on_body(event)  # type: ignore[arg-type]
                else:  # NEED_DATA or PAUSED
                    break
        except HTTPParserError as error:
            self._client_error(error)
        finally:
            self._parsing = False

    def _on_head(self, head: RequestHead) -> None:
        server = self.server
        self._requests += 1
        request = server.incoming_message_class(self.net_socket, self)
        request._owner = self
        request._head = head
        request.method = head.method
        request.url = head.target
        if server.join_duplicate_headers:
            request.join_duplicate_headers = True
        if (
            head.upgrade
            or head.host_error is not None
            or server.max_requests_per_socket
        ) and self._turns_away(request, head):
            return
        response = server.server_response_class(request, self)
        response._owner = self
        response._keep = head.keep_alive
        response._to_1_1 = head.http_version == "1.1"
        exchanges = self._exchanges
        if not exchanges:
            response._wire = self
        exchanges.append(response)
        self._receiving = response
        if len(exchanges) >= server.max_pipelined_requests:
            self._wait(_QUEUE_FULL)
        event = "request" if head.expect is None else self._expectation(head, response)
        if event is not None:
            try:
                server.emit(event, request, response)
            except Exception as error:
                self.take_exception(error, response)

    def _turns_away(self, request: IncomingMessage, head: RequestHead) -> bool:
        """Deal with a request that gets no exchange: refused, or leaving HTTP."""
        server = self.server
        if head.host_error is not None and server.require_host_header:
            self._refuse(400)
        elif 0 < server.max_requests_per_socket < self._requests:
            server.emit("drop_request", request, self.net_socket)
            self._refuse(503)
        elif head.method == "CONNECT" or (
            head.upgrade and server.takes_upgrade(request)
        ):
            self._begin_switch(request)
        else:
            if head.upgrade:
                self.parser.decline_upgrade()
            return False
        return True

    def _expectation(self, head: RequestHead, response: ServerResponse) -> str | None:
        """Answer an Expect header; return the event to emit, if any (H-024, X-012)."""
        server = self.server
        if head.http_version != "1.1":
            return "request"
        if head.expect is not None and head.expect.lower() == "100-continue":
            if server.listener_count("check_continue"):
                response._expects_continue = True
                return "check_continue"
            response.write_continue()
            return "request"
        if server.listener_count("check_expectation"):
            return "check_expectation"
        response.write_head(417)
        response.end()
        return None

    def _on_body(self, data: bytes) -> None:
        response = self._receiving
        if response is None:
            self._switch_body(data)
            return
        if response._exchange is _DRAINING:
            self._discard(len(data))
        if not response.req.push(data) and not response.req.destroyed:
            self._wait(_BODY_FULL)

    def _on_end(self, end: EndOfMessage) -> None:
        response = self._receiving
        if response is None:
            self._finish_switch(end)
            return
        self._receiving = None
        self._clock_runs = False
        self.deadline = inf
        state = response._exchange = MOVES[response._exchange, _REQUEST_ENDED]
        trailers = None if end is END_OF_MESSAGE else end.raw_trailers
        response.req._finish(trailers)
        if state is _DONE:
            self._exchange_done(response)

    def body_wanted(self, message: IncomingMessage) -> None:
        """Go on delivering a body that was held back."""
        if self._hold & _BODY_FULL:
            self._go_on(_BODY_FULL)

    def message_destroyed(
        self, message: IncomingMessage, error: BaseException | None
    ) -> None:
        """Close the connection: a request in it is not read to its end (H-117)."""
        self.destroy()

    def _wait(self, reason: int) -> None:
        if not self._hold:
            self.socket.pause_receiving()
        self._hold |= reason

    def _go_on(self, reason: int) -> None:
        if not self._hold & reason:
            return
        self._hold &= ~reason
        if self._hold or self.lost or self._ended:
            return
        self.socket.resume_receiving()
        if not self._parsing:
            self.loop.next_tick_for(self, self._parse_held)

    def _parse_held(self) -> None:
        """Parse what arrived before the socket was held."""
        if self._hold or self._ended or self.lost or self.upgraded:
            return
        self._parse()
        if self._peer_ended and not self._hold:
            self._parse_eof()

    # Answering -------------------------------------------------------------------

    def promise(self) -> str:
        """Return the header lines about the connection of an answer that keeps it.

        `CLOSE_LINE` itself if the server wants no request after the present ones.
        """
        server = self.server
        limit = server.max_requests_per_socket
        if not server.accepts_more or self._peer_ended:
            return CLOSE_LINE
        if not limit:
            return self._idle_promise
        left = limit - self._requests
        return server.keep_alive_lines(left) if left > 0 else CLOSE_LINE

    def drained(self) -> None:
        """Let the front message write on, and go on parsing if answers held it up."""
        exchanges = self._exchanges
        if exchanges and exchanges[0]._need_drain:
            exchanges[0]._drain()
        if self._hold & _QUEUE_FULL:
            self._check_queue()

    def _check_queue(self) -> None:
        waiting = len(self._exchanges)
        if (
            waiting < self.server.max_pipelined_requests
            and self._backlog() < HIGH_WATER_MARK
        ):
            self._go_on(_QUEUE_FULL)

    def _backlog(self) -> int:
        """Bytes of answers that wait here for their turn or for the client."""
        waiting = (response.writable_length for response in list(self._exchanges)[1:])
        return self.unflushed + sum(waiting)

    def response_waits(self) -> None:
        """Stop parsing while too many bytes of later answers wait (H-127)."""
        if not self._hold & _QUEUE_FULL and self._backlog() >= HIGH_WATER_MARK:
            self._wait(_QUEUE_FULL)

    def response_finished(self, response: ServerResponse) -> None:
        """Go on after a response that is wholly with the operating system."""
        state = response._exchange = MOVES[response._exchange, _RESPONSE_ENDED]
        if state is _DONE:
            self._exchange_done(response)
            return
        # The client still sends (H-116).
        if not response._keep:
            self._exchange_done(response)
            return
        self._discarded = 0
        response.req._dump()
        self._go_on(_BODY_FULL)

    def _discard(self, size: int) -> None:
        """Count bytes nobody will read; cut the connection if they are too many."""
        self._discarded += size
        if self._discarded > self.server.max_body_discard:
            self.destroy()

    def _exchange_done(self, response: ServerResponse) -> None:
        self._exchanges.popleft()
        response._connection = response._wire = None
        response._emit_close()
        request = response.req
        if not request.complete:
            request._source = None
            request._abort()
        else:
            request._dump()
        if not response._keep and not self._farewell:
            self._end(linger=not request.complete or self.parser.has_unparsed)
            return
        if self._exchanges:
            self._exchanges[0]._attach(self)
            if self._hold & _QUEUE_FULL:
                self._check_queue()
            return
        self._rest()

    def _rest(self) -> None:
        """Wait for the next request, or close if there will be none."""
        server = self.server
        if self._farewell is not None:
            self._say_farewell()
        elif self._switch is not None:
            self._go_on(_SWITCHING)
            self._switch_now()
        elif self._peer_ended or not server.accepts_more:
            self._end()
        else:
            if self._hold:
                self._go_on(_QUEUE_FULL)
            if self.parser.started:
                self._start_clock()
            elif server.keep_alive_timeout:
                idle = server.keep_alive_timeout + server.keep_alive_timeout_buffer
                self.deadline = deadline = self.loop.time() + idle
                self._deadlines.watch(deadline)

    # Closing ---------------------------------------------------------------------

    def eof_received(self) -> None:
        """Take note that the client sends no more; its answers still go out (H-129)."""
        if self._ended:
            self.destroy()
            return
        self._peer_ended = True
        if not self._hold:
            self._parse_eof()

    def _parse_eof(self) -> None:
        try:
            self.parser.finish()
            while type(self.parser.next_event()) is bytes:
                pass
        except HTTPParserError as error:
            self._client_error(error)
            return
        if not self._exchanges or not self.server.http_allow_half_open:
            self._end()

    def connection_lost(self, error: Exception | None) -> None:
        """Settle everything that was under way (H-128)."""
        if error is not None and not self.upgraded and not self._ended:
            self.server.emit("client_error", error, self.net_socket)
        self._give_up(error)

    def _give_up(self, error: Exception | None) -> None:
        self._ended = True
        self.deadline = inf
        self.server.forget(self)
        self.lose(error)
        exchanges = list(self._exchanges)
        self._exchanges.clear()
        self._receiving = None
        for response in exchanges:
            self._break_off(response, error)

    def _break_off(self, response: ServerResponse, error: Exception | None) -> None:
        """End an exchange whose connection is gone: aborted, close, close."""
        response._lose(error)
        response._connection = response._wire = None
        request = response.req
        for step in (request._abort, response._emit_close):
            try:
                step()
            except Exception as raised:
                self.take_exception(raised, step)

    def destroy(self) -> None:
        """Cut the connection at once."""
        self.socket.destroy()

    def _end(self, *, linger: bool = False) -> None:
        """Close after what is queued; read on for a while if the client still sends."""
        if self._ended:
            return
        self._ended = True
        self.flush_now()
        if not linger:
            self.deadline = inf
            if self.unflushed:
                self.socket.destroy_soon()
            else:
                self.socket.destroy()  # closing says FIN by itself
            return
        self._discarded = 0
        self._hold = 0
        self._set_deadline(self.loop.time() + _LINGER)
        self.socket.end()
        self.socket.resume_receiving()

    @property
    def idle(self) -> bool:
        """Whether no request is being received and no response is owed (X-010)."""
        return not (self._exchanges or self._receiving or self.parser.started)

    # Upgrade and CONNECT -----------------------------------------------------------

    def _begin_switch(self, request: IncomingMessage) -> None:
        """Take the socket out of HTTP when the answers before it are out (H-025)."""
        self._switch = request
        request.upgrade = True
        self.parser.accept_upgrade()
        self._receiving = None
        if self._exchanges:
            self._wait(_SWITCHING)
        else:
            self._switch_now()

    def _switch_now(self) -> None:
        """Emit ``connect`` or ``upgrade``; the socket is the listener's."""
        request = self._switch
        if request is None or self.upgraded:
            return
        self.upgraded = True
        self.deadline = inf
        server = self.server
        event = "connect" if request.method == "CONNECT" else "upgrade"
        if not server.listener_count(event):
            self.destroy()
            return
        head = b""
        if not self._head_has_body(request):
            head = self._let_go(request)
        try:
            server.emit(event, request, self.net_socket, head)
        except Exception as error:
            self.take_exception(error, request)

    @staticmethod
    def _head_has_body(request: IncomingMessage) -> bool:
        head = request._head
        return isinstance(head, RequestHead) and (
            head.chunked or bool(head.content_length)
        )

    def _let_go(
        self, request: IncomingMessage, raw_trailers: list[str] | None = None
    ) -> bytes:
        """Return the socket to stream mode; give the bytes behind the request."""
        self._switch = None
        self._hold |= _CLOSING
        head = self.parser.take_leftover()
        self.server.forget(self)
        self.socket.release()
        request._finish(raw_trailers)
        return head

    def _switch_body(self, data: bytes) -> None:
        request = self._switch
        if request is not None and not request.push(data):
            self._wait(_BODY_FULL)

    def _finish_switch(self, end: EndOfMessage) -> None:
        """Let go of the socket after an upgrade request's body (H-026)."""
        request = self._switch
        if request is None or not self._head_has_body(request):
            return
        self._switch = None
        self._hold |= _CLOSING
        self.server.forget(self)
        self.socket.release(unread=self.parser.take_leftover())
        request._finish(end.raw_trailers)

    # Errors ----------------------------------------------------------------------

    def _client_error(self, error: HTTPParserError | RequestTimeoutError) -> None:
        """Report bad input once; answer it if no listener does (H-027)."""
        self._wait(_CLOSING)
        self.deadline = inf
        self._drop_receiving()
        if self.server.listener_count("client_error"):
            self._ended = True
            self.flush_now()
            self.server.emit("client_error", error, self.net_socket)
            return
        self._refuse(getattr(error, "status_hint", 408))

    def _drop_receiving(self) -> None:
        """Give up the exchange whose request will never be complete."""
        response = self._receiving
        if response is None:
            return
        self._receiving = None
        response.req._source = None
        if response._stage >= SENT:
            # Part of its answer is out: nothing can be added, the connection is cut.
            self._farewell = b""
            response._keep = False
            response.req._abort()
            return
        self._exchanges.remove(response)
        self._break_off(response, PeerGoneError("aborted"))

    def _refuse(self, status: int) -> None:
        """Send one minimal reply behind the answers that are owed, then close."""
        self._wait(_CLOSING)
        if self._farewell is None:
            phrase = STATUS_CODES[status]
            line = f"HTTP/1.1 {status} {phrase}\r\nConnection: close\r\n\r\n"
            self._farewell = line.encode("ascii")
        if not self._exchanges:
            self._say_farewell()

    def _say_farewell(self) -> None:
        farewell, self._farewell = self._farewell, b""
        if farewell:
            self.put(farewell)
            self.after_flush(self._after_farewell)
        else:
            self._end(linger=True)

    def _after_farewell(self, error: Exception | None) -> None:
        if error is None:
            self._end(linger=True)

    def take_exception(self, error: Exception, source: object) -> bool:
        """Log what was raised on behalf of this connection and answer 500 (H-010)."""
        if isinstance(error, OSError):
            logger.debug("connection failed: %s", error)
        else:
            logger.error("exception in a handler of %r", source, exc_info=error)
        response = self._blamed(source)
        if response is None or self.upgraded or response._stage >= SENT:
            self.destroy()
            return True
        try:
            self._answer_failure(response, getattr(error, "status_hint", 500))
        except Exception:
            logger.exception("no answer could be sent")
            self.destroy()
        return True

    def _blamed(self, source: object) -> ServerResponse | None:
        """Find the exchange that an exception belongs to; by default the oldest."""
        source = getattr(source, "__self__", source)
        for response in self._exchanges:
            if response is source or response.req is source:
                return response
        return self._exchanges[0] if self._exchanges else None

    @staticmethod
    def _answer_failure(response: ServerResponse, status: int) -> None:
        """Drop the queued headers and answer with a bare status."""
        response._stage = OPEN
        response._fields = {}
        response._lines = None
        response.status_message = None
        response.write_head(status, {"Content-Type": "text/plain"})
        response.end(STATUS_CODES[status])

    # Time ------------------------------------------------------------------------

    def _set_deadline(self, deadline: float) -> None:
        self.deadline = deadline
        self._deadlines.watch(deadline)

    def _start_clock(self) -> None:
        """Start the time that a request's head, and the whole request, may take."""
        self._clock_runs = True
        server = self.server
        now = self.loop.time()
        whole = now + (server.request_timeout or inf)
        self._request_deadline = whole
        if self._receiving is not None:
            self._set_deadline(whole)
        else:
            self._set_deadline(min(now + (server.headers_timeout or inf), whole))

    def expire(self, now: float) -> None:
        """Act on a deadline that has passed."""
        self.deadline = inf
        if self._ended:
            self.destroy()
        elif self._exchanges and self._receiving is None:
            pass  # the answer takes its time: that is the handler's business
        elif self._receiving is not None and now < self._request_deadline:
            self._set_deadline(self._request_deadline)  # the head has come in time
        elif self._requests and self.idle:
            self._ended = True
            self.destroy()
        else:
            self._client_error(RequestTimeoutError())

    def timed_out(self) -> None:
        """Tell the listeners that the socket was idle; destroy it if there are none."""
        heard = False
        receiving = self._receiving
        if receiving is not None and not receiving.req.complete:
            heard = receiving.req.emit("timeout", self.net_socket)
        if self._exchanges:
            heard = self._exchanges[0].emit("timeout", self.net_socket) or heard
        heard = self.server.emit("timeout", self.net_socket) or heard
        if not heard:
            self.destroy()
