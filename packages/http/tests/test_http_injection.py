"""Nothing that a program says can add a line, or a message, to what it sends.

Every public way into a head, a trailer section or a 1xx is given text that tries to: as
it is, and in the disguises that Python offers, objects that show one thing to a check
and another to formatting. Source: H-048, H-049, H-055, H-063, H-064, H-131, H-132,
pitfall 15, CVE-2020-7695, CVE-2026-34519.
"""

import enum
from collections.abc import Callable
from typing import Any

import anyio.lowlevel
import pytest

from headrace import http
from headrace.http import IncomingMessage, ServerResponse
from headrace.http.testing import HostileServer, RawClient, ok, served, stays

SPLIT = "v\r\nEvil: 1\r\n\r\nHTTP/1.1 200 OK\r\nEvil: 2\r\n\r\n"


class OddFormat(str):
    """Shows its characters to an expression and others to formatting."""

    __slots__ = ()

    def __format__(self, spec: str) -> str:
        return SPLIT

    def __str__(self) -> str:
        return SPLIT


class OddText(str):
    """Its text is a text that formats itself in another way."""

    __slots__ = ()

    def __str__(self) -> str:
        return OddFormat("ok")


class OddCase(str):
    """Its upper-case and lower-case forms are others."""

    __slots__ = ()

    def upper(self) -> str:
        return SPLIT

    def lower(self) -> str:
        return SPLIT


class OddTwin(str):
    """Is equal to every name that was checked before."""

    __slots__ = ()

    def __hash__(self) -> int:
        return hash("X-Known")

    def __eq__(self, other: object) -> bool:
        return True

    def __format__(self, spec: str) -> str:
        return SPLIT


class OddInt(int):
    def __str__(self) -> str:
        return SPLIT

    __repr__ = __str__


class OddFloat(float):
    def __str__(self) -> str:
        return SPLIT

    __repr__ = __str__


class OddBytes(bytes):
    def decode(self, *args: Any, **options: Any) -> str:
        return OddFormat("ok")


class OddList(list[Any]):
    """Holds one thing when it is looked at first, and another later."""

    looks = 0

    def __iter__(self) -> Any:
        self.looks += 1
        return iter(["ok"] if self.looks == 1 else [SPLIT])


class Word(str, enum.Enum):  # noqa: UP042  # a StrEnum has no odd format
    """What people use for constants: its format is ``Word.OK``."""

    OK = "ok"


def disguises() -> list[Any]:
    """Return what is tried: fresh objects, because some change when looked at."""
    plain = [f"a{char}b" for char in "\r\n\0\x0b\x1f\x7f\u0100\u010a\u2028"]
    others = [b"a\r\nb", ["ok", "a\r\nb"], ("a\nb",), (each for each in [SPLIT])]
    odd = [OddFormat("ok"), OddText("ok"), OddCase("ok"), OddTwin("ok"), OddInt(3)]
    odder = [OddFloat(3), OddBytes(b"ok"), OddList(["ok"]), [OddFormat("ok")], Word.OK]
    return [SPLIT, *plain, *others, *odd, *odder]


Way = Callable[[ServerResponse, Any], object]


def mutate(response: ServerResponse, value: Any) -> None:
    """A list that was right when it was given."""
    values = ["ok"]
    response.set_header("X-A", values)
    values.append(value)


def trailer(response: ServerResponse, name: Any, value: Any) -> None:
    response.set_header("Trailer", "X-A")
    response.write("x")
    response.add_trailers([(name, value)])


def late_reason(response: ServerResponse, value: Any) -> None:
    response.write_head(200)
    response.status_message = value


def reason(response: ServerResponse, value: Any) -> None:
    response.status_message = value


def status(response: ServerResponse, value: Any) -> None:
    response.status_code = value


TWO_REQUESTS = (
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    b"GET /end HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
)
HINT = "</a>; rel=preload"

WAYS: dict[str, Way] = {
    "set_header value": lambda r, v: r.set_header("X-A", v),
    "set_header name": lambda r, v: r.set_header(v, "x"),
    "append_header value": lambda r, v: r.append_header("X-A", v),
    "append_header name": lambda r, v: r.append_header(v, "x").append_header(v, "y"),
    "set_headers value": lambda r, v: r.set_headers({"X-A": v}),
    "set_headers name": lambda r, v: r.set_headers([(v, "x")]),
    "write_head value": lambda r, v: r.write_head(200, {"X-A": v}),
    "write_head name": lambda r, v: r.write_head(200, [v, "x", "X-A", "y"]),
    "write_head mapping": lambda r, v: r.write_head(200, {v: "x"}),
    "write_head reason": lambda r, v: r.write_head(200, v),
    "write_head reason and headers": lambda r, v: r.write_head(200, v, {"X-A": "b"}),
    "write_head status": lambda r, v: r.write_head(v),
    "status_message": reason,
    "status_message late": late_reason,
    "status_code": status,
    "trailer value": lambda r, v: trailer(r, "X-A", v),
    "trailer name": lambda r, v: trailer(r, v, "x"),
    "early hint": lambda r, v: r.write_early_hints({"link": v}),
    "early hint list": lambda r, v: r.write_early_hints({"link": [HINT, v]}),
    "early hint value": lambda r, v: r.write_early_hints({"link": HINT, "X-A": v}),
    "early hint name": lambda r, v: r.write_early_hints({"link": HINT, v: "x"}),
    "information value": lambda r, v: r.write_information(103, {"X-A": v}),
    "information name": lambda r, v: r.write_information(103, [(v, "x")]),
    "information status": lambda r, v: r.write_information(v),
    "Content-Length": lambda r, v: r.set_header("Content-Length", v),
    "Transfer-Encoding": lambda r, v: r.set_header("Transfer-Encoding", [v, "chunked"]),
    "Connection": lambda r, v: r.set_header("Connection", v),
    "Date": lambda r, v: r.set_header("Date", v),
    "Set-Cookie": lambda r, v: r.set_header("Set-Cookie", ["a", v]),
    "a list that changes": mutate,
}


@pytest.mark.parametrize("way", WAYS)
async def test_no_way_splits_a_response(way: str) -> None:
    """Whatever is tried raises, or is sent as the characters that were checked."""
    tried: list[Any] = []

    def listener(request: IncomingMessage, response: ServerResponse) -> None:
        if request.url == "/end":
            response.end("end")
            return
        WAYS[way](response, tried[-1])
        response.end("x")

    async with http.create_server(listener).listen(0, "127.0.0.1") as server:
        for value in disguises():
            tried.append(value)
            async with RawClient(server) as client:
                await client.send(TWO_REQUESTS)
                answer = await client.read_all()
            where = f"{type(value).__name__} {value!r}: {answer!r}"
            assert b"Evil" not in answer, where
            assert b"Word." not in answer, where
            finals = answer.count(b"HTTP/1.1 ") - answer.count(b"HTTP/1.1 103 ")
            assert finals == 2 if answer.endswith(b"end") else finals <= 1, where
    assert len(tried) > 20


async def request_head(**options: Any) -> str:
    """Send a request; return its head as the server saw it, ``""`` if it raised."""
    async with HostileServer(stays(ok())) as server:
        try:
            async with http.Agent() as agent:
                address = {"host": "127.0.0.1", "port": server.port, "agent": agent}
                await http.get({**address, **options})
        except (TypeError, ValueError):
            assert not server.heads
            return ""
        (head,) = server.heads
        return head.decode("latin-1")


@pytest.mark.parametrize("option", ["path", "method", "host header", "value", "name"])
async def test_no_option_splits_a_request(option: str) -> None:
    """The same for a client's method, path, host and headers (CVE-2022-31150)."""
    prefix = {"path": "/", "method": "GE"}.get(option, "")
    for value in disguises():
        given: Any = value
        if isinstance(value, str) and not isinstance(value, enum.Enum):
            given = type(value)(prefix + str.__str__(value))
        options: dict[str, Any] = {
            "path": {"path": given},
            "method": {"method": given},
            "host header": {"headers": {"Host": given}},
            "value": {"headers": {"X-A": given}},
            "name": {"headers": [given, "x"]},
        }[option]
        head = await request_head(**options)
        where = f"{type(value).__name__} {value!r}: {head!r}"
        assert "Evil" not in head, where
        assert "Word." not in head, where
        assert head == "" or head.count("\r\n\r\n") == 1, where


async def test_a_get_that_raises_leaves_nothing_behind() -> None:
    """Nobody has the request, so its place in the pool is free again (H-018)."""
    async with HostileServer(stays(ok())) as server, http.Agent() as agent:
        with pytest.raises(http.InvalidHeaderValueError):
            http.get(server.url(), agent=agent, headers={"Content-Length": "+1"})
        await anyio.lowlevel.checkpoint()
        assert (agent.requests, agent.total_socket_count) == ({}, 0)


async def test_text_of_a_subclass_is_sent_as_the_text_it_holds() -> None:
    """Members of an Enum with text are text: for names, values and phrases (H-049)."""

    def listener(request: IncomingMessage, response: ServerResponse) -> None:
        response.set_header(Word.OK, Word.OK)
        response.write_head(200, Word.OK, {"X-Known": Word.OK})
        response.end()

    async with served(listener) as (_, client):
        answer = await client.ask("GET / HTTP/1.1")
    assert answer.head.startswith("HTTP/1.1 200 ok\r\n")
    assert (answer.header("ok"), answer.header("x-known")) == ("ok", "ok")


async def test_a_length_beyond_64_bits_is_refused() -> None:
    """No receiver could count to it (RFC 9112 section 6.2)."""
    codes: list[str] = []

    def listener(request: IncomingMessage, response: ServerResponse) -> None:
        response.set_header("Content-Length", 2**64)
        try:
            response.end("x")
        except http.InvalidHeaderValueError as error:
            codes.append(error.code)
        response.set_header("Content-Length", 1)
        response.end("x")

    async with served(listener) as (_, client):
        assert (await client.ask("GET / HTTP/1.1")).body == b"x"
    assert codes == ["ERR_HTTP_INVALID_HEADER_VALUE"]
