"""What a server can be told, the forms in which it is told, and what it does then."""

import socket as system_socket
from collections.abc import Callable
from typing import Any

import anyio
import pytest

from headrace import http, net
from headrace.events import once
from headrace.http.testing import RawClient, served
from headrace.streams import Writable, duplex_pair

Request = http.IncomingMessage
Response = http.ServerResponse

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


def code_of(call: Callable[[], object]) -> str | None:
    """Return the code of what `call()` raises."""
    try:
        call()
    except (TypeError, ValueError, RuntimeError) as error:
        return getattr(error, "code", "without a code")
    return None


# Making one --------------------------------------------------------------------------


def test_a_new_server_does_not_listen() -> None:
    """create_server is Server; the listener is one of request (H-015)."""

    def listener(request: Request, response: Response) -> None: ...

    for server in (http.create_server(listener), http.Server(listener)):
        assert type(server) is http.Server
        assert isinstance(server, net.Server)
        assert server.listeners("request") == [listener]
        assert not server.listening
        assert server.address() is None


def test_the_listener_may_be_left_out() -> None:
    """All three forms of the options give the same server (H-015, H-002)."""

    def listener(request: Request, response: Response) -> None: ...

    assert http.create_server().listener_count("request") == 0
    assert http.create_server(None).listener_count("request") == 0
    options = {"timeout": 5, "max_header_size": None}
    for server in (
        http.create_server(options, listener),
        http.create_server(listener, timeout=5, max_header_size=None),
        http.create_server({"timeout": 9}, listener, timeout=5),
    ):
        assert server.listeners("request") == [listener]
        assert (server.timeout, server.max_header_size) == (5, 16384)
    assert options == {"timeout": 5, "max_header_size": None}


@pytest.mark.parametrize(
    ("args", "options", "code"),
    [
        ((5,), {}, "ERR_INVALID_ARG_TYPE"),
        (({}, 5), {}, "ERR_INVALID_ARG_TYPE"),
        ((), {"bogus": 1}, "ERR_INVALID_ARG_TYPE"),
        (({"bogus": 1},), {}, "ERR_INVALID_ARG_TYPE"),
        (({"maxHeaderSize": 1},), {}, "ERR_INVALID_ARG_TYPE"),
        ((), {"max_header_size": -1}, "ERR_OUT_OF_RANGE"),
        ((), {"max_header_size": "1"}, "ERR_INVALID_ARG_TYPE"),
        ((), {"max_headers_count": True}, "ERR_INVALID_ARG_TYPE"),
        ((), {"max_requests_per_socket": 1.5}, "ERR_INVALID_ARG_TYPE"),
        ((), {"max_body_discard": -1}, "ERR_OUT_OF_RANGE"),
        ((), {"require_host_header": 1}, "ERR_INVALID_ARG_TYPE"),
        ((), {"unique_headers": "x"}, "ERR_INVALID_ARG_TYPE"),
        ((), {"incoming_message_class": 5}, "ERR_INVALID_ARG_TYPE"),
        ((), {"should_upgrade_callback": 5}, "ERR_INVALID_ARG_TYPE"),
        ((), {"high_water_mark": -1}, "ERR_OUT_OF_RANGE"),
        ((), {"keep_alive_initial_delay": -1}, "ERR_OUT_OF_RANGE"),
        ((), {"engine": "bogus"}, "ERR_INVALID_ARG_VALUE"),
        ((), {"request_timeout": 1, "headers_timeout": 2}, "ERR_OUT_OF_RANGE"),
    ],
)
def test_wrong_options_are_refused(args: Any, options: Any, code: str) -> None:
    """At once, and what is unknown as well (H-002, H-005, H-015)."""
    assert code_of(lambda: http.create_server(*args, **options)) == code


def test_what_is_exported() -> None:
    """The classes, the base of both writable ones, the validators (H-020)."""
    assert issubclass(http.ServerResponse, http.OutgoingMessage)
    assert issubclass(http.ClientRequest, http.OutgoingMessage)
    assert issubclass(http.OutgoingMessage, Writable)
    assert issubclass(http.Server, net.Server)
    assert isinstance(http.global_agent, http.Agent)
    assert http.max_header_size == 16384
    for name in (
        "Agent",
        "ClientRequest",
        "IncomingMessage",
        "METHODS",
        "OutgoingMessage",
        "STATUS_CODES",
        "Server",
        "ServerResponse",
        "create_server",
        "get",
        "global_agent",
        "max_header_size",
        "request",
        "run",
        "validate_header_name",
        "validate_header_value",
    ):
        assert name in http.__all__


async def test_methods_that_return_the_object() -> None:
    """What Node documents as returning this returns self (H-004)."""
    seen: list[bool] = []

    def listener(request: Request, response: Response) -> None:
        seen.extend(
            [
                response.set_header("a", "1") is response,
                response.append_header("a", "2") is response,
                response.set_headers({"b": "1"}) is response,
                response.set_timeout(5) is response,
                response.write_head(200) is response,
                request.set_timeout(5) is request,
                request.pause() is request,
                request.resume() is request,
                request.set_encoding("utf-8") is request,
                response.on("close", lambda: None) is response,
                response.end() is response,
                response.end() is response,
                response.destroy() is response,
                request.destroy() is request,
            ]
        )

    server = http.create_server(listener)
    seen.append(server.set_timeout(5) is server)
    seen.append(server.ref() is server)
    seen.append(server.unref() is server)
    seen.append(server.listen(0, "127.0.0.1") is server)
    await once(server, "listening")
    async with RawClient(server) as client:
        await client.send(GET)
        await client.read_all()
    seen.append(server.close() is server)
    assert seen == [True] * 19


# Listening, errors, timeouts ---------------------------------------------------------


async def test_listening_and_error_are_those_of_net() -> None:
    """listening calls nobody with anything; a port in use is an error (H-028)."""
    seen: list[object] = []
    server = http.create_server().on("listening", lambda: seen.append("listening"))
    async with server.listen(0, "127.0.0.1", lambda: seen.append("callback")):
        second = http.create_server().on("listening", lambda: seen.append("second"))
        second.listen(server.address().port, "127.0.0.1")
        error = await failure(second)
        assert isinstance(error, OSError)
        assert getattr(error, "code", None) == "EADDRINUSE"
        async with second.listen(0, "127.0.0.1"):
            assert second.listening
    assert seen == ["listening", "callback", "second"]


async def failure(server: http.Server) -> BaseException:
    """Wait for the server's error event, and return the error."""
    told = anyio.Event()
    errors: list[BaseException] = []
    server.on("error", errors.append)
    server.on("error", lambda error: told.set())
    await told.wait()
    return errors[0]


async def test_the_timeout_event_has_the_socket() -> None:
    """The listener is given the idle socket, and must end it (H-029, H-039)."""
    sockets: list[net.Socket] = []

    def on_timeout(socket: net.Socket) -> None:
        sockets.append(socket)
        socket.destroy()

    server = http.create_server(timeout=0.2).on("timeout", on_timeout)
    server.on("connection", sockets.append)
    async with server.listen(0, "127.0.0.1"), RawClient(server) as client:
        assert await client.read_all() == b""
    assert len(sockets) == 2
    assert sockets[0] is sockets[1]


# What connections are given ----------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "no_delay", "keep_alive"),
    [
        ({}, True, False),
        ({"no_delay": False}, False, False),
        ({"keep_alive": True}, True, True),
    ],
)
async def test_socket_options_of_accepted_connections(
    options: Any, no_delay: bool, keep_alive: bool
) -> None:
    """No delay by default, keep-alive when asked for (X-017)."""
    seen: list[tuple[bool, bool]] = []

    def listener(request: Request, response: Response) -> None:
        handle = getattr(request.socket, "_handle", None)
        assert isinstance(handle, system_socket.socket)
        delay = handle.getsockopt(system_socket.IPPROTO_TCP, system_socket.TCP_NODELAY)
        probes = handle.getsockopt(system_socket.SOL_SOCKET, system_socket.SO_KEEPALIVE)
        seen.append((bool(delay), bool(probes)))
        response.end()

    async with served(listener, **options) as (_, client):
        await client.ask("GET / HTTP/1.1")
    assert seen == [(no_delay, keep_alive)]


async def test_classes_of_one_s_own() -> None:
    """Messages are of the classes that the options name (X-018, N-139)."""

    class MyRequest(http.IncomingMessage):
        def user_agent(self) -> str:
            agent: str = self.headers.get("user-agent", "unknown")
            return agent

    class MyResponse(http.ServerResponse):
        def status(self, code: int) -> "MyResponse":
            return self.write_head(code, {"Content-Type": "text/plain"})

    def listener(request: Any, response: Any) -> None:
        assert type(request) is MyRequest
        assert type(response) is MyResponse
        assert response.req is request
        vars(request)["seen"] = True  # attributes of one's own are welcome
        response.status(404).end(request.user_agent())

    forms: list[Any] = [
        {"incoming_message_class": MyRequest, "server_response_class": MyResponse},
        {"IncomingMessage": MyRequest, "ServerResponse": MyResponse},
    ]
    for options in forms:
        async with served(listener, **options) as (_, client):
            answer = await client.ask("GET / HTTP/1.1\nUser-Agent: node.js")
            assert (answer.status, answer.body) == (404, b"node.js")
            assert answer.header("content-type") == "text/plain"


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
    ],
)
async def test_the_check_of_host_can_be_turned_off(head: bytes) -> None:
    """require_host_header=False lets odd clients in (X-013, H-126)."""
    assert http.create_server().require_host_header is True
    async with served(
        lambda request, response: response.end("served"), require_host_header=False
    ) as (_, client):
        await client.send(head)
        assert (await client.response()).body == b"served"


async def test_http_1_0_may_lack_a_host() -> None:
    """Only HTTP/1.1 requires one (H-126, X-013)."""
    async with served(lambda request, response: response.end("served")) as (_, client):
        await client.send(b"GET / HTTP/1.0\r\n\r\n")
        assert (await client.response()).body == b"served"


# Requests that are not served --------------------------------------------------------


async def test_a_request_too_many_is_dropped() -> None:
    """drop_request instead of request, and a 503 (X-008, X-007)."""
    seen: list[object] = []

    def listener(request: Request, response: Response) -> None:
        seen.append(request.url)
        response.end("served")

    def on_drop(request: Request, socket: net.Socket) -> None:
        assert request.socket is socket
        seen.append(("dropped", request.method, request.url, request.headers["x-a"]))

    async with served(listener, max_requests_per_socket=2) as (server, client):
        server.on("drop_request", on_drop)
        await client.send(
            b"".join(
                b"GET /%d HTTP/1.1\r\nHost: x\r\nX-A: %d\r\n\r\n" % (n, n)
                for n in range(4)
            )
        )
        answers = [await client.response() for _ in range(3)]
        assert await client.read_all() == b""
    assert [answer.status for answer in answers] == [200, 200, 503]
    assert [answer.header("connection") for answer in answers] == [
        "keep-alive",
        "close",
        "close",
    ]
    assert seen == ["/0", "/1", ("dropped", "GET", "/2", "2")]


async def test_nobody_has_to_hear_of_a_dropped_request() -> None:
    """The 503 is sent without a listener, too (X-008)."""
    async with served(
        lambda request, response: response.end(), max_requests_per_socket=1
    ) as (_, client):
        await client.send(GET * 2)
        assert [(await client.response()).status for _ in range(2)] == [200, 503]


# Half-closed clients -----------------------------------------------------------------


@pytest.mark.parametrize(("stays", "answered"), [(True, True), (False, False)])
async def test_the_end_of_the_client(stays: bool, answered: bool) -> None:
    """http_allow_half_open=False ends the connection with the client (X-022, H-129)."""
    asked = anyio.Event()
    closed = anyio.Event()
    release = anyio.Event()

    async def listener(request: Request, response: Response) -> None:
        response.on("close", closed.set)
        asked.set()
        await release.wait()
        if not response.destroyed:
            response.end("late")

    assert http.create_server().http_allow_half_open is True
    async with served(listener, http_allow_half_open=stays) as (_, client):
        await client.send(GET)
        await asked.wait()
        await client.end()
        if stays:
            release.set()
        else:
            await closed.wait()
        received = await client.read_all()
        release.set()
    assert received.endswith(b"late") is answered


# Any duplex stream -------------------------------------------------------------------


async def test_a_duplex_can_be_brought_as_a_connection() -> None:
    """HTTP is spoken over it; the server need not listen (X-026, H-022)."""
    ours, theirs = duplex_pair()
    sockets: list[object] = []

    async def listener(request: Request, response: Response) -> None:
        sockets.append(request.socket)
        response.end(b"got " + await request.body())

    server = http.create_server(listener)
    server.on("connection", sockets.append)
    server.custom.emit("connection", ours)
    theirs.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody")
    theirs.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n")
    theirs.end(b"more")
    received = b"".join([chunk async for chunk in theirs])
    assert [bytes(part[-8:]) for part in received.split(b"HTTP/1.1 200 OK")[1:]] == [
        b"got body",
        b"got more",
    ]
    assert sockets == [ours] * 3
    assert ours.destroyed


async def test_requests_that_wait_before_an_end_are_answered() -> None:
    """An end that comes while reading is held up cuts no request off (H-129, X-025)."""
    ours, theirs = duplex_pair()

    async def listener(request: Request, response: Response) -> None:
        await anyio.lowlevel.checkpoint()
        response.end(request.url)

    server = http.create_server(listener, max_pipelined_requests=1)
    server.custom.emit("connection", ours)
    theirs.end(b"".join(GET.replace(b"/", b"/%d" % n, 1) for n in (1, 2, 3)))
    received = b"".join([chunk async for chunk in theirs])
    answers = received.split(b"HTTP/1.1 200 OK")[1:]
    assert [bytes(answer[-2:]) for answer in answers] == [b"/1", b"/2", b"/3"]
    closing = [b"Connection: close" in answer for answer in answers]
    assert closing == [False, False, True]


@pytest.mark.parametrize("how", ["garbage", "destroy"])
async def test_what_a_duplex_brings_can_be_bad(how: str) -> None:
    """It is refused as on a socket; its end ends its exchanges (X-026, H-128)."""
    ours, theirs = duplex_pair()
    closed = anyio.Event()
    asked = anyio.Event()

    def listener(request: Request, response: Response) -> None:
        response.on("close", closed.set)
        asked.set()

    server = http.create_server(listener)
    server.custom.emit("connection", ours)
    if how == "garbage":
        theirs.write(b"nonsense\r\n\r\n")
        received = b"".join([chunk async for chunk in theirs])
        assert received == b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"
    else:
        theirs.write(GET)
        await asked.wait()
        theirs.destroy()
        ours.destroy()
        await closed.wait()


async def test_a_brought_connection_is_closed_with_the_others() -> None:
    """close_all_connections counts it (X-026, X-009)."""
    ours, theirs = duplex_pair()
    server = http.create_server()
    closed = anyio.Event()
    ours.on("close", closed.set)
    theirs.on("error", lambda error: None)  # it is cut off
    server.custom.emit("connection", ours)
    theirs.write(b"GET / HT")
    await anyio.lowlevel.checkpoint()
    server.close_all_connections()
    await closed.wait()
