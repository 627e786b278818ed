"""The response as a client holds it: an IncomingMessage that tells when it was read.

Most responses are small and arrive in one piece. Such a *whole* body is kept beside the
stream machinery, and goes the short way to whoever wants all of it::

    KEPT --data listener, resume()--> DUE --tick--> GIVEN --tick--> OVER
    KEPT --body()-----------------------------------------> OVER
    KEPT, DUE, GIVEN --anything else a Readable can do--> the stream machinery

The events and their order are those of the long way.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Final, Protocol, Self

from headrace.http._errors import BodyTooLargeError
from headrace.http._incoming import (
    BODY_STREAM,
    DEFAULT_LIMIT,
    RESPONSE_BODY_LIMIT,
    BodySource,
    IncomingMessage,
    Unlimited,
)
from headrace.streams import Life, Readable

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from headrace.events.loop import Owner
    from headrace.http._client_connection import ClientConnection
    from headrace.http_parser import ResponseHead
    from headrace.net import Socket
    from headrace.streams import ReadableState


class ResponseSource(BodySource, Protocol):
    """Where a response comes from, and who must know when it is over."""

    def message_over(self, message: IncomingMessage) -> None:
        """Take note that a complete response was read, or thrown away."""

    def forgotten(self) -> None:
        """Take note that nobody has a response any more, and it was not read."""


class Whole(IntEnum):
    """How far a body that arrived in one piece has come."""

    NONE = 0  #: it did not: the stream has it
    KEPT = 1  #: nobody has asked for it
    DUE = 2  #: a tick will emit ``data``
    GIVEN = 3  #: a tick will emit ``end``
    OVER = 4  #: ``end`` was emitted


_NONE: Final = Whole.NONE
KEPT: Final = Whole.KEPT
_DUE: Final = Whole.DUE
_GIVEN: Final = Whole.GIVEN
_OVER: Final = Whole.OVER
_OPEN: Final = Life.OPEN
_CLOSING: Final = Life.CLOSING
_CLOSED: Final = Life.CLOSED


class ClientResponse(IncomingMessage):
    """A response; for users it is an `IncomingMessage`."""

    __slots__ = ("_whole", "_whole_body")

    _source: ResponseSource | None

    def __init__(
        self,
        socket: Socket | None,
        source: ClientConnection,
        owner: Owner | None,
        head: ResponseHead,
    ) -> None:
        # `IncomingMessage.__init__`, without a call.
        self._init_stream()
        self.socket = socket
        self._source = source
        self._body = BODY_STREAM
        self._collected = None
        self.complete = False
        self.method = None
        self.url = ""
        # What a response has.
        self._loop = source.loop
        self._owner = owner
        self._head = head
        self.status_code = head.status_code
        self.status_message = head.status_message
        # A connection that has all of the body sets these before anybody can ask.
        self._whole = _NONE
        self._whole_body = b""

    def __rejection__(self, error: Exception, event: Hashable, *args: object) -> None:
        """Fail with an async listener's exception if that is heard (H-150)."""
        if self.errored is None and "error" not in self._listeners:
            self.loop().report(error, self, self._owner)
        else:
            Readable.__rejection__(self, error, event, *args)

    def __del__(self) -> None:
        if self._source is not None:
            self._source.forgotten()

    def _discard_whole(self) -> None:
        """Forget a body that was kept: nobody is to see it any more."""
        self._whole_body = b""

    # The short way

    def _listener_added(self, event: Hashable) -> None:
        if event == "data" and self._whole:
            if self._whole is KEPT:
                self._begin_to_give()
        else:
            super()._listener_added(event)

    def resume(self) -> Self:
        """Let the data flow, with the next tick; without a listener they are dropped.

        Source: H-158.
        """
        if self._whole is KEPT:
            self._begin_to_give()
            return self
        return super().resume()

    def _begin_to_give(self) -> None:
        self._whole = _DUE
        self.loop().next_tick_for(self._owner, self._give)

    def _give(self) -> None:
        """Emit ``data``, unless the stream machinery has taken over meanwhile."""
        if self._whole is not _DUE or self._life is not _OPEN:
            return
        self._whole = _GIVEN
        body, self._whole_body = self._whole_body, b""
        try:
            listeners = self._listeners
            if "resume" in listeners:
                self.emit("resume")
            if body and "data" in listeners:
                self.emit("data", body)
        finally:
            self.loop().next_tick_for(self._owner, self._give_end)

    def _give_end(self) -> None:
        """Emit ``end``, then be over."""
        if self._whole is not _GIVEN or self._life is not _OPEN:
            return
        self._whole = _OVER
        try:
            if "end" in self._listeners:
                self.emit("end")
        finally:
            self._be_over()

    def _be_over(self) -> None:
        """Do what `destroy` does with a complete message: tell the source, close."""
        if self._life is not _OPEN:
            return  # a listener of ``end`` has destroyed it
        source, self._source = self._source, None
        if source is not None:
            source.message_over(self)
        if self._listeners:
            self._life = _CLOSING
            self.loop().next_tick_for(self._owner, self._close_whole)
        else:
            self._life = _CLOSED

    def _close_whole(self) -> None:
        self._life = _CLOSED
        self._emit_close()

    async def body(self, limit: int | Unlimited | None = DEFAULT_LIMIT) -> bytes:
        """Collect the whole body; see `IncomingMessage.body`.

        When it raises, also by being cancelled, the connection is given up.
        """
        try:
            if self._whole is KEPT and self._life is _OPEN:
                return self._take_whole(limit)
            return await super().body(limit)
        except BaseException:
            self.destroy()
            raise

    def _take_whole(self, limit: int | Unlimited | None) -> bytes:
        body = self._whole_body
        if isinstance(limit, Unlimited):
            limit = RESPONSE_BODY_LIMIT
        if limit is not None and len(body) > limit:
            raise BodyTooLargeError(limit)
        self._whole = _GIVEN
        self._collected, self._whole_body = body, b""
        if self._listeners:
            self.loop().next_tick_for(self._owner, self._give_end)
            return body
        self._whole = _OVER
        source, self._source = self._source, None
        if source is not None:  # `_be_over`, without a call
            source.message_over(self)
        self._life = _CLOSED
        return body

    # The long way

    def _make_readable_state(
        self, high_water_mark: int | None = None, *, object_mode: bool = False
    ) -> ReadableState:
        whole, body = self._whole, self._whole_body
        if whole is _NONE or whole is _OVER:
            return super()._make_readable_state(
                high_water_mark, object_mode=object_mode
            )
        self._whole = _NONE
        self._whole_body = b""
        state = super()._make_readable_state(high_water_mark, object_mode=object_mode)
        # As if `_read` had found it all: whoever listens hears of it with a tick.
        state.calling = True
        if body:
            self.push(body)
        self.push(None)
        state.calling = False
        if whole is not KEPT:
            Readable.resume(self)
        return state

    @property
    def readable_flowing(self) -> bool | None:
        """None before anybody consumes, then whether the data flow."""
        if self._whole:
            return None if self._whole is KEPT else True
        return super().readable_flowing

    @property
    def readable(self) -> bool:
        """Whether data may still come: not ended, not failed, not destroyed."""
        return self._whole is not _OVER and super().readable

    @property
    def readable_ended(self) -> bool:
        """Whether ``end`` was emitted, or the message was thrown away unread."""
        return self._whole is _OVER or super().readable_ended

    @property
    def readable_length(self) -> int:
        """What is buffered: bytes, or characters."""
        return len(self._whole_body) or super().readable_length

    @property
    def readable_did_read(self) -> bool:
        """Whether data have been read. Source: X-119."""
        return self._whole >= _GIVEN or super().readable_did_read

    def _destroy(
        self, error: BaseException | None, callback: Callable[..., None]
    ) -> None:
        # A message destroys itself behind the listeners of its ``end``. The source is
        # told first: the request's ``close`` comes before the response's (H-071).
        self._whole_body = b""
        source = self._source
        if self.complete and source is not None:
            self._source = None
            source.message_over(self)
        super()._destroy(error, callback)
