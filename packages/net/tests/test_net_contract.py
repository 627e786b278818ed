"""Sockets of every kind keep the contract of streams (H-155 to H-165)."""

import socket
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, suppress
from functools import partial
from typing import Any

import anyio
import pytest
import trustme

from headrace import net
from headrace.events import once
from headrace.net.testing import port_of, socket_pair
from headrace.streams import Readable, Writable
from headrace.streams.testing import PAIR_CHECKS, READABLE_CHECKS, WRITABLE_CHECKS

AUTHORITY = trustme.CA()
CERTIFICATE = AUTHORITY.issue_cert("localhost")
SECRETS: dict[str, Any] = {
    "cert": b"".join(pem.bytes() for pem in CERTIFICATE.cert_chain_pems),
    "key": CERTIFICATE.private_key_pem.bytes(),
}

Pair = tuple[net.Socket, net.Socket]
Maker = Callable[[AsyncExitStack], Awaitable[Pair]]


async def over_tcp(stack: AsyncExitStack) -> Pair:
    server = net.create_server(allow_half_open=True)
    await stack.enter_async_context(server.listen(0, "127.0.0.1"))
    arrival = once(server, "connection")
    client = net.Socket(allow_half_open=True)
    await client.connect(port_of(server), "127.0.0.1")
    (accepted,) = await arrival
    return client, accepted


async def in_memory(stack: AsyncExitStack) -> Pair:
    return socket_pair(allow_half_open=True)


async def over_tls(stack: AsyncExitStack) -> Pair:
    one, other = socket_pair(allow_half_open=True)
    server = net.TLSSocket(other, SECRETS, is_server=True, allow_half_open=True)
    ca = AUTHORITY.cert_pem.bytes()
    client = net.TLSSocket(one, ca=ca, allow_half_open=True)
    await server
    return await client, server


async def over_anyio(stack: AsyncExitStack) -> Pair:
    there, back = (anyio.create_memory_object_stream[bytes](1) for _ in range(2))
    one, other = Chunks(there[0], back[1]), Chunks(back[0], there[1])
    return (
        net.Socket(handle=one, allow_half_open=True),
        net.Socket(handle=other, allow_half_open=True),
    )


class Chunks(anyio.abc.ByteStream):
    """A byte stream made of two object streams."""

    def __init__(self, sending: Any, receiving: Any) -> None:
        self.sending, self.receiving, self.rest = sending, receiving, b""

    async def send(self, item: bytes) -> None:
        await self.sending.send(item)

    async def receive(self, max_bytes: int = 65536) -> bytes:
        data = self.rest or await self.receiving.receive()
        self.rest = data[max_bytes:]
        return bytes(data[:max_bytes])

    async def send_eof(self) -> None:
        self.sending.close()

    async def aclose(self) -> None:
        self.sending.close()
        self.receiving.close()


def ignore(error: Exception) -> None:
    """Count as a listener."""


KINDS = pytest.mark.parametrize(
    "make",
    [over_tcp, in_memory, over_tls, over_anyio],
    ids=["tcp", "memory", "tls", "anyio"],
)


@KINDS
@pytest.mark.parametrize("check", PAIR_CHECKS)
async def test_net_pair_contract(check: Any, make: Maker) -> None:
    """What one end is given, the other gives."""
    async with AsyncExitStack() as stack:
        await check(partial(make, stack))


@KINDS
@pytest.mark.parametrize("check", READABLE_CHECKS)
async def test_net_readable_contract(check: Any, make: Maker) -> None:
    """A socket whose peer writes and ends is a Readable."""

    async def readable(chunks: Sequence[bytes]) -> Readable:
        one, other = await make(stack)
        stack.callback(one.destroy)
        one.on("error", ignore)  # the peer may be destroyed with data unread
        for chunk in chunks:
            one.write(chunk)
        one.end()
        other.allow_half_open = False
        one.resume()
        return other

    async with AsyncExitStack() as stack:
        await check(readable)


async def into_the_system(
    stack: AsyncExitStack,
) -> tuple[Writable, Callable[[], bytes]]:
    """A socket whose peer is the system's: what is sent is there at once."""
    left, right = socket.socketpair()
    right.setblocking(False)
    right.shutdown(socket.SHUT_WR)
    received = bytearray()

    def arrived() -> bytes:
        with suppress(BlockingIOError):
            while data := right.recv(65536):
                received.extend(data)
        return bytes(received)

    stack.callback(right.close)
    return net.Socket(handle=left, allow_half_open=True).resume(), arrived


async def into_memory(stack: AsyncExitStack) -> tuple[Writable, Callable[[], bytes]]:
    """A socket whose peer is in memory, with what is on its way to it."""
    one, other = socket_pair(allow_half_open=True)
    other.on("error", ignore)
    received = bytearray()
    other.on("data", received.extend)
    other.end()
    inbox = other._transport._inbox  # type: ignore[attr-defined]
    return one.resume(), lambda: bytes(received) + b"".join(inbox.pieces())


@pytest.mark.parametrize("make", [into_the_system, into_memory])
@pytest.mark.parametrize("check", WRITABLE_CHECKS)
async def test_net_writable_contract(check: Any, make: Any) -> None:
    """A socket is a Writable."""
    async with AsyncExitStack() as stack:
        await check(partial(make, stack))
