"""Streams made of iterables.

Source: X-113.
"""

from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Callable,
    Iterable,
    Iterator,
    Mapping,
)
from typing import TYPE_CHECKING, Any

from headrace.streams._destroy import fail
from headrace.streams._errors import InvalidArgTypeError, NullValuesError
from headrace.streams._readable import Readable

if TYPE_CHECKING:
    from headrace.events.loop import Task, Waiter

__all__ = ["readable_from"]


def readable_from(
    iterable: Any, options: Mapping[str, Any] | None, keywords: Mapping[str, Any]
) -> Readable:
    """Return a stream of what `iterable` yields; see `Readable.from_`."""
    # Objects, and one at a time: what nobody asks for is not made.
    merged = {"object_mode": True, "high_water_mark": 1, **(options or {}), **keywords}
    if isinstance(iterable, str | bytes | bytearray | memoryview):
        iterable = (iterable,)
    if isinstance(iterable, AsyncIterable):
        return _AsyncSource(aiter(iterable), merged)
    if isinstance(iterable, Iterable):
        return _Source(iter(iterable), merged)
    raise InvalidArgTypeError("iterable", "an iterable", iterable)


class _Source(Readable):
    """Asks a plain iterator for each chunk."""

    def __init__(self, iterator: Iterator[Any], options: Mapping[str, Any]) -> None:
        super().__init__(options)
        self._iterator = iterator

    def _read(self, size: int) -> None:
        try:
            chunk = next(self._iterator)
        except StopIteration:
            self.push(None)
        else:
            if chunk is None:
                raise NullValuesError
            self.push(chunk)

    def _destroy(
        self, error: BaseException | None, callback: Callable[..., None]
    ) -> None:
        close = getattr(self._iterator, "close", None)
        # A generator that destroys its own stream runs, and ends by itself.
        if close is not None and not getattr(self._iterator, "gi_running", False):
            close()
        callback(error)


class _AsyncSource(Readable):
    """Asks an async iterator for each chunk, and closes it in the same task.

    One task for all steps: a generator may hold a task group or a cancel scope open
    from one `yield` to the next, and these must be left where they were entered.
    """

    def __init__(
        self, iterator: AsyncIterator[Any], options: Mapping[str, Any]
    ) -> None:
        super().__init__(options)
        self._iterator = iterator
        self._task: Task | None = None
        self._asking = False  # the iterator is at work
        self._room: Waiter[None] | None = None  # while nobody wants more
        self._close_error: Exception | None = None

    def _read(self, size: int) -> None:
        if self._task is None:
            self._task = self.loop().spawn(self._run(), owner=self._owner)
        elif self._room is not None:
            self._room.set()

    async def _run(self) -> None:
        try:
            while not self.destroyed:
                self._asking = True
                try:
                    chunk = await anext(self._iterator)
                except StopAsyncIteration:
                    self.push(None)
                    return
                finally:
                    self._asking = False
                if chunk is None:
                    raise NullValuesError
                if not self.push(chunk) and not self.destroyed:
                    await self._wait_for_room()
        except Exception as error:
            fail(self, error)
        finally:
            try:
                await self._close()
            except Exception as error:
                # `_destroy` waits for this task, and has the stream's own error.
                self._close_error = error
                fail(self, error)

    async def _wait_for_room(self) -> None:
        self._room = self.loop().waiter()
        try:
            await self._room.wait()
        finally:
            self._room = None

    async def _close(self) -> None:
        close = getattr(self._iterator, "aclose", None)
        if close is None:
            return
        try:
            await close()
        except BaseExceptionGroup as group:
            # A task group of trio wraps the GeneratorExit that passes through it.
            rest = group.split(GeneratorExit)[1]
            if rest is not None:
                raise rest from None

    async def _destroy(
        self, error: BaseException | None, callback: Callable[..., None]
    ) -> None:
        if self._task is None:
            await self._close()
        else:
            if self._room is not None:
                self._room.set()
            elif self._asking:
                self._task.cancel()
            await self._task.wait()
        reason = error or self._close_error
        if reason is not None:
            raise reason
