"""Parsers that serve one connection after another."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.http_parser import (
    NEED_DATA,
    PAUSED,
    EngineName,
    HTTPParserError,
    RequestHead,
    RequestParser,
    ResponseHead,
    ResponseParser,
)

LAST = b"GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
PIECES = (
    b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\n",
    b"POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
    b"POST /3 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3\r\nabc\r\n0\r\nX: y\r\n\r\n",
    b"GET /4 HTTP/1.0\r\n\r\n",
    b"GET /5 HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
    LAST,
    b"GET /half HTTP/1.1\r\nHo",
    b"\r\n",
    b"\r",
    b"wrong\r\n\r\n",
    b"POST /6 HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc",
)


def trace(parser: RequestParser, pieces: list[bytes]) -> list[str]:
    """Return what a parser says to each piece."""
    said: list[str] = []
    for piece in pieces:
        parser.receive(piece)
        for _ in range(20):
            try:
                event = parser.next_event()
            except HTTPParserError as error:
                said.append(error.code)
                return said
            if event is NEED_DATA or event is PAUSED:
                break
            if isinstance(event, RequestHead):
                said.append(f"{event.method} {event.target} {event.raw_headers}")
                if event.upgrade:
                    parser.decline_upgrade()
            else:
                said.append(repr(event))
    said.append(f"{parser.state} {parser.started} {parser.has_unparsed}")
    return said


@pytest.mark.parametrize("engine", ["llhttp", "h11"])
@given(connections=st.lists(st.lists(st.sampled_from(PIECES), max_size=6), max_size=6))
def test_a_renewed_parser_is_as_good_as_new(
    engine: EngineName, connections: list[list[bytes]]
) -> None:
    """Whatever came over the last connection, nothing of it is left."""
    used = RequestParser(engine)
    for pieces in connections:
        assert trace(used, pieces) == trace(RequestParser(engine), pieces)
        if not used.renew():
            used = RequestParser(engine)


@pytest.mark.parametrize("engine", ["llhttp", "h11"])
@pytest.mark.parametrize(
    ("sent", "is_renewed"),
    [
        (b"", True),
        (PIECES[0], True),
        (LAST, True),
        (PIECES[2], True),
        (PIECES[6], True),
        (PIECES[9], False),
        (PIECES[10], False),
    ],
)
def test_only_a_parser_between_messages_is_renewed(
    engine: EngineName, sent: bytes, is_renewed: bool
) -> None:
    """One that has failed, or is inside a message, is of no further use."""
    parser = RequestParser(engine)
    trace(parser, [sent])
    assert parser.renew() is is_renewed
    if is_renewed:
        assert not parser.started
        assert not parser.has_unparsed


LAST_ANSWER = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx"
ANSWERS = (
    b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3\r\nabc\r\n0\r\nX: y\r\n\r\n",
    b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    LAST_ANSWER,
    b"HTTP/1.1 200 OK\r\nConten",
    b"wrong\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc",
    b"HTTP/1.1 200 OK\r\n\r\nto the end",
    b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    b"",
)


def answers(
    parser: ResponseParser, exchanges: list[tuple[str, bytes]], *, ends: bool
) -> list[str]:
    """Return what a parser says to the answer of each request."""
    said: list[str] = []
    for method, answer in exchanges:
        try:
            parser.expect(method)
        except RuntimeError as error:  # the last answer was the last one
            said.append(type(error).__name__)
            break
        parser.receive(answer)
        if ends:
            parser.finish()
        for _ in range(20):
            try:
                event = parser.next_event()
            except HTTPParserError as error:
                said.append(error.code)
                return said
            if event is NEED_DATA or event is PAUSED:
                break
            if isinstance(event, ResponseHead):
                said.append(f"{event.status_code} {event.keep_alive} {event.headers}")
            else:
                said.append(repr(event))
    said.append(f"{parser.state} {parser.started} {parser.has_unparsed}")
    return said


@pytest.mark.parametrize("engine", ["llhttp", "h11"])
@given(
    connections=st.lists(
        st.tuples(
            st.lists(
                st.tuples(st.sampled_from(["GET", "HEAD"]), st.sampled_from(ANSWERS)),
                max_size=4,
            ),
            st.booleans(),
        ),
        max_size=6,
    )
)
def test_a_renewed_response_parser_is_as_good_as_new(
    engine: EngineName, connections: list[tuple[list[tuple[str, bytes]], bool]]
) -> None:
    """Whatever was answered over the last connection, nothing of it is left."""
    used = ResponseParser(engine)
    for exchanges, ends in connections:
        fresh = ResponseParser(engine)
        expected = answers(fresh, exchanges, ends=ends)
        assert answers(used, exchanges, ends=ends) == expected
        if not used.renew():
            used = ResponseParser(engine)


@pytest.mark.parametrize("engine", ["llhttp", "h11"])
@pytest.mark.parametrize(
    ("answer", "is_renewed"),
    [
        (ANSWERS[0], True),
        (ANSWERS[2], True),
        (LAST_ANSWER, True),
        (ANSWERS[5], True),
        (ANSWERS[6], False),
        (ANSWERS[7], False),
        (ANSWERS[8], False),
        (ANSWERS[9], False),
    ],
)
def test_only_a_response_parser_between_messages_is_renewed(
    engine: EngineName, answer: bytes, is_renewed: bool
) -> None:
    """One that has failed, is inside a message or has switched is of no further use."""
    parser = ResponseParser(engine)
    answers(parser, [("GET", answer)], ends=False)
    assert parser.renew() is is_renewed
    if is_renewed:
        assert not parser.has_unparsed
