"""What happens between accepting a connection and its first bytes."""

import socket
from collections.abc import Callable
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from headrace import net
from headrace.events import once
from headrace.events.loop import next_tick
from headrace.net._server import MAX_READS_SKIPPED
from headrace.net.testing import closed, port_of

Listen = Callable[[net.Server], object]


class Silent:
    """A receiver that says nothing."""

    def data_received(self, data: memoryview) -> None: ...
    def eof_received(self) -> None: ...
    def flushed(self) -> None: ...
    def connection_lost(self, error: Exception | None) -> None: ...


def ask(listener: socket.socket, sent: bytes = b"") -> socket.socket:
    """Connect, and send, before anybody accepts."""
    client = socket.create_connection(listener.getsockname())
    client.sendall(sent)
    return client


async def test_net_ticks_of_connection_come_before_its_data() -> None:
    """What a listener of ``connection`` puts off comes before ``data`` (H-008)."""
    order: list[str] = []
    complete = anyio.Event()

    def serve(accepted: net.Socket) -> None:
        def listen() -> None:
            order.append("tick")
            accepted.on("data", lambda chunk: order.append(chunk.decode()))
            accepted.on("end", complete.set)

        order.append("connection")
        next_tick(listen)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = ask(listener, b"hello")
        client.shutdown(socket.SHUT_WR)
        async with net.create_server(serve).listen(listener):
            await complete.wait()
        client.close()
    assert order == ["connection", "tick", "hello"]


async def test_net_one_connection_is_told_before_the_next_is_accepted() -> None:
    """Each connection's first bytes come right behind its ``connection``."""
    order: list[str] = []
    complete = anyio.Event()

    def ended() -> None:
        if "b" in order:
            complete.set()

    def serve(accepted: net.Socket) -> None:
        order.append("connection")
        accepted.on("data", lambda chunk: order.append(chunk.decode()))
        accepted.on("end", ended)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        clients = [ask(listener, b"a"), ask(listener, b"b")]
        for client in clients:
            client.shutdown(socket.SHUT_WR)
        async with net.create_server(serve).listen(listener):
            await complete.wait()
        for client in clients:
            client.close()
    assert order == ["connection", "a", "connection", "b"]


async def test_net_paused_connection_is_not_read_at_once() -> None:
    """`pause_on_connect` holds also for bytes that are there already (H-143)."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = ask(listener, b"hello")
        server = net.create_server(pause_on_connect=True)
        arrival = once(server, "connection")
        async with server.listen(listener):
            (accepted,) = await arrival
            for _ in range(5):
                await anyio.lowlevel.checkpoint()
            assert accepted.bytes_read == 0
            arrived = once(accepted, "data")
            accepted.resume()
            assert await arrived == (b"hello",)
            client.close()
            await closed(accepted)


async def test_net_silent_connections_are_read_when_they_speak() -> None:
    """Whether the first look was in vain, or left out, the bytes arrive."""
    count = 3 * MAX_READS_SKIPPED
    received: list[bytes] = []
    accepted: list[net.Socket] = []
    complete = anyio.Event()

    def ended() -> None:
        if len(received) == count:
            complete.set()

    def serve(connection: net.Socket) -> None:
        accepted.append(connection)
        connection.on("data", received.append)
        connection.on("end", ended)

    async with net.create_server(serve).listen(0, "127.0.0.1") as server:
        address = ("127.0.0.1", port_of(server))
        clients = [socket.create_connection(address) for _ in range(count)]
        while len(accepted) < count:
            await anyio.lowlevel.checkpoint()
        for number, client in enumerate(clients):
            client.sendall(b"%d" % number)
            client.close()
        await complete.wait()
    assert sorted(received, key=int) == [b"%d" % number for number in range(count)]


def plain(server: net.Server) -> object:
    return server.listen(0, "127.0.0.1")


def named(server: net.Server) -> object:
    return server.listen(0, "localhost")


def given(server: net.Server) -> object:
    return server.listen(socket.create_server(("127.0.0.1", 0)))


def by_number(server: net.Server) -> object:
    return server.listen(fd=socket.create_server(("127.0.0.1", 0)).detach())


@pytest.mark.parametrize("listen", [plain, named, given, by_number])
async def test_net_options_of_accepted_sockets(listen: Listen) -> None:
    """They hold however the server listens, and again when it does (X-017)."""
    options = {"no_delay": True, "keep_alive": True, "keep_alive_initial_delay": 7.0}
    server = net.create_server(options)
    for _ in range(2):
        arrival = once(server, "connection")
        listen(server)
        async with server:
            host = server.address().address
            client = await net.connect(port_of(server), host)
            (accepted,) = await arrival
            raw = accepted._handle
            assert raw.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            assert raw.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            if hasattr(socket, "TCP_KEEPIDLE"):
                idle = raw.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE)
                assert idle == 7
            client.destroy()
            accepted.destroy()


async def test_net_options_are_not_set_for_others() -> None:
    """A listening socket that others use as well is left as it is (H-032)."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        async with net.create_server(no_delay=True).listen(fd=listener.dup().detach()):
            assert not listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


@pytest.mark.parametrize("name", ["destroy", "destroy_soon", "reset_and_destroy"])
async def test_net_no_tick_runs_inside_a_call(name: str) -> None:
    """Ticks wait until a coroutine has given way, receiver or not (H-008, H-141)."""
    server = net.create_server()
    arrival = once(server, "connection")
    async with server.listen(0, "127.0.0.1"):
        client = await net.connect(port_of(server), "127.0.0.1")
        (accepted,) = await arrival
        client.consume(Silent())
        ran: list[Any] = []
        for connection in (client, accepted):
            next_tick(ran.append, connection)
            getattr(connection, name)()
            assert ran == []
        await closed(client)
        await closed(accepted)
        assert ran == [client, accepted]
