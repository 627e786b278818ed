"""Whole heads of answers, byte for byte: order of fields, framing, persistence."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from headrace import http
from headrace.http.testing import RawClient, served

Request = http.IncomingMessage
Response = http.ServerResponse

KEPT = "Connection: keep-alive\r\nKeep-Alive: timeout=65\r\n"
CLOSE = "Connection: close\r\n"


async def sent(listener: Any, request: str, **options: Any) -> tuple[str, bool]:
    """Return the bytes that a server answers, and whether it keeps the connection."""
    head = request.replace("\n", "\r\n") + "\r\nHost: x\r\n\r\n"
    mark = "GET /mark HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

    def with_mark(request: Request, response: Response) -> None:
        if request.url == "/mark":
            response.write_head(299, "mark").end()
        else:
            listener(request, response)

    async with served(with_mark, **options) as (_, client):
        await client.send(f"{head}{mark}".encode())
        text = (await client.read_all()).decode("latin-1")
    answer, is_kept, _ = text.partition("HTTP/1.1 299 mark")
    return re.sub(r"\r\nDate: [^\r]*", "\r\nDate", answer), bool(is_kept)


def ends(response: Response) -> None:
    response.end("abc")


def writes(response: Response) -> None:
    response.write("a")
    response.end("bc")


def length(response: Response) -> None:
    response.set_header("Content-Length", 3)
    response.write("a")
    response.end("bc")


def chunked(response: Response) -> None:
    response.set_header("Transfer-Encoding", "chunked").end("abc")


def nothing(response: Response) -> None:
    response.end()


CHUNKS = "1\r\na\r\n2\r\nbc\r\n0\r\n\r\n"
OLD = "GET / HTTP/1.0"
OLD_KEPT = f"{OLD}\nConnection: keep-alive"


@pytest.mark.parametrize(
    ("asked", "way", "answer", "kept"),
    [
        # Rule 1: no body at all.
        ("HEAD / HTTP/1.1", ends, f"{KEPT}\r\n", True),
        ("HEAD / HTTP/1.1", writes, f"{KEPT}\r\n", True),
        # Rule 2: chunked because it was told.
        (
            "GET / HTTP/1.1",
            chunked,
            f"{KEPT}\r\n3\r\nabc\r\n0\r\n\r\n",
            True,
        ),
        # Rule 3: the length that was told.
        ("GET / HTTP/1.1", length, f"{KEPT}\r\nabc", True),
        (OLD, length, f"{CLOSE}\r\nabc", False),
        (OLD_KEPT, length, f"{KEPT}\r\nabc", True),
        # Rule 4: the length that is known.
        ("GET / HTTP/1.1", ends, f"{KEPT}Content-Length: 3\r\n\r\nabc", True),
        ("GET / HTTP/1.1", nothing, f"{KEPT}Content-Length: 0\r\n\r\n", True),
        ("POST / HTTP/1.1", nothing, f"{KEPT}Content-Length: 0\r\n\r\n", True),
        (OLD, ends, f"{CLOSE}Content-Length: 3\r\n\r\nabc", False),
        # Rule 5: chunks for those who know them.
        (
            "GET / HTTP/1.1",
            writes,
            f"{KEPT}Transfer-Encoding: chunked\r\n\r\n{CHUNKS}",
            True,
        ),
        (
            "GET / HTTP/1.1\nConnection: close",
            writes,
            f"{CLOSE}Transfer-Encoding: chunked\r\n\r\n{CHUNKS}",
            False,
        ),
        (
            f"{OLD_KEPT}\nTE: chunked",
            writes,
            f"{KEPT}Transfer-Encoding: chunked\r\n\r\n{CHUNKS}",
            True,
        ),
        (
            f"{OLD}\nTE: trailers, chunked",
            writes,
            f"{CLOSE}Transfer-Encoding: chunked\r\n\r\n{CHUNKS}",
            False,
        ),
        # Rule 6: up to the close.
        (OLD, writes, f"{CLOSE}\r\nabc", False),
        (OLD_KEPT, writes, f"{CLOSE}\r\nabc", False),
        # An HTTP/1.0 peer that does not know chunks cannot find their end.
        (OLD_KEPT, chunked, f"{CLOSE}\r\n3\r\nabc\r\n0\r\n\r\n", False),
    ],
)
async def test_the_framing_of_a_response(
    asked: str, way: Callable[[Response], None], answer: str, kept: bool
) -> None:
    """The first rule that fits decides, and whether it persists (H-120, H-124)."""
    told = {
        "length": "Content-Length: 3\r\n",
        "chunked": "Transfer-Encoding: chunked\r\n",
    }
    head = f"HTTP/1.1 200 OK\r\n{told.get(way.__name__, '')}Date\r\n"
    listened = await sent(lambda request, response: way(response), asked)
    assert listened == (head + answer, kept)


@pytest.mark.parametrize("status", [204, 304])
@pytest.mark.parametrize(
    ("name", "value", "stays", "kept"),
    [
        ("X", "1", {204, 304}, True),
        ("Content-Length", "9", {304}, True),
        ("Transfer-Encoding", "chunked", {304}, False),
    ],
)
async def test_framing_headers_where_there_is_no_body(
    status: int, name: str, value: str, stays: set[int], kept: bool
) -> None:
    """304 may tell a length; chunked closes, without a last chunk (H-120, N-095)."""

    def listener(request: Request, response: Response) -> None:
        response.write_head(status, {name: value})
        response.end("dropped")

    answer, is_kept = await sent(listener, "GET / HTTP/1.1")
    line = f"{name}: {value}\r\n" if status in stays else ""
    assert answer.split("\r\n", 1)[1] == (
        f"{line}Date\r\n{KEPT if kept else CLOSE}\r\n"
    )
    assert is_kept is kept


@pytest.mark.parametrize(
    "value", [["chunked", "chunked"], "chunked, chunked", ["chunked", "gzip, Chunked"]]
)
async def test_chunked_is_applied_once(value: Any) -> None:
    """Twice is refused when the head is built; another answer is possible (H-120)."""
    codes: list[object] = []

    def listener(request: Request, response: Response) -> None:
        response.set_header("Transfer-Encoding", value)
        with pytest.raises(TypeError) as caught:
            response.end("abc")
        codes.append(getattr(caught.value, "code", None))
        response.set_header("Transfer-Encoding", "gzip, chunked").end("abc")

    answer, kept = await sent(listener, "GET / HTTP/1.1")
    assert "Transfer-Encoding: gzip, chunked\r\n" in answer
    assert answer.endswith("\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
    assert kept
    assert codes == ["ERR_HTTP_INVALID_HEADER_VALUE"]


async def test_automatic_headers_follow_those_of_the_user() -> None:
    """Date, Connection, Keep-Alive, then the framing (H-119)."""

    def listener(request: Request, response: Response) -> None:
        response.set_header("x-b", "1").set_header("X-A", "2").set_header("x-B", "3")
        response.end("abc")

    answer, _ = await sent(listener, "GET / HTTP/1.1", max_requests_per_socket=9)
    assert answer == (
        "HTTP/1.1 200 OK\r\nx-B: 3\r\nX-A: 2\r\nDate\r\nConnection: keep-alive\r\n"
        "Keep-Alive: timeout=65, max=9\r\nContent-Length: 3\r\n\r\nabc"
    )


async def test_one_s_own_keep_alive_header_is_kept() -> None:
    """It replaces the automatic one (H-119)."""

    def listener(request: Request, response: Response) -> None:
        response.set_header("Keep-Alive", "timeout=9").end()

    answer, _ = await sent(listener, "GET / HTTP/1.1")
    assert answer == (
        "HTTP/1.1 200 OK\r\nKeep-Alive: timeout=9\r\nDate\r\n"
        "Connection: keep-alive\r\nContent-Length: 0\r\n\r\n"
    )


@pytest.mark.parametrize("version", ["1.0", "1.1"])
async def test_status_lines_say_http_1_1(version: str) -> None:
    """Whatever the peer's version is (H-118)."""
    answer, _ = await sent(
        lambda request, response: response.end(request.http_version),
        f"GET / HTTP/{version}",
    )
    assert answer.startswith("HTTP/1.1 200 OK\r\n")
    assert answer.endswith(version)


@pytest.mark.parametrize("limit", [0, 2, None])
async def test_surplus_fields_are_dropped(limit: int | None) -> None:
    """Those that frame are read from the whole head all the same; 0 keeps all
    (H-036, N-127).
    """

    async def listener(request: Request, response: Response) -> None:
        body = await request.body()
        fields = len(request.raw_headers) // 2
        response.end(f"{fields} {len(request.headers)} {body.decode()}")

    filler = "\n".join(f"X-{n}: {n}" for n in range(1500))
    options: Any = {} if limit is None else {"max_headers_count": limit}
    async with served(listener, max_header_size=100_000, **options) as (server, client):
        assert server.max_headers_count == (1000 if limit is None else limit)
        answer = await client.ask(
            f"POST / HTTP/1.1\n{filler}\nContent-Length: 4", b"body"
        )
        count = {0: 1502, 2: 2, None: 1000}[limit]
        assert answer.body == f"{count} {count} body".encode()
        server.max_headers_count = 1
        again = await client.ask(f"POST / HTTP/1.1\n{filler}\nContent-Length: 0")
        assert again.body == f"{count} {count} ".encode()
        async with RawClient(server) as later:
            assert (await later.ask("GET / HTTP/1.1\nX: 1")).body == b"1 1 "


async def test_what_a_request_tells_of_itself() -> None:
    """Method, target and version exactly as sent (H-107, H-112, H-113, N-091)."""
    seen: list[object] = []

    def listener(request: Request, response: Response) -> None:
        seen.append((request.method, request.url, request.http_version))
        seen.append((request.http_version_major, request.http_version_minor))
        assert request.status_code is None
        response.end()

    lines = [
        ("GET", '/a?b=c&d="e"{f}', "1.1"),
        ("OPTIONS", "*", "1.1"),
        ("GET", "http://other:81/a//b/../c", "1.1"),
        ("M-SEARCH", "/%00%zz", "1.0"),
    ]
    async with served(listener) as (server, _):
        for method, url, version in lines:
            async with RawClient(server) as client:
                await client.ask(f"{method} {url} HTTP/{version}")
    assert seen[::2] == lines
    assert seen[1::2] == [(1, 1), (1, 1), (1, 1), (1, 0)]
