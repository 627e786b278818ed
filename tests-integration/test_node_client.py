"""Node's http client against our server, on both runtimes and with both engines."""

from collections.abc import Callable
from typing import Any

import pytest
from peers import ask_node, needs_node

from headrace import http, net
from headrace.events.loop import Waiter
from headrace.net.testing import port_of, record
from headrace.streams import pipeline

pytestmark = needs_node

SWITCH = (
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"
)


@pytest.fixture(params=["llhttp", "h11"])
def engine(request: pytest.FixtureRequest) -> str:
    """The engine of our server's parser."""
    return str(request.param)


def serving(engine: str, listener: Callable[..., object]) -> http.Server:
    """Return a server that begins to listen."""
    return http.create_server({"engine": engine}, listener).listen(0, "127.0.0.1")


def name_itself(request: http.IncomingMessage, response: http.ServerResponse) -> None:
    response.end(f"{request.method} {request.url}")


async def echo(request: http.IncomingMessage, response: http.ServerResponse) -> None:
    await pipeline(request, response)


async def test_node_keeps_one_connection(engine: str) -> None:
    """Requests one after the other use one connection (H-124, N-165)."""
    async with serving(engine, name_itself) as server:
        connections = record(server, "connection")
        found = await ask_node("sequence", port_of(server), "GET /a,POST /b,GET /c")
    assert found["seen"] == [[200, "GET /a"], [200, "POST /b"], [200, "GET /c"]]
    assert found["reused"] == [False, True, True]
    assert len(connections) == 1


async def test_node_sees_no_body_where_none_is_allowed(engine: str) -> None:
    """HEAD, 204 and 304 have no body, and the connection stays in step (H-120)."""

    def answer(request: http.IncomingMessage, response: http.ServerResponse) -> None:
        response.status_code = int(request.url[1:])
        # Without this Node, on its side, takes the close for the end of a HEAD.
        response.set_header("Content-Length", 4)
        response.end("body")

    asked = "HEAD /200,GET /204,GET /304,GET /200"
    async with serving(engine, answer) as server:
        found = await ask_node("sequence", port_of(server), asked)
    assert found["seen"] == [[200, ""], [204, ""], [304, ""], [200, "body"]]
    assert found["reused"] == [False, True, True, True]


async def test_node_sends_and_reads_chunked_bodies(engine: str) -> None:
    """A body without a length is chunked both ways (H-120, H-123)."""
    codings = []

    async def answer(
        request: http.IncomingMessage, response: http.ServerResponse
    ) -> None:
        codings.append(request.headers["transfer-encoding"])
        await pipeline(request, response)

    async with serving(engine, answer) as server:
        found = await ask_node("chunked", port_of(server))
    assert codings == ["chunked"]
    assert found == {"coding": "chunked", "text": "one,two,three"}


async def test_trailers_go_both_ways(engine: str) -> None:
    """Node's trailers arrive here, ours arrive there (H-055, H-110)."""

    async def answer(
        request: http.IncomingMessage, response: http.ServerResponse
    ) -> None:
        response.set_header("Trailer", "X-Sum")
        response.write(await request.body())
        response.add_trailers({"X-Sum": request.trailers["x-sent"]})
        response.end()

    async with serving(engine, answer) as server:
        found = await ask_node("trailers", port_of(server))
    assert found == {
        "text": "body",
        "trailers": {"x-sum": "by node"},
        "raw": ["X-Sum", "by node"],
    }


async def test_node_waits_for_100_continue(engine: str) -> None:
    """The 100 comes by itself, and the body after it (H-024)."""
    async with serving(engine, echo) as server:
        found = await ask_node("information", port_of(server))
    assert found["events"] == ["continue", [100, {}], 200]
    assert found["text"] == "body"


async def test_node_sees_informational_answers(engine: str) -> None:
    """102, 103 and 100 come in the order they are sent (X-031, X-032, N-118)."""

    async def answer(
        request: http.IncomingMessage, response: http.ServerResponse
    ) -> None:
        response.write_processing()
        response.write_early_hints({"link": "</style.css>; rel=preload"})
        response.write_continue()
        response.end(await request.body())

    async with serving(engine, name_itself) as server:
        server.on("check_continue", answer)
        found = await ask_node("information", port_of(server))
    assert found["events"] == [
        [102, {}],
        [103, {"link": "</style.css>; rel=preload"}],
        "continue",
        [100, {}],
        200,
    ]


async def test_node_is_refused_a_body(engine: str) -> None:
    """A final status without a 100 closes the connection (H-024)."""

    def refuse(request: http.IncomingMessage, response: http.ServerResponse) -> None:
        response.status_code = 417
        response.end()

    async with serving(engine, name_itself) as server:
        server.on("check_continue", refuse)
        found = await ask_node("refused", port_of(server))
    assert found == [417, "close"]


async def test_node_upgrades(engine: str) -> None:
    """The socket is ours after the head of an upgrade (H-026)."""

    def switch(request: http.IncomingMessage, socket: net.Socket, head: bytes) -> None:
        socket.write(SWITCH + "hello ")  # Node gets the first bytes as its `head`
        socket.unshift(head)
        socket.pipe(socket)

    async with serving(engine, name_itself) as server:
        server.on("upgrade", switch)
        found = await ask_node("upgrade", port_of(server))
    assert found == {"status": 101, "upgrade": "echo", "text": "hello ping"}


async def test_node_tunnels_through_connect(engine: str) -> None:
    """A GET goes through a tunnel that our server opens to itself (H-025)."""

    def tunnel(request: http.IncomingMessage, client: net.Socket, head: bytes) -> None:
        upstream = net.connect(int(request.url.partition(":")[2]), "127.0.0.1")
        client.write("HTTP/1.1 200 Connection Established\r\n\r\n")
        upstream.write(head)
        pipeline(client, upstream, client, lambda error: None)

    async with serving(engine, name_itself) as server:
        server.on("connect", tunnel)
        found = await ask_node("connect", port_of(server))
    assert found == {"tunnel": 200, "status": 200, "text": "GET /"}


async def test_answers_to_a_pipeline_leave_in_order(engine: str) -> None:
    """Requests sent at once are answered in their order, not in ours (H-127)."""
    waiting: list[tuple[str, http.ServerResponse]] = []

    def answer(request: http.IncomingMessage, response: http.ServerResponse) -> None:
        waiting.append((request.url, response))
        if request.url == "/c":
            for url, late in reversed(waiting):
                late.end(url)

    head = "GET {} HTTP/1.1\r\nHost: x\r\n{}\r\n"
    text = head.format("/a", "") + head.format("/b", "")
    text += head.format("/c", "Connection: close\r\n")
    async with serving(engine, answer) as server:
        found = await ask_node("raw", port_of(server), text)
    assert [part[:2] for part in found.split("\r\n\r\n")[1:]] == ["/a", "/b", "/c"]


async def test_a_half_closed_client_gets_its_answer(engine: str) -> None:
    """A FIN behind the request does not cut an answer that takes long (H-129)."""

    async def answer(
        request: http.IncomingMessage, response: http.ServerResponse
    ) -> None:
        for _ in range(64):
            response.write(bytes(1 << 16))
            await response.drain()
        response.end()

    async with serving(engine, answer) as server:
        assert await ask_node("half_close", port_of(server)) > 4 << 20


async def test_node_breaks_off(engine: str) -> None:
    """A client that goes away: `close` without `finish` on the response (H-128).

    A FIN alone may be a half-close (H-129), so it shows when more is written.
    """
    events: list[Any] = []
    closed: Waiter[None] = Waiter()

    def answer(request: http.IncomingMessage, response: http.ServerResponse) -> None:
        record(response, "finish", "close", into=events)
        response.on("close", closed.set)

        def more() -> None:
            while response.write(bytes(1 << 16)):
                pass

        response.on("drain", more)
        more()

    async with serving(engine, answer) as server:
        found = await ask_node("abort", port_of(server))
        await closed.wait()
    assert found == {"complete": False}
    assert events == ["close"]


async def test_megabytes_there_and_back(engine: str) -> None:
    """A large body comes back as it was sent, with back-pressure (N-171)."""
    async with serving(engine, echo) as server:
        found = await ask_node("echo", port_of(server), "8")
    assert found == {"size": 8 << 20, "equal": True}
