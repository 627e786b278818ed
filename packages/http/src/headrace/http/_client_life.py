"""The life of a request: how it gets its socket and its answer, and how it ends.

`_client_exchange.py` has the table. Listeners may do anything inside an event: the
state is right before each of them is called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Self

from headrace.events import channel, specialized
from headrace.http._client_connection import ClientConnection
from headrace.http._client_events import ClientRequestEvents
from headrace.http._client_exchange import MOVES, UNANSWERED, Exchange, Move
from headrace.http._client_parsers import DEFAULT_SETTINGS, ParserSettings
from headrace.http._errors import InvalidArgTypeError, PeerGoneError
from headrace.http._header_queue import ENDED, FINISHED
from headrace.http._information import Information
from headrace.http._request_options import check_seconds
from headrace.http._solo import Solo
from headrace.net import Socket

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from headrace.events.loop import Loop
    from headrace.http._client_response import ClientResponse
    from headrace.http._incoming import IncomingMessage
    from headrace.http._request_limits import RequestLimits
    from headrace.http_parser import ResponseHead

    Callback = Callable[..., object]

HANG_UP: Final = "socket hang up"
#: States in which nothing more happens to a request.
OVER: Final = (Exchange.DONE, Exchange.SWITCHED, Exchange.LOST)

# What tools can listen to.
_failed: Final = channel("http.client.request.error")
_finished: Final = channel("http.client.response.finish")

# Members of an Enum are slow to look up on the hot path (Python 3.11).
_WAITING: Final = Exchange.WAITING
_READING: Final = Exchange.READING
_SENDING: Final = Exchange.SENDING
_DONE: Final = Exchange.DONE
_ASKING: Final = MOVES[Exchange.WAITING, Move.SOCKET]
_ASKED: Final = MOVES[_ASKING, Move.SENT]
_HEAD: Final = Move.HEAD
_READ: Final = Move.READ
_SENT: Final = Move.SENT


class RequestLife(ClientRequestEvents):
    """A request from the moment it wants a socket to its ``close``.

    Source: H-069 to H-086, X-050 to X-060.
    """

    __slots__ = (
        "_awaited",
        "_client_connection",
        "_exchange",
        "_join_duplicates",
        "_limits",
        "_parked",
        "_parser_settings",
        "_socket",
        "_when_connected",
        "agent",
        "home",
        "response",
        "reused_socket",
        "timeout",
        "unclaimed",
    )

    agent: Any
    home: Loop

    # What few requests change, and only slow paths read, lives on the class.
    # For the agent: see `PooledRequest`. A request gives a socket back itself only if
    # it came too late; else its connection does.
    consumes: bool = True
    reusable: bool = False
    idle_hint: float | None = None
    #: A pooled socket was found closed: the agent is to make a connection.
    fresh: bool = False
    retry_stale: bool = True
    aborted: bool = False
    #: The option `timeout`, which counts before the connect, too (H-069).
    _connect_idle: float | None = None
    _timeout_due: bool = True  # the next idle time is to be told

    # `super()` costs a look-up at every call.
    _init_request = specialized(ClientRequestEvents.__init__)

    def __init__(self) -> None:
        self._init_request()
        self.response: ClientResponse | None = None
        self.reused_socket = False
        self.timeout: float | None = None
        #: A response has come that nobody listens to or waits for.
        self.unclaimed = False
        self._awaited = False  # nothing is discarded, no error is uncaught
        self._client_connection: ClientConnection | None = None
        self._exchange = _WAITING
        self._join_duplicates = False
        self._limits: RequestLimits | None = None
        # The tasks that wait for a change of this request.
        self._parked: list[Any] | None = None
        self._parser_settings: ParserSettings = DEFAULT_SETTINGS
        self._socket: Socket | None = None
        self._when_connected: list[tuple[Callback, tuple[Any, ...]]] | None = None

    def __rejection__(self, error: Exception, event: Hashable, *args: object) -> None:
        """Fail with an async listener's exception if there is no answer yet (H-150)."""
        if self.response is None and self._exchange not in OVER:
            self.destroy(error)
        elif self._errored is None:
            self.loop().report(error, self, self._owner)

    # The socket

    def _ask_for_socket(self, create_connection: Callback | None = None) -> None:
        """Have the agent find a socket; what it raises comes as ``error``."""
        proxy = self._proxy
        options = self._target.connect if proxy is None else self._connect_options()
        try:
            if create_connection is not None and self.agent is None:
                Solo(self, options, create_connection)
            else:
                self.agent.add_request(self, options)
        except Exception as error:
            self._next_tick(self.on_error, error)

    def on_socket(self, socket: Socket) -> ClientConnection | None:
        """Take the socket that was found; the agent calls this from a tick."""
        if self._gone or self._exchange is not _WAITING:
            self._return_socket(socket)
            return None
        self._exchange = _ASKING
        connection = getattr(socket, "_receiver", None)
        if type(connection) is not ClientConnection:
            connection = ClientConnection.of(socket, self.home)
        self._client_connection = connection
        first = self._socket is None
        self._socket = socket
        connection.begin(self)
        if self.timeout is not None or connection.exchanges == 1:
            self._set_socket_timeout(connection)
        waits = self._limits is not None or self._when_connected is not None
        if waits and connection.is_connected:
            self._socket_connected()
        if first and "socket" in self._listeners:
            try:
                self.emit("socket", socket)
            finally:
                if self._client_connection is connection:
                    connection.send_held(self)
        else:
            connection.send_held(self)
        return connection

    def on_error(self, error: Exception) -> None:
        """Take note that no socket can be had; the agent calls this."""
        if not self._gone:  # else `abort` is about to end it in its own way
            self._failed(error)

    def _socket_connected(self) -> None:
        """Do what had to wait for a connected socket."""
        if self._limits is not None:
            self._limits.connected()
        waiting = self._when_connected
        if waiting is not None:
            self._when_connected = None
            for action, arguments in waiting:
                action(*arguments)

    def _on_connected(self, action: Callback, *arguments: Any) -> None:
        """Call `action` now if the socket is connected, else when it is."""
        connection = self._client_connection
        if connection is not None and connection.is_connected:
            action(*arguments)
        elif self._exchange not in OVER:
            waiting = self._when_connected or []
            self._when_connected = [*waiting, (action, arguments)]

    def _set_socket_timeout(self, connection: ClientConnection) -> None:
        """Give the socket this request's idle time, or else the agent's (X-059).

        The agent sees to it that a pooled socket has its own again.
        """
        socket = connection.net_socket
        if not isinstance(socket, Socket):
            return
        wanted = self.timeout
        if socket.connecting and wanted != self._connect_idle:
            self._time_idle(socket)
            wanted = self._connect_idle
        if wanted is None:
            wanted = getattr(self.agent, "timeout", None)
        wanted = wanted or None
        if socket.timeout != wanted:
            socket.set_timeout(wanted or 0.0)

    def _drain(self) -> None:
        super()._drain()
        self._wake()

    @property
    def socket(self) -> Socket | None:
        """The socket; None until the request got one."""
        return self._socket

    @property
    def destroyed(self) -> bool:
        """Whether the exchange is over: complete, destroyed, or without its socket.

        True in the listeners of the response's ``end``, if all of the request is sent.
        """
        response = self.response
        return super().destroyed or (
            response is not None and response.readable_ended and self.writable_finished
        )

    @property
    def res(self) -> IncomingMessage | None:
        """The same as `response`."""
        return self.response

    def set_timeout(self, timeout: float, callback: Callback | None = None) -> Self:
        """Emit ``timeout``, once, when the connected socket has been idle for so long.

        Nothing is closed by that. Without effect when the response is over.

        Args:
            timeout: Seconds; 0 turns it off.
            callback: A one-time listener of ``timeout``.

        Raises:
            InvalidArgTypeError: If `timeout` is no number or `callback` not callable.
            OutOfRangeError: If `timeout` is negative or not finite.

        Source: H-084.
        """
        seconds = check_seconds("timeout", timeout)
        if callback is not None:
            if not callable(callback):
                raise InvalidArgTypeError("callback", "callable", callback)
            self.once("timeout", callback)
        if self._exchange not in OVER:
            self.timeout = seconds
            self._timeout_due = True
            connection = self._client_connection
            if connection is not None:
                self._time_idle(connection.net_socket)
        return self

    def _time_idle(self, socket: Socket) -> None:
        """Give a socket the idle time that `set_timeout` was told, once it connects."""
        if getattr(socket, "connecting", False):
            socket.once("connect", self._renew_timeout)
        else:
            self._renew_timeout()

    def _renew_timeout(self) -> None:
        if self._exchange not in OVER:
            self._with_socket("set_timeout", self.timeout or 0.0)

    def _socket_idle(self, socket: Socket) -> None:
        """Tell the listeners that the socket was idle (H-084)."""
        if self._timeout_due:
            self._timeout_due = False
            self.emit("timeout")
            if self.response is not None:
                self.response.emit("timeout", socket)

    def set_no_delay(self, no_delay: bool = True) -> None:
        """Send small writes at once (TCP_NODELAY), when there is a socket (H-085)."""
        self._on_connected(self._with_socket, "set_no_delay", no_delay)

    def set_socket_keep_alive(
        self, enable: bool = False, initial_delay: float = 0.0
    ) -> None:
        """Let the system probe the idle connection (SO_KEEPALIVE).

        Args:
            enable: Whether.
            initial_delay: Idle seconds before the first probe; 0: the system's choice.

        Source: H-086.
        """
        delay = check_seconds("initial_delay", initial_delay)
        self._on_connected(self._with_socket, "set_keep_alive", enable, delay)

    def _with_socket(self, method: str, *arguments: Any) -> None:
        change = getattr(self._socket, method, None)
        if change is not None:  # a Duplex that is no socket has no such settings
            change(*arguments)

    # The answer

    def _informed(self, head: ResponseHead) -> None:
        """Tell of an informational response (H-077, X-050)."""
        if not self._listeners:
            return
        try:
            if head.status_code == 100:
                self.emit("continue")
        finally:
            if not self._gone:
                self.emit("information", Information(head))

    def _answered(self, response: ClientResponse) -> None:
        """Give the final response to whoever waits for it (H-072)."""
        state = self._exchange  # mostly the request was sent long ago
        if state is _ASKED:
            self._exchange = _READING
        else:
            self._exchange = MOVES[state, _HEAD]
            if "expect" in self._fields:
                self._not_told_to_continue()
        self.response = response
        if _finished.has_subscribers:
            _finished.publish({"request": self, "response": response})
        self._whole = None
        if self._join_duplicates:
            response.join_duplicate_headers = True
        if self._parked:
            self.home.wake(self._parked)
        if "response" in self._listeners:
            self.emit("response", response)
        else:
            self.unclaimed = not self._awaited

    def _not_told_to_continue(self) -> None:
        """Use the socket no more if the server has answered instead of asking.

        Nobody knows whether it will read a body, or take that for the next request
        (RFC 9110 section 10.1.1).
        """
        connection = self._client_connection
        if connection is not None and not connection.continued:
            connection.keep = False

    def _takes_switch(self) -> bool:
        """Tell whether somebody wants the socket after a CONNECT or an upgrade.

        Who awaits an ordinary request does not look for one: an upgrade that was not
        asked for would leave it open with nobody to close it (RFC 9110 section 7.8).
        """
        if self._switch_event() in self._listeners:
            return True
        asked = self._method == "CONNECT" or "upgrade" in self._fields
        return asked and self._awaited

    def _switch_event(self) -> str:
        return "connect" if self._method == "CONNECT" else "upgrade"

    def _switched(self, response: ClientResponse, socket: Socket, head: bytes) -> None:
        """Hand the socket over: HTTP is over on it (H-075, H-076)."""
        self._exchange = MOVES[self._exchange, Move.SWITCH]
        self._client_connection = None
        self.response = response
        self._lose(None)
        self._next_tick(self._emit_close)
        self._forget_socket(socket)
        response._finish()
        self._wake()
        event = self._switch_event()
        if event in self._listeners:
            self.emit(event, response, socket, head)
        elif head:
            socket.unshift(head)

    def _switch_refused(self) -> None:
        """End a request whose switched socket nobody wants."""
        self._failed(PeerGoneError(HANG_UP))

    def _answer_read(self) -> None:
        """Go on after the response was read to its end."""
        state = self._exchange = MOVES[self._exchange, _READ]
        connection = self._client_connection
        if state is _DONE:
            self._complete()
        elif connection is not None and connection.is_closing():
            self._refused(connection)

    def _refused(self, connection: ClientConnection) -> None:
        """End a request whose answer was read, if there is more of it to come.

        The server will not take that: it closes after its answer.
        """
        if self._exchange is _SENDING and self._stage < ENDED:
            self._over(None)
            connection.drop()

    def _finished(self) -> None:
        """Go on after the request is wholly with the system."""
        state = self._exchange
        if state is _ASKING:  # mostly: the answer comes later
            self._exchange = _ASKED
        elif state not in OVER and state is not _WAITING:
            state = self._exchange = MOVES[state, _SENT]
            if state is _DONE:
                self._complete()

    def _complete(self) -> None:
        """Give the socket back, behind the listeners of ``end`` (H-098).

        At once: who has just awaited a body, and asks for the next, shall have it.
        """
        connection, self._client_connection = self._client_connection, None
        self._wire = None
        if connection is None:
            return
        if not self._length_kept:
            connection.keep = False
        if connection.complete() and self.response is not None:
            self.response.socket = None
        if self._listeners:
            self._next_tick(self._emit_close)
        elif self._limits is None and not self._parked:
            self._close_emitted = True  # nobody hears of it
        else:
            self._emit_close()
        connection.give_back()

    def _return_socket(self, socket: Socket) -> None:
        """Give back a socket that came too late; without an agent nobody wants it."""
        release = getattr(self.agent, "release", None)
        if release is not None:
            release(socket, self)
        else:
            socket.on("error", _ignore)  # nobody else knows of it
            socket.destroy()

    @classmethod
    def stand_in(
        cls, connection: ClientConnection, response: ClientResponse
    ) -> RequestLife:
        """Make what takes the place of a sent request that nobody has any more."""
        request = RequestLife()
        request._stage = FINISHED
        request._exchange = _READING
        request._awaited = True
        request._client_connection = connection
        request._socket = connection.net_socket
        request._owner = connection.owner
        request._loop = request.home = connection.loop
        request.agent = connection.agent
        request.response = response
        request.reused_socket = connection.exchanges > 1
        return request

    def _forget_socket(self, socket: Socket) -> None:
        """Take the socket out of the agent (H-101)."""
        socket.emit("agent_remove")

    # The end

    def _over(self, error: BaseException | None, *, closes: bool = True) -> None:
        """Note that nothing more will come; ``close`` follows with the next tick."""
        self._exchange = MOVES[self._exchange, Move.LOSE]
        self._client_connection = None
        self._lose(error)
        self._wire = None
        if closes:
            self._next_tick(self._emit_close)

    def _failed(self, error: Exception | None) -> None:
        """End the request with an ``error``, or in silence with None."""
        if self._exchange in OVER:
            return
        response = self.response
        if error is not None and self._errored is None:
            self._errored = error
            if _failed.has_subscribers:
                _failed.publish({"request": self, "error": error})
            self._next_tick(self._emit_error, error)
        self._over(error)
        self._wake()
        if response is not None:
            break_off(response, error)

    def _emit_error(self, error: Exception) -> None:
        """Emit ``error``, unless only an ``await`` is to hear of it (H-072)."""
        if not self._awaited or "error" in self._listeners:
            self.emit("error", error)

    def _connection_lost(
        self, connection: ClientConnection, error: Exception | None
    ) -> None:
        """Take note that the socket closed in the middle of the exchange (H-071)."""
        if self._exchange in UNANSWERED:
            if connection.was_stale(error) and self._may_retry():
                self._retry()
            else:
                self._failed(error or PeerGoneError(HANG_UP))
            return
        if self._exchange not in OVER:
            self._over(error)
            self._wake()
        if self.response is not None and not self.response.complete:
            aborted = PeerGoneError("aborted")
            aborted.__cause__ = error
            break_off(self.response, aborted)

    def _ends_by_itself(self) -> bool:
        """Tell whether all that is missing is that the listeners hear of the end.

        Then the loss of the socket changes nothing, not even the order of events.
        """
        response = self.response
        return (
            self._exchange is _READING
            and response is not None
            and response.complete
            and bool(response.readable_flowing)
            and not response.destroyed
        )

    def _answer_dropped(self) -> None:
        """Take note that the user destroyed the response before its end."""
        if self._exchange not in OVER:
            self._over(None)

    def _may_retry(self) -> bool:
        return (
            self.retry_stale
            and self.reused_socket
            and not self.fresh
            # Of a request that was put off nothing has left: any may be repeated.
            and (self._in_one is not None or self._is_repeatable())
        )

    def _retry(self) -> None:
        """Send everything once more, on a connection that is not stale (X-056)."""
        self.fresh = True
        self._exchange = MOVES[self._exchange, Move.RETRY]
        self._client_connection = None
        self._rewind()
        if self._limits is not None:
            self._limits.connect_again()
        self._ask_for_socket()

    def destroy(self, error: BaseException | None = None) -> Self:
        """Give the request up, and its socket with it; a second call does nothing.

        Args:
            error: Emitted as ``error`` in place of a ``ECONNRESET``. When there is a
                response already, that gets it.

        Source: H-071, X-051.
        """
        if error is not None and not isinstance(error, Exception):
            raise InvalidArgTypeError("error", "an exception or None", error)
        self._give_up(error or PeerGoneError(HANG_UP), error)
        return self

    def _give_up(self, before: Exception | None, within: Exception | None) -> None:
        """End the request from this side.

        Args:
            before: The request's error if no response has come.
            within: The response's error, by default ``aborted``, if it has.
        """
        state, connection = self._exchange, self._client_connection
        if state is _READING and self.response and self.response.readable_ended:
            return  # a listener of ``end`` is at work, behind which all is over
        if state is Exchange.WAITING:
            self._failed(before)
            self._leave_queue()
        elif state in UNANSWERED:
            self._failed(before)
        elif state not in OVER:
            self._over(within)
            if self.response is not None:
                break_off(self.response, within)
        if connection is not None:
            connection.drop()

    def abort(self) -> None:
        """Do as `destroy`, with ``abort`` before; deprecated.

        Source: H-078, H-083.
        """
        if self.aborted:
            return
        self.aborted = True
        self._gone = self._gone or self._exchange not in OVER
        if self._exchange is Exchange.WAITING:
            self._leave_queue()
        elif self._client_connection is not None:
            self._client_connection.discard()
        self._next_tick(self._abort_now)

    def _abort_now(self) -> None:
        try:
            self.emit("abort")
        finally:
            response, connection = self.response, self._client_connection
            if response is None or response.complete or self._exchange in OVER:
                waits = self._exchange is Exchange.WAITING
                self._give_up(None if waits else PeerGoneError(HANG_UP), None)
            else:
                # Only here the request's ``close`` stands between the response's
                # ``error`` and its ``close``.
                response.prepend_once_listener("close", self._emit_close)
                self._over(None, closes=False)
                break_off(response, None)
                if connection is not None:
                    connection.drop()

    def _emit_close(self) -> None:
        """Emit ``close`` once, and leave nothing behind."""
        if self._close_emitted:
            return
        if self._limits is not None:
            self._limits.end()
            self._limits = None
        self._when_connected = None
        self._wake()
        super()._emit_close()

    def _leave_queue(self) -> None:
        cancel = getattr(self.agent, "cancel", None)
        if cancel is not None:
            cancel(self)

    def _wake(self) -> None:
        if self._parked:
            self.home.wake(self._parked)


def _ignore(error: BaseException) -> None:
    """Hear of an error that concerns nobody any more."""


def break_off(response: ClientResponse, error: Exception | None) -> None:
    """Destroy a response whose request is over, also if a listener raises."""
    response._source = None
    try:
        response._abort(error)
    finally:
        response.destroy(error)
