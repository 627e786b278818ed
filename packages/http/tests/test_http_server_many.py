"""Many pipelined requests at once, and handlers that fail among them."""

import logging
from random import Random
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from headrace import http
from headrace.events.loop import call_later, next_tick
from headrace.http.testing import RawClient, RawResponse, served

Request = http.IncomingMessage
Response = http.ServerResponse


def gets(count: int) -> bytes:
    """Return the bytes of so many requests for /0, /1, …"""
    return b"".join(b"GET /%d HTTP/1.1\r\nHost: x\r\n\r\n" % n for n in range(count))


@pytest.mark.parametrize("engine", ["h11", "llhttp"])
@pytest.mark.parametrize("seed", range(3))
async def test_random_ends_of_many_requests(seed: int, engine: Any) -> None:
    """Answered in the order of the requests, each once, nothing left (N-136, H-127)."""
    count = 150
    random = Random(seed)
    closed: list[str] = []

    def listener(request: Request, response: Response) -> None:
        url = request.url
        response.on("close", lambda: closed.append(url))
        choice = random.randrange(5)
        if choice == 0:
            response.end(url)
        elif choice == 1:
            next_tick(response.end, url)
        elif choice == 2:
            call_later(random.random() / 100, response.end, url)
        elif choice == 3:
            response.write(url)
            call_later(random.random() / 100, response.end)
        else:

            def begin() -> None:
                response.write(url)
                call_later(0.0, response.end)

            call_later(0.0, begin)

    async with served(listener, engine=engine) as (server, client):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.send, gets(count))
            bodies = [(await client.response()).body for _ in range(count)]
        assert bodies == [b"/%d" % n for n in range(count)]
        await client.ask("GET /last HTTP/1.1")
        assert len(server._http_connections) == 1
        (connection,) = server._http_connections
        assert not connection._exchanges
        assert connection._waiting == 0
        assert connection._hold == 0
    assert closed == [*(f"/{n}" for n in range(count)), "/last"]


async def test_many_connections_with_pipelines() -> None:
    """Connections do not mix up their answers (N-136, N-089)."""

    async def listener(request: Request, response: Response) -> None:
        for _ in range(len(request.url) % 3):
            await anyio.lowlevel.checkpoint()
        response.end(f"{request.headers['x-client']} {request.url}")

    answers: dict[int, list[bytes]] = {}

    async def ask(port: int, number: int) -> None:
        async with RawClient(port) as client:
            await client.send(
                gets(20).replace(b"\r\n\r\n", b"\r\nX-Client: %d\r\n\r\n" % number)
            )
            answers[number] = [(await client.response()).body for _ in range(20)]

    async with served(listener) as (server, _), anyio.create_task_group() as tasks:
        for number in range(20):
            tasks.start_soon(ask, server.address().port, number)
    assert answers == {
        number: [b"%d /%d" % (number, n) for n in range(20)] for number in range(20)
    }


async def plain_answer(client: RawClient) -> RawResponse:
    """Ask for an answer that does not fail."""
    return await client.ask("GET /fine HTTP/1.1")


@pytest.mark.parametrize("event", ["request", "check_continue", "check_expectation"])
async def test_a_failing_async_handler_is_a_bare_500(
    event: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Queued headers are dropped, but not the connection (N-138, X-027)."""

    async def failing(request: Request, response: Response) -> None:
        if request.url == "/fine":
            response.end("fine")
            return
        response.status_code = 404
        response.status_message = "Mine"
        response.set_header("Content-Type", "application/json")
        response.set_header("X-Queued", "1")
        response.set_header("Content-Length", "1000")
        await anyio.lowlevel.checkpoint()
        raise RuntimeError("kaboom")

    expects = {
        "request": "",
        "check_continue": "\nExpect: 100-continue",
        "check_expectation": "\nExpect: else",
    }
    server = http.create_server()
    server.custom.on(event, failing)
    if event != "request":
        server.on("request", failing)
    with caplog.at_level(logging.ERROR):
        async with server.listen(0, "127.0.0.1"), RawClient(server) as client:
            answer = await client.ask(f"GET /bug HTTP/1.1{expects[event]}")
            if answer.header("connection") == "keep-alive":
                assert (await plain_answer(client)).body == b"fine"
            async with RawClient(server) as other:
                assert (await plain_answer(other)).body == b"fine"
    first_line = answer.head.split("\r\n")[0]
    assert first_line == "HTTP/1.1 500 Internal Server Error"
    assert answer.body == b"Internal Server Error"
    assert answer.header("x-queued") is None
    assert answer.header("content-type") == "text/plain"
    assert "kaboom" in caplog.text


async def test_a_failing_handler_behind_its_head_cuts_the_connection(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What is out cannot become a 500: the answer is not completed (N-138, H-010)."""

    async def failing(request: Request, response: Response) -> None:
        if request.url == "/fine":
            response.end("fine")
            return
        response.write("begun")
        await anyio.lowlevel.checkpoint()
        raise RuntimeError("kaboom")

    with caplog.at_level(logging.ERROR):
        async with served(failing) as (server, client):
            await client.send(b"GET /bug HTTP/1.1\r\nHost: x\r\n\r\n")
            received = await client.read_all()
            async with RawClient(server) as other:
                assert (await plain_answer(other)).body == b"fine"
    assert received.endswith(b"\r\n\r\n5\r\nbegun\r\n")
    assert "kaboom" in caplog.text


async def test_write_head_alone_is_no_head_that_is_out(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A head that is fixed but not sent gives way to the 500 (H-010, N-138)."""

    async def failing(request: Request, response: Response) -> None:
        response.write_head(200, {"X-Fixed": "1"})
        raise RuntimeError("kaboom")

    async with served(failing) as (_, client):
        answer = await client.ask("GET / HTTP/1.1")
    assert (answer.status, answer.header("x-fixed")) == (500, None)


# Serialising -------------------------------------------------------------------------


async def test_framing_is_decided_by_us() -> None:
    """No chunks for HEAD or HTTP/1.0, one framing field, names as given, no Host
    (H-184).
    """

    def listener(request: Request, response: Response) -> None:
        response.set_header("x-LOWER-Upper", "1")
        if request.url == "/both":
            response.set_header("Content-Length", 4)
            response.set_header("Transfer-Encoding", "chunked")
        if request.url == "/length":
            response.set_header("content-LENGTH", 4)
        response.write("body")
        response.end()

    heads = {}
    async with served(listener) as (server, _):
        for line in (
            "HEAD / HTTP/1.1",
            "GET /both HTTP/1.1",
            "GET /length HTTP/1.1",
            "GET / HTTP/1.0",
        ):
            async with RawClient(server) as client:
                answer = await client.ask(line)
                heads[line] = answer.head.split("\r\n")
                assert answer.body == (b"" if "HEAD" in line else b"body")
    for head in heads.values():
        assert head[0] == "HTTP/1.1 200 OK"
        assert head[1] == "x-LOWER-Upper: 1"
        assert not [line for line in head if line.lower().startswith("host:")]
    framing = ("transfer-encoding", "content-length", "connection: close")
    found = [
        [line for line in head if line.lower().startswith(framing)]
        for head in heads.values()
    ]
    assert found == [
        [],
        ["Transfer-Encoding: chunked"],
        ["content-LENGTH: 4"],
        ["Connection: close"],
    ]
