"""Bad input and who answers it (H-027, H-130)."""

from typing import Any, Literal

import anyio
import anyio.lowlevel
import pytest

from headrace import http, net
from headrace.http.testing import RawClient, served

Engine = Literal["h11", "llhttp"]
Request = http.IncomingMessage
Response = http.ServerResponse

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
BAD_REQUEST = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"


@pytest.fixture(params=["h11", "llhttp"])
def engine(request: pytest.FixtureRequest) -> Engine:
    name: Engine = request.param
    return name


@pytest.mark.parametrize(
    ("sent", "reply"),
    [
        (b"bad\r\n\r\n", b"HTTP/1.1 400 Bad Request"),
        (GET[:-2] + b"X: " + b"y" * 17_000, b"HTTP/1.1 431 Request Header Fields"),
        (POST + b"1;" + b"e" * 17_000, b"HTTP/1.1 413 Payload Too Large"),
    ],
)
async def test_the_default_reply_and_the_end(
    sent: bytes, reply: bytes, engine: Engine
) -> None:
    """One minimal reply by the kind of error, then the connection closes (H-027)."""
    async with served(engine=engine) as (_, client):
        await client.send(sent)
        answer = await client.read_all()
    assert answer.startswith(reply)
    assert answer.endswith(b"\r\nConnection: close\r\n\r\n")
    assert answer.count(b"HTTP/1.1") == 1


async def test_the_reply_comes_behind_owed_answers() -> None:
    """Earlier requests are answered first, in order, however late (H-027)."""
    waiting: list[Response] = []
    arrived = anyio.Event()

    def listener(request: Request, response: Response) -> None:
        waiting.append(response)
        if len(waiting) == 2:
            arrived.set()

    async with served(listener) as (_, client):
        await client.send(GET * 2 + b"bad\r\n\r\n")
        await arrived.wait()
        waiting[1].end("second")
        waiting[0].end("first")
        assert (await client.response()).body == b"first"
        assert (await client.response()).body == b"second"
        assert await client.read_all() == BAD_REQUEST


async def test_a_bad_body_without_an_answer_yet_gets_the_reply() -> None:
    """The handler's request is aborted, the client gets a 400 (H-027, H-128)."""
    seen: list[str] = []

    def listener(request: Request, response: Response) -> None:
        request.on("aborted", lambda: seen.append("aborted"))
        response.on("close", lambda: seen.append("close"))
        response.set_header("X-Queued", "1")

    async with served(listener) as (_, client):
        await client.send(POST + b"xyz\r\n")
        assert await client.read_all() == BAD_REQUEST
    assert seen == ["aborted", "close"]


async def test_nothing_is_added_to_a_half_sent_answer() -> None:
    """A response that is out in part is cut off, without a 400 (H-027)."""

    def listener(request: Request, response: Response) -> None:
        response.write("half")

    async with served(listener) as (_, client):
        await client.send(POST)
        await client.read_until(b"half\r\n")
        await client.send(b"xyz\r\n")
        assert await client.read_all() == b""


async def test_a_complete_answer_is_not_followed_by_a_reply() -> None:
    """A request that was answered before its body turned bad has its answer (H-027)."""

    def listener(request: Request, response: Response) -> None:
        response.end("early")

    async with served(listener) as (_, client):
        await client.send(POST)
        assert (await client.response()).body == b"early"
        await client.send(b"xyz\r\n")
        assert await client.read_all() == b""


async def test_a_queued_answer_of_a_bad_request_gives_way_to_the_reply() -> None:
    """What was written behind an owed answer is not out: a 400 takes its place."""
    waiting: list[Response] = []
    arrived, closed = anyio.Event(), anyio.Event()

    def listener(request: Request, response: Response) -> None:
        waiting.append(response)
        if len(waiting) == 2:
            response.write("half of the second")
            response.on("close", closed.set)
            arrived.set()

    async with served(listener) as (_, client):
        await client.send(GET + POST)
        await arrived.wait()
        await client.send(b"xyz\r\n")
        await closed.wait()
        waiting[0].end("first")
        assert (await client.response()).body == b"first"
        assert await client.read_all() == BAD_REQUEST


@pytest.mark.parametrize("sent", [GET[:10], POST + b"5\r\nab", POST])
async def test_an_end_inside_a_message(sent: bytes, engine: Engine) -> None:
    """A FIN in a head or a body is HPE_INVALID_EOF_STATE (H-128, H-130)."""
    codes: list[object] = []

    def on_error(error: Exception, socket: net.Socket) -> None:
        codes.append(getattr(error, "code", None))
        socket.end("reply of the listener")

    async with served(engine=engine) as (server, client):
        server.on("client_error", on_error)
        await client.send(sent)
        await client.end()
        assert await client.read_all() == b"reply of the listener"
    assert codes == ["HPE_INVALID_EOF_STATE"]


async def test_a_plain_close_between_requests_is_no_error() -> None:
    """client_error is for errors only (H-128)."""
    errors: list[object] = []
    async with served(lambda request, response: response.end()) as (server, client):
        server.on("client_error", lambda *args: errors.append(args))
        await client.ask("GET / HTTP/1.1")
        await client.end()
        assert await client.read_all() == b""
    assert errors == []


async def test_a_reset_is_a_client_error() -> None:
    """An error of the socket is told once, with its code (H-027)."""
    codes: list[object] = []
    told = anyio.Event()

    def on_error(error: Exception, socket: net.Socket) -> None:
        codes.append(getattr(error, "code", None))
        told.set()

    async with served(lambda request, response: response.end()) as (server, client):
        server.on("client_error", on_error)
        await client.ask("GET / HTTP/1.1")
        await client.reset()
        await told.wait()
    assert codes == ["ECONNRESET"]


async def test_it_is_told_once_and_nothing_is_dispatched_afterwards() -> None:
    """Neither more errors nor more requests come from that connection (H-027)."""
    events: list[str] = []
    closed = anyio.Event()

    def on_error(error: Exception, socket: net.Socket) -> None:
        events.append("client_error")
        socket.on("close", closed.set)
        socket.write("told")

    async with served(lambda *args: events.append("request")) as (server, client):
        server.on("client_error", on_error)
        await client.send(b"bad\r\n\r\n")
        await client.read_until(b"told")
        await client.send(GET + b"bad\r\n\r\n")
        await client.reset()
        await closed.wait()
    assert events == ["client_error"]


async def test_the_listener_may_close_it_later() -> None:
    """The socket is kept for the listener and closes when that ends it (H-027)."""
    sockets: list[net.Socket] = []
    told, closed = anyio.Event(), anyio.Event()

    def on_error(error: Exception, socket: net.Socket) -> None:
        sockets.append(socket)
        socket.on("close", closed.set)
        told.set()

    async with served() as (server, client):
        server.on("client_error", on_error)
        await client.send(b"bad\r\n\r\n")
        await told.wait()
        sockets[0].end("HTTP/1.1 499 Later\r\n\r\n")
        assert await client.read_all() == b"HTTP/1.1 499 Later\r\n\r\n"
        await client.stream.aclose()
        await closed.wait()


async def test_an_async_listener_may_answer() -> None:
    """client_error takes an async def, too (H-150)."""

    async def on_error(error: Exception, socket: net.Socket) -> None:
        await anyio.lowlevel.checkpoint()
        socket.end("async")

    async with served() as (server, client):
        server.on("client_error", on_error)
        await client.send(b"bad\r\n\r\n")
        assert await client.read_all() == b"async"


async def test_a_forsaken_connection_is_not_read_for_ever() -> None:
    """A listener that does not close gets at most max_body_discard bytes more."""
    told: list[object] = []
    async with served() as (server, client):
        server.on("client_error", lambda *args: told.append(args))
        await client.send(b"bad\r\n\r\n" + b"x" * 200_000)
        assert await client.read_all() == b""
    assert len(told) == 1


async def test_the_error_describes_the_bytes(engine: Engine) -> None:
    """raw_packet has the bytes, bytes_parsed the place in them (N-125)."""
    errors: list[Any] = []

    def on_error(error: Exception, socket: net.Socket) -> None:
        errors.append(error)
        socket.destroy()

    async with served(engine=engine) as (server, client):
        server.on("client_error", on_error)
        await client.send(b"GET / HTTP/1.1\r\nHost : x\r\n\r\n")
        await client.read_all()
    (error,) = errors
    assert error.code == "HPE_INVALID_HEADER_TOKEN"
    assert error.raw_packet == b"GET / HTTP/1.1\r\nHost : x\r\n\r\n"
    assert 16 <= error.bytes_parsed <= 21
    assert str(error).startswith("Parse Error")


async def test_a_late_head_behind_an_owed_answer_is_timed_out() -> None:
    """The 408 follows the answer; a slow handler is not to blame (H-027, X-001)."""
    release = anyio.Event()

    async def listener(request: Request, response: Response) -> None:
        await release.wait()
        response.end("slow")

    server = http.create_server(listener, headers_timeout=0.2)
    errors: list[object] = []
    async with server.listen(0, "127.0.0.1"), RawClient(server) as client:
        await client.send(GET + GET[:20])
        await anyio.sleep(0.8)
        release.set()
        assert (await client.response()).body == b"slow"
        assert (await client.read_all()).startswith(b"HTTP/1.1 408 ")
    assert errors == []
