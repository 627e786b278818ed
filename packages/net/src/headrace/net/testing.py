"""Help for tests of what is built on sockets: pairs in memory, records of events."""

from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

from headrace.events import EventEmitter, once
from headrace.events.loop import Waiter, current
from headrace.net._address import Address
from headrace.net._memory import MemoryTransport
from headrace.net._server import Server
from headrace.net._socket import Socket

if TYPE_CHECKING:
    from typing import Unpack

    from headrace.net._options import ServerOptions, SocketOptions

_Pair: TypeAlias = tuple[Socket, Socket]

__all__ = ["closed", "connected", "port_of", "record", "socket_pair"]


def record(
    emitter: EventEmitter, *events: Hashable, into: list[Any] | None = None
) -> list[Any]:
    """Return a list that grows by each of these events.

    Args:
        emitter: Who emits them. A listener of ``error`` counts as one.
        *events: Their names.
        into: Use this list, to see the order of several emitters' events.

    Returns:
        For an event without arguments its name, else a tuple of name and arguments.
    """
    seen: list[Any] = [] if into is None else into
    for event in events:

        def note(*args: object, event: Hashable = event) -> None:
            seen.append((event, *args) if args else event)

        emitter.custom.on(event, note)
    return seen


@asynccontextmanager
async def connected(**options: "Unpack[ServerOptions]") -> AsyncIterator[_Pair]:
    """Give both ends of a TCP connection, the client's first; destroy them afterwards.

    Args:
        **options: Of the server; the client has `allow_half_open` from it.
    """
    async with Server(**options).listen(0, "127.0.0.1") as server:
        arrival = once(server, "connection")
        half_open = options.get("allow_half_open", False)
        client = Socket(allow_half_open=half_open)
        await client.connect(port_of(server), "127.0.0.1")
        (accepted,) = await arrival
        try:
            yield client, accepted
        finally:
            client.destroy()
            accepted.destroy()


async def closed(emitter: EventEmitter) -> None:
    """Wait for ``close``, whether an ``error`` comes before it or not."""
    if getattr(emitter, "closed", False):
        return
    waiter: Waiter[None] = Waiter()
    emitter.custom.on("error", lambda error: None)
    emitter.custom.on("close", waiter.set)
    await waiter.wait()


def port_of(server: Server) -> int:
    """Return the port that the server listens on."""
    address = server.address()
    if not isinstance(address, Address):
        raise ValueError(f"{server!r} listens on no port")
    return address.port


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
