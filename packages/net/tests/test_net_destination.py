"""A place to connect to that was checked once."""

import socket
from pathlib import Path
from typing import Any

import pytest

from headrace import net
from headrace.net.testing import closed, port_of, record


async def test_net_destination_is_used_again_and_again() -> None:
    """Each call makes a socket of its own with the same options (H-138)."""
    server = net.create_server(lambda accepted: accepted.resume())
    async with server.listen(0, "127.0.0.1"):
        place = net.Destination(
            {"port": port_of(server), "host": "127.0.0.1"},
            no_delay=True,
            timeout=7.0,
            keep_alive=True,
        )
        for _ in range(2):
            client = net.connect(place)
            seen = record(client, "connect", "ready", "lookup")
            assert client.connecting
            assert client.timeout == 7.0
            await client
            raw = client._handle
            assert raw is not None
            assert raw.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            assert raw.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            assert client.remote_port == port_of(server)
            assert seen == ["connect", "ready"]
            assert not client.allow_half_open
            client.set_timeout(1.0)  # is this socket's alone
            await closed(client.destroy())


@pytest.mark.parametrize("name", ["localhost", None])
async def test_net_destination_with_a_name(name: str | None) -> None:
    """It is looked up for each connection."""
    server = net.create_server(lambda accepted: accepted.resume())
    async with server.listen(0, "127.0.0.1"):
        place = net.Destination(str(port_of(server)), name, family=4)
        for _ in range(2):
            client = net.connect(place)
            seen = record(client, "lookup")
            await client
            assert seen == [("lookup", None, "127.0.0.1", 4, "localhost")]
            client.destroy()


async def test_net_destination_that_is_a_path(tmp_path: Path) -> None:
    """A Unix socket will do, too."""
    server = net.create_server(lambda accepted: accepted.end("hello"))
    async with server.listen(tmp_path / "s"):
        place = net.Destination(tmp_path / "s")
        for _ in range(2):
            chunks = [chunk async for chunk in net.connect(place)]
            assert b"".join(chunks) == b"hello"
        assert repr(place) == f"<Destination {tmp_path / 's'}>"


async def test_net_destination_with_options_of_the_socket() -> None:
    """They hold for each of the sockets."""
    server = net.create_server(lambda accepted: accepted.end("bye"))
    async with server.listen(0, "127.0.0.1"):
        place = net.Destination(
            port_of(server), "127.0.0.1", allow_half_open=True, high_water_mark=5
        )
        for _ in range(2):
            client = net.connect(place)
            assert client.allow_half_open
            assert client.readable_high_water_mark == 5
            assert b"".join([chunk async for chunk in client]) == b"bye"
            assert client.writable
            client.destroy()


@pytest.mark.parametrize(
    ("args", "options", "code"),
    [
        ((), {}, "ERR_MISSING_ARGS"),
        ((70000,), {}, "ERR_SOCKET_BAD_PORT"),
        ((80,), {"host": 5}, "ERR_INVALID_ARG_TYPE"),
        ((80,), {"unknown": 5}, "ERR_INVALID_ARG_TYPE"),
        ((80, lambda: None), {}, "ERR_INVALID_ARG_TYPE"),
        ((80,), {"callback": lambda: None}, "ERR_INVALID_ARG_TYPE"),
        ((80,), {"fd": 0}, "ERR_INVALID_ARG_TYPE"),
    ],
)
def test_net_destination_is_checked_at_once(
    args: tuple[Any, ...], options: dict[str, Any], code: str
) -> None:
    """What is wrong raises where it is made; a listener is not for many sockets."""
    with pytest.raises((ValueError, TypeError, net.NetError)) as caught:
        net.Destination(*args, **options)
    assert getattr(caught.value, "code", None) == code


def test_net_destination_shows_itself() -> None:
    """The place, in one line."""
    assert repr(net.Destination(80, "192.0.2.1")) == "<Destination 192.0.2.1:80>"
    assert repr(net.Destination(port=80)) == "<Destination localhost:80>"
