"""Expect and informational responses (H-024, H-043, X-012, X-031 to X-033)."""

from typing import Any, Literal

import anyio
import pytest

from headrace import http
from headrace.http.testing import served

Engine = Literal["h11", "llhttp"]
Request = http.IncomingMessage
Response = http.ServerResponse

EXPECT = "POST / HTTP/1.1\nContent-Length: 4\nExpect: 100-continue"


@pytest.fixture(params=["h11", "llhttp"])
def engine(request: pytest.FixtureRequest) -> Engine:
    name: Engine = request.param
    return name


def refuse(request: Request, response: Response) -> None:
    raise AssertionError("request must not be emitted")


async def test_check_continue_replaces_request(engine: Engine) -> None:
    """The listener decides; after its 100 the body comes and stays HTTP (N-119)."""

    async def listener(request: Request, response: Response) -> None:
        response.write_continue()
        response.end(await request.body())

    async with served(refuse, engine=engine) as (server, client):
        server.on("check_continue", listener)
        for _ in range(2):
            assert (await client.ask(EXPECT)).status == 100
            await client.send(b"body")
            answer = await client.response()
            assert (answer.status, answer.body) == (200, b"body")
            assert answer.header("connection") == "keep-alive"


@pytest.mark.parametrize("with_body", [False, True])
async def test_a_final_status_without_100_closes(with_body: bool) -> None:
    """Whether the body follows cannot be known: Connection: close (H-024)."""

    def listener(request: Request, response: Response) -> None:
        response.status_code = 417
        response.end("no")

    async with served(refuse) as (server, client):
        server.on("check_continue", listener)
        answer = await client.ask(EXPECT, b"body" if with_body else b"")
        assert await client.read_all() == b""
    assert (answer.status, answer.header("connection")) == (417, "close")


async def test_http_1_0_has_no_expectations() -> None:
    """Expect is ignored in HTTP/1.0 (H-024)."""

    async def listener(request: Request, response: Response) -> None:
        response.end(await request.body())

    async with served(listener) as (server, client):
        server.on("check_continue", refuse)
        answer = await client.ask(EXPECT.replace("1.1", "1.0"), b"body")
    assert (answer.status, answer.body) == (200, b"body")


async def test_another_expectation_is_answered_417(engine: Engine) -> None:
    """Without a listener: 417, no request, and the connection stays (X-012, N-120)."""
    async with served(refuse, engine=engine) as (server, client):
        answer = await client.ask("GET / HTTP/1.1\nExpect: magic")
        assert (answer.status, answer.body) == (417, b"")
        server.remove_all_listeners("request")
        server.on("request", lambda request, response: response.end("next"))
        assert (await client.ask("GET / HTTP/1.1")).body == b"next"


async def test_check_expectation_replaces_request() -> None:
    """With a listener it decides (X-012, N-120)."""
    async with served(refuse) as (server, client):
        server.on("check_expectation", lambda request, response: response.end("mine"))
        answer = await client.ask("GET / HTTP/1.1\nExpect: magic")
    assert (answer.status, answer.body) == (200, b"mine")


async def test_write_continue_is_sent_each_time() -> None:
    """At once, as often as it is called, not after the head (H-043)."""

    def listener(request: Request, response: Response) -> None:
        response.write_continue()
        response.write_continue()
        response.write_head(200)
        with pytest.raises(RuntimeError) as caught:
            response.write_continue()
        response.end(getattr(caught.value, "code", None))

    async with served(listener) as (_, client):
        await client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert await client.read_exactly(50) == b"HTTP/1.1 100 Continue\r\n\r\n" * 2
        assert (await client.response()).body == b"ERR_HTTP_HEADERS_SENT"


async def test_a_1xx_leaves_before_the_answer() -> None:
    """Its callback is called once with None when it is with the system (H-003)."""
    results: list[object] = []
    release = anyio.Event()

    async def listener(request: Request, response: Response) -> None:
        response.write_processing(results.append)
        await release.wait()
        response.end("done")

    async with served(listener) as (_, client):
        assert (await client.ask("GET / HTTP/1.1")).status == 102
        assert results == [None]
        release.set()
        assert (await client.response()).body == b"done"


async def test_early_hints_carry_links_and_other_headers() -> None:
    """Links are joined in one Link field; others follow (X-031, N-118)."""

    def listener(request: Request, response: Response) -> None:
        response.write_early_hints(
            {"link": ["</a.css>; rel=preload", "</b.js>; rel=preload"], "X-Id": 5}
        )
        response.end()

    async with served(listener) as (_, client):
        hints = await client.ask("GET / HTTP/1.1")
        assert (await client.response()).status == 200
    assert hints.status == 103
    assert hints.header("link") == "</a.css>; rel=preload, </b.js>; rel=preload"
    assert hints.header("x-id") == "5"


@pytest.mark.parametrize("hints", [{}, {"link": []}, {"link": ""}, {"X": "1"}])
async def test_hints_without_a_link_send_nothing(hints: dict[str, Any]) -> None:
    """There is nothing to hint at (X-031)."""

    def listener(request: Request, response: Response) -> None:
        response.write_early_hints(hints)
        response.end()

    async with served(listener) as (_, client):
        assert (await client.ask("GET / HTTP/1.1")).status == 200


@pytest.mark.parametrize(
    "link",
    [
        "</a>",
        "</a>;rel=preload",
        "</a.css>; rel=preload; as=style; crossorigin",
        '</a?b=c;d>; rel="preload x"; title="a; \\"b\\", c"',
    ],
)
async def test_links_as_rfc_8288_has_them(link: str) -> None:
    """Parameters may lack a value, or have a quoted one (X-031, N-118)."""

    def listener(request: Request, response: Response) -> None:
        response.write_early_hints({"link": link})
        response.end()

    async with served(listener) as (_, client):
        assert (await client.ask("GET / HTTP/1.1")).header("link") == link


@pytest.mark.parametrize(
    "link",
    [
        "no brackets",
        "</a>; ",
        "</a>;",
        "rel=preload; </a>",
        '</a>; rel="open',
        "</a>, </b>; rel=next",
        "</a> rel=preload",
        "</a>; rel=a\r\nX: y",
        "</a\r\n>; rel=a",
        5,
        ["</a>; rel=preload", "bad"],
    ],
)
async def test_malformed_links_are_refused(link: Any) -> None:
    """Nothing of them is sent (X-031, N-118)."""

    def listener(request: Request, response: Response) -> None:
        with pytest.raises((TypeError, ValueError)):
            response.write_early_hints({"link": link})
        response.end()

    async with served(listener) as (_, client):
        assert (await client.ask("GET / HTTP/1.1")).status == 200


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (99, "ERR_OUT_OF_RANGE"),
        (200, "ERR_OUT_OF_RANGE"),
        (101, "ERR_HTTP_INVALID_STATUS_CODE"),
        ("100", "ERR_INVALID_ARG_TYPE"),
    ],
)
def test_only_informational_statuses_are_written(status: Any, code: str) -> None:
    """write_information takes any 1xx but 101 (X-033)."""
    response = Response(Request(None))
    with pytest.raises((TypeError, ValueError)) as caught:
        response.write_information(status)
    assert getattr(caught.value, "code", None) == code


async def test_framing_headers_of_a_1xx_are_left_out() -> None:
    """An informational response has no body that they could frame (RFC 9110 8.6)."""

    def listener(request: Request, response: Response) -> None:
        response.write_information(
            199, {"Content-Length": 5, "Transfer-Encoding": "chunked", "X": "kept"}
        )
        response.end()

    async with served(listener) as (_, client):
        interim = await client.ask("GET / HTTP/1.1")
    assert interim.head == "HTTP/1.1 199 unknown\r\nX: kept"


async def test_http_1_0_is_sent_no_1xx() -> None:
    """An HTTP/1.0 client would take it for the answer (RFC 9110 15.2)."""
    results: list[object] = []

    def listener(request: Request, response: Response) -> None:
        response.write_processing(results.append)
        response.end("answer")

    async with served(listener) as (_, client):
        assert (await client.ask("GET / HTTP/1.0")).body == b"answer"
    assert results == [None]


async def test_a_1xx_of_a_waiting_response_keeps_its_place() -> None:
    """Behind an earlier answer it waits for its turn (H-127)."""
    release = anyio.Event()

    async def listener(request: Request, response: Response) -> None:
        if request.url == "/1":
            await release.wait()
        else:
            response.write_processing()
            release.set()
        response.end(request.url)

    async with served(listener) as (_, client):
        await client.send(
            b"GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\n"
        )
        assert (await client.response()).body == b"/1"
        assert (await client.response()).status == 102
        assert (await client.response()).body == b"/2"


async def test_a_1xx_after_the_connection_is_lost_tells_its_callback() -> None:
    """The callback of what is never sent gets the error (H-003)."""
    results: list[Any] = []

    def listener(request: Request, response: Response) -> None:
        response.destroy()
        response.write_processing(results.append)

    async with served(listener) as (_, client):
        await client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await client.read_all()
    assert [error.code for error in results] == ["ERR_STREAM_DESTROYED"]
