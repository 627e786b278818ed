"""Bodies of requests that a listener does not read, or stops to read."""

from collections.abc import Callable

import anyio
import anyio.lowlevel
import pytest

from headrace import http
from headrace.http.testing import RawClient, served

Request = http.IncomingMessage
Response = http.ServerResponse

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


def post(size: int) -> bytes:
    """Return the head of a request with a body of `size` bytes."""
    return b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % size


async def answered(client: RawClient, head: bytes) -> None:
    """Send a head, and wait for the answer that comes before the body."""
    await client.send(head)
    assert (await client.response()).status == 200


async def test_a_body_nobody_reads_is_thrown_away() -> None:
    """The rest is read when the answer is out; the connection goes on (H-116)."""
    seen: list[str] = []

    def listener(request: Request, response: Response) -> None:
        request.on("end", lambda: seen.append(f"{request.method} end"))
        response.end("early")

    async with served(listener) as (_, client):
        await answered(client, post(40_000))
        await client.send(b"x" * 40_000)
        assert (await client.ask("GET / HTTP/1.1")).body == b"early"
    assert seen == ["POST end", "GET end"]


@pytest.mark.parametrize("size", [5, 10])
async def test_who_reads_late_gets_all_or_nothing(size: int) -> None:
    """A body of which a part is thrown away is never taken for a whole (H-116)."""
    bodies: list[bytes] = []
    requests: list[Request] = []

    def listener(request: Request, response: Response) -> None:
        response.end("early")
        requests.append(request)

    async with served(listener) as (_, client):
        await answered(client, post(10) + b"0123456789"[:size])
        async with anyio.create_task_group() as tasks:

            async def read() -> None:
                bodies.append(await requests[0].body())

            tasks.start_soon(read)
            await client.send(b"0123456789"[size:])
        await answered(client, GET)
    assert bodies == [b""]


async def test_a_body_behind_a_waiting_answer_is_kept() -> None:
    """It is thrown away when its own answer is out, not another's (H-116, H-127)."""
    bodies: list[bytes] = []
    requests: list[Request] = []
    responses: list[Response] = []

    def listener(request: Request, response: Response) -> None:
        requests.append(request)
        responses.append(response)
        if len(requests) != 2:
            response.end("at once")

    async with served(listener) as (_, client):
        await client.send(GET + GET + post(4) + b"body")
        assert (await client.response()).body == b"at once"
        bodies.append(await requests[2].body())
        responses[1].end("later")
        assert (await client.response()).body == b"later"
        assert (await client.response()).body == b"at once"
    assert bodies == [b"body"]


def paused_first(request: Request) -> None:
    request.pause()


def paused_before_listening(request: Request) -> None:
    request.pause().on("data", pytest.fail)


def encoded(request: Request) -> None:
    request.set_encoding("utf-8")


@pytest.mark.parametrize("prepare", [paused_first, paused_before_listening, encoded])
async def test_who_pauses_before_reading_has_not_begun(
    prepare: Callable[[Request], object],
) -> None:
    """The body is thrown away all the same; nobody is given it (H-116, N-166)."""
    ended: list[str | None] = []

    def listener(request: Request, response: Response) -> None:
        if request.method == "POST":
            prepare(request)
        request.on("end", lambda: ended.append(request.method))
        response.end("early")

    async with served(listener) as (_, client):
        await answered(client, post(60_000))
        await client.send(b"x" * 60_000)
        assert (await client.ask("GET / HTTP/1.1")).body == b"early"
    assert ended == ["POST", "GET"]


async def test_a_body_that_is_paused_halfway_is_kept() -> None:
    """Nothing is thrown away, nothing behind it is served, until it is read on
    (H-116, N-166).
    """
    size = 500_000
    seen: list[str] = []
    received = bytearray()
    requests: list[Request] = []

    def listener(request: Request, response: Response) -> None:
        seen.append(f"{request.method}")
        if request.method == "POST":
            requests.append(request)

            def first(chunk: bytes) -> None:
                received.extend(chunk)
                request.pause()
                response.end("early")

            request.once("data", first)
        else:
            response.end("later")

    async with served(listener) as (_, client), anyio.create_task_group() as tasks:
        tasks.start_soon(client.send, post(size) + b"x" * size + GET)
        assert (await client.response()).body == b"early"
        for _ in range(20):
            await anyio.lowlevel.checkpoint()
        assert seen == ["POST"]
        (request,) = requests
        assert request.is_paused()
        request.on("data", received.extend).resume()
        assert (await client.response()).body == b"later"
    assert len(received) == size
    assert request.complete


async def test_a_body_with_a_readable_listener_is_kept() -> None:
    """Who listens to readable has begun to read (H-116)."""
    requests: list[Request] = []

    def listener(request: Request, response: Response) -> None:
        if request.method == "POST":
            requests.append(request)
            request.on("readable", lambda: None)
        response.end("early")

    async with served(listener) as (_, client):
        await answered(client, post(5))
        await client.send(b"hello")
        await client.ask("GET / HTTP/1.1")
        assert requests[0].read() == b"hello"


@pytest.mark.parametrize(("size", "kept"), [(1000, True), (1001, False)])
async def test_only_so_much_is_thrown_away(size: int, kept: bool) -> None:
    """Beyond max_body_discard the connection is closed instead (X-024)."""

    def listener(request: Request, response: Response) -> None:
        response.end("early")

    async with served(listener, max_body_discard=1000) as (_, client):
        await answered(client, post(size))
        await client.send(b"x" * size)
        if kept:
            assert (await client.ask("GET / HTTP/1.1")).body == b"early"
        else:
            await client.end()
            assert await client.read_all() == b""


async def test_the_limit_is_64_kib() -> None:
    """The default of max_body_discard (X-024)."""
    assert http.create_server().max_body_discard == 65536


async def test_a_body_that_arrived_while_answering_does_not_count() -> None:
    """What waited in the request's buffer is within the limit of the rest (X-024)."""
    asked, release = anyio.Event(), anyio.Event()

    async def listener(request: Request, response: Response) -> None:
        asked.set()
        await release.wait()
        response.end("late")

    async with served(listener, max_body_discard=1000) as (_, client):
        await client.send(post(5000) + b"x" * 5000)
        await asked.wait()
        release.set()
        assert (await client.response()).body == b"late"
        assert (await client.ask("GET / HTTP/1.1")).body == b"late"


async def test_paused_bodies_are_kept_in_an_answer() -> None:
    """A response that its reader pauses loses nothing either (N-166)."""
    size = 300_000

    def listener(request: Request, response: Response) -> None:
        response.end(b"x" * size)

    received = bytearray()
    async with served(listener) as (server, _):
        response = await http.get(port=server.address().port)
        paused = anyio.Event()

        def first(chunk: bytes) -> None:
            received.extend(chunk)
            response.pause()
            paused.set()

        response.once("data", first)
        await paused.wait()
        for _ in range(20):
            await anyio.lowlevel.checkpoint()
        ended = anyio.Event()
        response.on("end", ended.set).on("data", received.extend).resume()
        await ended.wait()
    assert len(received) == size


@pytest.mark.parametrize("mark", [1000, 100_000])
async def test_the_high_water_mark_is_that_of_the_messages(mark: int) -> None:
    """Of the sockets, the requests and the responses (X-017)."""
    marks: list[object] = []

    def listener(request: Request, response: Response) -> None:
        socket = request.socket
        assert socket is not None
        marks.append(socket.readable_high_water_mark)
        marks.append(socket.writable_high_water_mark)
        marks.append(request.readable_high_water_mark)
        marks.append(response.writable_high_water_mark)
        response.end()

    async with served(listener, high_water_mark=mark) as (_, client):
        await client.ask("GET / HTTP/1.1")
    assert marks[:4] == [mark] * 4
    marks.clear()
    async with served(listener) as (_, client):
        await client.ask("GET / HTTP/1.1")
    assert marks[:4] == [65536] * 4


async def test_a_body_whose_reader_was_cancelled() -> None:
    """It can be collected all the same, and is whole (H-105)."""
    seen: list[bytes] = []
    gave_up = anyio.Event()

    async def listener(request: Request, response: Response) -> None:
        with anyio.CancelScope() as scope:
            request.once("data", lambda chunk: scope.cancel())
            await request.body()
        gave_up.set()
        seen.append(await request.body())
        response.end("late")

    async with served(listener) as (_, client):
        await client.send(post(10) + b"first")
        await gave_up.wait()
        await client.send(b" half")
        assert (await client.response()).body == b"late"
    assert seen == [b"first half"]
