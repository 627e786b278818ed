"""Leaving HTTP: CONNECT and Upgrade (H-025, H-026)."""

from typing import Any, Literal

import anyio
import anyio.lowlevel
import pytest

from headrace import http, net
from headrace.http.testing import RawClient, served
from headrace.net.testing import record

Engine = Literal["h11", "llhttp"]
Request = http.IncomingMessage
Response = http.ServerResponse

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
UPGRADE = b"GET /u HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"
CONNECT = b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n"


@pytest.fixture(params=["h11", "llhttp"])
def engine(request: pytest.FixtureRequest) -> Engine:
    name: Engine = request.param
    return name


def echo(request: Request, socket: net.Socket, head: bytes) -> None:
    socket.write(b"switched " + head)
    socket.pipe(socket)


@pytest.mark.parametrize("ask", [UPGRADE, CONNECT])
async def test_head_and_later_data_reach_the_listener(
    ask: bytes, engine: Engine
) -> None:
    """head is what came behind the request, the socket has the rest (N-122, N-124)."""
    async with served(engine=engine) as (server, client):
        server.on("upgrade", echo).on("connect", echo)
        await client.send(ask + b"head")
        assert await client.read_exactly(13) == b"switched head"
        await client.send(b"more")
        assert await client.read_exactly(4) == b"more"


@pytest.mark.parametrize("ask", [UPGRADE, CONNECT])
async def test_nothing_of_http_is_left_on_the_socket(ask: bytes) -> None:
    """No listener, no timeout, no refusal of an encoding (H-025, H-037)."""
    seen: list[object] = []

    def listener(request: Request, socket: net.Socket, head: bytes) -> None:
        seen.extend([socket.event_names(), socket.timeout, type(head)])
        socket.set_encoding("utf-8")
        socket.on("data", seen.append)
        socket.on("end", socket.end)
        socket.write("go")

    async with served(timeout=5.0) as (server, client):
        server.on("upgrade", listener).on("connect", listener)
        await client.send(ask)
        await client.read_until(b"go")
        await client.send("ä".encode())
        await client.end()
        assert await client.read_all() == b""
    assert seen == [[], None, bytes, "ä"]


async def test_the_timeouts_of_http_do_not_reach_a_switched_socket() -> None:
    """Neither server.timeout nor the request timeouts hold for it (H-037, X-002)."""
    async with served(
        timeout=0.1, headers_timeout=0.1, request_timeout=0.1, keep_alive_timeout=0.1
    ) as (server, client):
        server.on("upgrade", echo)
        await client.send(UPGRADE)
        await client.read_until(b"switched ")
        await anyio.sleep(0.7)
        await client.send(b"still")
        assert await client.read_exactly(5) == b"still"


async def test_connect_without_a_listener_is_cut_without_a_reply(
    engine: Engine,
) -> None:
    """Nobody listens to connect: the connection is destroyed (H-025)."""
    requests: list[object] = []
    async with served(
        lambda request, response: requests.append(request), engine=engine
    ) as (_, client):
        await client.send(CONNECT)
        assert await client.read_all() == b""
    assert requests == []


@pytest.mark.parametrize("header", ["Connection: upgrade", "Upgrade: x"])
async def test_either_header_alone_does_not_upgrade(
    header: str, engine: Engine
) -> None:
    """Connection: upgrade and Upgrade must both be there (H-026)."""
    upgrades: list[object] = []
    async with served(
        lambda request, response: response.end("ordinary"), engine=engine
    ) as (server, client):
        server.on("upgrade", lambda *args: upgrades.append(args))
        answer = await client.ask(f"GET / HTTP/1.1\n{header}")
    assert answer.body == b"ordinary"
    assert upgrades == []


async def test_the_body_of_an_upgrade_request_comes_first(engine: Engine) -> None:
    """The body is read from the request; the socket's data begin behind it (H-026)."""
    heads: list[bytes] = []

    async def listener(request: Request, socket: net.Socket, head: bytes) -> None:
        heads.append(head)
        body = await request.body()
        socket.write(b"body " + body + b" ")
        socket.pipe(socket)

    ask = UPGRADE[:-2] + b"Content-Length: 5\r\n\r\n"
    async with served(engine=engine) as (server, client):
        server.on("upgrade", listener)
        await client.send(ask + b"12")
        await client.send(b"345first")
        assert await client.read_exactly(16) == b"body 12345 first"
        await client.send(b"second")
        assert await client.read_exactly(6) == b"second"
    assert heads == [b""]


async def test_a_chunked_body_of_an_upgrade_behind_a_slow_answer() -> None:
    """It is held back with the request, and not lost (H-026, H-127)."""
    release = anyio.Event()

    async def slow(request: Request, response: Response) -> None:
        await release.wait()
        response.end("first")

    async def listener(request: Request, socket: net.Socket, head: bytes) -> None:
        body = await request.body()
        socket.write(b"%b %a " % (body, request.raw_trailers))
        socket.pipe(socket)

    ask = UPGRADE[:-2] + b"Transfer-Encoding: chunked\r\n\r\n"
    async with served(slow) as (server, client):
        server.on("upgrade", listener)
        await client.send(GET + ask + b"3\r\nabc\r\n0\r\nX: y\r\n\r\nleft")
        release.set()
        assert (await client.response()).body == b"first"
        await client.end()
        assert await client.read_all() == b"abc ['X', 'y'] left"


@pytest.mark.parametrize("ask", [UPGRADE, CONNECT])
async def test_owed_answers_go_out_before_the_switch(
    ask: bytes, engine: Engine
) -> None:
    """Answers to pipelined requests before it come first (H-026, H-127)."""
    release = anyio.Event()

    async def slow(request: Request, response: Response) -> None:
        await release.wait()
        response.end("answer")

    async with served(slow, engine=engine) as (server, client):
        server.on("upgrade", echo).on("connect", echo)
        await client.send(GET * 2 + ask + b"head")
        release.set()
        assert (await client.response()).body == b"answer"
        assert (await client.response()).body == b"answer"
        assert await client.read_exactly(13) == b"switched head"


async def test_the_predicate_decides_request_by_request(engine: Engine) -> None:
    """False makes an ordinary request of it (X-020, N-123)."""

    def takes(request: Request) -> bool:
        return bool(request.headers["upgrade"] == "yes")

    async with served(
        lambda request, response: response.end(f"upgrade {request.upgrade}"),
        should_upgrade_callback=takes,
        engine=engine,
    ) as (server, client):
        server.on("upgrade", echo)
        answer = await client.ask("GET / HTTP/1.1\nConnection: upgrade\nUpgrade: no")
        assert answer.body == b"upgrade False"
        await client.send(UPGRADE.replace(b"Upgrade: x", b"Upgrade: yes"))
        assert await client.read_exactly(9) == b"switched "


async def test_a_body_that_breaks_off_before_the_switch() -> None:
    """The request is aborted and the socket closed, without an HTTP reply (H-128)."""
    seen: list[object] = []
    closed = anyio.Event()

    def listener(request: Request, socket: net.Socket, head: bytes) -> None:
        record(request, "aborted", "end", "close", into=seen)
        socket.on("error", lambda error: seen.append(getattr(error, "code", None)))
        socket.on("close", closed.set)
        request.resume()

    ask = UPGRADE[:-2] + b"Transfer-Encoding: chunked\r\n\r\n"
    async with served() as (server, client):
        server.on("upgrade", listener)
        await client.send(ask + b"xyz\r\n")
        assert await client.read_all() == b""
        await closed.wait()
    assert seen == ["aborted", "close", "HPE_INVALID_CHUNK_SIZE"]


async def test_a_client_lost_before_its_turn_to_switch() -> None:
    """No upgrade is emitted; the request is aborted (H-128)."""
    events: list[object] = []
    asked, closed = anyio.Event(), anyio.Event()

    def listener(request: Request, response: Response) -> None:
        response.on("close", closed.set)

    def takes(request: Request) -> bool:
        record(request, "aborted", "close", into=events)
        asked.set()
        return True

    async with served(listener, should_upgrade_callback=takes) as (server, client):
        server.on("upgrade", lambda *args: events.append("upgrade"))
        await client.send(GET + UPGRADE)
        await asked.wait()
        await client.reset()
        # Reading rests, so only the answer finds out that nobody is there.
        server.close_all_connections()
        await closed.wait()
        await anyio.lowlevel.checkpoint()
    assert events == ["aborted", "close"]


async def test_a_switched_socket_counts_for_the_server_only() -> None:
    """close() waits for it, get_connections counts it, close_all spares it (H-025)."""
    sockets: list[net.Socket] = []
    counts: list[object] = []

    def listener(request: Request, socket: net.Socket, head: bytes) -> None:
        sockets.append(socket)
        socket.write("go")
        socket.on("data", socket.end)

    server = http.create_server().on("upgrade", listener).listen(0, "127.0.0.1")
    closed = anyio.Event()
    await server
    async with RawClient(server) as client:
        await client.send(UPGRADE)
        await client.read_until(b"go")
        server.close_all_connections()
        server.close(lambda error: closed.set())
        counted = anyio.Event()

        def count(*args: Any) -> None:
            counts.append(args)
            counted.set()

        server.get_connections(count)
        await counted.wait()
        assert not closed.is_set()
        await client.send(b"bye")
        assert await client.read_all() == b"bye"
    await closed.wait()
    assert counts == [(None, 1)]


async def test_leaving_the_block_by_an_exception_ends_switched_sockets() -> None:
    """An exception or a cancellation closes everything at once (DESIGN 3)."""
    server = http.create_server().on("upgrade", echo)

    async def leave() -> None:
        async with server.listen(0, "127.0.0.1"), RawClient(server) as client:
            await client.send(UPGRADE)
            await client.read_until(b"switched ")
            raise ValueError("out")

    with pytest.raises(ValueError, match="out"):
        await leave()
    assert not server._connections
