"""`async for` over a Readable.

Source: X-112.
"""

from typing import TYPE_CHECKING, Any, Self

from headrace.streams._end_of_stream import watch

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from headrace.streams._readable import Readable

__all__ = ["ReadableIterator", "Reader"]


class ReadableIterator:
    """Gives what `read()` gives; stops at ``end``, raises the stream's error.

    No async generator: one of these, left by `break`, would be closed by the loop some
    time later, and this destroys its stream at once, when the loop lets go of it.
    """

    __slots__ = ("_reader",)

    def __init__(self, stream: "Readable", *, destroy_on_return: bool) -> None:
        self._reader = Reader(stream, destroys=destroy_on_return)

    def __aiter__(self) -> Self:
        return self

    def __anext__(self) -> "Coroutine[Any, Any, Any]":
        return self._reader.next(holder=self)

    async def aclose(self) -> None:
        """Leave the loop: destroy the stream unless it has ended."""
        self._reader.close()

    def __del__(self) -> None:
        self._reader.close()


class Reader:
    """The listeners of one who reads: the stream knows these, and not the iterator.

    Args:
        stream: What to read.
        destroys: Whether `close` before the end destroys the stream.
        gives_up: Whether a cancelled `next` closes.
    """

    __slots__ = (
        "_destroys",
        "_done",
        "_error",
        "_gives_up",
        "_parked",
        "_stop",
        "_stream",
    )

    def __init__(
        self, stream: "Readable", *, destroys: bool, gives_up: bool = True
    ) -> None:
        self._stream = stream
        self._destroys = destroys
        self._gives_up = gives_up
        self._parked: list[Any] = []  # who sleeps in `next`
        self._done = False
        self._error: BaseException | None = None
        self._stop: Callable[[], None] | None = None

    async def next(self, most: int | None = None, holder: object = None) -> Any:
        """Return the next data, at most as much as is asked for.

        Args:
            most: How much; None for all that is there.
            holder: An iterator that must not be let go while this waits.

        Raises:
            StopAsyncIteration: At the end.
            BaseException: The error of the stream, once.
        """
        if self._stop is None and not self._done:
            self.start()
        try:
            while (chunk := self._read(most)) is None and not self._done:
                await self._stream.loop().park(self._parked)
        except BaseException:
            if self._gives_up:
                self.close()
            raise
        if chunk is not None:
            return chunk
        self.close()
        if self._error is not None:
            error, self._error = self._error, None
            # A task that is being cancelled shall hear of that, and not of an error
            # that another one's cancellation has brought about.
            await self._stream.loop().checkpoint()
            raise error
        raise StopAsyncIteration

    def _read(self, most: int | None) -> Any:
        stream = self._stream
        if stream.destroyed:
            return None
        if most is None or not stream.readable_length:
            # Without a size it also asks for more; what comes at once may be too much.
            return stream.read() if most is None else self._read_new(most)
        return stream.read(min(most, stream.readable_length))

    def _read_new(self, most: int) -> Any:
        self._stream.read(0)
        length = self._stream.readable_length
        return self._stream.read(min(most, length)) if length else None

    def start(self) -> None:
        """Listen; the stream gives its data to `next` from now on."""
        self._stream.on("readable", self._wake)
        self._stop = watch(self._stream, self._on_done, writable=False)

    def _wake(self) -> None:
        if self._parked:
            self._stream.loop().wake(self._parked)

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
        self._wake()
