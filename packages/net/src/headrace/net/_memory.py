"""A transport without a system below: two ends joined in memory, for tests.

It behaves like a TCP connection on a fast link: what one end writes reaches the other a
turn of the loop later, in order; a reader that rests lets the writer's buffer fill up.
"""

import errno
import socket
from collections.abc import Sequence
from enum import Enum, auto
from typing import TYPE_CHECKING, Final

from headrace.net._errors import SocketError
from headrace.net._send_queue import Chunk, SendQueue
from headrace.net._transport import Holder, OnData, Transport

if TYPE_CHECKING:
    from headrace.events.loop import Loop

#: From this many bytes under way a write does not go to "the system" at once.
LINK_BYTES: Final = 65536


class Direction(Enum):
    """One direction of the link, seen from the reading end."""

    OPEN = auto()  #: more may come
    ENDED = auto()  #: the writer has half-closed; what is under way still arrives
    RESET = auto()  #: the writer has reset; what is under way is lost
    DONE = auto()  #: the reader knows of the end


class MemoryTransport(Transport):
    """One end of a link in memory.

    Args:
        loop: The running loop.
        holder: Who is called back.
        on_data: Who takes arriving bytes.
    """

    __slots__ = (
        "_blocked",
        "_closed",
        "_direction",
        "_ending",
        "_inbox",
        "_limit",
        "_peer",
        "_scheduled",
        "_wanted",
    )

    def __init__(self, loop: "Loop", holder: Holder, on_data: OnData) -> None:
        super().__init__(loop, holder, on_data)
        self._peer: MemoryTransport | None = None
        self._inbox = SendQueue()
        self._direction = Direction.OPEN
        self._limit = 0
        self._wanted = False
        self._scheduled = False
        self._blocked = False  # a write waits until the peer has read
        self._ending = False  # `shutdown_write` was called
        self._closed = False

    def join(self, other: "MemoryTransport") -> None:
        """Make the two the ends of one link."""
        self._peer, other._peer = other, self

    # Reading

    def resume_reading(self, limit: int = 0) -> None:
        self._wanted, self._limit = True, limit
        self._schedule()

    def pause_reading(self) -> None:
        self._wanted = False

    def _schedule(self) -> None:
        if not self._scheduled and not self._closed and self._has_news():
            self._scheduled = True
            self.loop.call_soon(self._turn)

    def _has_news(self) -> bool:
        reset = self._direction is Direction.RESET
        ended = self._direction is Direction.ENDED
        return reset or (self._wanted and (ended or bool(self._inbox.size)))

    def _turn(self) -> None:
        self._scheduled = False
        if self._closed or not self._has_news():
            return
        owner = self.holder._owner
        if self._direction is Direction.RESET:
            error = SocketError.of(errno.ECONNRESET, "read")
            self.loop.deliver(owner, self._lose, error)
        elif self._inbox.size:
            data = self._inbox.take(self._limit or LINK_BYTES)
            self.bytes_read += len(data)
            if self.idle is not None:
                self.idle.touch()
            if self._peer is not None:
                self._peer._peer_has_read()
            self.loop.deliver(owner, self.on_data, memoryview(data))
        else:
            self._direction = Direction.DONE
            self.loop.deliver(owner, self.holder._transport_ended)
        self._schedule()

    # Writing

    def write(self, chunks: Sequence[Chunk]) -> bool:
        peer = self._peer
        if self._closed or self._ending:
            return False
        if peer is None or peer._closed:
            error = SocketError.of(errno.EPIPE, "write")
            self.loop.next_tick_for(self.holder._owner, self._lose, error)
            return False
        data = b"".join(chunks)
        self.bytes_written += len(data)
        if self.idle is not None:
            self.idle.touch()
        peer._inbox.extend([data])
        peer._schedule()
        self._blocked = peer._inbox.size > LINK_BYTES
        return not self._blocked

    def _peer_has_read(self) -> None:
        peer = self._peer
        if self._blocked and peer is not None and peer._inbox.size <= LINK_BYTES:
            self._blocked = False
            self.loop.call_soon(self._flushed)

    def _flushed(self) -> None:
        if not self._closed:
            self.loop.deliver(self.holder._owner, self.holder._transport_flushed)

    def shutdown_write(self) -> bool:
        self._ending = True
        self._tell_peer(Direction.ENDED)
        return True

    def _tell_peer(self, direction: Direction) -> None:
        peer = self._peer
        if peer is not None and peer._direction is Direction.OPEN:
            peer._direction = direction
            peer._schedule()

    # The end

    def _lose(self, error: Exception) -> None:
        if not self._closed:
            holder = self.holder
            self.abort()
            holder._transport_lost(error)

    def abort(self) -> None:
        if self._closed:
            return
        # As TCP does: a close that leaves something unread is a reset.
        self._tell_peer(Direction.RESET if self._inbox.size else Direction.ENDED)
        self._closed = True
        self._inbox = SendQueue()
        self.let_go()

    def reset(self) -> None:
        self._tell_peer(Direction.RESET)
        self.abort()

    # Facts

    @property
    def pending(self) -> int:
        return self._peer._inbox.size if self._blocked and self._peer else 0

    @property
    def family(self) -> int:
        return socket.AF_UNSPEC
