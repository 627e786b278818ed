"""Write down what a parser says, so that two runs can be compared line by line."""

from collections.abc import Iterable, Iterator
from typing import Literal

from headrace.http_parser._errors import HTTPParserError
from headrace.http_parser._messages import (
    EndOfMessage,
    RequestHead,
    ResponseHead,
    Signal,
)
from headrace.http_parser._request import RequestParser
from headrace.http_parser._response import ResponseParser
from headrace.http_parser._state import State

__all__ = ["escape", "trace"]


def trace(
    parser: RequestParser | ResponseParser,
    pieces: Iterable[bytes],
    *,
    finished: bool = False,
    upgrade: Literal["accept", "decline"] | None = None,
) -> list[str]:
    """Feed a parser and return its events as lines of text.

    Parts of a body that follow one another become one line, so the trace does not
    depend on how the bytes were split.

    Args:
        parser: A new parser; a response parser expects its response already.
        pieces: What the peer sends, as it arrives.
        finished: The peer closes after the last piece.
        upgrade: What to do about a request that asks to leave HTTP.

    Returns:
        A line for each head, field, body, trailer and end; ``refuse`` with code and
        position for an error; ``paused``, ``leftover`` or ``unasked`` for bytes that
        were not parsed.
    """
    lines: list[str] = []
    body = b""
    for event in _events(parser, pieces, finished, upgrade):
        if isinstance(event, bytes):
            body += event
            continue
        if body:
            lines.append(f"body {escape(body)}")
            body = b""
        lines += _describe(event)
    if body:
        lines.append(f"body {escape(body)}")
    return lines + _describe_rest(parser)


def escape(data: bytes) -> str:
    r"""Return bytes as visible ASCII; all others as ``\r``, ``\n`` or ``\xHH``."""
    text = data.decode("latin-1").replace("\\", "\\\\")
    text = text.replace("\r", "\\r").replace("\n", "\\n")
    return "".join(c if " " <= c <= "~" else f"\\x{ord(c):02x}" for c in text)


_Event = RequestHead | ResponseHead | bytes | EndOfMessage | HTTPParserError


def _events(
    parser: RequestParser | ResponseParser,
    pieces: Iterable[bytes],
    finished: bool,
    upgrade: Literal["accept", "decline"] | None,
) -> Iterator[_Event]:
    try:
        for piece in pieces:
            parser.receive(piece)
            yield from _drain(parser, upgrade)
        if finished:
            parser.finish()
            yield from _drain(parser, upgrade)
    except HTTPParserError as error:
        yield error


def _drain(
    parser: RequestParser | ResponseParser,
    upgrade: Literal["accept", "decline"] | None,
) -> Iterator[_Event]:
    while not isinstance(event := parser.next_event(), Signal):
        yield event
        if parser.state is not State.CHOICE or not isinstance(parser, RequestParser):
            continue
        if upgrade == "accept":
            parser.accept_upgrade()
        elif upgrade == "decline":
            parser.decline_upgrade()


def _describe(event: _Event) -> Iterator[str]:
    if isinstance(event, RequestHead):
        yield " ".join(_request_words(event))
        yield from _pairs("field", event.raw_headers)
    elif isinstance(event, ResponseHead):
        yield " ".join(_response_words(event))
        yield from _pairs("field", event.raw_headers)
    elif isinstance(event, EndOfMessage):
        yield from _pairs("trailer", event.raw_trailers)
        yield "end"
    elif isinstance(event, HTTPParserError):
        yield f"refuse {event.code} at {event.bytes_parsed}"


def _request_words(head: RequestHead) -> Iterator[str]:
    yield f"head {head.method} {head.target} {head.http_version}"
    yield from _shared_words(head)
    if head.upgrade:
        yield "upgrade"
    if head.expect is not None:
        yield f"expect={head.expect}"
    if head.host_error is not None:
        yield f"host-{head.host_error}"


def _response_words(head: ResponseHead) -> Iterator[str]:
    yield f"head {head.status_code} {head.http_version}"
    yield from _shared_words(head)
    if head.body_until_close:
        yield "until-close"
    if head.upgrade:
        yield "upgrade"
    yield f'"{escape(head.status_message.encode("latin-1"))}"'


def _shared_words(head: RequestHead | ResponseHead) -> Iterator[str]:
    yield "keep-alive" if head.keep_alive else "close"
    if head.content_length is not None:
        yield f"length={head.content_length}"
    if head.chunked:
        yield "chunked"


def _pairs(word: str, raw: list[str]) -> Iterator[str]:
    for name, value in zip(raw[::2], raw[1::2], strict=True):
        yield f"{word} {name}: {escape(value.encode('latin-1'))}".rstrip()


def _describe_rest(parser: RequestParser | ResponseParser) -> list[str]:
    if parser.state is State.CHOICE:
        return ["paused"]
    word = {State.SWITCHED: "leftover", State.IDLE: "unasked"}.get(parser.state)
    if word is None or not parser.has_unparsed:
        return []
    return [f"{word} {escape(parser.take_leftover())}"]
