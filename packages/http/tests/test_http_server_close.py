"""Closing a server and its connections (H-023, H-034, X-009 to X-011)."""

import asyncio
import gc
import warnings
import weakref

import anyio
import anyio.lowlevel
import pytest

from headrace import http
from headrace.events import once
from headrace.http.testing import RawClient, served

Request = http.IncomingMessage
Response = http.ServerResponse

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


async def test_a_silent_connection_does_not_hold_up_close() -> None:
    """One that never sent a byte is idle (H-034, pitfall 11)."""
    server = http.create_server().listen(0, "127.0.0.1")
    arrived = once(server, "connection")
    await server
    async with RawClient(server) as client:
        await arrived
        server.close()
        assert await client.read_all() == b""
    await server.aclose()


async def test_a_head_that_has_begun_is_still_served() -> None:
    """A request that is being received is not idle; its answer says close (H-034)."""
    server = http.create_server(lambda request, response: response.end("served"))
    await server.listen(0, "127.0.0.1")
    arrived = once(server, "connection")
    async with RawClient(server) as client:
        await client.send(GET[:20])
        await arrived
        (connection,) = server._http_connections
        while connection.idle:
            await anyio.lowlevel.checkpoint()
        server.close()
        await client.send(GET[20:])
        answer = await client.response()
        assert await client.read_all() == b""
    assert (answer.body, answer.header("connection")) == (b"served", "close")


async def test_close_tells_its_callback_once() -> None:
    """None at close; an error if the server was not open, with no close (H-034)."""
    results: list[object] = []
    closes: list[str] = []
    server = http.create_server().on("close", lambda: closes.append("close"))
    await server.listen(0, "127.0.0.1")
    assert server.close(results.append) is server
    await once(server, "close")
    told = anyio.Event()
    server.close(results.append).close(lambda error: told.set())
    await told.wait()
    assert results[0] is None
    assert getattr(results[1], "code", None) == "ERR_SERVER_NOT_RUNNING"
    assert closes == ["close"]


async def test_an_answer_under_way_ends_its_connection() -> None:
    """A head that promised to keep the connection is not held to it (H-034)."""
    finish = anyio.Event()

    async def listener(request: Request, response: Response) -> None:
        response.write("one ")
        await finish.wait()
        response.end("two")

    server = http.create_server(listener)
    await server.listen(0, "127.0.0.1")
    async with RawClient(server) as client:
        await client.send(GET)
        head = await client.read_until(b"one \r\n")
        server.close()
        finish.set()
        rest = await client.read_all()
    assert b"Connection: keep-alive" in head
    assert rest == b"3\r\ntwo\r\n0\r\n\r\n"


async def test_requests_that_wait_are_answered_before_the_end() -> None:
    """All that were dispatched get an answer; only the last says close (H-034)."""
    release = anyio.Event()
    arrived: list[str] = []
    both = anyio.Event()

    async def listener(request: Request, response: Response) -> None:
        arrived.append(request.url)
        if len(arrived) == 2:
            both.set()
        await release.wait()
        response.end("ok")

    server = http.create_server(listener)
    await server.listen(0, "127.0.0.1")
    async with RawClient(server) as client:
        await client.send(GET * 2)
        await both.wait()
        server.close()
        release.set()
        answers = [await client.response(), await client.response()]
        assert await client.read_all() == b""
    assert [answer.header("connection") for answer in answers] == [
        "keep-alive",
        "close",
    ]


async def test_nothing_is_handled_behind_an_answer_that_says_close() -> None:
    """Requests behind it are not dispatched (RFC 9112 section 9.6)."""
    seen: list[str] = []

    def listener(request: Request, response: Response) -> None:
        seen.append(request.url)
        response.set_header("Connection", "close")
        response.end("last")

    async with served(listener) as (_, client):
        await client.send(GET * 3)
        assert (await client.response()).body == b"last"
        assert await client.read_all() == b""
    assert seen == ["/"]


async def test_close_idle_connections_spares_the_busy() -> None:
    """Those without a request or an answer under way end, others stay (X-010)."""
    busy, release = anyio.Event(), anyio.Event()

    async def listener(request: Request, response: Response) -> None:
        if request.url == "/slow":
            busy.set()
            await release.wait()
        response.end("ok")

    async with served(listener) as (server, idle), RawClient(server) as working:
        await idle.ask("GET / HTTP/1.1")
        await working.send(GET.replace(b"/ ", b"/slow "))
        await busy.wait()
        server.close_idle_connections()
        assert await idle.read_all() == b""
        release.set()
        assert (await working.response()).header("connection") == "keep-alive"
        assert server.listening


async def test_close_all_connections_spares_none() -> None:
    """Idle and busy ones end at once; the server goes on listening (X-009)."""
    busy = anyio.Event()
    closed = anyio.Event()

    def listener(request: Request, response: Response) -> None:
        if request.url == "/slow":
            response.on("close", closed.set)
            busy.set()
        else:
            response.end("ok")

    async with served(listener) as (server, idle), RawClient(server) as working:
        await idle.ask("GET / HTTP/1.1")
        await working.send(GET.replace(b"/ ", b"/slow "))
        await busy.wait()
        server.close_all_connections()
        assert await idle.read_all() == b""
        assert await working.read_all() == b""
        await closed.wait()
        async with RawClient(server) as another:
            assert (await another.ask("GET / HTTP/1.1")).body == b"ok"


async def test_a_handler_without_an_end_does_not_hold_up_the_end() -> None:
    """close_all_connections ends the async handlers that still owe an answer."""
    busy = anyio.Event()
    ends: list[str] = []

    async def listener(request: Request, response: Response) -> None:
        busy.set()
        try:
            await anyio.sleep_forever()
        finally:
            ends.append("ended")

    async with served(listener) as (server, client):
        await client.send(GET)
        await busy.wait()
        server.close_all_connections()
    assert ends == ["ended"]


async def test_a_handler_whose_client_has_left_does_not_hold_up_the_end() -> None:
    """Nobody waits for its answer either (X-009)."""
    started, lost = anyio.Event(), anyio.Event()

    async def listener(request: Request, response: Response) -> None:
        response.on("close", lost.set)
        started.set()
        await anyio.sleep_forever()

    async with http.create_server(listener).listen(0, "127.0.0.1") as server:
        async with RawClient(server) as client:
            await client.send(GET)
            await started.wait()
            await client.reset()
        await lost.wait()
        server.close_all_connections()


async def test_work_behind_a_complete_answer_is_not_cancelled() -> None:
    """What a handler does after its answer is its own business (X-009)."""
    answered, goes_on = anyio.Event(), anyio.Event()
    ends: list[str] = []

    async def listener(request: Request, response: Response) -> None:
        response.on("close", answered.set)
        response.end("ok")
        await goes_on.wait()
        ends.append("done")

    async with served(listener) as (server, client):
        await client.ask("GET / HTTP/1.1")
        await answered.wait()
        server.close_all_connections()
        goes_on.set()
    assert ends == ["done"]


async def test_leaving_the_block_waits_for_answers_and_handlers() -> None:
    """A normal exit lets the handlers finish (X-011, DESIGN 3)."""
    busy = anyio.Event()
    ends: list[str] = []

    async def listener(request: Request, response: Response) -> None:
        busy.set()
        await anyio.sleep(0.05)
        response.end("late")
        await anyio.sleep(0.05)
        ends.append("done")

    server = http.create_server(listener)
    await server.listen(0, "127.0.0.1")
    async with RawClient(server) as client:
        async with server:
            await client.send(GET)
            await busy.wait()
        assert ends == ["done"]
        assert (await client.response()).body == b"late"


async def test_cancelling_the_block_ends_everything() -> None:
    """Under cancellation connections and handlers end at once (DESIGN 3)."""
    busy = anyio.Event()
    ends: list[str] = []

    async def listener(request: Request, response: Response) -> None:
        response.write("half")
        busy.set()
        try:
            await anyio.sleep_forever()
        finally:
            ends.append("cancelled")

    server = http.create_server(listener)
    with anyio.CancelScope() as scope:
        async with server.listen(0, "127.0.0.1"), RawClient(server) as client:
            await client.send(GET)
            await busy.wait()
            scope.cancel()
            await anyio.sleep_forever()
    assert ends == ["cancelled"]
    assert not server._http_connections
    assert not server.listening


async def test_a_server_listens_again_after_close() -> None:
    """Connections are kept again by a server that was opened again (H-033)."""
    server = http.create_server(lambda request, response: response.end("ok"))
    for _ in range(2):
        async with server.listen(0, "127.0.0.1"), RawClient(server) as client:
            for _ in range(2):
                answer = await client.ask("GET / HTTP/1.1")
                assert answer.header("connection") == "keep-alive"


def test_a_server_object_serves_two_loops_in_turn() -> None:
    """Its timers belong to the loop that runs (H-019)."""
    server = http.create_server(
        lambda request, response: response.end("ok"),
        keep_alive_timeout=0.2,
        keep_alive_timeout_buffer=0.0,
    )

    async def serve() -> None:
        async with server.listen(0, "127.0.0.1"), RawClient(server) as client:
            await client.ask("GET / HTTP/1.1")
            assert await client.read_all() == b""

    for backend in ("asyncio", "trio", "asyncio"):
        anyio.run(serve, backend=backend)


def test_a_program_that_ends_leaves_nothing() -> None:
    """No task, socket or warning is left of a server nobody closed (DESIGN 4)."""

    async def main() -> None:
        busy = asyncio.Event()
        server = http.create_server(lambda request, response: busy.set())
        await server.listen(0, "127.0.0.1")
        async with RawClient(server) as client:
            await client.send(GET)
            await busy.wait()

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        asyncio.run(main())
        gc.collect()
    assert [str(warning.message) for warning in caught] == []


async def test_a_closed_connection_goes_without_the_collector() -> None:
    """Requests, responses and connections form no cycles that stay (DESIGN 8)."""
    left: list[weakref.ref[object]] = []
    closed = anyio.Event()

    def listener(request: Request, response: Response) -> None:
        left.extend([weakref.ref(request), weakref.ref(response)])
        assert request.socket is not None
        left.append(weakref.ref(request.socket))
        request.socket.once("close", closed.set)
        response.end("ok")

    gc.collect()
    gc.disable()
    try:
        async with served(listener) as (_, client):
            await client.ask("GET / HTTP/1.1\nConnection: close")
            await closed.wait()
            assert [ref() for ref in left] == [None] * 3
    finally:
        gc.enable()


async def test_what_is_left_behind_the_last_answer_does_not_prolong_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The beginning of a request that nobody will read starts no clock (X-024)."""
    monkeypatch.setattr("headrace.http._ending.LINGER", 0.2)
    closed = anyio.Event()

    def listener(request: Request, response: Response) -> None:
        if request.url == "/last":
            response.set_header("Connection", "close")
        response.end(request.url)

    async with served(listener) as (server, client):
        await client.ask("GET / HTTP/1.1")
        (connection,) = server._http_connections
        connection.net_socket.on("close", closed.set)
        await client.send(b"GET /last HTTP/1.1\r\nHost: x\r\n\r\nGET /ne")
        assert (await client.response()).body == b"/last"
        with anyio.fail_after(5):
            await closed.wait()
