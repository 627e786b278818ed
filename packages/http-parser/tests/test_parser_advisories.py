"""What others were broken by does not work here: one named test per advisory.

The corpus has these inputs in many forms; this file says which advisory each is about.
Source: spec, advisories.
"""

import itertools
import math
import time
from collections.abc import Callable, Iterable

import pytest

from headrace.http_parser import (
    PAUSED,
    EngineName,
    HTTPParserError,
    IllegalMoveError,
    Limits,
    RequestHead,
    RequestParser,
    ResponseParser,
    Signal,
    State,
)
from headrace.http_parser.testing import trace

pytestmark = pytest.mark.parametrize("engine", ["llhttp", "h11"])

CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


def post(*fields: bytes, body: bytes = b"") -> bytes:
    return b"\r\n".join((b"POST / HTTP/1.1", b"Host: a", *fields, b"", body))


def request_head(
    engine: EngineName, data: bytes, max_head_size: int = 16_384
) -> RequestHead:
    parser = RequestParser(engine, max_head_size=max_head_size)
    parser.receive(data)
    head = parser.next_event()
    assert isinstance(head, RequestHead)
    return head


def drip(parser: RequestParser, pieces: Iterable[bytes]) -> None:
    """Feed pieces and take all events after each."""
    for piece in pieces:
        parser.receive(piece)
        while not isinstance(parser.next_event(), Signal):
            pass


def ratio(one: Callable[[], object], other: Callable[[], object], most: float) -> float:
    """Return how much more CPU time `one` takes than `other`.

    The least disturbed runs count, and it is tried again while the ratio is above
    `most`: a busy machine only ever makes a run longer.
    """
    least = [math.inf, math.inf]
    for _ in range(10):
        for index, work in enumerate((one, other)):
            start = time.process_time()
            work()
            least[index] = min(least[index], time.process_time() - start)
        if least[0] <= most * least[1]:
            break
    return least[0] / least[1]


def refusal(engine: EngineName, data: bytes) -> str:
    """Return the code a request is refused with; it may not reach its end."""
    lines = trace(RequestParser(engine), [data], finished=True)
    assert "end" not in lines
    word, code, *_ = lines[-1].split()
    assert word == "refuse"
    return code


def answer_refusal(engine: EngineName, data: bytes) -> str:
    parser = ResponseParser(engine)
    parser.expect("GET")
    word, code, *_ = trace(parser, [data])[-1].split()
    assert word == "refuse"
    return code


def test_cve_2018_7159_blank_in_content_length(engine: EngineName) -> None:
    """Node: ``Content-Length: 4 2`` is refused."""
    assert refusal(engine, post(b"Content-Length: 4 2")) == "HPE_INVALID_CONTENT_LENGTH"


def test_cve_2018_12121_large_head(engine: EngineName) -> None:
    """Node: 1 MiB of header is refused at the limit, and no more of it is kept."""
    start = b"GET / HTTP/1.1\r\nHost: a\r\n"
    lines = itertools.repeat(b"X: %s\r\n" % (b"x" * 1019), 1024)
    with pytest.raises(HTTPParserError) as refused:
        drip(RequestParser(engine), [start, *lines])
    assert refused.value.code == "HPE_HEADER_OVERFLOW"
    assert refused.value.status_hint == 431
    assert len(refused.value.raw_packet) <= 16_384 + 1024


def test_cve_2019_15605_malformed_coding_beside_a_length(engine: EngineName) -> None:
    """Node: a malformed Transfer-Encoding never falls back to Content-Length."""
    for coding in (b"chunkedx", b"x chunked", b"", b"identity", b"chunked,"):
        data = post(b"Content-Length: 5", b"Transfer-Encoding: " + coding)
        assert refusal(engine, data) == "HPE_INVALID_TRANSFER_ENCODING"


def test_cve_2019_15606_trailing_blanks(engine: EngineName) -> None:
    """Node: blanks at the end of a value are gone before it is compared."""
    data = post(b"Connection: close \t ", b"Content-Length: 1 \t", body=b"x")
    lines = trace(RequestParser(engine), [data])
    assert lines[0] == "head POST / 1.1 close length=1"
    assert "field Connection: close" in lines


def test_cve_2020_8201_cr_in_a_name(engine: EngineName) -> None:
    """Node: a CR in a field name is refused, not taken for another character."""
    assert refusal(engine, post(b"Content\rLength: 5")) == "HPE_LF_EXPECTED"


def test_cve_2020_8287_two_transfer_encodings(engine: EngineName) -> None:
    """Node: of two Transfer-Encoding fields both count."""
    both = (b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked-false")
    assert refusal(engine, post(*both)) == "HPE_INVALID_TRANSFER_ENCODING"
    both = (b"Transfer-Encoding: gzip", b"Transfer-Encoding: chunked")
    lines = trace(RequestParser(engine), [post(*both, body=b"0\r\n\r\n")])
    assert lines[-1] == "end"


def test_cve_2021_22959_blank_before_the_colon(engine: EngineName) -> None:
    """llhttp: ``Content-Length : 5`` is refused."""
    assert refusal(engine, post(b"Content-Length : 5")) == "HPE_INVALID_HEADER_TOKEN"


def test_cve_2021_22960_line_end_in_a_chunk_extension(engine: EngineName) -> None:
    """llhttp: CR or LF inside a chunk extension is refused."""
    assert refusal(engine, CHUNKED + b"1;a\nb\r\nx\r\n0\r\n\r\n") == "HPE_CR_EXPECTED"
    assert refusal(engine, CHUNKED + b"1;a\rb\r\nx\r\n0\r\n\r\n") == "HPE_LF_EXPECTED"


def test_cve_2022_32213_chunked_is_not_last(engine: EngineName) -> None:
    """llhttp: ``chunked, x`` and look-alikes are refused."""
    for coding in (b"chunked, x", b"chunked-x", b"xchunked", b"chunked;x"):
        data = post(b"Transfer-Encoding: " + coding, body=b"0\r\n\r\n")
        assert refusal(engine, data) == "HPE_INVALID_TRANSFER_ENCODING"


def test_cve_2022_32214_line_ends(engine: EngineName) -> None:
    """llhttp: only CRLF ends a field line."""
    assert refusal(engine, post(b"A: b\nC: d")) == "HPE_CR_EXPECTED"
    assert refusal(engine, post(b"A: b\rC: d")) == "HPE_LF_EXPECTED"


def test_cve_2022_32215_folded_transfer_encoding(engine: EngineName) -> None:
    """llhttp (also CVE-2022-35256): a folded Transfer-Encoding is refused."""
    data = post(b"Transfer-Encoding: chunked,\r\n gzip", body=b"0\r\n\r\n")
    assert refusal(engine, data) == "HPE_INVALID_HEADER_TOKEN"


def test_cve_2023_30589_bare_cr_between_fields(engine: EngineName) -> None:
    """llhttp: a bare CR between fields is refused."""
    data = post(b"A: b\rTransfer-Encoding: chunked", body=b"0\r\n\r\n")
    assert refusal(engine, data) == "HPE_LF_EXPECTED"


def test_cve_2024_22019_endless_chunk_extensions(engine: EngineName) -> None:
    """Node: extensions are limited for the whole body, not for each chunk."""
    data = CHUNKED + b"1;%s\r\nx\r\n" % (b"a" * 1000) * 100
    assert refusal(engine, data) == "HPE_CHUNK_EXTENSIONS_OVERFLOW"
    pieces = [data[start : start + 100] for start in range(0, len(data), 100)]
    with pytest.raises(HTTPParserError) as refused:
        drip(RequestParser(engine), pieces)
    assert refused.value.status_hint == 413


def test_cve_2024_27982_blank_before_content_length(engine: EngineName) -> None:
    """Node: a blank in front of the name Content-Length is refused."""
    for fields in ((b" Content-Length: 5",), (b"A: b", b" Content-Length: 5")):
        assert refusal(engine, post(*fields)) == "HPE_INVALID_HEADER_TOKEN"


def test_cve_2025_23167_cr_before_another_byte(engine: EngineName) -> None:
    """llhttp: CR LF CR and another byte does not end a head."""
    data = b"GET / HTTP/1.1\r\nHost: a\r\n\rXGET /admin HTTP/1.1\r\n\r\n"
    assert refusal(engine, data) == "HPE_LF_EXPECTED"


def test_cve_2026_21710_names_of_the_language(engine: EngineName) -> None:
    """Node: ``__proto__`` and ``constructor`` are data in every view of headers."""
    head = request_head(
        engine, post(b"__proto__: x", b"constructor: y", b"__class__: z")
    )
    expected = {"host": "a", "__proto__": "x", "constructor": "y", "__class__": "z"}
    assert head.headers == expected
    assert head.headers_distinct == {name: [value] for name, value in expected.items()}


def test_cve_2026_21717_colliding_names(engine: EngineName) -> None:
    """V8: names made to collide in a simple hash cost no more than other names."""
    pairs = itertools.product((b"Aa", b"BB"), repeat=10)
    colliding = [b"%s: x" % b"".join(pair) for pair in pairs][:900]
    other = [b"n%019d: x" % (number * 7919) for number in range(900)]

    heads = [
        request_head(engine, post(*fields), max_head_size=65_536)
        for fields in (colliding, other)
    ]
    assert ratio(lambda: heads[0].headers, lambda: heads[1].headers, 3) <= 3


def test_cve_2026_48931_bytes_on_an_idle_connection(engine: EngineName) -> None:
    """Node's agent: what comes unasked never answers the next request."""
    parser = ResponseParser(engine)
    parser.expect("GET")
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    assert trace(parser, [answer])[-1] == "end"
    assert not parser.has_unparsed
    parser.receive(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison")
    assert parser.next_event() is PAUSED
    assert parser.has_unparsed
    with pytest.raises(IllegalMoveError, match="nobody asked"):
        parser.expect("GET")


def test_cve_2023_37276_controls_in_values(engine: EngineName) -> None:
    """aiohttp: CR, LF, NUL and other controls in field values are refused."""
    for control in (b"\0", b"\x01", b"\x0b", b"\x1f", b"\x7f"):
        data = post(b"A: b%sc" % control)
        assert refusal(engine, data) == "HPE_INVALID_HEADER_TOKEN"


@pytest.mark.parametrize("number", [b"0_5", b"+5", b"-5", b"0x5", b"5 ", b"\xa05"])
def test_cve_2023_47627_numbers_of_the_language(
    engine: EngineName, number: bytes
) -> None:
    """aiohttp (also CVE-2024-23829): only digits are a number, nowhere `int()`."""
    chunk = number + b"\r\nhello\r\n0\r\n\r\n"
    assert refusal(engine, CHUNKED + chunk) == "HPE_INVALID_CHUNK_SIZE"
    if number != b"5 ":  # there the blank is none of the value
        length = post(b"Content-Length: " + number, body=b"hello")
        assert refusal(engine, length) == "HPE_INVALID_CONTENT_LENGTH"


def test_cve_2023_47641_both_framings(engine: EngineName) -> None:
    """aiohttp: every engine gives the same answer to both framings at once."""
    length, coding = b"Content-Length: 5", b"Transfer-Encoding: chunked"
    assert refusal(engine, post(length, coding)) == "HPE_INVALID_TRANSFER_ENCODING"
    assert refusal(engine, post(coding, length)) == "HPE_INVALID_CONTENT_LENGTH"


def test_cve_2024_52304_line_end_in_a_quoted_extension(engine: EngineName) -> None:
    """aiohttp: a newline in a chunk extension is refused, in quotes as well."""
    data = CHUNKED + b'1;a="\n"\r\nx\r\n0\r\n\r\n'
    assert refusal(engine, data) == "HPE_CR_EXPECTED"


def test_cve_2025_43859_bytes_after_chunk_data(engine: EngineName) -> None:
    """h11 (GHSA-vqfr-h8mv-ghfj): the two bytes after chunk data must be CRLF."""
    for two in (b"XX", b"0\r", b"\rX", b"\n0", b"\n\n"):
        lines = trace(RequestParser(engine), [CHUNKED + b"1\r\nx" + two + b"0\r\n\r\n"])
        assert lines[-1].startswith("refuse "), two


def test_cve_2025_53643_trailers_are_fields(engine: EngineName) -> None:
    """aiohttp: a trailer section is parsed as fields, never skipped."""
    data = CHUNKED + b"0\r\nGET /admin HTTP/1.1\r\nHost: a\r\n\r\n"
    assert refusal(engine, data) == "HPE_INVALID_HEADER_TOKEN"


def test_cve_2025_69224_digits_of_other_scripts(engine: EngineName) -> None:
    """aiohttp: non-ASCII digits are no digits."""
    for digit in ("\u0665", "\uff15", "\u00b2"):
        for encoded in {digit.encode(), digit.encode("latin-1", "ignore")} - {b""}:
            data = post(b"Content-Length: " + encoded)
            assert refusal(engine, data) == "HPE_INVALID_CONTENT_LENGTH"
            data = CHUNKED + encoded + b"\r\nhello\r\n"
            assert refusal(engine, data) == "HPE_INVALID_CHUNK_SIZE"


@pytest.mark.long
def test_cve_2025_69229_many_small_chunks(engine: EngineName) -> None:
    """aiohttp: 300,000 one-byte chunks (h11: 100,000) in linear time.

    Twice the input costs at most 2.2 times the time.
    """
    count = 300_000 if engine == "llhttp" else 100_000

    def read(count: int) -> None:
        body = CHUNKED + b"1\r\nx\r\n" * count + b"0\r\n\r\n"
        parser = RequestParser(engine)
        drip(parser, (body[at : at + 65_536] for at in range(0, len(body), 65_536)))
        assert parser.state is State.HEAD

    assert ratio(lambda: read(count), lambda: read(count // 2), 2.2) <= 2.2


def test_cve_2026_22815_endless_trailers(engine: EngineName) -> None:
    """aiohttp: the trailer section is limited."""
    data = CHUNKED + b"0\r\n" + b"A: b\r\n" * 3000
    assert refusal(engine, data) == "HPE_HEADER_OVERFLOW"


def test_cve_2026_34519_cr_in_a_reason_phrase(engine: EngineName) -> None:
    """aiohttp: a CR in a reason phrase is no end of the line."""
    data = b"HTTP/1.1 200 OK\rSet-Cookie: a=b\r\n\r\n"
    assert answer_refusal(engine, data) == "HPE_LF_EXPECTED"


def test_cve_2026_34520_controls_in_responses(engine: EngineName) -> None:
    """aiohttp: a client refuses NUL and controls in fields too."""
    for control in (b"\0", b"\x08", b"\x7f"):
        data = b"HTTP/1.1 200 OK\r\nA: b%sc\r\n\r\n" % control
        assert answer_refusal(engine, data) == "HPE_INVALID_HEADER_TOKEN"


def test_cve_2026_34525_two_hosts(engine: EngineName) -> None:
    """aiohttp: a request with two Host fields is marked for a 400."""
    assert request_head(engine, post(b"Host: b")).host_error == "repeated"
    assert request_head(engine, post(b"Host: a")).host_error == "repeated"


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_cve_2026_54277_limits_in_segments(engine: EngineName, size: int) -> None:
    """aiohttp: a limit holds when what it limits comes in many segments."""
    pieces = itertools.chain([b"GET /"], itertools.repeat(b"a" * size))
    with pytest.raises(HTTPParserError, match="overflow") as refused:
        drip(RequestParser(engine), pieces)
    assert len(refused.value.raw_packet) < 16_384 + size


def test_cve_2021_32715_plus_in_content_length(engine: EngineName) -> None:
    """hyper: ``Content-Length: +5`` is refused."""
    data = post(b"Content-Length: +5", body=b"hello")
    assert refusal(engine, data) == "HPE_INVALID_CONTENT_LENGTH"


def test_cve_2021_32714_chunk_size_overflow(engine: EngineName) -> None:
    """hyper: a chunk size beyond 64 bits is refused, and does not wrap."""
    for size in (b"10000000000000005", b"f" * 17, b"0" * 16 + b"5"):
        data = CHUNKED + size + b"\r\nhello\r\n0\r\n\r\n"
        assert refusal(engine, data) == "HPE_INVALID_CHUNK_SIZE"


def test_cve_2019_16785_bare_lf(engine: EngineName) -> None:
    """waitress: a bare LF ends no field."""
    data = b"GET / HTTP/1.1\nHost: a\n\n"
    assert refusal(engine, data) == "HPE_CR_EXPECTED"


def test_cve_2022_24761_chunk_extensions_are_checked(engine: EngineName) -> None:
    """waitress: chunk extensions are validated, chunk sizes no `int()`."""
    for line in (b"1;\x01", b"1;;", b"1;a=", b'1;a="'):
        data = CHUNKED + line + b"\r\nx\r\n0\r\n\r\n"
        assert refusal(engine, data) == "HPE_STRICT"
    data = CHUNKED + b"+1\r\nx\r\n0\r\n\r\n"
    assert refusal(engine, data) == "HPE_INVALID_CHUNK_SIZE"


def test_ghsa_753j_mpmx_qq6g_two_chunked(engine: EngineName) -> None:
    """tornado: two ``Transfer-Encoding: chunked`` never mean that there is no body."""
    twice = (b"Transfer-Encoding: chunked",) * 2
    data = post(*twice, body=b"0\r\n\r\n")
    assert refusal(engine, data) == "HPE_INVALID_TRANSFER_ENCODING"


def test_cve_2023_38697_prefixes_of_numbers(engine: EngineName) -> None:
    """protocol-http1: ``+`` and ``0x``, and LF in extensions, are refused."""
    for size in (b"+1", b"0x1"):
        data = CHUNKED + size + b"\r\nx\r\n0\r\n\r\n"
        assert refusal(engine, data) == "HPE_INVALID_CHUNK_SIZE"
    assert refusal(engine, CHUNKED + b"1;a\nb\r\nx\r\n") == "HPE_CR_EXPECTED"


@pytest.mark.parametrize(
    "start",
    [b"GET / HTTP/1.1\r\nX: ", CHUNKED + b"1;a=", CHUNKED + b"0\r\nX: "],
    ids=["head", "chunk extension", "trailers"],
)
def test_limits_one_byte_at_a_time(engine: EngineName, start: bytes) -> None:
    """What comes byte by byte is not searched from its beginning for each of them.

    Twice the input costs at most 2.2 times the time ("Limits to hold").
    """
    limits = Limits(max_head_size=1 << 20, max_chunk_extensions_bytes=1 << 20)

    def read(count: int) -> None:
        parser = RequestParser(engine, limits=limits)
        drip(parser, itertools.chain([start], itertools.repeat(b"x", count)))
        assert parser.has_unparsed

    assert ratio(lambda: read(100_000), lambda: read(50_000), 2.2) <= 2.2
