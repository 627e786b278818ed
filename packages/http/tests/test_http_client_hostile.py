"""Servers that misbehave: each has its documented outcome, and none makes us hang."""

from collections.abc import Awaitable
from inspect import iscoroutinefunction
from typing import Any

import anyio
import pytest

from headrace import http
from headrace.events.loop import checkpoint
from headrace.http import testing
from headrace.http.testing import (
    HostileServer,
    Peer,
    Script,
    answer_unasked,
    close_before_answer,
    dripping_body,
    dripping_head,
    endless_head,
    garbage,
    garbage_behind,
    half_body,
    half_chunk,
    half_head,
    interim_flood,
    length_and_chunks,
    longer_than_said,
    ok,
    reset_before_answer,
    reset_in_body,
    shorter_than_said,
    silence,
    slow_drip,
    stays,
    two_answers,
    two_lengths,
)


async def code_of(result: Awaitable[Any]) -> object:
    """Return the code of the exception that a request ends in."""
    try:
        await result
    except Exception as error:
        return getattr(error, "code", None)
    return None


@pytest.mark.parametrize(
    ("script", "code"),
    [
        (reset_before_answer, "ECONNRESET"),
        (close_before_answer, "ECONNRESET"),
        (half_head, "ECONNRESET"),
        (garbage, "HPE_INVALID_CONSTANT"),
        (endless_head, "HPE_HEADER_OVERFLOW"),
        (two_lengths, "HPE_UNEXPECTED_CONTENT_LENGTH"),
        (length_and_chunks, "HPE_INVALID_TRANSFER_ENCODING"),
        (interim_flood, "ERR_HTTP_TOO_MANY_INTERIM"),
    ],
)
async def test_no_answer_comes_of_it(script: Script, code: str) -> None:
    """The request fails with the code that the script's docstring says."""
    async with HostileServer(script) as server, http.Agent(keep_alive=True) as agent:
        assert await code_of(http.get(server.url(), agent=agent)) == code
        assert agent.total_socket_count == 0


@pytest.mark.parametrize("script", [half_body, half_chunk, reset_in_body])
async def test_a_truncated_body_raises(script: Script) -> None:
    """The response comes, its body raises ECONNRESET, never ends (H-106)."""
    async with HostileServer(script) as server, http.Agent(keep_alive=True) as agent:
        response = await http.get(server.url(), agent=agent)
        assert await code_of(response.body()) == "ECONNRESET"
        assert response.aborted
        assert agent.total_socket_count == 0


@pytest.mark.parametrize(
    ("script", "body"),
    [
        (two_answers, b"first"),
        (garbage_behind, b"whole"),
        (longer_than_said, b"long"),
        (slow_drip, b"drip"),
    ],
)
async def test_the_answer_is_whole_and_the_socket_gone(
    script: Script, body: bytes
) -> None:
    """What belongs to the answer is delivered, the rest never (H-073)."""
    async with HostileServer(script) as server, http.Agent(keep_alive=True) as agent:
        response = await http.get(server.url(), agent=agent)
        assert await response.body() == body
        for _ in range(5):
            await checkpoint()
        assert agent.total_socket_count == 0


async def test_an_answer_nobody_asked_for_answers_nobody() -> None:
    """Data on an idle socket destroy it (H-098, CVE-2026-48931)."""
    async with HostileServer(answer_unasked, stays(ok(b"mine"))) as server:
        async with http.Agent(keep_alive=True) as agent:
            response = await http.get(server.url(), agent=agent)
            assert await response.body() == b"asked"
            while agent.total_socket_count:
                await checkpoint()
            response = await http.get(server.url(), agent=agent)
            assert await response.body() == b"mine"
        assert server.connections == 2


async def test_bytes_before_a_request_is_sent_answer_nothing() -> None:
    """A pooled socket that speaks before our head goes out is not used (H-098)."""
    sent = anyio.Event()

    async def early(peer: Peer) -> None:
        await peer.read_head()
        await peer.send(ok(b"first"))
        await sent.wait()
        await peer.send(ok(b"poison"))
        await peer.read_all()

    async with HostileServer(early, stays(ok(b"second"))) as server:
        async with http.Agent(keep_alive=True) as agent:
            assert await (await http.get(server.url(), agent=agent)).body() == b"first"
            request = http.request(server.url(), agent=agent)
            while request.socket is None:
                await checkpoint()
            first_socket = request.socket
            assert request.reused_socket
            sent.set()
            while not first_socket.destroyed:
                await checkpoint()
            assert await (await request.end()).body() == b"second"
            assert not request.reused_socket
        assert server.connections == 2


async def fetch(url: str, **options: Any) -> bytes:
    return await (await http.get(url, **options)).body()


@pytest.mark.parametrize(
    "script", [silence, shorter_than_said, dripping_head, dripping_body]
)
async def test_what_never_ends_is_ended_by_a_limit(script: Script) -> None:
    """total_timeout: ETIMEDOUT, and the socket is gone (X-054)."""
    async with HostileServer(script) as server, http.Agent() as agent:
        result = fetch(server.url(), agent=agent, total_timeout=0.1)
        assert await code_of(result) == "ETIMEDOUT"
        assert agent.total_socket_count == 0


SCRIPTS = [
    each
    for name in testing.__all__
    if iscoroutinefunction(each := getattr(testing, name))
]


@pytest.mark.parametrize("engine", ["llhttp", "h11"])
@pytest.mark.parametrize("script", SCRIPTS)
async def test_no_case_hangs(script: Script, engine: Any) -> None:
    """With a total limit each ends in time, and the next request is served (X-054)."""
    async with (
        HostileServer(script, stays(ok(b"next"))) as server,
        http.Agent(max_sockets=1, engine=engine) as agent,
    ):
        with anyio.fail_after(5):
            await code_of(fetch(server.url(), agent=agent, total_timeout=0.3))
            assert await fetch(server.url(), agent=agent) == b"next"
        assert agent.requests == {}
        assert agent.sockets == {}


async def test_a_reset_in_the_middle_of_a_body_is_aborted() -> None:
    """ECONNRESET from the system ends the body as aborted; its cause is kept."""

    async def script(peer: Peer) -> None:
        await peer.read_head()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        await peer.read_exactly(1)
        peer.reset()

    async with HostileServer(script) as server, http.Agent() as agent:
        request = http.request(server.url(), method="POST", agent=agent)
        request.flush_headers()
        response = await request
        request.write(b"x")
        with pytest.raises(ConnectionResetError, match="aborted") as caught:
            await response.body()
        assert isinstance(caught.value.__cause__, OSError)


async def test_chunks_of_one_byte_take_linear_time() -> None:
    """300,000 one-byte chunks are delivered like any body (CVE-2025-69229)."""
    count = 300_000

    async def script(peer: Peer) -> None:
        await peer.read_head()
        await peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(30):
            await peer.send(b"1\r\nx\r\n" * (count // 30))
        await peer.send(b"0\r\n\r\n")
        await peer.read_all()

    async with HostileServer(script) as server, http.Agent() as agent:
        response = await http.get(server.url(), agent=agent)
        assert len(await response.body()) == count


@pytest.mark.parametrize("size", [1000, 1_000_000])
async def test_a_body_is_limited(size: int) -> None:
    """body() raises beyond its limit; the next request is not harmed (DESIGN 3)."""
    async with (
        HostileServer(stays(*[ok(b"x" * size)] * 2)) as server,
        http.Agent(keep_alive=True) as agent,
    ):
        response = await http.get(server.url(), agent=agent)
        assert await code_of(response.body(limit=size - 1)) == "ERR_HTTP_BODY_TOO_LARGE"
        response = await http.get(server.url(), agent=agent)
        assert len(await response.body(limit=size)) == size
