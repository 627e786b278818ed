"""How long a body is: the decisions themselves, without a parser around them."""

import pytest

from headrace.http_parser import HTTPParserError, _framing
from headrace.http_parser._framing import (
    NO_FRAMING,
    Framing,
    Transfer,
    content_length,
    host_error,
    list_elements,
    refuse_framing_trailers,
    request_body,
    response_body,
    ruling_fields,
    transfer_encoding,
    wants_keep_alive,
)
from headrace.http_parser._state import Move

CHUNKED = Framing(None, Transfer.CHUNKED, True)
OTHER = Framing(None, Transfer.OTHER, False)


def length(number: int) -> Framing:
    return Framing(number, Transfer.ABSENT, True)


def read_framing(head: bytes, *, insecure: bool = False) -> Framing:
    return _framing.read_framing(head, ruling_fields(head), insecure=insecure)


def request_framing(head: bytes, version: str, *, insecure: bool = False) -> Framing:
    ruling = ruling_fields(head)
    return _framing.request_framing(head, ruling, version, insecure=insecure)


def test_ruling_fields_are_grouped() -> None:
    """Values keep their order and lose outer blanks; other fields are left out."""
    head = b"\r\nhost:a \r\nx: y\r\nconnection: b\r\nconnection:\tc\t\r\n\r\n"
    assert ruling_fields(head) == {b"host": [b"a"], b"connection": [b"b", b"c"]}


def test_list_elements_of_several_fields() -> None:
    """Elements of all fields in order; empty ones are kept for the strict rules."""
    assert list_elements([b"a, b\t,", b"c"]) == [b"a", b"b", b"", b"c"]


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (b"0", 0),
        (b"00", 0),
        (b"5", 5),
        (b"005", 5),
        (b"18446744073709551615", 2**64 - 1),
    ],
)
def test_content_length_is_digits(value: bytes, number: int) -> None:
    """1*DIGIT up to 64 bits (RFC 9110 section 8.6)."""
    assert content_length(value) == number


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (b"", "HPE_INVALID_CONTENT_LENGTH"),
        (b"x", "HPE_INVALID_CONTENT_LENGTH"),
        (b"+1", "HPE_INVALID_CONTENT_LENGTH"),
        (b"1,x", "HPE_INVALID_CONTENT_LENGTH"),
        (b"18446744073709551616", "HPE_INVALID_CONTENT_LENGTH"),
        (b"1" * 5000, "HPE_INVALID_CONTENT_LENGTH"),
        (b"1,1", "HPE_UNEXPECTED_CONTENT_LENGTH"),
        (b"1 , 2", "HPE_UNEXPECTED_CONTENT_LENGTH"),
    ],
)
def test_content_length_is_nothing_else(value: bytes, code: str) -> None:
    """Everything else is refused; a list of numbers with a code of its own (H-175)."""
    with pytest.raises(HTTPParserError) as refused:
        content_length(value)
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("codings", "transfer"),
    [
        ([b"chunked"], Transfer.CHUNKED),
        ([b"gzip", b"chunked"], Transfer.CHUNKED),
        ([b"foo;a=b;c=d", b"chunked"], Transfer.CHUNKED),
        ([b"gzip"], Transfer.OTHER),
        ([b"xchunked"], Transfer.OTHER),
    ],
)
def test_transfer_codings(codings: list[bytes], transfer: Transfer) -> None:
    """Chunked frames a body when it is the last coding."""
    assert transfer_encoding(codings, insecure=False) is transfer


@pytest.mark.parametrize(
    "codings",
    [
        [b""],
        [b"a b"],
        [b'a="b"'],
        [b"a;b"],
        [b"chunked;a=b"],
        [b"chunked ;a=b"],
        [b"chunked", b"gzip"],
        [b"chunked", b"chunked"],
    ],
)
def test_transfer_codings_are_strict_by_default(codings: list[bytes]) -> None:
    """What is no coding, and chunked anywhere but at the end, is refused (H-130)."""
    with pytest.raises(HTTPParserError) as refused:
        transfer_encoding(codings, insecure=False)
    assert refused.value.code == "HPE_INVALID_TRANSFER_ENCODING"


def test_transfer_codings_insecure() -> None:
    """The lenient mode finds chunked wherever it stands (X-016)."""
    odd = [b"", b"chunked", b"a b"]
    assert transfer_encoding(odd, insecure=True) is Transfer.CHUNKED
    assert transfer_encoding([b"a b"], insecure=True) is Transfer.OTHER


def test_framing_of_a_head_without_framing_fields() -> None:
    """There is none; other fields are not mistaken for them."""
    assert read_framing(b"\r\nx-content-length: 5\r\n\r\n") == NO_FRAMING


def test_framing_that_engines_may_read_in_their_way() -> None:
    """Plain are a short length, and chunked in its usual form."""

    def plain(field: bytes) -> bool:
        return read_framing(b"\r\n%s\r\n\r\n" % field).plain

    assert plain(b"content-length: 5")
    assert plain(b"content-length:5")
    assert plain(b"content-length: " + b"0" * 19 + b"5")
    assert not plain(b"content-length:\t5")
    assert not plain(b"content-length: 5 ")
    assert plain(b"transfer-encoding: chunked")
    assert plain(b"transfer-encoding:chunked")
    assert not plain(b"content-length: " + b"0" * 20 + b"5")
    assert not plain(b"transfer-encoding:\tchunked")
    assert not plain(b"transfer-encoding: gzip, chunked")
    assert not plain(b"transfer-encoding: gzip\r\ntransfer-encoding: chunked")


@pytest.mark.parametrize(
    ("fields", "code", "position"),
    [
        (
            b"content-length: 5\r\ntransfer-encoding: x",
            "HPE_INVALID_TRANSFER_ENCODING",
            40,
        ),
        (
            b"transfer-encoding: x\r\ncontent-length: 5",
            "HPE_INVALID_CONTENT_LENGTH",
            40,
        ),
        (
            b"content-length: 5\r\ncontent-length: 5",
            "HPE_UNEXPECTED_CONTENT_LENGTH",
            37,
        ),
        (b"content-length: x", "HPE_INVALID_CONTENT_LENGTH", 18),
        (b"transfer-encoding: chunked, x", "HPE_INVALID_TRANSFER_ENCODING", 21),
    ],
)
def test_framing_is_refused_where_it_is_wrong(
    fields: bytes, code: str, position: int
) -> None:
    """The field that makes the head wrong names the code (H-130)."""
    with pytest.raises(HTTPParserError) as refused:
        read_framing(b"\r\n%s\r\n\r\n" % fields)
    assert (refused.value.code, refused.value.bytes_parsed) == (code, position)


def test_request_codings_must_end_with_chunked() -> None:
    """Else the end of the body is not known (RFC 9112 section 6.3)."""
    with pytest.raises(HTTPParserError, match="not chunked"):
        request_framing(b"\r\ntransfer-encoding: x\r\n\r\n", "1.1")


def test_request_codings_in_http_1_0() -> None:
    """The version does not know them; only the lenient mode overlooks that."""
    head = b"\r\ntransfer-encoding: chunked\r\n\r\n"
    with pytest.raises(HTTPParserError, match=r"HTTP/1\.0"):
        request_framing(head, "1.0")
    framing = request_framing(head, "1.0", insecure=True)
    assert framing == Framing(None, Transfer.CHUNKED, False)
    assert request_framing(head, "1.1") == CHUNKED


def test_request_length_in_both_versions() -> None:
    """Content-Length frames a request of any version."""
    head = b"\r\ncontent-length: 5\r\n\r\n"
    for version in ("1.0", "1.1"):
        assert request_framing(head, version) == length(5)


@pytest.mark.parametrize(
    ("framing", "move"),
    [
        (NO_FRAMING, Move.EMPTY),
        (length(0), Move.EMPTY),
        (length(1), Move.FIX),
        (CHUNKED, Move.CHUNK),
    ],
)
def test_request_body(framing: Framing, move: Move) -> None:
    """A request has no body without a framing field (RFC 9112 section 6.3)."""
    assert request_body(framing) is move


@pytest.mark.parametrize("framing", [NO_FRAMING, length(5), CHUNKED, OTHER])
@pytest.mark.parametrize(
    ("method", "status"),
    [
        ("HEAD", 200),
        ("GET", 100),
        ("GET", 101),
        ("GET", 204),
        ("GET", 304),
        ("CONNECT", 200),
    ],
)
def test_responses_without_a_body(method: str, status: int, framing: Framing) -> None:
    """Some have none, whatever their fields say; after CONNECT it is no body."""
    assert response_body(method, status, framing) is Move.EMPTY


@pytest.mark.parametrize(
    ("framing", "move"),
    [
        (NO_FRAMING, Move.FLOW),
        (OTHER, Move.FLOW),
        (length(0), Move.EMPTY),
        (length(1), Move.FIX),
        (CHUNKED, Move.CHUNK),
    ],
)
def test_response_body(framing: Framing, move: Move) -> None:
    """Without framing a response ends with the connection."""
    assert response_body("GET", 200, framing) is move


@pytest.mark.parametrize(
    ("version", "options", "keep"),
    [
        ("1.1", [], True),
        ("1.1", [b"close"], False),
        ("1.1", [b"keep-alive", b"close"], False),
        ("1.0", [], False),
        ("1.0", [b"keep-alive"], True),
        ("1.0", [b"keep-alive", b"close"], False),
    ],
)
def test_persistence(version: str, options: list[bytes], keep: bool) -> None:
    """``close`` goes before ``keep-alive`` (RFC 9112 section 9.3)."""
    assert wants_keep_alive(version, options) is keep


def test_host_errors() -> None:
    """Missing (in HTTP/1.1 only), repeated, or no authority (H-126)."""
    assert host_error(None, "1.1") == "missing"
    assert host_error(None, "1.0") is None
    assert host_error([b"a", b"a"], "1.0") == "repeated"
    assert host_error([b"a b"], "1.1") == "invalid"
    assert host_error([b"a:80"], "1.1") is None


@pytest.mark.parametrize(
    ("section", "code"),
    [
        (b"Content-Length: 5\r\n\r\n", "HPE_INVALID_CONTENT_LENGTH"),
        (b"A: b\r\nTRANSFER-encoding: x\r\n\r\n", "HPE_INVALID_TRANSFER_ENCODING"),
    ],
)
def test_framing_trailers(section: bytes, code: str) -> None:
    """No trailer speaks about the length of the message (RFC 9110 section 6.5.1)."""
    with pytest.raises(HTTPParserError) as refused:
        refuse_framing_trailers(section)
    assert refused.value.code == code
    refuse_framing_trailers(b"Trailer: content-length: 5\r\n\r\n")
