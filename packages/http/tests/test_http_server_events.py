"""The events of a server's request and response: which, when, in which order."""

import anyio
import anyio.lowlevel
import pytest

from headrace import http, net
from headrace.events import once
from headrace.http.testing import RawClient, served
from headrace.net.testing import record

Request = http.IncomingMessage
Response = http.ServerResponse

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
HALF_POST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc"


def watch(request: Request, response: Response, seen: list[object]) -> None:
    """Note the events of both in one list, each with the name of its emitter."""
    for name in ("aborted", "end", "error", "close"):
        request.custom.on(name, lambda *_, n=name: seen.append(f"request {n}"))
    for name in ("finish", "error", "close"):
        response.custom.on(name, lambda *_, n=name: seen.append(f"response {n}"))


async def test_a_good_exchange_ends_finish_response_close_request_close() -> None:
    """finish, close of the response, close of the request; each once (N-115, H-041)."""
    seen: list[object] = []

    def listener(request: Request, response: Response) -> None:
        watch(request, response, seen)
        response.end("ok")

    async with served(listener) as (_, client):
        await client.ask("GET / HTTP/1.1")
        await client.ask("GET / HTTP/1.1")
    assert seen == 2 * [
        "response finish",
        "response close",
        "request end",
        "request close",
    ]


async def test_a_request_that_its_listener_destroys_has_no_error() -> None:
    """Nobody is told as an error what he has done himself (H-117, H-164)."""
    seen: list[object] = []

    def listener(request: Request, response: Response) -> None:
        watch(request, response, seen)
        request.destroy()

    async with served(listener) as (_, client):
        await client.send(HALF_POST)
        assert await client.read_all() == b""
    assert seen == ["request aborted", "response close", "request close"]


async def test_end_comes_before_the_close_of_the_request() -> None:
    """A complete message ends, then closes, and was not aborted (H-105, H-106)."""
    seen: list[object] = []

    async def listener(request: Request, response: Response) -> None:
        record(request, "aborted", "end", "close", into=seen)
        request.resume()
        await once(request, "close")
        response.end(f"{request.complete} {request.aborted}")

    async with served(listener) as (_, client):
        answer = await client.ask("POST / HTTP/1.1\nContent-Length: 3", b"abc")
    assert seen == ["end", "close"]
    assert answer.body == b"True False"


@pytest.mark.parametrize("how", ["fin", "rst"])
async def test_a_client_lost_in_the_body(how: str) -> None:
    """aborted; close of the response; error, close of the request; no end (H-128)."""
    seen: list[object] = []
    begun, closed = anyio.Event(), anyio.Event()

    def listener(request: Request, response: Response) -> None:
        watch(request, response, seen)
        request.on("data", lambda chunk: begun.set())
        request.on("close", closed.set)

    async with served(listener) as (server, client):
        server.on("client_error", lambda error, socket: socket.destroy())
        await client.send(HALF_POST)
        await begun.wait()
        await (client.reset() if how == "rst" else client.stream.aclose())
        await closed.wait()
    assert seen == [
        "request aborted",
        "response close",
        "request error",
        "request close",
    ]


@pytest.mark.parametrize("how", ["fin", "rst"])
async def test_a_client_lost_while_it_waits_for_the_answer(how: str) -> None:
    """A complete request is not aborted; its response closes unfinished (H-128)."""
    seen: list[object] = []
    asked, closed = anyio.Event(), anyio.Event()

    def listener(request: Request, response: Response) -> None:
        watch(request, response, seen)
        request.on("close", closed.set)
        asked.set()

    async with served(listener, http_allow_half_open=False) as (_, client):
        await client.send(GET)
        await asked.wait()
        await (client.reset() if how == "rst" else client.stream.aclose())
        await closed.wait()
    assert seen == ["response close", "request end", "request close"]


async def test_a_client_lost_in_the_middle_of_its_answer() -> None:
    """close without finish; callbacks get errors, later writes are quiet (N-116)."""
    seen: list[object] = []
    asked, closed = anyio.Event(), anyio.Event()
    results: list[object] = []

    def listener(request: Request, response: Response) -> None:
        watch(request, response, seen)
        response.write(b"x" * 10_000_000, results.append)
        response.on("close", closed.set)
        asked.set()

    response_of: list[Response] = []
    async with served(listener) as (server, client):
        server.on("request", lambda request, response: response_of.append(response))
        await client.send(GET)
        await asked.wait()
        await client.reset()
        await closed.wait()
        (response,) = response_of
        assert response.write("more", results.append) is False
        response.end("late")
        await anyio.lowlevel.checkpoint()
    assert "response finish" not in seen
    assert "response error" not in seen
    assert isinstance(results[0], ConnectionError)
    assert getattr(results[1], "code", None) == "ERR_STREAM_DESTROYED"
    assert response.destroyed
    assert not response.writable_finished


async def test_queued_responses_close_too_when_the_client_is_lost() -> None:
    """Answers that wait behind a slow one settle with the connection (pitfall 9)."""
    seen: list[str] = []
    flushed: list[object] = []
    queued, closed = anyio.Event(), anyio.Event()

    def listener(request: Request, response: Response) -> None:
        response.on("close", lambda: seen.append(request.url))
        request.on("close", lambda: seen.append(f"request {request.url}"))
        if request.url == "/2":
            response.on("close", closed.set)
            response.write("queued", flushed.append)
            response.end("done", flushed.append)
            queued.set()

    async with served(listener) as (_, client):
        await client.send(GET.replace(b"/ ", b"/1 ") + GET.replace(b"/ ", b"/2 "))
        await queued.wait()
        await client.reset()
        await closed.wait()
    assert [item for item in seen if item[0] == "/"] == ["/1", "/2"]
    assert len(flushed) == 2
    assert all(isinstance(error, Exception) for error in flushed)


async def test_destroying_the_socket_drops_the_requests_behind() -> None:
    """No request is dispatched from a connection that is destroyed (N-137)."""
    seen: list[str] = []
    closed = anyio.Event()

    def listener(request: Request, response: Response) -> None:
        seen.append(request.url)
        response.on("close", closed.set)
        assert request.socket is not None
        request.socket.destroy()

    async with served(listener) as (_, client):
        await client.send(GET * 3)
        assert await client.read_all() == b""
        await closed.wait()
    assert seen == ["/"]


async def test_destroy_tells_nobody_before_it_returns() -> None:
    """Events that a call causes come with a later tick (H-008)."""
    seen: list[object] = []
    early: list[object] = []

    def listener(request: Request, response: Response) -> None:
        watch(request, response, seen)
        response.write("begun", lambda error: seen.append("callback"))
        response.destroy(ValueError("why"))
        early.extend(seen)
        assert response.destroyed
        assert response.write("more") is False

    async with served(listener) as (_, client):
        await client.send(HALF_POST)
        await client.read_all()
    assert early == []
    assert seen == [
        "response error",
        "callback",
        "request aborted",
        "response close",
        "request error",
        "request close",
    ]


async def test_the_request_can_destroy_the_connection() -> None:
    """destroy() of an incomplete request closes the socket (H-117)."""
    seen: list[object] = []

    def listener(request: Request, response: Response) -> None:
        watch(request, response, seen)
        assert request.destroy(ValueError("why")) is request

    async with served(listener) as (_, client):
        await client.send(HALF_POST)
        assert await client.read_all() == b""
    assert seen[0] == "request aborted"
    assert sorted(map(str, seen[1:])) == [
        "request close",
        "request error",
        "response close",
    ]


async def test_destroying_a_complete_request_keeps_the_connection() -> None:
    """Only an incomplete message takes its socket along (H-117)."""

    async def listener(request: Request, response: Response) -> None:
        await request.body()
        request.destroy()
        response.end("still here")

    async with served(listener) as (_, client):
        for _ in range(2):
            answer = await client.ask("POST / HTTP/1.1\nContent-Length: 1", b"x")
            assert answer.body == b"still here"


async def test_finish_waits_until_all_is_with_the_system() -> None:
    """finish comes when the last byte is flushed, not at end() (H-042, N-112)."""
    finished: list[bool] = []
    ended = anyio.Event()

    def listener(request: Request, response: Response) -> None:
        response.on("finish", lambda: finished.append(response.writable_finished))
        response.end(b"x" * 20_000_000)
        ended.set()

    async with served(listener) as (_, client):
        await client.send(GET)
        await ended.wait()
        await anyio.lowlevel.checkpoint()
        assert finished == []
        await client.response()
    assert finished == [True]


async def test_connection_is_emitted_before_any_request() -> None:
    """The socket of connection is the request's; it takes no encoding (H-022)."""
    sockets: list[net.Socket] = []

    def listener(request: Request, response: Response) -> None:
        same = request.socket is request.connection is sockets[0]
        response.end(f"{same} {response.socket is sockets[0]}")

    server = http.create_server(listener).on("connection", sockets.append)
    async with server.listen(0, "127.0.0.1"), RawClient(server) as client:
        answer = await client.ask("GET / HTTP/1.1")
        with pytest.raises(RuntimeError) as caught:
            sockets[0].set_encoding("utf-8")
    assert answer.body == b"True True"
    assert getattr(caught.value, "code", None) == "ERR_HTTP_SOCKET_ENCODING"


async def test_a_request_that_nobody_listens_to_waits() -> None:
    """Without a listener nothing is answered; the timeouts end it (H-021)."""
    server = http.create_server(timeout=0.3).listen(0, "127.0.0.1")
    async with server, RawClient(server) as client:
        await client.send(GET)
        assert await client.read_all() == b""
