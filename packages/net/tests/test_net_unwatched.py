"""Loops that cannot watch sockets, like asyncio's proactor: anyio moves the bytes."""

import socket
from pathlib import Path
from typing import Any

import pytest

from headrace import net
from headrace.events import once
from headrace.events.loop import Loop, current
from headrace.net import _unwatched
from headrace.net._anyio import AnyioTransport
from headrace.net.testing import closed, port_of, record


@pytest.fixture(autouse=True)
def _blind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the watching away from the loop of each test."""

    def refuse(self: Loop, *_: object) -> None:
        raise NotImplementedError

    def blind(loop: Loop) -> bool:
        for name in ("watch_readable", "watch_writable"):
            monkeypatch.setattr(type(loop), name, refuse)
        return False

    monkeypatch.setattr(_unwatched, "_try_to_watch", blind)


@pytest.mark.parametrize("unix", [False, True])
async def test_net_unwatched_server_and_client(unix: bool, tmp_path: Path) -> None:
    """Accepting, connecting, bytes and ends work as ever."""
    current().locals.clear()
    target: dict[str, Any] = {"path": tmp_path / "s"} if unix else {"port": 0}
    server = net.create_server(lambda accepted: accepted.pipe(accepted))
    async with server.listen(target):
        place = tmp_path / "s" if unix else port_of(server)
        client = net.connect(place)
        client.end(b"x" * 300_000)
        received = b"".join([chunk async for chunk in client])
        assert received == b"x" * 300_000
        assert isinstance(client._transport, AnyioTransport)
        if not unix:
            assert client.remote_port == place


async def test_net_unwatched_refusal() -> None:
    """A refused connection is the same error."""
    current().locals.clear()
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        with pytest.raises(ConnectionRefusedError) as caught:
            await net.connect(bound.getsockname()[1], "127.0.0.1")
    assert isinstance(caught.value, net.SocketError)
    assert caught.value.code == "ECONNREFUSED"


async def test_net_unwatched_drop_and_close() -> None:
    """`max_connections` and `close` work, too."""
    current().locals.clear()
    async with net.create_server().listen(0, "127.0.0.1") as server:
        server.max_connections = 0
        drop = once(server, "drop")
        client = net.connect(port_of(server), "127.0.0.1")
        record(client, "error")
        (info,) = await drop
        assert info["local_port"] == port_of(server)
        await closed(client.resume())


async def test_net_unwatched_takes_over_a_socket() -> None:
    """A system's socket becomes a stream when it is first used."""
    current().locals.clear()
    left, right = socket.socketpair()
    one, other = net.Socket(handle=left), net.Socket(handle=right)
    one.end("hello")
    assert b"".join([chunk async for chunk in other]) == b"hello"
    await closed(one)
