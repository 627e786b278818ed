"""Streams made of iterables.

Source: X-113.
"""

from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
from collections.abc import Mapping as MappingABC
from typing import Any

from headrace.streams._errors import InvalidArgTypeError
from headrace.streams._readable import Readable

__all__ = ["readable_from"]


def readable_from(
    cls: type[Readable],
    iterable: Any,
    options: MappingABC[str, Any] | None,
    keywords: MappingABC[str, Any],
) -> Readable:
    """Return a stream of what `iterable` yields; see `Readable.from_`."""
    merged = {"object_mode": True, "high_water_mark": 1, **(options or {}), **keywords}
    if isinstance(iterable, str | bytes | bytearray | memoryview):
        iterable = (iterable,)
    if isinstance(iterable, AsyncIterable):
        return _AsyncIterableReadable(iterable.__aiter__(), merged)
    if isinstance(iterable, Iterable):
        return _IterableReadable(iter(iterable), merged)
    raise InvalidArgTypeError("iterable", "an iterable", iterable)


class _IterableReadable(Readable):
    """Asks a plain iterator for each chunk."""

    def __init__(self, iterator: Iterator[Any], options: MappingABC[str, Any]) -> None:
        super().__init__(options)
        self._iterator = iterator

    def _read(self, size: int) -> None:
        try:
            chunk = next(self._iterator)
        except StopIteration:
            self.push(None)
        else:
            if chunk is None:
                raise InvalidArgTypeError("chunk", "anything but None", chunk)
            self.push(chunk)

    def _destroy(
        self, error: BaseException | None, callback: Callable[..., None]
    ) -> None:
        close = getattr(self._iterator, "close", None)
        if close is not None:
            close()
        callback(error)


class _AsyncIterableReadable(Readable):
    """Asks an async iterator for each chunk."""

    def __init__(
        self, iterator: AsyncIterator[Any], options: MappingABC[str, Any]
    ) -> None:
        super().__init__(options)
        self._iterator = iterator

    async def _read(self, size: int) -> None:
        more = True
        while more:
            try:
                chunk = await self._iterator.__anext__()
            except StopAsyncIteration:
                self.push(None)
                return
            if chunk is None:
                raise InvalidArgTypeError("chunk", "anything but None", chunk)
            more = self.push(chunk)

    async def _destroy(
        self, error: BaseException | None, callback: Callable[..., None]
    ) -> None:
        close = getattr(self._iterator, "aclose", None)
        if close is not None:
            await close()
        if error is not None:
            raise error
