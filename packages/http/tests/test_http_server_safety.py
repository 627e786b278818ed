"""A server among bugs and hostile peers: what it refuses and what it survives."""

import logging
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from headrace import http, net
from headrace.events import once
from headrace.http.testing import RawClient, served

Request = http.IncomingMessage
Response = http.ServerResponse


@pytest.mark.parametrize("style", ["plain", "async"])
async def test_a_failing_listener_is_answered_500(
    style: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Queued headers are dropped, the server lives, it is logged (H-010, X-027)."""

    def plain(request: Request, response: Response) -> None:
        response.set_header("X-Queued", "1")
        if request.url == "/bug":
            raise KeyError("bug")
        response.end("fine")

    async def later(request: Request, response: Response) -> None:
        await anyio.lowlevel.checkpoint()
        plain(request, response)

    listener: Any = plain if style == "plain" else later
    server = http.create_server(listener).listen(0, "127.0.0.1")
    with caplog.at_level(logging.ERROR, "headrace.http"):
        async with server, RawClient(server) as client:
            failed = await client.ask("GET /bug HTTP/1.1")
            fine = await client.ask("GET / HTTP/1.1")
    assert (failed.status, failed.header("x-queued")) == (500, None)
    assert (fine.status, fine.body) == (200, b"fine")
    assert "KeyError" in caplog.text


async def test_a_failure_after_the_head_cuts_the_connection(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """When a head has gone out, the truncated answer is not completed (H-010)."""

    async def listener(request: Request, response: Response) -> None:
        response.write("begun")
        await once(response, "drain") if response.writable_need_drain else None
        await anyio.sleep(0.01)
        raise ValueError("too late for a 500")

    server = http.create_server(listener).listen(0, "127.0.0.1")
    with caplog.at_level(logging.ERROR, "headrace.http"):
        async with server, RawClient(server) as client:
            await client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            answer = await client.read_all()
    assert answer.endswith(b"5\r\nbegun\r\n")


async def test_a_body_over_the_limit_is_answered_413(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """body(limit) over its limit out of a listener is a 413 (DESIGN 3)."""

    async def listener(request: Request, response: Response) -> None:
        response.end(await request.body(limit=10))

    server = http.create_server(listener).listen(0, "127.0.0.1")
    async with server, RawClient(server) as client:
        answer = await client.ask("POST / HTTP/1.1\nContent-Length: 11", b"x" * 11)
    assert answer.status == 413


async def test_a_body_over_the_limit_is_not_given_in_part() -> None:
    """Whoever goes on behind the error gets no rest for a whole (H-105)."""
    seen: list[object] = []

    async def listener(request: Request, response: Response) -> None:
        for limit in (4, None, 100):
            try:
                seen.append(await request.body(limit=limit))
            except http.BodyTooLargeError as error:
                seen.append(error.limit)
        response.end("kept")

    async with served(listener) as (_, client):
        answer = await client.ask("POST / HTTP/1.1\nContent-Length: 6", b"6 long")
        assert answer.body == b"kept"
    assert seen == [4, 4, 4]


async def test_client_error_listener_answers_for_itself() -> None:
    """With a listener nothing is sent by the server; it closes the socket (H-027)."""
    seen = []
    server = http.create_server()

    def on_error(error: Exception, socket: net.Socket) -> None:
        seen.append((error.code, error.raw_packet, error.bytes_parsed))  # type: ignore[attr-defined]
        socket.end("HTTP/1.1 418 Teapot\r\n\r\n")

    server.on("client_error", on_error)
    async with server.listen(0, "127.0.0.1"), RawClient(server) as client:
        await client.send(b"Oops\r\n\r\n")
        assert await client.read_all() == b"HTTP/1.1 418 Teapot\r\n\r\n"
    assert [code for code, _, _ in seen] == ["HPE_INVALID_METHOD"]


async def test_an_owed_answer_goes_out_before_the_400() -> None:
    """The 400 follows the answers to earlier pipelined requests (H-027)."""
    release = anyio.Event()

    async def listener(request: Request, response: Response) -> None:
        await release.wait()
        response.end("first")

    server = http.create_server(listener).listen(0, "127.0.0.1")
    async with server, RawClient(server) as client:
        await client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGARBAGE\r\n\r\n")
        await anyio.lowlevel.checkpoint()
        release.set()
        assert (await client.response()).body == b"first"
        assert (await client.response()).status == 400
        assert await client.read_all() == b""


async def test_the_tail_of_a_refused_message_is_no_request() -> None:
    """Nothing behind a refused message is read as another request (issue 4)."""
    urls = []

    def listener(request: Request, response: Response) -> None:
        urls.append(request.url)
        response.end()

    server = http.create_server(listener).listen(0, "127.0.0.1")
    async with server, RawClient(server) as client:
        await client.send(
            b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
            b"GET /b HTTP/1.1\r\nHost: x\r\n\r\n"
        )
        assert (await client.read_all()).startswith(b"HTTP/1.1 400 ")
    assert urls == []


@pytest.mark.parametrize("behind", [b"GET /b HTTP/1.1\r\nHost: x\r\n\r\n", b"no\r\n"])
@pytest.mark.parametrize("says", ["client", "server"])
async def test_nothing_is_said_behind_the_last_answer(says: str, behind: bytes) -> None:
    """Who has read ``close`` reads no further: also no 400 (RFC 9112 section 9.6)."""
    urls = []

    async def listener(request: Request, response: Response) -> None:
        urls.append(request.url)
        if says == "server":
            response.set_header("Connection", "close")
        response.write("last")
        await anyio.lowlevel.checkpoint()
        response.end()

    close = b"Connection: close\r\n" if says == "client" else b""
    server = http.create_server(listener).listen(0, "127.0.0.1")
    async with server, RawClient(server) as client:
        await client.send(b"GET /a HTTP/1.1\r\nHost: x\r\n" + close + b"\r\n" + behind)
        answer = await client.response()
        assert await client.read_all() == b""
    assert (answer.header("connection"), answer.body) == ("close", b"last")
    assert "/b" not in urls or says == "server"  # it may have come before the decision


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    ],
)
async def test_missing_or_repeated_host_is_400(head: bytes) -> None:
    """No request and no client_error, only a 400 (H-126, N-121)."""
    events: list[str] = []
    server = http.create_server(lambda request, response: events.append("request"))
    server.on("client_error", lambda error, socket: events.append("client_error"))
    async with server.listen(0, "127.0.0.1"), RawClient(server) as client:
        await client.send(head)
        answer = await client.read_all()
    assert answer == b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"
    assert events == []


async def test_a_head_over_the_limit_is_431() -> None:
    """Request line and fields count towards max_header_size (X-006, N-126)."""
    server = http.create_server(max_header_size=1000).listen(0, "127.0.0.1")
    async with server, RawClient(server) as client:
        await client.send(b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 1000)
        assert (await client.read_all()).startswith(
            b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
        )


async def test_a_slow_head_is_answered_408() -> None:
    """A head that does not arrive in time ends in a 408 (X-001, N-134)."""
    server = http.create_server(headers_timeout=0.3, request_timeout=5.0)
    async with server.listen(0, "127.0.0.1"), RawClient(server) as client:
        await client.send(b"GET / HTTP/1.1\r\nHo")
        assert (await client.read_all()).startswith(b"HTTP/1.1 408 Request Timeout\r\n")


async def test_a_slow_body_is_answered_408() -> None:
    """A body that does not arrive in time ends in a 408 (X-002, N-134)."""

    async def listener(request: Request, response: Response) -> None:
        await request.body()

    server = http.create_server(listener, headers_timeout=0.3, request_timeout=0.5)
    async with server.listen(0, "127.0.0.1"), RawClient(server) as client:
        await client.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc")
        assert (await client.read_all()).startswith(b"HTTP/1.1 408 Request Timeout\r\n")


async def test_idle_connections_end_after_keep_alive_timeout() -> None:
    """A connection at rest is closed without a word (X-004, N-132)."""
    server = http.create_server(
        lambda request, response: response.end("x"),
        keep_alive_timeout=0.2,
        keep_alive_timeout_buffer=0.0,
    ).listen(0, "127.0.0.1")
    async with server, RawClient(server) as client:
        await client.ask("GET / HTTP/1.1")
        assert await client.read_all() == b""


async def test_the_last_request_of_a_socket_says_close() -> None:
    """max_requests_per_socket closes after the last one (X-007, N-133)."""
    server = http.create_server(
        lambda request, response: response.end("x"), max_requests_per_socket=2
    ).listen(0, "127.0.0.1")
    async with server, RawClient(server) as client:
        first = await client.ask("GET / HTTP/1.1")
        second = await client.ask("GET / HTTP/1.1")
        assert await client.read_all() == b""
    assert first.header("keep-alive") == "timeout=65, max=2"
    assert second.header("connection") == "close"


async def test_a_limit_that_is_set_later_holds_for_open_connections() -> None:
    """The last allowed answer says close, also under a new limit (X-007)."""
    server = http.create_server(lambda request, response: response.end("x"))
    async with server.listen(0, "127.0.0.1"), RawClient(server) as client:
        first = await client.ask("GET / HTTP/1.1")
        server.max_requests_per_socket = 2
        second = await client.ask("GET / HTTP/1.1")
        assert await client.read_all() == b""
    assert first.header("connection") == "keep-alive"
    assert second.header("connection") == "close"


async def test_a_half_closed_client_gets_its_answer() -> None:
    """FIN behind the request does not cut the answer (H-129, pitfall 25)."""
    release = anyio.Event()

    async def listener(request: Request, response: Response) -> None:
        await release.wait()
        response.end("still here")

    server = http.create_server(listener).listen(0, "127.0.0.1")
    async with server, RawClient(server) as client:
        await client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await client.end()
        release.set()
        assert (await client.response()).body == b"still here"
        assert await client.read_all() == b""


async def test_a_lost_client_ends_request_and_response() -> None:
    """aborted, then close on both; no finish; writes say so (H-128, N-116)."""
    events: list[str] = []
    started = anyio.Event()
    gone = anyio.Event()

    def listener(request: Request, response: Response) -> None:
        request.on("aborted", lambda: events.append("request aborted"))
        request.on("close", lambda: events.append("request close"))
        response.on("finish", lambda: events.append("finish"))
        response.on("close", lambda: events.append("response close"))
        response.on("close", gone.set)
        request.resume()
        started.set()

    server = http.create_server(listener).listen(0, "127.0.0.1")
    async with server:
        async with RawClient(server) as client:
            await client.send(
                b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n"
            )
            await started.wait()
        await gone.wait()
        await anyio.sleep(0.01)
    assert sorted(events) == ["request aborted", "request close", "response close"]
    assert events[0] == "request aborted"


async def test_close_ends_idle_connections_and_lets_the_others_finish() -> None:
    """close() reaps idle connections; a busy one is answered with close (H-034)."""
    busy = anyio.Event()
    release = anyio.Event()

    async def listener(request: Request, response: Response) -> None:
        if request.url == "/slow":
            busy.set()
            await release.wait()
        response.end("done")

    server = http.create_server(listener).listen(0, "127.0.0.1")
    await once(server, "listening")
    async with RawClient(server) as idle, RawClient(server) as working:
        await idle.ask("GET / HTTP/1.1")
        await working.send(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        await busy.wait()
        server.close()
        assert await idle.read_all() == b""
        release.set()
        answer = await working.response()
        assert answer.header("connection") == "close"
        assert await working.read_all() == b""


async def test_a_refused_expectation_leaves_no_body_behind() -> None:
    """Whether the body follows a 417 cannot be known, so it closes (H-024, X-012)."""
    urls = []

    def listener(request: Request, response: Response) -> None:
        urls.append(request.url)
        response.end()

    server = http.create_server(listener).listen(0, "127.0.0.1")
    async with server, RawClient(server) as client:
        await client.send(
            b"POST /a HTTP/1.1\r\nHost: x\r\nExpect: miracles\r\n"
            b"Content-Length: 40\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\n"
        )
        answer = await client.response()
        assert await client.read_all() == b""
    assert (answer.status, answer.header("connection")) == (417, "close")
    assert urls == []
