"""The headers of a message that we send: what is accepted, kept and refused."""

from typing import Any

import pytest

from headrace import http
from headrace.http.testing import RawClient

Request = http.IncomingMessage
Response = http.ServerResponse


def message() -> http.OutgoingMessage:
    return http.OutgoingMessage()


def test_a_name_is_found_in_any_case() -> None:
    """get, has and remove ignore case; the value is as given (H-052, N-107)."""
    out = message()
    out.set_header("X-Test", 5)
    assert out.get_header("x-TEST") == 5
    assert out.has_header("x-test")
    out.remove_header("X-TeSt")
    assert out.get_header("X-Test") is None


def test_setting_again_keeps_the_place_and_takes_the_new_spelling() -> None:
    """A later value replaces an earlier one in place (H-049)."""
    out = message()
    out.set_header("a", "1").set_header("B", "2").set_header("A", "3")
    assert out.get_raw_header_names() == ["A", "B"]
    assert out.get_header_names() == ["a", "b"]
    assert out.get_headers() == {"a": "3", "b": "2"}


def test_append_header_makes_a_list() -> None:
    """append_header keeps what is there (X-034)."""
    out = message()
    out.append_header("Link", "a").append_header("link", "b")
    out.append_header("LINK", ["c", "d"])
    assert out.get_header("link") == ["a", "b", "c", "d"]


def test_set_headers_collects_cookies() -> None:
    """Several at once; repeated Set-Cookie pairs are kept (X-035)."""
    out = message()
    out.set_headers([("Set-Cookie", "a=1"), ("X", "1"), ("set-cookie", "b=2")])
    assert out.get_headers() == {"set-cookie": ["a=1", "b=2"], "x": "1"}


@pytest.mark.parametrize("name", ["", "a b", "a:", "é", "a\r\n", "(x)", None, 5])
def test_bad_names_are_refused(name: Any) -> None:
    """A header name is a token (H-131)."""
    with pytest.raises(TypeError) as caught:
        message().set_header(name, "x")
    assert getattr(caught.value, "code", None) == "ERR_INVALID_HTTP_TOKEN"


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (None, "ERR_HTTP_INVALID_HEADER_VALUE"),
        (True, "ERR_INVALID_ARG_TYPE"),
        ({}, "ERR_INVALID_ARG_TYPE"),
        ("a\r\nb", "ERR_INVALID_CHAR"),
        ("a\nb", "ERR_INVALID_CHAR"),
        ("a\0", "ERR_INVALID_CHAR"),
        ("\x7f", "ERR_INVALID_CHAR"),
        ("\u20ac", "ERR_INVALID_CHAR"),
        (b"a\rb", "ERR_INVALID_CHAR"),
        (["fine", "a\r\nb"], "ERR_INVALID_CHAR"),
    ],
)
def test_bad_values_are_refused(value: Any, code: str) -> None:
    """Values hold no control or non-latin-1 characters (H-132)."""
    out = message()
    with pytest.raises(TypeError) as caught:
        out.set_header("X", value)
    assert getattr(caught.value, "code", None) == code
    assert not out.has_header("X")


@pytest.mark.parametrize("name", ["Content-Length", "Host", "Trailer", "set-cookie"])
def test_framing_and_routing_names_are_no_trailers(name: str) -> None:
    """Such trailers are refused (H-055, RFC 9110 section 6.5.1)."""
    with pytest.raises(RuntimeError) as caught:
        message().add_trailers({name: "1"})
    assert getattr(caught.value, "code", None) == "ERR_HTTP_TRAILER_INVALID"


async def test_list_values_become_one_field_each() -> None:
    """A list is one field per item, in order (H-049, H-170, N-108)."""

    def listener(request: Request, response: Response) -> None:
        response.set_header("Set-Cookie", ["type=ninja", "language=javascript"])
        response.end()

    server = http.create_server(listener).listen(0, "127.0.0.1")
    async with server, RawClient(server) as client:
        head = (await client.ask("GET / HTTP/1.1")).head
    assert "\r\nSet-Cookie: type=ninja\r\nSet-Cookie: language=javascript\r\n" in head


async def test_a_head_given_as_a_list_is_sent_as_it_is() -> None:
    """Order, case and repetition of a flat list reach the wire (H-044, X-037)."""

    def listener(request: Request, response: Response) -> None:
        response.set_header("x-B", "replaced")
        response.write_head(200, ["X-a", "1", "x-b", "2", "X-A", "3"])
        response.end()

    server = http.create_server(listener).listen(0, "127.0.0.1")
    async with server, RawClient(server) as client:
        head = (await client.ask("GET / HTTP/1.1")).head
    lines = [line for line in head.split("\r\n") if line.lower().startswith("x-")]
    assert lines == ["X-a: 1", "x-b: 2", "X-A: 3"]


async def test_write_head_wins_over_set_header_and_can_be_read() -> None:
    """write_head merges, wins per name, and get_header finds it (H-044)."""
    found = []

    def listener(request: Request, response: Response) -> None:
        response.set_header("X-One", "1").set_header("X-Two", "2")
        response.write_head(200, "Fine", {"x-one": "new"})
        found.append(response.get_header("X-One"))
        response.end()

    server = http.create_server(listener).listen(0, "127.0.0.1")
    async with server, RawClient(server) as client:
        answer = await client.ask("GET / HTTP/1.1")
    assert answer.head.startswith("HTTP/1.1 200 Fine\r\nx-one: new\r\nX-Two: 2\r\n")
    assert found == ["new"]


@pytest.mark.parametrize(
    "code", [-1, 99, 1000, "2000", float("inf"), {}, True, None, 200.0, "2e2"]
)
async def test_impossible_status_codes_are_refused(code: Any) -> None:
    """The code is an integer from 100 to 999; the answer is still possible (N-102)."""
    codes = []

    def listener(request: Request, response: Response) -> None:
        try:
            response.write_head(code)
        except ValueError as error:
            codes.append(getattr(error, "code", None))
        response.write_head("201")  # type: ignore[arg-type]  # text of digits is allowed
        response.end()

    server = http.create_server(listener).listen(0, "127.0.0.1")
    async with server, RawClient(server) as client:
        assert (await client.ask("GET / HTTP/1.1")).status == 201
    assert codes == ["ERR_HTTP_INVALID_STATUS_CODE"]


async def test_the_head_is_fixed_once() -> None:
    """After write_head every change of the head raises (H-044, H-049, N-104, N-106)."""
    codes = []

    def listener(request: Request, response: Response) -> None:
        response.write_head(200)
        for change in (
            lambda: response.write_head(201),
            lambda: response.set_header("a", "b"),
            lambda: response.remove_header("a"),
            lambda: response.write_continue(),
        ):
            try:
                change()
            except RuntimeError as error:
                codes.append(getattr(error, "code", None))
        response.end()

    server = http.create_server(listener).listen(0, "127.0.0.1")
    async with server, RawClient(server) as client:
        assert (await client.ask("GET / HTTP/1.1")).status == 200
    assert codes == ["ERR_HTTP_HEADERS_SENT"] * 4


async def test_removed_automatic_headers_stay_away() -> None:
    """Removed Date, Connection and framing are not added; close ends it (H-122)."""

    def listener(request: Request, response: Response) -> None:
        for name in ("Date", "Connection", "Content-Length", "Transfer-Encoding"):
            response.remove_header(name)
        response.end("up to the close")

    server = http.create_server(listener).listen(0, "127.0.0.1")
    async with server, RawClient(server) as client:
        await client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = await client.read_all()
    assert answer == b"HTTP/1.1 200 OK\r\n\r\nup to the close"


async def test_length_and_chunked_are_never_both_sent() -> None:
    """Transfer-Encoding wins over Content-Length (H-120 rule 2)."""

    def listener(request: Request, response: Response) -> None:
        response.write_head(200, {"Content-Length": 9, "Transfer-Encoding": "chunked"})
        response.end("abc")

    server = http.create_server(listener).listen(0, "127.0.0.1")
    async with server, RawClient(server) as client:
        answer = await client.ask("GET / HTTP/1.1")
    assert answer.header("content-length") is None
    assert answer.body == b"abc"
