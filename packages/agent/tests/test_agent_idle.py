"""Free sockets: watched all the time, and asked once more before they work.

The peer is a plain blocking socket: what it does is in our kernel at once, before the
loop can have seen it.
"""

import socket as system
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from headrace.agent import Agent, _watch
from headrace.agent.testing import Order
from headrace.events import once
from headrace.events.loop import checkpoint
from headrace.net import Socket
from headrace.net.testing import closed, record


class Peer:
    """A listening socket that accepts when told to."""

    def __init__(self, listening: system.socket) -> None:
        self._listening = listening
        self.target: dict[str, Any] = {
            "host": "127.0.0.1",
            "port": listening.getsockname()[1],
        }
        self.accepted: list[system.socket] = []

    def accept(self) -> system.socket:
        connection, _ = self._listening.accept()
        self.accepted.append(connection)
        return connection


@contextmanager
def listening_peer() -> Iterator[Peer]:
    with system.create_server(("127.0.0.1", 0)) as listening:
        peer = Peer(listening)
        yield peer
        for connection in peer.accepted:
            connection.close()


async def exchange(agent: Agent, peer: Peer, **keywords: Any) -> Socket:
    """Do one exchange that leaves a free socket, and return the socket."""
    order = Order(**keywords)
    agent.add_request(order, peer.target)
    socket = await order.socket()
    await socket
    agent.release(socket, order)
    return socket


def reset(connection: system.socket) -> None:
    """Close so that the other end sees a reset."""
    linger = b"\1\0\0\0\0\0\0\0"
    connection.setsockopt(system.SOL_SOCKET, system.SO_LINGER, linger)
    connection.close()


MISDEEDS = {
    "end": lambda connection: connection.shutdown(system.SHUT_WR),
    "close": lambda connection: connection.close(),
    "data": lambda connection: connection.send(b"HTTP/1.1 200 OK\r\n\r\n"),
    "reset": reset,
}


@pytest.mark.parametrize("misdeed", MISDEEDS.values(), ids=MISDEEDS.keys())
async def test_idle_socket_is_watched(misdeed: Any) -> None:
    """An end, bytes, a reset: the free socket is destroyed, in silence (H-100)."""
    with listening_peer() as peer:
        async with Agent(keep_alive=True) as agent:
            socket = await exchange(agent, peer)
            misdeed(peer.accept())
            await closed(socket)
            assert agent.total_socket_count == 0


@pytest.mark.parametrize("misdeed", MISDEEDS.values(), ids=MISDEEDS.keys())
@pytest.mark.parametrize("polls", [True, False], ids=["poll", "peek"])
async def test_socket_is_asked_right_before_it_works(
    misdeed: Any, polls: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What came in the same turn counts: the next request gets another socket.

    Pitfall 1 and CVE-2026-48931: no byte that arrives on an idle connection ever
    answers another request.
    """
    monkeypatch.setattr(_watch, "_CAN_POLL", polls)  # Windows cannot
    with listening_peer() as peer:
        async with Agent(keep_alive=True) as agent:
            socket = await exchange(agent, peer)
            order = Order()
            misdeed(peer.accept())
            agent.add_request(order, peer.target)
            assert await order.socket() is not socket
            assert order.reused_socket is False
            assert socket.destroyed
            await order.sockets[0]
            peer.accept().send(b"mine")
            assert await once(order.sockets[0], "data") == (b"mine",)


@pytest.mark.parametrize("misdeed", MISDEEDS.values(), ids=MISDEEDS.keys())
async def test_socket_is_asked_before_it_goes_to_who_waits(misdeed: Any) -> None:
    """The same for a request that waits for exactly this socket (pitfall 1)."""
    with listening_peer() as peer:
        async with Agent(max_sockets=1) as agent:
            first, second = Order(), Order()
            agent.add_request(first, peer.target)
            agent.add_request(second, peer.target)
            socket = await first.socket()
            await socket
            misdeed(peer.accept())
            agent.release(socket, first)
            assert await second.socket() is not socket


async def test_a_socket_handed_out_while_it_connected_is_asked_too() -> None:
    """Whatever it was when it was first handed out, its peer may end (pitfall 1)."""
    with listening_peer() as peer:
        async with Agent(max_sockets=1) as agent:
            orders = [Order() for _ in range(3)]
            for order in orders:
                agent.add_request(order, peer.target)
            agent.cancel(orders[0])
            socket = await orders[1].socket()
            await socket
            peer.accept().close()
            agent.release(socket, orders[1])
            assert await orders[2].socket() is not socket


async def test_many_free_sockets_gone_at_once() -> None:
    """All stale ones are passed over, the one that is left serves (H-097)."""
    with listening_peer() as peer:
        async with Agent(keep_alive=True) as agent:
            orders = [Order() for _ in range(4)]
            for order in orders:
                agent.add_request(order, peer.target)
            for order in orders:
                await (await order.socket())
                peer.accept()
            for order in orders:
                agent.release(order.sockets[0], order)
            for connection in peer.accepted[1:]:
                connection.close()
            last = Order()
            agent.add_request(last, peer.target)
            assert await last.socket() in [orders[i].sockets[0] for i in range(4)]
            assert last.reused_socket is True
            assert agent.total_socket_count == 1


async def test_error_on_a_free_socket_is_the_pools() -> None:
    """There is a handler as long as nobody else has the socket (pitfall 2)."""
    with listening_peer() as peer:
        async with Agent(keep_alive=True) as agent:
            socket = await exchange(agent, peer)
            assert socket.listener_count("error") == 1
            socket.emit("error", OSError("made up"))
            assert socket.destroyed
            assert agent.free_sockets == {}


async def test_destroying_a_free_socket_takes_it_out() -> None:
    """It is not handed out, whoever has destroyed it (H-097, N-160)."""
    with listening_peer() as peer:
        async with Agent(keep_alive=True) as agent:
            socket = await exchange(agent, peer)
            socket.destroy(OSError("made up"))
            assert agent.free_sockets == {}
            assert await exchange(agent, peer) is not socket


async def test_ending_a_free_socket_takes_it_out() -> None:
    """A socket that can no longer be written to is not handed out (H-097)."""
    with listening_peer() as peer:
        async with Agent(keep_alive=True) as agent:
            socket = await exchange(agent, peer)
            socket.end()
            assert await exchange(agent, peer) is not socket


async def test_peeking_finds_nothing_on_a_good_socket(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without `select.poll` a good socket is handed out all the same."""
    monkeypatch.setattr(_watch, "_CAN_POLL", False)
    with listening_peer() as peer:
        async with Agent(keep_alive=True) as agent:
            socket = await exchange(agent, peer)
            assert await exchange(agent, peer) is socket


async def test_free_socket_probes_its_peer() -> None:
    """TCP keep-alive is on, with the agent's delay (H-092, H-098)."""
    with listening_peer() as peer:
        async with Agent(keep_alive=True, keep_alive_msecs=7000) as agent:
            socket = await exchange(agent, peer)
            handle = socket._handle
            assert handle is not None
            assert handle.getsockopt(system.SOL_SOCKET, system.SO_KEEPALIVE)
            if hasattr(system, "TCP_KEEPIDLE"):
                assert handle.getsockopt(system.SOL_TCP, system.TCP_KEEPIDLE) == 7


async def test_listener_counts_are_as_before() -> None:
    """After each exchange the same listeners are there, and not more (pitfall 22)."""
    with listening_peer() as peer:
        async with Agent(keep_alive=True) as agent:
            counts = []
            for _ in range(20):
                order = Order()
                agent.add_request(order, peer.target)
                socket = await order.socket()
                names = socket.event_names()
                assert "error" not in names  # now they are the request's
                counts.append({name: socket.listener_count(name) for name in names})
                agent.release(socket, order)
            assert counts == counts[:1] * 20


async def test_a_stream_reads_what_is_meant_for_it() -> None:
    """A used socket is a stream again for a request that reads streams (H-098)."""
    with listening_peer() as peer:
        async with Agent(keep_alive=True) as agent:
            for number in range(3):
                order = Order()
                agent.add_request(order, peer.target)
                socket = await order.socket()
                seen = record(socket, "data")
                await socket
                socket.write(b"%d" % number)
                await socket.drain()
                connection = peer.accepted[0] if number else peer.accept()
                assert connection.recv(1) == b"%d" % number
                connection.send(b"answer")
                while not seen:
                    await checkpoint()
                socket.remove_all_listeners("data")
                agent.release(socket, order)
                assert seen == [("data", b"answer")]
            assert len(peer.accepted) == 1


class Taker(Order):
    """Reads past the stream."""

    def __init__(self) -> None:
        super().__init__(consumes=True)
        self.seen: list[bytes] = []

    def on_socket(self, socket: Socket) -> None:
        super().on_socket(socket)
        socket.consume(self)

    def data_received(self, data: memoryview) -> None:
        self.seen.append(bytes(data))

    def eof_received(self) -> None: ...
    def flushed(self) -> None: ...
    def connection_lost(self, error: Exception | None) -> None: ...


async def test_a_receiver_reads_what_is_meant_for_it() -> None:
    """A request with `consumes` takes the bytes itself, socket after socket."""
    with listening_peer() as peer:
        async with Agent(keep_alive=True) as agent:
            for number in range(3):
                taker = Taker()
                agent.add_request(taker, peer.target)
                socket = await taker.socket()
                await socket
                connection = peer.accepted[0] if number else peer.accept()
                connection.send(b"answer")
                while not taker.seen:
                    await checkpoint()
                agent.release(socket, taker)
                assert taker.seen == [b"answer"]
            assert len(peer.accepted) == 1
