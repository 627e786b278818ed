"""The small interface between a Socket and what moves its bytes.

A transport is open from the moment it exists. Its holder hears of four things:

    data     bytes arrived: `on_data(view)`; the view is valid during the call only
    ended    the peer sends no more: `_transport_ended()`, at most once
    flushed  all that `write` could not send at once is with the system now, and the
             half-close that was asked for is done: `_transport_flushed()`
    lost     the connection is gone: `_transport_lost(error)`, at most once, last, and
             never after `abort` or `reset`

Each is entered through `Loop.deliver`, so ticks run before and after and an exception
goes to the holder's owner. Nothing is called from inside a method of the transport.
"""

import socket
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol

from headrace.events.loop import Loop, Owner
from headrace.net._address import Address
from headrace.net._errors import SocketClosedError

if TYPE_CHECKING:
    from headrace.net._timeouts import IdleTimer

Chunk = bytes | memoryview
OnData = Callable[[memoryview], None]


class Holder(Protocol):
    """Who a transport calls back."""

    @property
    def _owner(self) -> Owner | None: ...

    def _transport_ended(self) -> None: ...
    def _transport_flushed(self) -> None: ...
    def _transport_lost(self, error: Exception | None) -> None: ...


class Transport(ABC):
    """Moves the bytes of one connection.

    Attributes:
        loop: The loop it belongs to.
        holder: Who is called back.
        on_data: Who takes arriving bytes; replaced when the reader changes.
        bytes_read: Bytes that arrived.
        bytes_written: Bytes that were given to `write`, sent or still queued.
        idle: Touched whenever bytes move; `None` while there is no timeout.
    """

    __slots__ = (
        "bytes_read",
        "bytes_written",
        "holder",
        "idle",
        "loop",
        "on_data",
    )

    def __init__(self, loop: Loop, holder: Holder, on_data: OnData) -> None:
        self.loop = loop
        self.holder = holder
        self.on_data = on_data
        self.bytes_read = 0
        self.bytes_written = 0
        self.idle: IdleTimer | None = None

    @abstractmethod
    def write(self, chunks: Sequence[Chunk]) -> bool:
        """Send; return whether all went to the system at once, else `flushed` follows.

        The chunks must not change until then. A network error does not raise: `lost`
        follows, and everything still unsent is dropped.
        """

    @abstractmethod
    def resume_reading(self, limit: int = 0) -> None:
        """Read, `limit` bytes at a time at most (0: as many as the buffer takes)."""

    def read_first(self) -> bool:
        """Begin to read a connection that was just accepted.

        Returns:
            Whether it was worth while to look for bytes at once.
        """
        return True

    def watch_first(self) -> None:  # noqa: B027 - others watch by themselves
        """Do as `read_first`, but wait for the system to say that bytes have come."""

    def expect(self, size: int) -> None:  # noqa: B027 - others have nothing to save
        """Be told that so many bytes of one long message follow.

        What is read of them may reach `on_data` as `bytes`, to be kept without a copy.
        """

    @abstractmethod
    def pause_reading(self) -> None:
        """Take nothing more from the system until `resume_reading`."""

    @abstractmethod
    def shutdown_write(self) -> bool:
        """Half-close after what is queued; False: not yet, `flushed` will tell."""

    @abstractmethod
    def abort(self) -> None:
        """Close at once; what is queued is lost. Harmless when closed."""

    def let_go(self) -> None:
        """Forget the holder, so that both go without the garbage collector."""
        self.holder = _NOBODY
        self.on_data = _NOBODY.ignore
        self.idle = None

    def reset(self) -> None:
        """Close at once so that the peer sees a reset, where the protocol has one."""
        self.abort()

    @property
    @abstractmethod
    def pending(self) -> int:
        """Bytes taken by `write` and not yet given to the system."""

    @property
    @abstractmethod
    def family(self) -> int:
        """Address family of the socket below."""

    def remote_address(self) -> Address | None:
        """Return the other end, if it has an IP address."""
        return None

    def local_address(self) -> Address | None:
        """Return this end, if it has an IP address."""
        return None

    def set_no_delay(self, enable: bool) -> None:  # noqa: B027 - only TCP has it
        """Send small writes at once (TCP_NODELAY)."""

    def set_keep_alive(  # noqa: B027 - only TCP has it
        self, enable: bool, initial_delay: float
    ) -> None:
        """Let the system probe an idle connection, first after `initial_delay`."""

    def raw_socket(self) -> Any:
        """Return the system's socket below, `None` if there is none."""
        return None


class _Nobody:
    """The holder of a closed transport."""

    _owner: Owner | None = None

    def ignore(self, data: memoryview) -> None: ...
    def _transport_ended(self) -> None: ...
    def _transport_flushed(self) -> None: ...
    def _transport_lost(self, error: Exception | None) -> None: ...


_NOBODY: Final = _Nobody()


class NotConnected(Transport):
    """What a socket holds before its connection: takes nothing, knows nothing."""

    __slots__ = ()

    def __init__(self) -> None:
        self.bytes_read = self.bytes_written = 0
        self.idle = None

    def write(self, chunks: Sequence[Chunk]) -> bool:
        raise SocketClosedError

    def resume_reading(self, limit: int = 0) -> None:
        pass

    def pause_reading(self) -> None:
        pass

    def shutdown_write(self) -> bool:
        return True

    def abort(self) -> None:
        pass

    @property
    def pending(self) -> int:
        return 0

    @property
    def family(self) -> int:
        return socket.AF_UNSPEC


#: Shared by all sockets: it has no state.
NOT_CONNECTED: Final = NotConnected()
