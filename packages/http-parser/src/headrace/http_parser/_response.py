"""The parser of a client: responses, each to a request that was announced."""

import re
from typing import Final, TypeAlias

from headrace.http_parser._diagnosis import check_status_line
from headrace.http_parser._engine import (
    EngineName,
    make_engine,
    plain_head,
)
from headrace.http_parser._errors import IllegalMoveError
from headrace.http_parser._fields import FIELD_LINES, VALUE_CHAR
from headrace.http_parser._framing import (
    NO_FRAMING,
    Framing,
    Transfer,
    list_elements,
    read_framing,
    response_body,
    ruling_fields,
    wants_keep_alive,
)
from headrace.http_parser._limits import (
    MAX_HEADER_SIZE,
    MAX_HEADERS_COUNT,
    MAX_REMEMBERED_BYTES,
    Limits,
    limits_with,
)
from headrace.http_parser._messages import ResponseHead, Signal
from headrace.http_parser._parser import MessageParser
from headrace.http_parser._state import Move, State, advance, moves_from

# status-line = HTTP-version SP status-code [ SP reason-phrase ], then fields and a
# blank line (RFC 9112 sections 2.1 and 4). Peers leave out the last SP as well.
_HEAD: Final = re.compile(
    rb"HTTP/1\.([01]) ([1-9][0-9][0-9])(?: ("
    + VALUE_CHAR
    + rb"*+))?+\r\n"
    + FIELD_LINES
    + rb"\r\n"
)

# Of a status line, "HTTP/".
_BEGINNING: Final = 5

# Members of an Enum are slow to look up on the hot path (Python 3.11).
_IDLE: Final = State.IDLE
_CHUNK: Final = Move.CHUNK
_CLOSE: Final = Move.CLOSE
_EXPECT: Final = Move.EXPECT
_FIX: Final = Move.FIX
_FLOW: Final = Move.FLOW
_REST: Final = Move.REST
_CHUNKED: Final = Transfer.CHUNKED

_HEAD_STATE: Final = State.HEAD
_CLOSED: Final = State.CLOSED

# A part of the table for the move of every message.
_EXPECTED: Final = moves_from(State.IDLE)[Move.EXPECT]


# A whole head, the method it answered, and what it said: the head as an event, what
# follows it, and whether every engine reads such fields in the same way.
_Known: TypeAlias = tuple[bytes, str, ResponseHead, Move, bool]


class ResponseParser(MessageParser[ResponseHead]):
    """Parses what a server sends; one parser serves a whole connection.

    Each request is announced with `expect`, because its method decides whether the
    answer has a body. Bytes that come unannounced are not parsed: see `has_unparsed`.

    Args:
        engine: As for `RequestParser`.
        max_head_size: Bytes a head may have, and a trailer section.
        max_headers_count: Fields kept of each; 0 keeps all.
        insecure: Accept folded lines, bare LF and odd transfer codings (X-016).
        limits: All limits at once, in the place of the two above.

    Raises:
        EngineChoiceError: If the engine does not exist or is not installed.

    Source: H-075, H-076, H-125, H-130.
    """

    __slots__ = ("_known", "_known_size", "_method")

    def __init__(
        self,
        engine: EngineName = "auto",
        *,
        max_head_size: int = MAX_HEADER_SIZE,
        max_headers_count: int = MAX_HEADERS_COUNT,
        insecure: bool = False,
        limits: Limits | None = None,
    ) -> None:
        super().__init__(
            make_engine(engine, "responses"),
            State.IDLE,
            limits or limits_with(max_head_size, max_headers_count),
            insecure,
            check_status_line,
        )
        self._method = ""
        # Per connection: the last head. Servers repeat themselves, their clock only
        # moves once a second, and comparing is cheaper than reading.
        self._known: _Known | None = None
        # Bytes of the last head and its body, if `take_whole` may take such a message.
        self._known_size = 0

    def expect(self, method: str) -> None:
        """Say that a request is sent, and what the next response answers.

        Args:
            method: The method of the request, upper case.

        Raises:
            IllegalMoveError: If the answer to the request before is not complete, or
                the server has sent bytes that would be taken for this answer.
        """
        if self._state is not _IDLE:
            advance(self._state, _EXPECT)  # raises: there is no such move
        if len(self.buffer) > self._position:
            raise IllegalMoveError(
                _IDLE, _EXPECT, "the server sent bytes that nobody asked for"
            )
        self._state = _EXPECTED
        self._method = method

    def take_whole(self, method: str, data: bytes) -> tuple[ResponseHead, bytes] | None:
        """Return an answer that came in one piece, if it begins as the last one did.

        Servers repeat themselves. So this does what `expect`, `receive`, `next_event`
        and `take_rest` would do, the end of the message included, in one call.

        Args:
            method: The method of the request, upper case.
            data: All that has come, nothing but this answer.

        Returns:
            The head and the whole body; None if the answer is any other. Then nothing
            is done.
        """
        known = self._known
        if (
            known is None
            or len(data) != self._known_size
            or known[1] != method
            or self._state is not _IDLE
            or self.buffer
            or not data.startswith(known[0])
        ):
            return None
        return known[2], data[len(known[0]) :]

    def renew(self) -> bool:
        """Get ready for another connection, if the last one ended between messages.

        Nothing of it is left but what an equal head says.

        Returns:
            Whether the parser is as good as a new one. If not, drop it.
        """
        state = self._state
        if state is not _IDLE and state is not _CLOSED and state is not _HEAD_STATE:
            return False
        self._state = _IDLE
        self.buffer = b""
        self._position = self._head_end = 0
        self._finished = False
        self._section.forget()
        self._engine.renew()
        return True

    def _read_head(self) -> ResponseHead | Signal:
        raw = self._find_head()
        if raw is None:
            if self._section.seen < _BEGINNING and not self._insecure:
                self._check_beginning()
            return self._await_head()
        known = self._known
        if known is not None and raw == known[0] and self._method == known[1]:
            return self._read_known(known)
        match = _HEAD.fullmatch(raw)
        if not match or self._head_end - self._position > self._max_head_size:
            self._refuse_head(raw)
        minor, status, phrase = match.groups(b"")
        head = self._read_fields(
            raw,
            "1.1" if minor == b"1" else "1.0",
            int(status),
            phrase.decode("latin-1"),
        )
        self._pass_head(self._head_end)
        return head

    def _check_beginning(self) -> None:
        """Refuse what is no HTTP by its first bytes: a line end may never come.

        Raises:
            HTTPParserError: ``HPE_INVALID_CONSTANT``.
        """
        start = self._position
        line, *_ = bytes(self.buffer[start : start + _BEGINNING]).splitlines() or [b""]
        check_status_line(line, False)

    def _read_known(self, known: _Known) -> ResponseHead:
        """Read the last head once more; what was checked once is not checked again."""
        _, _, head, body, plain = known
        if body is _CHUNK:
            self._ask_engine(head, plain, body)
        self._pass_head(self._head_end)
        self._after = _REST if head.keep_alive else _CLOSE
        self._enter_body(body, head.content_length)
        return head

    def _read_fields(
        self, raw: bytes, http_version: str, status: int, phrase: str
    ) -> ResponseHead:
        lowered = raw.lower()
        ruling = ruling_fields(lowered)
        method = self._method
        interim = status < 200 and status != 101
        upgrade = status == 101 or (method == "CONNECT" and not interim)
        framing = NO_FRAMING
        # Framing fields of a tunnel say nothing (RFC 9110 section 9.3.6).
        if not upgrade or not 200 <= status < 300:
            framing = read_framing(lowered, ruling, insecure=self._insecure)
        body = response_body(method, status, framing)
        options = list_elements(ruling.get(b"connection", []))
        head = ResponseHead(
            raw,
            self._max_count,
            status,
            phrase,
            http_version,
            _can_persist(http_version, options, framing, body),
            framing.length,
            framing.transfer is _CHUNKED,
            body is _FLOW,
            upgrade,
        )
        self._ask_engine(head, framing.plain, body)
        if interim:
            self._state = advance(self._state, Move.INTERIM)
            return head
        self._after = _REST if head.keep_alive else _CLOSE
        if upgrade:
            self._after = Move.SWITCH
        elif len(raw) <= MAX_REMEMBERED_BYTES and not self._insecure:
            self._known = raw, method, head, body, framing.plain
            fixed = body is _FIX and self._after is _REST
            self._known_size = len(raw) + (framing.length or 0) if fixed else 0
        self._enter_body(body, framing.length)
        return head

    def _ask_engine(self, head: ResponseHead, plain: bool, body: Move) -> None:
        """Let the engine judge a head, and make it ready for a chunked body."""
        raw = head._block
        if not plain or head.upgrade:
            length, chunked = head.content_length, head.chunked
            raw = plain_head(b"HTTP/1.1 200 OK", raw, length, chunked)
        # Whether there is another body depends on the request, which it does not know.
        self._engine.read_head(raw, True if body is _CHUNK else None)


def _can_persist(
    http_version: str, options: list[bytes], framing: Framing, body: Move
) -> bool:
    """Tell whether another response can follow on the connection."""
    if body is _FLOW:
        return False
    if http_version == "1.0" and framing.transfer is not Transfer.ABSENT:
        return False  # its framing is not to be trusted (RFC 9112 section 6.1)
    return wants_keep_alive(http_version, options)
