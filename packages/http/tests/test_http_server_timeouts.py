"""Time limits of a server, and who hears of them (H-037 to H-040, X-001 to X-005)."""

import time
from typing import Any

import anyio
import pytest

from headrace import http, net
from headrace.http.testing import RawClient, served

Request = http.IncomingMessage
Response = http.ServerResponse

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n"
#: A timeout is kept within this many seconds (advisories.md).
LATE = 0.5


def ok(request: Request, response: Response) -> None:
    response.end("ok")


async def ends_after(client: RawClient, seconds: float) -> bytes:
    """Read until the server closes; that must come on time."""
    begun = time.monotonic()
    received = await client.read_all()
    took = time.monotonic() - begun
    assert seconds - 0.05 <= took <= seconds + LATE
    return received


async def drip(client: RawClient, data: bytes) -> None:
    """Send a byte now and then until the server has had enough."""
    try:
        for byte in data:
            await client.send(bytes([byte]))
            await anyio.sleep(0.05)
    except (anyio.BrokenResourceError, anyio.ClosedResourceError):
        pass


async def test_a_silent_connection_is_answered_408() -> None:
    """One that never sends a byte counts as a head that does not come (pitfall 11)."""
    async with served(headers_timeout=0.3) as (_, client):
        reply = await ends_after(client, 0.3)
    assert reply == b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize("first", [b"", GET])
async def test_a_dripped_head_ends_on_time(first: bytes) -> None:
    """Bytes that trickle in change nothing, on a reused connection too (X-001,
    CVE-2018-12122, CVE-2019-5737)."""
    async with (
        served(ok, headers_timeout=0.4) as (_, client),
        anyio.create_task_group() as group,
    ):
        if first:
            await client.send(first)
            await client.response()
        group.start_soon(drip, client, GET[:-4] + b"x" * 60)
        assert (await ends_after(client, 0.4)).startswith(b"HTTP/1.1 408 ")
        group.cancel_scope.cancel()


async def test_a_dripped_body_ends_at_the_request_timeout() -> None:
    """The whole request has one limit, counted from its first byte (X-002,
    CVE-2020-8251)."""
    seen: list[str] = []

    def listener(request: Request, response: Response) -> None:
        request.on("aborted", lambda: seen.append("aborted"))
        request.resume()

    server = http.create_server(listener, headers_timeout=0.2, request_timeout=0.5)
    async with (
        server.listen(0, "127.0.0.1"),
        RawClient(server) as client,
        anyio.create_task_group() as group,
    ):
        await client.send(POST.replace(b"9", b"999"))
        group.start_soon(drip, client, b"x" * 60)
        assert (await ends_after(client, 0.5)).startswith(b"HTTP/1.1 408 ")
        group.cancel_scope.cancel()
    assert seen == ["aborted"]


async def test_a_request_timeout_tells_client_error() -> None:
    """The error has its code, and the listener closes the socket (H-027, X-001)."""
    codes: list[object] = []

    def on_error(error: Exception, socket: net.Socket) -> None:
        codes.append(getattr(error, "code", None))
        socket.end("mine")

    async with served(headers_timeout=0.2) as (server, client):
        server.on("client_error", on_error)
        await client.send(GET[:9])
        assert await client.read_all() == b"mine"
    assert codes == ["ERR_HTTP_REQUEST_TIMEOUT"]


async def test_a_body_that_stops_behind_its_answer_ends_quietly() -> None:
    """The client has its answer already: nothing is added to it (X-002, H-027)."""
    async with served(ok, headers_timeout=0.2, request_timeout=0.4) as (_, client):
        await client.send(POST)
        assert (await client.response()).body == b"ok"
        assert await client.read_all() == b""


async def test_a_slow_handler_is_no_slow_request() -> None:
    """The request timeouts end with the request (X-001, X-002)."""

    async def listener(request: Request, response: Response) -> None:
        await anyio.sleep(0.7)
        response.end("slow")

    async with served(listener, headers_timeout=0.2, request_timeout=0.2) as (_, c):
        assert (await c.ask("GET / HTTP/1.1")).body == b"slow"


async def test_zero_turns_the_request_timeouts_off() -> None:
    """0 is no limit (H-005)."""
    async with served(ok, headers_timeout=0, request_timeout=0) as (_, client):
        await client.send(GET[:9])
        await anyio.sleep(0.4)
        await client.send(GET[9:])
        assert (await client.response()).body == b"ok"


async def test_headers_timeout_follows_a_shorter_request_timeout() -> None:
    """Its default is the smaller of 60 and request_timeout (X-001)."""
    assert http.create_server().headers_timeout == 60.0
    assert http.create_server(request_timeout=20).headers_timeout == 20
    assert http.create_server(request_timeout=0).headers_timeout == 60.0


async def test_defaults_of_the_limits() -> None:
    """The documented values (H-037, X-002, X-004, X-005)."""
    server = http.create_server()
    assert server.timeout == 120.0
    assert server.request_timeout == 300.0
    assert server.keep_alive_timeout == 65.0
    assert server.keep_alive_timeout_buffer == 1.0


async def test_the_keep_alive_time_has_a_buffer() -> None:
    """The connection rests longer than announced (X-005, CVE-2019-5739)."""
    async with served(ok, keep_alive_timeout=0.2, keep_alive_timeout_buffer=0.4) as (
        _,
        client,
    ):
        answer = await client.ask("GET / HTTP/1.1")
        assert await ends_after(client, 0.6) == b""
    assert answer.header("keep-alive") == "timeout=0"


async def test_blank_lines_do_not_prolong_the_rest() -> None:
    """Only a request's own bytes count (H-040)."""
    async with (
        served(ok, keep_alive_timeout=0.4, keep_alive_timeout_buffer=0) as (_, client),
        anyio.create_task_group() as group,
    ):
        await client.ask("GET / HTTP/1.1")
        group.start_soon(drip, client, b"\r\n" * 30)
        assert await ends_after(client, 0.4) == b""
        group.cancel_scope.cancel()


async def test_a_resting_connection_has_its_own_time() -> None:
    """Between requests keep_alive_timeout counts, not server.timeout (H-040)."""
    timeouts: list[object] = []
    async with served(
        ok, timeout=0.2, keep_alive_timeout=0.6, keep_alive_timeout_buffer=0
    ) as (server, client):
        await client.ask("GET / HTTP/1.1")
        server.on("timeout", timeouts.append)
        await anyio.sleep(0.35)
        assert timeouts == []
        assert (await client.ask("GET / HTTP/1.1")).body == b"ok"


async def test_the_end_of_the_rest_is_a_timeout_of_the_socket() -> None:
    """A listener of timeout hears of it and must close (H-039, H-040)."""

    def on_timeout(socket: net.Socket) -> None:
        socket.end("bye")

    async with served(ok, keep_alive_timeout=0.2, keep_alive_timeout_buffer=0) as (
        server,
        client,
    ):
        server.on("timeout", on_timeout)
        await client.ask("GET / HTTP/1.1")
        assert await client.read_all() == b"bye"


async def test_no_keep_alive_time_leaves_it_to_the_timeout() -> None:
    """Without keep_alive_timeout the socket's own time goes on (H-040, X-004)."""
    async with served(ok, timeout=0.3, keep_alive_timeout=0) as (_, client):
        answer = await client.ask("GET / HTTP/1.1")
        assert await ends_after(client, 0.3) == b""
    assert answer.header("keep-alive") is None


async def test_an_idle_socket_without_listeners_is_destroyed() -> None:
    """Nobody hears the timeout: the connection ends (H-039, N-135)."""
    closes: list[str] = []

    def listener(request: Request, response: Response) -> None:
        response.on("close", lambda: closes.append("close"))

    async with served(listener, timeout=0.3) as (_, client):
        await client.send(GET)
        assert await ends_after(client, 0.3) == b""
    assert closes == ["close"]


async def test_who_hears_a_timeout_in_which_order() -> None:
    """The request that arrives, the response, the server; then nothing (N-135)."""
    heard: list[str] = []
    done = anyio.Event()

    def listener(request: Request, response: Response) -> None:
        request.on("timeout", lambda socket: heard.append("request"))
        response.on("timeout", lambda socket: heard.append("response"))

    def on_timeout(socket: net.Socket) -> None:
        heard.append("server")
        done.set()

    async with served(listener, timeout=0.2) as (server, client):
        server.on("timeout", on_timeout)
        await client.send(POST)
        await done.wait()
        (connection,) = server._http_connections
        assert not connection.lost
        connection.destroy()
    assert heard == ["request", "response", "server"]


async def test_a_complete_request_does_not_hear_the_timeout() -> None:
    """Only a request that is being received is told (H-039)."""
    heard: list[str] = []

    def listener(request: Request, response: Response) -> None:
        request.on("timeout", lambda socket: heard.append("request"))
        response.on("timeout", lambda socket: heard.append("response"))
        response.on("timeout", lambda socket: socket.destroy())

    async with served(listener, timeout=0.2) as (_, client):
        await client.send(GET)
        await client.read_all()
    assert heard == ["response"]


@pytest.mark.parametrize("who", ["request", "response"])
async def test_a_message_sets_the_timeout_of_its_socket(who: str) -> None:
    """The callback listens to that message's timeout (H-046, H-111)."""
    heard: list[object] = []

    def listener(request: Request, response: Response) -> None:
        message: Any = request if who == "request" else response

        def on_timeout(socket: net.Socket) -> None:
            heard.append(socket is request.socket)
            response.end("timed out")

        assert message.set_timeout(0.1, on_timeout) is message

    async with served(listener) as (_, client):
        await client.send(POST)
        assert (await client.response()).body == b"timed out"
    assert heard == [True]


async def test_a_message_turns_the_timeout_off() -> None:
    """set_timeout(0) of a response lifts the server's limit for it (N-135)."""

    async def listener(request: Request, response: Response) -> None:
        response.set_timeout(0)
        await anyio.sleep(0.5)
        response.end("slow")

    async with served(listener, timeout=0.2) as (_, client):
        assert (await client.ask("GET / HTTP/1.1")).body == b"slow"


async def test_a_message_s_timeout_ends_with_its_exchange() -> None:
    """The next request has server.timeout again (H-040)."""
    timeouts: list[object] = []

    def listener(request: Request, response: Response) -> None:
        assert request.socket is not None
        timeouts.append(request.socket.timeout)
        response.set_timeout(7.0)
        timeouts.append(request.socket.timeout)
        response.end()

    async with served(listener, timeout=5.0) as (_, client):
        await client.ask("GET / HTTP/1.1")
        await client.ask("GET / HTTP/1.1")
    assert timeouts == [5.0, 7.0, 5.0, 7.0]


async def test_a_waiting_response_sets_its_timeout_in_its_turn() -> None:
    """Behind an earlier answer it has no socket yet (H-046)."""
    seen: list[object] = []
    release = anyio.Event()

    async def listener(request: Request, response: Response) -> None:
        if request.url == "/1":
            await release.wait()
            response.end()
            return
        response.set_timeout(7.0)
        seen.extend([response.socket, request.socket and request.socket.timeout])
        release.set()
        while response.socket is None:
            await anyio.lowlevel.checkpoint()
        seen.append(response.socket.timeout)
        response.end()

    async with served(listener, timeout=5.0) as (_, client):
        await client.send(GET.replace(b"/ ", b"/1 ") + GET)
        await client.response()
        await client.response()
    assert seen == [None, 5.0, 7.0]


def test_server_set_timeout() -> None:
    """Sets server.timeout, adds a listener, returns the server (H-038)."""
    server = http.create_server()
    heard: list[object] = []
    assert server.set_timeout(3.5, heard.append) is server
    assert server.timeout == 3.5
    assert server.listeners("timeout") == [heard.append]
    assert server.set_timeout().timeout == 0


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("1", "ERR_INVALID_ARG_TYPE"),
        (True, "ERR_INVALID_ARG_TYPE"),
        (-1, "ERR_OUT_OF_RANGE"),
        (float("nan"), "ERR_OUT_OF_RANGE"),
        (float("inf"), "ERR_OUT_OF_RANGE"),
    ],
)
def test_durations_are_checked(value: Any, code: str) -> None:
    """Wherever one is taken (H-005)."""
    server = http.create_server()
    response = Response(Request(None))
    takers: list[Any] = [
        server.set_timeout,
        response.set_timeout,
        response.req.set_timeout,
        lambda seconds: http.create_server(headers_timeout=seconds),
        lambda seconds: http.create_server({"keep_alive_timeout": seconds}),
    ]
    for take in takers:
        with pytest.raises((TypeError, ValueError)) as caught:
            take(value)
        assert getattr(caught.value, "code", None) == code


async def test_a_client_that_does_not_read_is_ended() -> None:
    """server.timeout ends clients that stop reading (H-037)."""

    def listener(request: Request, response: Response) -> None:
        response.on("close", closed.set)
        response.end(b"x" * 50_000_000)

    closed = anyio.Event()
    async with served(listener, timeout=0.3) as (_, client):
        await client.send(GET)
        await closed.wait()
