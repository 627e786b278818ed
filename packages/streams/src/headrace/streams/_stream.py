"""Stream: the one base that holds the state of both sides."""

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

from headrace.events import EventEmitter
from headrace.events import loop as events_loop
from headrace.streams import _destroy
from headrace.streams._state import Life, Reading, Writing

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from headrace.events.loop import Loop, Owner
    from headrace.streams._events import StreamEvents
    from headrace.streams._hooks import HookTask
    from headrace.streams._readable_state import ReadableState
    from headrace.streams._writable_state import WritableState
else:
    StreamEvents = EventEmitter

__all__ = ["Stream"]

_OPEN: Final = Life.OPEN
_CONSTRUCTING: Final = Life.CONSTRUCTING
_FAILED: Final = Life.FAILED
_CLOSED: Final = Life.CLOSED
_ABSENT: Final = Reading.ABSENT
_WRITING_ABSENT: Final = Writing.ABSENT


class Stream(StreamEvents):
    """What every stream is: an emitter that can be destroyed, fail and close.

    The states of the readable and of the writable side are made when they are first
    needed, so that a stream nobody uses costs a few slots.

    Events:
        error (error): at most once, before ``close``.
        close (): exactly once, last.

    Source: H-164.
    """

    # Two bases with slots of their own cannot be combined, and Duplex is both Readable
    # and Writable: all slots are here.
    __slots__ = (
        "_errored",
        "_life",
        "_loop",
        "_owner",
        "_readable_state",
        "_tasks",
        "_writable_state",
    )

    #: Whether the class defines `_construct`.
    _has_construct: ClassVar[bool] = False
    #: Whether the stream destroys itself after its end and after an error.
    _auto_destroy: bool = True
    #: Whether ``close`` always follows, also if the stream does without our machinery.
    _closes_by_itself: ClassVar[bool] = False
    #: Which sides the class has; a Duplex can be made without one of them.
    _has_readable: ClassVar[bool] = False
    _has_writable: ClassVar[bool] = False

    def __init__(self) -> None:
        self._life = _OPEN
        self._errored: BaseException | None = None
        self._loop: Loop | None = None
        self._owner: Owner | None = None
        self._readable_state: ReadableState | None = None
        self._writable_state: WritableState | None = None
        self._tasks: list[HookTask] | None = None
        if self._has_construct:
            _destroy.construct(self)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._has_construct = cls._construct is not Stream._construct

    def __repr__(self) -> str:
        parts = [f"<{type(self).__name__} {self._life.name.lower()}"]
        if self._readable_state is not None:
            parts.append(f"readable={self._readable_state}")
        if self._writable_state is not None:
            parts.append(f"writable={self._writable_state}")
        if self._errored is not None:
            parts.append(f"errored={self._errored!r}")
        return " ".join(parts) + ">"

    def __rejection__(self, error: Exception, event: Hashable, *args: object) -> None:
        """Fail with the exception of an async listener; the first counts (H-150)."""
        if self.destroyed and self.errored is None:
            self.loop().report(error, self, self._owner)
        else:
            self.destroy(error)

    def loop(self) -> "Loop":
        """Return the loop this stream belongs to: the one where it was first used.

        Raises:
            RuntimeError: If the stream belongs to none yet and none is running.
        """
        loop = self._loop
        if loop is None:
            loop = self._loop = events_loop.current()
        return loop

    @property
    def destroyed(self) -> bool:
        """Whether `destroy()` was called, by the user or by the stream itself."""
        life = self._life
        return life is not _OPEN and life is not _CONSTRUCTING and (life is not _FAILED)

    @property
    def closed(self) -> bool:
        """Whether ``close`` was emitted."""
        return self._life is _CLOSED

    @property
    def errored(self) -> BaseException | None:
        """The error that destroyed the stream, or None."""
        return self._errored

    def destroy(self, error: BaseException | None = None) -> Self:
        """Drop what is buffered and close; a second call does nothing.

        Args:
            error: Emitted as ``error`` before ``close``.

        Returns:
            The stream.

        Raises:
            InvalidArgTypeError: If `error` is neither an exception nor None.

        Source: H-164.
        """
        _destroy.destroy(self, error)
        return self

    def _construct(self, callback: "Callable[..., None]") -> object:
        """Prepare the stream; nothing is read or written before it calls back.

        May be an `async def`.

        Args:
            callback: To be called once, with None or the error.
        """
        callback(None)
        return None

    def _destroy(
        self, error: BaseException | None, callback: "Callable[..., None]"
    ) -> object:
        """Free what the stream holds.

        May be an `async def`; one that returns has swallowed the error, one that raises
        replaces it.

        Args:
            error: Why, or None.
            callback: To be called once with the error to emit, or None.
        """
        callback(error)
        return None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: "type[BaseException] | None",
        error: BaseException | None,
        traceback: "TracebackType | None",
    ) -> None:
        """Destroy the stream, without an error. Source: X-121."""
        self.destroy()

    def _close_ended(self) -> None:
        """Close after the end, without `_destroy`: for a class that frees nothing."""
        _destroy.close_ended(self)

    def _emit_close(self) -> None:
        """Emit ``close``; a class whose ``close`` has arguments overrides it."""
        self.emit("close")

    def _is_readable_side(self) -> bool:
        """Return whether the stream has a readable side."""
        state = self._readable_state
        return self._has_readable and (state is None or state.side is not _ABSENT)

    def _is_writable_side(self) -> bool:
        """Return whether the stream has a writable side."""
        state = self._writable_state
        return self._has_writable and (
            state is None or state.side is not _WRITING_ABSENT
        )

    def _reopen(self) -> None:
        """Begin a new life after ``close``: for a socket that connects again."""
        _destroy.reopen(self)

    def _opened(self) -> None:
        """Go on with what has waited for `_construct`."""

    def _drop_buffers(self) -> None:
        """Forget what is unread, fail what is unwritten."""

    def _hook_tasks(self) -> "list[HookTask]":
        """Return the `async def` hooks that run, to be changed in place."""
        tasks = self._tasks
        if tasks is None:
            tasks = self._tasks = []
        return tasks

    def _cancel_hooks(self) -> None:
        """End the `async def` hooks that still run."""
        tasks, self._tasks = self._tasks, None
        for task in tasks or ():
            task.cancel()
