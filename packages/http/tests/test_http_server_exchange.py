"""One request and its answer, seen on the wire."""

from typing import Any, Literal

import pytest

from headrace import http, net
from headrace.http.testing import RawClient, served

Engine = Literal["h11", "llhttp"]
Request = http.IncomingMessage
Response = http.ServerResponse


@pytest.fixture(params=["h11", "llhttp"])
def engine(request: pytest.FixtureRequest) -> Engine:
    """Both parser engines."""
    name: Engine = request.param
    return name


async def test_a_request_reaches_the_listener_and_is_answered(engine: Engine) -> None:
    """The listener sees method, url and headers; the answer goes out (H-021)."""
    seen = []

    def listener(request: Request, response: Response) -> None:
        seen.append((request.method, request.url, request.headers["x-a"]))
        response.end("hello")

    server = http.create_server(listener, engine=engine).listen(0, "127.0.0.1")
    async with server, RawClient(server) as client:
        answer = await client.ask("GET /a?b=c HTTP/1.1\nX-A: 1")
    assert seen == [("GET", "/a?b=c", "1")]
    assert (answer.status, answer.body) == (200, b"hello")
    assert answer.header("content-length") == "5"


async def test_known_length_body_is_streamed_to_the_listener(engine: Engine) -> None:
    """A Content-Length body arrives as data, then end; complete is set (H-106)."""

    async def listener(request: Request, response: Response) -> None:
        body = await request.body()
        response.end(f"{len(body)} {request.complete}")

    server = http.create_server(listener, engine=engine).listen(0, "127.0.0.1")
    async with server, RawClient(server) as client:
        answer = await client.ask(
            "POST / HTTP/1.1\nContent-Length: 200000", b"x" * 200_000
        )
    assert answer.body == b"200000 True"


async def test_chunked_body_and_trailers_reach_the_listener(engine: Engine) -> None:
    """Chunks are decoded; trailers are there at the end (H-110, H-123)."""

    async def listener(request: Request, response: Response) -> None:
        body = await request.body()
        response.end(f"{body!r} {request.trailers} {request.raw_trailers}")

    server = http.create_server(listener, engine=engine).listen(0, "127.0.0.1")
    async with server, RawClient(server) as client:
        answer = await client.ask(
            "POST / HTTP/1.1\nTransfer-Encoding: chunked",
            b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nX-Sum: 5\r\n\r\n",
        )
    assert answer.body == b"b'abcde' {'x-sum': '5'} ['X-Sum', '5']"


async def test_a_collected_body_is_given_again(engine: Engine) -> None:
    """A middleware may look at the body before the handler does (H-105)."""

    async def listener(request: Request, response: Response) -> None:
        first = await request.body()
        response.end(f"{first!r} {await request.text()} {await request.json()}")

    server = http.create_server(listener, engine=engine).listen(0, "127.0.0.1")
    async with server, RawClient(server) as client:
        answer = await client.ask("POST / HTTP/1.1\nContent-Length: 3", b"[1]")
    assert answer.body == b"b'[1]' [1] [1]"


async def test_connection_is_kept_for_the_next_request(engine: Engine) -> None:
    """HTTP/1.1 persists by default and says for how long (H-119, H-124)."""
    server = http.create_server(
        lambda request, response: response.end(request.url), engine=engine
    ).listen(0, "127.0.0.1")
    async with server, RawClient(server) as client:
        answers = [await client.ask(f"GET /{n} HTTP/1.1") for n in range(3)]
    assert [answer.body for answer in answers] == [b"/0", b"/1", b"/2"]
    assert answers[0].header("connection") == "keep-alive"
    assert answers[0].header("keep-alive") == "timeout=65"


async def test_pipelined_requests_are_answered_in_order(engine: Engine) -> None:
    """Answers leave in the order of the requests, however they are ended (H-127)."""
    waiting: list[Response] = []

    def listener(request: Request, response: Response) -> None:
        waiting.append(response)
        if len(waiting) == 3:
            for late in reversed(waiting):
                late.end(late.req.url)

    server = http.create_server(listener, engine=engine).listen(0, "127.0.0.1")
    async with server, RawClient(server) as client:
        await client.send(
            b"".join(b"GET /%d HTTP/1.1\r\nHost: x\r\n\r\n" % n for n in range(3))
        )
        bodies = [(await client.response()).body for _ in range(3)]
    assert bodies == [b"/0", b"/1", b"/2"]


async def test_writes_without_a_length_are_chunked(engine: Engine) -> None:
    """Each write is a chunk; empty ones send nothing (H-120 rule 5, H-123, N-097)."""

    def listener(request: Request, response: Response) -> None:
        response.write("abc")
        response.write("")
        response.write(b"0123456789abcdef")
        response.end()

    server = http.create_server(listener, engine=engine).listen(0, "127.0.0.1")
    async with server, RawClient(server) as client:
        await client.send(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        head, _, body = (await client.read_all()).partition(b"\r\n\r\n")
    assert b"Transfer-Encoding: chunked" in head
    assert body == b"3\r\nabc\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n"


async def test_http_1_0_is_answered_up_to_the_close(engine: Engine) -> None:
    """No chunks for HTTP/1.0; the close ends the body (H-120 rule 6, N-090)."""

    def listener(request: Request, response: Response) -> None:
        response.write("one ")
        response.end("two")

    server = http.create_server(listener, engine=engine).listen(0, "127.0.0.1")
    async with server, RawClient(server) as client:
        await client.send(b"GET / HTTP/1.0\r\n\r\n")
        head, _, body = (await client.read_all()).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"Connection: close" in head
    assert b"Transfer-Encoding" not in head
    assert body == b"one two"


async def test_http_1_0_with_keep_alive_and_length_stays(engine: Engine) -> None:
    """The connection stays if the user set Content-Length, and says so (H-124)."""

    def listener(request: Request, response: Response) -> None:
        response.set_header("Content-Length", 2)
        response.end("ok")

    server = http.create_server(listener, engine=engine).listen(0, "127.0.0.1")
    async with server, RawClient(server) as client:
        for _ in range(2):
            answer = await client.ask("GET / HTTP/1.0\nConnection: keep-alive")
            assert answer.header("connection") == "keep-alive"
            assert answer.body == b"ok"


@pytest.mark.parametrize("ending", ["end", "write"])
async def test_head_is_answered_without_a_body(ending: str, engine: Engine) -> None:
    """HEAD gets the head alone, whatever is written (H-120 rule 1, N-093)."""

    def listener(request: Request, response: Response) -> None:
        if ending == "write":
            response.write("data")
        response.end("data")

    server = http.create_server(listener, engine=engine).listen(0, "127.0.0.1")
    async with server, RawClient(server) as client:
        first = await client.ask("HEAD / HTTP/1.1")
        second = await client.ask("HEAD / HTTP/1.1")
    assert (first.status, second.status) == (200, 200)
    assert first.header("transfer-encoding") is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Content-Length", -1),
        ("Content-Length", "many"),
        ("Content-Length", ["1", "1"]),
        ("Transfer-Encoding", "chunked, chunked"),
    ],
)
@pytest.mark.parametrize("status", [200, 304])
async def test_a_bodiless_head_has_no_wrong_framing(
    name: str, value: Any, status: int
) -> None:
    """What GET refuses to send does not go out for HEAD or 304 (H-120 rule 1)."""

    def listener(request: Request, response: Response) -> None:
        response.status_code = status
        response.set_header(name, value).end()

    async with served(listener) as (_, client):
        answer = await client.ask("HEAD / HTTP/1.1")
    assert answer.status == 500
    assert answer.header(name) is None


@pytest.mark.parametrize("status", [204, 304])
async def test_bodiless_statuses_have_no_body(status: int) -> None:
    """204 and 304 carry neither body nor framing (H-120 rule 1)."""

    def listener(request: Request, response: Response) -> None:
        response.status_code = status
        response.end("dropped")

    server = http.create_server(listener).listen(0, "127.0.0.1")
    async with server, RawClient(server) as client:
        for _ in range(2):
            answer = await client.ask("GET / HTTP/1.1")
            assert answer.status == status
            assert answer.header("content-length") is None
            assert answer.header("transfer-encoding") is None


async def test_trailers_follow_a_chunked_body() -> None:
    """Trailers announced by Trailer go out behind the last chunk (H-055, H-170)."""

    def listener(request: Request, response: Response) -> None:
        response.set_header("Trailer", "Content-MD5")
        response.write("data")
        response.add_trailers({"Content-MD5": "abc"})
        response.end()

    server = http.create_server(listener).listen(0, "127.0.0.1")
    async with server, RawClient(server) as client:
        answer = await client.ask("GET / HTTP/1.1")
    assert (answer.body, answer.trailers) == (b"data", "Content-MD5: abc")


async def test_continue_is_sent_by_itself(engine: Engine) -> None:
    """Without a listener, 100 goes out before the request event (H-024)."""

    async def listener(request: Request, response: Response) -> None:
        response.end(await request.body())

    server = http.create_server(listener, engine=engine).listen(0, "127.0.0.1")
    async with server, RawClient(server) as client:
        interim = await client.ask(
            "POST / HTTP/1.1\nContent-Length: 4\nExpect: 100-Continue"
        )
        assert interim.status == 100
        await client.send(b"body")
        assert (await client.response()).body == b"body"


async def test_connect_hands_over_the_socket(engine: Engine) -> None:
    """The listener gets the authority and the bytes behind the head (H-025)."""
    server = http.create_server(engine=engine)

    def on_connect(request: Request, socket: net.Socket, head: bytes) -> None:
        socket.write(f"HTTP/1.1 200 OK\r\n\r\n{request.url} ".encode() + head)
        socket.pipe(socket)

    server.on("connect", on_connect)
    async with server.listen(0, "127.0.0.1"), RawClient(server) as client:
        await client.send(b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\nfirst")
        answer = await client.read_until(b"first")
        await client.send(b"second")
        echoed = await client.read_exactly(6)
    assert answer == b"HTTP/1.1 200 OK\r\n\r\na:1 first"
    assert echoed == b"second"


async def test_upgrade_without_a_listener_is_an_ordinary_request(
    engine: Engine,
) -> None:
    """An Upgrade that nobody takes up is ignored (H-026)."""

    def listener(request: Request, response: Response) -> None:
        response.end(str(request.upgrade))

    server = http.create_server(listener, engine=engine).listen(0, "127.0.0.1")
    async with server, RawClient(server) as client:
        answer = await client.ask("GET / HTTP/1.1\nConnection: upgrade\nUpgrade: x")
    assert answer.body == b"False"


async def test_malformed_request_gets_400_and_the_server_lives(engine: Engine) -> None:
    """Bad input is answered 400, the connection closes (H-027)."""
    server = http.create_server(
        lambda request, response: response.end("fine"), engine=engine
    ).listen(0, "127.0.0.1")
    async with server:
        async with RawClient(server) as client:
            await client.send(b"NONSENSE\r\n\r\n")
            assert await client.read_all() == (
                b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"
            )
        async with RawClient(server) as client:
            assert (await client.ask("GET / HTTP/1.1")).body == b"fine"
