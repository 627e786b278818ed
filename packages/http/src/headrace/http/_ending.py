"""How a server's connection ends: by a reply, an error, a time limit, a lost client.

`_connection.py` has what it does while it serves. Rules that hold in every state:

- Answers that are owed go out before a last reply, and nothing is ever added to an
  answer of which a part is out (H-027).
- What the connection carried is told of its end in a tick of its own, never inside the
  call that has ended it: ``aborted`` and ``close`` of each exchange, the oldest first.
- Whatever is raised on behalf of this connection ends here (H-010): it is logged, the
  client gets a 500 if no head has gone out, else the connection is cut.
"""

from __future__ import annotations

import logging
from collections import deque
from math import inf
from typing import TYPE_CHECKING, Any, Final

from headrace.http._carrier import DuplexCarrier
from headrace.http._errors import (
    BodyTooLargeError,
    PeerGoneError,
    RequestTimeoutError,
    SocketEncodingError,
)
from headrace.http._exchange import SERVICE, Exchange, Service, ServiceMove
from headrace.http._header_queue import ENDED, SENT
from headrace.http._incoming import IncomingMessage
from headrace.http._server_response import ServerResponse
from headrace.http._wire import Wire
from headrace.http_parser import STATUS_CODES, HTTPParserError, RequestParser
from headrace.net import TLSSocket
from headrace.streams import PrematureCloseError, StreamDestroyedError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from headrace.events.loop import Loop
    from headrace.http._carrier import Carrier
    from headrace.http._server import Server
    from headrace.http._switch import Switch

logger = logging.getLogger("headrace.http")

# Why the socket is not read at present: bits, because several reasons can hold at once.
BODY_FULL: Final = 1  #: nobody takes the request's body
QUEUE_FULL: Final = 2  #: too many requests or answers wait
NOT_SERVING: Final = 4  #: no further request is wanted
SWITCHING: Final = 8  #: an upgrade waits for the answers before it

#: Seconds for which a closed connection still reads what its client is sending, so that
#: the last answer is not lost in a reset (RFC 9112 section 9.6).
LINGER: Final = 2.0

# Members of an Enum are slow to look up on the hot path (Python 3.11).
_SERVING: Final = Service.SERVING
_CLOSING: Final = Service.CLOSING
_END: Final = ServiceMove.END
_LOSE: Final = ServiceMove.LOSE
_DRAINING: Final = Exchange.DRAINING


class EndingConnection(Wire):
    """What a connection is and has, and every way in which it ends."""

    __slots__ = (
        "_clock_runs",
        "_deadlines",
        "_discarded",
        "_exchanges",
        "_farewell",
        "_hold",
        "_insists",
        "_is_dumping",
        "_peer_ended",
        "_receiving",
        "_request_deadline",
        "_requests",
        "_service",
        "_switch",
        "_terms",
        "_timeout_changed",
        "_waiting",
        "deadline",
        "forsook",
        "net_socket",
        "parser",
        "server",
        "usual_promise",
    )

    def __init__(
        self, server: Server, net_socket: Any, carrier: Carrier, loop: Loop
    ) -> None:
        super().__init__(carrier, loop)
        # Of the connection.
        self.server = server
        self.net_socket = net_socket
        self._terms = terms = server.terms or server.make_terms()
        parsers = terms.parsers
        self.parser: RequestParser = parsers.pop() if parsers else server.make_parser()
        self._service = _SERVING
        self._requests = 0
        self._hold = 0
        self._peer_ended = False
        self._farewell: bytes | None = None  # a last reply without a request
        #: The client has left before it had all its answers.
        self.forsook = False
        self._insists = False  # it goes out behind a ``Connection: close``, too
        # Of the exchanges: the oldest unfinished one is in front.
        self._exchanges: deque[ServerResponse] = deque()
        self._receiving: ServerResponse | None = None
        self._waiting = 0  # bytes of answers behind the one in front
        self._is_dumping = False  # nobody reads the body that is left over
        self._discarded = 0
        self._switch: Switch | None = None
        #: The header lines about the connection for an answer that keeps it, while
        #: that is all there is to say; None when `promise` has to decide.
        self.usual_promise: str | None = None
        if server.accepts_more:
            self.usual_promise = terms.usual_promise
        # Of time: a silent new connection counts as a head that does not arrive.
        self._deadlines = deadlines = server.deadlines_on(loop)
        self._timeout_changed = False
        self._clock_runs = True
        now = loop.time()
        self._request_deadline = now + terms.request_time
        self.deadline = deadline = now + terms.head_time
        deadlines.watch(deadline)

    def __repr__(self) -> str:
        state = self._service.name.lower()
        open_count = len(self._exchanges)
        return (
            f"<ServerConnection {state}, {self._requests} requests, {open_count} open>"
        )

    @property
    def idle(self) -> bool:
        """Whether no request is being received and no response is owed (X-010)."""
        if self._service is Service.FORSAKEN:
            return not self._exchanges
        return self._service is _SERVING and not (
            self._exchanges or self._switch or self.parser.started
        )

    # The usual end -----------------------------------------------------------------

    def destroy(self) -> None:
        """Cut the connection at once."""
        if self.idle:
            self._close_socket()
        else:
            self.socket.destroy()

    def _end(self, *, linger: bool = False) -> None:
        """Close after what is queued; read on for a while if the client still sends."""
        if self._service not in (_SERVING, _CLOSING):
            return
        self._service = SERVICE[self._service, _END]
        self._hold |= NOT_SERVING
        self.flush_now()
        if self.lost:
            return  # a listener of what has gone out has cut the connection
        if linger:
            self._set_deadline(self.loop.time() + LINGER)
            self.socket.end()
            self._throw_away()
            return
        self.deadline = inf
        if self.unflushed:
            self.socket.destroy_soon()
        else:
            self._close_socket()

    def _close_socket(self) -> None:
        """Close a socket on which nothing is under way; waits for nobody.

        Closing says FIN by itself, but not what TLS has for it, without which a client
        cannot trust a body that ends with the connection (RFC 9112 section 9.8). Any
        other Duplex has to be ended: destroyed, it would look like a broken one.
        """
        socket = self.socket
        if type(socket) is DuplexCarrier:
            socket.destroy_soon()
            return
        if isinstance(socket, TLSSocket):
            socket.notify_close()
        socket.destroy()

    def _throw_away(self) -> None:
        """Read on, so that the client can read; up to a limit (X-024)."""
        self._discarded = 0
        self.parser.take_leftover()  # it would take memory, and start a clock
        self.socket.resume_receiving()

    def _discard(self, size: int) -> None:
        """Count bytes that came when nothing was wanted any more."""
        self._discarded += size
        if self._discarded > self.server.max_body_discard:
            self.destroy()

    # Bad input ---------------------------------------------------------------------

    def _client_error(self, error: HTTPParserError | RequestTimeoutError) -> None:
        """Report bad input once; answer it if no listener does (H-027)."""
        if self._switch is not None:
            self._switch.fail(error)
        if self._service is not _SERVING:
            return
        self._stop_reading()
        is_half_sent = self._drop_receiving()
        if self.server.listener_count("client_error"):
            self._give_over(error)
        elif is_half_sent:
            self.destroy()
        else:
            self._refuse(getattr(error, "status_hint", 408))

    def _give_over(self, error: Exception) -> None:
        """Leave the socket, and how it ends, to the listeners of ``client_error``."""
        self._service = SERVICE[self._service, ServiceMove.GIVE_OVER]
        self.flush_now()
        if not self.lost:
            self._throw_away()
        self._tell_client_error(error)

    def _tell_client_error(self, error: Exception) -> None:
        try:
            self.server.emit("client_error", error, self.net_socket)
        except Exception as raised:
            self.take_exception(raised, self)

    def _drop_receiving(self) -> bool:
        """Give up the request that will never be complete.

        Returns:
            Whether its answer is out in part, so that nothing can be added.
        """
        response, self._receiving = self._receiving, None
        if response is None:
            return False
        response._keep = False
        response.req._source = None
        if response._stage >= ENDED:
            self._farewell = b""  # it has been answered
            if response._exchange is not _DRAINING:
                response.req._abort()
                return False
        elif response._stage == SENT and response._wire is not None:
            response.req._abort()
            return True
        self._exchanges.remove(response)
        self._waiting -= response._held_size()
        self._break_off(response, PeerGoneError("aborted"))
        return False

    def _refuse(self, status: int, *, insists: bool = False) -> None:
        """Send one minimal reply behind the answers that are owed, then close.

        Args:
            status: Its status.
            insists: Send it also if an answer before it has said that it is the last.
        """
        self._insists = insists
        self._stop_reading()
        if self._service is not _SERVING:
            return
        self._service = SERVICE[self._service, ServiceMove.REFUSE]
        if self._farewell is None:
            phrase = STATUS_CODES[status]
            line = f"HTTP/1.1 {status} {phrase}\r\nConnection: close\r\n\r\n"
            self._farewell = line.encode("ascii")
        if not self._exchanges:
            self._say_farewell()

    def _stop_reading(self) -> None:
        self._wait(NOT_SERVING)
        self.deadline = inf

    def _say_farewell(self) -> None:
        if self._farewell:
            self.put(self._farewell)
        self._end(linger=True)

    # The lost client ---------------------------------------------------------------

    def connection_lost(self, error: Exception | None) -> None:
        """Settle everything that was under way (H-128)."""
        was_serving = self._service is _SERVING
        self._service = SERVICE[self._service, _LOSE]
        self._hold |= NOT_SERVING
        self._clock_runs = True  # who parses at present starts none any more
        self.deadline = inf
        self.server.forget(self)
        exchanges = tuple(self._exchanges)
        self.forsook = bool(exchanges)
        self._exchanges.clear()
        self._receiving = None
        self.lose(error)
        for response in exchanges:
            response._lose(error)
        self._terms.keep_parser(self.parser)
        del self.parser  # it may be another connection's by now
        told = error if was_serving else None
        if exchanges or told is not None or self._switch is not None:
            self.loop.next_tick_for(self, self._tell_of_loss, exchanges, told)

    def _tell_of_loss(
        self, exchanges: tuple[ServerResponse, ...], error: Exception | None
    ) -> None:
        if error is not None:
            self._tell_client_error(error)
        for response in exchanges:
            self._break_off(response, error)
        switch, self._switch = self._switch, None
        if switch is not None:
            switch.request._abort()

    def _break_off(self, response: ServerResponse, error: Exception | None) -> None:
        """End an exchange that will not be completed: aborted, close, close."""
        response._lose(error)
        response._connection = response._wire = None
        request = response.req
        request._abort()
        response._emit_close()
        if request.complete:
            request._dump()

    # Exceptions --------------------------------------------------------------------

    def adopt(
        self,
        coroutine: Coroutine[Any, Any, object],
        on_error: Callable[[Exception], object],
    ) -> None:
        """Run an async listener of a message; it ends with the server (H-150)."""
        self.server.keep_task(coroutine, self, on_error)

    def take_exception(self, error: Exception, source: object) -> bool:
        """Log what was raised on behalf of this connection and answer 500 (H-010)."""
        if _is_network_error(error) or (self.lost and isinstance(error, _OF_THE_LOST)):
            logger.debug("connection failed: %s", error)
        else:
            logger.error("exception in a handler of %r", source, exc_info=error)
        response = self._blamed(source)
        is_answering = self._service in (_SERVING, _CLOSING)
        if response is None or response._stage >= SENT or not is_answering:
            self.flush_now()
            self.destroy()
            return True
        status = 500
        if isinstance(error, BodyTooLargeError) and error.message is response.req:
            status = 413
        try:
            response._fail(status)
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
        is_known = source is self or isinstance(
            source, (ServerResponse, IncomingMessage)
        )
        return None if is_known or not self._exchanges else self._exchanges[0]

    # Time --------------------------------------------------------------------------

    def set_timeout(self, seconds: float) -> None:
        """Set the socket's idle time until the end of the present exchanges (H-040)."""
        set_timeout = getattr(self.net_socket, "set_timeout", None)
        if set_timeout is not None:
            self._timeout_changed = True
            set_timeout(seconds)

    def set_encoding(self, encoding: str = "utf-8") -> Any:
        """Answer `set_encoding` of a socket that carries HTTP (H-022)."""
        if self._switch is None or not self._switch.has_begun:
            raise SocketEncodingError

    def _restore_timeout(self) -> None:
        self._timeout_changed = False
        self.net_socket.set_timeout(self.server.timeout)

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
        if self._service is not _SERVING:
            self.destroy()
        elif self._receiving is not None and now < self._request_deadline:
            self._set_deadline(self._request_deadline)  # the head has come in time
        elif self._receiving is None and self._hold:
            self._clock_runs = False  # it is we who do not read
        elif self._requests and self.idle:
            self._tell_timeout()
        else:
            self._client_error(RequestTimeoutError())

    def timed_out(self) -> None:
        """React to a socket without traffic: H-039; between requests: H-040."""
        if self._switch is not None and self._switch.has_begun:
            return  # the socket is the listener's
        resting = self._requests and self.idle
        if not (resting and self._terms.idle_time):
            self._tell_timeout()

    def _tell_timeout(self) -> None:
        """Tell the listeners of ``timeout``; cut the connection if there are none."""
        heard = False
        receiving = self._receiving
        if receiving is not None:
            heard = receiving.req.emit("timeout", self.net_socket)
        if self._exchanges:
            heard = self._exchanges[0].emit("timeout", self.net_socket) or heard
        heard = self.server.emit("timeout", self.net_socket) or heard
        if not heard:
            self.destroy()

    # What a connection does while it serves ------------------------------------------

    def _wait(self, reason: int) -> None:
        """Stop reading for a reason."""
        if not self._hold:
            self.socket.pause_receiving()
        self._hold |= reason


#: What a handler gets that goes on to use the messages of a client that has left.
_OF_THE_LOST: Final = (PrematureCloseError, StreamDestroyedError)


def _is_network_error(error: Exception) -> bool:
    """Tell whether the network is to blame, and not a file of the handler's."""
    return isinstance(error, OSError) and error.filename is None
