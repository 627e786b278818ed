"""The machinery of the readable side: asking for data, giving them away, ending.

Source: H-155 to H-162.
"""

from functools import partial
from inspect import iscoroutine
from typing import TYPE_CHECKING, Any, Final

from headrace.streams import _destroy
from headrace.streams._hooks import adopt
from headrace.streams._state import (
    FLOW,
    READING,
    Flow,
    FlowMove,
    IllegalMoveError,
    Life,
    Reading,
    ReadingMove,
    advance,
)

if TYPE_CHECKING:
    from headrace.streams._readable import Readable
    from headrace.streams._readable_state import ReadableState

__all__ = [
    "consumed",
    "emit_readable",
    "ended",
    "fetch",
    "flow",
    "give",
    "listening_began",
    "listening_may_have_ended",
    "move_flow",
    "read_more",
]

_ALIVE: Final = Life.OPEN
_OPEN: Final = Reading.OPEN
_ENDED: Final = Reading.ENDED
_FLOWING: Final = Flow.FLOWING
_LISTENS: Final = (Flow.LISTENING, Flow.LISTENING_PAUSED, Flow.LISTENING_WAITING)
_CONSTRUCTING: Final = Life.CONSTRUCTING
_READABLE_LISTENER: Final = FlowMove.READABLE_LISTENER
_NO_READABLE_LISTENER: Final = FlowMove.NO_READABLE_LISTENER
# What the table says about the way to the end, looked up once.
_SIDE_AFTER_END: Final = READING[_OPEN, ReadingMove.END]
_END_DUE: Final = READING[_ENDED, ReadingMove.CONSUME]
_END_EMITTED: Final = READING[_END_DUE, ReadingMove.EMIT_END]


def _is_running(stream: "Readable") -> bool:
    """Return whether events may come: the stream neither failed nor was destroyed."""
    return stream._life is _ALIVE or stream._life is _CONSTRUCTING


def fetch(stream: "Readable", state: "ReadableState") -> None:
    """Call `_read` unless one is under way, the data have ended or the stream has."""
    if state.reading or state.side is not _OPEN or stream._life is not _ALIVE:
        return
    while True:
        state.reading = state.calling = True
        try:
            result = stream._read(state.high_water_mark)
        except Exception as error:
            _destroy.fail(stream, error)
        else:
            if result is not None and iscoroutine(result):
                adopt(stream, result, partial(_read_returned, stream))
        finally:
            state.calling = False
        if not state.swallowed or state.reading:
            return
        # A part of a character came: without the rest nobody would ask again.
        state.swallowed = False


def _read_returned(
    stream: "Readable", error: BaseException | None, value: object = None
) -> None:
    if error is not None:
        _destroy.fail(stream, error)


def read_more(stream: "Readable", state: "ReadableState") -> None:
    """Fill the buffer, with the next tick: the consumer may take it until then."""
    if not state.more_due and _is_running(stream):
        state.more_due = True
        if state.resume_due:
            return  # `_resume` sees to it
        stream.loop().next_tick_for(stream._owner, _read_more, stream, state)


def _read_more(stream: "Readable", state: "ReadableState") -> None:
    while not state.reading and state.side is _OPEN:
        before = state.buffer.length
        if before >= state.high_water_mark and not (
            state.flow is _FLOWING and not before
        ):
            break
        if not before:
            state.need_readable = True
        fetch(stream, state)
        if state.buffer.length == before:
            break  # nothing came at once, or somebody took it: no reason to insist
    state.more_due = False


def emit_readable(stream: "Readable", state: "ReadableState") -> None:
    """Emit ``readable`` with the next tick, once however often it is asked for."""
    state.need_readable = False
    if not state.readable_due:
        state.readable_due = True
        stream.loop().next_tick_for(stream._owner, emit_readable_now, stream, state)


def emit_readable_now(stream: "Readable", state: "ReadableState") -> None:
    """Emit ``readable`` if there is reason to, then let a flow go on."""
    try:
        if _is_running(stream) and (state.buffer.length or state.side is not _OPEN):
            state.readable_due = False
            stream.emit("readable")
    finally:
        state.need_readable = (
            state.flow is not _FLOWING
            and state.side is _OPEN
            and state.buffer.length <= state.high_water_mark
        )
        flow(stream, state)


def flow(stream: "Readable", state: "ReadableState") -> None:
    """Give away what is there, and what comes at once, while the mode is flowing."""
    if state.flow is not _FLOWING:
        return
    buffer = state.buffer
    chunks = buffer.chunks
    try:
        while state.flow is _FLOWING:
            if not chunks:
                fetch(stream, state)
                buffer = state.buffer  # the first chunk brings a new one
                chunks = buffer.chunks
                if not chunks:
                    break
            if buffer.offset:
                chunk = buffer.shift()
            else:  # the same, without a call
                chunk = chunks.popleft()
                buffer.length -= 1 if state.object_mode else len(chunk)
            pipe = state.only_pipe
            if pipe is None:
                state.did_read = True
                stream.emit("data", chunk)
                continue
            try:  # `pipe.carry`, without a call
                room = pipe.write(chunk)
            except Exception as error:
                pipe.refused(error)
            else:
                if room is False:
                    pipe.hold_back()
    except BaseException:
        # A listener has raised. That is reported, and the next chunk still comes.
        stream.loop().next_tick_for(stream._owner, flow, stream, state)
        raise
    if chunks:
        return
    if state.side is _OPEN:
        state.need_readable = True
    else:
        consumed(stream, state)


def give(stream: "Readable", state: "ReadableState", chunk: Any) -> None:
    """Give `chunk`, which is being pushed, to the ``data`` listeners.

    What they raise is reported: it must not look like a failure of the one who pushes.
    """
    state.did_read = True
    try:
        stream.emit("data", chunk)
    except Exception as error:
        stream.loop().report(error, stream, stream._owner)


def move_flow(stream: "Readable", state: "ReadableState", move: FlowMove) -> None:
    """Apply `move`; if the flow begins by it, it does so with the next tick."""
    before = state.flow
    try:
        after = state.flow = FLOW[before, move]
    except KeyError:
        raise IllegalMoveError(before, move) from None
    if after is _FLOWING and before is not _FLOWING and not state.resume_due:
        state.resume_due = True
        loop = stream._loop or stream.loop()
        loop.next_tick_for(stream._owner, _resume, stream, state)


def _resume(stream: "Readable", state: "ReadableState") -> None:
    more_due, state.resume_due, state.more_due = state.more_due, False, False
    if stream._life is not _ALIVE and not _is_running(stream):
        return
    try:
        if "resume" in stream._listeners:
            stream.emit("resume")
    finally:
        if state.flow is not _FLOWING:
            if more_due:  # paused since
                read_more(stream, state)
        elif state.buffer.length or state.side is _OPEN:
            flow(stream, state)
        elif state.side is _ENDED:
            consumed(stream, state)


def listening_began(stream: "Readable", state: "ReadableState") -> None:
    """React to a ``readable`` listener."""
    if state.flow in _LISTENS or state.side is _END_EMITTED:
        return
    state.flow = advance(FLOW, state.flow, _READABLE_LISTENER)
    state.need_readable = True
    state.readable_due = False
    if state.buffer.length or state.side is not _OPEN:
        emit_readable(stream, state)
    elif not state.reading:
        stream.loop().next_tick_for(stream._owner, stream.read, 0)


def listening_may_have_ended(stream: "Readable", state: "ReadableState") -> None:
    """Let a waiting flow go on if the last ``readable`` listener is gone.

    Looked at with a tick's delay, so that a listener can be exchanged for another one.
    """
    if state.flow in _LISTENS and "readable" not in stream._listeners:
        move_flow(stream, state, _NO_READABLE_LISTENER)


def ended(stream: "Readable", state: "ReadableState") -> None:
    """React to `push(None)`."""
    state.reading = False
    if state.side is not _OPEN:
        return
    if state.decoder is not None:
        rest = state.decoder.decode(b"", True)
        if rest:
            state.filled().append(rest, 1 if state.object_mode else len(rest))
    state.side = _SIDE_AFTER_END
    state.plain = False
    if state.calling:
        emit_readable(stream, state)
    elif state.flow is _FLOWING and not state.buffer.length:
        # Nobody listens to ``readable`` then, and there is nothing to give.
        state.need_readable = False
        state.side = _END_DUE  # `consumed`, without a call
        loop = stream._loop or stream.loop()
        loop.next_tick_for(stream._owner, _emit_end, stream, state)
    else:
        state.need_readable = False
        state.readable_due = True
        try:
            emit_readable_now(stream, state)
        except Exception as error:  # as in `give`
            stream.loop().report(error, stream, stream._owner)


def consumed(stream: "Readable", state: "ReadableState") -> None:
    """Emit ``end`` with the next tick, unless data are put back until then."""
    if state.side is _ENDED:
        state.side = _END_DUE
        loop = stream._loop or stream.loop()
        loop.next_tick_for(stream._owner, _emit_end, stream, state)


def _emit_end(stream: "Readable", state: "ReadableState") -> None:
    if state.side is not _END_DUE or (
        stream._life is not _ALIVE and not _is_running(stream)
    ):
        return
    state.side = _END_EMITTED
    try:
        stream.emit("end")
    finally:
        stream._after_end()
