"""Responses that repeat themselves, and messages that arrive whole."""

import pytest

from headrace.http_parser import (
    END_OF_MESSAGE,
    NEED_DATA,
    EngineName,
    IllegalMoveError,
    ResponseHead,
    ResponseParser,
)

FIVE = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.fixture(params=["llhttp", "h11"])
def engine(request: pytest.FixtureRequest) -> EngineName:
    name: EngineName = request.param
    return name


def read_head(parser: ResponseParser, data: bytes, method: str = "GET") -> ResponseHead:
    parser.expect(method)
    parser.receive(data)
    head = parser.next_event()
    assert isinstance(head, ResponseHead)
    return head


def test_an_equal_head_answers_another_method(engine: EngineName) -> None:
    """The same bytes have a body or none, as the method says (RFC 9112, 6.3)."""
    parser = ResponseParser(engine)
    for _ in range(2):
        read_head(parser, FIVE + b"hello")
        assert parser.next_event() == b"hello"
        assert parser.next_event() is END_OF_MESSAGE
        read_head(parser, FIVE, "HEAD")
        assert parser.next_event() is END_OF_MESSAGE


def test_a_head_that_differs_by_one_byte_is_read_anew(engine: EngineName) -> None:
    """What was read of one head is not taken for the next one."""
    parser = ResponseParser(engine)
    read_head(parser, FIVE + b"hello")
    assert parser.take_rest() == b"hello"
    head = read_head(parser, FIVE.replace(b"5", b"4") + b"hell")
    assert head.content_length == 4
    assert parser.take_rest() == b"hell"


def test_equal_chunked_heads_have_bodies_of_their_own(engine: EngineName) -> None:
    """The engine is made ready for each chunked body, also after equal heads."""
    parser = ResponseParser(engine)
    for body in (b"a", b"bc", b"def"):
        read_head(parser, CHUNKED + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))
        assert parser.next_event() == body
        assert parser.next_event() is END_OF_MESSAGE


def test_an_equal_head_closes_again(engine: EngineName) -> None:
    """A remembered head is the last one, too, if it says so (H-125)."""
    last = FIVE[:-2] + b"Connection: close\r\n\r\n"
    parser = ResponseParser(engine)
    assert not read_head(parser, last + b"hello").keep_alive
    assert parser.take_rest() == b"hello"
    with pytest.raises(IllegalMoveError):
        parser.expect("GET")


def test_an_interim_head_comes_before_an_equal_answer(engine: EngineName) -> None:
    """A 1xx between two equal heads changes nothing for them (H-077)."""
    parser = ResponseParser(engine)
    read_head(parser, FIVE + b"hello")
    assert parser.take_rest() == b"hello"
    assert read_head(parser, b"HTTP/1.1 103 Early Hints\r\n\r\n").interim
    parser.receive(FIVE + b"hello")
    head = parser.next_event()
    assert isinstance(head, ResponseHead)
    assert head.status_code == 200
    assert parser.take_rest() == b"hello"


def test_the_rest_is_taken_only_whole(engine: EngineName) -> None:
    """While a byte is missing nothing is taken; the events go on as ever."""
    parser = ResponseParser(engine)
    read_head(parser, FIVE + b"hell")
    assert parser.take_rest() is None
    assert parser.next_event() == b"hell"
    assert parser.next_event() is NEED_DATA
    parser.receive(b"o")
    assert parser.take_rest() == b"o"
    assert not parser.has_unparsed


def test_the_rest_ends_where_the_body_does(engine: EngineName) -> None:
    """Bytes behind the message stay, and show (H-073)."""
    parser = ResponseParser(engine)
    read_head(parser, FIVE + b"hello!")
    assert parser.take_rest() == b"hello"
    assert parser.has_unparsed


def test_the_rest_of_a_message_without_body_is_empty(engine: EngineName) -> None:
    """A 204 is over with its head."""
    parser = ResponseParser(engine)
    read_head(parser, b"HTTP/1.1 204 No Content\r\n\r\n")
    assert parser.take_rest() == b""
    parser.expect("GET")


def test_the_rest_of_a_chunked_body_is_not_taken(engine: EngineName) -> None:
    """Its end is not known before it is read, and may have trailers (H-110)."""
    parser = ResponseParser(engine)
    read_head(parser, CHUNKED + b"1\r\na\r\n0\r\nB: c\r\n\r\n")
    assert parser.take_rest() is None
    assert parser.next_event() == b"a"
    assert parser.take_rest() is None  # the trailers are an event of their own
    end = parser.next_event()
    assert end is not END_OF_MESSAGE


def parsed_whole(parser: ResponseParser, method: str, data: bytes) -> object:
    """Return what the long way says about a message that came in one piece."""
    parser.expect(method)
    parser.receive(data)
    head = parser.next_event()
    assert isinstance(head, ResponseHead)
    return head.status_code, head.raw_headers, parser.take_rest()


@pytest.mark.parametrize("data", [FIVE + b"hello", FIVE + b"world"])
def test_an_answer_like_the_last_is_taken_at_once(
    engine: EngineName, data: bytes
) -> None:
    """The short way says the same as the long one, and leaves no trace."""
    short, long = ResponseParser(engine), ResponseParser(engine)
    for parser in (short, long):
        parsed_whole(parser, "GET", FIVE + b"first")
    for _ in range(2):
        taken = short.take_whole("GET", data)
        assert taken is not None
        head, body = taken
        assert (head.status_code, head.raw_headers, body) == parsed_whole(
            long, "GET", data
        )
    assert not short.has_unparsed
    assert parsed_whole(short, "GET", data) == parsed_whole(long, "GET", data)


@pytest.mark.parametrize(
    ("first", "method", "data"),
    [
        (b"", "GET", FIVE + b"hello"),
        (FIVE + b"hello", "HEAD", FIVE + b"hello"),
        (FIVE + b"hello", "GET", FIVE + b"hell"),
        (FIVE + b"hello", "GET", FIVE + b"hello!"),
        (FIVE + b"hello", "GET", FIVE.replace(b"OK", b"No") + b"hello"),
        (FIVE + b"hello", "GET", b""),
        (CHUNKED + b"0\r\n\r\n", "GET", CHUNKED + b"0\r\n\r\n"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", "GET", b"HTTP/1.1 204 No Content\r\n\r\n"),
    ],
    ids=[
        "nothing known",
        "another method",
        "a byte is missing",
        "a byte too many",
        "another head",
        "nothing",
        "chunked",
        "no body",
    ],
)
def test_any_other_answer_is_not_taken(
    engine: EngineName, first: bytes, method: str, data: bytes
) -> None:
    """Nothing is done then: the parser still expects no answer."""
    parser = ResponseParser(engine)
    if first:
        parser.expect("GET")
        parser.receive(first)
        while parser.next_event() is not END_OF_MESSAGE:
            pass
    assert parser.take_whole(method, data) is None
    parser.expect(method)
    assert not parser.has_unparsed


def test_the_last_answer_of_a_connection_is_not_taken(engine: EngineName) -> None:
    """It changes what may follow: the long way has to note that (H-125)."""
    last = FIVE[:-2] + b"Connection: close\r\n\r\nhello"
    parser = ResponseParser(engine)
    parsed_whole(parser, "GET", last)
    assert parser.renew()
    assert parser.take_whole("GET", last) is None


def test_nothing_is_taken_while_an_answer_arrives(engine: EngineName) -> None:
    """Only between messages: these bytes are the body of the other one."""
    parser = ResponseParser(engine)
    parsed_whole(parser, "GET", FIVE + b"hello")
    read_head(parser, FIVE)
    assert parser.take_whole("GET", FIVE + b"hello") is None
