"""What `request` accepts, what it refuses, and what of it reaches the wire."""

from collections.abc import Callable
from typing import Any

import pytest

from headrace import http
from headrace.events.loop import checkpoint
from headrace.http.testing import HostileServer, ok, stays
from headrace.streams import duplex_pair

Respond = Callable[[http.IncomingMessage], object]


async def head_of(
    url_path: str = "/", body: bytes | None = None, **options: Any
) -> str:
    """Return the head that a request with these options sends."""
    async with HostileServer(stays(ok())) as server:
        request = http.request(server.url(url_path), agent=http.Agent(), **options)
        request.end(body)
        await (await request).body()
        request.destroy()
        return server.heads[0].decode("latin-1").replace(str(server.port), "PORT")


def code_of(error: BaseException) -> object:
    return getattr(error, "code", None)


# Where to


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://h", ("h", 80, "/")),
        ("http://h:8080/p/q?r=s&t=%20#frag", ("h", 8080, "/p/q?r=s&t=%20")),
        ("http://h?x=1", ("h", 80, "/?x=1")),
        ("HTTP://H.Example:/", ("H.Example", 80, "/")),
        ("http://[::1]:81/a", ("::1", 81, "/a")),
        ("http://b\u00fccher.example/", ("xn--bcher-kva.example", 80, "/")),
    ],
)
async def test_a_url_is_split(url: str, expected: tuple[str, int, str]) -> None:
    """Host, port, path and query come from it; the fragment goes (H-058, N-140)."""
    seen = await connect_options(url)
    assert (seen["host"], seen["port"], seen["path"]) == expected


async def connect_options(*arguments: Any, **options: Any) -> dict[str, Any]:
    """Return what an agent is told about a request."""

    class Spy(http.Agent):
        seen: dict[str, Any]

        def add_request(self, request: Any, options: Any = None) -> None:
            self.seen = {**options, "path": request.path}

    agent = Spy()
    request = http.request(*arguments, agent=agent, **options)
    request.on("error", lambda error: None).destroy()
    return agent.seen


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/path",
        "h:80",
        "http:/h",
        "http://",
        "http:///p",
        "http://h:x/",
        "http://h:65536/",
        "http://h:000080/",
        "http://a b/",
        "http://h\r\nX: y/",
        "http://good\\@evil/",
        "http://[::1/",
        "http://h@/",
    ],
)
async def test_what_is_no_url_is_refused(url: str) -> None:
    """ERR_INVALID_URL, before anything is sent (H-058)."""
    with pytest.raises(TypeError) as caught:
        http.request(url)
    assert code_of(caught.value) == "ERR_INVALID_URL"


@pytest.mark.parametrize(
    "url",
    ["https://h/", "ftp://h/", "file:///etc/passwd", "mailto:a@h.example", "xmpp:a@h"],
)
async def test_other_protocols_are_refused(url: str) -> None:
    """The scheme must be the agent's (H-058, N-141)."""
    with pytest.raises(TypeError) as caught:
        http.request(url)
    assert code_of(caught.value) == "ERR_INVALID_PROTOCOL"


async def test_keywords_win_over_mapping_and_mapping_over_url() -> None:
    """The three ways combine by that precedence (H-002)."""
    mapping = {"host": "mapping", "port": 2, "path": "/mapping"}
    seen = await connect_options("http://url:1/url", mapping, port=3)
    assert (seen["host"], seen["port"], seen["path"]) == ("mapping", 3, "/mapping")


async def test_the_mapping_is_not_changed() -> None:
    """The caller's options stay as they are (H-002, N-142)."""
    mapping = {"host": "h", "headers": {"X": "1"}, "method": "POST"}
    await connect_options(mapping, port=1)
    assert mapping == {"host": "h", "headers": {"X": "1"}, "method": "POST"}


@pytest.mark.parametrize("as_mapping", [True, False])
async def test_unknown_options_are_refused(as_mapping: bool) -> None:
    """A misspelt name raises, wherever it stands (H-002)."""
    options: dict[str, Any] = {"hostnam": "h"}
    with pytest.raises(TypeError, match="hostnam"):
        http.request(options) if as_mapping else http.request(**options)


async def test_none_counts_as_not_given() -> None:
    """An option that is None has its default (H-002)."""
    seen = await connect_options(host=None, port=None, path=None, method=None)
    assert (seen["host"], seen["port"], seen["path"]) == ("localhost", 80, "/")


async def test_hostname_wins_over_host() -> None:
    """hostname first, then host; an empty one is not given (H-059)."""
    assert (await connect_options(host="a", hostname="b"))["host"] == "b"
    assert (await connect_options(host="a", hostname=""))["host"] == "a"


@pytest.mark.parametrize(
    ("options", "error", "code"),
    [
        ({"host": 1}, TypeError, "ERR_INVALID_ARG_TYPE"),
        ({"hostname": b"h"}, TypeError, "ERR_INVALID_ARG_TYPE"),
        ({"host": "a\r\nb"}, TypeError, "ERR_INVALID_CHAR"),
        ({"host": "a b"}, ValueError, "ERR_INVALID_ARG_VALUE"),
        ({"host": "localhost:8080"}, ValueError, "ERR_INVALID_ARG_VALUE"),
        ({"port": "x"}, ValueError, "ERR_SOCKET_BAD_PORT"),
        ({"port": -1}, ValueError, "ERR_SOCKET_BAD_PORT"),
        ({"port": 65536}, ValueError, "ERR_SOCKET_BAD_PORT"),
        ({"port": True}, ValueError, "ERR_SOCKET_BAD_PORT"),
        ({"port": 1.5}, ValueError, "ERR_SOCKET_BAD_PORT"),
        ({"family": 5}, ValueError, "ERR_INVALID_ARG_VALUE"),
        ({"local_address": 5}, TypeError, "ERR_INVALID_ARG_TYPE"),
        ({"socket_path": 5}, TypeError, "ERR_INVALID_ARG_TYPE"),
        ({"lookup": 5}, TypeError, "ERR_INVALID_ARG_TYPE"),
        ({"path": 5}, TypeError, "ERR_INVALID_ARG_TYPE"),
        ({"auth": 5}, TypeError, "ERR_INVALID_ARG_TYPE"),
        ({"method": 5}, TypeError, "ERR_INVALID_ARG_TYPE"),
        ({"agent": 5}, TypeError, "ERR_INVALID_ARG_TYPE"),
        ({"agent": {}}, TypeError, "ERR_INVALID_ARG_TYPE"),
        ({"timeout": "1"}, TypeError, "ERR_INVALID_ARG_TYPE"),
        ({"timeout": True}, TypeError, "ERR_INVALID_ARG_TYPE"),
        ({"timeout": -1}, ValueError, "ERR_OUT_OF_RANGE"),
        ({"total_timeout": float("nan")}, ValueError, "ERR_OUT_OF_RANGE"),
        ({"connect_timeout": float("inf")}, ValueError, "ERR_OUT_OF_RANGE"),
        ({"max_header_size": -1}, ValueError, "ERR_OUT_OF_RANGE"),
        ({"set_host": 1}, TypeError, "ERR_INVALID_ARG_TYPE"),
        ({"create_connection": 5}, TypeError, "ERR_INVALID_ARG_TYPE"),
        ({"cancel": 5}, TypeError, "ERR_INVALID_ARG_TYPE"),
        ({"callback": 5}, TypeError, "ERR_INVALID_ARG_TYPE"),
        ({"headers": 5}, TypeError, "ERR_INVALID_ARG_TYPE"),
        ({"headers": ["odd"]}, ValueError, "ERR_INVALID_ARG_VALUE"),
    ],
)
async def test_bad_options_raise_at_once(
    options: dict[str, Any], error: type[Exception], code: str
) -> None:
    """Wrong types and values raise synchronously (H-059 to H-069, N-143)."""
    with pytest.raises(error) as caught:
        http.request(**options)
    assert code_of(caught.value) == code


async def test_arguments_of_no_known_form_raise() -> None:
    """Neither URL nor mapping nor callback: ERR_INVALID_ARG_TYPE (H-003)."""
    wrong: Any = 5
    forms: list[Any] = [(wrong,), ("http://h/", wrong), ("http://h/", {}, wrong)]
    for arguments in forms:
        with pytest.raises(TypeError) as caught:
            http.request(*arguments)
        assert code_of(caught.value) == "ERR_INVALID_ARG_TYPE"


async def test_the_callback_may_stand_anywhere() -> None:
    """It becomes a one-time listener of response (H-003, H-017, H-058)."""

    def callback(response: http.IncomingMessage) -> None:
        pass

    url: Any = "http://127.0.0.1:9/"
    for request in (
        http.request(url, callback),
        http.request(url, {"method": "PUT"}, callback),
        http.request({"port": 9}, callback),
        http.request(callback, port=9),
        http.request(url, callback=callback),
    ):
        assert request.listeners("response") == [callback]
        request.on("error", lambda error: None).destroy()


# The line


@pytest.mark.parametrize("method", ["a b", "GET\r\n", "", "G\u00c4T", "(x)", "GET\0"])
async def test_methods_are_tokens(method: str) -> None:
    """Also when assigned later (H-063, N-144, CVE-2023-49082)."""
    with pytest.raises(TypeError) as caught:
        http.request(port=9, method=method)
    assert code_of(caught.value) == "ERR_INVALID_HTTP_TOKEN"
    request = http.request(port=9).on("error", lambda error: None)
    with pytest.raises(TypeError):
        request.method = method
    assert request.method == "GET"
    request.destroy()


@pytest.mark.parametrize(
    "path",
    ["/a b", "/a\r\nX: y", "/\0", "/\x7f", "/\u010a", "/\u560d\u560a", "/\t"],
)
async def test_paths_hold_no_spaces_or_controls(path: str) -> None:
    """Also when assigned later, and in URLs (H-064, N-144, CVE-2018-12116)."""
    with pytest.raises(TypeError) as caught:
        http.request(port=9, path=path)
    assert code_of(caught.value) == "ERR_UNESCAPED_CHARACTERS"
    with pytest.raises(TypeError):
        http.request(f"http://127.0.0.1:9{path}")
    request = http.request(port=9).on("error", lambda error: None)
    with pytest.raises(TypeError) as caught:
        request.path = path
    assert code_of(caught.value) == "ERR_UNESCAPED_CHARACTERS"
    request.destroy()


async def test_the_request_line() -> None:
    """Method in upper case, path as latin-1, version 1.1 (H-063, H-064, H-118)."""
    head = await head_of(method="m-search", path="/\u00fc?q")
    assert head.startswith("M-SEARCH /\u00fc?q HTTP/1.1\r\n")


async def test_method_and_path_can_change_until_they_are_sent() -> None:
    """Assigned before the head goes out they count; afterwards they raise (H-064)."""
    async with HostileServer(stays(ok())) as server:
        request = http.request(server.url("/old"), agent=http.Agent())
        request.method, request.path = "delete", "/new"
        request.end()
        with pytest.raises(RuntimeError) as caught:
            request.path = "/late"
        await (await request).body()
        request.destroy()
    assert server.heads[0].startswith(b"DELETE /new HTTP/1.1\r\n")
    assert code_of(caught.value) == "ERR_HTTP_HEADERS_SENT"


# The headers


async def test_default_headers_of_a_get() -> None:
    """Host and Connection, nothing else (H-121, N-147)."""
    assert await head_of("/x") == (
        "GET /x HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nConnection: close\r\n\r\n"
    )


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "OPTIONS", "TRACE"])
async def test_six_methods_have_no_body_by_default(method: str) -> None:
    """Without a body there is no framing header (H-121)."""
    head = (await head_of(method=method)).lower()
    assert "content-length" not in head
    assert "transfer-encoding" not in head


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "PROPFIND"])
async def test_other_methods_say_that_the_body_is_empty(method: str) -> None:
    """POST and end(): Content-Length: 0 (H-121)."""
    assert "\r\nContent-Length: 0\r\n" in await head_of(method=method)


@pytest.mark.parametrize("method", ["GET", "DELETE", "OPTIONS", "POST"])
async def test_a_body_is_framed_whatever_the_method(method: str) -> None:
    """No method leaves a body without a frame (H-121, pitfall 14)."""
    head = await head_of(method=method, body=b"12345")
    assert "\r\nContent-Length: 5\r\n" in head


async def test_order_and_case_of_a_mapping() -> None:
    """The user's headers, Host, Authorization, Connection, framing (H-065)."""
    head = await head_of(
        method="POST", headers={"x-B": "1", "X-a": 2}, auth="user:pa:ss"
    )
    names = [line.split(":")[0] for line in head.split("\r\n")[1:-2]]
    assert names == [
        "x-B",
        "X-a",
        "Host",
        "Authorization",
        "Connection",
        "Content-Length",
    ]


@pytest.mark.parametrize(
    "headers",
    [
        ["X-a", "1", "x-A", "2", "X-b", "3"],
        [("X-a", "1"), ("x-A", "2"), ("X-b", "3")],
        [("X-a", ["1"]), ("x-A", "2"), ("X-b", "3")],
    ],
)
async def test_a_list_is_sent_as_it_is(headers: Any) -> None:
    """Order, case and repeats are kept; no Host is added (H-065, X-037)."""
    assert await head_of(headers=headers) == (
        "GET / HTTP/1.1\r\nX-a: 1\r\nx-A: 2\r\nX-b: 3\r\nConnection: close\r\n\r\n"
    )


async def test_a_list_fixes_the_head() -> None:
    """set_header raises after it (H-065)."""
    request = http.request(port=9, headers=["X", "1"]).on("error", lambda error: None)
    with pytest.raises(RuntimeError) as caught:
        request.set_header("Y", "2")
    assert code_of(caught.value) == "ERR_HTTP_HEADERS_SENT"
    request.destroy()


@pytest.mark.parametrize(
    ("options", "host"),
    [
        ({"host": "h", "port": 80}, "h"),
        ({"host": "h", "port": 81}, "h:81"),
        ({"host": "::1", "port": 81}, "[::1]:81"),
        ({"host": "[::1]"}, "[::1]"),
        ({"host": "fe80::1%eth0"}, "[fe80::1]"),
        ({"host": "h", "port": 8080, "default_port": 8080}, "h"),
        ({"host": "h", "headers": {"hOST": "other"}}, "other"),
        ({"socket_path": "/tmp/x", "host": "h"}, "h"),
        ({"method": "CONNECT", "path": "example.com:443"}, "example.com:443"),
    ],
)
async def test_the_host_header(options: dict[str, Any], host: str) -> None:
    """Port unless default, brackets, the user's, CONNECT's path (H-068, N-145)."""
    request = http.request(**options).on("error", lambda error: None)
    assert request.get_header("host") == host
    assert request.get_header_names().count("host") == 1
    request.destroy()


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Length": "1", "content-length": "2"},
        [("Content-Length", "1"), ("content-length", "1")],
        ["Host", "a", "HOST", "b"],
    ],
)
async def test_framing_and_routing_are_said_once(headers: Any) -> None:
    """Content-Length or Host twice raises (CVE-2026-1525)."""
    with pytest.raises(TypeError) as caught:
        http.request(port=9, headers=headers)
    assert code_of(caught.value) == "ERR_HTTP_INVALID_HEADER_VALUE"


async def test_a_host_is_no_list() -> None:
    """In the option and in set_header (H-065)."""
    with pytest.raises(TypeError) as caught:
        http.request(port=9, headers={"Host": ["a"]})
    assert code_of(caught.value) == "ERR_INVALID_ARG_TYPE"
    request = http.request(port=9).on("error", lambda error: None)
    with pytest.raises(TypeError):
        request.set_header("HOST", ["a"])
    request.destroy()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"auth": "user:password"}, "Basic dXNlcjpwYXNzd29yZA=="),
        ({"auth": "\u00fc:\u20ac"}, "Basic w7w64oKs"),
        ({"auth": "a:b", "headers": {"authorization": "mine"}}, "mine"),
    ],
)
async def test_auth_becomes_basic(options: dict[str, Any], expected: str) -> None:
    """UTF-8, base64; the user's own header wins (H-066, N-146)."""
    request = http.request(port=9, **options).on("error", lambda error: None)
    assert request.get_header("Authorization") == expected
    request.destroy()


async def test_user_info_of_a_url_is_decoded() -> None:
    """Percent-encoding is taken off; a name alone gets its colon (H-058, N-140)."""
    for url, expected in (
        ("http://us%40er:p%3Ass@h/", "Basic dXNAZXI6cDpzcw=="),
        ("http://user@h/", "Basic dXNlcjo="),
    ):
        request = http.request(url).on("error", lambda error: None)
        assert request.get_header("authorization") == expected
        request.destroy()


async def test_headers_can_change_until_they_are_sent() -> None:
    """set, get and remove on the request; the target's own stay (H-087)."""
    async with HostileServer(stays(ok(), ok())) as server, http.Agent() as agent:
        request = http.request(server.url(), agent=agent)
        request.set_header("X-New", "1").remove_header("host")
        request.set_header("Host", "changed")
        await (await request.end()).body()
        with pytest.raises(RuntimeError):
            request.set_header("X", "late")
        with pytest.raises(RuntimeError):
            request.remove_header("X")
        await (await http.get(server.url(), agent=agent)).body()
    first, second = (head.decode() for head in server.heads)
    assert "\r\nX-New: 1\r\nHost: changed\r\n" in first
    assert f"\r\nHost: 127.0.0.1:{server.port}\r\n" in second
    assert "X-New" not in second


@pytest.mark.parametrize(
    ("options", "absent", "present"),
    [
        ({"set_default_headers": False}, ["host", "connection", "content-"], []),
        ({"set_default_headers": False, "set_host": True}, ["connection"], ["host"]),
        ({"set_host": False}, ["host"], ["connection"]),
    ],
)
async def test_automatic_headers_can_be_switched_off(
    options: dict[str, Any], absent: list[str], present: list[str]
) -> None:
    """set_default_headers and set_host (X-043, H-122, N-147)."""
    head = (await head_of(method="POST", **options)).lower()
    assert all(f"\r\n{name}" not in head for name in absent)
    assert all(f"\r\n{name}" in head for name in present)


async def test_a_body_without_a_frame_is_refused() -> None:
    """With its framing headers removed a body would be the next request (H-121)."""
    request = http.request(port=9, method="POST").on("error", lambda error: None)
    request.remove_header("content-length")
    request.remove_header("transfer-encoding")
    with pytest.raises(RuntimeError) as caught:
        request.end(b"GET /smuggled HTTP/1.1\r\n\r\n")
    assert code_of(caught.value) == "ERR_HTTP_BODY_NOT_ALLOWED"
    request.destroy()


async def test_connect_has_no_body() -> None:
    """ERR_HTTP_BODY_NOT_ALLOWED, also behind a head that is out (H-121)."""
    for early in (False, True):
        request = http.request(port=9, method="CONNECT", path="h:1")
        request.on("error", lambda error: None)
        if early:
            request.flush_headers()
        with pytest.raises(RuntimeError) as caught:
            request.write(b"x")
        assert code_of(caught.value) == "ERR_HTTP_BODY_NOT_ALLOWED"
        request.destroy()


async def test_a_head_without_a_frame_is_followed_by_no_body() -> None:
    """Once a GET's head is out there is no place for one; it is not lost (H-080)."""
    async with HostileServer(stays(ok())) as server, http.Agent() as agent:
        request = http.request(server.url(), agent=agent)
        request.flush_headers()
        for send in (request.write, request.end):
            with pytest.raises(RuntimeError) as caught:
                send(b"body")
            assert code_of(caught.value) == "ERR_HTTP_BODY_NOT_ALLOWED"
        assert await (await request.end()).body() == b"ok"


@pytest.mark.parametrize(
    ("headers", "kept"),
    [
        ({"Transfer-Encoding": "chunked", "Content-Length": "3"}, "transfer-encoding"),
        ({"Content-Length": "3"}, "content-length"),
    ],
)
async def test_never_both_framing_headers(headers: dict[str, str], kept: str) -> None:
    """Content-Length is dropped beside chunked; alone it holds (H-120, H-121)."""
    head = (await head_of(method="POST", headers=headers, body=b"abc")).lower()
    names = [line.split(":")[0] for line in head.split("\r\n")]
    framing = [n for n in names if n in {"content-length", "transfer-encoding"}]
    assert framing == [kept]


@pytest.mark.parametrize(
    "headers",
    [
        {"Transfer-Encoding": "gzip"},
        {"Transfer-Encoding": "chunked, gzip"},
        {"Content-Length": "+5"},
        {"Content-Length": "0x5"},
        {"Content-Length": "5, 5"},
        {"Content-Length": ["5", "5"]},
        {"Content-Length": "\u0665".encode().decode("latin-1")},
    ],
)
async def test_framing_that_a_server_would_misread_is_refused(headers: Any) -> None:
    """At the latest when the head is made (H-121, CVE-2023-47627)."""
    request = http.request(port=9, method="POST", headers=headers)
    request.on("error", lambda error: None)
    with pytest.raises(TypeError) as caught:
        request.end(b"12345")
    assert code_of(caught.value) == "ERR_HTTP_INVALID_HEADER_VALUE"
    request.destroy()


async def test_a_trailer_header_makes_the_body_chunked() -> None:
    """Even if end() brings all of it; with a length it is refused (H-055, H-120)."""
    async with HostileServer(stays(ok())) as server:
        request = http.request(
            server.url(), method="POST", headers={"Trailer": "X"}, agent=http.Agent()
        )
        request.add_trailers({"X": "1"})
        await (await request.end(b"body")).body()
        request.destroy()
    assert b"\r\nTransfer-Encoding: chunked\r\n" in server.heads[0]
    request = http.request(
        port=9, method="POST", headers={"Trailer": "X", "Content-Length": 4}
    ).on("error", lambda error: None)
    with pytest.raises(RuntimeError) as caught:
        request.end(b"body")
    assert code_of(caught.value) == "ERR_HTTP_TRAILER_INVALID"
    request.destroy()


async def test_unique_headers_are_joined() -> None:
    """Listed names with list values are one field, joined with '; ' (X-015)."""
    head = await head_of(
        headers={"X-One": ["a", "b"], "X-Two": ["a", "b"]}, unique_headers=["x-one"]
    )
    assert "\r\nX-One: a; b\r\n" in head
    assert "\r\nX-Two: a\r\nX-Two: b\r\n" in head


async def test_unique_headers_are_joined_in_trailers_too() -> None:
    """A listed name is sent once wherever it stands (X-015, X-044)."""
    ours, theirs = duplex_pair()
    request = http.request(
        method="PUT",
        unique_headers=["x-one"],
        create_connection=lambda options, callback: ours,
    )
    request.add_trailers({"X-One": ["a", "b"], "X-Two": ["a", "b"]})
    request.write(b"part")
    request.end()
    sent = bytearray()
    theirs.on("data", sent.extend)
    while not sent.endswith(b"\r\n\r\n") or b"\r\n0\r\n" not in sent:
        await checkpoint()
    assert sent.endswith(b"0\r\nX-One: a; b\r\nX-Two: a\r\nX-Two: b\r\n\r\n")
    for end in (request, theirs):
        end.custom.on("error", lambda error: None)
    request.destroy()


@pytest.mark.parametrize(
    ("method", "body", "end"),
    [
        ("PUT", b"body", "\r\n\r\n4\r\nbody\r\n0\r\nX-One: 1\r\n\r\n"),
        ("PUT", b"", "\r\n\r\n0\r\nX-One: 1\r\n\r\n"),
        ("GET", b"", "\r\nConnection: close\r\n\r\n"),
    ],
)
async def test_trailers_behind_headers_of_a_list(
    method: str, body: bytes, end: str
) -> None:
    """The list fixes the head without a length: a body can be chunked (H-065)."""
    ours, theirs = duplex_pair()
    request = http.request(
        method=method,
        headers=["Host", "h"],
        create_connection=lambda options, callback: ours,
    )
    request.add_trailers({"X-One": "1"})
    request.end(body)
    sent = bytearray()
    theirs.on("data", sent.extend)
    while not request.writable_finished:
        await checkpoint()
    assert sent.decode().endswith(end)
    for stream in (request, theirs):
        stream.custom.on("error", lambda error: None)
    request.destroy()


async def test_cookies_are_one_field() -> None:
    """A list of Cookie values is joined with '; ' (H-049)."""
    assert "\r\nCookie: a=1; b=2\r\n" in await head_of(
        headers={"Cookie": ["a=1", "b=2"]}
    )


# Persistence


@pytest.mark.parametrize(
    ("agent", "options", "line"),
    [
        (lambda: http.Agent(), {}, "Connection: close"),
        (lambda: http.Agent(keep_alive=True), {}, "Connection: keep-alive"),
        (lambda: http.Agent(max_sockets=1), {}, "Connection: keep-alive"),
        (lambda: False, {}, "Connection: close"),
        (
            lambda: http.Agent(keep_alive=True),
            {"headers": {"connection": "close"}},
            "connection: close",
        ),
        (
            lambda: http.Agent(),
            {"headers": {"Connection": "keep-alive"}},
            "Connection: keep-alive",
        ),
    ],
)
async def test_connection_says_what_the_agent_can_do(
    agent: Callable[[], Any], options: dict[str, Any], line: str
) -> None:
    """keep-alive only if the socket could be used again (H-067, H-068)."""
    async with HostileServer(stays(ok())) as server:
        request = http.get(server.url(), agent=agent(), **options)
        await (await request).body()
        request.agent.destroy()
    assert f"\r\n{line}\r\n".encode() in server.heads[0]
    assert server.heads[0].lower().count(b"connection:") == 1


async def test_the_global_agent_can_be_replaced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Later requests use the new one; None means it (H-019, H-067, N-163)."""
    agent = http.Agent()
    monkeypatch.setattr(http, "global_agent", agent)
    request = http.request(port=9, agent=None).on("error", lambda error: None)
    assert request.agent is agent
    request.destroy()


def test_the_global_agent_keeps_sockets() -> None:
    """keep_alive, 5 seconds, lifo (H-019)."""
    agent = http.global_agent
    assert (agent.keep_alive, agent.timeout, agent.scheduling) == (True, 5.0, "lifo")


async def test_attributes() -> None:
    """What a request tells about itself (H-088)."""
    request = http.request("http://h:81/p?q", agent=http.Agent())
    request.on("error", lambda error: None)
    assert (request.method, request.path, request.host) == ("GET", "/p?q", "h")
    assert request.protocol == "http:"
    assert request.socket is None
    assert request.response is None
    assert request.res is None
    assert request.reused_socket is False
    assert request.max_headers_count == 1000
    assert request.should_keep_alive is False
    request.destroy()


async def test_requests_to_one_url_share_what_was_checked() -> None:
    """A URL string that was seen costs one look-up; requests stay apart (H-058)."""
    first = http.request("http://h:81/same").on("error", lambda error: None)
    second = http.request("http://h:81/same").on("error", lambda error: None)
    first.set_header("X", "1")
    assert not second.has_header("X")
    assert second.get_header("host") == "h:81"
    first.destroy()
    second.destroy()


def test_a_request_needs_a_loop() -> None:
    """Outside a running loop it raises RuntimeError (H-008)."""
    with pytest.raises(RuntimeError):
        http.request("http://127.0.0.1:9/")


async def test_create_client_is_deprecated() -> None:
    """It warns and makes requests to its server (H-016)."""
    async with HostileServer(stays(ok(b"old"))) as server:
        with pytest.warns(DeprecationWarning, match=r"http\.request"):
            client = http.create_client(server.port, "127.0.0.1")
        request = client.request("POST", "/p", {"X": "1"})
        response = await request.end()
        assert await response.body() == b"old"
        request.agent.destroy()
    assert server.heads[0].startswith(b"POST /p HTTP/1.1\r\nX: 1\r\n")


def test_a_method_before_the_url_is_told_where_it_belongs() -> None:
    """As other libraries take it: a type error that says what to do (H-058)."""
    with pytest.raises(TypeError, match="method=") as caught:
        http.request("POST", "http://127.0.0.1/")  # type: ignore[arg-type]
    assert caught.value.code == "ERR_INVALID_ARG_TYPE"  # type: ignore[attr-defined]
