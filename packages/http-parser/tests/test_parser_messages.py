"""What users see of a message: headers, trailers and their views."""

import pytest

from headrace.http_parser import (
    END_OF_MESSAGE,
    METHODS,
    STATUS_CODES,
    EndOfMessage,
    EngineName,
    RequestHead,
    RequestParser,
    ResponseHead,
    ResponseParser,
    distinct_headers,
    merge_headers,
)

SINGLE = [
    "age",
    "authorization",
    "content-length",
    "content-type",
    "etag",
    "expires",
    "from",
    "host",
    "if-modified-since",
    "if-unmodified-since",
    "last-modified",
    "location",
    "max-forwards",
    "proxy-authorization",
    "referer",
    "retry-after",
    "server",
    "user-agent",
]


def request_head(fields: bytes, max_headers_count: int = 1000) -> RequestHead:
    parser = RequestParser(max_headers_count=max_headers_count)
    parser.receive(b"GET / HTTP/1.1\r\n" + fields + b"\r\n")
    head = parser.next_event()
    assert isinstance(head, RequestHead)
    return head


def test_raw_headers_are_as_received() -> None:
    """Case, order and repeats; outer blanks are gone (H-109, H-186, N-167)."""
    head = request_head(b"hOST: a\r\nB: \t1 \r\nb:\xe4\r\n")
    assert head.raw_headers == ["hOST", "a", "B", "1", "b", "\xe4"]


def test_headers_are_fresh_each_time() -> None:
    """Nobody's changes show up elsewhere, also not at the next equal request."""
    parser = RequestParser()
    for _ in range(2):
        parser.receive(b"GET / HTTP/1.1\r\nHost: a\r\nSet-Cookie: b\r\n\r\n")
        head = parser.next_event()
        assert isinstance(head, RequestHead)
        assert head.headers == {"host": "a", "set-cookie": ["b"]}
        assert head.headers_distinct == {"host": ["a"], "set-cookie": ["b"]}
        assert head.raw_headers == ["Host", "a", "Set-Cookie", "b"]
        cookies = head.headers["set-cookie"]
        assert isinstance(cookies, list)
        cookies.append("x")
        head.headers["x"] = "y"
        head.headers_distinct["host"].append("x")
        head.raw_headers.append("x")
        parser.next_event()


def test_requests_with_other_fields_have_their_own() -> None:
    """What is remembered of one request is not shown for another."""
    parser = RequestParser()
    for number in (b"1", b"1", b"2", b"1"):
        parser.receive(b"GET / HTTP/1.1\r\nHost: a%b\r\n\r\n" % number)
        head = parser.next_event()
        assert isinstance(head, RequestHead)
        assert head.headers == {"host": f"a{number.decode()}"}
        parser.next_event()


def test_long_field_sections_are_not_remembered() -> None:
    """An idle connection holds at most 4 KiB of them (limits of memory)."""
    parser = RequestParser()
    for size in (5_000, 100, 5_000):
        fields = b"Host: a\r\nX: %b\r\n" % (b"x" * size)
        parser.receive(b"GET / HTTP/1.1\r\n" + fields + b"\r\n")
        head = parser.next_event()
        assert isinstance(head, RequestHead)
        assert head.headers["x"] == "x" * size
        parser.next_event()
        assert len(parser._fields) <= 4_096


def test_the_first_value_of_one_field() -> None:
    """By its lower-case name, without outer blanks; None when there is none."""
    head = request_head(b"Host: a\r\nA-B:\t1 \r\na-b: 2\r\nX: b: 3\r\nY:\r\n")
    assert head.first("host") == "a"
    assert head.first("a-b") == "1"
    assert head.first("y") == ""
    assert head.first("b") is None
    assert head.first("get / http/1.1") is None


@pytest.mark.parametrize("name", SINGLE)
def test_first_wins(name: str) -> None:
    """Of fields with one value by definition the first counts (H-108, N-131)."""
    assert merge_headers([name.title(), "1", name, "2"]) == {name: "1"}


@pytest.mark.parametrize("name", sorted(set(SINGLE) - {"content-length", "host"}))
def test_first_wins_unless_joined(name: str) -> None:
    """`join_duplicates` joins them instead (X-014)."""
    assert merge_headers([name, "1", name, "2"], join_duplicates=True) == {name: "1, 2"}


@pytest.mark.parametrize("name", ["content-length", "host"])
def test_framing_is_never_joined(name: str) -> None:
    """Fields about framing and routing keep their first value (X-014)."""
    assert merge_headers([name, "1", name, "2"], join_duplicates=True) == {name: "1"}


def test_others_are_joined() -> None:
    """By a comma, in order, empty ones too; cookies by a semicolon (H-108)."""
    raw = ["A", "1", "Cookie", "a=b", "a", "", "cookie", "c=d", "A", "3"]
    expected = {"a": "1, , 3", "cookie": "a=b; c=d"}
    assert merge_headers(raw) == expected
    assert merge_headers(raw, join_duplicates=True) == expected


def test_set_cookie_is_a_list() -> None:
    """Also when there is one; its commas mean something else (H-108, N-108)."""
    assert merge_headers(["Set-Cookie", "a"]) == {"set-cookie": ["a"]}
    raw = ["Set-Cookie", "a", "set-cookie", "b"]
    for join in (False, True):
        assert merge_headers(raw, join_duplicates=join) == {"set-cookie": ["a", "b"]}


def test_order_of_merged_names() -> None:
    """Names come in the order of their first field, apart from set-cookie."""
    assert list(merge_headers(["B", "", "A", "", "b", "x"])) == ["b", "a"]


def test_empty_values_are_kept() -> None:
    """As empty text (H-108)."""
    assert request_head(b"Host:\r\nX: \t\r\n").headers == {"host": "", "x": ""}


def test_distinct_headers() -> None:
    """Every name has a list, nothing is joined or dropped (X-065)."""
    raw = ["A", "1", "Host", "x", "a", "2", "host", "y"]
    assert distinct_headers(raw) == {"a": ["1", "2"], "host": ["x", "y"]}


def test_odd_lists_are_refused() -> None:
    """A name without a value is the caller's mistake."""
    for function in (merge_headers, distinct_headers):
        with pytest.raises(ValueError, match="shorter"):
            function(["a"])


def test_kept_fields() -> None:
    """The first fields are kept in every view; 0 keeps all (H-036)."""
    fields = b"Host: a\r\nB: 1\r\nC: 2\r\n"
    head = request_head(fields, max_headers_count=2)
    assert head.raw_headers == ["Host", "a", "B", "1"]
    assert head.headers == {"host": "a", "b": "1"}
    assert head.headers_distinct == {"host": ["a"], "b": ["1"]}
    assert len(request_head(fields, max_headers_count=0).raw_headers) == 6


def test_one_field_can_be_asked_for() -> None:
    """Its first value, in any case of the name; the start line is no field (H-109)."""
    head = request_head(b"Host: a\r\nX-One:  1 \r\nx-one: 2\r\nX-One-More: 3\r\n")
    assert head.first("x-one") == "1"
    assert head.first("host") == "a"
    assert head.first("x") is None
    assert head.first("get /") is None


def test_a_thousand_fields_are_kept_by_default() -> None:
    """H-036."""
    fields = b"Host: a\r\n" + b"b:c\r\n" * 1000
    assert len(request_head(fields).raw_headers) == 2000
    assert len(request_head(fields, max_headers_count=0).raw_headers) == 2002


def test_trailers() -> None:
    """The same views as headers have; the limit of fields holds too (H-110)."""
    parser = RequestParser(max_headers_count=3)
    parser.receive(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
    parser.next_event()
    parser.receive(b"0\r\nA: 1\r\na: 2\r\nSet-Cookie: x\r\nB: 3\r\n\r\n")
    end = parser.next_event()
    assert isinstance(end, EndOfMessage)
    assert end.raw_trailers == ["A", "1", "a", "2", "Set-Cookie", "x"]
    assert end.trailers == {"a": "1, 2", "set-cookie": ["x"]}
    assert end.trailers_distinct == {"a": ["1", "2"], "set-cookie": ["x"]}
    assert repr(end) == "<EndOfMessage ['A', '1', 'a', '2', 'Set-Cookie', 'x']>"


def test_the_end_without_trailers_is_shared() -> None:
    """It costs no object of its own."""
    parser = RequestParser()
    for body in (
        b"Content-Length: 0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ):
        parser.receive(b"POST / HTTP/1.1\r\nHost: a\r\n" + body)
        parser.next_event()
        assert parser.next_event() is END_OF_MESSAGE
    assert END_OF_MESSAGE.raw_trailers == []
    assert END_OF_MESSAGE.trailers == {}


def test_heads_show_themselves() -> None:
    """In one line."""
    assert repr(request_head(b"Host: a\r\n")) == "<RequestHead GET / HTTP/1.1>"
    parser = ResponseParser()
    parser.expect("GET")
    parser.receive(b"HTTP/1.0 204 No Content\r\n\r\n")
    assert repr(parser.next_event()) == "<ResponseHead HTTP/1.0 204>"


def test_interim_heads_say_so() -> None:
    """1xx but 101; the answer to CONNECT is final."""
    for method, status, interim in [
        ("GET", 100, True),
        ("GET", 103, True),
        ("GET", 101, False),
        ("GET", 200, False),
        ("CONNECT", 103, True),
        ("CONNECT", 200, False),
    ]:
        parser = ResponseParser()
        parser.expect(method)
        parser.receive(b"HTTP/1.1 %d x\r\n\r\n" % status)
        head = parser.next_event()
        assert isinstance(head, ResponseHead)
        assert head.interim is interim


def test_methods() -> None:
    """The table of H-013: sorted, without repeats, upper case."""
    assert list(METHODS) == sorted(set(METHODS))
    assert {"GET", "M-SEARCH", "QUERY", "SOURCE", "UNSUBSCRIBE"} <= set(METHODS)
    assert len(METHODS) == 35
    assert all(method == method.upper() for method in METHODS)


@pytest.mark.parametrize("engine", ["llhttp", "h11"])
def test_every_method_is_accepted(engine: EngineName) -> None:
    """On both engines (H-013)."""
    parser = RequestParser(engine)
    for method in METHODS:
        target = b"a:80" if method == "CONNECT" else b"/"
        parser.receive(b"%s %s HTTP/1.1\r\nHost: a\r\n\r\n" % (method.encode(), target))
        head = parser.next_event()
        assert isinstance(head, RequestHead)
        assert head.method == method
        if method == "CONNECT":
            parser = RequestParser(engine)
        else:
            parser.next_event()


def test_status_codes() -> None:
    """The standard ones from 100 to 511, read-only (H-014)."""
    assert STATUS_CODES[404] == "Not Found"
    assert STATUS_CODES[418] == "I'm a Teapot"
    modern = {103, 208, 226, 308, 421, 425, 451, 508, 510, 511}
    assert modern <= set(STATUS_CODES)
    assert list(STATUS_CODES) == sorted(STATUS_CODES)
    with pytest.raises(TypeError):
        STATUS_CODES[200] = "x"  # type: ignore[index]
