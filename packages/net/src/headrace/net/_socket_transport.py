"""A transport on a nonblocking socket and the loop's readiness callbacks.

The same code runs on asyncio, uvloop and trio. It was measured against
`asyncio.Protocol` (docs/net.md): the CPU per small request is the same, and it can do
what a Protocol cannot: half-close exactly, send several chunks in one call, and go on
reading after a failed send, so that an answer which the peer sent before it closed (a
413, say) is not lost.

`_state.py` has the table of its write side. After FAILED the read side goes on until it
ends, fails or is paused; then the connection is lost with the error of the send.
(Paused: a reader that waits for its writes to be flushed would wait for ever.)
"""

import errno
import socket
from collections.abc import Callable, Sequence
from typing import Any, Final

from headrace.events.loop import Loop
from headrace.net import _sockopts
from headrace.net._address import Address, from_sockaddr
from headrace.net._errors import SocketError
from headrace.net._send_queue import MAX_PIECES, Chunk, SendQueue
from headrace.net._state import SENDING, Sending, SendingMove, advance
from headrace.net._transport import Holder, OnData, Transport
from headrace.net._unwatched import stands_on_libuv

#: One receive buffer serves all connections of a loop: a callback copies what it keeps.
#: benchmarks/net/bench_receive_buffer.py compares sizes.
RECEIVE_BUFFER_BYTES: Final = 256 * 1024
#: Of a message that is this long, or longer, each read gets memory of its own. That
#: saves a copy. For less the memory costs more: it is taken before it is known how much
#: will come.
LONG_BYTES: Final = 256 * 1024
#: Up to this size copying chunks together costs less than handing over several
#: (benchmarks/net/bench_join.py).
JOIN_BYTES: Final = 8 * 1024

_AGAIN: Final = (BlockingIOError, InterruptedError)
#: The peer no longer takes anything. What it sent before may still wait to be read.
_PEER_GONE: Final = frozenset({errno.EPIPE, errno.ECONNRESET, errno.ECONNABORTED})
_HAS_SENDMSG: Final = hasattr(socket.socket, "sendmsg")

# Members of an Enum are slow to look up on the hot path (Python 3.11).
_OPEN: Final = Sending.OPEN
_CLOSED: Final = Sending.CLOSED
_CLOSE: Final = SendingMove.CLOSE
_SHARED_KEY: Final = "headrace.net receive buffer, and whether the loop is libuv's"


def _share(loop: Loop) -> tuple[memoryview, bool]:
    """Make the buffer that all connections of the loop read into."""
    view = memoryview(bytearray(RECEIVE_BUFFER_BYTES))
    # For `_readable_long`: glibc has the system map each block of this size anew, which
    # costs 16 page faults for 64 KiB, until it has seen a larger one freed.
    bytes(4 * RECEIVE_BUFFER_BYTES)
    shared = loop.locals[_SHARED_KEY] = view, stands_on_libuv()
    return shared


class SocketTransport(Transport):
    """Moves bytes through a connected socket.

    Args:
        loop: The running loop.
        holder: Who is called back.
        on_data: Who takes arriving bytes.
        sock: A connected, nonblocking stream socket; owned from now on.
        remote: The name of the other end, if the caller happens to know it.
        is_fresh: Nothing is watched before `read_first`.
    """

    __slots__ = (
        "_buffer",
        "_expected",
        "_failure",
        "_fresh",
        "_libuv",
        "_limit",
        "_local",
        "_queue",
        "_read_ended",
        "_remote",
        "_reset",
        "_sending",
        "_socket",
        "_wanted",
        "_watched",
        "_watches_writing",
    )

    def __init__(
        self,
        loop: Loop,
        holder: Holder,
        on_data: OnData,
        sock: socket.socket,
        remote: object = None,
        is_fresh: bool = False,
    ) -> None:
        self.loop = loop
        self.holder = holder
        self.on_data = on_data
        self.bytes_read = self.bytes_written = 0
        self.idle = None
        self._socket = sock
        self._limit = 0
        self._expected = 0  # bytes of a long message that have yet to come
        # Reading is wanted or not; the loop watches or not. They differ for at most one
        # event, so that a short pause costs no system call.
        self._wanted = self._watched = False
        self._fresh = is_fresh
        self._read_ended = False
        self._reset: Exception | None = None  # found while there were bytes to read
        try:
            self._buffer, self._libuv = loop.locals[_SHARED_KEY]
        except KeyError:
            self._buffer, self._libuv = _share(loop)
        self._sending = _OPEN
        self._queue: SendQueue | None = None
        # There is a queue; or there was one, and what is told of its end may write on.
        self._watches_writing = False
        self._failure: Exception | None = None
        self._remote = remote
        self._local: object = None
        loop.attach(self)

    # Reading

    def resume_reading(self, limit: int = 0) -> None:
        self._limit = limit
        self._wanted = True
        if not (
            self._watched or self._fresh or self._read_ended or self._sending is _CLOSED
        ):
            self._watched = True
            if self._expected:
                self._watch_readable()
            else:  # the same, without a call
                self.loop.watch_readable(self._socket, self._readable)

    def _watch_readable(self) -> None:
        callback = self._readable_long if self._expected else self._readable
        self.loop.watch_readable(self._socket, callback)

    def read_first(self) -> bool:
        # A client mostly sends right after it has connected. Then watching would cost
        # more than reading, and a connection for one request is never watched at all.
        has_come = True
        if self._wanted and self._sending is not _CLOSED:
            before = self.bytes_read
            self._readable()
            has_come = self.bytes_read > before or self._read_ended or self._is_closed()
        self.watch_first()
        return has_come

    def watch_first(self) -> None:
        self._fresh = False
        if self._wanted:
            self.resume_reading(self._limit)

    def pause_reading(self) -> None:
        self._wanted = False
        if self._sending is Sending.FAILED:
            self.loop.next_tick_for(self.holder._owner, self._lose, self._failure)

    def _readable(self) -> None:
        loop = self.loop
        if loop.ticks:
            # Before the bytes are taken: a tick may pause or close the socket, or give
            # it to somebody for whom they are not meant.
            loop.drain()
        if not self._wanted or self._sending is _CLOSED:
            self._unwatch_readable()
            return
        try:
            size = self._socket.recv_into(self._buffer, self._limit)
        except _AGAIN:
            return
        except OSError as error:
            self._read_failed(error)
            return
        if not size:
            self._end_reading()
            return
        if self._libuv and self._watched:
            self._keep_watched()
        self.bytes_read += size
        idle = self.idle
        if idle is not None:
            if idle.waits:  # `touch`, without a call
                idle.last = loop.time()
            else:
                idle.touch()
        loop.deliver(self.holder._owner, self.on_data, self._buffer[:size])

    def expect(self, size: int) -> None:
        if size >= LONG_BYTES and self._sending is not _CLOSED:
            self._expected = size
            if self._watched:
                self._watch_readable()

    def _readable_long(self) -> None:
        """Do as `_readable`, but read into memory that the receiver keeps."""
        if self.loop.ticks:
            self.loop.drain()
        if self._expected < LONG_BYTES or self._limit or not self._wanted:
            self._expected = 0
            if self._watched:
                self._watch_readable()
            self._readable()
            return
        try:
            data = self._socket.recv(min(self._expected, RECEIVE_BUFFER_BYTES))
        except _AGAIN:
            return
        except OSError as error:
            self._read_failed(error)
            return
        if not data:
            self._end_reading()
            return
        if self._libuv and self._watched:
            self._keep_watched()
        self._expected -= len(data)
        self.bytes_read += len(data)
        if self.idle is not None:
            self.idle.touch()
        on_data: Callable[[Any], None] = self.on_data  # it was told of `bytes`
        self.loop.deliver(self.holder._owner, on_data, data)

    def _keep_watched(self) -> None:
        """Go on watching a socket that was reset with bytes unread.

        libuv reports an error once and then stops. Asking takes the error away, so it
        is kept, and watching anew works until the last byte.
        """
        number = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if number:
            self._reset = SocketError.of(number, "read")
            self.loop.unwatch_readable(self._socket)
            self._watch_readable()

    def _end_reading(self) -> None:
        if self._reset is not None:
            self.loop.deliver(self.holder._owner, self._lose, self._reset)
            return
        self._read_ended = True
        self._unwatch_readable()
        self.loop.deliver(self.holder._owner, self.holder._transport_ended)
        if self._sending is Sending.FAILED:
            self.loop.deliver(self.holder._owner, self._lose, self._failure)

    def _read_failed(self, error: OSError) -> None:
        # After a failed send the reset of the read side is only its echo.
        cause = self._failure or self._reset
        cause = cause or SocketError.from_exception(error, "read")
        self.loop.deliver(self.holder._owner, self._lose, cause)

    def _unwatch_readable(self) -> None:
        if self._watched:
            self._watched = False
            self.loop.unwatch_readable(self._socket)

    # Writing

    def write(self, chunks: Sequence[Chunk]) -> bool:
        if self._sending is not _OPEN:
            return self._enqueue(chunks)
        try:
            if len(chunks) == 1:
                total = len(chunks[0])
                sent = self._socket.send(chunks[0])
            else:
                total = sum(map(len, chunks))
                sent = self._send_several(chunks, total)
        except _AGAIN:
            total, sent = sum(map(len, chunks)), 0
        except OSError as error:
            self._write_failed(error)
            return False
        self.bytes_written += total
        idle = self.idle
        if idle is not None and sent:
            if idle.waits:  # `touch`, without a call
                idle.last = self.loop.time()
            else:
                idle.touch()
        if sent == total:
            return True
        self._queue = SendQueue(chunks, sent)
        self._move(SendingMove.QUEUE)
        if not self._watches_writing:
            self._watches_writing = True
            self.loop.watch_writable(self._socket, self._writable)
        return False

    def _send_several(self, chunks: Sequence[Chunk], total: int) -> int:
        # Many small ones, too: what is left over would wait for a turn of the loop.
        if total <= JOIN_BYTES or len(chunks) > MAX_PIECES:
            return self._socket.send(b"".join(chunks))
        if _HAS_SENDMSG:
            return self._socket.sendmsg(chunks)
        return self._socket.send(chunks[0])

    def _enqueue(self, chunks: Sequence[Chunk]) -> bool:
        if self._queue is not None and self._sending is Sending.QUEUED:
            size = self._queue.size
            self._queue.extend(chunks)
            self.bytes_written += self._queue.size - size
        return False

    def _writable(self) -> None:
        if self.loop.ticks:
            self.loop.drain()  # a tick may close the socket
        queue = self._queue
        if queue is None:
            self._unwatch_writable()
            return
        pieces = queue.pieces()
        try:
            if len(pieces) == 1 or not _HAS_SENDMSG:
                sent = self._socket.send(pieces[0])
            else:
                sent = self._socket.sendmsg(pieces)
        except _AGAIN:
            return
        except OSError as error:
            self._write_failed(error)
            return
        if self.idle is not None:
            self.idle.touch()
        queue.consume(sent)
        if not queue.size:
            self._flushed()

    def _flushed(self) -> None:
        self._queue = None
        self._move(SendingMove.FLUSH)
        if self._sending is Sending.ENDED:
            self._send_fin()
        self.loop.deliver(self.holder._owner, self.holder._transport_flushed)
        if self._queue is None:
            self._unwatch_writable()

    def _unwatch_writable(self) -> None:
        if self._watches_writing:
            self._watches_writing = False
            self.loop.unwatch_writable(self._socket)

    def shutdown_write(self) -> bool:
        if self._sending is Sending.QUEUED:
            self._move(SendingMove.END)
        elif self._sending is _OPEN:
            self._move(SendingMove.END)
            self._send_fin()
        return self._sending is not Sending.ENDING

    def _move(self, move: SendingMove) -> None:
        self._sending = advance(SENDING, self._sending, move)

    def _send_fin(self) -> None:
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError as error:
            # Not connected any more: the read side will say so, with the reason.
            if error.errno != errno.ENOTCONN:
                self._write_failed(error)

    def _write_failed(self, error: OSError) -> None:
        self._queue = None
        if self._watches_writing:
            self._unwatch_writable()
        self._move(SendingMove.FAIL)
        self._failure = SocketError.from_exception(error, "write")
        reading = self._wanted and not self._read_ended
        if reading and self._libuv and self._watched:
            # The failure has taken the socket's error away, by which libuv would have
            # told once more that there is something to read.
            self.loop.unwatch_readable(self._socket)
            self._watch_readable()
        if not (reading and error.errno in _PEER_GONE):
            self.loop.next_tick_for(self.holder._owner, self._lose, self._failure)

    # The end

    def _lose(self, error: Exception | None) -> None:
        if not self._is_closed():
            holder = self.holder
            self.abort()
            holder._transport_lost(error)

    def abort(self) -> None:
        if self._sending is _CLOSED:
            return
        if self._watched:
            self._unwatch_readable()
        self._queue = None
        if self._watches_writing:
            self._unwatch_writable()
        self._wanted = False
        self._sending = SENDING[self._sending, _CLOSE]
        self.loop.detach(self)
        self._socket.close()
        self.let_go()

    def reset(self) -> None:
        if not self._is_closed():
            _sockopts.set_reset_on_close(self._socket)
        self.abort()

    def _is_closed(self) -> bool:
        return self._sending is _CLOSED

    # Facts

    @property
    def pending(self) -> int:
        return 0 if self._queue is None else self._queue.size

    @property
    def family(self) -> int:
        return self._socket.family

    def remote_address(self) -> Address | None:
        if self._remote is None and not self._is_closed():
            try:
                self._remote = self._socket.getpeername()
            except OSError:  # reset in the meantime
                return None
        return self._to_address(self._remote)

    def local_address(self) -> Address | None:
        if self._local is None and not self._is_closed():
            self._local = self._socket.getsockname()
        return self._to_address(self._local)

    def _to_address(self, sockaddr: object) -> Address | None:
        if sockaddr is None:
            return None
        return from_sockaddr(self._socket.family, sockaddr)

    def set_no_delay(self, enable: bool) -> None:
        if self._sending is _CLOSED:
            return
        remote = self._remote
        if type(remote) is tuple and type(remote[0]) is str:  # an IP address
            # Asking the socket for its family would take longer than setting this.
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, enable)
        else:
            _sockopts.set_no_delay(self._socket, enable)

    def set_keep_alive(self, enable: bool, initial_delay: float) -> None:
        if not self._is_closed():
            _sockopts.set_keep_alive(self._socket, enable, initial_delay)

    def raw_socket(self) -> socket.socket:
        return self._socket
