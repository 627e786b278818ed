"""Generated messages: what is written reads back, and no engine and no split differ."""

import string
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.http_parser import METHODS, EngineName, RequestParser, ResponseParser
from headrace.http_parser.testing import escape, trace

ENGINES: tuple[EngineName, ...] = ("llhttp", "h11")

TOKEN = string.ascii_letters + string.digits + "!#$%&'*+-.^_`|~"
VISIBLE = "".join(map(chr, range(0x21, 0x7F)))
#: Names with a meaning for the message; generated fields must not have one by chance.
RULING = {
    *("host", "content-length", "transfer-encoding", "connection", "upgrade"),
    *("expect", "proxy-connection"),
}

tokens = st.text(TOKEN, min_size=1, max_size=12)
names = tokens.filter(lambda name: name.lower() not in RULING)
inner = st.text(VISIBLE + " \t" + "".join(map(chr, range(0x80, 0x100))), max_size=20)
values = inner.map(lambda value: value.strip(" \t"))
blanks = st.text(" \t", max_size=2)
line_ends = st.sampled_from([b"\r\n", b"\n"])


@dataclass
class Message:
    """A message as it is sent, and the trace it must leave."""

    data: bytes
    trace: list[str]


@st.composite
def field_lines(draw: st.DrawFn) -> tuple[bytes, list[tuple[str, str]]]:
    pairs = draw(st.lists(st.tuples(names, values), max_size=4))
    lines = [f"{name}:{draw(blanks)}{value}{draw(blanks)}\r\n" for name, value in pairs]
    return "".join(lines).encode("latin-1"), pairs


def lines_of(word: str, pairs: Sequence[tuple[str, str]]) -> list[str]:
    return [
        f"{word} {name}: {escape(value.encode('latin-1'))}".rstrip()
        for name, value in pairs
    ]


@st.composite
def extensions(draw: st.DrawFn) -> bytes:
    """Return chunk extensions (RFC 9112 section 7.1.1)."""
    parts = []
    for name in draw(st.lists(tokens, max_size=2)):
        quoted = inner.map(
            lambda text: '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
        )
        value = draw(st.none() | tokens | quoted)
        parts.append(f"{draw(blanks)};{draw(blanks)}{name}")
        if value is not None:
            parts.append(f"{draw(blanks)}={draw(blanks)}{value}")
    return "".join(parts).encode("latin-1")


@st.composite
def splits(draw: st.DrawFn, data: bytes) -> list[bytes]:
    cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=6)))
    ends = zip([0, *cuts], [*cuts, len(data)], strict=True)
    return [data[start:end] for start, end in ends]


@dataclass
class Body:
    """A body with the field that frames it, and how both show in a trace."""

    fields: list[tuple[str, str]]
    words: str
    data: bytes
    trace: list[str]


NO_BODY = Body([], "", b"", ["end"])


@st.composite
def bodies(draw: st.DrawFn) -> Body:
    content = draw(st.binary(max_size=40))
    seen = [f"body {escape(content)}"] if content else []
    if draw(st.booleans()):
        length = f"{'0' * draw(st.integers(0, 3))}{len(content)}"
        words = f" length={len(content)}"
        return Body([("Content-Length", length)], words, content, [*seen, "end"])
    data = b"".join(
        b"%x%b\r\n%b\r\n" % (len(chunk), draw(extensions()), chunk)
        for chunk in draw(splits(content))
        if chunk
    )
    section, pairs = draw(field_lines())
    data += b"0%b\r\n%b\r\n" % (draw(extensions()), section)
    ends = [*seen, *lines_of("trailer", pairs), "end"]
    return Body([("Transfer-Encoding", "chunked")], " chunked", data, ends)


@st.composite
def messages(draw: st.DrawFn, start: str, words: str, body: Body) -> Message:
    """Return a message with a start line; `words` are what the trace says of it."""
    section, pairs = draw(field_lines())
    own = [("Host", "a"), *body.fields]
    lines = "".join(f"{name}: {value}\r\n" for name, value in own)
    head = f"{start}\r\n{lines}".encode("latin-1")
    fields = lines_of("field", [*own, *pairs])
    return Message(head + section + b"\r\n" + body.data, [words, *fields, *body.trace])


@st.composite
def requests(draw: st.DrawFn) -> Message:
    method = draw(st.sampled_from([each for each in METHODS if each != "CONNECT"]))
    target = "/" + draw(st.text(VISIBLE, max_size=20))
    body = draw(bodies() | st.just(NO_BODY))
    words = f"head {method} {target} 1.1 keep-alive{body.words}"
    return draw(messages(f"{method} {target} HTTP/1.1", words, body))


@st.composite
def responses(draw: st.DrawFn) -> Message:
    status = draw(st.integers(200, 999).filter(lambda code: code not in (204, 304)))
    phrase, body = draw(inner), draw(bodies())
    shown = escape(phrase.encode("latin-1"))
    words = f'head {status} 1.1 keep-alive{body.words} "{shown}"'
    return draw(messages(f"HTTP/1.1 {status} {phrase}", words, body))


#: What mutations put in: whatever readers have disagreed about.
MORSELS = st.sampled_from(
    [
        *(
            b"\r\n",
            b"\n",
            b"\r",
            b"\0",
            b" ",
            b"\t",
            b":",
            b",",
            b";",
            b"=",
            b'"',
            b"\\",
        ),
        *(b"\x7f", b"\x80", b"\xff", b"\xa0", b"0", b"5", b"+", b"-", b"0x", b"_"),
        *(b"chunked", b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n"),
        *(b"Connection: close\r\n", b"Connection: upgrade\r\nUpgrade: x\r\n"),
        *(b"Proxy-Connection: close\r\n", b"Host: a\r\n", b"Expect: x\r\n"),
        *(b"HTTP/1.0", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"0\r\n\r\n", b"\r\n\r\n"),
    ]
)


@st.composite
def mutations(draw: st.DrawFn, message: st.SearchStrategy[Message]) -> bytes:
    """Return a message with some bytes put in, taken out or repeated."""
    data = draw(message).data
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.integers(0, 8)))
        middle = draw(MORSELS | st.just(data[start:end] * 2) | st.just(b""))
        data = data[:start] + middle + data[end:]
    return data


def request_trace(
    engine: EngineName, pieces: list[bytes], *, insecure: bool = False
) -> list[str]:
    parser = RequestParser(engine, insecure=insecure)
    return trace(parser, pieces, upgrade="decline")


def response_trace(engine: EngineName, pieces: list[bytes], method: str) -> list[str]:
    parser = ResponseParser(engine)
    parser.expect(method)
    return trace(parser, pieces, finished=True)


@given(st.data())
def test_requests_read_back(data: st.DataObject) -> None:
    """Every legal message is accepted, however it is split; pipelined too."""
    sent = data.draw(st.lists(requests(), min_size=1, max_size=3))
    pieces = data.draw(splits(b"".join(message.data for message in sent)))
    expected = [line for message in sent for line in message.trace]
    for engine in ENGINES:
        assert request_trace(engine, pieces) == expected


@given(st.data())
def test_responses_read_back(data: st.DataObject) -> None:
    """The same for responses."""
    message = data.draw(responses())
    pieces = data.draw(splits(message.data))
    for engine in ENGINES:
        assert response_trace(engine, pieces, "GET") == message.trace


def assert_one_outcome(outcomes: list[list[str]]) -> None:
    first = outcomes[0]
    assert not any(line.startswith("refuse HPE_INTERNAL") for line in first)
    for other in outcomes[1:]:
        assert other == first


@given(st.data())
def test_mutated_requests(data: st.DataObject) -> None:
    """Engines and splits agree on every input, legal or not."""
    mutated = data.draw(mutations(requests()))
    ways = ([mutated], [bytes([byte]) for byte in mutated], data.draw(splits(mutated)))
    assert_one_outcome(
        [request_trace(engine, pieces) for engine in ENGINES for pieces in ways]
    )


@given(st.data())
def test_mutated_responses(data: st.DataObject) -> None:
    """The same for responses, whatever they answer."""
    mutated = data.draw(mutations(responses()))
    method = data.draw(st.sampled_from(["GET", "HEAD", "CONNECT"]))
    ways = ([mutated], [bytes([byte]) for byte in mutated], data.draw(splits(mutated)))
    assert_one_outcome(
        [
            response_trace(engine, pieces, method)
            for engine in ENGINES
            for pieces in ways
        ]
    )


@given(st.data())
def test_random_bytes(data: st.DataObject) -> None:
    """Nothing but an `HTTPParserError` comes of noise."""
    noise = data.draw(st.binary(max_size=60) | mutations(st.just(Message(b"\r\n", []))))
    pieces = data.draw(splits(noise))
    assert_one_outcome([request_trace(engine, pieces) for engine in ENGINES])
    assert_one_outcome([response_trace(engine, pieces, "GET") for engine in ENGINES])


@given(st.data())
def test_the_lenient_mode_takes_all_that_the_strict_one_takes(
    data: st.DataObject,
) -> None:
    """And understands it in the same way (X-016)."""
    message = data.draw(requests().map(lambda each: each.data) | mutations(requests()))
    strict = request_trace("llhttp", [message])
    if not any(line.startswith("refuse") for line in strict):
        for engine in ENGINES:
            assert request_trace(engine, [message], insecure=True) == strict


@given(st.data())
def test_the_lenient_mode_on_any_input(data: st.DataObject) -> None:
    """Engines and splits agree in it too."""
    mutated = data.draw(mutations(requests())).replace(b"\r\n", data.draw(line_ends))
    ways = ([mutated], [bytes([byte]) for byte in mutated], data.draw(splits(mutated)))
    assert_one_outcome(
        [
            request_trace(engine, pieces, insecure=True)
            for engine in ENGINES
            for pieces in ways
        ]
    )


PROPERTIES = [
    test_requests_read_back,
    test_responses_read_back,
    test_mutated_requests,
    test_mutated_responses,
    test_random_bytes,
    test_the_lenient_mode_takes_all_that_the_strict_one_takes,
    test_the_lenient_mode_on_any_input,
]


@pytest.mark.soak
@pytest.mark.time_limit(280)
@pytest.mark.parametrize("prove", PROPERTIES)
def test_for_long(prove: Any) -> None:
    """The same with many more messages, though with fewer than other tests of the kind:
    each of them is parsed several times, also byte by byte.
    """
    again = given(st.data())(prove.hypothesis.inner_test)
    settings(max_examples=1_500)(again)()
