"""Our client against other people's Python servers: aiohttp and uvicorn."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from peers import Program, running

from headrace import http

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
