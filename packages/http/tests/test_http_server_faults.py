"""A server outlives what its listeners do (H-010, pitfall 27)."""

import logging
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from headrace import http, net
from headrace.events.loop import call_later, next_tick
from headrace.http.testing import RawClient, served
from headrace.streams import Stream, pipeline

Request = http.IncomingMessage
Response = http.ServerResponse

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
UPGRADE = GET[:-2] + b"Connection: upgrade\r\nUpgrade: x\r\n\r\n"
CONNECT = b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n"
EXPECT = POST[:-5] + b"Expect: 100-continue\r\n\r\n"


def fail(*_: object) -> Any:
    raise KeyError("a bug")


async def fail_later(*_: object) -> None:
    await anyio.lowlevel.checkpoint()
    raise KeyError("a bug")


def on_data(request: Request, response: Response) -> None:
    request.on("data", fail)


def on_end(request: Request, response: Response) -> None:
    request.on("end", fail).resume()


def on_end_async(request: Request, response: Response) -> None:
    request.on("end", fail_later).resume()


def in_a_tick(request: Request, response: Response) -> None:
    next_tick(fail)


def in_a_timer(request: Request, response: Response) -> None:
    call_later(0.0, fail)


async def in_a_timer_of_an_async_listener(request: Request, response: Response) -> None:
    call_later(0.0, fail)


def in_a_write_callback(request: Request, response: Response) -> None:
    response.write_processing(fail)


def by_an_unheard_error(request: Request, response: Response) -> None:
    next_tick(response.emit, "error", ValueError("nobody listens"))


async def by_a_wrong_header(request: Request, response: Response) -> None:
    response.set_header("X", "queued")
    response.set_header("Y", "a\r\nb")


async def by_a_late_error_of_the_head(request: Request, response: Response) -> None:
    response.cork()
    response.write("not to be sent")
    response.write_head(200, {"Content-Length": "many"})
    response.end("body")


@pytest.mark.parametrize(
    "listener",
    [
        fail,
        fail_later,
        on_data,
        on_end,
        on_end_async,
        in_a_tick,
        in_a_timer,
        in_a_timer_of_an_async_listener,
        in_a_write_callback,
        by_an_unheard_error,
        by_a_wrong_header,
        by_a_late_error_of_the_head,
    ],
)
async def test_an_exception_before_the_head_is_a_500(
    listener: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    """Wherever it is raised: logged with its traceback, 500, bare (H-010, X-027)."""
    with caplog.at_level(logging.ERROR):
        async with served(listener) as (server, client):
            await client.send(POST)
            answer = await client.response()
            if answer.status == 102:
                answer = await client.response()
            async with RawClient(server) as other:
                server.remove_all_listeners("request")
                server.on("request", lambda request, response: response.end("alive"))
                assert (await other.ask("GET / HTTP/1.1")).body == b"alive"
    assert (answer.status, answer.body) == (500, b"Internal Server Error")
    assert answer.header("x") is None
    assert [record.name for record in caplog.records] == ["headrace.http"]
    assert caplog.records[0].exc_info is not None


def on_finish(request: Request, response: Response) -> None:
    response.on("finish", fail).end("complete")


def on_close(request: Request, response: Response) -> None:
    response.on("close", fail).end("complete")


def on_request_close(request: Request, response: Response) -> None:
    request.on("close", fail)
    response.end("complete")


def behind_end(request: Request, response: Response) -> None:
    response.end("complete")
    raise KeyError("a bug")


def in_the_end_callback(request: Request, response: Response) -> None:
    response.end("complete", fail)


@pytest.mark.parametrize(
    "listener",
    [on_finish, on_close, on_request_close, behind_end, in_the_end_callback],
)
async def test_an_exception_behind_the_answer_cuts_the_connection(
    listener: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    """The complete answer is not lost; the connection is not used again (H-010)."""
    with caplog.at_level(logging.ERROR):
        async with served(listener) as (_, client):
            answer = await client.ask("GET / HTTP/1.1")
            assert await client.read_all() == b""
    assert answer.body == b"complete"
    assert [record.name for record in caplog.records] == ["headrace.http"]


async def test_a_bug_in_one_pipelined_request_is_answered_in_its_place(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Other requests of the connection get their own answers (H-010, H-127)."""

    async def listener(request: Request, response: Response) -> None:
        if request.url == "/2":
            raise KeyError("a bug")
        await anyio.lowlevel.checkpoint()
        response.end(request.url)

    async with served(listener) as (_, client):
        await client.send(
            b"".join(b"GET /%d HTTP/1.1\r\nHost: x\r\n\r\n" % n for n in (1, 2, 3))
        )
        answers = [await client.response() for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 500, 200]
    assert len(caplog.records) == 1


async def test_network_errors_are_told_quietly(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """An OSError of the network is logged at DEBUG, without traceback (H-010)."""

    def listener(request: Request, response: Response) -> None:
        raise ConnectionResetError("the peer of the handler")

    with caplog.at_level(logging.DEBUG, "headrace.http"):
        async with served(listener) as (_, client):
            assert (await client.ask("GET / HTTP/1.1")).status == 500
    assert [record.levelname for record in caplog.records] == ["DEBUG"]
    assert caplog.records[0].exc_info is None


async def echo(request: Request, response: Response) -> None:
    await pipeline(request, response)


async def write_on(request: Request, response: Response) -> None:
    while True:
        response.write(bytes(65536))
        await response.drain()


async def read_on(request: Request, response: Response) -> None:
    response.write("begun")
    await request.body()


@pytest.mark.parametrize("listener", [echo, write_on, read_on])
@pytest.mark.parametrize("leaving", ["end", "reset"])
async def test_a_client_that_leaves_is_no_bug_of_the_handler(
    listener: Callable[..., Any], leaving: str, caplog: pytest.LogCaptureFixture
) -> None:
    """What waits for it ends quietly: a client cannot fill the log (H-010, H-128)."""
    ended = anyio.Event()

    async def watched(request: Request, response: Response) -> None:
        try:
            await listener(request, response)
        finally:
            ended.set()

    head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n"
    with caplog.at_level(logging.DEBUG, "headrace.http"):
        async with http.create_server(watched).listen(0, "127.0.0.1") as server:
            async with RawClient(server) as client:
                await client.send(head + b"body")
                assert await client.read_exactly(15) == b"HTTP/1.1 200 OK"
                if leaving == "reset":
                    await client.reset()
            await ended.wait()
            await anyio.lowlevel.checkpoint()
    assert {record.levelname for record in caplog.records} <= {"DEBUG"}


async def test_a_missing_file_is_a_bug_of_the_handler(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """An OSError about a file is no error of the network: with traceback (H-010)."""

    def listener(request: Request, response: Response) -> None:
        response.end(Path("/nonexistent/file").read_bytes())

    with caplog.at_level(logging.DEBUG, "headrace.http"):
        async with served(listener) as (_, client):
            assert (await client.ask("GET / HTTP/1.1")).status == 500
    assert [record.levelname for record in caplog.records] == ["ERROR"]


@pytest.mark.parametrize("failing", [fail, fail_later])
@pytest.mark.parametrize("event", ["upgrade", "connect"])
async def test_a_failing_switch_listener_cuts_the_connection(
    event: str, failing: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is answered on a socket that has left HTTP (H-010, N-122)."""
    async with served() as (server, client):
        server.custom.on(event, failing)
        await client.send(UPGRADE if event == "upgrade" else CONNECT)
        assert await client.read_all() == b""
        async with RawClient(server) as other:
            server.on("request", lambda request, response: response.end("alive"))
            assert (await other.ask("GET / HTTP/1.1")).body == b"alive"
    assert [record.name for record in caplog.records] == ["headrace.http"]


async def test_an_unheard_error_of_an_upgraded_socket_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It destroys the socket, not the server (H-010, H-025)."""

    def on_upgrade(request: Request, socket: net.Socket, head: bytes) -> None:
        socket.on("data", lambda data: socket.destroy(ValueError("of the user")))
        socket.write("ready")

    async with served() as (server, client):
        server.on("upgrade", on_upgrade)
        await client.send(UPGRADE)
        await client.read_until(b"ready")
        await client.send(b"data")
        assert await client.read_all() == b""
    assert [record.name for record in caplog.records] == ["headrace.http"]


@pytest.mark.parametrize("failing", [fail, fail_later])
async def test_a_failing_client_error_listener_cuts_the_connection(
    failing: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    """The default reply is not sent for it; the server lives (H-010, H-027)."""
    async with served() as (server, client):
        server.on("client_error", failing)
        await client.send(b"nonsense\r\n\r\n")
        assert await client.read_all() == b""
    assert [record.name for record in caplog.records] == ["headrace.http"]


@pytest.mark.parametrize("failing", [fail, fail_later])
async def test_a_failing_connection_listener_cuts_that_connection(
    failing: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    """A bug in a listener of connection is one connection's (H-010)."""
    server = http.create_server().custom.once("connection", failing)
    assert isinstance(server, http.Server)
    async with server.listen(0, "127.0.0.1"):
        async with RawClient(server) as client:
            assert await client.read_all() == b""
        async with RawClient(server) as other:
            server.on("request", lambda request, response: response.end("alive"))
            assert (await other.ask("GET / HTTP/1.1")).body == b"alive"
    assert [record.name for record in caplog.records] == ["headrace.http"]


async def test_a_failing_upgrade_predicate_cuts_the_connection(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What cannot be decided is neither upgraded nor answered (H-010, X-020)."""
    async with served(should_upgrade_callback=fail) as (_, client):
        await client.send(UPGRADE)
        assert await client.read_all() == b""
    assert len(caplog.records) == 1


async def test_a_response_class_that_fails_cuts_the_connection(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A constructor of the user's is user's code, too (H-010, X-018)."""

    class Broken(Response):
        def __init__(self, *args: Any) -> None:
            raise KeyError("a bug")

    async with served(server_response_class=Broken) as (_, client):
        await client.send(GET)
        assert await client.read_all() == b""
    assert len(caplog.records) == 1


ENDS: dict[str, Callable[[http.Server, Any], object]] = {
    "destroy socket": lambda server, socket: socket.destroy(),
    "end socket": lambda server, socket: socket.end(),
    "close server": lambda server, socket: server.close(),
    "close all": lambda server, socket: server.close_all_connections(),
    "close idle": lambda server, socket: server.close_idle_connections(),
    "raise": fail,
}
ON_SERVER = ("connection", "request", "check_continue", "drop_request", "client_error")
ON_REQUEST = ("data", "end", "aborted", "close", "error", "resume", "timeout")
ON_RESPONSE = ("prefinish", "finish", "drain", "close", "error", "timeout")
ON_SOCKET = ("close", "timeout")
PLACES = [
    *((1, event) for event in ON_SERVER),
    *((2, event) for event in ON_REQUEST),
    *((3, event) for event in ON_RESPONSE),
    *((4, event) for event in ON_SOCKET),
    (1, "upgrade"),
    (1, "connect"),
]


@pytest.mark.parametrize("action", ENDS)
async def test_every_end_inside_every_event(
    action: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever ends a connection may be called in any event (pitfall 27).

    Nothing but the listener's own bug is ever logged.
    """
    for place in PLACES:
        with anyio.fail_after(10):
            await end_in(place, action)
        for record in caplog.get_records("call"):
            assert record.exc_info is not None
            assert (place, record.exc_info[0]) == (place, KeyError), record.exc_text
            assert action == "raise"


async def end_in(place: tuple[int, str], action: str) -> None:
    """Run requests of many kinds against a server that ends them in one event."""
    kind, event = place
    emitters: dict[int, Any] = {}
    sockets: list[Any] = []

    def act(*_: object) -> None:
        try:
            ENDS[action](server, sockets[-1])
        finally:
            if event in ("upgrade", "connect"):
                sockets[-1].destroy()  # it is the listener's

    def listener(request: Request, response: Response) -> None:
        for number, emitter in ((2, request), (3, response)):
            emitters[number] = emitter
            if kind == number:
                emitter.custom.on(event, act)
        response.write(b"x" * 100_000)
        if request.method == "POST":
            request.on("end", response.end).resume()
        else:
            response.end("end")

    server = http.create_server(listener, max_requests_per_socket=2, timeout=0.5)
    server.on("connection", sockets.append)
    if kind == 4:
        server.on("connection", lambda socket: socket.custom.on(event, act))
    if kind == 1:
        server.custom.on(event, act)
    server.listen(0, "127.0.0.1")
    await server
    port = server.address().port
    for bytes_sent in (
        POST + GET * 2,
        GET[:-2] + b"Connection: close\r\n\r\n",
        GET + GET + GET[:9],
        GET + b"bad\r\n\r\n",
        EXPECT,
        b"bad\r\n\r\n",
        UPGRADE,
        CONNECT,
    ):
        if not server.listening:
            break
        async with RawClient(port) as client:
            with suppress(anyio.BrokenResourceError):
                await client.send(bytes_sent)
            await client.end()
            await client.read_all()
    server.close_all_connections()
    await server.aclose()
    assert not server._http_connections
    assert not server._connections
    for emitter in emitters.values():
        assert isinstance(emitter, Stream)
        assert emitter.closed
