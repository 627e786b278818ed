"""The queue of chunks between the one who pushes and the one who reads."""

from collections import deque
from typing import Any, Final

__all__ = ["NOTHING", "BufferList"]


class BufferList:
    """Chunks in order, with their total length.

    Holds bytes, or text, or objects; an object counts as one. Taking a part of the
    first chunk moves an offset and copies only the part that is taken, so that a large
    chunk can be read in small steps.

    Attributes:
        chunks: The chunks, oldest first.
        length: What can be read: bytes, characters or objects.
        offset: How much of the first chunk has been taken.
    """

    __slots__ = ("chunks", "length", "object_mode", "offset")

    def __init__(self, *, object_mode: bool = False) -> None:
        self.chunks: deque[Any] = deque()
        self.length = 0
        self.offset = 0
        self.object_mode = object_mode

    def append(self, chunk: Any, length: int) -> None:
        """Put `chunk` at the back; `length` is what it counts."""
        self.chunks.append(chunk)
        self.length += length

    def prepend(self, chunk: Any, length: int) -> None:
        """Put `chunk` in front of everything that is unread."""
        if self.offset:
            self.chunks[0] = self.chunks[0][self.offset :]
            self.offset = 0
        self.chunks.appendleft(chunk)
        self.length += length

    def shift(self) -> Any:
        """Take the rest of the first chunk."""
        chunk = self.chunks.popleft()
        if self.object_mode:
            self.length -= 1
            return chunk
        if self.offset:
            chunk = chunk[self.offset :]
            self.offset = 0
        self.length -= len(chunk)
        return chunk

    def first_length(self) -> int:
        """Return how much `shift` would take."""
        return 1 if self.object_mode else len(self.chunks[0]) - self.offset

    def take(self, size: int) -> Any:
        """Take exactly `size` of what is buffered, 0 < size <= length, as one piece."""
        if self.object_mode or size == self.first_length():
            return self.shift()
        if size >= self.length:
            return self._take_all()
        parts: list[Any] = []
        missing = size
        while missing:
            available = self.first_length()
            if available <= missing:
                parts.append(self.shift())
                missing -= available
            else:
                start = self.offset
                self.offset = start + missing
                self.length -= missing
                parts.append(self.chunks[0][start : self.offset])
                missing = 0
        return parts[0] if len(parts) == 1 else parts[0][:0].join(parts)

    def _take_all(self) -> Any:
        if self.offset:
            self.chunks[0] = self.chunks[0][self.offset :]
        joined = self.chunks[0][:0].join(self.chunks)
        self.clear()
        return joined

    def clear(self) -> None:
        """Drop everything."""
        self.chunks.clear()
        self.length = 0
        self.offset = 0


#: The buffer of all streams that never buffered anything: read, but never appended to.
NOTHING: Final = BufferList()
# Should it be appended to by mistake, it fails: no stream may see another one's data.
NOTHING.chunks = ()  # type: ignore[assignment]
