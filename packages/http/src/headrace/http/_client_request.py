"""ClientRequest: what users make, ask, and await.

`_client_life.py` has its life, `_request_message.py` what it says, and
`_client_connection.py` the socket it is sent on.
"""

from __future__ import annotations

import sys
from math import inf
from typing import TYPE_CHECKING, Any, Final, Self

from headrace.agent import Agent as PoolAgent
from headrace.events import channel, specialized
from headrace.events.loop import current
from headrace.http._client_life import HANG_UP, OVER, RequestLife
from headrace.http._client_parsers import ParserSettings
from headrace.http._errors import InvalidArgTypeError, PeerGoneError
from headrace.http._request_limits import NAMES, RequestLimits
from headrace.http._request_message import AUTOMATIC_HEADERS
from headrace.http._request_options import (
    SEEN,
    check_method,
    check_settings,
    known_options,
    split_arguments,
    split_place,
    target_of,
)

if TYPE_CHECKING:
    from collections.abc import Generator
    from types import TracebackType
    from typing import Unpack

    from headrace.http._incoming import IncomingMessage
    from headrace.http._request_options import RequestOptions

_created: Final = channel("http.client.request.created")  # for tools


class ClientRequest(RequestLife):
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

    __slots__ = ()

    _init_life = specialized(RequestLife.__init__)  # as the bases do

    def __init__(
        self,
        url: Any = None,
        options: Any = None,
        callback: Any = None,
        /,
        **keywords: Unpack[RequestOptions],
    ) -> None:
        given: dict[str, Any] = keywords  # type: ignore[assignment]  # a dict of our own
        agent = given.pop("agent", None)
        create_connection = None
        if (
            callback is not None
            or type(url) is not str
            or not (options is None or callable(options))
            or "callback" in given
        ):
            url, given, callback = split_arguments((url, options, callback), given)
            agent = given.pop("agent", None) if agent is None else agent
        else:  # `split_arguments`, without a call
            callback = options
            if given:
                given = known_options(given)
        if given:
            create_connection = given.pop("create_connection", None)
        self._init_life()
        if create_connection is not None or not isinstance(agent, PoolAgent):
            agent = self._choose_agent(agent, create_connection)
        self.agent = agent
        self._read_options(url, given)
        loop = self._loop = self.home = current()
        self._owner = loop.owner
        if callback is not None:
            # One-time by nature: there is one response.
            self._listeners = {"response": (callback,)}
        if given:
            self._apply(given)
        if "expect" in self._fields:
            self.flush_headers()
        if _created.has_subscribers:
            _created.publish({"request": self})
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
        protocol = getattr(speaker, "protocol", None) or "http:"
        port = getattr(speaker, "default_port", None) or 80
        reuses = getattr(agent, "can_reuse", None)
        keep = can_reuse(agent) if reuses is None else bool(reuses)
        if given:
            target = target_of(url, split_place(given), protocol, port)
            defaults = given.get("set_default_headers", True)
            self._init_message(
                target,
                check_method(given.pop("method")) if "method" in given else "GET",
                given.pop("headers", None),
                keep=keep,
                with_host=given.get("set_host", defaults),
            )
        else:  # `target_of` and `_init_message`, mostly without their calls
            target = SEEN.get((url, protocol, port)) or target_of(
                url, {}, protocol, port
            )
            self._target = target
            self._method = "GET"
            self._path = target.path
            self.should_keep_alive = keep
            self._shared = target.bare
            self._fields = target.bare.fields
        proxies = getattr(agent, "proxies", None)
        if proxies is not None:
            self._use_proxy(proxies)

    def _apply(self, given: dict[str, Any]) -> None:
        """Take over the options that only some requests have."""
        check_settings(given)
        if given.get("set_default_headers") is False:
            self._removed = AUTOMATIC_HEADERS
        parser = {
            "max_header_size": given.get("max_header_size"),
            "max_headers_count": given.get("max_headers_count"),
            "insecure": given.get("insecure_http_parser"),
            "engine": given.get("engine"),
        }
        if any(value is not None for value in parser.values()):
            self._parser_settings = ParserSettings(
                **{name: value for name, value in parser.items() if value is not None}
            )
            if "engine" in given:
                self._parser_settings.make_parser()  # one that is not there raises now
        for name in (
            "reject_non_standard_body_writes",
            "retry_stale",
            "strict_content_length",
            "timeout",
        ):
            if name in given:
                setattr(self, name, given[name])
        if "timeout" in given:
            self._connect_idle = self.timeout
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

    def _end_or_drop(self) -> Self:
        """Do as `end`, for a caller that has no other reference to this request.

        Raises:
            Exception: As `end`; nothing of the request is left then, and no event of it
                comes.
        """
        try:
            return self.end()
        except BaseException:
            self._await_mode()  # its end is nobody's uncaught error
            self.destroy()
            raise

    # Python's way

    def _await_mode(self) -> None:
        self._awaited = True
        self.unclaimed = False

    async def _changed(self) -> None:
        """Wait until the response, the error, a ``drain`` or the end has come."""
        if self._parked is None:
            self._parked = []
        try:
            await self.home.park(self._parked)
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
        self._awaited = True
        self.unclaimed = False
        while self.response is None:
            if self._exchange in OVER:
                yield from self._raise_failure().__await__()
            parked = self._parked
            if parked is None:
                parked = self._parked = []
            try:  # `_changed`, without a coroutine of its own
                yield from self.home.park(parked).__await__()
            except BaseException:
                self.destroy()
                raise
        return self.response

    async def _raise_failure(self) -> None:
        """Raise what the request ended with.

        A task that is being cancelled hears of that first: the error may be due to the
        cancellation of another task of the same scope.
        """
        await self.loop().checkpoint()
        raise self._errored or PeerGoneError(HANG_UP)

    async def drain(self) -> None:
        """Wait until more of the body may be written.

        Returns also when the final response has come meanwhile: a server that has
        answered may never take the rest. Look at `response` then.

        Cancelled, it destroys the request.

        Raises:
            Exception: What ended the request before there was a response.

        Source: H-072, H-081.
        """
        self._awaited = True
        self.unclaimed = False
        if not self._need_drain and not self._gone:
            return  # as after most writes
        wire = self._wire
        if wire is not None and self._need_drain and "drain" not in self._listeners:
            # To the system at once: it mostly takes all of it, and the task is saved a
            # turn of the loop.
            wire.flush_now()
        answered = self.response is not None
        while self.writable_need_drain and (answered or self.response is None):
            await self._changed()
        if self._gone and self.response is None:
            await self._raise_failure()

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


def can_reuse(agent: Any) -> bool:
    """Tell whether an agent that does not say so could use a socket again (H-067).

    It is whatever has an `add_request`; None is no agent at all.
    """
    return bool(getattr(agent, "keep_alive", False)) or (
        getattr(agent, "max_sockets", inf) != inf
    )
