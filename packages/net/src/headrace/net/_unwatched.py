"""Accepting and connecting on a loop that cannot watch sockets; which loop can what.

asyncio's proactor loop on Windows is one. There anyio's streams move the bytes, behind
the same interface (`_anyio.py`), and tasks wait for connections.
"""

import socket
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import anyio
from anyio.abc import (
    ByteStream,
    SocketAttribute,
    SocketListener,
    SocketStream,
    UNIXSocketStream,
)

from headrace.net._address import AF_UNIX, error_facts
from headrace.net._errors import SocketError
from headrace.net._lookup import Candidate

if TYPE_CHECKING:
    from headrace.events.loop import Loop, Task
    from headrace.net._connect import Dial

_KEY: Final = "headrace.net can watch sockets"


def can_watch(loop: "Loop") -> bool:
    """Return whether the loop can tell when a socket is ready; asked once per loop."""
    known: bool | None = loop.locals.get(_KEY)
    if known is None:
        known = loop.locals[_KEY] = _try_to_watch(loop)
    return known


def _try_to_watch(loop: "Loop") -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            loop.watch_readable(probe, bool)
        except NotImplementedError:
            return False
        loop.unwatch_readable(probe)
        return True


def stands_on_libuv() -> bool:
    """Return whether the running loop is one of libuv's, such as uvloop."""
    return _native_package() in ("uvloop", "winloop")


def _native_package() -> str | None:
    """Return which package asyncio's running loop is from; None on trio."""
    asyncio = sys.modules.get("asyncio")
    try:
        native = asyncio.get_running_loop() if asyncio is not None else None
    except RuntimeError:
        return None
    return type(native).__module__.partition(".")[0]


async def accept_forever(
    loop: "Loop", sock: socket.socket, accepted: Callable[[ByteStream, Any], object]
) -> None:
    """Call back for each connection to a listening socket, until cancelled."""
    loop.release()  # the server counts for `run()`, this task does not
    try:
        listener = await SocketListener.from_socket(sock)
        while True:
            stream = await listener.accept()
            accepted(stream, stream.extra(SocketAttribute.remote_address, None))
    finally:
        loop.hold()


def discard(loop: "Loop", handle: socket.socket | ByteStream) -> None:
    """Close a connection that nobody wants any more."""
    if isinstance(handle, socket.socket):
        handle.close()
    else:
        loop.spawn(anyio.aclose_forcefully(handle))


class LateStream(ByteStream):
    """A connected socket as a byte stream, made when it is first used."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._lock = anyio.Lock()
        self._opened: ByteStream | None = None

    async def _open(self) -> ByteStream:
        async with self._lock:
            if self._opened is None:
                unix = self._socket.family == AF_UNIX
                kind = UNIXSocketStream if unix else SocketStream
                self._opened = await kind.from_socket(self._socket)
            return self._opened

    async def receive(self, max_bytes: int = 65536) -> bytes:
        return await (await self._open()).receive(max_bytes)

    async def send(self, item: bytes) -> None:
        await (await self._open()).send(item)

    async def send_eof(self) -> None:
        await (await self._open()).send_eof()

    async def aclose(self) -> None:
        if self._opened is None:
            self._socket.close()
        else:
            await self._opened.aclose()

    @property
    def extra_attributes(self) -> Mapping[Any, Callable[[], Any]]:
        """What a `SocketStream` knows, from the first moment on."""
        sock = self._socket
        return {
            SocketAttribute.family: lambda: sock.family,
            SocketAttribute.local_address: sock.getsockname,
            SocketAttribute.remote_address: sock.getpeername,
            SocketAttribute.raw_socket: lambda: sock,
        }


class StreamAttempt:
    """Connecting one stream to one address; does what `Attempt` does."""

    __slots__ = ("_dial", "_options", "_task", "candidate")

    def __init__(
        self, dial: "Dial", candidate: Candidate, options: Mapping[str, Any]
    ) -> None:
        self._dial = dial
        self._options = options
        self._task: Task | None = None
        self.candidate = candidate

    def start(self) -> None:
        """Begin to connect."""
        self._task = self._dial.loop.spawn(self._connect())

    async def _connect(self) -> None:
        try:
            stream = await self._open()
        except OSError as error:
            self._task = None
            facts = error_facts(*self.candidate)
            cause = error.__cause__ if error.errno is None else error
            if not isinstance(cause, OSError):
                cause = error
            refusal = SocketError.from_exception(cause, "connect", **facts)
            self._dial.refused(self, refusal)
        else:
            self._task = None
            self._dial.connected(self, stream)

    async def _open(self) -> ByteStream:
        family, sockaddr = self.candidate
        if family == AF_UNIX:
            return await anyio.connect_unix(sockaddr)
        return await anyio.connect_tcp(
            sockaddr[0], sockaddr[1], local_host=self._options.get("local_address")
        )

    def close(self) -> None:
        """Give up."""
        if self._task is not None:
            self._task.cancel()
            self._task = None
