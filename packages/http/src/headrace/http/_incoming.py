"""IncomingMessage: a message that we read, on either side of HTTP."""

from __future__ import annotations

import json
from email.message import Message
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, Final, Protocol, Self

from headrace.events import specialized
from headrace.http._checks import check_duration
from headrace.http._errors import BodyTooLargeError, PeerGoneError
from headrace.http._listeners import adopt_listener, forget_listeners
from headrace.http._message_events import IncomingEvents
from headrace.http_parser import merge_headers
from headrace.streams import Life, ReadableState, Stream

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Hashable

    from headrace.http_parser import RequestHead, ResponseHead
    from headrace.net import Socket

KIB: Final = 1024
#: The default limits of `body`, `text` and `json` (DESIGN 3).
REQUEST_BODY_LIMIT: Final = 1024 * KIB
RESPONSE_BODY_LIMIT: Final = 64 * 1024 * KIB


class BodySource(Protocol):
    """Where a message's body comes from: the connection that parses it."""

    def body_wanted(self, message: IncomingMessage) -> None:
        """Deliver more of the body; it was held back by a full buffer."""

    def message_destroyed(
        self, message: IncomingMessage, error: BaseException | None
    ) -> None:
        """Give up an incomplete message: its connection is of no more use."""


class _Body(Enum):
    """Where a message's body is, while a message without one costs no stream state."""

    STREAM = auto()  #: with the Readable, as for any stream
    ENDED = auto()  #: complete before anybody looked: the state is made when asked for
    DUMPED = auto()  #: complete, never looked at, and over


class Unlimited:
    """The default of `limit`: what the side of the message makes of it."""


DEFAULT_LIMIT: Final = Unlimited()


# Members of an Enum are slow to look up on the hot path (Python 3.11).
BODY_STREAM: Final = _Body.STREAM
BODY_ENDED: Final = _Body.ENDED
BODY_DUMPED: Final = _Body.DUMPED
CLOSED: Final = Life.CLOSED


# What a message emits by itself.
_EVENTS: Final = frozenset(
    (
        "aborted",
        "close",
        "data",
        "end",
        "error",
        "pause",
        "readable",
        "resume",
        "timeout",
    )
)


class IncomingMessage(IncomingEvents):
    """A request as a server sees it, or a response as a client sees it.

    The body is a stream of ``bytes``, never collected by the library itself. Headers
    are decoded when they are first asked for.

    Events:
        data, readable, end, error: as of any `Readable`; ``end`` only for a complete
            message.
        aborted: ``()`` when the connection was lost before the message was complete.
        timeout: ``(socket)`` when the socket was idle while this message arrived.
        close: ``()`` exactly once, last.

    Source: H-105 to H-117.
    """

    __slots__ = (
        "_body",
        "_collected",
        "_head",
        "_source",
        "complete",
        "method",
        "socket",
        "status_code",
        "status_message",
        "url",
    )

    #: The connection was lost before the message was complete (H-106).
    aborted: bool = False
    #: The request asked for an upgrade that was taken up (H-026).
    upgrade: bool = False
    #: Join repeats of the headers of which otherwise the first wins (X-014).
    join_duplicate_headers: bool = False
    #: Bytes of the body that are buffered; None: as many as in any stream.
    _high_water_mark: int | None = None
    #: `pause` was called before anybody had begun to read.
    _paused_unread: bool = False
    #: The limit that `body` found passed: what it had read until then is lost.
    _limit_passed: int | None = None
    #: What `body` had read when it was cancelled: a further call goes on from there.
    _cut_short: list[bytes] | None = None
    #: The first piece of a body that came when probably nobody would ask for it.
    _early: bytes | None = None
    _headers: dict[str, Any] | None = None
    _raw_trailers: list[str] | None = None
    _raw_headers: list[str] | None = None

    # Without a stream's options: two calls less per message.
    _init_stream = specialized(Stream.__init__)

    def __init__(
        self, socket: Socket | None = None, source: BodySource | None = None
    ) -> None:
        self._init_stream()
        #: The connection's socket; None once it is back in a pool (H-115).
        self.socket = socket
        self._source = source
        self._body = BODY_STREAM
        # What `body` has returned; while it collects, the tasks that wait for that.
        self._collected: bytes | list[Any] | None = None
        self._head: RequestHead | ResponseHead | None = None
        #: Whether the whole message has arrived (H-106).
        self.complete = False
        self.method: str | None = None
        self.url = ""
        self.status_code: int | None = None
        self.status_message: str | None = None

    def __rejection__(self, error: Exception, event: Hashable, *args: object) -> None:
        """Take an async listener's exception; unheard, it is answered 500 (H-010)."""
        self.emit("error", error)

    def __repr__(self) -> str:
        name = type(self).__name__
        first = f"{self.method} {self.url}" if self.method else f"{self.status_code}"
        state = "complete" if self.complete else "aborted" if self.aborted else "open"
        return f"<{name} {first} {state}>"

    # The head --------------------------------------------------------------------

    @property
    def connection(self) -> Socket | None:
        """The same as `socket`."""
        return self.socket

    @connection.setter
    def connection(self, socket: Socket | None) -> None:
        self.socket = socket

    @property
    def http_version(self) -> str:
        """The peer's HTTP version, ``"1.0"`` or ``"1.1"`` (H-107)."""
        return "1.1" if self._head is None else self._head.http_version

    @property
    def http_version_major(self) -> int:
        """The part of `http_version` before the dot."""
        return int(self.http_version.partition(".")[0])

    @property
    def http_version_minor(self) -> int:
        """The part of `http_version` behind the dot."""
        return int(self.http_version.partition(".")[2])

    @property
    def headers(self) -> dict[str, Any]:
        """Lower-case names to values; ``set-cookie`` is a list (H-108)."""
        headers = self._headers
        if headers is None:
            head = self._head
            if head is None or self.join_duplicate_headers:
                headers = merge_headers(
                    self.raw_headers, join_duplicates=self.join_duplicate_headers
                )
            else:
                headers = head.headers
            self._headers = headers
        return headers

    @property
    def headers_distinct(self) -> dict[str, list[str]]:
        """Lower-case names to the list of all their values (X-065)."""
        return _distinct(self.raw_headers)

    @property
    def raw_headers(self) -> list[str]:
        """``[name, value, name, value, …]`` exactly as received (H-109)."""
        raw = self._raw_headers
        if raw is None:
            raw = self._raw_headers = (
                [] if self._head is None else self._head.raw_headers
            )
        return raw

    @property
    def trailers(self) -> dict[str, Any]:
        """The fields behind a chunked body; empty until ``end`` (H-110)."""
        return merge_headers(
            self.raw_trailers, join_duplicates=self.join_duplicate_headers
        )

    @property
    def trailers_distinct(self) -> dict[str, list[str]]:
        """As `headers_distinct`, for the trailers (X-065)."""
        return _distinct(self.raw_trailers)

    @property
    def raw_trailers(self) -> list[str]:
        """As `raw_headers`, for the trailers; empty until ``end`` (H-110)."""
        if self._raw_trailers is None or not self.complete:
            return []
        return self._raw_trailers

    # The body --------------------------------------------------------------------

    def _make_readable_state(
        self, high_water_mark: int | None = None, *, object_mode: bool = False
    ) -> ReadableState:
        if high_water_mark is None:
            high_water_mark = self._high_water_mark
        state = super()._make_readable_state(high_water_mark, object_mode=object_mode)
        is_ended, early = self._body is BODY_ENDED, self._early
        if is_ended or (early is not None and self._body is BODY_STREAM):
            self._body = BODY_STREAM
            self._early = None
            # As if `_read` had found it: listeners hear of it with the next tick.
            state.calling = True
            if early is not None:
                self.push(early)
            if is_ended:
                self.push(None)
            state.calling = False
        return state

    def _read(self, size: int) -> None:
        if self._source is not None:
            self._source.body_wanted(self)

    @property
    def _lacks_body(self) -> bool:
        """Whether a body was announced that has not arrived whole."""
        head = self._head
        return (
            not self.complete
            and head is not None
            and (head.chunked or bool(head.content_length))
        )

    def _finish(self, raw_trailers: list[str] | None = None) -> None:
        """Take note that the message is complete."""
        self.complete = True
        if raw_trailers:
            self._raw_trailers = raw_trailers
        if self._readable_state is None:
            self._body = BODY_ENDED
        else:
            self.push(None)

    def _dump(self) -> bool:
        """Read what nobody wants, so that the message can end (H-116).

        Returns:
            Whether nobody has begun to read, so that it is thrown away.
        """
        if self._body is BODY_ENDED and not self._listeners:
            self._body = BODY_DUMPED
            self._life = CLOSED
        elif self.readable_flowing is None and "readable" not in self._listeners:
            self.resume()
        elif self._paused_unread and self.is_paused() and not self.readable_did_read:
            self.remove_all_listeners("data")  # they have not been told anything yet
            self.resume()
        else:
            return False
        return True

    def pause(self) -> Self:
        """Stop the flow; what nobody has begun to read is still thrown away (H-116)."""
        if self.readable_flowing is None and "readable" not in self._listeners:
            self._paused_unread = True
        return super().pause()

    @property
    def readable_ended(self) -> bool:
        """Whether the end was reached: by a reader, or unread and thrown away."""
        return self._body is BODY_DUMPED or super().readable_ended

    def _abort(self, error: Exception | None = None) -> None:
        """Break off an incomplete message: ``aborted``, then as `destroy`."""
        if self.complete or self.aborted:
            return
        self.aborted = True
        if self._listeners:
            try:
                self.emit("aborted")
            except Exception as raised:
                self.loop().report(raised, self, self._owner)
        self.destroy(error or PeerGoneError("aborted"))

    def _destroy(
        self, error: BaseException | None, callback: Callable[..., None]
    ) -> None:
        if not self.complete and not self.aborted:
            self.aborted = True
            if self._listeners:
                self.loop().next_tick_for(self._owner, self.emit, "aborted")
            # Kept for who reads on; only an error that was given is emitted (H-164).
            self._errored = error or PeerGoneError("aborted")
        source, self._source = self._source, None
        if source is not None and not self.complete:
            source.message_destroyed(self, self._errored)
        if error is not None and "error" in self._listeners:
            self.loop().next_tick_for(self._owner, self._emit_error, error)
        callback(None)

    def _emit_error(self, error: BaseException) -> None:
        """Tell of an abort; if nobody listens any more it is no uncaught error (H-106).

        Whoever had awaited the body, for one, may have been cancelled meanwhile.
        """
        if "error" in self._listeners:
            self.emit("error", error)

    def _after_end(self) -> None:
        if self.complete and type(self)._destroy is IncomingMessage._destroy:
            self._source = None  # all that `_destroy` would do
            self._close_ended()
        else:
            super()._after_end()

    def _emit_close(self) -> None:
        try:
            self.emit("close")
        finally:
            forget_listeners(self, _EVENTS)

    def set_timeout(
        self, timeout: float, callback: Callable[..., object] | None = None
    ) -> Self:
        """Set the socket's inactivity timeout; `callback` hears ``timeout`` (H-111).

        Args:
            timeout: Seconds without traffic; 0 turns the timer off.
            callback: Added as a listener of this message's ``timeout``.
        """
        check_duration("timeout", timeout)
        if callback is not None:
            self.on("timeout", callback)
        set_timeout = getattr(self._owner, "set_timeout", None)
        if set_timeout is not None and self.method is not None:
            set_timeout(timeout)  # on a server, the next request has its own again
        elif self.socket is not None:
            self.socket.set_timeout(timeout)
        return self

    def _adopt(
        self,
        coroutine: Coroutine[Any, Any, object],
        event: Hashable,
        args: tuple[Any, ...],
    ) -> None:
        adopt_listener(self, self._owner, coroutine, event, args)

    async def body(self, limit: int | Unlimited | None = DEFAULT_LIMIT) -> bytes:
        """Collect the whole body; a further call, also meanwhile, gives the same.

        What was read in another way before is not in it. After `set_encoding` the text
        comes as UTF-8.

        Args:
            limit: Bytes allowed; by default 1 MiB on a server's request and 64 MiB on a
                response, None for no limit.

        Raises:
            BodyTooLargeError: If the body is larger, or was for an earlier call; out of
                a server's listener it is answered 413.
            PeerGoneError: If the message was broken off.

        Cancelled: a response is destroyed, and its connection with it. Of a server's
        request a further call goes on where this one was.
        """
        if isinstance(limit, Unlimited):
            limit = RESPONSE_BODY_LIMIT if self.method is None else REQUEST_BODY_LIMIT
        collected = self._collected
        while type(collected) is list:  # another task is at it
            await self.loop().park(collected)
            collected = self._collected
        if type(collected) is bytes:
            if limit is not None and len(collected) > limit:
                raise BodyTooLargeError(limit, self)
            return collected
        if self._limit_passed is not None:
            raise BodyTooLargeError(self._limit_passed, self)
        waiting: list[Any] = []
        self._collected = waiting
        parts = self._cut_short or []
        size = sum(map(len, parts))
        try:
            async for chunk in self.iterator(destroy_on_return=False):
                if type(chunk) is str:
                    chunk = chunk.encode()
                size += len(chunk)
                if limit is not None and size > limit:
                    self._limit_passed = limit
                    raise BodyTooLargeError(limit, self)
                parts.append(chunk)
        except BaseException:
            self._collected = None
            if self._limit_passed is None and self.errored is None:
                self._cut_short = parts
            raise
        else:
            body = self._collected = b"".join(parts)
            return body
        finally:
            if waiting:
                self.loop().wake(waiting)

    async def text(self, limit: int | Unlimited | None = DEFAULT_LIMIT) -> str:
        """Collect the body as text, by its charset parameter, else as UTF-8.

        An encoding that `set_encoding` was given counts instead.

        Raises:
            LookupError: If Python knows no codec of that name.
            UnicodeDecodeError: If the bytes are not text in that charset.

        Else as `body`.
        """
        data = await self.body(limit)
        decoded = self.readable_encoding is not None
        return data.decode("utf-8" if decoded else self._charset())

    async def json(self, limit: int | Unlimited | None = DEFAULT_LIMIT) -> Any:
        """Collect the body and parse it as JSON.

        Raises:
            json.JSONDecodeError: If it is not JSON.

        Else as `text`.
        """
        return json.loads(await self.text(limit))

    def _charset(self) -> str:
        content_type = self.headers.get("content-type")
        if not content_type:
            return "utf-8"
        parser = Message()
        parser["content-type"] = content_type
        charset = parser.get_param("charset")
        return charset if isinstance(charset, str) and charset else "utf-8"


def _distinct(raw: list[str]) -> dict[str, list[str]]:
    distinct: dict[str, list[str]] = {}
    for name, value in zip(raw[::2], raw[1::2], strict=True):
        distinct.setdefault(name.lower(), []).append(value)
    return distinct
