"""ClientRequest: one request, from its options to its ``close``.

`_client_exchange.py` has the table of its life, `_request_message.py` what it says, and
`_client_connection.py` the socket it is sent on.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from math import inf
from typing import TYPE_CHECKING, Any, Final, Self

from headrace.http._client_connection import (
    DEFAULT_SETTINGS,
    ClientConnection,
    ParserSettings,
)
from headrace.http._client_events import ClientRequestEvents
from headrace.http._client_exchange import MOVES, UNANSWERED, Exchange, Move
from headrace.http._errors import InvalidArgTypeError, PeerGoneError
from headrace.http._header_queue import ENDED
from headrace.http._information import Information
from headrace.http._request_limits import NAMES, RequestLimits
from headrace.http._request_message import AUTOMATIC_HEADERS
from headrace.http._request_options import (
    Speaker,
    check_method,
    check_seconds,
    check_settings,
    split_arguments,
    split_place,
    target_of,
)
from headrace.http._solo import Solo

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Unpack

    from headrace.events.loop import Waiter
    from headrace.http._client_response import ClientResponse
    from headrace.http._incoming import IncomingMessage
    from headrace.http._request_options import RequestOptions
    from headrace.http_parser import ResponseHead
    from headrace.net import Socket

Callback = Callable[..., object]

_OVER: Final = (Exchange.DONE, Exchange.SWITCHED, Exchange.LOST)
_HANG_UP: Final = "socket hang up"


class ClientRequest(ClientRequestEvents):
    """One request of a client; also what `request` and `get` return.

    It can be awaited: that gives the response, or raises what went wrong. From the
    first ``await`` of it, or ``async with`` it, nothing is discarded: the response
    (unread), or the error, is kept for the next ``await``.

    Args:
        url: An absolute URL; may be left out.
        options: More options as a mapping; may be left out.
        callback: A one-time listener of ``response``; may be left out.
        **keywords: See `RequestOptions`; they win over the mapping, that over the URL.

    Attributes:
        agent: The pool that its socket comes from, if any.
        response: The response once its head has come; `res` is the same.
        reused_socket: Whether the socket has carried a request before (X-055).
        aborted: Whether `abort` was called.
        timeout: Seconds after which an idle socket makes a ``timeout``, if set.
        retry_stale: Whether to send once more when a pooled socket turned out dead
            before any byte of the answer, and repeating does no harm (X-056).
        max_headers_count: Fields of the response that are kept; 0: all.

    Events:
        socket (socket): a socket was found; at most once.
        response (response): the head of the final response has come.
        information (information): an informational response has come, any 1xx but 101.
        continue (): the same for 100.
        connect (response, socket, head), upgrade (response, socket, head): the server
            took up the CONNECT, the upgrade; the socket is the listener's.
        timeout (): the socket was idle; nothing is closed by that.
        abort (): `abort` was called.
        drain (), finish (): as of every `OutgoingMessage`.
        error (error): at most once; not in the middle of a response: that has its own.
        close (): exactly once, last but for events of the response.

    Source: H-070 to H-088.
    """

    __slots__ = (
        "_client_connection",
        "_exchange",
        "_socket",
        "_waiter",
        "agent",
        "response",
        "reusable",
        "reused_socket",
    )

    #: The agent need not turn a pooled socket into a stream: see `PooledRequest`.
    consumes: bool = True
    #: After how many idle seconds the server closes, if it says so (H-098, X-060).
    idle_hint: float | None = None

    retry_stale: bool = True
    aborted: bool = False
    timeout: float | None = None
    #: A response has come that nobody listens to or waits for.
    unclaimed: bool = False
    _parser_settings: ParserSettings = DEFAULT_SETTINGS
    _limits: RequestLimits | None = None
    _join_duplicates: bool = False
    _awaited: bool = False  # nothing is discarded, no error is uncaught
    _timeout_due: bool = True  # the next idle time is to be told
    _when_connected: list[tuple[Callback, tuple[Any, ...]]] | None = None

    def __init__(
        self,
        url: Any = None,
        options: Any = None,
        callback: Any = None,
        /,
        **keywords: Unpack[RequestOptions],
    ) -> None:
        if keywords or type(url) is not str or callback is not None:
            given: dict[str, Any] = {**keywords}
            url, given, callback = split_arguments((url, options, callback), given)
        elif options is None or callable(options):
            given, callback = {}, options
        else:
            url, given, callback = split_arguments((url, options), {})
        super().__init__()
        self._exchange = Exchange.WAITING
        self._client_connection: ClientConnection | None = None
        self._socket: Socket | None = None
        self._waiter: Waiter[None] | None = None
        self.response: ClientResponse | None = None
        self.reused_socket = self.reusable = False
        create_connection = given.pop("create_connection", None)
        self.agent = self._choose_agent(given.pop("agent", None), create_connection)
        self._read_options(url, given)
        loop = self.loop()
        self._owner = loop.owner
        if callback is not None:
            self.once("response", callback)
        if given:
            self._apply(given)
        proxies = getattr(self.agent, "proxies", None)
        if proxies is not None:
            self._use_proxy(proxies)
        if "expect" in self._fields:
            self.flush_headers()
        self._ask_for_socket(create_connection)

    def __repr__(self) -> str:
        state = self._exchange.name.lower()
        return f"<{type(self).__name__} {self._method} {self._path} {state}>"

    # Options

    @classmethod
    def _default_agent(cls) -> Any:
        """Return the agent of requests that name none (H-019)."""
        return sys.modules["headrace.http"].__dict__["global_agent"]

    @classmethod
    def _own_agent(cls) -> Any:
        """Return a new agent for one request (H-067)."""
        from headrace.http._agent import Agent

        return Agent()

    def _choose_agent(self, agent: Any, create_connection: object) -> Any:
        """Return the agent to use, None for none (H-067)."""
        if create_connection is not None and not callable(create_connection):
            raise InvalidArgTypeError(
                "create_connection", "callable", create_connection
            )
        if agent is None:
            return None if create_connection is not None else self._default_agent()
        if agent is False:
            return self._own_agent()
        if not callable(getattr(agent, "add_request", None)):
            raise InvalidArgTypeError("agent", "an Agent or False", agent)
        return agent

    def _read_options(self, url: str | None, given: dict[str, Any]) -> None:
        agent = self.agent
        speaker = agent if agent is not None else self._default_agent()
        target = target_of(
            url,
            split_place(given) if given else {},
            Speaker(
                getattr(speaker, "protocol", "http:"),
                getattr(speaker, "default_port", 80),
            ),
        )
        defaults = given.get("set_default_headers", True)
        self._init_message(
            target,
            check_method(given.pop("method")) if "method" in given else "GET",
            given.pop("headers", None),
            keep=can_reuse(agent),
            with_host=given.get("set_host", defaults),
        )

    def _apply(self, given: dict[str, Any]) -> None:
        """Take over the options that only some requests have."""
        check_settings(given)
        if given.get("set_default_headers") is False:
            self._removed = AUTOMATIC_HEADERS
        parser = {
            "max_header_size": given.get("max_header_size"),
            "max_headers_count": given.get("max_headers_count"),
            "insecure": given.get("insecure_http_parser"),
        }
        if any(value is not None for value in parser.values()):
            self._parser_settings = ParserSettings(
                **{name: value for name, value in parser.items() if value is not None}
            )
        for name in (
            "reject_non_standard_body_writes",
            "retry_stale",
            "strict_content_length",
            "timeout",
        ):
            if name in given:
                setattr(self, name, given[name])
        if "unique_headers" in given:
            self.unique_headers = frozenset(map(str.lower, given["unique_headers"]))
        self._join_duplicates = given.get("join_duplicate_headers", False)
        if not NAMES.isdisjoint(given):
            self._limits = RequestLimits(self, self.loop(), given)

    @property
    def max_headers_count(self) -> int:
        """Fields of the response's head that are kept; 0: all (H-088)."""
        return self._parser_settings.max_headers_count

    @max_headers_count.setter
    def max_headers_count(self, count: int | None) -> None:
        check_settings({"max_headers_count": count or 0})
        settings = self._parser_settings._replace(max_headers_count=count or 0)
        self._parser_settings = settings

    # The socket

    def _ask_for_socket(self, create_connection: Callback | None = None) -> None:
        """Have the agent find a socket; what it raises comes as ``error``."""
        options = self._connect_options()
        try:
            if create_connection is not None and self.agent is None:
                Solo(self, options, create_connection)
            else:
                self.agent.add_request(self, options)
        except Exception as error:
            self._next_tick(self.on_error, error)

    def on_socket(self, socket: Socket) -> None:
        """Take the socket that was found; the agent calls this from a tick."""
        if self._gone or self._exchange is not Exchange.WAITING:
            self._return_socket(socket, socket.destroy)
            return
        self._exchange = MOVES[Exchange.WAITING, Move.SOCKET]
        connection = ClientConnection.of(socket, self.loop())
        self._client_connection = connection
        first = self._socket is None
        self._socket = socket
        connection.begin(self)
        if connection.socket is socket:  # else it is some other Duplex
            self._set_socket_timeout(socket)
        if connection.is_connected:
            self._socket_connected()
        try:
            if first and self._listeners:
                self.emit("socket", socket)
        finally:
            if self._client_connection is connection:
                connection.send_held(self)

    def on_error(self, error: Exception) -> None:
        """Take note that no socket can be had; the agent calls this."""
        self._failed(error)

    def _socket_connected(self) -> None:
        """Do what had to wait for a connected socket."""
        if self._limits is not None:
            self._limits.connected()
        waiting, self._when_connected = self._when_connected, None
        for action, arguments in waiting or ():
            action(*arguments)

    def _on_connected(self, action: Callback, *arguments: Any) -> None:
        """Call `action` now if the socket is connected, else when it is."""
        connection = self._client_connection
        if connection is not None and connection.is_connected:
            action(*arguments)
        elif self._exchange not in _OVER:
            waiting = self._when_connected or []
            self._when_connected = [*waiting, (action, arguments)]

    def _set_socket_timeout(self, socket: Socket) -> None:
        """Give the socket this request's idle time, or else the agent's (X-059).

        A pooled socket keeps the agent's from request to request: a timer is only
        touched where they differ.
        """
        wanted = self.timeout
        if wanted is None:
            wanted = getattr(self.agent, "timeout", None)
        wanted = wanted or None
        if socket.timeout != wanted:
            socket.set_timeout(wanted or 0.0)

    @property
    def socket(self) -> Socket | None:
        """The socket; None until the request got one."""
        return self._socket

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
        if self._exchange not in _OVER:
            self.timeout = seconds
            self._timeout_due = True
            self._on_connected(self._renew_timeout)
        return self

    def _renew_timeout(self) -> None:
        if self._exchange not in _OVER:
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
            self.emit("information", Information(head))
        finally:
            if head.status_code == 100:
                self.emit("continue")

    def _answered(self, response: ClientResponse) -> None:
        """Give the final response to whoever waits for it (H-072)."""
        self._exchange = MOVES[self._exchange, Move.HEAD]
        self.response = response
        self._whole = None
        if self._join_duplicates:
            response.join_duplicate_headers = True
        self._wake()
        if "response" in self._listeners:
            self.emit("response", response)
        else:
            self.unclaimed = not self._awaited

    def _takes_switch(self) -> bool:
        """Tell whether somebody wants the socket after a CONNECT or an upgrade."""
        return self._awaited or self._switch_event() in self._listeners

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
        self._failed(PeerGoneError(_HANG_UP))

    def _answer_read(self) -> None:
        """Go on after the response was read to its end."""
        state = self._exchange = MOVES[self._exchange, Move.READ]
        connection = self._client_connection
        if state is Exchange.DONE:
            self._complete()
        elif connection is not None and not connection.keep and self._stage < ENDED:
            # The server will not take the rest of the body: it closes after its answer.
            self._over(None)
            connection.drop()

    def _finished(self) -> None:
        """Go on after the request is wholly with the system."""
        state = self._exchange
        if state in _OVER:
            return
        state = self._exchange = MOVES[state, Move.SENT]
        if state is Exchange.DONE:
            self._complete()

    def _complete(self) -> None:
        """Give the socket back, behind the listeners of ``end`` (H-098).

        At once: who has just awaited a body, and asks for the next, shall have it.
        """
        connection, self._client_connection = self._client_connection, None
        self._wire = None
        if connection is None:
            return
        self.reusable = connection.complete() and self._length_kept
        if self.reusable and self.response is not None:
            self.response.socket = None
            hint = self.response.headers.get("keep-alive")
            if hint is not None:
                self.idle_hint = keep_alive_timeout(hint)
        if self._listeners:
            self._next_tick(self._emit_close)
        else:
            self._emit_close()
        self._return_socket(connection.net_socket, connection.socket.destroy_soon)

    def _return_socket(self, socket: Socket, close: Callback) -> None:
        """Give the socket back to the agent; without one it is of no more use."""
        release = getattr(self.agent, "release", None)
        if release is not None:
            release(socket, self)
        else:
            close()

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
        if self._exchange in _OVER:
            return
        response = self.response
        if error is not None and self._errored is None:
            self._errored = error
            if not self._awaited or "error" in self._listeners:
                self._next_tick(self.emit, "error", error)
        self._over(error)
        self._wake()
        if response is not None:
            break_off(response, error)

    def _connection_lost(
        self, connection: ClientConnection, error: Exception | None
    ) -> None:
        """Take note that the socket closed in the middle of the exchange (H-071)."""
        if self._exchange in UNANSWERED:
            if self._may_retry(connection):
                self._retry()
            else:
                self._failed(error or PeerGoneError(_HANG_UP))
            return
        if self._exchange not in _OVER:
            self._over(error)
            self._wake()
        if self.response is not None and not self.response.complete:
            aborted = PeerGoneError("aborted")
            aborted.__cause__ = error
            break_off(self.response, aborted)

    def _answer_dropped(self) -> None:
        """Take note that the user destroyed the response before its end."""
        if self._exchange not in _OVER:
            self._over(None)

    def _may_retry(self, connection: ClientConnection) -> bool:
        return (
            self.retry_stale
            and self.reused_socket
            and not connection.heard
            and self._is_repeatable()
        )

    def _retry(self) -> None:
        """Send everything once more (X-056).

        The agent may hand out another pooled socket, which may be stale as well: then
        this runs again, until there is none left and the connection is a fresh one.
        """
        self._exchange = MOVES[self._exchange, Move.RETRY]
        self._client_connection = None
        self._rewind()
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
        self._give_up(error or PeerGoneError(_HANG_UP), error)
        return self

    def _give_up(self, before: Exception | None, within: Exception | None) -> None:
        """End the request from this side.

        Args:
            before: The request's error if no response has come.
            within: The response's error, by default ``aborted``, if it has.
        """
        state, connection = self._exchange, self._client_connection
        if state is Exchange.WAITING:
            self._failed(before)
            self._leave_queue()
        elif state in UNANSWERED:
            self._failed(before)
        elif state not in _OVER:
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
        self._gone = self._gone or self._exchange not in _OVER
        if self._exchange is Exchange.WAITING:
            self._leave_queue()
        self._next_tick(self._abort_now)

    def _abort_now(self) -> None:
        try:
            self.emit("abort")
        finally:
            response, connection = self.response, self._client_connection
            if response is None or response.complete or self._exchange in _OVER:
                waits = self._exchange is Exchange.WAITING
                self._give_up(None if waits else PeerGoneError(_HANG_UP), None)
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

    # Python's way

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None:
            waiter.set()

    async def _changed(self) -> None:
        """Wait until the response, the error, a ``drain`` or the end has come."""
        if self._waiter is None:
            self._waiter = self.loop().waiter()
        try:
            await self._waiter.wait()
        except BaseException:
            self.destroy()
            raise

    def __await__(self) -> Generator[Any, Any, IncomingMessage]:
        """Wait for the response; its body is unread, and waits for its reader.

        Cancelled, it destroys the request.

        Raises:
            Exception: What went wrong: an `OSError` of the network, an
                `HTTPParserError`, what `destroy` was given.

        Source: H-072.
        """
        return self._wait_response().__await__()

    def _await_mode(self) -> None:
        self._awaited = True
        self.unclaimed = False

    async def _wait_response(self) -> IncomingMessage:
        self._await_mode()
        while self.response is None:
            if self._exchange in _OVER:
                raise self._errored or PeerGoneError(_HANG_UP)
            await self._changed()
        return self.response

    async def drain(self) -> None:
        """Wait until more of the body may be written.

        Returns also when the final response has come meanwhile: a server that has
        answered may never take the rest. Look at `response` then.

        Cancelled, it destroys the request.

        Raises:
            Exception: What ended the request before there was a response.

        Source: H-072, H-081.
        """
        self._await_mode()
        answered = self.response is not None
        while self.writable_need_drain and (answered or self.response is None):
            await self._changed()
        if self._gone and self.response is None:
            raise self._errored or PeerGoneError(_HANG_UP)

    def _drain(self) -> None:
        super()._drain()
        self._wake()

    async def __aenter__(self) -> Self:
        """Keep the response, or the error, for the next ``await`` (H-072)."""
        self._await_mode()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Destroy the request unless it is complete."""
        self.destroy()


def break_off(response: ClientResponse, error: Exception | None) -> None:
    """Destroy a response whose request is over, also if a listener raises."""
    response._source = None
    try:
        response._abort(error)
    finally:
        response.destroy(error)


def can_reuse(agent: Any) -> bool:
    """Tell whether an agent could use a socket again (H-067)."""
    reuses = getattr(agent, "can_reuse", None)
    if reuses is not None:
        return bool(reuses)
    # Whatever else has an `add_request`; None is no agent at all.
    return bool(getattr(agent, "keep_alive", False)) or (
        getattr(agent, "max_sockets", inf) != inf
    )


def keep_alive_timeout(value: str) -> float | None:
    """Return the ``timeout`` parameter of a Keep-Alive header, in seconds (X-060)."""
    for parameter in value.lower().split(","):
        name, _, seconds = parameter.partition("=")
        seconds = seconds.strip()
        if name.strip() == "timeout" and seconds.isascii() and seconds.isdigit():
            return float(seconds[:9])
    return None
