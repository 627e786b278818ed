"""What comes in on the readable side: chunks of every kind, at any time.

Source: H-162.
"""

from typing import TYPE_CHECKING, Any, Final

from headrace.streams import _destroy, _reading
from headrace.streams._encoding import encode_text, make_decoder, normalize
from headrace.streams._errors import (
    InvalidArgTypeError,
    PushAfterEOFError,
    UnshiftAfterEndEventError,
)
from headrace.streams._state import READING, Flow, Reading, ReadingMove, advance

if TYPE_CHECKING:
    from headrace.streams._readable import Readable
    from headrace.streams._readable_state import ReadableState

__all__ = ["push", "unshift"]

_OPEN: Final = Reading.OPEN
_FLOWING: Final = Flow.FLOWING
_PUT_BACK: Final = ReadingMove.PUT_BACK


def push(stream: "Readable", chunk: Any, encoding: str | None) -> bool:
    """Do what `Readable.push` promises, in every case."""
    state = stream._readable_state or stream._make_readable_state()
    if stream.destroyed:
        return False
    state.reading = False
    if chunk is None:
        _reading.ended(stream, state)
        return False
    try:
        given, chunk = chunk, _convert(state, chunk, encoding)
    except (TypeError, ValueError) as error:
        _destroy.fail(stream, error)
        return False
    state.swallowed = not chunk and bool(given)
    is_data = state.object_mode or bool(chunk)
    if state.side is not _OPEN:
        if is_data:
            _destroy.fail(stream, PushAfterEOFError())
        return False
    _reading.read_more(stream, state)
    buffer = state.buffer
    if is_data and state.flow is _FLOWING and not buffer.length and not state.calling:
        _reading.give(stream, state, chunk)  # a pipe is a listener, too
    elif is_data:
        state.filled().append(chunk, 1 if state.object_mode else len(chunk))
        if state.need_readable:
            _reading.emit_readable(stream, state)
    return _wants_more(state)


def unshift(stream: "Readable", chunk: Any, encoding: str | None) -> bool:
    """Do what `Readable.unshift` promises."""
    state = stream._readable_state or stream._make_readable_state()
    if stream.destroyed:
        return False
    try:
        chunk = _convert_back(state, chunk, encoding)
    except (TypeError, ValueError) as error:
        _destroy.fail(stream, error)
        return False
    length = 1 if state.object_mode else len(chunk)
    if length:
        if (state.side, _PUT_BACK) not in READING:
            _destroy.fail(stream, UnshiftAfterEndEventError())
            return False
        state.side = advance(READING, state.side, _PUT_BACK)
        state.filled().prepend(chunk, length)
        if state.need_readable:
            _reading.emit_readable(stream, state)
    _reading.read_more(stream, state)
    return _wants_more(state)


def _wants_more(state: "ReadableState") -> bool:
    return state.side is _OPEN and (
        state.buffer.length < state.high_water_mark or not state.buffer.length
    )


def _convert(state: "ReadableState", chunk: Any, encoding: str | None) -> Any:
    """Return `chunk` as it is buffered: bytes, or text if there is a decoder."""
    if state.object_mode and state.decoder is None:
        return chunk
    data = _to_bytes(chunk, encoding, refuse=not state.object_mode)
    if state.decoder is not None and isinstance(data, bytes):
        return state.decoder.decode(data)
    return data


def _to_bytes(chunk: Any, encoding: str | None, *, refuse: bool) -> Any:
    if isinstance(chunk, str):
        return encode_text(chunk, encoding or "utf-8")
    if isinstance(chunk, bytearray | memoryview | bytes):
        return bytes(chunk)
    if refuse:
        raise InvalidArgTypeError("chunk", "bytes-like or str", chunk)
    return chunk


def _convert_back(state: "ReadableState", chunk: Any, encoding: str | None) -> Any:
    if state.encoding is None:
        return _convert(state, chunk, encoding)
    if isinstance(chunk, str) and normalize(encoding or "utf-8") == state.encoding:
        return chunk
    data = _to_bytes(chunk, encoding, refuse=not state.object_mode)
    if not isinstance(data, bytes):
        return data
    # A decoder of its own: the stream's may hold the first half of a character.
    return make_decoder(state.encoding).decode(data, True)
