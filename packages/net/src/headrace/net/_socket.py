"""Socket: one connection as a Duplex stream.

`_link.py` has the table of its life. Two ways lead to the bytes: the stream (events,
`read`, `async for`, `write`), or a `Receiver` that takes them straight from the
transport (`consume`, `send`), which is what protocols use.
"""

import logging
import socket
from collections.abc import Callable, Coroutine, Generator, Hashable, Mapping
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, overload

from anyio.abc import ByteStream

from headrace.events import channel, specialized
from headrace.events.loop import Loop, Waiter, current
from headrace.net._address import AF_UNIX
from headrace.net._anyio import AnyioTransport
from headrace.net._connect import Dial
from headrace.net._destination import Destination
from headrace.net._errors import (
    InvalidHandleTypeError,
    SocketClosedBeforeConnectionError,
    SocketClosedError,
)
from headrace.net._guard import Guard
from headrace.net._options import (
    CONNECT_NAMES,
    SOCKET_NAMES,
    Path,
    Signal,
    merge,
    parse_connect,
)
from headrace.net._socket_base import handle_of
from headrace.net._socket_bytes import SocketBytes
from headrace.net._socket_transport import SocketTransport
from headrace.net._state import LINK, Link, LinkMove, advance
from headrace.net._tasks import TaskKeeper
from headrace.net._transport import NOT_CONNECTED, Transport
from headrace.net._unwatched import LateStream, can_watch
from headrace.streams import Stream

if TYPE_CHECKING:
    from typing import Unpack

    from headrace.net._lookup import Candidate
    from headrace.net._options import ConnectCall, SocketOptions
    from headrace.net._server import Server

logger = logging.getLogger("headrace.net")
_connecting: Final = channel("net.client.socket")  # for diagnostics

# Members of an Enum are slow to look up on the hot path (Python 3.11).
_OPEN: Final = Link.OPEN
_CLOSED: Final = Link.CLOSED
_CONNECTED: Final = LinkMove.CONNECTED
_DESTROY: Final = LinkMove.DESTROY
_CLOSE: Final = LinkMove.CLOSE


class Socket(SocketBytes):
    """One TCP or Unix connection, or none yet.

    Args:
        options: The keywords as one mapping; keywords win.
        **keywords: `fd` or `handle`: an existing connected socket (or an
            `anyio.abc.ByteStream`) to take over; `allow_half_open` (False: the end of
            reading ends writing), `readable` and `writable` (False: without that side),
            `high_water_mark`.

    Attributes:
        allow_half_open: Whether the user ends the write side after the peer has ended.

    Events:
        lookup (error, address, family, host): for each address that a name has.
        connect (), ready (): the connection is made.
        data (chunk), end (), drain (), finish (): as for every Duplex.
        timeout (): nothing was received or sent for the time set by `set_timeout`.
        error (error): at most once, before ``close``.
        close (): exactly once and last; the attribute `had_error` tells why.

    Source: spec H-136 to H-147.
    """

    __slots__ = ()

    _init_stream = specialized(Stream.__init__)

    def __init__(
        self,
        options: Mapping[str, Any] | None = None,
        /,
        **keywords: "Unpack[SocketOptions]",
    ) -> None:
        given = merge(SOCKET_NAMES, options, keywords)
        handle = handle_of(given)
        self._init(given)
        if handle is not None:
            self._owner = current().owner
            self._adopt_transport(transport_for(self, handle))

    @classmethod
    def _accepted(
        cls,
        server: "Server",
        loop: Loop,
        sock: socket.socket | ByteStream,
        remote: object,
    ) -> "Self":
        """Return the socket of a connection that `server` has accepted."""
        self = cls.__new__(cls)
        self._init_stream()
        self._loop = loop
        self._owner = self
        self._link = _OPEN
        self._receiver = None
        self._server = server
        self._idle = None
        self._timeout = 0.0
        self.allow_half_open = server._allow_half_open
        self._counted = True
        self._is_accepted = True
        self._receiver_rests = False
        self._peer_ended = self._write_pending = self._flush_owed = False
        loop.hold()
        if isinstance(sock, socket.socket):
            on_data = self._push_data
            self._transport = SocketTransport(loop, self, on_data, sock, remote, True)
        else:
            self._transport = AnyioTransport(loop, self, self._push_data, sock)
        return self

    @classmethod
    def _to(cls, destination: Destination) -> "Self":
        """Return a new socket that connects to a place which was checked before."""
        if destination.socket_options:
            self = cls(destination.socket_options)
        else:
            self = cls.__new__(cls)
            self._init_stream()
            self.allow_half_open = False
            self._init_slots()
        return self._connect(destination.options, None, destination.candidate)

    # The connection

    @overload
    def connect(
        self,
        port: int | str,
        host: str | None = None,
        callback: Signal | None = None,
        /,
        **options: "Unpack[ConnectCall]",
    ) -> Self: ...
    @overload
    def connect(
        self,
        target: int | Path | Mapping[str, Any],
        callback: Signal | None = None,
        /,
        **options: "Unpack[ConnectCall]",
    ) -> Self: ...
    @overload
    def connect(self, **options: "Unpack[ConnectCall]") -> Self: ...
    def connect(self, *args: Any, **options: Any) -> Self:
        """Connect; ``connect`` or ``error`` follows.

        Also possible again after ``close``, with everything reset but the listeners.

        Args:
            *args: `port[, host]` or `path`, a mapping of options, or both; then a
                one-time listener of ``connect``.
            **options: `port`, `host` (default `localhost`), `path`, `local_address`,
                `local_port`, `family` (4, 6, or 0 for both), `lookup`, `timeout`,
                `no_delay`, `keep_alive`, `keep_alive_initial_delay`,
                `auto_select_family`, `auto_select_family_attempt_timeout`.

        Returns:
            The socket.

        Raises:
            MissingArgsError: If there is neither a port nor a path.
            BadPortError: If the port is none.
            IllegalMoveError: If the socket is connecting or connected.

        Source: spec H-138, X-063.
        """
        parsed, callback = parse_connect(args, options, CONNECT_NAMES)
        return self._connect(parsed, callback)

    def _connect(
        self,
        options: Mapping[str, Any],
        callback: Callable[..., object] | None,
        candidate: "Candidate | None" = None,
    ) -> Self:
        link = advance(LINK, self._link, LinkMove.CONNECT)
        if self._link is Link.CLOSED:
            self._forget_connection()
        loop = self.loop()
        self._link = link
        if self._referenced and not self._counted:  # `_count`, without a call
            self._counted = True
            loop.hold()
        if self._owner is None:
            self._owner = loop.owner
        if callback is not None:
            self.once("connect", callback)
        if "no_delay" in options:
            self._no_delay = bool(options["no_delay"])
        if "keep_alive" in options:
            delay = options.get("keep_alive_initial_delay", 0.0)
            self._keep_alive = (bool(options["keep_alive"]), delay)
        if "timeout" in options:
            self._timeout = options["timeout"]
        if self._idle is not None:
            self._stop_idle_timer()
        if self._timeout:
            self._start_idle_timer()
        self._dial = dial = Dial(loop, self, options, candidate)
        loop.next_tick_for(self._owner, dial.start)
        if _connecting.has_subscribers:
            _connecting.publish({"socket": self})
        return self

    def _forget_connection(self) -> None:
        """Begin anew, with the listeners and settings of before."""
        readable, writable = self._readable_state, self._writable_state
        flowing = self.readable_flowing
        self._reopen()
        if readable is not None:
            self._make_readable_state(readable.high_water_mark)
            if readable.encoding is not None:
                self.set_encoding(readable.encoding)
        if writable is not None:
            self._make_writable_state(writable.high_water_mark)
        if flowing:
            self.resume()
        if self.listener_count("readable"):
            self._listener_added("readable")
        self._transport = NOT_CONNECTED
        self._peer_ended = self._write_pending = self._flush_owed = False
        self._is_accepted = self._ended_by_peer = False
        self._server = self._owner = None
        self._early = self._final_callback = self._read_size = None
        self._opened_waiter = self._closed_waiter = None

    def _dial_lookup(
        self,
        error: Exception | None,
        address: str | None,
        family: int | None,
        host: str,
    ) -> None:
        self.emit("lookup", error, address, family, host)

    def _dial_connected(self, sock: socket.socket | ByteStream, remote: object) -> None:
        self._dial = None
        loop = self._loop or self.loop()
        transport: Transport
        if isinstance(sock, socket.socket):  # the dial has made it nonblocking
            transport = SocketTransport(loop, self, self._push_data, sock, remote)
        else:
            transport = transport_for(self, sock, remote)
        self._use_transport(self._layered(transport), _CONNECTED)
        if self._receiver is not None and self._is_ready():
            self._tell_receiver()
        deliver = loop.deliver  # one listener's exception must not stop the rest
        if "connect" in self._listeners:
            deliver(self._owner, self.emit, "connect")
        if "ready" in self._listeners:
            deliver(self._owner, self.emit, "ready")
        self._start_reading()

    def _tell_receiver(self) -> None:
        """Tell the receiver, if it wants to know, that the connection is made."""
        hook = getattr(self._receiver, "connection_opened", None)
        if hook is not None:
            try:  # inside a delivery for the same owner
                hook()
            except Exception as error:
                self.loop().report(error, hook, self._owner)

    def _layered(self, transport: Transport) -> Transport:
        """Return the transport to use over that of the system: the same, or TLS."""
        return transport

    def _dial_failed(self, error: Exception) -> None:
        self._dial = None
        self.destroy(error)

    def _adopt_transport(self, transport: Transport) -> None:
        """Take over a connection that exists already."""
        self._use_transport(self._layered(transport), LinkMove.ADOPT)
        self._count()
        transport.loop.next_tick_for(self._owner, self._start_reading)

    def _use_transport(self, transport: Transport, move: LinkMove) -> None:
        self._link = advance(LINK, self._link, move)
        self._transport = transport
        if self._receiver is not None:  # `consume` was called before there was one
            transport.on_data = self._receiver.data_received
        self._apply_settings()
        self._tell_ready()
        early, self._early = self._early, None
        if early is not None and transport.write(early):
            self._write_pending = False
            self._wrote(None)
        if self._final_callback is not None:
            self._final(self._final_callback)

    def _is_ready(self) -> bool:
        """Whether what an `await` of this socket waits for has happened."""
        return self._link is _OPEN

    def _tell_ready(self) -> None:
        if self._opened_waiter is not None and self._is_ready():
            self._opened_waiter.set()

    def _start_reading(self) -> None:
        """Read up to the high-water mark, unless a receiver reads or it is paused."""
        if self._link is not _OPEN:
            return
        if self._receiver is not None:
            if not self._receiver_rests:
                self._transport.resume_reading()
        elif self._read_size is not None:
            self._read(self._read_size)
        elif self.readable and not self.is_paused():
            self.read(0)

    def _drop_buffers(self) -> None:
        before = self._link is Link.CONNECTING and self._errored is None
        if before:  # what the callbacks of pending writes are told (spec H-141)
            self._errored = SocketClosedBeforeConnectionError()
        super()._drop_buffers()
        if before:
            self._errored = None

    def _destroy(
        self, error: BaseException | None, callback: Callable[..., None]
    ) -> None:
        flush = getattr(self._receiver, "flush_last", None)
        if flush is not None:
            flush()
        self._link = LINK[self._link, _DESTROY]
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None
        if self._dial is not None:
            self._dial.abort()
            self._dial = None
        self._transport.abort()
        if self._counted:  # `_count`, without a call
            self._counted = False
            (self._loop or self.loop()).release()
        told = self._tell_of_loss(error)
        if error is None:
            callback(None)
            return
        # Emitting it to nobody would report an error as unheard that somebody has.
        callback(None if told and "error" not in self._listeners else error)

    def _tell_of_loss(self, error: BaseException | None) -> bool:
        """Tell a receiver and who awaits the connection; return if there was one."""
        receiver, self._receiver = self._receiver, None
        if receiver is not None:
            # Called, not delivered: `destroy` may be the user's call, inside which no
            # tick runs (H-008).
            try:
                receiver.connection_lost(
                    error if isinstance(error, Exception) else None
                )
            except Exception as raised:
                self.loop().report(raised, receiver, self._owner)
        waiter = self._opened_waiter
        if waiter is None or waiter.is_set:
            return receiver is not None
        waiter.fail(error or SocketClosedBeforeConnectionError())
        return True

    def _emit_close(self) -> None:
        self._link = LINK[self._link, _CLOSE]
        waiter, server = self._closed_waiter, self._server
        try:
            if self._listeners:
                self.emit("close")  # a listener may connect again
        finally:
            if waiter is not None:
                waiter.set()
            if server is not None:
                server._connection_closed(self)
            if self._link is _CLOSED:
                # No cycles: a closed socket goes without the garbage collector.
                self._owner = self._server = None

    # The end

    def destroy_soon(self) -> Self:
        """End, and destroy when all that was written is with the system.

        Source: spec H-141.
        """
        if self.writable:
            self.end()
        if self.writable_finished or self._link is not _OPEN:
            self.destroy()
        else:
            self.once("finish", self.destroy)
        return self

    def reset_and_destroy(self) -> Self:
        """Close at once so that the peer sees a reset.

        Raises:
            InvalidHandleTypeError: If this is a Unix socket.

        Source: spec X-080.
        """
        if self._link is _OPEN:
            if self._transport.family == AF_UNIX:
                raise InvalidHandleTypeError("only a TCP socket can be reset")
            self._transport.reset()
        return self.destroy()

    # Whoever answers for it

    def take_exception(self, error: Exception, source: object) -> bool:
        """Deal with what a listener raised, or with an unheard ``error``.

        An accepted socket logs it and is destroyed: its server goes on. Else a block
        `async with socket` may end with it.

        Source: spec H-010.
        """
        if not self._is_accepted:
            if self._guard is not None and self._guard.take(error):
                return True
            parent = self._parent
            return parent is not None and parent.take_exception(error, source)
        if isinstance(error, OSError):
            logger.debug("%r: %r", self, error)
        else:
            logger.error("an exception in a callback of %r", self, exc_info=error)
        self.destroy()
        return True

    def _adopt(
        self,
        coroutine: Coroutine[Any, Any, object],
        event: Hashable,
        args: tuple[Any, ...],
    ) -> None:
        """Run an async listener; it ends with the server, or with `async with self`."""
        keeper = self._server._keeper if self._server is not None else self._keeper
        if keeper is None:
            keeper = self._keeper = TaskKeeper()
        on_error = partial(self._reject, event, args)
        keeper.spawn(self.loop(), coroutine, self._owner, on_error)

    def __rejection__(self, error: Exception, event: Hashable, *args: object) -> None:
        """Deal with the exception of an async listener (spec H-010, H-150)."""
        if self._is_accepted:
            self.loop().report(error, self, self._owner)
        else:
            self.destroy(error)

    # Python's way

    def __await__(self) -> Generator[Any, Any, Self]:
        """Wait for the connection; raise why there is none.

        Cancelled while it is being made, it is given up and the socket destroyed.
        """
        return self._wait_open().__await__()

    async def _wait_open(self) -> Self:
        if self._link in (Link.CLOSING, Link.CLOSED):
            raise self._errored or SocketClosedError
        if not self._is_ready():
            if self._opened_waiter is None:
                self._opened_waiter = Waiter()
            try:
                await self._opened_waiter.wait()
            except BaseException:
                self.destroy()
                raise
        return self

    async def aclose(self) -> None:
        """End, wait until all that was written is sent, and close.

        Cancelled, it destroys the socket at once.
        """
        try:
            self.destroy_soon()
            await self._wait_closed()
        except BaseException:
            self.destroy()
            raise

    async def _wait_closed(self) -> None:
        if not self.closed:
            if self._closed_waiter is None:
                self._closed_waiter = Waiter()
            await self._closed_waiter.wait()

    async def __aenter__(self) -> Self:
        await self._wait_open()
        self._guard = Guard(self.loop(), self._close_block, self._abort_block)
        if not self._is_accepted:
            self._parent, self._owner = self._owner, self
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close, and wait for the async listeners; at once if the block has failed."""
        guard, self._guard = self._guard, None
        if guard is not None:
            await guard.leave(error)

    async def _close_block(self) -> None:
        await self.aclose()
        if self._keeper is not None:
            await self._keeper.wait()

    async def _abort_block(self) -> None:
        self.destroy()
        if self._keeper is not None:
            await self._keeper.cancel()
        await self._wait_closed()


def transport_for(holder: Socket, handle: Any, remote: object = None) -> Transport:
    """Return a transport on a connection that exists: a socket or a byte stream."""
    loop = holder.loop()
    if isinstance(handle, socket.socket):
        handle.setblocking(False)
        if can_watch(loop):
            return SocketTransport(loop, holder, holder._push_data, handle, remote)
        handle = LateStream(handle)
    return AnyioTransport(loop, holder, holder._push_data, handle)
