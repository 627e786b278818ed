"""What a server is and knows: listening, closing, its state, settings and facts.

`_state.py` has the table of its life, `_server.py` what it does with connections.
"""

import socket
from abc import abstractmethod
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol, Self, overload

from headrace.events.loop import Loop, Owner, Waiter, current
from headrace.net import _listen, _lookup
from headrace.net._address import Address, from_sockaddr
from headrace.net._errors import AlreadyListeningError, ServerNotRunningError
from headrace.net._events import ServerEvents
from headrace.net._options import Path, Signal, check_callback, parse_listen
from headrace.net._state import LISTENING, Listening, ListeningMove, advance

if TYPE_CHECKING:
    from typing import Unpack

    from headrace.events.loop import Task, Timer
    from headrace.net._options import ListenCall
    from headrace.net._socket import Socket


class HasHandle(Protocol):
    """Something that has a socket inside, such as another server (spec H-032)."""

    @property
    def _handle(self) -> socket.socket | None: ...


ACTIVE: Final = (Listening.STARTING, Listening.LISTENING)


class ServerBase(ServerEvents):
    """State, settings and facts of a server."""

    def __init__(self) -> None:
        super().__init__()
        self._referenced = True
        # Per listen
        self._loop: Loop | None = None
        self._owner: Owner | None = None
        self._parent: Owner | None = None  # on whose behalf `listen` was called
        self._state = Listening.IDLE
        self._socket: socket.socket | None = None
        self._file: tuple[str | bytes, _listen.FileId] | None = None
        self._counted = False
        self._start_callback: Callable[..., object] | None = None
        self._rest: Timer | None = None
        self._acceptor: Task | None = None
        self._started: Waiter[None] | None = None
        self._closed: Waiter[None] | None = None
        self._listen_error: Exception | None = None
        # Per connection
        self._connections: set[Socket] = set()

    # Listening

    @overload
    def listen(
        self,
        port: int | str | None,
        host: str | None = None,
        backlog: int | None = None,
        callback: Signal | None = None,
        /,
        **options: "Unpack[ListenCall]",
    ) -> Self: ...
    @overload
    def listen(
        self,
        port: int | str | None,
        host_or_backlog: str | int | None,
        callback: Signal | None = None,
        /,
        **options: "Unpack[ListenCall]",
    ) -> Self: ...
    @overload
    def listen(
        self,
        target: "int | Path | Mapping[str, Any] | socket.socket | HasHandle",
        callback: Signal | None = None,
        /,
        **options: "Unpack[ListenCall]",
    ) -> Self: ...
    @overload
    def listen(
        self, callback: Signal | None = None, /, **options: "Unpack[ListenCall]"
    ) -> Self: ...
    def listen(self, *args: Any, **options: Any) -> Self:
        """Bind and listen; ``listening`` or ``error`` follows.

        Args:
            *args: `port[, host][, backlog]`, a path, a bound socket, another server, or
                one mapping of options; then a one-time listener of ``listening``.
            **options: `port` (0 or none: any), `host` (none: all addresses, IPv6 and
                IPv4), `path`, `fd`, `handle`, `backlog` (511), `ipv6_only`,
                `reuse_port`, `exclusive` (ignored: there is no cluster).

        Returns:
            The server.

        Raises:
            AlreadyListeningError: If it listens, is about to, or has not closed yet.
            BadPortError: If the port is none.
            InvalidArgValueError: If the arguments fit no form.
            NoRunningLoopError: If no loop runs.

        Source: spec H-030 to H-033, H-134.
        """
        parsed, callback = parse_listen(args, options)
        if self._state is not Listening.IDLE:
            raise AlreadyListeningError
        loop = current()
        self._move(ListeningMove.LISTEN)
        self._loop = loop
        self._parent = loop.owner if loop.owner is not self._owner else None
        self._listen_error = None
        self._started = self._closed = None
        self._start_callback = callback
        if callback is not None:
            self.once("listening", callback)
        self._count()
        if _listen.needs_lookup(parsed):
            loop.spawn(self._look_up(loop, parsed), owner=self._owner)
        else:
            is_ours = "fd" not in parsed and "handle" not in parsed
            self._bind(loop, lambda: _listen.open_now(parsed), is_ours=is_ours)
        return self

    async def _look_up(self, loop: Loop, options: Mapping[str, Any]) -> None:
        try:
            found = await _lookup.resolve(options["host"], options["port"], 0, None)
        except OSError as error:
            self._fail_listen(error)
            return
        if self._state is Listening.STARTING:
            self._bind(loop, lambda: _listen.open_at(found[0], options), is_ours=True)

    def _bind(
        self, loop: Loop, open_socket: Callable[[], socket.socket], *, is_ours: bool
    ) -> None:
        try:
            sock = open_socket()
        except OSError as error:
            loop.next_tick_for(self._owner, self._fail_listen, error)
            return
        self._prepare(sock, is_ours=is_ours)
        self._socket = sock
        self._file = _listen.file_of(sock)
        loop.attach(self)
        loop.next_tick_for(self._owner, self._begin, sock)

    def _fail_listen(self, error: Exception) -> None:
        if self._state is not Listening.STARTING:
            return  # closed in the meantime
        self._move(ListeningMove.FAIL)
        self._count()
        self._listen_error = error
        if self._start_callback is not None:
            self.off("listening", self._start_callback)
        if self._started is not None:
            # Who awaits it hears of it; nobody else has to.
            self._started.fail(error)
            if not self.listener_count("error"):
                return
        self.emit("error", error)

    def _begin(self, sock: socket.socket) -> None:
        if self._socket is not sock:
            return  # closed in the meantime
        self._move(ListeningMove.BEGIN)
        self._accept_on()
        if self._started is not None:
            self._started.set()
        self.emit("listening")

    @abstractmethod
    def _prepare(self, sock: socket.socket, *, is_ours: bool) -> None:
        """Set up a listening socket; one that is not ours belongs to others, too."""

    @abstractmethod
    def _accept_on(self) -> None:
        """Begin to accept connections, or go on with it."""

    # Closing

    def close(self, callback: Callable[..., object] | None = None) -> Self:
        """Accept no more; ``close`` follows when the last connection has ended.

        Args:
            callback: Called once with None at ``close``, or with the next tick and a
                `ServerNotRunningError` if the server does not listen.

        Returns:
            The server.

        Source: spec H-034, H-135.
        """
        check_callback(callback)
        if self._state not in ACTIVE:
            if callback is not None:
                current().next_tick_for(self._owner, callback, ServerNotRunningError())
            return self
        if callback is not None:
            self.once("close", partial(callback, None))
        self._stop_accepting()
        self._move(ListeningMove.CLOSE)
        self._count()
        self._close_if_done()
        return self

    def _stop_accepting(self) -> None:
        sock, self._socket = self._socket, None
        if self._rest is not None:
            self._rest.cancel()
            self._rest = None
        if self._start_callback is not None:
            self.off("listening", self._start_callback)
            self._start_callback = None
        if self._started is not None and not self._started.is_set:
            self._started.fail(ServerNotRunningError())
        if sock is None or self._loop is None:
            return
        if self._acceptor is not None:
            self._acceptor.cancel()
            self._acceptor = None
        else:
            self._loop.unwatch_readable(sock)
        self._loop.detach(self)
        sock.close()
        if self._file is not None:
            _listen.remove_file(*self._file)
            self._file = None

    def abort(self) -> None:
        """Stop listening at once, in silence: the loop is ending."""
        self._stop_accepting()
        self._move(ListeningMove.ABORT)

    def _close_if_done(self) -> None:
        if not self._connections and self._loop is not None:
            self._loop.next_tick_for(self._owner, self._emit_close)

    def _emit_close(self) -> None:
        if self._state is Listening.CLOSING and not self._connections:
            self._move(ListeningMove.DONE)
            try:
                self.emit("close")
            finally:
                if self._closed is not None:
                    self._closed.set()

    def _move(self, move: ListeningMove) -> None:
        self._state = advance(LISTENING, self._state, move)

    # Facts and settings

    @property
    def listening(self) -> bool:
        """Whether connections are accepted."""
        return self._state is Listening.LISTENING

    def address(self) -> Address | Any:
        """Return where the server listens: `Address`, path, or None if it does not.

        Typed for the usual case, so that ``server.address().port`` needs no check.

        Source: spec H-035.
        """
        if self._socket is None:
            return None
        name = self._socket.getsockname()
        address = from_sockaddr(self._socket.family, name)
        if address is not None:
            return address
        return (
            name if isinstance(name, str) else name.decode("utf-8", "surrogateescape")
        )

    def get_connections(self, callback: Callable[..., object]) -> Self:
        """Call `callback(None, count)` with the number of connections.

        Source: spec H-135.
        """
        check_callback(callback)
        count = len(self._connections)
        current().next_tick_for(self._owner, callback, None, count)
        return self

    @property
    def _handle(self) -> socket.socket | None:
        """The listening socket (spec H-032)."""
        return self._socket

    def ref(self) -> Self:
        """Let `run()` wait for this server while it listens; the default.

        Source: spec H-136.
        """
        self._referenced = True
        self._count()
        return self

    def unref(self) -> Self:
        """Let `run()` end although this server listens.

        Source: spec H-136.
        """
        self._referenced = False
        self._count()
        return self

    def _count(self) -> None:
        """Hold the loop exactly while the server listens and is referenced."""
        counts = self._referenced and self._state in ACTIVE
        if counts != self._counted and self._loop is not None:
            self._counted = counts
            if counts:
                self._loop.hold()
            else:
                self._loop.release()
