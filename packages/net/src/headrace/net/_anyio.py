"""A transport on any `anyio.abc.ByteStream`: a user's own stream, or one of anyio's.

Two tasks wait where `_socket_transport.py` watches: one receives, one sends. So it
costs several times the CPU (docs/net.md), and serves only where nothing can be watched.
"""

import errno
import socket
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import anyio
from anyio.abc import ByteStream, SocketAttribute

from headrace.net import _sockopts
from headrace.net._address import Address, from_sockaddr
from headrace.net._errors import SocketError
from headrace.net._send_queue import Chunk, SendQueue
from headrace.net._state import SENDING, Sending, SendingMove, advance
from headrace.net._transport import Holder, OnData, Transport

if TYPE_CHECKING:
    from headrace.events.loop import Loop, Task, Waiter

_RECEIVE_BYTES: Final = 65536
#: Chunks are joined for one `send` up to this size.
_SEND_BYTES: Final = 65536
_TAKES: Final = (Sending.OPEN, Sending.QUEUED)


class AnyioTransport(Transport):
    """Moves bytes through a byte stream.

    Args:
        loop: The running loop.
        holder: Who is called back.
        on_data: Who takes arriving bytes.
        stream: The stream; owned from now on.
    """

    __slots__ = (
        "_limit",
        "_local",
        "_queue",
        "_reader",
        "_remote",
        "_sending",
        "_stream",
        "_wanted",
        "_writer",
    )

    def __init__(
        self, loop: "Loop", holder: Holder, on_data: OnData, stream: ByteStream
    ) -> None:
        super().__init__(loop, holder, on_data)
        self._stream = stream
        self._limit = _RECEIVE_BYTES
        self._wanted: Waiter[None] = loop.waiter()
        self._reader: Task | None = None
        self._writer: Task | None = None
        self._queue = SendQueue()
        self._sending = Sending.OPEN
        self._local: Address | None = None
        # Asked for now: a closed stream no longer tells.
        self._remote: Address | None = self._ask(SocketAttribute.remote_address)
        loop.attach(self)

    # Reading

    def resume_reading(self, limit: int = 0) -> None:
        self._limit = min(limit or _RECEIVE_BYTES, _RECEIVE_BYTES)
        self._wanted.set()
        if self._reader is None and self._sending is not Sending.CLOSED:
            self._reader = self._spawn(self._receive)

    def _spawn(self, work: Callable[[], Coroutine[Any, Any, None]]) -> "Task":
        return self.loop.spawn(self._uncounted(work), owner=self.holder._owner)

    async def _uncounted(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run a task of ours: the socket counts for `run()`, its tasks do not."""
        self.loop.release()
        try:
            await work()
        finally:
            self.loop.hold()

    def pause_reading(self) -> None:
        if self._wanted.is_set:
            self._wanted = self.loop.waiter()

    async def _receive(self) -> None:
        try:
            while True:
                await self._wanted.wait()
                data = await self._stream.receive(self._limit)
                # What came although the reader was paused meanwhile must wait.
                await self._wanted.wait()
                self.bytes_read += len(data)
                if self.idle is not None:
                    self.idle.touch()
                view = memoryview(data)
                self.loop.deliver(self.holder._owner, self.on_data, view)
        except anyio.EndOfStream:
            self.loop.deliver(self.holder._owner, self.holder._transport_ended)
        except (OSError, anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
            self._lose(_translated(error, "read"))

    # Writing

    def write(self, chunks: Sequence[Chunk]) -> bool:
        if self._sending in _TAKES:
            size = self._queue.size
            self._queue.extend(chunks)
            self.bytes_written += self._queue.size - size
            self._start_sending()
        return False

    def shutdown_write(self) -> bool:
        if self._sending in _TAKES:
            self._start_sending()
            self._move(SendingMove.END)
        return self._sending is not Sending.ENDING

    def _start_sending(self) -> None:
        if self._sending is Sending.OPEN:
            self._move(SendingMove.QUEUE)
            self._writer = self._spawn(self._send)

    def _move(self, move: SendingMove) -> None:
        self._sending = advance(SENDING, self._sending, move)

    async def _send(self) -> None:
        try:
            while self._queue.size:
                await self._stream.send(self._queue.take(_SEND_BYTES))
                if self.idle is not None:
                    self.idle.touch()
            if self._sending is Sending.ENDING:
                await self._stream.send_eof()
        except (OSError, anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
            self._lose(_translated(error, "write"))
        else:
            if self._sending is not Sending.CLOSED:
                self._move(SendingMove.FLUSH)
                owner = self.holder._owner
                self.loop.deliver(owner, self.holder._transport_flushed)

    # The end

    def _lose(self, error: Exception) -> None:
        if self._sending is not Sending.CLOSED:
            holder = self.holder
            self.abort()
            self.loop.deliver(holder._owner, holder._transport_lost, error)

    def abort(self) -> None:
        if self._sending is Sending.CLOSED:
            return
        self._move(SendingMove.CLOSE)
        self._queue = SendQueue()
        self.loop.detach(self)
        self.let_go()
        for task in (self._reader, self._writer):
            if task is not None:
                task.cancel()
        self.loop.spawn(self._close())

    async def _close(self) -> None:
        with suppress(OSError, anyio.BrokenResourceError, anyio.ClosedResourceError):
            await anyio.aclose_forcefully(self._stream)

    # Facts

    @property
    def pending(self) -> int:
        return self._queue.size

    @property
    def family(self) -> int:
        family: int = self._stream.extra(SocketAttribute.family, socket.AF_UNSPEC)
        return family

    def remote_address(self) -> Address | None:
        self._remote = self._remote or self._ask(SocketAttribute.remote_address)
        return self._remote

    def local_address(self) -> Address | None:
        self._local = self._local or self._ask(SocketAttribute.local_address)
        return self._local

    def _ask(self, attribute: Any) -> Address | None:
        try:
            name = self._stream.extra(attribute, None)
        except OSError:  # not connected any more
            return None
        return None if name is None else from_sockaddr(self.family, name)

    def set_no_delay(self, enable: bool) -> None:
        raw = self.raw_socket()
        if raw is not None:
            _sockopts.set_no_delay(raw, enable)

    def set_keep_alive(self, enable: bool, initial_delay: float) -> None:
        raw = self.raw_socket()
        if raw is not None:
            _sockopts.set_keep_alive(raw, enable, initial_delay)

    def raw_socket(self) -> Any:
        return self._stream.extra(SocketAttribute.raw_socket, None)


def _translated(error: Exception, syscall: str) -> SocketError:
    """Return what the system said below anyio's error, a reset if it said nothing."""
    cause = error if isinstance(error, OSError) else error.__cause__
    if not isinstance(cause, OSError):
        cause = OSError(errno.ECONNRESET, str(error))
        cause.__cause__ = error
    return SocketError.from_exception(cause, syscall)
