"""Cancelling a client wherever it waits: nothing may be left of what it did.

Each use of the client is run again and again, cancelled at its first await, at its
second, and so on until it gets through.
"""

from collections.abc import AsyncIterator, Callable, Coroutine, Generator
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import anyio
import pytest
import trustme

from headrace import http, https, net
from headrace.events.loop import checkpoint, current
from headrace.http.testing import HostileServer, Peer
from headrace.net.testing import port_of

AUTHORITY = trustme.CA()
SERVER = AUTHORITY.issue_cert("127.0.0.1")
CA = AUTHORITY.cert_pem.bytes()


class CancelAt:
    """Awaits a coroutine and cancels a scope when that has yielded `turns` times."""

    def __init__(
        self, use: Coroutine[Any, Any, None], scope: anyio.CancelScope, turns: int
    ) -> None:
        self._use, self._scope, self._turns = use, scope, turns

    def __await__(self) -> Generator[Any, Any, None]:
        steps = self._use.__await__()
        value: Any = None
        error: BaseException | None = None
        while True:
            try:
                trap = steps.send(value) if error is None else steps.throw(error)
            except StopIteration:
                return
            self._turns -= 1
            if not self._turns:
                self._scope.cancel()
            value = error = None
            try:
                value = yield trap
            except BaseException as thrown:
                error = thrown


# What the server does


async def slow_echo(
    request: http.IncomingMessage, response: http.ServerResponse
) -> None:
    """Read slowly, so that the client has to wait, and answer in pieces."""
    async for _ in request:
        await checkpoint()
    for _ in range(3):
        response.write(b"x" * 100_000)
        await response.drain()
    response.end(b"end")


def switch(request: http.IncomingMessage, socket: net.Socket, head: bytes) -> None:
    socket.write(b"HTTP/1.1 101 Switch\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")
    socket.pipe(socket)


def connect(request: http.IncomingMessage, socket: net.Socket, head: bytes) -> None:
    socket.write(b"HTTP/1.1 200 Established\r\n\r\n")
    socket.pipe(socket)


@asynccontextmanager
async def serving() -> AsyncIterator[str]:
    """Run a server without TLS; give its URL."""
    server = http.create_server(slow_echo).on("upgrade", switch).on("connect", connect)
    async with server.listen(0, "127.0.0.1"):
        yield f"http://127.0.0.1:{port_of(server)}/"


@asynccontextmanager
async def serving_securely() -> AsyncIterator[str]:
    """Run a server with TLS; give its URL."""
    plain = http.create_server(slow_echo)
    secure = net.create_tls_server(
        {
            "cert": b"".join(blob.bytes() for blob in SERVER.cert_chain_pems),
            "key": SERVER.private_key_pem.bytes(),
        }
    )
    secure.on("secure_connection", lambda socket: plain.emit("connection", socket))
    secure.on("tls_client_error", lambda error, socket: None)
    async with secure.listen(0, "127.0.0.1"):
        yield f"https://127.0.0.1:{port_of(secure)}/"


async def forward(peer: Peer) -> None:
    """Be a proxy, for requests in absolute form or one tunnel."""
    while True:
        method, target, _ = (await peer.read_head()).split(b" ", 2)
        if method == b"CONNECT":
            break
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nforwarded")
    host, _, port = target.decode().rpartition(":")
    await peer.send(b"HTTP/1.1 200 Established\r\n\r\n")
    await peer.forward_to(host, int(port))


# What the client does

Use = Callable[[str, http.Agent], Coroutine[Any, Any, None]]


async def get(url: str, agent: http.Agent) -> None:
    begin = https.get if url.startswith("https") else http.get
    response = await begin(url, agent=agent)
    await response.body()


async def get_in_pieces(url: str, agent: http.Agent) -> None:
    async for _ in await http.get(url, agent=agent):
        await checkpoint()


async def look_up_first(url: str, agent: http.Agent) -> None:
    async def lookup(*args: Any, **keywords: Any) -> list[str]:
        await checkpoint()
        return ["127.0.0.1"]

    named = url.replace("127.0.0.1", "name.test")
    response = await http.get(named, agent=agent, lookup=lookup)
    await response.body()


async def post_with_back_pressure(url: str, agent: http.Agent) -> None:
    async with http.request(url, agent=agent, method="POST") as request:
        for _ in range(3):
            request.write(b"x" * 3_000_000)
            await request.drain()
        response = await request.end()
        async for _ in response:
            pass


async def both_ways_at_once(url: str, agent: http.Agent) -> None:
    async with http.request(url, agent=agent, method="POST") as request:

        async def send() -> None:
            for _ in range(3):
                request.write(b"x" * 100_000)
                await request.drain()
            request.end()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(send)
            await (await request).body()


async def expect_first(url: str, agent: http.Agent) -> None:
    headers = {"Expect": "100-continue"}
    async with http.request(url, agent=agent, method="PUT", headers=headers) as request:
        request.write("body")
        await (await request.end()).body()


async def two_in_a_row(url: str, agent: http.Agent) -> None:
    for _ in range(2):
        await get(url, agent)


async def wait_in_the_queue(url: str, agent: http.Agent) -> None:
    agent.max_sockets = 1
    begin = http.get
    async with begin(url, agent=agent) as first, begin(url, agent=agent) as second:
        await (await first).body()
        await (await second).body()


async def with_limits(url: str, agent: http.Agent) -> None:
    limits = {"connect_timeout": 9, "total_timeout": 9, "cancel": anyio.Event()}
    await (await http.get(url, agent=agent, **limits)).body()  # type: ignore[arg-type]


async def upgrade(url: str, agent: http.Agent) -> None:
    headers = {"Connection": "upgrade", "Upgrade": "x"}
    async with http.get(url, agent=agent, headers=headers) as request:
        response = await request
        socket = response.socket
        assert socket is not None
        try:
            socket.write("ping")
            async for data in socket:
                assert data == b"ping"
                break
        finally:
            socket.destroy()


PLAIN = [
    get,
    get_in_pieces,
    look_up_first,
    post_with_back_pressure,
    both_ways_at_once,
    expect_first,
    two_in_a_row,
    wait_in_the_queue,
    with_limits,
    upgrade,
]


async def walk(use: Use, url: str, make_agent: Callable[[], http.Agent]) -> int:
    """Cancel `use` at each of its awaits in turn; return how many there are."""
    for turns in count(1):
        async with make_agent() as agent:
            with anyio.CancelScope() as scope:
                await CancelAt(use(url, agent), scope, turns)
            await checkpoint()
            assert agent.requests == {}
            assert agent.sockets == {}
            check_listeners(agent)
            agent.max_sockets = 1  # a place that was left behind would be in the way
            await get(url, agent)
        if not scope.cancelled_caught:
            return turns
    raise AssertionError


def check_listeners(agent: http.Agent) -> None:
    """Each free socket has the listeners of the pool and of its parser, no more."""
    for sockets in agent.free_sockets.values():
        for socket in sockets:
            found = {name: socket.listener_count(name) for name in socket.event_names()}
            # A socket that never served a request has no parser that listens.
            assert found.pop("timeout") in (1, 2)
            assert found == {"close": 1, "agent_remove": 1, "error": 1}


async def check_that_nothing_is_left() -> None:
    """The loop has no task and no open socket of ours."""
    for _ in range(20):
        await checkpoint()
    assert "tasks=0 closers=0" in str(current())


@pytest.mark.parametrize("use", PLAIN)
async def test_cancelled_at_any_point_nothing_is_left(use: Use) -> None:
    """No socket, place, listener or task is left, wherever it waits (X-052)."""
    async with serving() as url:
        assert await walk(use, url, lambda: http.Agent(keep_alive=True)) > 2
    await check_that_nothing_is_left()


async def test_cancelled_with_tls() -> None:
    """The same while the connection is being secured, and after (X-052, X-071)."""
    async with serving_securely() as url:
        agent_options = {"keep_alive": True, "ca": CA}
        assert await walk(get, url, lambda: https.Agent(agent_options)) > 3
    await check_that_nothing_is_left()


@pytest.mark.parametrize("secure", [True, False])
async def test_cancelled_on_the_way_through_a_proxy(secure: bool) -> None:
    """The same while a tunnel is asked for (X-052, X-064)."""
    server = serving_securely() if secure else serving()
    async with server as url, HostileServer(forward) as proxy:
        place = f"http://127.0.0.1:{proxy.port}"
        environment = {"http_proxy": place, "https_proxy": place}

        def make_agent() -> http.Agent:
            if secure:
                return https.Agent(keep_alive=True, ca=CA, proxy_env=environment)
            return http.Agent(keep_alive=True, proxy_env=environment)

        assert await walk(get, url, make_agent) > 1
    await check_that_nothing_is_left()
