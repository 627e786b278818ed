"""`once` and `on`: events for `await` and `async for`.

Both listen from the call on, so nothing that is emitted before the `await` is lost.
What listens and what the caller holds are two objects: the emitter keeps the first
alive, and when the caller lets go of the second (a `break`, a cancellation, a coroutine
that is never awaited) it removes the listeners.
"""

from collections import deque
from collections.abc import AsyncIterator, Coroutine, Hashable, Iterable
from types import TracebackType
from typing import Any, Generic, Self, TypeVar
from weakref import ref

from headrace.events import loop
from headrace.events._emitter import (
    EventEmitter,
    Listener,
    check_emitter,
    exception_from,
)
from headrace.events._errors import InvalidArgTypeError, OutOfRangeError

A_co = TypeVar("A_co", bound=tuple[Any, ...], covariant=True)


def once(
    emitter: EventEmitter, event: Hashable
) -> Coroutine[Any, Any, tuple[Any, ...]]:
    """Wait for the next `event`; it counts from this call on, not from the `await`.

    Listens to ``error``, too, unless that is the event. Cancelled or not, no listener
    is left.

    Returns:
        A coroutine that gives the arguments of the event.

    Raises:
        InvalidArgTypeError: If `emitter` is no EventEmitter or `event` not hashable.
        BaseException: The ``error`` that came first, from the `await`.

    Source: X-090.
    """
    check_emitter(emitter)
    arrival = _Arrival(emitter)
    arrival.listen(emitter, event, arrival.succeed)
    if event != "error":
        arrival.listen(emitter, "error", arrival.fail)
    return _arrived(_Hold(emitter, arrival), arrival)


async def _arrived(hold: "_Hold", arrival: "_Arrival") -> tuple[Any, ...]:
    try:
        return await arrival.waiter.wait()
    finally:
        hold.let_go()


def on(
    emitter: EventEmitter,
    event: Hashable,
    *,
    close: Iterable[Hashable] = (),
    high_water_mark: int | None = None,
    low_water_mark: int = 1,
) -> "EventIterator[tuple[Any, ...]]":
    """Iterate over the arguments of each `event`, from this call on.

    Events between two steps are kept. An ``error`` (unless it is the event) raises and
    the events in `close` end the iteration, both after what was emitted before them.

    Args:
        emitter: Where to listen.
        event: What to listen to.
        close: The events that end the iteration.
        high_water_mark: How many events may wait; with one more, ``emitter.pause()``
            is called. By default any number.
        low_water_mark: With fewer events waiting, ``emitter.resume()`` is called.

    Raises:
        InvalidArgTypeError: If an argument has the wrong type, or if there is a high
            mark but no `pause` and `resume`.
        OutOfRangeError: If a mark is less than 1.

    Source: X-091.
    """
    check_emitter(emitter)
    if isinstance(close, str) or not isinstance(close, Iterable):
        raise InvalidArgTypeError("close", "a list of events", close)
    if high_water_mark is not None:
        _check_mark("high_water_mark", high_water_mark)
        if not hasattr(emitter, "pause") or not hasattr(emitter, "resume"):
            expected = "an EventEmitter with pause() and resume()"
            raise InvalidArgTypeError("emitter", expected, emitter)
    _check_mark("low_water_mark", low_water_mark)
    backlog = _Backlog(emitter, high_water_mark, low_water_mark)
    iterator: EventIterator[tuple[Any, ...]] = EventIterator(emitter, backlog)
    backlog.listen(emitter, event, backlog.push)
    if event != "error":
        backlog.listen(emitter, "error", backlog.fail)
    for name in close:
        backlog.listen(emitter, name, backlog.end)
    return iterator


def _check_mark(name: str, mark: object) -> None:
    if isinstance(mark, bool) or not isinstance(mark, int):
        raise InvalidArgTypeError(name, "an integer", mark)
    if mark < 1:
        raise OutOfRangeError(name, "1 or more", mark)


class EventIterator(AsyncIterator[A_co], Generic[A_co]):
    """The events of an emitter, for `async for`; made by `on`.

    Leaving the loop lets go of the iterator and so removes its listeners. One that is
    kept in a variable is closed by `aclose`, or by being an async context manager.
    Cancelling a step loses no event.
    """

    __slots__ = ("_backlog", "_hold")

    def __init__(self, emitter: EventEmitter, backlog: "_Backlog") -> None:
        self._backlog = backlog
        self._hold = _Hold(emitter, backlog)

    async def __anext__(self) -> A_co:
        try:
            if self._backlog.is_ready:
                # A source that is always ahead must not shut out everybody else.
                await loop.checkpoint()
            while not self._backlog.is_ready:
                await self._backlog.wait()
            arguments: A_co = self._backlog.take()
        except BaseException:
            # Whoever keeps the traceback must not keep the iterator listening.
            del self
            raise
        return arguments

    async def aclose(self) -> None:
        """End the iteration, forget what waits and remove the listeners."""
        self._backlog.forget()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()


class _Listening:
    """Some listeners, all removed by `stop`; the emitter keeps this, not vice versa."""

    __slots__ = ("_added", "_emitter")

    def __init__(self, emitter: EventEmitter) -> None:
        self._emitter = ref(emitter)
        self._added: list[tuple[Hashable, Listener]] = []

    def listen(
        self, emitter: EventEmitter, event: Hashable, listener: Listener
    ) -> None:
        emitter.on(event, listener)
        self._added.append((event, listener))

    def stop(self) -> None:
        emitter = self._emitter()
        added, self._added = self._added, []
        if emitter is not None:
            for event, listener in added:
                emitter.off(event, listener)


class _Hold:
    """What the caller holds: keeps the emitter, and stops the listening at its end."""

    __slots__ = ("_emitter", "_listening")

    def __init__(self, emitter: EventEmitter, listening: _Listening) -> None:
        self._emitter = emitter
        self._listening = listening

    def let_go(self) -> None:
        self._listening.stop()

    def __del__(self) -> None:
        self._listening.stop()


class _Arrival(_Listening):
    """Waits for one event or an ``error``; the first one removes both listeners."""

    __slots__ = ("waiter",)

    def __init__(self, emitter: EventEmitter) -> None:
        super().__init__(emitter)
        self.waiter: loop.Waiter[tuple[Any, ...]] = loop.Waiter()

    def succeed(self, *args: Any) -> None:
        self.stop()
        self.waiter.set(args)

    def fail(self, *args: Any) -> None:
        self.stop()
        self.waiter.fail(exception_from(args))


class _Backlog(_Listening):
    """The events that no step has taken yet, and how the iteration ends."""

    __slots__ = (
        "_error",
        "_high",
        "_is_ended",
        "_is_paused",
        "_low",
        "_next",
        "waiting",
    )

    def __init__(self, emitter: EventEmitter, high: int | None, low: int) -> None:
        super().__init__(emitter)
        self.waiting: deque[tuple[Any, ...]] = deque()
        self._high, self._low = high, low
        self._next: loop.Waiter[None] = loop.Waiter()
        self._error: BaseException | None = None
        self._is_ended = self._is_paused = False

    @property
    def is_ready(self) -> bool:
        return bool(self.waiting) or self._is_ended

    async def wait(self) -> None:
        if self._next.is_set:
            self._next = loop.Waiter()
        await self._next.wait()

    def push(self, *args: Any) -> None:
        self.waiting.append(args)
        self._next.set()
        if (
            self._high is not None
            and not self._is_paused
            and len(self.waiting) > self._high
        ):
            self._pause()

    def fail(self, *args: Any) -> None:
        self._error = exception_from(args)
        self.end()

    def end(self, *_: Any) -> None:
        self._is_ended = True
        self.stop()
        self._next.set()

    def forget(self) -> None:
        self.waiting.clear()
        self._error = None
        self.end()

    def take(self) -> Any:
        if not self.waiting:
            error, self._error = self._error, None
            raise StopAsyncIteration if error is None else error
        args = self.waiting.popleft()
        if self._is_paused and len(self.waiting) < self._low:
            self._resume()
        return args

    def _pause(self) -> None:
        self._is_paused = True
        emitter: Any = self._emitter()  # it is emitting: it is there
        emitter.pause()

    def _resume(self) -> None:
        self._is_paused = False
        emitter: Any = self._emitter()  # the iterator that takes holds it
        emitter.resume()
