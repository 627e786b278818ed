"""How a request finds its server: addresses, names, Unix sockets, own connections."""

import gc
import weakref
from pathlib import Path
from typing import Any

import pytest

from headrace import http, net
from headrace.events import once
from headrace.events.loop import checkpoint, current, next_tick
from headrace.http.testing import HostileServer, ok, stays
from headrace.streams import duplex_pair


async def failure(request: http.ClientRequest) -> Any:
    """Return the exception in which a request ends."""
    with pytest.raises(Exception) as caught:  # noqa: PT011 - the caller looks at it
        await request
    return caught.value


async def test_a_unix_socket(tmp_path: Path) -> None:
    """socket_path instead of host and port; they name the Host (H-062, N-170)."""
    path = str(tmp_path / "server.sock")
    async with (
        HostileServer(stays(ok(b"unix")), path=path) as server,
        http.Agent(keep_alive=True) as agent,
    ):
        request = http.get("http://named:81/", agent=agent, socket_path=path)
        assert await (await request).body() == b"unix"
        await checkpoint()
        assert list(agent.free_sockets) == [f"named:81::{path}"]
    assert b"\r\nHost: named:81\r\n" in server.heads[0]


async def test_a_unix_socket_that_is_not_there(tmp_path: Path) -> None:
    """ENOENT as an error (H-062)."""
    path = str(tmp_path / "none.sock")
    error = await failure(http.get(socket_path=path, agent=http.Agent()))
    assert isinstance(error, FileNotFoundError)
    assert (vars(error)["code"], vars(error)["path"]) == ("ENOENT", path)


async def test_the_local_address_is_used() -> None:
    """The connection comes from there, and the name tells (H-061, N-169)."""
    async with (
        HostileServer(stays(ok())) as server,
        http.Agent(keep_alive=True) as agent,
    ):
        request = http.get(server.url(), agent=agent, local_address="127.0.0.2")
        assert list(agent.sockets) == [f"127.0.0.1:{server.port}:127.0.0.2"]
        await (await request).body()
        assert request.socket is not None
        assert request.socket.local_address == "127.0.0.2"


@pytest.mark.parametrize("local_address", ["192.0.2.1", "::1", "no address"])
async def test_a_local_address_that_is_not_ours(local_address: str) -> None:
    """EADDRNOTAVAIL as an error (H-061, N-169)."""
    async with HostileServer(stays(ok())) as server:
        error = await failure(
            http.get(server.url(), agent=http.Agent(), local_address=local_address)
        )
    assert vars(error)["code"] == "EADDRNOTAVAIL"


async def test_a_lookup_of_ones_own() -> None:
    """It is asked for the name, and its answer is dialled (X-063)."""
    asked: list[str] = []

    async def lookup(hostname: str, options: Any) -> Any:
        asked.append(hostname)
        return "127.0.0.1"

    async with HostileServer(stays(ok(b"found"))) as server, http.Agent() as agent:
        url = f"http://somewhere.invalid:{server.port}/"
        response = await http.get(url, agent=agent, lookup=lookup)
        assert await response.body() == b"found"
    assert asked == ["somewhere.invalid"]
    assert f"\r\nHost: somewhere.invalid:{server.port}\r\n".encode() in server.heads[0]


async def test_the_second_address_is_tried() -> None:
    """Happy eyeballs: the first refuses, the next answers (X-063)."""

    async def lookup(hostname: str, options: Any) -> Any:
        return ["127.0.0.9", "127.0.0.1"]

    async with HostileServer(stays(ok(b"second"))) as server, http.Agent() as agent:
        url = f"http://two.invalid:{server.port}/"
        response = await http.get(url, agent=agent, lookup=lookup)
        assert await response.body() == b"second"


async def test_a_connection_of_ones_own() -> None:
    """create_connection without an agent: a Duplex in memory (X-062, H-067)."""
    ours, theirs = duplex_pair()
    given: list[dict[str, Any]] = []

    def connect(options: dict[str, Any], callback: Any) -> Any:
        given.append(options)
        return ours

    request = http.get("http://memory:81/x", create_connection=connect)
    assert request.agent is None
    (head,) = await once(theirs, "data")
    assert head.startswith(b"GET /x HTTP/1.1\r\nHost: memory:81\r\n")
    assert b"\r\nConnection: close\r\n" in head
    theirs.write(ok(b"from memory"))
    assert await (await request).body() == b"from memory"
    assert (given[0]["host"], given[0]["port"]) == ("memory", 81)
    while not ours.destroyed:
        await checkpoint()


async def test_the_ways_to_give_a_connection() -> None:
    """By return, by callback, by an async def (X-062)."""

    def by_callback(options: dict[str, Any], callback: Any) -> None:
        callback(None, net.connect(options["port"], options["host"]))

    async def by_coroutine(options: dict[str, Any], callback: Any) -> Any:
        await checkpoint()
        return net.connect(options["port"], options["host"])

    async with HostileServer(stays(ok(b"made"))) as server:
        for way in (by_callback, by_coroutine):
            response = await http.get(server.url(), create_connection=way)
            assert await response.body() == b"made"


async def test_a_given_socket_is_the_requests_before_it_is_open() -> None:
    """The event comes while it connects, as with an agent (X-062, H-074)."""

    def connect(options: dict[str, Any], callback: Any) -> net.Socket:
        return net.connect(options["port"], options["host"])

    async with HostileServer(stays(ok())) as server:
        request = http.get(server.url(), create_connection=connect)
        (socket,) = await once(request, "socket")
        assert socket.connecting
        await (await request).body()


async def test_the_callback_may_listen_to_connect() -> None:
    """A socket that is returned may call back, too, without arguments (X-062)."""

    def connect(options: dict[str, Any], callback: Any) -> net.Socket:
        return net.connect(options["port"], options["host"], callback)

    class Own(http.Agent):
        def create_connection(self, options: Any, callback: Any = None) -> Any:
            return connect(options, callback)

    async with HostileServer(stays(ok(b"made")), stays(ok(b"made"))) as server:
        for options in ({"create_connection": connect}, {"agent": Own()}):
            response = await http.get(server.url(), options)
            assert await response.body() == b"made"


async def test_the_options_are_those_of_connect(tmp_path: Path) -> None:
    """A factory can hand them on, also for a Unix socket (X-062, H-062)."""
    path = str(tmp_path / "server.sock")
    async with (
        HostileServer(stays(ok(b"unix")), path=path),
        HostileServer(stays(ok(b"tcp"))) as server,
    ):
        for place in ({"socket_path": path}, {"port": server.port}):
            response = await http.get(
                place, host="127.0.0.1", create_connection=net.connect
            )
            assert await response.body() in (b"unix", b"tcp")


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("soon", [True, False])
def test_a_given_connection_that_has_failed(backend: str, soon: bool) -> None:
    """Its error is the request's, and nobody's uncaught one (X-062, H-010)."""
    broken = OSError("broken")
    errors: list[Exception] = []

    def connect(options: Any, callback: Any) -> net.Socket:
        socket = net.Socket()
        next_tick(socket.destroy, broken) if soon else socket.destroy(broken)
        return socket

    def main() -> None:
        http.get(create_connection=connect).on("error", errors.append)

    http.run(main, backend=backend)
    assert errors == [broken]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_an_aborted_requests_connection_errs_in_silence(backend: str) -> None:
    """Nobody else knows of it: its error is nobody's uncaught one (X-062, H-083)."""
    made: list[net.Socket] = []

    def connect(options: Any, callback: Any) -> net.Socket:
        made.append(net.Socket())
        next_tick(made[0].destroy, OSError("broken"))
        return made[0]

    http.run(lambda: http.get(create_connection=connect).abort(), backend=backend)
    assert made[0].closed


async def test_a_connection_that_cannot_be_made() -> None:
    """What the factory raises, or calls back, is the request's error (X-062)."""
    wrong = RuntimeError("wrong")

    def raises(options: Any, callback: Any) -> None:
        raise wrong

    def calls_back(options: Any, callback: Any) -> None:
        callback(wrong)

    async def raises_later(options: Any, callback: Any) -> None:
        await checkpoint()
        raise wrong

    for way in (raises, calls_back, raises_later):
        assert await failure(http.get(port=9, create_connection=way)) is wrong
    error = await failure(http.get(port=9, create_connection=lambda *args: 5))
    assert error.code == "ERR_INVALID_ARG_TYPE"


async def test_a_request_destroyed_while_its_connection_is_made() -> None:
    """The late connection is closed (X-062, H-102)."""
    made: list[Any] = []

    async def slow(options: dict[str, Any], callback: Any) -> Any:
        while not request.destroyed:
            await checkpoint()
        made.append(net.connect(options["port"], options["host"]))
        return made[0]

    async with HostileServer(stays(ok())) as server:
        request = http.get(server.url(), create_connection=slow)
        request.on("error", lambda error: None).destroy()
        while not made or not made[0].destroyed:
            await checkpoint()


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({}, "localhost:80:"),
        ({"host": "h", "port": 81}, "h:81:"),
        ({"host": "h", "local_address": "1.2.3.4"}, "h:80:1.2.3.4"),
        ({"host": "h", "family": 6}, "h:80::6"),
    ],
)
async def test_the_name_covers_where_a_connection_leads(
    options: dict[str, Any], name: str
) -> None:
    """Two requests share sockets only if all of it is equal (H-096, N-159)."""
    agent = http.Agent()
    request = http.request(agent=agent, **options).on("error", lambda error: None)
    assert list(agent.sockets) == [name]
    request.destroy()
    agent.destroy()


async def test_the_agents_options_win() -> None:
    """A connect option of the agent overrides the request's (H-090)."""
    async with (
        HostileServer(stays(ok(b"agent's"))) as server,
        http.Agent(host="127.0.0.1", port=server.port) as agent,
    ):
        response = await http.get("http://elsewhere.invalid:1/", agent=agent)
        assert await response.body() == b"agent's"
    assert b"\r\nHost: elsewhere.invalid:1\r\n" in server.heads[0]


async def test_who_made_the_connection_may_speak_first() -> None:
    """A listener of ``connect`` that is there before the request writes before it."""

    async def with_preface(options: dict[str, Any], callback: Any) -> Any:
        socket = net.connect(options["port"], options["host"])
        socket.on("connect", lambda: socket.write(b"PROXY UNKNOWN\r\n"))
        return socket

    async with HostileServer(stays(ok())) as server:
        request = http.get(server.url(), create_connection=with_preface)
        assert await (await request).body() == b"ok"
        assert server.heads[0].startswith(b"PROXY UNKNOWN\r\nGET / HTTP/1.1\r\n")


async def test_an_exchange_on_its_own_connection_leaves_no_ring() -> None:
    """Socket, request and response go without the collector, the pool's part, too."""
    seen: list[weakref.ref[Any]] = []

    def note(socket: net.Socket) -> None:
        seen.append(weakref.ref(socket))

    async def ask(url: str, agent: http.Agent) -> None:
        request = http.get(url, agent=agent)
        request.on("socket", note)
        response = await request
        seen.extend((weakref.ref(request), weakref.ref(response)))
        assert await response.body() == b"ok"

    async with HostileServer(stays(ok())) as server, http.Agent() as agent:
        await checkpoint()
        gc.collect()
        gc.disable()
        try:
            await ask(server.url(), agent)
            while agent.total_socket_count or current().ticks:
                await checkpoint()
            for _ in range(3):
                await checkpoint()
            assert [ref() for ref in seen] == [None] * 3
        finally:
            gc.enable()
