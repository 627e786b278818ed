"""Making connections: forms, look-ups, happy eyeballs, failures, reconnecting."""

import errno
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import anyio
import pytest

from headrace import net
from headrace.events import once
from headrace.events.loop import checkpoint, next_tick
from headrace.net import _connect
from headrace.net.testing import closed, port_of, record


@asynccontextmanager
async def ending_server(*target: Any) -> AsyncIterator[net.Server]:
    """Serve connections by ending them."""
    server = net.create_server(lambda accepted: accepted.resume().end())
    async with server.listen(*target or (0, "127.0.0.1")):
        yield server


_bound: list[socket.socket] = []


def refused_port() -> int:
    """Return a port on which nobody listens: bound, so that nobody else takes it."""
    port: int = _bound[0].getsockname()[1]
    return port


@pytest.fixture(scope="module", autouse=True)
def _bind() -> Any:
    # Not at import: a worker that has none of these tests would never close it.
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        _bound.append(sock)
        yield
        _bound.clear()


async def test_net_connect_order_of_events() -> None:
    """By name: ``lookup``, ``connect``, ``ready`` … ``close`` (H-139)."""
    async with ending_server() as server:
        client = net.connect(port_of(server), "localhost", family=4)
        events = ["lookup", "connect", "ready", "end", "finish", "close"]
        seen = record(client.resume(), *events)
        await closed(client)
    assert seen == [
        ("lookup", None, "127.0.0.1", 4, "localhost"),
        "connect",
        "ready",
        "end",
        "finish",
        "close",
    ]


@pytest.mark.parametrize("form", range(6))
async def test_net_connect_forms(form: int) -> None:
    """Port, port and host, mapping, keywords, each with a callback (H-138)."""
    async with ending_server(0) as server:
        port, called = port_of(server), anyio.Event()
        calls: list[Callable[[], net.Socket]] = [
            lambda: net.connect(port, called.set),
            lambda: net.connect(str(port), "127.0.0.1", called.set),
            lambda: net.connect({"port": port}, called.set),
            lambda: net.connect({"port": 1}, called.set, port=port, host="127.0.0.1"),
            lambda: net.create_connection(port=port, callback=called.set),
            lambda: net.Socket().connect(port, "127.0.0.1", called.set),
        ]
        client = calls[form]()
        await called.wait()
        assert client.resume().remote_port == port
        await closed(client)


async def test_net_connect_to_a_path(tmp_path: Path) -> None:
    """A Unix socket by `str`, path object or option; it has no addresses (H-138)."""
    path = tmp_path / "s"
    async with ending_server(path):
        for form in ("text", "path", "option"):
            if form == "option":
                client = net.connect(path=path)
            else:
                client = net.connect(str(path) if form == "text" else path)
            await client
            assert (client.remote_address, client.remote_port) == (None, None)
            await client.resume().aclose()


async def test_net_connect_waits_for_a_full_unix_backlog(tmp_path: Path) -> None:
    """Where the system says "again", the socket tries again until there is room."""
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as listener, ExitStack() as stack:
        listener.bind(path)
        listener.listen(0)
        for _ in range(2):
            filler = stack.enter_context(socket.socket(socket.AF_UNIX))
            filler.setblocking(False)
            filler.connect_ex(path)
        client = net.connect(path)
        for _ in range(10):
            await checkpoint()
        assert client.connecting
        listener.setblocking(False)
        while client.connecting:
            with suppress(BlockingIOError):
                stack.enter_context(listener.accept()[0])
            await checkpoint()
        client.destroy()
        await closed(client)


async def test_net_connect_without_a_target() -> None:
    """Neither port nor path: ERR_MISSING_ARGS (H-138)."""
    for arguments in ((), ({},), ({"host": "localhost"},)):
        with pytest.raises(net.MissingArgsError) as caught:
            net.connect(*arguments)
        assert caught.value.code == "ERR_MISSING_ARGS"


@pytest.mark.parametrize("port", [-1, 65536, 1.5, True, [], float("inf")])
async def test_net_connect_refuses_bad_ports(port: Any) -> None:
    """Booleans, floats, out of range: ERR_SOCKET_BAD_PORT (N-072)."""
    with pytest.raises(net.BadPortError):
        net.connect({"port": port})
    with pytest.raises(net.BadPortError):
        net.connect(port=1, local_port=port)


@pytest.mark.parametrize(
    ("option", "error"),
    [
        ({"family": 5}, net.InvalidArgValueError),
        ({"family": True}, net.InvalidArgValueError),
        ({"host": 5}, net.InvalidArgTypeError),
        ({"local_address": 5}, net.InvalidArgTypeError),
        ({"lookup": 5}, net.InvalidArgTypeError),
        ({"timeout": "5"}, net.InvalidArgTypeError),
        ({"timeout": -1}, net.OutOfRangeError),
        ({"auto_select_family_attempt_timeout": -1}, net.OutOfRangeError),
        ({"hots": "localhost"}, net.InvalidArgTypeError),
        ({"callback": 5}, net.InvalidArgTypeError),
    ],
)
async def test_net_connect_checks_options(
    option: dict[str, Any], error: type[Exception]
) -> None:
    """Wrong types and values raise at once (H-002, H-003, H-005, H-059)."""
    with pytest.raises(error):
        net.connect(port=1, **option)


async def test_net_connect_refused() -> None:
    """``error`` then ``close``; the error tells where (H-011, N-083, X-087)."""
    client = net.connect(refused_port(), "127.0.0.1")
    seen = record(client, "connect", "error", "close")
    await closed(client)
    (_, error), close = seen
    assert close == "close"
    assert isinstance(error, ConnectionRefusedError)
    assert isinstance(error, net.SocketError)
    assert (error.code, error.errno) == ("ECONNREFUSED", errno.ECONNREFUSED)
    assert (error.syscall, error.address) == ("connect", "127.0.0.1")
    assert error.port == refused_port()
    assert str(error) == f"connect ECONNREFUSED 127.0.0.1:{refused_port()}"
    assert client.had_error


async def test_net_connect_to_a_path_that_does_not_exist(tmp_path: Path) -> None:
    """No such file: ENOENT with the path (H-011, H-062)."""
    path = str(tmp_path / "nothing")
    with pytest.raises(FileNotFoundError) as caught:
        await net.connect(path)
    assert isinstance(caught.value, net.SocketError)
    assert (caught.value.code, caught.value.path) == ("ENOENT", path)
    with pytest.raises(OSError, match="EINVAL"):
        await net.connect(path * 20)


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a" * 300, "\udc80"])
async def test_net_connect_to_a_name_that_does_not_resolve(host: str) -> None:
    """``lookup`` with the error, ``error`` of class gaierror, ``close`` (H-011)."""
    client = net.connect(1, host)
    seen = record(client, "lookup", "connect", "error", "close")
    await closed(client)
    (_, cause, *facts), (_, error), close = seen
    assert cause is error
    assert (facts, close) == ([None, None, host], "close")
    assert isinstance(error, net.LookupFailedError)
    assert isinstance(error, socket.gaierror)
    assert error.code in ("ENOTFOUND", "EAI_AGAIN")
    assert (error.hostname, error.syscall) == (host, "getaddrinfo")


async def test_net_connect_from_a_local_address_and_port() -> None:
    """`local_address` and `local_port` choose this end (H-061)."""
    async with ending_server() as server:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        client = net.connect(
            port_of(server), "127.0.0.1", local_address="127.0.0.1", local_port=port
        )
        await client
        assert (client.local_address, client.local_port) == ("127.0.0.1", port)
        client.destroy()


async def test_net_connect_from_an_address_that_is_not_ours() -> None:
    """Not available: EADDRNOTAVAIL (H-061)."""
    with pytest.raises(OSError, match="bind EADDRNOTAVAIL"):
        await net.connect(refused_port(), "127.0.0.1", local_address="192.0.2.1")


async def test_net_connect_addresses_agree_at_both_ends() -> None:
    """What is local here is remote there, also after close (N-079, H-137)."""
    async with net.create_server().listen(0, "127.0.0.1") as server:
        arrival = once(server, "connection")
        client = await net.connect(port_of(server), "127.0.0.1")
        (accepted,) = await arrival

        def ends(one: net.Socket, other: net.Socket) -> None:
            assert one.local_address == other.remote_address == "127.0.0.1"
            assert one.local_port == other.remote_port
            assert one.local_family == other.remote_family == "IPv4"

        ends(client, accepted)
        ends(accepted, client)
        client.destroy()
        accepted.destroy()
        await once(accepted, "close")
        ends(client, accepted)
        ends(accepted, client)


async def test_net_unconnected_socket_has_no_addresses() -> None:
    """Unknown addresses are None (H-137)."""
    new = net.Socket()
    local = (new.local_address, new.local_port, new.local_family)
    remote = (new.remote_address, new.remote_port, new.remote_family)
    assert local == remote == (None, None, None)


async def test_net_connect_states() -> None:
    """`connecting`, `pending` and `ready_state` along a socket's life (X-082)."""
    async with ending_server() as server:
        client = net.Socket()
        states = [(client.connecting, client.pending)]
        client.connect(port_of(server), "127.0.0.1")
        states.append((client.connecting, client.pending))
        assert client.ready_state == "opening"
        await client
        states.append((client.connecting, client.pending))
        assert client.ready_state == "open"
        client.end()
        assert client.ready_state == "read_only"
        await closed(client.resume())
        states.append((client.connecting, client.pending))
        assert client.ready_state == "closed"
    assert states == [(False, True), (True, True), (False, False), (False, True)]


async def test_net_connect_while_connecting_or_connected() -> None:
    """Only a new or a closed socket can connect (H-138)."""
    async with ending_server() as server:
        client = net.connect(port_of(server), "127.0.0.1", allow_half_open=True)
        for _ in range(2):
            with pytest.raises(net.IllegalMoveError):
                client.connect(port_of(server), "127.0.0.1")
            await client
        client.destroy()
        with pytest.raises(net.IllegalMoveError):  # ``close`` has not come yet
            client.connect(port_of(server), "127.0.0.1")


async def test_net_reconnect() -> None:
    """After ``close`` the same object connects again, many times (N-082, H-138)."""
    received = bytearray()
    server = net.create_server(lambda accepted: accepted.resume().end("hello "))
    async with server.listen(0, "127.0.0.1"):
        client = net.Socket()
        client.on("data", received.extend)
        for round_ in range(5):
            await client.connect(port_of(server), "127.0.0.1")
            client.write(bytes(round_))
            await closed(client)
            assert (client.bytes_read, client.bytes_written) == (6, round_)
            assert client.errored is None
    assert received == b"hello " * 5


async def test_net_reconnect_after_a_failure() -> None:
    """A failed attempt leaves no trace in the next one (H-138)."""
    async with ending_server() as server:
        client = net.Socket().set_encoding("utf-8")
        client.on("error", lambda error: None)
        client.connect(refused_port(), "127.0.0.1")
        await closed(client)
        assert client.had_error
        await client.connect(port_of(server), "127.0.0.1")
        assert not client.had_error
        assert client.readable_encoding == "utf-8"
        await closed(client.resume())


async def test_net_connect_runs_the_lookup_hook() -> None:
    """A hook with a callback, one that returns and an async one (X-063)."""

    def by_callback(host: str, options: Any, callback: Callable[..., object]) -> None:
        callback(None, "127.0.0.1", 4)

    async def later(host: str, options: Any) -> list[dict[str, Any]]:
        await checkpoint()
        return [{"address": "127.0.0.1", "family": 4}]

    hooks: list[Any] = [by_callback, lambda *_: [("127.0.0.1", 4)], later]
    async with ending_server() as server:
        for hook in hooks:
            client = net.connect(port_of(server), "some.name", lookup=hook)
            seen = record(client, "lookup")
            await client
            assert seen == [("lookup", None, "127.0.0.1", 4, "some.name")]
            await client.resume().aclose()


async def test_net_connect_does_not_look_up_addresses() -> None:
    """An IP address needs no look-up: neither hook nor event."""

    def hook(*_: object) -> None:
        pytest.fail("was called")

    async with ending_server() as server:
        client = net.connect(port_of(server), "127.0.0.1", lookup=hook)
        seen = record(client, "lookup")
        await client
        assert seen == []
        await client.resume().aclose()


async def test_net_connect_with_a_lookup_hook_that_fails() -> None:
    """What the hook raises, or gives, is the ``error`` (X-063)."""
    problem = OSError("no")

    def raising(*_: object) -> None:
        raise problem

    hooks: list[Any] = [raising, lambda host, options, callback: callback(problem)]
    for hook in hooks:
        with pytest.raises(OSError, match="no") as caught:
            await net.connect(1, "some.name", lookup=hook)
        assert caught.value is problem
    with pytest.raises(net.InvalidArgValueError):
        await net.connect(1, "some.name", lookup=lambda *_: "not an address")
    with pytest.raises(net.LookupFailedError, match="ENOTFOUND"):
        await net.connect(1, "some.name", lookup=lambda *_: [])


async def test_net_connect_tries_the_next_address() -> None:
    """The first address refuses: the second is tried (N-088)."""
    async with ending_server() as server:
        client = net.connect(
            port_of(server), "some.name", lookup=lambda *_: ["127.0.0.9", "127.0.0.1"]
        )
        await client
        assert client.remote_address == "127.0.0.1"
        await client.resume().aclose()


async def test_net_connect_when_all_addresses_fail() -> None:
    """One error with all of them as the cause (N-088, X-063)."""
    addresses = ["127.0.0.1", "127.0.0.2"]
    with pytest.raises(ConnectionRefusedError) as caught:
        await net.connect(refused_port(), "some.name", lookup=lambda *_: addresses)
    error = caught.value
    assert isinstance(error, net.SocketError)
    assert (error.code, error.address) == ("ECONNREFUSED", "127.0.0.1")
    assert isinstance(error.__cause__, ExceptionGroup)
    assert [each.address for each in error.__cause__.exceptions] == addresses  # type: ignore[union-attr]


async def test_net_connect_without_auto_select_family() -> None:
    """`auto_select_family=False`: only the first address is tried (X-063)."""
    async with ending_server() as server:
        with pytest.raises(ConnectionRefusedError) as caught:
            await net.connect(
                port_of(server),
                "some.name",
                lookup=lambda *_: ["127.0.0.9", "127.0.0.1"],
                auto_select_family=False,
            )
        assert caught.value.__cause__ is not None
        assert not isinstance(caught.value.__cause__, ExceptionGroup)


@contextmanager
def silent_address(port: int) -> Iterator[str]:
    """Give an address where connecting to `port` is neither accepted nor refused."""
    address = "127.0.0.3"
    with ExitStack() as stack:
        # Linux drops the SYN when the backlog is full, as a firewall would.
        listener = stack.enter_context(socket.socket())
        listener.bind((address, port))
        listener.listen(0)
        for _ in range(3):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex((address, port))
        yield address


async def test_net_connect_does_not_wait_for_a_silent_address() -> None:
    """One that does not answer holds the next one up for a moment only (X-063)."""
    if sys.platform != "linux":
        pytest.skip("only Linux has many loopback addresses and drops the SYN")
    async with ending_server() as server:
        with silent_address(port_of(server)) as silent:
            client = net.connect(
                {"port": port_of(server), "host": "some.name"},
                lookup=lambda *_: [silent, "127.0.0.1"],
                auto_select_family_attempt_timeout=0.01,
            )
            await client
            assert client.remote_address == "127.0.0.1"
            await client.resume().aclose()


@pytest.mark.parametrize("is_there", [False, True])
@pytest.mark.parametrize("can_look_again", [False, True])
async def test_net_connect_whether_looked_at_again_or_watched(
    is_there: bool, can_look_again: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A system whose `connect` cannot be asked twice has the same events (H-139)."""
    monkeypatch.setattr(_connect, "_CAN_LOOK_AGAIN", can_look_again)
    async with ending_server() as server:
        port = port_of(server) if is_there else refused_port()
        client = net.connect(port, "127.0.0.1")
        seen = record(client.resume(), "connect", "ready", "error", "end", "close")
        await closed(client)
    if is_there:
        assert seen == ["connect", "ready", "end", "close"]
    else:
        (event, error), close = seen
        assert (event, close) == ("error", "close")
        assert (error.code, error.syscall) == ("ECONNREFUSED", "connect")


async def test_net_connect_comes_behind_who_waits_for_the_socket() -> None:
    """A task that the same turn wakes is in time for ``connect`` (H-139)."""
    async with ending_server() as server:
        made: list[net.Socket] = []
        called, heard = anyio.Event(), anyio.Event()

        async def wait() -> None:
            await called.wait()
            made[0].on("connect", heard.set)

        def connect() -> None:
            made.append(net.connect(port_of(server), "127.0.0.1").resume())
            next_tick(next_tick, called.set)

        async with anyio.create_task_group() as group:
            group.start_soon(wait)
            await checkpoint()
            next_tick(connect)
            await heard.wait()
        await closed(made[0])


async def test_net_connect_many_in_one_turn() -> None:
    """Each has its own events, also if one of them gives another one up."""
    async with ending_server() as server:
        ports = [port_of(server), refused_port()] * 5
        clients = [net.connect(port, "127.0.0.1").resume() for port in ports]
        seen = [record(client, "connect", "error", "close") for client in clients]
        clients[0].on("connect", clients[2].destroy)
        for client in clients:
            await closed(client)
    assert seen[2] in (["close"], ["connect", "close"])  # on trio in any order
    for number in (0, 4, 6, 8):
        assert seen[number] == ["connect", "close"]
    for number in (1, 3, 5, 7, 9):
        assert [event[0] for event in seen[number][:-1]] == ["error"]
        assert seen[number][-1] == "close"


async def test_net_connect_cancelled_leaves_nothing() -> None:
    """Cancelling the `await` gives the connection up (design 3)."""
    waiting = anyio.Event()

    async def hook(host: str, options: Any) -> str:
        waiting.set()
        await anyio.sleep_forever()
        return ""

    async with anyio.create_task_group() as tasks:
        client = net.connect(1, "some.name", lookup=hook)

        async def connect() -> None:
            await client

        tasks.start_soon(connect)
        await waiting.wait()
        tasks.cancel_scope.cancel()
    assert client.destroyed


async def test_net_destroy_right_after_connect() -> None:
    """No ``connect``, one ``close``; nothing was tried (N-074, H-141)."""
    async with ending_server() as server:
        accepted = record(server, "connection")
        client = net.connect(port_of(server), "127.0.0.1")
        seen = record(client, "connect", "error", "close")
        client.destroy()
        await closed(client)
        assert seen == ["close"]
    assert accepted == []


async def test_net_destroy_while_connecting() -> None:
    """Destroyed by a ``lookup`` listener: no ``connect`` (H-141)."""
    async with ending_server() as server:
        client = net.connect(port_of(server), "localhost")
        seen = record(client, "connect", "close")
        client.on("lookup", lambda *_: client.destroy())
        await closed(client)
        assert seen == ["close"]


async def test_net_awaiting_a_socket_again() -> None:
    """An `await` works after the connection, and after the failure, too (design 3)."""
    async with ending_server() as server:
        client = await net.connect(port_of(server), "127.0.0.1", allow_half_open=True)
        assert await client is client
        client.destroy()
        with pytest.raises(net.SocketClosedError):
            await client
    failed = net.connect(refused_port(), "127.0.0.1")
    for _ in range(2):
        with pytest.raises(ConnectionRefusedError):
            await failed
