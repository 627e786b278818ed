"""The machinery of the writable side: one `_write` at a time, callbacks, finishing.

Source: H-163.
"""

from collections.abc import Callable
from functools import partial
from inspect import iscoroutine
from typing import TYPE_CHECKING, Any, Final

from headrace.streams import _destroy
from headrace.streams._encoding import encode_text, normalize
from headrace.streams._errors import (
    InvalidArgTypeError,
    MultipleCallbackError,
    NullValuesError,
    StreamDestroyedError,
)
from headrace.streams._hooks import adopt, run_hook
from headrace.streams._state import WRITING, Life, Writing, WritingMove, advance
from headrace.streams._writable_state import forgotten

if TYPE_CHECKING:
    from headrace.streams._writable import Writable
    from headrace.streams._writable_state import WritableState, WriteCallback

__all__ = [
    "clear_queue",
    "come_to_rest",
    "drop",
    "finish_when_flushed",
    "raised",
    "returned",
    "write",
    "wrote",
]

_ALIVE: Final = Life.OPEN
_OPEN: Final = Writing.OPEN
_CONSTRUCTING: Final = Life.CONSTRUCTING
_ENDING: Final = Writing.ENDING
_FLUSH: Final = WritingMove.FLUSH
_FINALIZING: Final = Writing.FINALIZING
_FINALIZE: Final = WritingMove.FINALIZE
_EMIT_FINISH: Final = WritingMove.EMIT_FINISH


def write(stream: "Writable", chunk: Any, encoding: Any, callback: Any) -> bool:
    """Do what `Writable.write` promises, in every case."""
    state = stream._writable_state or stream._make_writable_state()
    encoding, callback = _sort_out(state, encoding, callback)
    chunk, encoding, length = _convert(state, chunk, encoding)
    alive = stream._life is _ALIVE
    if state.side is not _OPEN or (not alive and stream._life is not _CONSTRUCTING):
        stream._refuse(state, callback)
        return False
    state.quiet = False
    state.length += length
    room = state.length < state.high_water_mark
    if not room:
        state.need_drain = True
    if state.writing or state.corked or state.queue or not alive:
        state.queue.append((chunk, encoding, length, callback))
        return room
    call = partial(stream._write, chunk, encoding, state.callback)
    _start(stream, state, length, callback, call)
    return room and stream._life is _ALIVE


def _sort_out(
    state: "WritableState", encoding: Any, callback: Any
) -> "tuple[str, WriteCallback | None]":
    """Return the encoding and the callback, wherever they were given."""
    if callable(encoding):
        encoding, callback = None, encoding
    if callback is not None and not callable(callback):
        raise InvalidArgTypeError("callback", "callable", callback)
    return encoding or state.default_encoding, callback


def _convert(state: "WritableState", chunk: Any, encoding: str) -> tuple[Any, str, int]:
    """Return chunk, encoding and length as the implementation gets them."""
    if chunk is None:
        raise NullValuesError
    if isinstance(chunk, str):
        normalize(encoding)
        if state.object_mode or not state.decode_strings:
            return chunk, encoding, 1 if state.object_mode else len(chunk)
        data = encode_text(chunk, encoding)
        return data, "buffer", len(data)
    if state.object_mode:
        return chunk, "buffer", 1
    if isinstance(chunk, bytes | bytearray | memoryview):
        data = bytes(chunk)  # a copy: the caller may change its buffer at once
        return data, "buffer", len(data)
    raise InvalidArgTypeError("chunk", "bytes-like or str", chunk)


def _start(
    stream: "Writable",
    state: "WritableState",
    length: int,
    callbacks: "list[WriteCallback] | WriteCallback | None",
    call: Callable[[], object],
) -> None:
    """Hand data to the implementation by `call`."""
    state.writing = state.calling = True
    state.writing_length = length
    state.in_flight = callbacks
    try:
        result = call()
    except Exception as error:
        raised(stream, state, error)
    else:
        if result is not None:
            returned(stream, result)
    finally:
        state.calling = False


def returned(stream: "Writable", result: object) -> None:
    """Run what `_write` or `_writev` returned if it is an `async def`."""
    if iscoroutine(result):
        adopt(stream, result, stream._wrote)


def raised(stream: "Writable", state: "WritableState", error: Exception) -> None:
    """Take an exception of `_write` or `_writev` for its callback."""
    if state.writing:
        stream._wrote(error)
    else:
        _destroy.fail(stream, error)


def wrote(
    stream: "Writable", state: "WritableState | None", error: BaseException | None
) -> None:
    """Take the callback of `_write` or `_writev`, in every case."""
    if stream._life is not _ALIVE:
        return
    if state is None or not state.writing:
        _destroy.fail(stream, MultipleCallbackError())
        return
    if error is not None:
        _destroy.fail(stream, error)  # tells the callbacks, the chunk's own first
        return
    state.writing = False
    state.length -= state.writing_length
    if state.in_flight is not None:
        _collect(state)
    if state.queue:
        clear_queue(stream, state)
    if state.need_drain or state.written or state.side is not _OPEN:
        if state.calling or state.clearing:
            _after_write_later(stream, state)  # never from inside `write()`
        elif not state.written_due:
            _after_write(stream, state)
    else:
        come_to_rest(stream, state)


def come_to_rest(stream: "Writable", state: "WritableState") -> None:
    """Find out whether the next chunk can go straight to the implementation."""
    state.quiet = stream._life is _ALIVE and not (
        state.object_mode
        or state.queue
        or state.corked
        or state.clearing
        or state.need_drain
        or state.written
        or state.in_flight is not None
        or state.side is not _OPEN
    )


def _collect(state: "WritableState") -> None:
    """Note that the callbacks of what has been written are due."""
    callbacks, state.in_flight = state.in_flight, None
    if isinstance(callbacks, list):
        state.written += callbacks
    elif callbacks is not None:
        state.written.append(callbacks)


def _after_write_later(stream: "Writable", state: "WritableState") -> None:
    if not state.written_due:
        state.written_due = True
        stream.loop().next_tick_for(stream._owner, _after_write, stream, state)


def _after_write(stream: "Writable", state: "WritableState") -> None:
    """Call the callbacks that are due; then ``drain``, or the end."""
    state.written_due = False
    if state.written:
        written, state.written = state.written, []
        _call_all(stream, written)
    if stream._life is not _ALIVE:
        return
    drained = state.need_drain and not state.length and state.side is _OPEN
    if drained:
        state.need_drain = False
    come_to_rest(stream, state)
    if drained:
        stream.emit("drain")
    else:
        finish_when_flushed(stream, state)


def clear_queue(stream: "Writable", state: "WritableState") -> None:
    """Write what waits, until the implementation takes its time."""
    if state.corked or state.clearing or state.writing or stream._life is not _ALIVE:
        return
    queue = state.queue
    state.clearing = True
    try:
        while queue and not state.writing and stream._life is _ALIVE:
            if len(queue) > 1 and stream._has_writev():
                _write_all(stream, state)
            else:
                chunk, encoding, length, callback = queue.popleft()
                call = partial(stream._write, chunk, encoding, state.callback)
                _start(stream, state, length, callback, call)
    finally:
        state.clearing = False
    if not state.need_drain and not state.written and not state.writing:
        come_to_rest(stream, state)


def _write_all(stream: "Writable", state: "WritableState") -> None:
    entries = list(state.queue)
    state.queue.clear()
    callbacks = [entry[3] for entry in entries if entry[3] is not None]
    chunks = [(chunk, encoding) for chunk, encoding, _, _ in entries]
    call = partial(stream._writev, chunks, state.callback)
    _start(stream, state, state.length, callbacks, call)


def drop(stream: "Writable", state: "WritableState") -> None:
    """Tell everyone who waits that nothing will be written any more."""
    tell = partial(stream.loop().next_tick_for, stream._owner)
    for callback in state.written:
        tell(callback, None)
    state.written = []
    _collect(state)  # what is in flight comes first, then what waits behind it
    unwritten = state.written
    unwritten += [entry[3] for entry in state.queue if entry[3] is not None]
    reason: Any = stream._errored
    for callback in unwritten:
        tell(callback, reason or StreamDestroyedError("write"))
    for callback in state.on_finish:
        tell(callback, reason or StreamDestroyedError("end"))
    state.written, state.on_finish = [], []
    state.queue.clear()
    state.length = 0
    state.writing = state.quiet = False
    # They lead back to the stream: without them it needs no cycle collector.
    state.callback, state.transformed = forgotten, None


def finish_when_flushed(stream: "Writable", state: "WritableState") -> None:
    """Begin the end if `end()` was called and nothing is left to write."""
    if (
        state.side is _ENDING
        and stream._life is _ALIVE
        and not state.length
        and not state.writing
        and not state.written
    ):
        state.side = advance(WRITING, state.side, _FLUSH)
        try:
            stream.emit("prefinish")
        finally:
            if stream._life is _ALIVE:
                run_hook(stream, stream._final, partial(_finalized, stream, state))


def _finalized(
    stream: "Writable", state: "WritableState", error: BaseException | None = None
) -> None:
    if stream._life is not _ALIVE:
        return
    if state.side is not _FINALIZING:
        _destroy.fail(stream, MultipleCallbackError())
    elif error is not None:
        _destroy.fail(stream, error)
    else:
        state.side = advance(WRITING, state.side, _FINALIZE)
        stream.loop().next_tick_for(stream._owner, _finish, stream, state)


def _finish(stream: "Writable", state: "WritableState") -> None:
    if stream._life is not _ALIVE:
        return
    state.side = advance(WRITING, state.side, _EMIT_FINISH)
    callbacks, state.on_finish = state.on_finish, []
    _call_all(stream, callbacks)
    if stream._life is not _ALIVE:
        return  # a callback has destroyed it
    try:
        stream.emit("finish")
    finally:
        stream._after_finish()


def _call_all(stream: "Writable", callbacks: "list[WriteCallback]") -> None:
    """Call the user's callbacks; one that raises does not keep the next from coming."""
    for callback in callbacks:
        try:
            callback(None)
        except Exception as error:
            stream.loop().report(error, callback, stream._owner)
