"""All ways to listen, and how listening fails (H-030 to H-035, H-133, H-134)."""

import errno
import os
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from headrace import net
from headrace.events import once
from headrace.events.loop import NoRunningLoopError
from headrace.net.testing import port_of, record


async def accepts(server: net.Server, *target: Any) -> bool:
    """Say whether a connection to `target` arrives at the server."""
    arrival = once(server, "connection")
    client = await net.connect(*target)
    (accepted,) = await arrival
    client.destroy()
    accepted.destroy()
    return isinstance(accepted, net.Socket)


async def test_net_listen_on_any_port_and_address() -> None:
    """Port 0 is a free port; no host is all addresses, IPv6 and IPv4 (H-030)."""
    async with net.create_server().listen() as server:
        address = server.address()
        assert isinstance(address, net.Address)
        assert (address.address, address.family) in (
            ("::", "IPv6"),
            ("0.0.0.0", "IPv4"),
        )
        assert address.port > 0
        assert await accepts(server, address.port, "127.0.0.1")
        if address.family == "IPv6":
            assert await accepts(server, address.port, "::1")


@pytest.mark.parametrize("port", [0, "0"], ids=["int", "text"])
async def test_net_listen_port_and_host(port: int | str) -> None:
    """Port as int or numeric text, with a host (H-030)."""
    async with net.create_server().listen(port, "127.0.0.1") as server:
        address = server.address()
        assert isinstance(address, net.Address)
        assert (address.address, address.family) == ("127.0.0.1", "IPv4")
        assert await accepts(server, address.port, "127.0.0.1")


async def test_net_listen_on_a_name() -> None:
    """A host name is looked up; ``listening`` comes after that (H-030)."""
    async with net.create_server().listen(0, "localhost") as server:
        assert await accepts(server, port_of(server), "localhost")


async def test_net_listen_positions_are_told_by_type() -> None:
    """`(port, callback)`, `(port, backlog, callback)`, `(callback)` (H-030)."""
    seen: list[str] = []
    for arguments in (
        (0, lambda: seen.append("port")),
        (0, 5, lambda: seen.append("port backlog")),
        (0, "127.0.0.1", 5, lambda: seen.append("port host backlog")),
        (lambda: seen.append("nothing"),),
        (None, lambda: seen.append("none")),
        ({"port": 0, "host": "127.0.0.1"}, lambda: seen.append("mapping")),
    ):
        async with net.create_server().listen(*arguments):
            pass
    assert seen == [
        "port",
        "port backlog",
        "port host backlog",
        "nothing",
        "none",
        "mapping",
    ]


async def test_net_listen_options_by_keyword() -> None:
    """The same as keywords, which win over the mapping (H-002, H-030)."""
    options = {"port": 70_000, "host": "127.0.0.1"}
    async with net.create_server().listen(options, port=0) as server:
        assert await accepts(server, port_of(server), "127.0.0.1")
    assert options == {"port": 70_000, "host": "127.0.0.1"}


@pytest.mark.parametrize("port", [-1, 65536, 1.5, True, float("nan"), "99999"])
async def test_net_listen_refuses_bad_ports(port: Any) -> None:
    """Out of range or no integer: ERR_SOCKET_BAD_PORT, at once (N-060)."""
    with pytest.raises(net.BadPortError) as caught:
        net.create_server().listen(port)
    assert caught.value.code == "ERR_SOCKET_BAD_PORT"


@pytest.mark.parametrize(
    "arguments",
    [(object(),), ({"port": 1, "path": "x"},), (0, "127.0.0.1", 5, 6), ([],)],
)
async def test_net_listen_refuses_nonsense(arguments: tuple[Any, ...]) -> None:
    """An invalid argument set: ERR_INVALID_ARG_VALUE (H-033)."""
    with pytest.raises(net.InvalidArgValueError) as caught:
        net.create_server().listen(*arguments)
    assert caught.value.code == "ERR_INVALID_ARG_VALUE"


async def test_net_listen_refuses_unknown_options() -> None:
    """An unknown name raises, as keyword and in a mapping (H-002)."""
    wrong: dict[str, Any] = {"prot": 0}
    with pytest.raises(TypeError):
        net.create_server().listen(**wrong)
    with pytest.raises(TypeError):
        net.create_server().listen(wrong)


async def test_net_listen_refuses_a_bad_callback() -> None:
    """A callback that cannot be called: ERR_INVALID_ARG_TYPE, at once (H-003)."""
    callback: Any = 1
    with pytest.raises(net.InvalidArgTypeError) as caught:
        net.create_server().listen(0, callback=callback)
    assert caught.value.code == "ERR_INVALID_ARG_TYPE"


async def test_net_listen_without_a_name_that_resolves() -> None:
    """An unknown host: ``error`` ENOTFOUND or EAI_AGAIN, and no ``close`` (H-134)."""
    server = net.create_server()
    seen = record(server, "listening", "close")
    failed = once(server, "error")
    server.listen(0, "no-such-host.invalid")
    (error,) = await failed
    assert isinstance(error, socket.gaierror)
    assert isinstance(error, net.LookupFailedError)
    assert error.code in ("ENOTFOUND", "EAI_AGAIN")
    assert error.hostname == "no-such-host.invalid"
    assert error.syscall == "getaddrinfo"
    assert seen == []


async def test_net_listen_port_in_use() -> None:
    """EADDRINUSE; the callback is not called; listening again works (N-061)."""
    called: list[str] = []
    async with net.create_server().listen(0, "127.0.0.1") as first:
        second = net.create_server()
        failed = once(second, "error")
        second.listen(port_of(first), "127.0.0.1", lambda: called.append("second"))
        (error,) = await failed
        assert isinstance(error, net.SocketError)
        assert error.code == "EADDRINUSE"
        assert error.errno == errno.EADDRINUSE
        assert (error.syscall, error.address) == ("listen", "127.0.0.1")
        assert error.port == port_of(first)
        assert not second.listening
    async with second.listen(0, "127.0.0.1"):
        assert second.listening
    assert called == []


async def test_net_listen_error_is_raised_by_async_with() -> None:
    """Entering raises the bind error; no ``error`` listener is needed (design 3)."""
    async with net.create_server().listen(0, "127.0.0.1") as first:
        second = net.create_server().listen(port_of(first), "127.0.0.1")
        with pytest.raises(OSError, match="EADDRINUSE"):
            async with second:
                pass
        with pytest.raises(OSError, match="EADDRINUSE"):
            await second


async def test_net_listen_address_not_available() -> None:
    """An address that is not this machine's: ``error`` EADDRNOTAVAIL (H-134)."""
    server = net.create_server().listen(0, "192.0.2.1")
    with pytest.raises(OSError, match="EADDRNOTAVAIL"):
        await server


async def test_net_listen_twice() -> None:
    """`listen` while listening, or while it is under way, raises (N-062)."""
    server = net.create_server().listen(0, "127.0.0.1")
    with pytest.raises(net.AlreadyListeningError) as caught:
        server.listen(0)
    assert caught.value.code == "ERR_SERVER_ALREADY_LISTEN"
    async with server:
        with pytest.raises(net.AlreadyListeningError):
            server.listen(0)


async def test_net_listen_again_after_close() -> None:
    """After ``close`` a server may listen again (H-033)."""
    server = net.create_server()
    for _ in range(2):
        async with server.listen(0, "127.0.0.1"):
            assert await accepts(server, port_of(server), "127.0.0.1")


async def test_net_listening_tells_the_state() -> None:
    """`listening`: False, True at ``listening``, False after `close` (N-059)."""
    server = net.create_server()
    states = [server.listening]
    server.on("listening", lambda: states.append(server.listening))
    server.listen(0, "127.0.0.1")
    states.append(server.listening)
    async with server:
        server.close()
        states.append(server.listening)
        assert server.address() is None
    assert states == [False, False, True, False]


async def test_net_listen_then_close_at_once() -> None:
    """`close()` right after `listen()`: no ``listening``, but ``close`` (N-063)."""
    server = net.create_server()
    seen = record(server, "listening", "close")
    closed = once(server, "close")
    server.listen(0, "127.0.0.1", lambda: seen.append("callback"))
    assert server.close() is server
    await closed
    assert seen == ["close"]


async def test_net_listen_on_a_path(tmp_path: Path) -> None:
    """A Unix socket; the file is made by the bind and removed by `close` (H-031)."""
    path = tmp_path / "s"
    for target in (str(path), path, {"path": str(path)}):
        async with net.create_server().listen(target) as server:
            assert server.address() == str(path)
            assert path.is_socket()
            assert await accepts(server, str(path))
        assert not path.exists()


async def test_net_listen_on_an_abstract_name() -> None:
    """A Linux name without a file works like a path."""
    name = f"\0headrace-test-{os.getpid()}"
    if sys.platform != "linux":
        pytest.skip("only Linux has abstract names")
    async with net.create_server().listen(name) as server:
        assert await accepts(server, name)


async def test_net_listen_does_not_delete_an_existing_file(tmp_path: Path) -> None:
    """A path that exists: EADDRINUSE as ``error``, and it is still there (H-031)."""
    path = tmp_path / "s"
    path.write_text("mine")
    with pytest.raises(net.SocketError, match="EADDRINUSE") as caught:
        await net.create_server().listen(str(path))
    assert caught.value.path == str(path)
    assert path.read_text() == "mine"


async def test_net_close_removes_the_file_of_a_relative_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The right file goes, although the program is in another folder by then."""
    monkeypatch.chdir(tmp_path)
    async with net.create_server().listen("s"):
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path / "elsewhere")
    assert not (tmp_path / "s").exists()


async def test_net_close_leaves_another_servers_file(tmp_path: Path) -> None:
    """`close` removes only the file its own bind has made."""
    path = tmp_path / "s"
    first = await net.create_server().listen(str(path))
    path.unlink()
    async with net.create_server().listen(str(path)) as second:
        await first.aclose()
        assert await accepts(second, str(path))


async def test_net_listen_on_a_path_that_is_too_long(tmp_path: Path) -> None:
    """Too long for the system: an ``error`` event, not an exception (N-066)."""
    server = net.create_server()
    failed = once(server, "error")
    server.listen(str(tmp_path / ("x" * 200)))
    (error,) = await failed
    assert error.code == "EINVAL"


async def test_net_listen_on_a_bound_socket() -> None:
    """A bound socket is listened on and, at the end, closed (H-032)."""
    sock = socket.create_server(("127.0.0.1", 0))
    port = sock.getsockname()[1]
    async with net.create_server().listen(sock) as server:
        assert await accepts(server, port, "127.0.0.1")
    assert sock.fileno() == -1


@pytest.mark.parametrize("as_keyword", [False, True])
async def test_net_listen_on_a_descriptor(as_keyword: bool) -> None:
    """`{"fd": n}` and `listen(fd=n)` (H-032)."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
        number = sock.detach()
    server = net.create_server()
    if as_keyword:
        server.listen(fd=number)
    else:
        server.listen({"fd": number})
    async with server:
        assert await accepts(server, port, "127.0.0.1")
    with pytest.raises(OSError, match="descriptor"):
        os.fstat(number)


async def test_net_listen_on_another_servers_handle() -> None:
    """Two servers may share a port; each closes its own handle (N-065)."""
    first = net.create_server()
    async with net.create_server().listen(0, "127.0.0.1") as second:
        async with first.listen(second):
            assert port_of(first) == port_of(second)
            second_accepts = once(second, "connection")
            first.close()
            client = await net.connect(port_of(second), "127.0.0.1")
            (accepted,) = await second_accepts
        client.destroy()
        accepted.destroy()


async def test_net_listen_on_a_bad_descriptor(tmp_path: Path) -> None:
    """A number that is no socket, or nothing: an ``error`` event (H-032, N-065)."""
    server = net.create_server()
    with (
        (tmp_path / "file").open("w") as file,
        pytest.raises(OSError, match=r"ENOTSOCK|EINVAL"),
    ):
        await server.listen(fd=file.fileno())
    for number in (987_654, 10**30, -1):
        with pytest.raises(OSError, match=r"EBADF|EINVAL"):
            await net.create_server().listen(fd=number)


async def test_net_listen_reuse_port() -> None:
    """`reuse_port` lets two servers bind one port (X-023)."""
    if not hasattr(socket, "SO_REUSEPORT"):
        pytest.skip("this system has no SO_REUSEPORT")
    first = net.create_server().listen(0, "127.0.0.1", reuse_port=True)
    async with first:
        second = net.create_server()
        async with second.listen(port_of(first), "127.0.0.1", reuse_port=True):
            assert port_of(second) == port_of(first)


async def both_families() -> tuple[net.Server, net.Server]:
    """Return an IPv6 and an IPv4 server on one port, which both families have free."""
    for _ in range(20):
        six, four = net.create_server(), net.create_server()
        await six.listen(0, "::", ipv6_only=True)
        try:
            await four.listen(port_of(six), "0.0.0.0")
        except OSError:  # somebody else listens there on IPv4
            six.close()
        else:
            return six, four
    raise AssertionError("no port was free on both")


async def test_net_listen_ipv6_only() -> None:
    """`ipv6_only` leaves the IPv4 port to others (X-023)."""
    if not socket.has_dualstack_ipv6():
        pytest.skip("this system has no dual-stack IPv6")
    six, four = await both_families()
    async with six, four:
        assert await accepts(six, port_of(six), "::1")
        assert await accepts(four, port_of(six), "127.0.0.1")


def test_net_listen_needs_a_loop() -> None:
    """Without a running loop `listen` raises."""
    with pytest.raises(NoRunningLoopError):
        net.create_server().listen(0)


async def test_net_listen_on_a_descriptor_that_cannot() -> None:
    """A connection cannot listen; it stays open, and its caller's (H-032)."""
    one, other = socket.socketpair()
    with one, other:
        with pytest.raises(OSError, match="listen"):
            await net.create_server().listen(fd=one.fileno())
        other.send(b"still here")
        assert one.recv(20) == b"still here"


async def test_net_listen_on_a_server_that_cannot() -> None:
    """What was made of another one's socket is closed when it fails (H-032)."""
    one, other = socket.socketpair()

    class Holder:
        _handle = one

    with one, other:
        with pytest.raises(OSError, match="listen"):
            await net.create_server().listen(Holder())
        other.send(b"still here")
        assert one.recv(20) == b"still here"
