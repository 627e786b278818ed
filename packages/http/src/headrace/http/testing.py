"""Peers for tests of HTTP programs: they send exactly the bytes they are told.

`RawClient` speaks to a real server over loopback, `HostileServer` to a real client, so
a test sees what is on the wire. Both work on asyncio and on trio.
"""

from __future__ import annotations

import re
import socket
import struct
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Final, NamedTuple, Self

import anyio
from anyio.abc import SocketAttribute

from headrace.http._hostile import (
    HostileServer,
    Peer,
    Script,
    answer_unasked,
    answers,
    close_before_answer,
    dripping_body,
    dripping_head,
    endless_head,
    garbage,
    garbage_behind,
    half_body,
    half_chunk,
    half_head,
    interim_flood,
    length_and_chunks,
    longer_than_said,
    ok,
    reset_before_answer,
    reset_in_body,
    shorter_than_said,
    silence,
    slow_drip,
    stays,
    two_answers,
    two_lengths,
)
from headrace.http._server import RequestListener, Server

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator
    from types import TracebackType
    from typing import Unpack

    from anyio.abc import SocketStream
    from anyio.streams.tls import TLSStream

    from headrace.http._server_options import ServerOptions

__all__ = [
    "PATIENCE",
    "HostileServer",
    "Peer",
    "RawClient",
    "RawResponse",
    "Script",
    "answer_unasked",
    "answers",
    "close_before_answer",
    "dripping_body",
    "dripping_head",
    "endless_head",
    "garbage",
    "garbage_behind",
    "half_body",
    "half_chunk",
    "half_head",
    "interim_flood",
    "length_and_chunks",
    "longer_than_said",
    "ok",
    "reset_before_answer",
    "reset_in_body",
    "served",
    "shorter_than_said",
    "silence",
    "slow_drip",
    "stays",
    "two_answers",
    "two_lengths",
]

#: Seconds after which a peer that says nothing is taken to hang.
PATIENCE: Final = 20.0

_HEAD_END: Final = b"\r\n\r\n"


class RawResponse(NamedTuple):
    """A response as it was on the wire.

    Attributes:
        status: The status code.
        head: Status line and fields, without the blank line.
        body: The body, decoded if it was chunked.
        trailers: The trailer section as text, without the blank line.
    """

    status: int
    head: str
    body: bytes
    trailers: str = ""

    def header(self, name: str) -> str | None:
        """Return the first value of a header, or None."""
        found = re.search(rf"(?im)^{re.escape(name)}:[ \t]*(.*?)[ \t]*$", self.head)
        return None if found is None else found[1].rstrip("\r")


class RawClient:
    """A connection to a server, one step above `send` and `recv`.

    Use it as ``async with RawClient(server) as client``.

    Args:
        server: The server to connect to, or its port.
        host: Where it is.
        ssl_context: Speak TLS with these settings. It is anyio's own, not ours.
        name: The server's name for TLS.

    Attributes:
        was_cut: Whether the connection has ended by a reset or, with TLS, without the
            peer's close_notify.
    """

    def __init__(
        self,
        server: Server | int,
        host: str = "127.0.0.1",
        *,
        ssl_context: ssl.SSLContext | None = None,
        name: str = "localhost",
    ) -> None:
        self._port = server if isinstance(server, int) else server.address().port
        self._host = host
        self._ssl_context = ssl_context
        self._name = name
        self._stream: SocketStream | TLSStream | None = None
        self._buffer = b""
        self.was_cut = False

    async def __aenter__(self) -> Self:
        context = self._ssl_context
        if context is None:
            self._stream = await anyio.connect_tcp(self._host, self._port)
        else:
            self._stream = await anyio.connect_tcp(
                self._host, self._port, ssl_context=context, tls_hostname=self._name
            )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # Not gracefully: with TLS that would wait for the server.
        await anyio.aclose_forcefully(self.stream)

    @property
    def stream(self) -> SocketStream | TLSStream:
        """The connection."""
        assert self._stream is not None, "use `async with`"
        return self._stream

    async def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        with anyio.fail_after(PATIENCE):
            await self.stream.send(data)

    async def end(self) -> None:
        """Half-close: send FIN, unless the server has closed, and go on reading."""
        with suppress(OSError, anyio.BrokenResourceError):
            await self.stream.send_eof()

    async def reset(self) -> None:
        """Close so that the server sees a reset."""
        raw = self.stream.extra(SocketAttribute.raw_socket)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await self.stream.aclose()

    async def _more(self) -> bool:
        try:
            with anyio.fail_after(PATIENCE):
                self._buffer += await self.stream.receive()
        except anyio.EndOfStream:
            return False
        except anyio.BrokenResourceError:
            self.was_cut = True
            return False
        return True

    async def read_until(self, mark: bytes) -> bytes:
        """Return what comes up to and with `mark`.

        Raises:
            EOFError: If the connection ends before.
        """
        while mark not in self._buffer:
            if not await self._more():
                raise EOFError(self._buffer)
        found, _, self._buffer = self._buffer.partition(mark)
        return found + mark

    async def read_exactly(self, size: int) -> bytes:
        """Return the next `size` bytes.

        Raises:
            EOFError: If the connection ends before.
        """
        while len(self._buffer) < size:
            if not await self._more():
                raise EOFError(self._buffer)
        found, self._buffer = self._buffer[:size], self._buffer[size:]
        return found

    async def read_all(self) -> bytes:
        """Return everything until the peer closes, by FIN or by RST."""
        while await self._more():
            pass
        found, self._buffer = self._buffer, b""
        return found

    async def response(self, *, to: str = "GET") -> RawResponse:
        """Read one response, decode its body, and leave what follows.

        Args:
            to: The method of the request, which decides about the body.

        Raises:
            EOFError: If the connection ends before.
        """
        head = (await self.read_until(_HEAD_END)).removesuffix(_HEAD_END)
        text = head.decode("latin-1")
        status = int(text.split(" ", 2)[1])
        bare = RawResponse(status, text, b"")
        if to == "HEAD" or status < 200 or status in (204, 304):
            return bare
        if "chunked" in (bare.header("transfer-encoding") or ""):
            return await self._chunked(bare)
        length = bare.header("content-length")
        if length is None:
            return bare._replace(body=await self.read_all())
        return bare._replace(body=await self.read_exactly(int(length)))

    async def _chunked(self, bare: RawResponse) -> RawResponse:
        body = b""
        while True:
            size = int((await self.read_until(b"\r\n")).strip(), 16)
            if size == 0:
                break
            body += await self.read_exactly(size)
            assert await self.read_exactly(2) == b"\r\n"
        lines = []
        while (line := await self.read_until(b"\r\n")) != b"\r\n":
            lines.append(line.decode("latin-1").rstrip("\r\n"))
        return bare._replace(body=body, trailers="\r\n".join(lines))

    async def ask(self, text: str, body: bytes = b"") -> RawResponse:
        """Send a request given as its lines and read the response.

        Args:
            text: Request line and fields, one a line; a Host field is added.
            body: Sent behind the head as it is.
        """
        lines = text.strip().split("\n")
        lines[1:1] = ["Host: test"]
        head = "\r\n".join(line.strip() for line in lines)
        await self.send(head.encode("latin-1") + _HEAD_END + body)
        return await self.response(to=lines[0].split(" ")[0])


@asynccontextmanager
async def served(
    listener: RequestListener | None = None, **options: Unpack[ServerOptions]
) -> AsyncIterator[tuple[Server, RawClient]]:
    """Run a server on loopback with one client connected to it; close both.

    Args:
        listener: Of ``request``.
        **options: Of the server.
    """
    server = Server(listener, **options).listen(0, "127.0.0.1")
    async with server, RawClient(server) as client:
        yield server, client
