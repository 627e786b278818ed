"""What the pool hears of a socket, from the first day of the socket to its last.

While a socket works, its request listens to it, and the pool hears only that it closes,
is taken out (`agent_remove`) or idles. While it is promised or rests nobody else does:
an error of it has nobody to hurt, and whatever arrives on it, data, an end or an error,
spoils it at once.

Source: H-099 to H-101, CVE-2026-48931, beyond.md pitfalls 1, 2 and 22.
"""

import select
import socket as system
from typing import TYPE_CHECKING, Final

from headrace.agent._state import State
from headrace.net import Socket

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from headrace.agent._loop_pool import LoopPool, Place
    from headrace.events import Listener

__all__ = ["Watch", "destroy", "error_of"]

_CAN_POLL: Final = hasattr(select, "poll")
_RESTING: Final = State.RESTING


def destroy(socket: Socket) -> None:
    """Close a socket that nobody listens to any more."""
    socket._listen(_DEAF)
    socket.destroy()


def _ignore(error: Exception) -> None:
    """Listen to ``error``: the socket is being closed anyway."""


_DEAF: "Final[dict[Hashable, tuple[Listener, ...]]]" = {"error": (_ignore,)}


def error_of(socket: Socket) -> Exception | None:
    """Return why a socket was destroyed, if there was an error."""
    error = socket.errored
    return error if isinstance(error, Exception) else None


class Watch:
    """The pool's eyes on one socket.

    Attributes:
        connection: The socket's place in the pool.
        guards: Whether it answers for errors.
        hears_errors: Whether its listener of ``error`` is on the socket.
        hint: The idle time that the peer announced in the last exchange.
        parked: Whether the socket was prepared for resting, so that it must be prepared
            for work again.
        is_kept: Whether its last holder is still the socket's receiver, and sees to
            what arrives while it rests.
    """

    __slots__ = (
        "_has_input",
        "_listeners",
        "_pool",
        "_watches",
        "connection",
        "guards",
        "hears_errors",
        "hint",
        "is_kept",
        "parked",
        "socket",
    )

    def __init__(self, pool: "LoopPool", connection: "Place", socket: Socket) -> None:
        self._pool = pool
        self.connection = connection
        self.socket = socket
        self.hint: float | None = None
        self.parked = self.is_kept = False
        self.guards = False
        self.hears_errors = False
        self._listeners: dict[Hashable, tuple[Listener, ...]] = {}
        self._watches = False  # takes what arrives
        self._has_input: Callable[[int], object] | None = None

    # Listeners

    def begin(self) -> None:
        """Listen for as long as the socket is in the pool, and answer for errors."""
        self._listeners = {
            "close": (self._on_close,),
            "agent_remove": (self._on_remove,),
            "timeout": (self._on_timeout,),
            "error": (self._on_error,),
        }
        self.guards = self.hears_errors = True
        self.socket._listen(self._listeners)

    def end(self) -> None:
        """Hear nothing more. The socket is as it was before the pool had it."""
        self._leave()
        self.wake(stays_raw=False)
        if self.parked:
            self.parked = False
            if isinstance(self.socket, Socket):
                self.socket.ref()

    def _leave(self) -> None:
        # They lead back to this: without them it goes without the garbage collector.
        listeners, self._listeners = self._listeners, {}
        self.hears_errors = False
        self.socket._unlisten(listeners)

    def destroy(self) -> None:
        """Hear nothing more, and close the socket if it is open."""
        self._leave()
        destroy(self.socket)

    def guard(self) -> None:
        """Answer for errors, because the request does not or not any more."""
        self.guards = True
        if not self.hears_errors:
            self.hears_errors = True
            self.socket.on("error", self._on_error)

    def _stop_hearing_errors(self) -> None:
        if self.hears_errors:
            self.hears_errors = False
            self.socket.remove_listener("error", self._on_error)

    def _on_close(self) -> None:
        self._pool.spoil(self, error_of(self.socket))

    def _on_remove(self) -> None:
        self._pool.remove(self)

    def _on_timeout(self) -> None:
        if self.connection.state is _RESTING:
            self._pool.spoil(self)

    def _on_error(self, error: Exception) -> None:
        if self.guards:
            self._pool.spoil(self, error)

    # While it rests

    def watch(self) -> None:
        """Take what arrives from now on; there should be nothing."""
        self._watches = True
        if isinstance(self.socket, Socket):
            self.socket.consume(self)
        else:
            self.socket.custom.on("readable", self._on_readable)

    def wake(self, *, stays_raw: bool) -> None:
        """Let the next request read, and answer for errors.

        Args:
            stays_raw: It calls `consume` by itself, so that the socket need not become
                a stream first, and its errors go to the receiver: the listener may stay
                where it is, and does nothing.
        """
        if self._watches:
            self._watches = False
            socket = self.socket
            if not isinstance(socket, Socket):
                socket.custom.off("readable", self._on_readable)
            elif not stays_raw:
                socket.release()
        elif self.is_kept:
            self.is_kept = False
            if not stays_raw:
                self.socket.release()
        self.guards = False
        if not stays_raw:
            self._stop_hearing_errors()

    def data_received(self, data: memoryview) -> None:
        """Part with a socket that speaks out of turn.

        Also when it works by now: then the bytes were on their way when it was handed
        over, and were not meant for its request.
        """
        self._pool.spoil(self)

    def eof_received(self) -> None:
        """Part with a socket that the peer has closed."""
        self._pool.spoil(self)

    def flushed(self) -> None:
        """Nothing is sent while a socket rests."""

    def connection_lost(self, error: Exception | None) -> None:
        """Part with a socket that is closed; its ``close`` comes too late."""
        self._pool.spoil(self, error)

    def _on_readable(self) -> None:
        self._pool.spoil(self)

    # Fit for work?

    def is_clean(self, *, was_raw: bool) -> bool:
        """Tell whether an exchange has left nothing to read or to write.

        Args:
            was_raw: Whether it went past the buffers of the stream.
        """
        socket = self.socket
        return socket.writable and (
            was_raw
            or (
                socket.readable
                and not socket.readable_length
                and not socket.writable_length
            )
        )

    def is_fit(self) -> bool:
        """Tell whether the socket can serve a request this instant.

        The loop reports what arrived only in its next turn. So the system is asked here
        whether there is anything, because it would be an end, or not meant for us.
        """
        socket = self.socket
        if not socket.writable:
            return False
        if self._has_input is None:
            handle = getattr(socket, "_handle", None)  # H-032
            if not isinstance(handle, system.socket):  # in memory, or not connected yet
                return socket.readable and not socket.readable_length
            self._has_input = _prober(handle)
        return not self._has_input(0)


def _prober(handle: system.socket) -> "Callable[[int], object]":
    """Return a function that tells whether there is something to read, or an end.

    Its argument is how long it may wait: not at all.
    """
    if _CAN_POLL:  # a third of the time of a `recv` that fails
        poll = select.poll()
        poll.register(handle, select.POLLIN)
        return poll.poll
    return lambda timeout: _peek(handle)


def _peek(handle: system.socket) -> bool:
    try:
        handle.recv(1, system.MSG_PEEK)
    except (BlockingIOError, InterruptedError):
        return False
    except OSError:
        return True
    return True
