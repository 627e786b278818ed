"""What a parser does with bytes: what it keeps, copies, gives back and reports."""

import pytest

from headrace.http_parser import (
    END_OF_MESSAGE,
    NEED_DATA,
    PAUSED,
    EngineName,
    HTTPParserError,
    IllegalMoveError,
    RequestHead,
    RequestParser,
    ResponseParser,
    State,
)

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
UPGRADE = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"


def in_body(length: int) -> RequestParser:
    parser = RequestParser()
    parser.receive(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % length)
    assert isinstance(parser.next_event(), RequestHead)
    return parser


def fault(parser: RequestParser | ResponseParser) -> HTTPParserError:
    with pytest.raises(HTTPParserError) as refused:
        parser.next_event()
    return refused.value


def test_bytes_in_a_body_are_not_copied() -> None:
    """A read inside a body of known length is handed on as the object it is."""
    parser = in_body(200_000)
    data = bytes(65_536)
    parser.receive(data)
    assert parser.next_event() is data
    assert parser.next_event() is NEED_DATA


def test_a_view_in_a_body_is_copied_once() -> None:
    """The buffer belongs to the caller again; the copy is what `next_event` returns."""
    parser = in_body(200_000)
    buffer = bytearray(b"x" * 65_536)
    parser.receive(memoryview(buffer))
    kept = parser.buffer
    buffer[:] = bytes(65_536)
    event = parser.next_event()
    assert event is kept
    assert event == b"x" * 65_536


def test_body_data_are_bytes() -> None:
    """However they came (H-187)."""
    for data in (b"abc", bytearray(b"abc"), memoryview(b"abc")):
        parser = in_body(3)
        parser.receive(data)
        event = parser.next_event()
        assert type(event) is bytes
        assert event == b"abc"


def test_several_receives_between_events() -> None:
    """Bytes wait until they are asked for."""
    parser = RequestParser()
    for piece in (GET[:5], GET[5:] + GET[:7], GET[7:]):
        parser.receive(piece)
    for _ in range(2):
        assert isinstance(parser.next_event(), RequestHead)
        assert parser.next_event() is END_OF_MESSAGE
    assert parser.next_event() is NEED_DATA


def test_requests_stay_raw_until_asked_for() -> None:
    """A caller decides between two events; the rest is not parsed."""
    parser = RequestParser()
    parser.receive(GET + b"not HTTP")
    parser.next_event()
    assert parser.next_event() is END_OF_MESSAGE
    assert parser.has_unparsed
    assert parser.take_leftover() == b"not HTTP"
    assert not parser.has_unparsed
    assert parser.next_event() is NEED_DATA


def test_missing_counts_a_body_of_known_length() -> None:
    """Only what has not been received is missing; of other bodies nobody knows."""
    parser = RequestParser()
    parser.receive(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc")
    assert parser.missing == 0
    assert isinstance(parser.next_event(), RequestHead)
    assert parser.missing == 7
    assert parser.next_event() == b"abc"
    assert parser.missing == 7
    parser.receive(b"defghijGET")
    assert parser.missing == 0
    assert parser.next_event() == b"defghij"
    assert parser.missing == 0
    assert parser.next_event() is END_OF_MESSAGE
    parser = RequestParser()
    parser.receive(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
    assert isinstance(parser.next_event(), RequestHead)
    assert parser.missing == 0


def test_leftover_of_a_head_is_forgotten() -> None:
    """The next bytes begin another head, and all of it is looked at."""
    parser = RequestParser()
    parser.receive(b"GET / HTTP/1.1\r\nHost: abcdefghijklmnop")
    assert parser.next_event() is NEED_DATA
    assert parser.take_leftover() == b"GET / HTTP/1.1\r\nHost: abcdefghijklmnop"
    parser.receive(b"get / HTTP/1.1\r\n")
    assert fault(parser).code == "HPE_INVALID_METHOD"


def test_a_rest_does_not_hold_a_long_read() -> None:
    """Waiting for the end of a head costs as much as has come of it."""
    parser = RequestParser()
    parser.receive(GET * 2000 + GET[:10])
    while parser.next_event() is not NEED_DATA:
        pass
    assert len(parser.buffer) == 10


def test_empty_data() -> None:
    """Say nothing."""
    parser = RequestParser()
    parser.receive(b"")
    assert parser.next_event() is NEED_DATA
    assert not parser.has_unparsed
    assert not parser.started


def test_started() -> None:
    """True from the first byte of a head to its end (X-001)."""
    parser = RequestParser()
    assert not parser.started
    parser.receive(GET[:1])
    assert parser.started
    assert parser.next_event() is NEED_DATA
    assert parser.started
    parser.receive(GET[1:])
    assert isinstance(parser.next_event(), RequestHead)
    assert not parser.started
    assert parser.next_event() is END_OF_MESSAGE
    assert not parser.started


def test_blank_lines_start_nothing() -> None:
    """They are no part of a request, and half of one is none either."""
    parser = RequestParser()
    for sent, started in ((b"\r\n\r\n", False), (b"\r", False), (b"\nG", True)):
        parser.receive(sent)
        assert parser.next_event() is NEED_DATA
        assert parser.started is started


def test_an_error_is_final() -> None:
    """The same one is raised again, and later bytes are not looked at."""
    parser = RequestParser()
    parser.receive(b"get / HTTP/1.1\r\n")
    first = fault(parser)
    parser.receive(GET)
    assert fault(parser) is first
    assert parser.state is State.FAILED
    assert not parser.has_unparsed


def test_an_error_describes_itself() -> None:
    """Code, reason, position and bytes (H-011, H-027, H-183)."""
    parser = RequestParser()
    parser.receive(GET + b"GET / HTTP/1.1\r\nHo st: a\r\n\r\nrest")
    parser.next_event()
    parser.next_event()
    error = fault(parser)
    assert isinstance(error, ValueError)
    assert str(error) == f"Parse Error: {error.reason}"
    assert error.code == "HPE_INVALID_HEADER_TOKEN"
    assert error.raw_packet == b"GET / HTTP/1.1\r\nHo st: a\r\n\r\nrest"
    assert error.raw_packet[error.bytes_parsed :].startswith(b" st: a")
    assert error.status_hint == 400


def test_an_error_of_the_framing_points_at_the_value() -> None:
    """Positions count from the beginning of what was not delivered."""
    parser = RequestParser()
    parser.receive(b"\r\nPOST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5x\r\n\r\n")
    error = fault(parser)
    assert error.raw_packet[error.bytes_parsed :].startswith(b"5x\r\n")


def test_an_end_inside_a_message() -> None:
    """`HPE_INVALID_EOF_STATE`, after what was complete (H-128)."""
    parser = in_body(5)
    parser.receive(b"abc")
    parser.finish()
    assert parser.next_event() == b"abc"
    error = fault(parser)
    assert error.code == "HPE_INVALID_EOF_STATE"


def test_an_end_between_messages() -> None:
    """Is no event and no error."""
    parser = RequestParser()
    parser.receive(GET)
    parser.finish()
    assert isinstance(parser.next_event(), RequestHead)
    assert parser.next_event() is END_OF_MESSAGE
    assert parser.next_event() is NEED_DATA


def test_an_upgrade_waits_for_a_decision() -> None:
    """PAUSED until `accept_upgrade` or `decline_upgrade` (H-026)."""
    parser = RequestParser()
    parser.receive(UPGRADE + b"rest")
    assert isinstance(parser.next_event(), RequestHead)
    assert parser.next_event() is PAUSED
    parser.accept_upgrade()
    assert parser.next_event() is END_OF_MESSAGE
    assert parser.next_event() is PAUSED
    assert parser.take_leftover() == b"rest"


def test_bytes_after_a_switch_are_kept_as_they_are() -> None:
    """They are another protocol's, and wait for `take_leftover`."""
    parser = RequestParser()
    parser.receive(UPGRADE + b"a")
    parser.next_event()
    parser.accept_upgrade()
    parser.next_event()
    parser.receive(b"b\0")
    assert parser.next_event() is PAUSED
    assert parser.take_leftover() == b"ab\0"


def test_there_must_be_something_to_decide() -> None:
    """Once, and only after a head that asks for it."""
    parser = RequestParser()
    for decide in (parser.accept_upgrade, parser.decline_upgrade):
        with pytest.raises(IllegalMoveError, match="no upgrade"):
            decide()
    parser.receive(UPGRADE)
    parser.next_event()
    parser.decline_upgrade()
    with pytest.raises(IllegalMoveError):
        parser.accept_upgrade()


def test_a_response_must_be_expected() -> None:
    """Without `expect` bytes are kept and not read (H-071)."""
    parser = ResponseParser()
    parser.receive(b"HTTP/1.1 200 OK\r\n\r\n")
    assert parser.next_event() is PAUSED
    assert parser.has_unparsed


def test_one_response_at_a_time() -> None:
    """The next request is announced after the end of the answer; no pipelining."""
    parser = ResponseParser()
    parser.expect("GET")
    with pytest.raises(IllegalMoveError):
        parser.expect("GET")
    parser.receive(b"HTTP/1.1 204 x\r\n\r\n")
    parser.next_event()
    with pytest.raises(IllegalMoveError):
        parser.expect("GET")
    assert parser.next_event() is END_OF_MESSAGE
    parser.expect("GET")
    assert parser.state is State.HEAD


def test_nothing_is_expected_on_a_connection_that_closes() -> None:
    """After a response with ``close`` (H-125)."""
    parser = ResponseParser()
    parser.expect("GET")
    parser.receive(b"HTTP/1.1 204 x\r\nConnection: close\r\n\r\n")
    parser.next_event()
    parser.next_event()
    with pytest.raises(IllegalMoveError, match=r"EXPECT .* CLOSED"):
        parser.expect("GET")


def test_the_method_of_each_request_counts() -> None:
    """HEAD after GET after HEAD on one connection."""
    parser = ResponseParser()
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
    for method, body in (("HEAD", b""), ("GET", b"ab"), ("HEAD", b"")):
        parser.expect(method)
        parser.receive(answer + body)
        parser.next_event()
        if body:
            assert parser.next_event() == body
        assert parser.next_event() is END_OF_MESSAGE


@pytest.mark.parametrize("engine", ["llhttp", "h11"])
def test_a_parser_shows_itself(engine: EngineName) -> None:
    """State, engine and waiting bytes in one line."""
    parser = RequestParser(engine)
    parser.receive(b"GET")
    shown = f"<RequestParser HEAD engine={engine} unparsed=3>"
    assert repr(parser) == shown


@pytest.mark.parametrize("engine", ["llhttp", "h11"])
def test_a_parser_is_in_no_ring_of_references(engine: EngineName) -> None:
    """It goes with its last reference, without waiting for the collector."""
    import gc
    import weakref

    class Weak(RequestParser):
        pass

    gc.disable()
    try:
        parser = Weak(engine)
        parser.receive(GET)
        parser.next_event()
        gone = weakref.ref(parser)
        del parser
        assert gone() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("data", [b"SSH-2.0-x", b"<html>", b"HTML", b"h"])
def test_what_is_no_http_is_refused_by_its_first_bytes(data: bytes) -> None:
    """The end of a line may never come (H-130)."""
    parser = ResponseParser()
    parser.expect("GET")
    parser.receive(data)
    assert fault(parser).code == "HPE_INVALID_CONSTANT"


def test_the_beginning_of_a_response_may_come_in_pieces() -> None:
    """Half of the version is no fault (H-130)."""
    parser = ResponseParser()
    parser.expect("GET")
    for piece in (b"H", b"TT", b"P/", b"1.1", b" 204", b" x\r\n"):
        parser.receive(piece)
        assert parser.next_event() is NEED_DATA
