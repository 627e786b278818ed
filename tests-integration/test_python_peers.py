"""aiohttp and uvicorn: other people's Python clients and servers against ours."""

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import anyio
import pytest
from peers import Program, running

from headrace import http
from headrace.net.testing import port_of, record
from headrace.streams import pipeline

PEERS = Path(__file__).parent.parent / "benchmarks/server/peers"
SERVERS = {
    "aiohttp": [str(PEERS / "aiohttp_server.py")],
    "uvicorn": [str(PEERS / "uvicorn_server.py"), "asyncio"],
}


@pytest.fixture(scope="module", params=SERVERS)
def other(request: pytest.FixtureRequest) -> Iterator[Program]:
    """A server that is not ours."""
    with running([sys.executable, *SERVERS[request.param]]) as program:
        yield program


async def test_pages_over_one_connection(other: Program) -> None:
    """A pooled connection serves page after page (N-165)."""
    async with http.Agent(keep_alive=True) as agent:
        for number in range(3):
            request = http.get(f"{other.base}/", agent=agent)
            response = await request
            assert await response.text() == "Hello World\n"
            assert request.reused_socket is (number > 0)
        assert agent.total_socket_count == 1


async def test_a_chunked_answer(other: Program) -> None:
    """What is sent without a length arrives whole (H-123)."""
    async with http.Agent() as agent:
        response = await http.get(f"{other.base}/chunked", agent=agent)
        assert response.headers["transfer-encoding"] == "chunked"
        assert await response.text() == "a chunk of text\n" * 8


async def test_a_chunked_upload(other: Program) -> None:
    """What we send without a length is read whole (H-081, N-148)."""
    async with http.Agent() as agent:
        request = http.request(f"{other.base}/upload", method="POST", agent=agent)
        for _ in range(32):
            request.write(bytes(65536))
            await request.drain()
        request.end()
        assert await (await request).text() == str(2 << 20)


async def test_a_large_download(other: Program) -> None:
    """A body of known length arrives whole and keeps the connection (N-096)."""
    async with http.Agent(keep_alive=True) as agent:
        response = await http.get(f"{other.base}/download/16", agent=agent)
        size = 0
        async for chunk in response:
            size += len(chunk)
        assert size == 16 << 20
        assert (await http.get(f"{other.base}/", agent=agent)).status_code == 200
        assert agent.total_socket_count == 1


@pytest.fixture
async def aiohttp_client(
    anyio_backend_name: str,
) -> AsyncIterator[aiohttp.ClientSession]:
    """Aiohttp's client, in the loop of the test."""
    if anyio_backend_name != "asyncio":
        pytest.skip("aiohttp runs on asyncio only")
    async with aiohttp.ClientSession() as session:
        yield session
    await asyncio.sleep(0)


async def describe(
    request: http.IncomingMessage, response: http.ServerResponse
) -> None:
    if request.url == "/echo":
        await pipeline(request, response)
    else:
        response.set_header("Set-Cookie", ["one=1", "two=2"])
        response.end(f"{request.method} {request.url}")


async def test_aiohttp_keeps_its_connection(
    aiohttp_client: aiohttp.ClientSession,
) -> None:
    """Aiohttp's requests one after the other use one connection (H-124)."""
    async with http.create_server(describe).listen(0, "127.0.0.1") as server:
        connections = record(server, "connection")
        base = f"http://127.0.0.1:{port_of(server)}"
        for path in ("/a", "/b"):
            async with aiohttp_client.get(base + path) as answer:
                assert await answer.text() == f"GET {path}"
                assert answer.headers.getall("Set-Cookie") == ["one=1", "two=2"]
    assert len(connections) == 1


async def test_aiohttp_streams_both_ways(aiohttp_client: aiohttp.ClientSession) -> None:
    """A chunked upload of aiohttp comes back as it was sent (N-171)."""
    piece = bytes(range(256)) * 256

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(64):
            yield piece

    async with http.create_server(describe).listen(0, "127.0.0.1") as server:
        url = f"http://127.0.0.1:{port_of(server)}/echo"
        async with aiohttp_client.post(url, data=pieces()) as answer:
            assert await answer.read() == piece * 64


async def test_aiohttp_waits_for_the_100(aiohttp_client: aiohttp.ClientSession) -> None:
    """Aiohttp sends its body after our 100 (H-024)."""
    async with http.create_server(describe).listen(0, "127.0.0.1") as server:
        url = f"http://127.0.0.1:{port_of(server)}/echo"
        async with aiohttp_client.post(url, data=b"body", expect100=True) as answer:
            assert await answer.read() == b"body"


async def test_aiohttp_at_once(aiohttp_client: aiohttp.ClientSession) -> None:
    """A hundred requests of aiohttp at once are all answered, each its own."""
    found = []

    async def ask(url: str) -> None:
        async with aiohttp_client.get(url) as answer:
            found.append(await answer.text())

    async with (
        http.create_server(describe).listen(0, "127.0.0.1") as server,
        anyio.create_task_group() as tasks,
    ):
        for number in range(100):
            tasks.start_soon(ask, f"http://127.0.0.1:{port_of(server)}/{number}")
    assert sorted(found) == sorted(f"GET /{number}" for number in range(100))
