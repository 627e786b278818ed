"""Requests of connections that are ready at once leave together, and lose nothing."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import pytest

from headrace import http
from headrace.events.loop import checkpoint, current
from headrace.http import PeerGoneError
from headrace.http._batch import FlushBatch
from headrace.http.testing import HostileServer, Peer, ok, served, stays
from headrace.net.testing import port_of


@asynccontextmanager
async def crowded() -> AsyncIterator[FlushBatch]:
    """A turn of the loop in which callbacks of others are due, whenever one looks."""
    loop = current()
    due, loop.due = loop.due, [None]
    try:
        yield FlushBatch.of(loop)
    finally:
        loop.due = due


async def connected(agent: http.Agent, url: str) -> None:
    """Have the agent keep a connection."""
    await (await http.get(url, agent=agent)).body()


async def put_off(batch: FlushBatch) -> None:
    """Wait until a request waits for the others of its turn."""
    while not batch.wires:
        current().drain()
        if not batch.wires:
            await checkpoint()


async def test_many_requests_at_once_are_all_answered() -> None:
    """Each gets its own answer, however many leave together (H-127)."""
    count = 40

    async with (
        served(lambda request, response: response.end(request.url)) as (server, _),
        http.Agent(keep_alive=True) as agent,
    ):
        url = f"http://127.0.0.1:{port_of(server)}/"
        answers: dict[str, bytes] = {}

        async def ask(number: int) -> None:
            for turn in range(3):
                path = f"{number}/{turn}"
                response = await http.get(url + path, agent=agent)
                answers[path] = await response.body()

        async with anyio.create_task_group() as group:
            for number in range(count):
                group.start_soon(ask, number)
        assert len(answers) == 3 * count
        assert all(body == b"/" + path.encode() for path, body in answers.items())
        assert agent.total_socket_count == count


@pytest.mark.parametrize("body", [None, b"body"], ids=["GET", "POST"])
async def test_a_request_that_is_put_off_is_sent(body: bytes | None) -> None:
    """Until then it is neither finished nor forgotten (H-082)."""
    async with (
        HostileServer(stays(ok(), ok())) as server,
        http.Agent(keep_alive=True) as agent,
    ):
        await connected(agent, server.url())
        async with crowded() as batch:
            request = http.request(
                server.url("/late"), method="POST" if body else "GET", agent=agent
            ).end(body)
            finished: list[bool] = []
            request.on("finish", lambda: finished.append(True))
            await put_off(batch)
            assert (request.writable_finished, finished) == (False, [])
            assert request.writable_length > 0
            assert len(server.heads) == 1
            assert await (await request).body() == b"ok"
            assert (request.writable_finished, finished) == (True, [True])
            assert request.writable_length == 0
        assert server.heads[1].split()[1] == b"/late"
        assert server.connections == 1


async def test_a_request_that_is_destroyed_while_it_is_put_off() -> None:
    """Nothing of it is sent, and its socket is closed (H-071)."""
    async with (
        HostileServer(stays(ok(), ok())) as server,
        http.Agent(keep_alive=True) as agent,
    ):
        await connected(agent, server.url())
        async with crowded() as batch:
            request = http.get(server.url("/never"), agent=agent)
            await put_off(batch)
            request.destroy()
            with pytest.raises(PeerGoneError):
                await request
            while agent.total_socket_count or batch.wires:
                await checkpoint()
        assert len(server.heads) == 1


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_socket_that_is_lost_while_its_request_is_put_off(method: str) -> None:
    """Nothing has left yet: any request is sent on a new connection (X-056)."""
    async with (
        HostileServer(stays(ok()), stays(ok(b"again"))) as server,
        http.Agent(keep_alive=True) as agent,
    ):
        await connected(agent, server.url())
        async with crowded() as batch:
            request = http.request(server.url("/twice"), method=method, agent=agent)
            request.end(b"" if method == "GET" else b"body")
            await put_off(batch)
            (wire,) = batch.wires
            wire.eof_received()  # type: ignore[attr-defined]  # as if it came just now
            assert await (await request).body() == b"again"
        assert [head.split()[1] for head in server.heads] == [b"/", b"/twice"]


async def test_bytes_that_come_while_a_request_is_put_off() -> None:
    """They were sent before it, so they do not answer it (H-098)."""
    async with (
        HostileServer(stays(ok()), stays(ok(b"mine"))) as server,
        http.Agent(keep_alive=True) as agent,
    ):
        await connected(agent, server.url())
        async with crowded() as batch:
            request = http.get(server.url("/late"), agent=agent)
            await put_off(batch)
            (wire,) = batch.wires
            wire.data_received(ok(b"evil"))  # type: ignore[attr-defined]
            assert await (await request).body() == b"mine"
        assert [head.split()[1] for head in server.heads] == [b"/", b"/late"]


async def test_a_write_on_the_socket_follows_a_request_that_was_put_off() -> None:
    """As it follows what any message was given before (H-008)."""

    async def script(peer: Peer) -> None:
        await peer.read_head()
        await peer.send(ok())
        await peer.read_head()
        await peer.read_head()
        await peer.send(ok())

    async with (
        HostileServer(script) as server,
        http.Agent(keep_alive=True) as agent,
    ):
        await connected(agent, server.url())
        async with crowded() as batch:
            request = http.get(server.url("/late"), agent=agent)
            await put_off(batch)
            socket, extra = request.socket, b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"
            assert socket is not None
            written = socket.bytes_written
            socket.write(extra)
            assert request.writable_finished
            assert socket.bytes_written == written + len(extra)
            assert await (await request).body() == b"ok"
        assert [head.split()[1] for head in server.heads] == [b"/", b"/late", b"*"]
