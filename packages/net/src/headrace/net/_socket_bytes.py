"""The bytes of a socket: through the stream, or past it to a receiver.

`_socket.py` has the rest of what a socket does.
"""

import errno
from collections.abc import Callable, Sequence
from typing import Any, Final, Self

from headrace.net._errors import SocketError
from headrace.net._receiver import Receiver
from headrace.net._socket_base import SocketBase
from headrace.net._state import Link
from headrace.net._transport import Chunk

_OPEN: Final = Link.OPEN
_ENDED_BY_PEER: Final = "This socket has been ended by the other party"


class SocketBytes(SocketBase):
    """Moves bytes between the transport, the stream and a receiver."""

    __slots__ = ()

    # The stream's hooks

    def _read(self, size: int) -> None:
        if self._link is not _OPEN:
            self._read_size = size
        elif self._receiver is None:
            # While nobody reads, at most the high-water mark is taken (spec H-143).
            self._transport.resume_reading(max(0, size - self.readable_length))

    def set_encoding(self, encoding: str = "utf-8") -> Self:
        hook = getattr(self._receiver, "set_encoding", None)
        if hook is not None:
            hook(encoding)
        return super().set_encoding(encoding)

    def _push_data(self, data: memoryview) -> None:
        if not self.push(bytes(data)):
            self._transport.pause_reading()

    def _write(self, chunk: Any, encoding: str, callback: Callable[..., None]) -> None:
        self._write_all([chunk], callback)

    def _writev(
        self, chunks: list[tuple[Any, str]], callback: Callable[..., None]
    ) -> None:
        self._write_all([chunk for chunk, _ in chunks], callback)

    def _write_all(
        self, chunks: Sequence[Chunk], callback: Callable[..., None]
    ) -> None:
        if self._receiver is not None:
            self._flush_receiver()
        if self._link is not _OPEN:
            self._write_pending = True
            self._early = chunks
        elif self._transport.write(chunks):
            callback(None)
        else:
            self._write_pending = True

    def _final(self, callback: Callable[..., None]) -> None:
        if self._link is Link.CONNECTING:
            self._final_callback = callback
            return
        self._flush_receiver()
        if self._transport.shutdown_write():
            self._final_callback = None
            callback(None)
        else:
            self._final_callback = callback

    def _flush_receiver(self) -> None:
        """Send what a receiver was given to write before."""
        flush = getattr(self._receiver, "flush_now", None)
        if flush is not None:
            flush()

    def _after_finish(self) -> None:
        resting = self._receiver is not None and self._peer_ended
        if resting or self._link is Link.NEW:
            self.destroy()  # no end will come from the Readable, or from any peer
        else:
            super()._after_finish()

    def _after_end(self) -> None:
        self._ended_by_peer = not self.allow_half_open and self.writable
        super()._after_end()

    def _refuse(self, state: Any, callback: Callable[..., object] | None) -> Exception:
        if not self._ended_by_peer:
            return super()._refuse(state, callback)
        error = SocketError.of(errno.EPIPE, "write", message=_ENDED_BY_PEER)
        if callback is not None:
            self.loop().next_tick_for(self._owner, callback, error)
        self.destroy(error)
        return error

    # What the transport says

    def _transport_ended(self) -> None:
        self._peer_ended = True
        if self._receiver is not None:
            self._receiver.eof_received()
        if self._receiver is None:
            self.push(None)
            self.read(0)  # nobody has to read for an end with nothing before it
        elif self.writable_finished:
            self.destroy()

    def _transport_flushed(self) -> None:
        if self._write_pending:
            self._write_pending = False
            self._wrote(None)
        if self._final_callback is not None:
            callback, self._final_callback = self._final_callback, None
            callback(None)
        if self._flush_owed:
            self._flush_owed = False
            if self._receiver is not None:
                self._receiver.flushed()

    def _transport_lost(self, error: Exception | None) -> None:
        self.destroy(error)

    # Past the stream

    def consume(self, receiver: Receiver) -> None:
        """Give what arrives to `receiver` from now on, and read at once.

        What the stream has buffered, and an end it has seen, come first, with the next
        tick. The ``data`` and ``end`` events rest meanwhile. An ``error`` that nobody
        listens to goes to `Receiver.connection_lost` only.
        """
        self._receiver = receiver
        self._receiver_rests = False
        if (
            self._link is _OPEN
            and self._readable_state is None
            and not self._peer_ended
        ):  # all that is to do where the stream has never been used
            self._transport.on_data = receiver.data_received
            self._transport.resume_reading()
            return
        if self._link in (Link.CLOSING, Link.CLOSED):
            self.loop().next_tick_for(self._owner, receiver.connection_lost, None)
            self._receiver = None
            return
        unread = self._take_unread()
        if self._link is not _OPEN:
            return
        self._transport.on_data = receiver.data_received
        if unread or self._peer_ended:
            self.loop().next_tick_for(self._owner, self._hand_over, receiver, unread)
        else:
            self._transport.resume_reading()

    def _take_unread(self) -> bytes:
        """Empty the Readable's buffer."""
        state = self._readable_state
        if state is None or not state.buffer.length:
            return b""
        unread = state.buffer.take(state.buffer.length)
        return unread if isinstance(unread, bytes) else unread.encode()

    def _hand_over(self, receiver: Receiver, unread: bytes) -> None:
        if unread and self._receiver is receiver:
            receiver.data_received(memoryview(unread))
        if self._receiver is receiver:
            if self._peer_ended:
                receiver.eof_received()
            elif not self._receiver_rests:
                self._transport.resume_reading()

    def release(self, *, unread: bytes = b"") -> None:
        """Go back to being a stream.

        Args:
            unread: What the receiver has taken and not used; it comes first.
        """
        self._receiver = None
        self._flush_owed = False
        if self._link is not _OPEN:
            return
        self._transport.on_data = self._push_data
        self._transport.pause_reading()
        if unread:
            self.unshift(unread)
        # An empty chunk: whatever `_read` the stream waits for is answered, so that it
        # will ask again.
        self.push(None if self._peer_ended else b"")

    def send(self, chunks: Sequence[Chunk]) -> bool:
        """Send past the Writable, behind what it has already given to the transport.

        Args:
            chunks: Bytes, or views of bytes, that do not change until they are sent.

        Returns:
            True if all is with the system; else `Receiver.flushed` follows when it is.
            A network error does not raise: `Receiver.connection_lost` follows.
        """
        if self._transport.write(chunks):
            return True
        self._flush_owed = True
        return False

    def expect(self, size: int) -> None:
        """Say that `size` bytes of one message follow, for a receiver that keeps them.

        Parts of a long one may come as `bytes` instead of a view, and need no copy.
        """
        self._transport.expect(size)

    def pause_receiving(self) -> None:
        """Let the receiver get nothing more until `resume_receiving`."""
        self._receiver_rests = True
        self._transport.pause_reading()

    def resume_receiving(self) -> None:
        """Read on after `pause_receiving`."""
        self._receiver_rests = False
        self._transport.resume_reading()
