"""What a server's response and a client's request share: a message that we write.

`_outgoing_life.py` has its life.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Self

from headrace.http._checks import check_callback
from headrace.http._coding import Chunk, to_bytes
from headrace.http._errors import (
    BodyNotAllowedError,
    ContentLengthMismatchError,
    TrailerInvalidError,
)
from headrace.http._framing import Framing
from headrace.http._header_queue import ENDED, SENT
from headrace.http._headers import Headers, check_value, lower_name, pairs
from headrace.http._outgoing_life import Callback, HeldChunks, OutgoingLife
from headrace.streams import MethodNotImplementedError

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Chunks up to this size are joined with their neighbours; longer ones are not copied.
_JOIN_MAX: Final = 16384

# Fields that a trailer must not hold (RFC 9110 section 6.5.1): framing, routing,
# request modifiers, authentication and what is needed to process the content.
_NOT_IN_TRAILERS: Final = frozenset(
    [
        "authorization",
        "cache-control",
        "connection",
        "content-encoding",
        "content-length",
        "content-range",
        "content-type",
        "cookie",
        "expect",
        "host",
        "keep-alive",
        "max-forwards",
        "pragma",
        "proxy-authenticate",
        "proxy-authorization",
        "range",
        "set-cookie",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "www-authenticate",
    ]
)


# Members of an Enum are slow to look up on the hot path (Python 3.11).
_NONE: Final = Framing.NONE
_LENGTH: Final = Framing.LENGTH
_CHUNKED: Final = Framing.CHUNKED


class OutgoingMessage(OutgoingLife):
    """A message whose head and body we write: the base of response and request.

    Bytes written in one turn of the loop leave in one packet where possible. The body
    is counted in bytes.

    Events:
        drain: ``()`` after a ``write`` returned False, when everything is flushed.
        finish: ``()`` when head and body are with the operating system.
        error: ``(error)`` at most once.
        close: ``()`` exactly once, last.

    Source: H-020, H-049 to H-057, X-030 to X-044.
    """

    __slots__ = ()

    # The head --------------------------------------------------------------------

    def flush_headers(self) -> None:
        """Send the head now, before there is any body; again: no effect (H-057)."""
        if self._stage >= SENT or self._gone:
            return
        self._put(self._compose_head(None))
        self._stage = SENT

    def _compose_head(self, body_size: int | None) -> bytes:
        """Decide the framing and return the whole head.

        Args:
            body_size: Bytes of the whole body where it is known, else None.

        Raises:
            MethodNotImplementedError: By a message that is neither a request nor a
                response: it has no first line.
        """
        raise MethodNotImplementedError("_compose_head()")

    # Body ------------------------------------------------------------------------

    def write(
        self,
        chunk: Chunk,
        encoding: str | Callback | None = None,
        callback: Callback | None = None,
    ) -> bool:
        """Send a piece of the body; the first one takes the head with it.

        Args:
            chunk: Bytes, or text in `encoding`. An empty one sends nothing but fixes
                the head.
            encoding: How a ``str`` becomes bytes; default UTF-8 (H-007).
            callback: Called with None when the chunk is with the operating system,
                with the error if it never will be.

        Returns:
            False when so much is waiting that the caller should wait for ``drain``.

        Raises:
            InvalidArgTypeError: If `chunk` or `callback` is of a wrong type.
            NullValuesError: If `chunk` is None.
            ContentLengthMismatchError: In strict mode, if the body gets too long.
            BodyNotAllowedError: If no body is allowed and the message rejects one.

        Source: H-054, H-081.
        """
        if encoding is not None and callable(encoding):
            encoding, callback = None, encoding
        if callback is not None:
            check_callback(callback)
        data = chunk if type(chunk) is bytes else to_bytes(chunk, encoding)
        wire = self._wire
        if self._stage != SENT or wire is None or self._corked or self._gone:
            return self._write_otherwise(data, callback)
        # What `_write_now` does for most chunks, without calls of its own.
        size, framing = len(data), self._framing
        if callback is not None or not size or self.strict_content_length:
            return self._write_now(data, callback)
        if framing is _CHUNKED and size <= _JOIN_MAX:
            data = b"%x\r\n%b\r\n" % (size, data)
        elif framing is not _LENGTH:
            return self._write_now(data, callback)
        self._body_written += size
        if wire.put(data) < self._high_water_mark:
            return True
        self._need_drain = True
        return False

    def _write_otherwise(self, data: bytes, callback: Callback | None) -> bool:
        """Write before the head is sent, corked, too late, or without a connection."""
        if self._gone or self._stage >= ENDED:
            return self._refuse_write(callback)
        if self._corked:
            return self._cork_chunk(data, callback)
        return self._write_now(data, callback)

    def _write_now(self, data: bytes, callback: Callback | None) -> bool:
        head = self._compose_head(None) if self._stage < SENT else b""
        framing = self._framing
        size = len(data)
        if size and (framing is _NONE or self.strict_content_length):
            self._check_body(size)
        if self._stage < SENT:
            self._stage = SENT
        if framing is _NONE:
            if head:
                self._put(head)
        elif framing is _CHUNKED and size:
            self._put_parts(b"%b%x\r\n" % (head, size), data, b"\r\n")
        elif head:
            self._put_parts(head, data, b"")
        elif size:
            self._put(data)
        if framing is not _NONE:
            self._body_written += size
        if callback is not None:
            self._after_flush(callback)
        wire = self._wire
        waiting = self.writable_length if wire is None else wire.unflushed
        if framing is _NONE or waiting < self._high_water_mark:
            return True
        self._need_drain = True
        return False

    def _put_parts(self, before: bytes, data: bytes, after: bytes) -> None:
        """Queue a chunk with what frames it, copying only what is small."""
        if len(data) <= _JOIN_MAX:
            self._put(b"%b%b%b" % (before, data, after))
            return
        self._put(before)
        self._put(data)
        if after:
            self._put(after)

    def _check_body(self, size: int) -> None:
        """Refuse bytes that the message must not have; change nothing."""
        if self._framing is _NONE:
            if self.reject_non_standard_body_writes:
                raise BodyNotAllowedError
        elif self.strict_content_length and self._declared is not None:
            total = self._body_written + size
            if total > self._declared:
                raise ContentLengthMismatchError(total, self._declared)

    def end(
        self,
        data: Chunk | Callback | None = None,
        encoding: str | Callback | None = None,
        callback: Callback | None = None,
    ) -> Self:
        """Complete the message, after a last chunk if one is given.

        Args:
            data: The last chunk, or the whole body: then Content-Length is computed.
            encoding: How a ``str`` becomes bytes.
            callback: Called when ``finish`` is emitted.

        Raises:
            ContentLengthMismatchError: In strict mode, if the body has a wrong length.
            InvalidArgTypeError: If `data` or `callback` is of a wrong type.
            BodyNotAllowedError: If no body is allowed and the message rejects one.

        Source: H-056, H-082.
        """
        if encoding is None and type(data) is str:
            chunk = data.encode()
        elif encoding is None and (data is None or type(data) is bytes):
            chunk = data or b""
        else:
            if callable(data):
                data, callback = None, data
            elif callable(encoding):
                encoding, callback = None, encoding
            chunk = b"" if data is None else to_bytes(data, encoding)
        if callback is not None:
            check_callback(callback)
        if self._gone or self._stage >= ENDED:
            self._end_again(bool(chunk), callback)
            return self
        if self._corked:
            self._corked = 0
            self._write_corked()
        self._finish_body(chunk)
        if callback is not None:
            self._on_finish(callback)
        return self

    def _finish_body(self, chunk: bytes) -> None:
        size = len(chunk)
        head = self._compose_head(size) if self._stage < SENT else b""
        framing = self._framing
        if framing is _LENGTH and self._declared is None and size <= _JOIN_MAX:
            whole = head + chunk
        else:
            whole = self._last_bytes(head, chunk)
        self._stage = ENDED
        wire = self._wire
        if wire is not None:
            wire.finish(whole, self._all_flushed)
        else:
            self._hold_end(whole)

    def _last_bytes(self, head: bytes, chunk: bytes) -> bytes:
        """Return the end of a message in any framing, with its head if it is due."""
        framing = self._framing
        if framing is _NONE:
            if chunk:
                self._check_body(len(chunk))
            return head
        if self._declared is not None:
            total = self._body_written + len(chunk)
            if total != self._declared:
                self._length_is_wrong(total, self._declared)
        if framing is _CHUNKED:
            return head + self._last_chunks(chunk)
        if len(chunk) <= _JOIN_MAX:
            return head + chunk
        if head:
            self._put(head)
        return chunk

    def _last_chunks(self, chunk: bytes) -> bytes:
        end = b"0\r\n%b\r\n" % self._trailers.encode("latin-1")
        if not chunk:
            return end
        return b"%x\r\n%b\r\n%b" % (len(chunk), chunk, end)

    def _length_is_wrong(self, written: int, declared: int) -> None:
        """Refuse in strict mode; else see to it that the connection is not reused."""
        if self.strict_content_length:
            raise ContentLengthMismatchError(written, declared)
        self._give_up_persistence()

    def _give_up_persistence(self) -> None:
        """Close the connection after this message (H-045)."""
        raise NotImplementedError

    def add_trailers(self, headers: Headers) -> None:
        """Set the fields that follow a chunked body, replacing earlier ones.

        Dropped in silence if the message is not chunked; no effect after ``end``.

        Raises:
            TrailerInvalidError: If a name must not be a trailer (RFC 9110 6.5.1).
            InvalidTokenError: If a name is not a token.
            InvalidCharError: If a value holds a control character.

        Source: H-055, X-044.
        """
        lines = ""
        for name, value in pairs(headers):
            if lower_name(name) in _NOT_IN_TRAILERS:
                raise TrailerInvalidError(f"{name!r} must not be a trailer")
            check_value(name, value)
            lines += self._value_lines(name, value)
        if self._stage < ENDED:
            self._trailers = lines

    # Cork ------------------------------------------------------------------------

    def cork(self) -> None:
        """Hold writes back until `uncork`; a chunked body gets one chunk (X-039)."""
        self._corked += 1

    def uncork(self) -> None:
        """Undo one `cork`; the last one sends what was held back (X-039)."""
        if self._corked:
            self._corked -= 1
            if not self._corked:
                self._write_corked()

    @contextmanager
    def corked(self) -> Iterator[Self]:
        """Cork the message inside a ``with`` block (X-039)."""
        self.cork()
        try:
            yield self
        finally:
            self.uncork()

    def _cork_chunk(self, data: bytes, callback: Callback | None) -> bool:
        chunks = self._corked_chunks
        if chunks is None:
            chunks = self._corked_chunks = HeldChunks()
        chunks.add(data)
        if callback is not None:
            chunks.callbacks.append(callback)
        if self.writable_length < self._high_water_mark:
            return True
        self._need_drain = True
        return False

    def _write_corked(self) -> None:
        chunks, self._corked_chunks = self._corked_chunks, None
        if chunks is None:
            return
        self._write_now(b"".join(chunks), None)
        for callback in chunks.callbacks:
            self._after_flush(callback)
