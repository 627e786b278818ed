"""`async for` over a Readable.

Source: X-112.
"""

from typing import TYPE_CHECKING, Any, Self

from headrace.streams._end_of_stream import watch

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from headrace.events.loop import Waiter
    from headrace.streams._readable import Readable

__all__ = ["ReadableIterator"]


class ReadableIterator:
    """Gives what `read()` gives; stops at ``end``, raises the stream's error.

    No async generator: one of these, left by `break`, would be closed by the loop some
    time later, and this destroys its stream at once, when the loop lets go of it.
    """

    __slots__ = ("_reader",)

    def __init__(self, stream: "Readable", *, destroy_on_return: bool) -> None:
        self._reader = _Reader(stream, destroys=destroy_on_return)

    def __aiter__(self) -> Self:
        return self

    def __anext__(self) -> "Coroutine[Any, Any, Any]":
        return self._reader.next()

    async def aclose(self) -> None:
        """Leave the loop: destroy the stream unless it has ended."""
        self._reader.close()

    def __del__(self) -> None:
        self._reader.close()


class _Reader:
    """The listeners of an iterator: the stream knows these, and not the iterator."""

    __slots__ = ("_destroys", "_done", "_error", "_stop", "_stream", "_waiter")

    def __init__(self, stream: "Readable", *, destroys: bool) -> None:
        self._stream = stream
        self._destroys = destroys
        self._waiter: Waiter[None] | None = None
        self._done = False
        self._error: BaseException | None = None
        self._stop: Callable[[], None] | None = None

    async def next(self) -> Any:
        if self._stop is None and not self._done:
            self._start()
        stream = self._stream
        try:
            while True:
                chunk = None if stream.destroyed else stream.read()
                if chunk is not None:
                    return chunk
                if self._done:
                    break
                self._waiter = stream.loop().waiter()
                await self._waiter.wait()
        except BaseException:
            self.close()
            raise
        self.close()
        if self._error is not None:
            error, self._error = self._error, None
            raise error
        raise StopAsyncIteration

    def _start(self) -> None:
        self._stream.on("readable", self._wake)
        self._stop = watch(self._stream, self._on_done, writable=False)

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None:
            waiter.set()

    def _on_done(self, error: BaseException | None) -> None:
        self._done = True
        self._error = error
        self._wake()

    def close(self) -> None:
        """Take the listeners off; destroy the stream if it was left early."""
        stop, self._stop = self._stop, None
        if stop is not None:
            stop()
            self._stream.off("readable", self._wake)
            if self._destroys and not self._done:
                self._stream.destroy()
        self._done = True
