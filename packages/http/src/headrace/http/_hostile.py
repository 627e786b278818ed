"""A server that misbehaves as it is told, for tests of HTTP clients.

It is public through `headrace.http.testing`.
"""

from __future__ import annotations

import math
import socket
import struct
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING, Final, Self

import anyio
import anyio.lowlevel

if TYPE_CHECKING:
    from types import TracebackType

    from anyio.abc import TaskGroup

_HEAD_END: Final = b"\r\n\r\n"
#: SO_LINGER on, for no time: closing then sends RST.
_NO_LINGER: Final = struct.pack("ii", 1, 0)


class Peer:
    """One connection as a hostile server holds it.

    Attributes:
        number: 0 for the server's first connection, then 1 and so on.
        server: The server.
    """

    def __init__(self, server: HostileServer, sock: socket.socket, number: int) -> None:
        self.server = server
        self.number = number
        self._socket = sock
        self._buffer = b""
        sock.setblocking(False)

    async def read_head(self) -> bytes:
        """Return the next request head, blank line and all; the server notes it.

        Raises:
            EOFError: If the client closes before.
        """
        while _HEAD_END not in self._buffer:
            await self._receive()
        head, _, self._buffer = self._buffer.partition(_HEAD_END)
        self.server.heads.append(head + _HEAD_END)
        return head + _HEAD_END

    async def read_exactly(self, size: int) -> bytes:
        """Return the next `size` bytes.

        Raises:
            EOFError: If the client closes before.
        """
        while len(self._buffer) < size:
            await self._receive()
        found, self._buffer = self._buffer[:size], self._buffer[size:]
        return found

    async def read_all(self) -> bytes:
        """Return everything until the client closes."""
        with suppress(EOFError, OSError):
            while True:
                await self._receive()
        found, self._buffer = self._buffer, b""
        return found

    async def _receive(self) -> None:
        await anyio.wait_readable(self._socket)
        data = self._socket.recv(65536)
        if not data:
            raise EOFError(self._buffer)
        self._buffer += data

    async def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        view = memoryview(data)
        while view:
            await anyio.wait_writable(self._socket)
            with suppress(BlockingIOError):
                view = view[self._socket.send(view) :]

    async def forward_to(
        self, host: str, port: int, *, limit: float = math.inf
    ) -> None:
        """Pass bytes on to another server and back, until one side closes.

        Args:
            host: The other server's address.
            port: Its port.
            limit: Bytes to pass back at most; then this returns, in the middle of
                whatever is going on.
        """
        async with await anyio.connect_tcp(host, port) as other:

            async def back() -> None:
                left = limit
                with suppress(OSError, anyio.BrokenResourceError):
                    async for data in other:
                        passed = data if len(data) <= left else data[: int(left)]
                        left -= len(data)
                        await self.send(passed)
                        if left <= 0:
                            break
                group.cancel_scope.cancel()

            async with anyio.create_task_group() as group:
                group.start_soon(back)
                with suppress(EOFError, OSError, anyio.BrokenResourceError):
                    while True:
                        await self._receive()
                        await other.send(self._buffer)
                        self._buffer = b""
                group.cancel_scope.cancel()

    def half_close(self) -> None:
        """Send FIN and go on reading."""
        self._socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Close so that the client sees ECONNRESET."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        self._socket.close()

    def close(self) -> None:
        """Close."""
        self._socket.close()


Script = Callable[[Peer], Awaitable[object]]


class HostileServer:
    """Serves each connection by a script instead of by the rules of HTTP.

    Use it as ``async with HostileServer(script, …) as server``. When a script returns,
    its connection is closed; one that waits for a client that has gone just ends.

    Args:
        *scripts: One for each connection in turn; the last one also for all later ones.
        path: Listen on a Unix socket instead of a port of 127.0.0.1.

    Attributes:
        connections: How many have been accepted.
        heads: All request heads that were read, in order.
    """

    def __init__(self, *scripts: Script, path: str | None = None) -> None:
        self._scripts = scripts
        self._path = path
        self._exit = AsyncExitStack()
        self.connections = 0
        self.heads: list[bytes] = []
        self.port = 0

    def url(self, path: str = "/") -> str:
        """Return the URL of a path on this server."""
        return f"http://127.0.0.1:{self.port}{path}"

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            listener = stack.enter_context(self._listen())
            group = await stack.enter_async_context(anyio.create_task_group())
            stack.callback(group.cancel_scope.cancel)
            group.start_soon(self._accept, listener, group)
            self._exit = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # What the block raised goes on by itself, not inside a group.
        await self._exit.__aexit__(None, None, None)

    def _listen(self) -> socket.socket:
        if self._path is None:
            listener = socket.create_server(("127.0.0.1", 0))
            self.port = listener.getsockname()[1]
        else:
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(self._path)
            listener.listen()
        listener.setblocking(False)
        return listener

    async def _accept(self, listener: socket.socket, group: TaskGroup) -> None:
        while True:
            await anyio.wait_readable(listener)
            with suppress(BlockingIOError):
                sock, _ = listener.accept()
                group.start_soon(self._serve, sock, self.connections)
                self.connections += 1

    async def _serve(self, sock: socket.socket, number: int) -> None:
        script = self._scripts[min(number, len(self._scripts) - 1)]
        with sock, suppress(EOFError, OSError):  # the client has gone
            await script(Peer(self, sock, number))


def answers(*responses: bytes) -> Script:
    """Return a script that gives one of `responses` to each request, then closes.

    It reads no bodies.
    """

    async def script(peer: Peer) -> None:
        for response in responses:
            await peer.read_head()
            await peer.send(response)

    return script


def stays(*responses: bytes) -> Script:
    """Return a script as `answers` does, but one that waits for the client to close."""

    async def script(peer: Peer) -> None:
        await answers(*responses)(peer)
        await peer.read_all()

    return script


def ok(body: bytes = b"ok", *fields: str) -> bytes:
    """Return a plain 200 response with its Content-Length."""
    lines = ["HTTP/1.1 200 OK", f"Content-Length: {len(body)}", *fields]
    return "\r\n".join(lines).encode("latin-1") + _HEAD_END + body


async def reset_before_answer(peer: Peer) -> None:
    """Read the request and reset: ``error`` ECONNRESET; retried on a reused socket."""
    await peer.read_head()
    peer.reset()


async def close_before_answer(peer: Peer) -> None:
    """Read the request and close: ``error`` ECONNRESET, ``socket hang up``."""
    await peer.read_head()


async def half_head(peer: Peer) -> None:
    """Close within the head: ``error`` ECONNRESET, ``socket hang up``."""
    await peer.read_head()
    await peer.send(b"HTTP/1.1 200 OK\r\nContent-Le")


async def half_body(peer: Peer) -> None:
    """Close within the body: the response is ``aborted``, never ``end``."""
    await peer.read_head()
    await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")


async def half_chunk(peer: Peer) -> None:
    """Close within a chunk: the response is ``aborted``, never ``end``."""
    await peer.read_head()
    await peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nha")


async def two_answers(peer: Peer) -> None:
    """Answer twice: the first is delivered, the second never; the socket is cut."""
    await peer.read_head()
    await peer.send(ok(b"first") + ok(b"second"))
    await peer.read_all()


async def garbage_behind(peer: Peer) -> None:
    """Send bytes behind the answer: it is delivered; the socket is cut."""
    await peer.read_head()
    await peer.send(ok(b"whole") + b"\x00garbage")
    await peer.read_all()


async def garbage(peer: Peer) -> None:
    """Answer with what is no HTTP: ``error`` HPE_INVALID_CONSTANT."""
    await peer.read_head()
    await peer.send(b"SSH-2.0-OpenSSH_9.0\r\n\r\n")
    await peer.read_all()


async def interim_flood(peer: Peer) -> None:
    """Send 1xx responses without end: ``error`` ERR_HTTP_TOO_MANY_INTERIM."""
    await peer.read_head()
    while True:
        await peer.send(b"HTTP/1.1 102 Processing\r\n\r\n" * 64)


async def endless_head(peer: Peer) -> None:
    """Send header fields without end: ``error`` HPE_HEADER_OVERFLOW."""
    await peer.read_head()
    await peer.send(b"HTTP/1.1 200 OK\r\n")
    while True:
        await peer.send(b"X-Field: value\r\n" * 64)


async def slow_drip(peer: Peer) -> None:
    """Send a correct answer one byte at a time: it is delivered as any other."""
    await peer.read_head()
    for byte in ok(b"drip", "Connection: close"):
        await peer.send(bytes([byte]))
        await anyio.lowlevel.checkpoint()


async def shorter_than_said(peer: Peer) -> None:
    """Give less than Content-Length and wait: the client's time limits decide."""
    await peer.read_head()
    await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort")
    await peer.read_all()


async def longer_than_said(peer: Peer) -> None:
    """Give more than Content-Length: so much is delivered; the socket is cut."""
    await peer.read_head()
    await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlonger")
    await peer.read_all()


async def two_lengths(peer: Peer) -> None:
    """Say two lengths of one body: ``error`` HPE_UNEXPECTED_CONTENT_LENGTH."""
    await peer.read_head()
    await peer.send(ok(b"ok", "Content-Length: 3"))
    await peer.read_all()


async def length_and_chunks(peer: Peer) -> None:
    """Say a length and chunks: ``error`` HPE_INVALID_TRANSFER_ENCODING."""
    await peer.read_head()
    await peer.send(ok(b"2\r\nok\r\n0\r\n\r\n", "Transfer-Encoding: chunked"))
    await peer.read_all()


async def reset_in_body(peer: Peer) -> None:
    """Reset within the body: the response is ``aborted``, never ``end``."""
    await peer.read_head()
    await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
    await anyio.sleep(0.02)  # or the system throws away what it has not delivered
    peer.reset()


async def dripping_head(peer: Peer) -> None:
    """Send a head that grows and never ends: HPE_HEADER_OVERFLOW, or a time limit."""
    await peer.read_head()
    await peer.send(b"HTTP/1.1 200 OK\r\nX: ")
    while True:
        await peer.send(b"x")
        await anyio.sleep(0.005)


async def dripping_body(peer: Peer) -> None:
    """Send a body without end, a byte at a time: the client's time limits decide."""
    await peer.read_head()
    await peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        await peer.send(b"1\r\nx\r\n")
        await anyio.sleep(0.005)


async def answer_unasked(peer: Peer) -> None:
    """Answer, then send an answer nobody asked for: the idle socket is cut."""
    await peer.read_head()
    await peer.send(ok(b"asked"))
    await anyio.sleep(0.02)
    await peer.send(ok(b"unasked"))
    await peer.read_all()


async def silence(peer: Peer) -> None:
    """Take everything and say nothing: the client's time limits decide."""
    await peer.read_all()
