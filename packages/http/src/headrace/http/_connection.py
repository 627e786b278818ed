"""One socket of a server: requests in, answers out.

Rules that hold while it serves; `_ending.py` has those of its end:

- Answers leave in the order of their requests, however the handlers finish (H-127).
- A body that nobody reads, too many waiting requests or too many waiting answers stop
  the socket from being read: memory per connection is bounded.
- No request is handled behind an answer that has said ``Connection: close`` (RFC 9112
  section 9.6).
- Listeners may do anything inside an event, also raise: the parser goes on or stops by
  this object's state alone.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Final

from headrace.events import channel
from headrace.http._ending import (
    BODY_FULL,
    NOT_SERVING,
    QUEUE_FULL,
    SWITCHING,
    EndingConnection,
)
from headrace.http._exchange import Exchange, Move, Service, moves_by
from headrace.http._header_queue import ENDED
from headrace.http._incoming import BODY_DUMPED, BODY_ENDED, CLOSED
from headrace.http._server_response import CLOSE_LINE
from headrace.http._switch import Switch
from headrace.http._wire import HIGH_WATER_MARK, PARSER
from headrace.http_parser import (
    END_OF_MESSAGE,
    EndOfMessage,
    HTTPParserError,
    RequestHead,
)

if TYPE_CHECKING:
    from headrace.http._incoming import IncomingMessage
    from headrace.http._server_response import ServerResponse

# Members of an Enum are slow to look up on the hot path (Python 3.11).
_SERVING: Final = Service.SERVING
_DRAINING: Final = Exchange.DRAINING
_DONE: Final = Exchange.DONE
# Parts of the table for the moves of every exchange.
_REQUEST_ENDED: Final = moves_by(Move.REQUEST_ENDED)
_RESPONSE_ENDED: Final = moves_by(Move.RESPONSE_ENDED)

# Diagnostics.
_REQUEST_STARTED: Final = channel("http.server.request.start")
_RESPONSE_CREATED: Final = channel("http.server.response.created")
_RESPONSE_FINISHED: Final = channel("http.server.response.finish")


class ServerConnection(EndingConnection):
    """The HTTP side of an accepted connection; a `headrace.net.Receiver`."""

    __slots__ = ()

    # Receiving -------------------------------------------------------------------

    def data_received(self, data: memoryview) -> None:
        """Take bytes from the socket and deliver the messages in them."""
        if self._service is not _SERVING:
            self._discard(len(data))
            return
        parser = self.parser
        parser.receive(data)
        if self._hold:
            return
        self._parse()
        # A request that has come whole needs no clock; nearly all have.
        if (self._receiving is not None or parser.buffer) and not self._clock_runs:
            self._watch_arrival()

    def _parse(self) -> None:
        """Deliver what is parsed, then send what the handlers have answered."""
        if self._parsing:
            return
        self._parsing = True
        try:
            self._deliver_messages()
        finally:
            self._parsing = False
            if self._flush_due == PARSER:
                self._flush_in_turn()

    _flush_in_turn = EndingConnection._flush_together  # without a call in between

    def flush_last(self) -> None:
        """Send what was answered before somebody destroyed the socket (H-141).

        Nobody is told any more: what follows a complete answer would be its next one.
        """
        queue = self._queue
        if queue and not (self._blocked or self.lost):
            self._queue = []
            self.socket.send(queue)

    def _deliver_messages(self) -> None:
        """Deliver messages until more bytes are needed or somebody must wait."""
        parser = self.parser
        while not self._hold:
            try:
                event = parser.next_event()
                kind = type(event)
                if kind is RequestHead:
                    self._on_head(event)  # type: ignore[arg-type]
                elif kind is EndOfMessage:
                    self._on_end(event)  # type: ignore[arg-type]
                    if not parser.buffer:
                        break
                elif kind is bytes:
                    self._on_body(event)  # type: ignore[arg-type]
                else:  # NEED_DATA or PAUSED
                    break
            except HTTPParserError as error:
                self._client_error(error)
            except Exception as error:
                self.take_exception(error, self)

    def _watch_arrival(self) -> None:
        """Start the clock of a request that has arrived in part."""
        if self._receiving is not None or self.parser.started:
            self._start_clock()
            self.socket.expect(self.parser.missing)

    def _on_head(self, head: RequestHead) -> None:
        server = self.server
        exchanges = self._exchanges
        if (
            exchanges
            and not exchanges[-1]._keep
            and self._requests != server.max_requests_per_socket
        ):
            self._wait(NOT_SERVING)
            return
        self._requests += 1
        request = server.incoming_message_class(self.net_socket, self)
        request._owner = self
        request._loop = self.loop
        request._head = head
        request.method = head.method
        request.url = head.target
        if (
            head.upgrade
            or head.host_error is not None
            or server.max_requests_per_socket
        ) and self._turns_away(request, head):
            return
        response = server.server_response_class(request, self)
        response._owner = self
        response._keep = head.keep_alive
        if head.http_version != "1.1":
            response._to_1_1 = False
        if self._terms.has_message_options:
            self._give_options(request, response)
        if not exchanges or (
            exchanges[-1]._stage >= ENDED and exchanges[-1]._wire is not None
        ):
            response._wire = self  # all that goes before it is on the wire
        exchanges.append(response)
        self._receiving = response
        if _REQUEST_STARTED.has_subscribers or _RESPONSE_CREATED.has_subscribers:
            self._announce(request, response)
        event = "request" if head.expect is None else self._expectation(head, response)
        if event is not None:
            try:
                server.emit(event, request, response)
            except Exception as error:
                self.take_exception(error, response)

    def _turns_away(self, request: IncomingMessage, head: RequestHead) -> bool:
        """Deal with a request that gets no exchange: refused, or leaving HTTP."""
        server = self.server
        request.join_duplicate_headers = server.join_duplicate_headers
        if head.host_error is not None and server.require_host_header:
            self._refuse(400)
        elif 0 < server.max_requests_per_socket < self._requests:
            self._requests -= 1
            try:
                server.emit("drop_request", request, self.net_socket)
            finally:
                self._refuse(503, insists=True)
        elif head.method == "CONNECT" or (
            head.upgrade and server.takes_upgrade(request)
        ):
            self._begin_switch(request)
        else:
            if head.upgrade:
                self.parser.decline_upgrade()
            return False
        return True

    def _give_options(self, request: IncomingMessage, response: ServerResponse) -> None:
        """Hand on the server's options about messages (X-014 to X-019)."""
        server = self.server
        request.join_duplicate_headers = server.join_duplicate_headers
        mark = server.high_water_mark
        if mark is not None:
            request._high_water_mark = response._high_water_mark = mark
            response._mark_moves = False
        response.unique_headers = server.unique_headers
        response.reject_non_standard_body_writes = (
            server.reject_non_standard_body_writes
        )

    def _begin_switch(self, request: IncomingMessage) -> None:
        """Take the socket out of HTTP when the answers before it are out (H-025)."""
        self._switch = Switch(self, request)
        if self._exchanges:
            self._wait(SWITCHING)
        else:
            self._switch.start()

    def _announce(self, request: IncomingMessage, response: ServerResponse) -> None:
        """Tell the subscribers of the diagnostics channels (X-099)."""
        message = {"request": request, "response": response}
        _RESPONSE_CREATED.publish(message)
        _REQUEST_STARTED.publish(self._message(response))

    def _message(self, response: ServerResponse) -> dict[str, object]:
        return {
            "request": response.req,
            "response": response,
            "socket": self.net_socket,
            "server": self.server,
        }

    def _expectation(self, head: RequestHead, response: ServerResponse) -> str | None:
        """Answer an Expect header; return the event to emit, if any (H-024, X-012)."""
        server = self.server
        if head.expect is not None and head.expect.lower() == "100-continue":
            if server.listener_count("check_continue"):
                response._expects_continue = True
                return "check_continue"
            response.write_continue()
            return "request"
        # Without a 100 nobody knows whether the body will come: it closes (H-024).
        response._expects_continue = head.chunked or bool(head.content_length)
        if server.listener_count("check_expectation"):
            return "check_expectation"
        response.write_head(417)
        response.end()
        return None

    def _on_body(self, data: bytes) -> None:
        response = self._receiving
        if response is None:
            if self._switch is not None:
                self._switch.body(data)
            return
        request = response.req
        if response._exchange is _DRAINING and self._is_dumping:
            self._discarded += len(data)
            if self._discarded > self.server.max_body_discard:
                self._give_up_body(response)
            return  # who begins to read now gets nothing, never a part
        if (
            response._stage >= ENDED
            and self._flush_due == PARSER
            and request._readable_state is None
            and request._early is None
            and not request._listeners
        ):
            request._early = data  # as a rule `_dump` follows, and it needs no stream
            return
        if not request.push(data) and not request.destroyed:
            self._wait(BODY_FULL)

    def _on_end(self, end: EndOfMessage) -> None:
        response = self._receiving
        if response is None:
            if self._switch is not None:
                self._switch.end(end)
            return
        self._receiving = None
        self._clock_runs = False
        self.deadline = inf
        state = response._exchange = _REQUEST_ENDED[response._exchange]
        request = response.req
        if end is END_OF_MESSAGE and request._readable_state is None:
            request.complete = True  # `_finish`, without a call
            request._body = BODY_ENDED
        else:
            request._finish(None if end is END_OF_MESSAGE else end.raw_trailers)
        if state is _DONE:
            self._exchange_done(response)
            return
        count = len(self._exchanges)
        if count > 1 or count >= self.server.max_pipelined_requests:
            self._check_queue()

    def body_wanted(self, message: IncomingMessage) -> None:
        """Go on delivering a body that was held back."""
        if self._hold & BODY_FULL:
            self._go_on(BODY_FULL)

    def message_destroyed(
        self, message: IncomingMessage, error: BaseException | None
    ) -> None:
        """Close the connection: a request in it is not read to its end (H-117)."""
        self.destroy()

    def _go_on(self, reason: int) -> None:
        if not self._hold & reason:
            return
        self._hold &= ~reason
        if self._hold:
            return
        self.socket.resume_receiving()
        if not self._parsing:
            self.loop.next_tick_for(self, self._parse_held)

    def _parse_held(self) -> None:
        """Parse what arrived before the socket was held."""
        if self._hold:
            return
        self._parse()
        if self._peer_ended and not self._hold:
            self._parse_eof()
        elif not self._clock_runs:
            self._watch_arrival()

    def eof_received(self) -> None:
        """Take note that the client sends no more; its answers still go out (H-129)."""
        self._peer_ended = True
        self.usual_promise = None
        self._parse_held()  # requests may have waited, and their tick is still to come

    def _parse_eof(self) -> None:
        try:
            self.parser.finish()
            self.parser.next_event()
        except HTTPParserError as error:
            self._client_error(error)
            return
        if not self._exchanges or not self.server.http_allow_half_open:
            self._end()

    # Answering -------------------------------------------------------------------

    def promise(self, response: ServerResponse) -> str:
        """Return the header lines about the connection of an answer that keeps it.

        `CLOSE_LINE` itself if the server wants no request after the present ones, and
        this answer is the last of them.
        """
        server = self.server
        limit = server.max_requests_per_socket
        if (
            not server.accepts_more
            or (self._peer_ended and not self.parser.buffer)
            or (limit and self._requests >= limit)
        ) and self._exchanges[-1] is response:
            return CLOSE_LINE
        return self._terms.idle_promise

    def drained(self) -> None:
        """Let the front message write on, and go on parsing if answers held it up."""
        exchanges = self._exchanges
        if exchanges and exchanges[0]._need_drain and not self.unflushed:
            exchanges[0]._drain()
        if self._hold & QUEUE_FULL:
            self._check_queue()

    def response_waits(self, size: int) -> None:
        """Take note of bytes of an answer behind the one in front (H-127)."""
        self._waiting += size
        self._check_queue()

    def _check_queue(self) -> None:
        """Read while few requests, and few bytes of answers, wait (H-127, X-025)."""
        if (
            len(self._exchanges) < self.server.max_pipelined_requests
            and self._waiting + self.unflushed < HIGH_WATER_MARK
        ):
            self._go_on(QUEUE_FULL)
        else:
            self._wait(QUEUE_FULL)

    def response_finished(self, response: ServerResponse) -> None:
        """Go on after a response that is wholly with the operating system."""
        state = response._exchange = _RESPONSE_ENDED[response._exchange]
        if _RESPONSE_FINISHED.has_subscribers:
            _RESPONSE_FINISHED.publish(self._message(response))
        if state is _DONE or not response._keep:
            self._exchange_done(response)
        else:  # the client still sends (H-116)
            self._discarded = 0
            self._is_dumping = response.req._dump()

    def _give_up_body(self, response: ServerResponse) -> None:
        """Close the connection instead of reading a body nobody wants (X-024)."""
        self._receiving = None
        response._keep = False
        self._exchange_done(response)

    def _exchange_done(self, response: ServerResponse) -> None:
        exchanges = self._exchanges
        exchanges.popleft()
        response._connection = response._wire = None
        request = response.req
        if response._listeners:
            response._emit_close()
        else:
            response._close_emitted = True
        if request._body is BODY_ENDED and not request._listeners:
            request._body = BODY_DUMPED  # `_dump`, without a call
            request._life = CLOSED
        elif request.complete:
            request._dump()
        else:
            request._source = None
            request._abort()
        if not response._keep and not self._insists and not self.lost:
            self._end(linger=not request.complete or self.parser.has_unparsed)
        elif exchanges:
            if exchanges[0]._wire is None:
                self._waiting -= exchanges[0]._held_size()
                exchanges[0]._attach(self)
            if self._hold & QUEUE_FULL:
                self._check_queue()
        else:
            self._rest()

    def _rest(self) -> None:
        """Wait for the next request, or close if there will be none."""
        server = self.server
        if self._service is not _SERVING or self._switch is not None:
            self._leave()
            return
        if (self._peer_ended and not self.parser.buffer) or not server.accepts_more:
            is_sending = self._hold != 0 or self.parser.has_unparsed
            self._end(linger=is_sending and not self._peer_ended)
            return
        if self._hold:
            self._go_on(QUEUE_FULL)
        if self._timeout_changed:
            self._restore_timeout()
        if self.parser.buffer and self.parser.started:
            self._start_clock()
        elif idle_time := self._terms.idle_time:
            self.deadline = deadline = self.loop.time() + idle_time
            if deadline <= self._deadlines.covered:
                self._deadlines.watch(deadline)

    def _leave(self) -> None:
        """Go on to the last reply, or out of HTTP: the answers before it are out."""
        if self._service is Service.CLOSING:
            self._say_farewell()
        elif self._service is _SERVING and self._switch is not None:
            self._go_on(SWITCHING)
            self._switch.start()
