"""Readable: the side of a stream that gives data.

Two ways to consume: flowing (each chunk is emitted as ``data``) and paused (`read()`,
usually after ``readable``, or `async for`). `_state.Flow` has the table of the modes.

Source: H-155 to H-162.
"""

from collections.abc import AsyncIterable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self, TypeVar, Unpack

from headrace.streams import _pushing, _reading
from headrace.streams._buffer_list import NOTHING, BufferList
from headrace.streams._encoding import make_decoder, normalize
from headrace.streams._errors import InvalidArgTypeError, MethodNotImplementedError
from headrace.streams._high_water_mark import DEFAULT_MARKS, grown_high_water_mark
from headrace.streams._options import (
    READABLE_OPTIONS,
    ReadableOptions,
    apply_options,
    merge_options,
)
from headrace.streams._readable_state import ReadableState
from headrace.streams._state import Flow, FlowMove, Life, Reading
from headrace.streams._stream import Stream

if TYPE_CHECKING:
    from collections.abc import Hashable

    from headrace.streams._events import ReadableEvents
    from headrace.streams._iterate import ReadableIterator
    from headrace.streams._writable import Writable
else:
    ReadableEvents = Stream

__all__ = ["Readable"]

_ALIVE: Final = Life.OPEN
_OPEN: Final = Reading.OPEN
_FLOWING: Final = Flow.FLOWING
_PAUSED: Final = Flow.PAUSED
_LISTENING_PAUSED: Final = Flow.LISTENING_PAUSED
_PAUSE: Final = FlowMove.PAUSE
_RESUME: Final = FlowMove.RESUME
_UNDECIDED: Final = Flow.UNDECIDED
_CONSTRUCTING: Final = Life.CONSTRUCTING
_END_EMITTED: Final = Reading.END_EMITTED
_ABSENT: Final = Reading.ABSENT
_DATA_LISTENER: Final = FlowMove.DATA_LISTENER

_W = TypeVar("_W", bound="Writable")


class Readable(ReadableEvents):
    """A source of data with back-pressure.

    Args:
        options: The keywords as one mapping; keywords win.
        **keywords: `high_water_mark` (bytes, objects in object mode), `object_mode`,
            `encoding`, `auto_destroy`, and the hooks `read`, `destroy`, `construct` in
            place of the methods with an underscore.

    Events:
        data (chunk): in flowing mode, and for each chunk that `read()` returns.
        readable (): there is something to `read()`, or the end was reached.
        end (): once, after the last data were consumed.
        pause (), resume (): the flow was stopped, has started.
        error (error), close (): as for every stream.
    """

    __slots__ = ()

    _has_readable = True
    #: What the constructor uses if no high-water mark is given; None: the default.
    _default_readable_mark: ClassVar[int | None] = None

    def __init__(
        self,
        options: Mapping[str, Any] | None = None,
        /,
        **keywords: Unpack[ReadableOptions],
    ) -> None:
        Stream.__init__(self)
        if options is not None or keywords:
            apply_options(self, merge_options(READABLE_OPTIONS, options, keywords))

    def _make_readable_state(
        self, high_water_mark: int | None = None, *, object_mode: bool = False
    ) -> ReadableState:
        if high_water_mark is None:
            high_water_mark = self._default_readable_mark
            if high_water_mark is None:
                high_water_mark = DEFAULT_MARKS[object_mode]
        state = self._readable_state = ReadableState(
            high_water_mark, object_mode=object_mode
        )
        state.plain = self._life is _ALIVE and not object_mode
        return state

    @classmethod
    def from_(
        cls,
        iterable: Iterable[Any] | AsyncIterable[Any],
        options: Mapping[str, Any] | None = None,
        /,
        **keywords: Unpack[ReadableOptions],
    ) -> "Readable":
        """Return a stream of what `iterable` yields.

        Text and bytes are one chunk each. The stream is in object mode unless told
        otherwise. Destroying it closes the iterator.

        Source: X-113.
        """
        from headrace.streams._from import readable_from

        return readable_from(iterable, options, keywords)

    # What an implementation calls and defines.

    def push(self, chunk: Any, encoding: str | None = None) -> bool:
        """Give data to the reader; None ends them.

        Args:
            chunk: Bytes, bytearray, memoryview or text; all but None in object mode.
            encoding: Of a text chunk.

        Returns:
            Whether more is wanted now; if not, `_read` will be called.

        Events:
            error: `PushAfterEOFError` after the end, `InvalidArgTypeError` for a wrong
            chunk.

        Source: H-162.
        """
        state = self._readable_state
        if state is None or not state.plain or type(chunk) is not bytes or not chunk:
            if chunk is None and state is not None and state.plain:
                _reading.ended(self, state)
                return False
            return _pushing.push(self, chunk, encoding)
        # What `_pushing.push` does for most chunks, without a call of its own.
        state.reading = False
        if not state.more_due:
            if state.resume_due:
                state.more_due = True  # `_reading.read_more`, without a call
            else:
                _reading.read_more(self, state)
        buffer = state.buffer
        if state.flow is not _FLOWING or buffer.length or state.calling:
            if buffer is NOTHING:
                buffer = state.buffer = BufferList()
            buffer.chunks.append(chunk)
            buffer.length += len(chunk)
            if state.need_readable:
                _reading.emit_readable(self, state)
            return buffer.length < state.high_water_mark
        pipe = state.only_pipe
        if pipe is None:  # `_reading.give`, without a call
            state.did_read = True
            try:
                self.emit("data", chunk)
            except Exception as error:
                self.loop().report(error, self, self._owner)
        else:
            try:  # `pipe.carry`, without a call
                room = pipe.write(chunk)
            except Exception as error:
                pipe.refused(error)
            else:
                if room is False:
                    pipe.hold_back()
        return state.plain and (
            not buffer.length or buffer.length < state.high_water_mark
        )

    def unshift(self, chunk: Any, encoding: str | None = None) -> bool:
        """Put data back in front of what is buffered.

        Args:
            chunk: As for `push`; None ends the data.
            encoding: Of a text chunk.

        Returns:
            Whether more is wanted now.

        Events:
            error: `UnshiftAfterEndEventError` once ``end`` was emitted.

        Source: H-162.
        """
        if chunk is None:
            return self.push(None)
        return _pushing.unshift(self, chunk, encoding)

    def _read(self, size: int) -> object:
        """Get data and `push` them, now or later. May be an `async def`.

        Called when the buffer is below the high-water mark, and not again before
        something was pushed.

        Args:
            size: Advice: the high-water mark.
        """
        raise MethodNotImplementedError("_read()")

    # What a consumer calls.

    def read(self, size: int | None = None) -> Any:
        """Take data out of the buffer.

        Args:
            size: How much: bytes, or characters after `set_encoding`. None: all that is
                buffered, or the first chunk in flowing mode. 0: nothing, but fetch.

        Returns:
            The data, exactly `size` long, or the shorter rest at the end; None if so
            much is not there (and more is fetched).

        Raises:
            InvalidArgTypeError: If `size` is no integer.
            OutOfRangeError: If `size` is over 1 GiB.

        Source: H-157.
        """
        state = self._readable_state
        if state is None:
            state = self._make_readable_state()
        if size is not None:
            self._prepare_read(state, size)
            if not size:
                return None
        else:
            state.readable_due = False
            if state.reading and not state.buffer.length and state.side is _OPEN:
                state.need_readable = True
                return None  # it is under way: all of the below comes to that
        buffer = state.buffer
        count = self._how_much(state, size)
        if not count and state.side is not _OPEN:
            if not buffer.length:
                _reading.consumed(self, state)
            return None
        if (
            state.need_readable
            or not buffer.length
            or buffer.length - count < state.high_water_mark
        ):
            if not buffer.length:
                state.need_readable = True
            _reading.fetch(self, state)
            buffer = state.buffer
            count = self._how_much(state, size)
        if not count or self.destroyed:
            state.need_readable = buffer.length <= state.high_water_mark
            chunk = None
        else:
            chunk = buffer.take(count)
        if not buffer.length:
            if state.side is _OPEN:
                state.need_readable = True
            elif chunk is not None or not count:
                _reading.consumed(self, state)
        if chunk is not None:
            state.did_read = True
            self.emit("data", chunk)
        return chunk

    def _prepare_read(self, state: ReadableState, size: int) -> None:
        """Do what an explicit size asks for, before anything is taken."""
        if isinstance(size, bool) or not isinstance(size, int):
            raise InvalidArgTypeError("size", "an int or None", size)
        if size > state.high_water_mark and not state.object_mode:
            state.high_water_mark = grown_high_water_mark(size)
        if size:
            state.readable_due = False
            return
        length = state.buffer.length
        enough = length >= (state.high_water_mark or 1)
        if state.side is not _OPEN:
            if not length:
                _reading.consumed(self, state)
            elif state.need_readable:
                _reading.emit_readable(self, state)
        elif state.need_readable and enough:
            _reading.emit_readable(self, state)
        elif state.need_readable or not length or length < state.high_water_mark:
            if not length:
                state.need_readable = True
            _reading.fetch(self, state)

    @staticmethod
    def _how_much(state: ReadableState, size: int | None) -> int:
        buffer = state.buffer
        length = buffer.length
        if not length or (size is not None and size <= 0):
            return 0
        if state.object_mode:
            return 1
        if size is None:
            return buffer.first_length() if state.flow is _FLOWING else length
        if size <= length:
            return size
        return 0 if state.side is _OPEN else length

    def pause(self) -> Self:
        """Stop the flow: no ``data`` after this has returned. Source: H-158."""
        state = self._readable_state or self._make_readable_state()
        flowing = state.flow not in (_PAUSED, _LISTENING_PAUSED)
        _reading.move_flow(self, state, _PAUSE)
        if flowing:
            self.emit("pause")
        return self

    def resume(self) -> Self:
        """Let the data flow, with the next tick; without a listener they are dropped.

        Source: H-158.
        """
        state = self._readable_state or self._make_readable_state()
        _reading.move_flow(self, state, _RESUME)
        return self

    def is_paused(self) -> bool:
        """Return whether the flow was stopped, or a ``readable`` listener stops it."""
        state = self._readable_state
        return state is not None and state.flow not in (_UNDECIDED, _FLOWING)

    def set_encoding(self, encoding: str = "utf-8") -> Self:
        """Deliver text from now on, also for what is buffered.

        Raises:
            UnknownEncodingError: If there is no such encoding.

        Source: H-159.
        """
        name = normalize(encoding)
        state = self._readable_state or self._make_readable_state()
        decoder = make_decoder(name)
        buffer = state.buffer
        unread = [buffer.shift() for _ in range(len(buffer.chunks))]
        state.encoding, state.decoder, state.plain = name, decoder, False
        final = state.side is not _OPEN
        for index, chunk in enumerate(unread):
            if isinstance(chunk, bytes):
                chunk = decoder.decode(chunk, final and index == len(unread) - 1)
            if chunk or state.object_mode:
                buffer.append(chunk, 1 if state.object_mode else len(chunk))
        return self

    def pipe(self, destination: _W, *, end: bool = True) -> _W:
        """Write everything to `destination`, at its pace.

        Errors are not forwarded and nothing is destroyed: `pipeline` does that.

        Args:
            destination: Where to.
            end: Whether to end it after the last data.

        Returns:
            The destination.

        Source: H-160.
        """
        from headrace.streams._pipe import Pipe

        Pipe(self, destination, end=end).start()
        return destination

    def unpipe(self, destination: "Writable | None" = None) -> Self:
        """Undo `pipe` for `destination`, or for all, and stop the flow.

        Source: H-160.
        """
        state = self._readable_state
        if state is None:
            return self
        chosen = [
            pipe
            for pipe in state.pipes
            if destination is None or pipe.destination is destination
        ]
        if destination is not None:
            chosen = chosen[:1]
        for pipe in chosen:
            pipe.detach()
        if chosen and not state.pipes:
            self.pause()
        for pipe in chosen:
            pipe.destination.emit("unpipe", self)
        return self

    def __aiter__(self) -> "ReadableIterator":
        return self.iterator()

    def iterator(self, *, destroy_on_return: bool = True) -> "ReadableIterator":
        """Iterate over the chunks; raise the error of the stream.

        Args:
            destroy_on_return: Whether leaving the loop early destroys the stream.

        Source: X-112.
        """
        from headrace.streams._iterate import ReadableIterator

        return ReadableIterator(self, destroy_on_return=destroy_on_return)

    async def to_array(self) -> list[Any]:
        """Return all chunks; when cancelled, the stream is destroyed. Source: X-116."""
        return [chunk async for chunk in self]

    # What can be asked.

    @property
    def readable(self) -> bool:
        """Whether data may still come: not ended, not failed, not destroyed."""
        if self._life is not _ALIVE and self._life is not _CONSTRUCTING:
            return False
        state = self._readable_state
        return state is None or (
            state.side is not _END_EMITTED and state.side is not _ABSENT
        )

    @property
    def readable_ended(self) -> bool:
        """Whether ``end`` was emitted."""
        state = self._readable_state
        return state is not None and state.side is _END_EMITTED

    @property
    def readable_flowing(self) -> bool | None:
        """None before anybody consumes, then whether the data flow."""
        state = self._readable_state
        if state is None or state.flow is _UNDECIDED:
            return None
        return state.flow is _FLOWING

    @property
    def readable_length(self) -> int:
        """What is buffered: bytes, characters or objects."""
        state = self._readable_state
        return 0 if state is None else state.buffer.length

    @property
    def readable_high_water_mark(self) -> int:
        """The length from which on `_read` rests."""
        return (self._readable_state or self._make_readable_state()).high_water_mark

    @property
    def readable_object_mode(self) -> bool:
        """Whether chunks are objects."""
        state = self._readable_state
        return state is not None and state.object_mode

    @property
    def readable_encoding(self) -> str | None:
        """The encoding set by `set_encoding`, or None."""
        state = self._readable_state
        return None if state is None else state.encoding

    @property
    def readable_did_read(self) -> bool:
        """Whether data have been read. Source: X-119."""
        state = self._readable_state
        return state is not None and state.did_read

    @property
    def readable_aborted(self) -> bool:
        """Whether the stream was destroyed, or failed, before ``end``."""
        failed = self.destroyed or self._errored is not None
        return failed and not self.readable_ended

    # What the other rooms call.

    _observed_events = frozenset(("data", "readable"))

    def _listener_added(self, event: "Hashable") -> None:
        if event == "data":
            state = self._readable_state or self._make_readable_state()
            state.only_pipe = None
            if state.flow is not _FLOWING:
                _reading.move_flow(self, state, _DATA_LISTENER)
        elif event == "readable":
            state = self._readable_state or self._make_readable_state()
            _reading.listening_began(self, state)

    def _listener_removed(self, event: "Hashable") -> None:
        if event == "data" and "data" not in self._listeners:
            if self._readable_state is not None:
                self._readable_state.only_pipe = None
        elif event == "readable" and "readable" not in self._listeners:
            state = self._readable_state
            if state is not None and self._loop is not None:
                self._loop.next_tick_for(
                    self._owner, _reading.listening_may_have_ended, self, state
                )

    def _opened(self) -> None:
        super()._opened()
        state = self._readable_state
        if state is not None:
            state.plain = (
                state.side is _OPEN and state.decoder is None and not state.object_mode
            )
            _reading.read_more(self, state)

    def _drop_buffers(self) -> None:
        state = self._readable_state
        if state is not None:
            if state.buffer.length:
                state.buffer.clear()
            state.plain = False
        if self._writable_state is not None:
            super()._drop_buffers()

    def _after_end(self) -> None:
        """Close when both sides are done; a Duplex knows about its other one."""
        if self._auto_destroy:
            self.destroy()
