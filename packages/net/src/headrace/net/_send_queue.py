"""What the system did not take at once: chunks in order, given away piece by piece."""

from collections import deque
from collections.abc import Iterable
from itertools import islice
from typing import Final

Chunk = bytes | memoryview

#: Linux and macOS take up to 1024 pieces in a call; more than some dozen gain nothing.
MAX_PIECES: Final = 64


class SendQueue:
    """Chunks waiting to be sent.

    Attributes:
        size: Bytes that wait.
    """

    __slots__ = ("_chunks", "size")

    def __init__(self, chunks: Iterable[Chunk] = (), sent: int = 0) -> None:
        self._chunks: deque[Chunk] = deque()
        self.size = 0
        self.extend(chunks)
        self.consume(sent)

    def extend(self, chunks: Iterable[Chunk]) -> None:
        """Put chunks behind those that wait; empty ones are dropped."""
        for chunk in chunks:
            if chunk:
                self._chunks.append(chunk)
                self.size += len(chunk)

    def pieces(self) -> list[Chunk]:
        """Return the first chunks, as many as one system call should take."""
        return list(islice(self._chunks, MAX_PIECES))

    def first(self, size: int) -> Chunk:
        """Return the first `size` bytes, or all that there are; they stay."""
        first = self._chunks[0]
        if len(first) > size:
            return memoryview(first)[:size]
        if len(first) == size or len(self._chunks) == 1:
            return first
        return b"".join(self._cut(size))

    def _cut(self, size: int) -> list[Chunk]:
        pieces: list[Chunk] = []
        for chunk in self._chunks:
            pieces.append(chunk[:size])
            size -= len(pieces[-1])
            if not size:
                break
        return pieces

    def take(self, size: int) -> bytes:
        """Return the first `size` bytes, or all that there are, and drop them."""
        taken = b"".join(self._cut(size))
        self.consume(len(taken))
        return taken

    def consume(self, size: int) -> None:
        """Drop the first `size` bytes: they were sent."""
        self.size -= size
        chunks = self._chunks
        while size:
            first = chunks.popleft()
            if len(first) > size:
                # A view: slicing bytes would copy a large rest at every partial send.
                chunks.appendleft(memoryview(first)[size:])
                return
            size -= len(first)
