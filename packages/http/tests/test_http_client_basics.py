"""What each event, method and attribute of a request promises by itself."""

import anyio
import pytest

from headrace import http
from headrace.events import once
from headrace.events.loop import checkpoint
from headrace.http.testing import (
    HostileServer,
    Peer,
    close_before_answer,
    half_body,
    ok,
    silence,
    stays,
)
from headrace.net import Socket


async def test_the_socket_comes_once_and_later() -> None:
    """Still connecting, or used before; never inside the constructor (H-074)."""
    found: list[tuple[bool, bool]] = []
    async with (
        HostileServer(stays(ok(), ok())) as server,
        http.Agent(keep_alive=True) as agent,
    ):
        for _ in range(2):
            request = http.get(server.url(), agent=agent)
            assert request.socket is None

            def note(socket: Socket, request: http.ClientRequest = request) -> None:
                assert request.socket is socket
                found.append((socket.connecting, request.reused_socket))

            request.on("socket", note)
            await (await request).body()
    assert found == [(True, False), (False, True)]


async def test_the_socket_of_a_second_try_is_not_told() -> None:
    """A stale socket that is replaced makes no second event (H-074, X-056)."""

    async def once_only(peer: Peer) -> None:
        await peer.read_head()
        await peer.send(ok())
        await peer.read_head()

    async with HostileServer(once_only, stays(ok(b"again"))) as server:
        async with http.Agent(keep_alive=True) as agent:
            await (await http.get(server.url(), agent=agent)).body()
            request = http.get(server.url(), agent=agent)
            sockets: list[Socket] = []
            request.on("socket", sockets.append)
            assert await (await request).body() == b"again"
            assert len(sockets) == 1
        assert server.connections == 2


async def test_abort_is_told_once_with_the_next_tick() -> None:
    """At the first abort(), which returns before (H-078)."""
    async with HostileServer(silence) as server:
        request = http.get(server.url(), agent=http.Agent())
        await once(request, "finish")
        aborts: list[bool] = []
        request.on("abort", lambda: aborts.append(request.aborted))
        request.on("error", lambda error: None)
        request.abort()
        request.abort()
        assert aborts == []
        while not request.closed:
            await checkpoint()
        request.abort()
        await checkpoint()
    assert aborts == [True]


@pytest.mark.parametrize(
    ("method", "line"),
    [("GET", b""), ("POST", b"Transfer-Encoding: chunked\r\n")],
)
async def test_the_head_goes_out_by_itself(method: str, line: bytes) -> None:
    """flush_headers sends it once; a GET has no body then (H-080)."""
    got_head = anyio.Event()

    async def answer(peer: Peer) -> None:
        await peer.read_head()
        got_head.set()
        if line:
            assert await peer.read_exactly(5) == b"0\r\n\r\n"
        await peer.send(ok())
        assert await peer.read_all() == b""

    async with HostileServer(answer) as server, http.Agent() as agent:
        request = http.request(server.url(), method=method, agent=agent)
        assert not request.headers_sent
        request.flush_headers()
        request.flush_headers()
        assert request.headers_sent
        await got_head.wait()
        assert not request.writable_ended
        assert await (await request.end()).body() == b"ok"
        (head,) = server.heads
    host = f"Host: 127.0.0.1:{server.port}\r\n".encode()
    assert head == (
        f"{method} / HTTP/1.1\r\n".encode()
        + host
        + b"Connection: close\r\n"
        + line
        + b"\r\n"
    )


async def test_end_completes_the_request() -> None:
    """It returns the request, takes data, an encoding and a callback (H-082, N-148)."""
    bodies: list[bytes] = []

    async def answer(peer: Peer) -> None:
        for size in (4, 20):
            await peer.read_head()
            bodies.append(await peer.read_exactly(size))
            await peer.send(ok())

    called: list[object] = []
    async with HostileServer(answer) as server, http.Agent(keep_alive=True) as agent:
        request = http.request(server.url(), method="POST", agent=agent)
        assert request.end("\u00fc=\u00fc!", "latin-1", called.append) is request
        await (await request).body()
        request = http.request(server.url(), method="POST", agent=agent)
        request.set_header("Trailer", "T")
        request.write("")
        request.add_trailers({"T": "v"})
        assert request.end(b"body") is request
        await (await request).body()
    assert called == [None]
    assert bodies == [b"\xfc=\xfc!", b"4\r\nbody\r\n0\r\nT: v\r\n\r\n"]


async def test_complete_and_aborted_tell_a_truncated_response() -> None:
    """complete when all of it is here, aborted when it never will be (X-066)."""
    looked = anyio.Event()

    async def half(peer: Peer) -> None:
        await half_body(peer)
        await looked.wait()

    async with HostileServer(half, stays(ok())) as server, http.Agent() as agent:
        response = await http.get(server.url(), agent=agent)
        assert (response.complete, response.aborted) == (False, False)
        looked.set()
        with pytest.raises(ConnectionResetError):
            await response.body()
        assert (response.complete, response.aborted) == (False, True)
        response = await http.get(server.url(), agent=agent)
        await response.body()
        assert (response.complete, response.aborted) == (True, False)


async def test_all_sockets_are_counted() -> None:
    """Connecting, in use and free ones of all names (X-069)."""
    async with HostileServer(stays(ok(), ok())) as server:
        async with http.Agent(keep_alive=True) as agent:
            assert agent.total_socket_count == 0
            first = http.get(server.url(), agent=agent)
            assert agent.total_socket_count == 1
            async with http.get(server.url(), agent=agent, family=4) as second:
                assert agent.total_socket_count == 2
                await (await first).body()
                assert list(map(len, agent.free_sockets.values())) == [1]
                assert list(map(len, agent.sockets.values())) == [1]
                assert agent.total_socket_count == 2
                await (await second).body()
        assert agent.total_socket_count == 0


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"


@pytest.mark.parametrize(
    ("answer", "reset"),
    [
        (ok(), True),
        (ok(), False),
        (ok(b"ok", "Connection: close"), True),
        (ok(b"ok", "Connection: close"), False),
        (CHUNKED, True),
        (CHUNKED, False),
        (b"HTTP/1.1 200 OK\r\n\r\nok", False),
        (b"HTTP/1.0 200 OK\r\n\r\nok", False),
    ],
)
async def test_a_whole_answer_is_never_aborted(answer: bytes, reset: bool) -> None:
    """However the connection ends behind it, and however late it is read (N-155)."""
    arrived, gone = anyio.Event(), anyio.Event()

    async def script(peer: Peer) -> None:
        await peer.read_head()
        await peer.send(answer)
        if reset:
            await arrived.wait()
            peer.reset()
        gone.set()

    async with HostileServer(script) as server, http.Agent(keep_alive=True) as agent:
        request = http.get(server.url(), agent=agent)
        events: list[str] = []

        def watch(response: http.IncomingMessage) -> None:
            response.custom.on("aborted", lambda: events.append("aborted"))
            response.on("error", lambda error: events.append("error"))
            response.on("end", lambda: events.append("end"))

        request.on("response", watch)
        response = await request
        while reset and not response.complete:
            await checkpoint()
        arrived.set()
        await gone.wait()
        for _ in range(5):
            await checkpoint()
        assert await response.body() == b"ok"
        await checkpoint()
        assert (response.complete, response.aborted) == (True, False)
    assert events == ["end"]


async def test_an_answer_that_never_came_was_not_aborted() -> None:
    """The request fails; there is no response that could be (H-071)."""
    async with HostileServer(close_before_answer) as server, http.Agent() as agent:
        request = http.get(server.url(), agent=agent)
        with pytest.raises(ConnectionResetError, match="socket hang up"):
            await request
        assert request.response is None
