"""aiohttp's client against our server."""

from collections.abc import AsyncIterator

import aiohttp
import anyio
import pytest

from headrace import http
from headrace.net.testing import port_of, record
from headrace.streams import pipeline


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """The one runtime that aiohttp knows."""
    return "asyncio"


@pytest.fixture
async def aiohttp_client() -> AsyncIterator[aiohttp.ClientSession]:
    """Aiohttp's client, in the loop of the test."""
    async with aiohttp.ClientSession() as session:
        yield session


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
