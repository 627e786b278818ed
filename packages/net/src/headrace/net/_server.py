"""Server: accepts connections, knows them, and answers for them."""

import errno
import logging
import socket
from collections.abc import Callable, Coroutine, Generator, Hashable, Mapping
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

from anyio.abc import ByteStream, SocketAttribute

from headrace.events import channel
from headrace.events.loop import Loop, Owner, Waiter, current
from headrace.net import _sockopts
from headrace.net._address import Address, from_sockaddr
from headrace.net._errors import (
    InvalidArgTypeError,
    OutOfRangeError,
    ServerNotRunningError,
)
from headrace.net._guard import Guard
from headrace.net._options import SERVER_NAMES, check_callback, check_duration, merge
from headrace.net._server_base import ServerBase
from headrace.net._socket import Socket
from headrace.net._state import Listening
from headrace.net._tasks import TaskKeeper
from headrace.net._unwatched import accept_forever, can_watch, discard

if TYPE_CHECKING:
    from typing import Unpack

    from headrace.net._options import ServerOptions

logger = logging.getLogger("headrace.net")
_accepted: Final = channel("net.server.socket")  # for diagnostics

#: Connections taken per event: enough for a burst, few enough to be fair to the others.
ACCEPTS_PER_EVENT: Final = 32
#: A connection is read at once, unless that was in vain for those before it: then so
#: many are left alone as there were failures in a row, up to this number.
MAX_READS_SKIPPED: Final = 16
#: How long to wait when the process or the system is out of descriptors or memory.
_EXHAUSTED_DELAY: Final = 0.25
_EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class Server(ServerBase):
    """A TCP or Unix server.

    Args:
        options: The keywords as one mapping; keywords win.
        connection_listener: Added as a listener of ``connection``.
        **keywords: `allow_half_open`, `high_water_mark`, `no_delay`, `keep_alive` and
            `keep_alive_initial_delay` for each accepted socket, and `pause_on_connect`
            (nothing is read from it before someone asks).

    Attributes:
        max_connections: More are accepted and closed at once; None: no limit.

    Events:
        listening (): bound and listening.
        connection (socket): a connection was accepted; nothing was read yet.
        drop (info): one was closed because of `max_connections`; both ends' names.
        close (): listens no more, and the last connection has ended.
        error (error): `listen` failed; it may be called again.

    Source: spec H-133 to H-136, X-081.
    """

    _socket_class: ClassVar[type[Socket]] = Socket
    _tls_options: Mapping[str, Any] = {}

    def __init__(self, *args: Any, **keywords: "Unpack[ServerOptions]") -> None:
        super().__init__()
        options, listener = split_arguments(args)
        # Configuration
        self._options = _check_options(merge(SERVER_NAMES, options, keywords))
        self.max_connections: int | None = None
        if listener is not None:
            self.on("connection", listener)
        # Accepting
        self._allow_half_open = bool(self._options.pop("allow_half_open", False))
        self._kind = (0, 0, 0)  # family, type and protocol of what is accepted
        self._each = self._options  # what is to be set on each accepted socket
        self._early_reads = 0  # failures in a row
        self._reads_to_skip = 0
        # Whoever answers for it, and what belongs to it
        self._owner = self
        self._keeper = TaskKeeper()
        self._guard: Guard | None = None

    # Accepting

    def _accept_on(self) -> None:
        self._rest = None
        sock, loop = self._socket, self._loop
        if sock is None or loop is None:
            return
        if can_watch(loop):
            loop.watch_readable(sock, self._acceptable)
        else:
            waiting = accept_forever(loop, sock, partial(self._accept, loop))
            self._acceptor = loop.spawn(waiting, owner=self)

    def _prepare(self, sock: socket.socket, *, is_ours: bool) -> None:
        self._kind = (int(sock.family), int(sock.type), sock.proto)
        self._each = each = dict(self._options)
        if not (is_ours and _sockopts.ARE_INHERITED):
            return
        # A system call for each connection less.
        if each.pop("no_delay", False):
            _sockopts.set_no_delay(sock, True)
        delay = each.pop("keep_alive_initial_delay", 0.0)
        if each.pop("keep_alive", False):
            _sockopts.set_keep_alive(sock, True, delay)

    def _acceptable(self) -> None:
        loop = self._loop
        if loop is not None and loop.ticks:
            loop.drain()  # a tick may close the server
        sock = self._socket
        if sock is None or loop is None:
            return
        accept = sock._accept  # type: ignore[attr-defined]  # as `accept()` does
        for _ in range(ACCEPTS_PER_EVENT):
            try:
                number, remote = accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                if error.errno not in _EXHAUSTED:
                    continue  # that peer has gone already
                self._rest_a_while(loop, error)
                return
            # As `accept()` does, too, but without asking enums each time.
            accepted = socket.socket(*self._kind, fileno=number)
            accepted.setblocking(False)
            self._accept(loop, accepted, remote)
            if self._socket is not sock:
                return  # a listener has closed the server

    def _rest_a_while(self, loop: Loop, error: OSError) -> None:
        """Let the connections wait in the backlog until there may be room again."""
        logger.error("cannot accept connections: %s", error)
        if self._socket is not None:
            loop.unwatch_readable(self._socket)
        self._rest = loop.call_later(_EXHAUSTED_DELAY, self._accept_on)
        self._rest.unref()

    def _accept(
        self, loop: Loop, sock: socket.socket | ByteStream, remote: Any
    ) -> None:
        limit = self.max_connections
        if limit is not None and len(self._connections) >= limit:
            info = _names(sock, remote)
            discard(loop, sock)
            loop.deliver(self, self.emit, "drop", info)
            return
        connection = self._socket_class._accepted(self, loop, sock, remote)
        self._connections.add(connection)
        if _accepted.has_subscribers:
            _accepted.publish({"socket": connection, "server": self})
        if self._each:
            self._configure(connection)
        transport = connection._transport
        loop.deliver(connection, self._connection_accepted, connection)
        if self._reads_to_skip:
            self._reads_to_skip -= 1
            transport.watch_first()
        elif transport.read_first():
            if self._early_reads:
                self._early_reads = 0
        else:
            self._early_reads += 1
            self._reads_to_skip = min(self._early_reads, MAX_READS_SKIPPED)

    def _configure(self, connection: Socket) -> None:
        options = self._each
        if "high_water_mark" in options:
            mark = options["high_water_mark"]
            connection._make_readable_state(mark)
            connection._make_writable_state(mark)
        if options.get("no_delay"):
            connection._transport.set_no_delay(True)
        if options.get("keep_alive"):
            delay = options.get("keep_alive_initial_delay", 0.0)
            connection._transport.set_keep_alive(True, delay)
        if options.get("pause_on_connect"):
            connection.pause()

    def _connection_accepted(self, connection: Socket) -> None:
        """Tell the listeners of a new connection, then begin to read it."""
        try:
            self.emit("connection", connection)
        except Exception as error:  # a listener may have given it another owner
            connection.loop().report(error, self, connection._owner)
        if connection._receiver is None:  # else it reads already
            connection._start_reading()

    def _connection_secured(self, connection: Socket) -> None:
        """React to the end of a connection's TLS handshake."""

    def _handshake_failed(self, error: BaseException, connection: Socket) -> None:
        """React to a TLS handshake that failed; its socket is destroyed."""

    def _connection_closed(self, connection: Socket) -> None:
        self._connections.discard(connection)
        if self._state is Listening.CLOSING:
            self._close_if_done()

    def _destroy_connections(self) -> None:
        for connection in list(self._connections):
            connection.destroy()

    def __repr__(self) -> str:
        where = self.address()
        if isinstance(where, Address):
            where = f"{where.address}:{where.port}"
        place = f" at {where}" if where else ""
        count = len(self._connections)
        state = self._state.name.lower()
        return f"<{type(self).__name__} {state}{place}, {count} connections>"

    # Whoever answers for it

    def take_exception(self, error: Exception, source: object) -> bool:
        """Deal with what a listener of the server raised, or with an unheard ``error``.

        Source: spec H-010.
        """
        if self._guard is not None and self._guard.take(error):
            return True
        return self._parent is not None and self._parent.take_exception(error, source)

    def _adopt(
        self,
        coroutine: Coroutine[Any, Any, object],
        event: Hashable,
        args: tuple[Any, ...],
    ) -> None:
        """Run an async listener; it ends with the server."""
        try:
            loop = current()
        except RuntimeError:
            coroutine.close()
            raise
        owner: Owner = self
        reject = partial(self._reject, event, args)
        for arg in args:
            if isinstance(arg, Socket):
                # A bug in a handler ends its connection, not the server (spec H-010).
                owner, reject = arg, partial(_fail_connection, loop, arg)
        self._keeper.spawn(loop, coroutine, owner, reject)

    # Python's way

    def __await__(self) -> Generator[Any, Any, Self]:
        """Wait until the server listens; raise why it does not."""
        return self._wait_listening().__await__()

    async def _wait_listening(self) -> Self:
        if self._state is Listening.STARTING:
            if self._started is None:
                self._started = Waiter()
            try:
                await self._started.wait()
            except BaseException:
                self.close()
                raise
        elif self._state is not Listening.LISTENING:
            raise self._listen_error or ServerNotRunningError
        return self

    async def aclose(self) -> None:
        """Close and wait for ``close``, then for the async listeners.

        Cancelled, it destroys all connections at once.
        """
        try:
            await self._close_gracefully()
        except BaseException:
            self._close_now()
            raise

    async def _close_gracefully(self) -> None:
        self.close()
        await self._wait_closed()
        await self._keeper.wait()

    async def _wait_closed(self) -> None:
        if self._state is Listening.CLOSING:
            if self._closed is None:
                self._closed = Waiter()
            await self._closed.wait()

    def _close_now(self) -> None:
        self.close()
        self._destroy_connections()

    async def __aenter__(self) -> Self:
        await self._wait_listening()
        self._guard = Guard(current(), self._close_gracefully, self._abort_block)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close gracefully; destroy everything at once if the block has failed."""
        guard, self._guard = self._guard, None
        if guard is not None:
            await guard.leave(error)

    async def _abort_block(self) -> None:
        self._close_now()
        await self._keeper.cancel()
        await self._wait_closed()


def _fail_connection(loop: Loop, connection: Socket, error: Exception) -> None:
    loop.report(error, connection, connection._owner or connection)


def split_arguments(
    args: tuple[Any, ...],
) -> tuple[Mapping[str, Any] | None, Callable[..., object] | None]:
    """Take options and listener apart; either may be left out."""
    rest = list(args)
    options = rest.pop(0) if rest and isinstance(rest[0], Mapping) else None
    if options is None and len(rest) > 1 and rest[0] is None:
        rest.pop(0)
    listener = rest.pop(0) if rest else None
    check_callback(listener)
    if rest:
        raise TypeError("a server takes options and one listener")
    return options, listener


def _check_options(options: dict[str, Any]) -> dict[str, Any]:
    if "keep_alive_initial_delay" in options:
        delay = options["keep_alive_initial_delay"]
        check_duration("keep_alive_initial_delay", delay)
    mark = options.get("high_water_mark", 0)
    if isinstance(mark, bool) or not isinstance(mark, int):
        raise InvalidArgTypeError("high_water_mark", "an int", mark)
    if mark < 0:
        raise OutOfRangeError("high_water_mark", "0 or more", mark)
    return options


def _names(handle: socket.socket | ByteStream, remote: Any) -> dict[str, Any]:
    """Return both ends of a connection for ``drop``."""
    sock = handle
    if not isinstance(sock, socket.socket):
        sock = sock.extra(SocketAttribute.raw_socket)
    info: dict[str, Any] = {}
    ends = {"remote": from_sockaddr(sock.family, remote), "local": None}
    with suppress(OSError):
        ends["local"] = from_sockaddr(sock.family, sock.getsockname())
    for end, address in ends.items():
        info[f"{end}_address"] = None if address is None else address.address
        info[f"{end}_port"] = None if address is None else address.port
        info[f"{end}_family"] = None if address is None else address.family
    return info
