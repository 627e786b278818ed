"""Socket options by their meaning, the same on every system that has them."""

import socket
import struct
import sys
from typing import Final

_TCP_FAMILIES: Final = (socket.AF_INET, socket.AF_INET6)
#: Seconds of idleness before the first keep-alive probe; macOS has its own name for it.
_KEEP_IDLE: Final[int | None] = getattr(
    socket, "TCP_KEEPIDLE", getattr(socket, "TCP_KEEPALIVE", None)
)
#: Whether an accepted socket has the options of the listening one. BSD and macOS do as
#: Linux for some of them.
ARE_INHERITED: Final = sys.platform == "linux"
#: l_onoff=1, l_linger=0: closing sends a reset and drops what is unsent.
_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)


def is_tcp(sock: socket.socket) -> bool:
    """Return whether TCP options make sense on the socket."""
    return sock.family in _TCP_FAMILIES


def set_no_delay(sock: socket.socket, enable: bool) -> None:
    """Set TCP_NODELAY; no effect on Unix sockets (spec H-146)."""
    if is_tcp(sock):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, enable)


def set_keep_alive(sock: socket.socket, enable: bool, initial_delay: float) -> None:
    """Set SO_KEEPALIVE and, if not 0, the idle seconds before the first probe."""
    if not is_tcp(sock):
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, enable)
    if enable and initial_delay and _KEEP_IDLE is not None:
        # The system counts whole seconds and refuses 0.
        seconds = max(1, round(initial_delay))
        sock.setsockopt(socket.IPPROTO_TCP, _KEEP_IDLE, seconds)


def set_reset_on_close(sock: socket.socket) -> None:
    """Make the next close a reset."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)


def set_reuse_address(sock: socket.socket) -> None:
    """Allow to bind a port whose last connections are still in TIME_WAIT."""
    # On Windows the option means something else: it would let two servers share a port.
    if hasattr(socket, "AF_UNIX") or not hasattr(socket, "SO_EXCLUSIVEADDRUSE"):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
