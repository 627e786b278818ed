"""The machinery of the writable side: one `_write` at a time, callbacks, finishing.

Source: H-163.
"""

from collections.abc import Callable
from functools import partial
from inspect import iscoroutine
from typing import TYPE_CHECKING, Any, Final

from headrace.streams import _destroy
from headrace.streams._errors import MultipleCallbackError, StreamDestroyedError
from headrace.streams._hooks import adopt, run_hook
from headrace.streams._state import WRITING, Life, Writing, WritingMove, advance

if TYPE_CHECKING:
    from headrace.streams._writable import Writable
    from headrace.streams._writable_state import WritableState, WriteCallback

__all__ = [
    "clear_queue",
    "collect",
    "drop",
    "failed",
    "finish_when_flushed",
    "follow_up",
    "raised",
    "returned",
]

_ALIVE: Final = Life.OPEN
_OPEN: Final = Writing.OPEN


def _start(
    stream: "Writable",
    state: "WritableState",
    length: int,
    callbacks: "list[WriteCallback] | WriteCallback | None",
    call: Callable[[], object],
) -> None:
    """Hand data from the queue to the implementation by `call`.

    `Writable.write` does the same in its own body, for speed.
    """
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


def failed(
    stream: "Writable", state: "WritableState | None", error: BaseException | None
) -> None:
    """Take a callback that tells of an error, or comes when none is due."""
    if stream._life is not _ALIVE:
        return
    if state is None or not state.writing:
        _destroy.fail(stream, MultipleCallbackError())
    elif error is not None:
        _destroy.fail(stream, error)  # tells the callbacks, the chunk's own first


def collect(state: "WritableState") -> None:
    """Note that the callbacks of what has been written are due."""
    callbacks, state.in_flight = state.in_flight, None
    if isinstance(callbacks, list):
        state.written += callbacks
    elif callbacks is not None:
        state.written.append(callbacks)


def follow_up(stream: "Writable", state: "WritableState") -> None:
    """Tell what follows from a write, but never from inside `write()`."""
    if state.calling or state.clearing:
        _after_write_later(stream, state)
    elif not state.written_due:
        _after_write(stream, state)


def _after_write_later(stream: "Writable", state: "WritableState") -> None:
    if not state.written_due:
        state.written_due = True
        stream.loop().next_tick_for(stream._owner, _after_write, stream, state)


def _after_write(stream: "Writable", state: "WritableState") -> None:
    """Call the callbacks that are due; then ``drain``, or the end."""
    state.written_due = False
    written, state.written = state.written, []
    _call_all(stream, written)
    if stream._life is not _ALIVE or state.length:
        return
    if state.side is not _OPEN:
        finish_when_flushed(stream, state)
    elif state.need_drain:
        state.need_drain = False
        stream.emit("drain")


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
                call = partial(stream._write, chunk, encoding, stream._wrote)
                _start(stream, state, length, callback, call)
    finally:
        state.clearing = False


def _write_all(stream: "Writable", state: "WritableState") -> None:
    entries = list(state.queue)
    state.queue.clear()
    callbacks = [entry[3] for entry in entries if entry[3] is not None]
    chunks = [(chunk, encoding) for chunk, encoding, _, _ in entries]
    call = partial(stream._writev, chunks, stream._wrote)
    _start(stream, state, state.length, callbacks, call)


def drop(stream: "Writable", state: "WritableState") -> None:
    """Tell everyone who waits that nothing will be written any more."""
    tell = partial(stream.loop().next_tick_for, stream._owner)
    for callback in state.written:
        tell(callback, None)
    state.written = []
    collect(state)  # what is in flight comes first, then what waits behind it
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
    state.writing = False


def finish_when_flushed(stream: "Writable", state: "WritableState") -> None:
    """Begin the end if `end()` was called and nothing is left to write."""
    if (
        state.side is Writing.ENDING
        and stream._life is _ALIVE
        and not state.length
        and not state.writing
        and not state.written
    ):
        state.side = advance(WRITING, state.side, WritingMove.FLUSH)
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
    if state.side is not Writing.FINALIZING:
        _destroy.fail(stream, MultipleCallbackError())
    elif error is not None:
        _destroy.fail(stream, error)
    else:
        state.side = advance(WRITING, state.side, WritingMove.FINALIZE)
        stream.loop().next_tick_for(stream._owner, _finish, stream, state)


def _finish(stream: "Writable", state: "WritableState") -> None:
    if stream._life is not _ALIVE:
        return
    state.side = advance(WRITING, state.side, WritingMove.EMIT_FINISH)
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
