"""Writable: the side of a stream that takes data.

Source: H-163.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self, Unpack

from headrace.streams import _writing
from headrace.streams._destroy import fail
from headrace.streams._encoding import normalize
from headrace.streams._errors import (
    AlreadyFinishedError,
    CannotPipeError,
    InvalidArgTypeError,
    MethodNotImplementedError,
    StreamDestroyedError,
    WriteAfterEndError,
)
from headrace.streams._high_water_mark import get_default_high_water_mark
from headrace.streams._options import (
    WRITABLE_OPTIONS,
    WritableOptions,
    apply_options,
    merge_options,
)
from headrace.streams._state import WRITING, Life, Writing, WritingMove, advance
from headrace.streams._stream import Stream
from headrace.streams._writable_state import WritableState

if TYPE_CHECKING:
    from headrace.streams._events import WritableEvents
    from headrace.streams._writable_state import WriteCallback
else:
    WritableEvents = Stream

__all__ = ["Writable"]

_ALIVE: Final = Life.OPEN
_OPEN: Final = Writing.OPEN
_END: Final = WritingMove.END
_FINISHED: Final = Writing.FINISHED
_CONSTRUCTING: Final = Life.CONSTRUCTING
_ABSENT: Final = Writing.ABSENT


class Writable(WritableEvents):
    """A destination for data with back-pressure.

    Args:
        options: The keywords as one mapping; keywords win.
        **keywords: `high_water_mark` (bytes, objects in object mode), `object_mode`,
            `decode_strings`, `default_encoding`, `auto_destroy`, and the hooks `write`,
            `writev`, `final`, `destroy`, `construct` in place of the methods with an
            underscore.

    Events:
        drain (): after `write()` returned False, when everything is written.
        prefinish (), finish (): all is written; before and after `_final`.
        pipe (source), unpipe (source): a source was joined, was let go.
        error (error), close (): as for every stream.
    """

    __slots__ = ()

    _has_writable = True
    #: Whether this is standard output or error, which `pipe` does not end.
    _is_stdio: bool = False
    _default_writable_mark: ClassVar[int | None] = None

    def __init__(
        self,
        options: Mapping[str, Any] | None = None,
        /,
        **keywords: Unpack[WritableOptions],
    ) -> None:
        Stream.__init__(self)
        if options is not None or keywords:
            apply_options(self, merge_options(WRITABLE_OPTIONS, options, keywords))

    def _make_writable_state(
        self, high_water_mark: int | None = None, *, object_mode: bool = False
    ) -> WritableState:
        if high_water_mark is None:
            high_water_mark = self._default_writable_mark
        if high_water_mark is None:
            high_water_mark = get_default_high_water_mark(object_mode)
        state = self._writable_state = WritableState(
            high_water_mark, self._wrote, object_mode=object_mode
        )
        state.quiet = self._life is _ALIVE and not object_mode
        return state

    # What an implementation defines.

    def _write(
        self, chunk: Any, encoding: str, callback: Callable[..., None]
    ) -> object:
        """Write one chunk. May be an `async def`.

        Args:
            chunk: Bytes; text with `decode_strings=False`; anything in object mode.
            encoding: Of a text chunk, ``buffer`` for bytes.
            callback: To be called once, with None or the error.
        """
        raise MethodNotImplementedError("_write()")

    def _writev(
        self, chunks: list[tuple[Any, str]], callback: Callable[..., None]
    ) -> object:
        """Write several chunks at once; optional. May be an `async def`.

        Args:
            chunks: Pairs of chunk and encoding.
            callback: To be called once, with None or the error.
        """
        raise MethodNotImplementedError("_writev()")

    def _has_writev(self) -> bool:
        return type(self)._writev is not Writable._writev or "_writev" in self.__dict__

    def _final(self, callback: Callable[..., None]) -> object:
        """Do what is left after the last chunk. May be an `async def`.

        Args:
            callback: To be called once, with None or the error; then ``finish``.
        """
        callback(None)
        return None

    # What a producer calls.

    def write(
        self,
        chunk: Any,
        encoding: "str | WriteCallback | None" = None,
        callback: "WriteCallback | None" = None,
    ) -> bool:
        """Write `chunk`, now or after those before it.

        Args:
            chunk: Bytes, bytearray, memoryview or text; all but None in object mode.
            encoding: Of a text chunk, UTF-8 by default. A callable is the callback.
            callback: Called with None when the chunk is written, with an error if it
                never will be; never from inside `write()`.

        Returns:
            False when the caller should wait for ``drain``. The chunk is accepted all
            the same.

        Raises:
            NullValuesError: If `chunk` is None.
            InvalidArgTypeError: If `chunk` or `callback` has a wrong type.
            UnknownEncodingError: If there is no such encoding.

        Events:
            error: `WriteAfterEndError` after `end()`.

        Source: H-006, H-163.
        """
        state = self._writable_state
        if (
            state is None
            or not state.quiet
            or state.writing
            or encoding is not None
            or callback is not None
            or type(chunk) is not bytes
        ):
            return _writing.write(self, chunk, encoding, callback)
        # What `_writing.write` does for most chunks, without a call of its own.
        length = len(chunk)
        state.length = state.writing_length = length
        room = length < state.high_water_mark
        if not room:
            state.need_drain = True
            state.quiet = False
        state.writing = state.calling = True
        try:
            result = self._write(chunk, "buffer", state.callback)
        except Exception as error:
            state.calling = False
            _writing.raised(self, state, error)
        else:
            state.calling = False
            if result is not None:
                _writing.returned(self, result)
        return room and (state.quiet or self._life is _ALIVE)

    def _wrote(self, error: BaseException | None = None, _value: object = None) -> None:
        """Be the callback of `_write` and `_writev`."""
        state = self._writable_state
        if error is None and state is not None and state.quiet and state.writing:
            state.writing = False
            state.length = 0
        else:
            _writing.wrote(self, state, error)

    def _refuse(
        self, state: WritableState, callback: "WriteCallback | None"
    ) -> Exception:
        """Tell that a write comes too late; with an event unless already destroyed."""
        error: Exception
        if state.side is _OPEN:
            error = StreamDestroyedError("write")
        else:
            error = WriteAfterEndError()
        loop = self.loop()
        if callback is not None:
            loop.next_tick_for(self._owner, callback, error)
        if not self.destroyed:
            fail(self, error)
        return error

    def end(
        self,
        chunk: "Any | WriteCallback | None" = None,
        encoding: "str | WriteCallback | None" = None,
        callback: "WriteCallback | None" = None,
    ) -> Self:
        """Write `chunk`, if given, and then nothing more.

        Args:
            chunk: As for `write()`. A callable here or in `encoding` is the callback.
            encoding: As for `write()`.
            callback: Called with None at ``finish``, else with the error.

        Returns:
            The stream.

        Raises:
            InvalidArgTypeError: If an argument has a wrong type.

        Source: H-163.
        """
        state = self._writable_state
        if state is None:
            state = self._make_writable_state()
        if callable(chunk):
            chunk, encoding, callback = None, None, chunk
        elif callable(encoding):
            encoding, callback = None, encoding
        if callback is not None and not callable(callback):
            raise InvalidArgTypeError("callback", "callable", callback)
        if state.side is _OPEN and not self.destroyed and self._errored is None:
            self._begin_end(state, chunk, encoding, callback)
            return self
        error: Any = self._why_not_end(state)
        if chunk is not None:
            error = self._refuse(state, None)
        if callback is not None and error is None:
            state.on_finish.append(callback)
        elif callback is not None:
            self.loop().next_tick_for(self._owner, callback, error)
        return self

    def _begin_end(
        self,
        state: WritableState,
        chunk: Any,
        encoding: str | None,
        callback: "WriteCallback | None",
    ) -> None:
        if callback is not None:
            # First: if the last write fails at once, this one is told in its turn.
            state.on_finish.append(callback)
        try:
            if chunk is not None:
                self.write(chunk, encoding)
        except BaseException:
            if callback is not None:
                state.on_finish.remove(callback)
            raise
        if state.corked:
            state.corked = 1
            self.uncork()
        if state.side is _OPEN and not self.destroyed:
            state.side = advance(WRITING, state.side, _END)
            state.quiet = False
            if not state.length and not state.writing and not state.written_due:
                # With a tick, so that listeners added after `end()` see all of it.
                self.loop().next_tick_for(
                    self._owner, _writing.finish_when_flushed, self, state
                )

    def _why_not_end(self, state: WritableState) -> BaseException | None:
        """Return what speaks against ending; None after a mere second `end()`."""
        if state.side is _FINISHED:
            return AlreadyFinishedError()
        if self.destroyed or self._errored is not None:
            return self._errored or StreamDestroyedError("end")
        return None

    def cork(self) -> None:
        """Hold what is written until `uncork()` was called as often. Source: H-163."""
        state = self._writable_state or self._make_writable_state()
        state.corked += 1
        state.quiet = False

    def uncork(self) -> None:
        """Undo one `cork()`."""
        state = self._writable_state
        if state is not None and state.corked:
            state.corked -= 1
            _writing.clear_queue(self, state)

    def set_default_encoding(self, encoding: str) -> Self:
        """Set the encoding of text that is written without one.

        Raises:
            UnknownEncodingError: If there is no such encoding.
        """
        state = self._writable_state or self._make_writable_state()
        state.default_encoding = normalize(encoding)
        return self

    def pipe(self, destination: Any, *, end: bool = True) -> Any:
        """Fail: a stream that is only writable has nothing to give."""
        fail(self, CannotPipeError())
        return destination

    async def drain(self) -> None:
        """Wait until writing may go on; return at once if it may.

        Raises:
            BaseException: The error that destroyed the stream.
            StreamDestroyedError: If it was destroyed without one.
            PrematureCloseError: If it closes while waiting.

        When cancelled, nothing is left behind.
        """
        from headrace.streams._drain import drain

        await drain(self)

    # What can be asked.

    @property
    def writable(self) -> bool:
        """Whether `write()` is welcome: not ended, not failed, not destroyed."""
        if self._life is not _ALIVE and self._life is not _CONSTRUCTING:
            return False
        state = self._writable_state
        return state is None or state.side is _OPEN

    @property
    def writable_ended(self) -> bool:
        """Whether `end()` was called."""
        state = self._writable_state
        return state is not None and state.side not in (_OPEN, _ABSENT)

    @property
    def writable_finished(self) -> bool:
        """Whether all was written and ``finish`` is emitted."""
        state = self._writable_state
        return state is not None and state.side is _FINISHED

    @property
    def writable_length(self) -> int:
        """What was accepted and not written: bytes or objects."""
        state = self._writable_state
        return 0 if state is None else state.length

    @property
    def writable_high_water_mark(self) -> int:
        """The length from which on `write()` returns False."""
        return (self._writable_state or self._make_writable_state()).high_water_mark

    @property
    def writable_need_drain(self) -> bool:
        """Whether `write()` returned False and ``drain`` is still to come."""
        state = self._writable_state
        return (
            state is not None
            and state.need_drain
            and state.side is _OPEN
            and not self.destroyed
        )

    @property
    def writable_corked(self) -> int:
        """How many `uncork()` are owed."""
        state = self._writable_state
        return 0 if state is None else state.corked

    @property
    def writable_object_mode(self) -> bool:
        """Whether chunks are objects."""
        state = self._writable_state
        return state is not None and state.object_mode

    @property
    def writable_aborted(self) -> bool:
        """Whether the stream was destroyed, or failed, before ``finish``."""
        failed = self.destroyed or self._errored is not None
        return failed and not self.writable_finished

    # What the other rooms call.

    def _opened(self) -> None:
        super()._opened()
        state = self._writable_state
        if state is not None:
            _writing.clear_queue(self, state)
            _writing.come_to_rest(self, state)
            _writing.finish_when_flushed(self, state)

    def _drop_buffers(self) -> None:
        super()._drop_buffers()
        if self._writable_state is not None:
            _writing.drop(self, self._writable_state)

    def _after_finish(self) -> None:
        """Close when both sides are done; a Duplex knows about its other one."""
        if self._auto_destroy:
            self.destroy()
