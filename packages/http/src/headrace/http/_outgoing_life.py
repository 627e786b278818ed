"""The life of a message that we write: how its bytes get to its wire, and how it ends.

`_outgoing.py` has what is written.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Self

from headrace.events import specialized
from headrace.http._framing import Framing
from headrace.http._header_queue import (
    ENDED,
    FINISHED,
    NO_FIELDS,
    NO_NAMES,
    OPEN,
    HeaderQueue,
)
from headrace.http._listeners import forget_listeners
from headrace.http._wire import HIGH_WATER_MARK
from headrace.streams import (
    AlreadyFinishedError,
    CannotPipeError,
    Stream,
    StreamDestroyedError,
    WriteAfterEndError,
)

if TYPE_CHECKING:
    from headrace.http._wire import Wire
    from headrace.net import Socket

Callback = Callable[..., object]

# Members of an Enum are slow to look up on the hot path (Python 3.11).
_UNDECIDED: Final = Framing.UNDECIDED

# What a message emits by itself.
_EVENTS: Final = frozenset(
    ("close", "drain", "error", "finish", "pipe", "prefinish", "timeout", "unpipe")
)


class HeldChunks(list[bytes]):
    """Chunks that cannot be sent yet, with their size and their callbacks."""

    __slots__ = ("callbacks", "size")

    def __init__(self) -> None:
        self.size = 0
        self.callbacks: list[Callback] = []

    def add(self, data: bytes) -> None:
        """Append a chunk."""
        self.append(data)
        self.size += len(data)


class OutgoingLife(HeaderQueue):
    """A message from the moment it wants a wire to its ``close``.

    Source: H-054, H-056, H-057, H-071.
    """

    __slots__ = (
        "_body_written",
        "_close_emitted",
        "_corked",
        "_corked_chunks",
        "_declared",
        "_end_callbacks",
        "_framing",
        "_gone",
        "_held",
        "_held_callbacks",
        "_need_drain",
        "_trailers",
        "_wire",
        "strict_content_length",
    )

    # What few messages change, and only slow paths read, lives on the class.
    #: Raise on a body where none is allowed (X-019).
    reject_non_standard_body_writes: bool = False
    _high_water_mark: int = HIGH_WATER_MARK
    #: Whether nobody has asked for a certain mark.
    _mark_moves: bool = True
    #: What a write behind `end` is to be told, and its callback, until they are.
    _late: tuple[Exception, Callback | None] | None = None

    # Without a stream's options: two calls less per message.
    _init_stream = specialized(Stream.__init__)

    def __init__(self) -> None:
        self._init_stream()
        # Of the head; see `HeaderQueue`.
        self._stage = OPEN
        self._fields = NO_FIELDS
        self._lines = None
        self._text = None
        self._removed = NO_NAMES
        self.unique_headers = NO_NAMES
        # Configuration.
        #: Raise on a body that does not match Content-Length (X-030).
        self.strict_content_length = False
        # Of the message.
        self._framing = _UNDECIDED
        self._declared: int | None = None  # Content-Length, where the body has one
        self._body_written = 0
        self._trailers = ""
        self._corked = 0
        self._corked_chunks: HeldChunks | None = None
        self._end_callbacks: list[Callback] | None = None
        self._gone = False
        self._close_emitted = False
        # Of the connection.
        self._wire: Wire | None = None
        self._need_drain = False
        # What is written before it is this message's turn on the wire.
        self._held: HeldChunks | None = None
        self._held_callbacks: list[Callback] | None = None

    # The wire --------------------------------------------------------------------

    def _attach(self, wire: Wire) -> None:
        """Take the wire: it is this message's turn to be sent."""
        self._wire = wire
        held, self._held = self._held, None
        callbacks, self._held_callbacks = self._held_callbacks, None
        for data in held or ():
            wire.put(data)
        for callback in callbacks or ():
            wire.after_flush(callback)

    def _put(self, data: bytes) -> None:
        wire = self._wire
        if wire is not None:
            wire.put(data)
        else:
            self._hold_back(data)

    def _hold_back(self, data: bytes) -> None:
        """Keep bytes until this message has the wire."""
        if self._held is None:
            self._held = HeldChunks()
        self._held.add(data)

    def _after_flush(self, callback: Callback) -> None:
        wire = self._wire
        if wire is not None:
            wire.after_flush(callback)
        elif self._held_callbacks is None:
            self._held_callbacks = [callback]
        else:
            self._held_callbacks.append(callback)

    def _hold_end(self, data: bytes) -> None:
        """Keep the last bytes until this message has the wire."""
        if data:
            self._hold_back(data)
        self._after_flush(self._all_flushed)

    def _drain(self) -> None:
        """Emit ``drain`` if someone was told to wait for it."""
        if not self._need_drain or self._stage >= ENDED or self._gone:
            return
        wire = self._wire
        if wire is not None:
            mark = wire.next_mark(self._high_water_mark)
            if mark is None:  # others first
                return
            if self._mark_moves:
                self._high_water_mark = mark
        self._need_drain = False
        self.emit("drain")

    def _all_flushed(self, error: Exception | None) -> None:
        """Finish: everything up to the end is with the operating system."""
        if error is not None or self._gone:
            return
        self._stage = FINISHED
        self._need_drain = False
        if not (self._listeners or self._end_callbacks):
            self._finished()  # there is nobody to tell
            return
        try:
            self._emit_finish()
        finally:
            self._finished()

    def _emit_finish(self) -> None:
        """Tell whoever waits that everything is with the operating system."""
        listeners = self._listeners
        if "prefinish" in listeners:
            self.emit("prefinish")
        if "finish" in listeners:
            self.emit("finish")
        callbacks, self._end_callbacks = self._end_callbacks, None
        for callback in callbacks or ():
            callback(None)

    def _finished(self) -> None:
        """Tell the owner that this message is out; subclasses override."""

    def _on_finish(self, callback: Callback) -> None:
        if self._end_callbacks is None:
            self._end_callbacks = []
        self._end_callbacks.append(callback)

    # Refusals and the end --------------------------------------------------------

    def _refuse_write(self, callback: Callback | None) -> bool:
        """Answer a write that comes too late (H-054)."""
        if self._stage >= ENDED and not self._gone:
            self._note_late(callback)
        elif callback is not None:
            self._next_tick(callback, StreamDestroyedError("write"))
        return False

    def _note_late(self, callback: Callback | None) -> None:
        """Fail a call behind `end` with a later tick, and before ``close`` (H-054)."""
        error = WriteAfterEndError()
        if self._errored is None and not self._close_emitted:
            self._errored = error
            self._late = (error, callback)
            self._next_tick(self._tell_late)
        elif callback is not None:
            self._next_tick(callback, error)

    def _tell_late(self) -> None:
        late, self._late = self._late, None
        if late is None:
            return
        error, callback = late
        if callback is not None:
            callback(error)
        self.emit("error", error)

    def _end_again(self, with_data: bool, callback: Callback | None) -> None:
        """Answer an `end` that is not the first (H-056)."""
        if self._gone:
            if callback is not None:
                self._next_tick(callback, StreamDestroyedError("write"))
        elif with_data:
            self._note_late(callback)
        elif callback is not None:
            if self._stage == FINISHED:
                self._next_tick(callback, AlreadyFinishedError())
            else:
                self._on_finish(callback)

    def _next_tick(self, callback: Callable[..., object], *args: Any) -> None:
        self.loop().next_tick_for(self._owner, callback, *args)

    def _lose(self, error: BaseException | None) -> None:
        """Take note that the connection is gone; callbacks get `error`."""
        self._gone = True
        failure = error or StreamDestroyedError("write")
        for callback in self._held_callbacks or ():
            self._next_tick(callback, failure)
        self._drop_corked(failure)
        for callback in self._end_callbacks or ():
            self._next_tick(callback, failure)
        self._held = self._held_callbacks = self._end_callbacks = None

    def destroy(self, error: BaseException | None = None) -> Self:
        """Give the message up; a request or a response takes its connection along.

        Args:
            error: Emitted as ``error``.
        """
        if not self._gone:
            self._lose(error)
        return super().destroy(error)

    def _drop_corked(self, error: BaseException) -> None:
        """Forget chunks that `cork` has held back."""
        chunks, self._corked_chunks = self._corked_chunks, None
        self._corked = 0
        if chunks is not None:
            for callback in chunks.callbacks:
                self._next_tick(callback, error)

    def _emit_close(self) -> None:
        """Emit ``close``, once; what a listener raises is reported."""
        if not self._close_emitted:
            self._close_emitted = True
            if self._listeners:
                try:
                    if self._late is not None:
                        self._tell_late()
                except Exception as error:
                    self.loop().report(error, self, self._owner)
                try:
                    self.emit("close")
                except Exception as error:
                    self.loop().report(error, self, self._owner)
                forget_listeners(self, _EVENTS)

    # State that readers of streams expect ------------------------------------------

    @property
    def writable(self) -> bool:
        """Whether `write` may still be called."""
        return self._stage < ENDED and not self._gone

    @property
    def writable_ended(self) -> bool:
        """Whether `end` was called."""
        return self._stage >= ENDED

    @property
    def finished(self) -> bool:
        """Whether `end` was called; the old name of `writable_ended` (H-057)."""
        return self._stage >= ENDED

    @property
    def writable_finished(self) -> bool:
        """Whether everything is with the operating system."""
        return self._stage == FINISHED

    @property
    def writable_length(self) -> int:
        """Bytes that were written and are not with the operating system yet."""
        size = 0 if self._corked_chunks is None else self._corked_chunks.size
        wire = self._wire
        if wire is not None:
            return size + (wire.unflushed if self._stage < FINISHED else 0)
        return size + self._held_size()

    def _held_size(self) -> int:
        return 0 if self._held is None else self._held.size

    @property
    def writable_high_water_mark(self) -> int:
        """Bytes waiting from which `write` returns False."""
        return self._high_water_mark

    @property
    def writable_need_drain(self) -> bool:
        """Whether a ``drain`` event is owed."""
        return self._need_drain and not self._gone and self._stage < FINISHED

    @property
    def writable_corked(self) -> int:
        """How many `uncork` calls are missing."""
        return self._corked

    @property
    def destroyed(self) -> bool:
        """Whether the message is over: closed, destroyed, or its connection gone."""
        return self._gone or self._close_emitted

    @property
    def closed(self) -> bool:
        """Whether ``close`` was emitted."""
        return self._close_emitted

    @property
    def socket(self) -> Socket | None:
        """The socket while this message owns it, else None."""
        raise NotImplementedError

    @property
    def connection(self) -> Socket | None:
        """The same as `socket`."""
        return self.socket

    def pipe(self, destination: Any, *, end: bool = True) -> Any:
        """Emit ``error``, ERR_STREAM_CANNOT_PIPE: there is nothing to read (H-057)."""
        self._next_tick(self.emit, "error", CannotPipeError())
        return destination
