"""A server and its connections: closing, counting, dropping, async listeners."""

import errno
import socket
from typing import Any

import anyio
import pytest

from headrace import net
from headrace.events import channel, once
from headrace.events.loop import checkpoint, current
from headrace.net.testing import closed, port_of, record


async def test_net_server_closes_after_its_last_connection() -> None:
    """``close`` comes after the last socket's; `close` returns the server (N-064)."""
    server = net.create_server()
    order = record(server, "close")
    await server.listen(0, "127.0.0.1")
    arrival = once(server, "connection")
    client = await net.connect(port_of(server), "127.0.0.1")
    (accepted,) = await arrival
    accepted.on("close", lambda: order.append("socket close"))
    heard: list[Any] = []
    assert server.close(heard.append) is server
    await checkpoint()
    assert (order, server.listening) == ([], False)
    client.destroy()
    await closed(server)
    assert order == ["socket close", "close"]
    assert heard == [None]


async def test_net_server_stops_accepting_at_once() -> None:
    """After `close()` connections are refused, existing ones go on (H-034)."""
    server = net.create_server(lambda accepted: accepted.pipe(accepted))
    await server.listen(0, "127.0.0.1")
    port = port_of(server)
    client = await net.connect(port, "127.0.0.1")
    client.write("ping")
    await once(client, "data")
    server.close()
    with pytest.raises(ConnectionRefusedError):
        await net.connect(port, "127.0.0.1")
    client.write("pong")
    assert await once(client, "data") == (b"pong",)
    client.end()
    await closed(server)


@pytest.mark.parametrize("state", ["never listened", "closing", "closed"])
async def test_net_server_close_when_it_is_not_open(state: str) -> None:
    """The callback gets ERR_SERVER_NOT_RUNNING with the next tick; no ``close``."""
    server = net.create_server()
    if state != "never listened":
        server.listen(0, "127.0.0.1").close()
        if state == "closed":
            await closed(server)
    seen = record(server, "close")
    heard: list[Any] = []
    server.close(heard.append)
    assert heard == []
    await checkpoint()
    (error,) = heard
    assert isinstance(error, net.ServerNotRunningError)
    assert error.code == "ERR_SERVER_NOT_RUNNING"
    if state == "closing":
        await checkpoint()
    assert seen == (["close"] if state == "closing" else [])


async def test_net_server_counts_connections() -> None:
    """`get_connections(callback)` gives the number, with the next tick (H-135)."""
    async with net.create_server().listen(0, "127.0.0.1") as server:
        arrival = once(server, "connection")
        client = await net.connect(port_of(server), "127.0.0.1")
        await arrival
        heard: list[Any] = []
        assert server.get_connections(lambda *args: heard.append(args)) is server
        assert heard == []
        await checkpoint()
        assert heard == [(None, 1)]
        client.destroy()


async def test_net_server_max_connections() -> None:
    """Surplus ones are closed at once; a freed place is used again (N-067)."""
    async with net.create_server().listen(0, "127.0.0.1") as server:
        server.max_connections = 1
        seen: list[net.Socket] = []
        server.on("connection", seen.append)
        first = await net.connect(port_of(server), "127.0.0.1")
        surplus = net.connect(port_of(server), "127.0.0.1")
        await closed(surplus.resume())
        assert len(seen) == 1
        first.end()
        await closed(seen[0].resume())
        again = net.connect(port_of(server), "127.0.0.1")
        await once(server, "connection")
        again.destroy()
        assert len(seen) == 2


async def test_net_server_tells_what_it_dropped() -> None:
    """``drop`` with both addresses and ports (N-068, X-081)."""
    async with net.create_server().listen(0, "127.0.0.1") as server:
        server.max_connections = 0
        drop = once(server, "drop")
        client = net.connect(port_of(server), "127.0.0.1")
        await client
        port = client.local_port
        (info,) = await drop
        assert info == {
            "local_address": "127.0.0.1",
            "local_port": port_of(server),
            "local_family": "IPv4",
            "remote_address": "127.0.0.1",
            "remote_port": port,
            "remote_family": "IPv4",
        }
        client.destroy()


async def test_net_server_accepts_a_burst() -> None:
    """More connections than are taken per event all arrive."""
    async with net.create_server().listen(0, "127.0.0.1") as server:
        seen: list[net.Socket] = []
        server.on("connection", seen.append)
        clients = [net.connect(port_of(server), "127.0.0.1") for _ in range(100)]
        while len(seen) < 100:
            await checkpoint()
        for each in (*clients, *seen):
            each.destroy()


async def test_net_server_closed_by_a_connection_listener() -> None:
    """A server that its listener closes takes no further connection."""
    server = net.create_server()
    seen: list[net.Socket] = []
    server.on("connection", seen.append)
    server.on("connection", lambda accepted: server.close())
    await server.listen(0, "127.0.0.1")
    clients = [net.connect(port_of(server), "127.0.0.1") for _ in range(5)]
    for each in clients:
        record(each, "error")  # those still in the backlog are reset
    await once(server, "connection")
    for each in (*clients, *seen):
        each.destroy()
    await closed(server)
    assert len(seen) == 1


async def test_net_server_out_of_descriptors(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """EMFILE is logged, and accepting goes on a moment later."""
    monkeypatch.setattr("headrace.net._server._EXHAUSTED_DELAY", 0.0)
    async with net.create_server().listen(0, "127.0.0.1") as server:

        class Exhausted:
            def __init__(self, real: socket.socket) -> None:
                self.real, self.failures = real, 2

            def _accept(self) -> Any:
                self.failures -= 1
                if self.failures >= 0:
                    raise OSError(errno.EMFILE, "too many open files")
                return self.real._accept()  # type: ignore[attr-defined]

            def __getattr__(self, name: str) -> Any:
                return getattr(self.real, name)

        exhausted: Any = Exhausted(server._socket)  # type: ignore[arg-type]
        server._socket = exhausted
        arrival = once(server, "connection")
        client = net.connect(port_of(server), "127.0.0.1")
        await arrival
        assert "too many open files" in caplog.text
        client.destroy()


async def test_net_server_async_listener_is_waited_for() -> None:
    """At a normal exit the coroutines of async listeners end first (H-150)."""
    done: list[str] = []

    async def serve(accepted: net.Socket) -> None:
        async for chunk in accepted:
            accepted.write(chunk)
        accepted.end("!")
        await anyio.sleep(0.02)
        done.append("served")

    server = net.create_server(serve, allow_half_open=True)
    async with server.listen(0, "127.0.0.1"):
        client = await net.connect(port_of(server), "127.0.0.1")
        client.end("hi")
        assert b"".join([chunk async for chunk in client]) == b"hi!"
    assert done == ["served"]


async def test_net_server_left_with_an_exception() -> None:
    """Connections are destroyed, async listeners cancelled and cleaned up at once."""
    log: list[str] = []
    started = anyio.Event()

    async def serve(accepted: net.Socket) -> None:
        started.set()
        try:
            await anyio.sleep_forever()
        finally:
            log.append("cancelled")

    client = net.Socket()
    server = net.create_server(serve)

    async def fail() -> None:
        async with server.listen(0, "127.0.0.1"):
            await client.connect(port_of(server), "127.0.0.1")
            await started.wait()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert log == ["cancelled"]
    assert not server._connections
    await closed(client.resume())


async def test_net_server_block_cancelled_while_it_closes() -> None:
    """A peer that never leaves cannot hold a cancelled block."""
    server = net.create_server(lambda accepted: accepted.pause())
    client = net.Socket()
    with anyio.move_on_after(0.05) as scope:
        async with server.listen(0, "127.0.0.1"):
            arrival = once(server, "connection")
            await client.connect(port_of(server), "127.0.0.1")
            await arrival
    assert scope.cancelled_caught
    assert not server._connections
    await closed(client.resume())


async def test_net_server_aclose_waits_for_close() -> None:
    """`aclose()` returns when ``close`` was emitted; twice is fine."""
    server = net.create_server()
    seen = record(server, "close")
    await server.listen(0, "127.0.0.1")
    await server.aclose()
    await server.aclose()
    assert seen == ["close"]


async def test_net_server_close_inside_its_block() -> None:
    """A server that was closed inside the block is fine at the exit."""
    async with net.create_server().listen(0, "127.0.0.1") as server:
        server.close()
    assert not server.listening


async def test_net_server_closed_while_awaited() -> None:
    """Waiting for a server that is closed meanwhile ends with an error."""
    server = net.create_server()
    with pytest.raises(net.ServerNotRunningError):
        await server
    server.listen(0, "localhost")
    current().next_tick(server.close)
    with pytest.raises(net.ServerNotRunningError):
        await server


def test_net_server_checks_its_arguments() -> None:
    """Options by mapping or keyword, one listener, nothing else (H-002, H-133)."""
    seen: list[Any] = []
    server = net.create_server({"allow_half_open": True}, seen.append)
    assert server.listeners("connection") == [seen.append]
    assert net.Server(seen.append).listeners("connection") == [seen.append]
    wrong: Any = 5
    calls: list[list[Any]] = [
        [wrong],
        [{"half_open": True}],
        [{}, seen.append, seen.append],
        [{"keep_alive_initial_delay": "1"}],
        [{"high_water_mark": "1"}],
    ]
    for arguments in calls:
        with pytest.raises(TypeError):
            net.create_server(*arguments)


async def test_net_diagnostics_channels() -> None:
    """`net.client.socket` and `net.server.socket` tell of new sockets (X-099)."""
    seen: list[Any] = []

    def note(message: Any, name: Any) -> None:
        seen.append((name, message["socket"]))

    channels = [channel("net.client.socket"), channel("net.server.socket")]
    for each in channels:
        each.subscribe(note)
    async with net.create_server().listen(0, "127.0.0.1") as server:
        arrival = once(server, "connection")
        client = net.connect(port_of(server), "127.0.0.1")
        (accepted,) = await arrival
        client.destroy()
    for each in channels:
        each.unsubscribe(note)
    assert seen == [("net.client.socket", client), ("net.server.socket", accepted)]


async def test_net_server_repr_tells_its_state() -> None:
    """One line that shows place and state, for debugging."""
    server = net.create_server()
    assert repr(server) == "<Server idle, 0 connections>"
    async with server.listen(0, "127.0.0.1"):
        port = port_of(server)
        assert repr(server) == f"<Server listening at 127.0.0.1:{port}, 0 connections>"
        client = net.connect(port, "127.0.0.1")
        assert repr(client) == "<Socket opening>"
        await client
        assert repr(client) == f"<Socket open to 127.0.0.1:{port}>"
        client.destroy()
