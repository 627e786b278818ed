"""Sockets joined in memory, for tests of what is built on sockets."""

from typing import TYPE_CHECKING

from headrace.events.loop import current
from headrace.net._memory import MemoryTransport
from headrace.net._socket import Socket

if TYPE_CHECKING:
    from typing import Unpack

    from headrace.net._options import SocketOptions

__all__ = ["socket_pair"]


def socket_pair(**options: "Unpack[SocketOptions]") -> tuple[Socket, Socket]:
    """Return two sockets that are connected to each other, in memory.

    Nothing of the system is used: no descriptor, no port. What one end writes arrives
    at the other with the next turn of the loop, in order, and both half-close, reset
    and hold each other up as TCP sockets do. They have no addresses.

    Args:
        **options: Of both sockets.
    """
    loop = current()
    sockets = Socket(options), Socket(options)
    ends = [MemoryTransport(loop, end, end._push_data) for end in sockets]
    ends[0].join(ends[1])
    for end, transport in zip(sockets, ends, strict=True):
        end._adopt_transport(transport)
    return sockets
