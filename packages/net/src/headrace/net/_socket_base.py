"""What a Socket is and knows: its state, its settings, its facts.

`_socket.py` has what it does.
"""

import socket
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, Self

from headrace.events.loop import NoRunningLoopError, Owner, Waiter
from headrace.net._address import Address
from headrace.net._events import SocketEvents
from headrace.net._listen import socket_from_descriptor
from headrace.net._options import as_socket, check_callback, check_duration
from headrace.net._state import Link
from headrace.net._timeouts import IdleTimer
from headrace.net._transport import NOT_CONNECTED, Chunk, Transport
from headrace.streams import Duplex

if TYPE_CHECKING:
    from headrace.net._connect import Dial
    from headrace.net._guard import Guard
    from headrace.net._receiver import Receiver
    from headrace.net._server import Server
    from headrace.net._tasks import TaskKeeper

_NEW: Final = Link.NEW
_OPEN: Final = Link.OPEN
_ALIVE: Final = (Link.CONNECTING, Link.OPEN)


class SocketBase(SocketEvents):
    """State, settings and facts of a socket."""

    __slots__ = (
        "_counted",
        "_flush_owed",
        "_idle",
        "_is_accepted",
        "_link",
        "_peer_ended",
        "_receiver",
        "_receiver_rests",
        "_server",
        "_timeout",
        "_transport",
        "_write_pending",
        "allow_half_open",
    )

    allow_half_open: bool
    # Few sockets need these: a value of its own is in the instance's dictionary.
    _referenced: bool = True
    _dial: "Dial | None" = None
    _read_size: int | None = None  # asked for before there was a connection
    _early: Sequence[Chunk] | None = None
    _final_callback: Callable[..., None] | None = None
    _opened_waiter: Waiter[None] | None = None
    _closed_waiter: Waiter[None] | None = None
    _guard: "Guard | None" = None
    _keeper: "TaskKeeper | None" = None
    _parent: "Owner | None" = None  # who answers while no `async with` block does
    _no_delay: bool | None = None
    _keep_alive: tuple[bool, float] | None = None
    _ended_by_peer: bool = False

    def _init(self, options: dict[str, Any]) -> None:
        self.allow_half_open = bool(options.pop("allow_half_open", False))
        Duplex.__init__(self, options or None)
        self._init_slots()

    def _init_slots(self) -> None:
        self._link = _NEW
        self._transport: Transport = NOT_CONNECTED
        self._receiver: Receiver | None = None
        self._receiver_rests = False  # it has asked for a pause
        self._server: Server | None = None
        self._idle: IdleTimer | None = None
        self._timeout = 0.0
        self._is_accepted = False  # by a server, which outlives what goes wrong here
        self._counted = False  # whether `run()` waits for this socket now
        self._peer_ended = False  # the transport has said so
        self._write_pending = False  # the Writable waits for `flushed`
        self._flush_owed = False  # the receiver does

    # Settings

    def ref(self) -> Self:
        """Let `run()` wait for this socket while it is open; the default.

        Source: spec H-136.
        """
        self._referenced = True
        if not self._counted and self._link in _ALIVE:
            self._counted = True
            (self._loop or self.loop()).hold()
        return self

    def unref(self) -> Self:
        """Let `run()` end although this socket is open.

        Source: spec H-136.
        """
        self._referenced = False
        if self._counted:
            self._counted = False
            (self._loop or self.loop()).release()
        return self

    def _count(self) -> None:
        """Hold the loop exactly while the socket is alive and referenced."""
        counts = self._link in _ALIVE and self._referenced
        if counts is not self._counted:
            self._counted = counts
            if counts:
                self.loop().hold()
            else:
                self.loop().release()

    def set_timeout(
        self, timeout: float, callback: Callable[[], object] | None = None
    ) -> Self:
        """Emit ``timeout`` when nothing was received or sent for so long.

        The socket stays open. After the event the next activity starts the time again.

        Args:
            timeout: Seconds; 0 turns it off.
            callback: A one-time listener of ``timeout``; with 0 it is removed instead.

        Raises:
            InvalidArgTypeError: If `timeout` is no number or `callback` not callable.
            OutOfRangeError: If `timeout` is negative or not finite.

        Source: spec H-145.
        """
        seconds = check_duration("timeout", timeout)
        check_callback(callback)
        self._timeout = seconds
        if self._idle is not None:
            self._stop_idle_timer()
        if self._link is _OPEN:
            self._use_timeout(seconds)
        elif not self.destroyed:
            self._start_idle_timer()
        if callback is not None:
            if self._timeout:
                self.once("timeout", callback)
            else:
                self.off("timeout", callback)
        return self

    @property
    def timeout(self) -> float | None:
        """The idle time after which ``timeout`` is emitted; None when off."""
        return self._timeout or None

    def _use_timeout(self, seconds: float) -> None:
        """Start the idle timer of an open socket that has none."""
        self._timeout = seconds
        if seconds:
            idle = IdleTimer(self.loop(), seconds, self)
            self._idle = self._transport.idle = idle

    def _start_idle_timer(self) -> None:
        if not self._timeout:
            return
        try:
            loop = self.loop()
        except NoRunningLoopError:
            return  # connecting will start it
        self._idle = IdleTimer(loop, self._timeout, self)
        if self._link is _OPEN:
            self._transport.idle = self._idle

    def _stop_idle_timer(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None
            if self._link is _OPEN:
                self._transport.idle = None

    def idled(self) -> None:
        """Tell the receiver and the listeners that the time has passed."""
        deliver = self.loop().deliver
        hook = getattr(self._receiver, "timed_out", None)
        if hook is not None:
            deliver(self._owner, hook)
        deliver(self._owner, self.emit, "timeout")

    def set_no_delay(self, no_delay: bool = True) -> Self:
        """Send small writes at once (TCP_NODELAY); remembered before connecting.

        Source: spec H-146.
        """
        self._no_delay = bool(no_delay)
        self._transport.set_no_delay(self._no_delay)
        return self

    def set_keep_alive(self, enable: bool = False, initial_delay: float = 0.0) -> Self:
        """Let the system probe the connection while it is idle (SO_KEEPALIVE).

        Args:
            enable: Whether.
            initial_delay: Idle seconds before the first probe; 0 leaves the system's.

        Source: spec H-147.
        """
        if self._keep_alive != (enable, initial_delay):  # a pool asks again and again
            setting = bool(enable), check_duration("initial_delay", initial_delay)
            self._keep_alive = setting
            self._transport.set_keep_alive(*setting)
        return self

    def _apply_settings(self) -> None:
        """Do to a new transport what was asked for before it was there."""
        if self._no_delay is not None:
            self._transport.set_no_delay(self._no_delay)
        if self._keep_alive is not None:
            self._transport.set_keep_alive(*self._keep_alive)
        if self._idle is not None:
            idle = self._transport.idle = self._idle
            idle.touch()

    # Facts

    @property
    def connecting(self) -> bool:
        """Whether a connection is being made."""
        return self._link is Link.CONNECTING

    @property
    def pending(self) -> bool:
        """Whether there is no connection: none yet, or none any more."""
        return self._link is not _OPEN

    @property
    def ready_state(self) -> str:
        """The socket's state in one word.

        `opening`, `open`, `read_only`, `write_only` or `closed`.

        Source: spec X-082.
        """
        if self._link is Link.CONNECTING:
            return "opening"
        if self.readable:
            return "open" if self.writable else "read_only"
        return "write_only" if self.writable else "closed"

    @property
    def had_error(self) -> bool:
        """Whether the socket was closed because of an error."""
        return self._errored is not None

    @property
    def bytes_read(self) -> int:
        """Bytes received on the present, or the last, connection."""
        return self._transport.bytes_read

    @property
    def bytes_written(self) -> int:
        """Bytes written on the present, or the last, connection, sent or waiting."""
        unsent: int = getattr(self._receiver, "unsent", 0)
        return self._transport.bytes_written + self._unwritten() + unsent

    def _unwritten(self) -> int:
        """Bytes in the Writable that the transport has not been given."""
        state = self._writable_state
        if state is None:
            return 0
        given = self._write_pending and self._early is None
        return state.length - (state.writing_length if given else 0)

    @property
    def remote_address(self) -> str | None:
        """IP address of the other end; None if unknown."""
        address = self._transport.remote_address()
        return None if address is None else address.address

    @property
    def remote_port(self) -> int | None:
        """Port of the other end; None if unknown."""
        address = self._transport.remote_address()
        return None if address is None else address.port

    @property
    def remote_family(self) -> str | None:
        """`IPv4` or `IPv6`; None if unknown."""
        address = self._transport.remote_address()
        return None if address is None else address.family

    @property
    def local_address(self) -> str | None:
        """IP address of this end; None if unknown."""
        address = self._transport.local_address()
        return None if address is None else address.address

    @property
    def local_port(self) -> int | None:
        """Port of this end; None if unknown."""
        address = self._transport.local_address()
        return None if address is None else address.port

    @property
    def local_family(self) -> str | None:
        """`IPv4` or `IPv6`; None if unknown."""
        address = self._transport.local_address()
        return None if address is None else address.family

    def address(self) -> Address | None:
        """Return this end as an `Address`; None if it has no IP address."""
        return self._transport.local_address()

    @property
    def _handle(self) -> socket.socket | None:
        """The system's socket (spec H-032)."""
        raw = self._transport.raw_socket()
        return raw if isinstance(raw, socket.socket) else None

    def __repr__(self) -> str:
        where = ""
        if self._link is not Link.NEW:
            remote = self._transport.remote_address()
            where = f" to {remote.address}:{remote.port}" if remote else ""
        return f"<{type(self).__name__} {self.ready_state}{where}>"


def handle_of(options: dict[str, Any]) -> Any:
    """Take the connection out of the options of a socket; None if there is none.

    Raises:
        SocketError: If the descriptor is no socket.
        InvalidArgValueError: If the handle is none.
    """
    handle, fd = options.pop("handle", None), options.pop("fd", None)
    if fd is not None:
        return socket_from_descriptor(fd, "open")
    if handle is None or hasattr(handle, "send_eof"):  # an anyio.abc.ByteStream
        return handle
    return as_socket(handle)
