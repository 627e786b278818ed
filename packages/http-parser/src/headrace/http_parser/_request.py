"""The parser of a server: requests, one after the other."""

import re
from typing import Final, TypeAlias

from headrace.http_parser._diagnosis import check_request_line
from headrace.http_parser._engine import (
    EngineName,
    make_engine,
    plain_head,
)
from headrace.http_parser._errors import HTTPParserError, IllegalMoveError
from headrace.http_parser._fields import FIELD_LINES, TOKEN_CHAR
from headrace.http_parser._framing import (
    host_error,
    list_elements,
    request_body,
    request_framing,
    ruling_fields,
    wants_keep_alive,
)
from headrace.http_parser._insecure import blank_line_end
from headrace.http_parser._limits import (
    MAX_HEADER_SIZE,
    MAX_HEADERS_COUNT,
    MAX_REMEMBERED_BYTES,
    Limits,
    limits_with,
)
from headrace.http_parser._messages import (
    FieldViews,
    RequestFacts,
    RequestHead,
    Signal,
)
from headrace.http_parser._methods import METHOD_BY_BYTES
from headrace.http_parser._parser import MessageParser
from headrace.http_parser._state import Move, State, advance
from headrace.http_parser._target import is_valid_target

# request-line = method SP request-target SP HTTP-version (RFC 9112 section 3); the last
# group is what follows it, with its CRLF.
_REQUEST_LINE: Final = re.compile(
    rb"(" + TOKEN_CHAR + rb"++) ([\x21-\x7e]++) HTTP/1\.([01])(\r\n.*+)", re.DOTALL
)
# All that follows: every field is preceded by a CRLF, which makes it easy to find.
_FIELDS: Final = re.compile(rb"\r\n" + FIELD_LINES + rb"\r\n")
_BLANK_LINES: Final = re.compile(rb"(?:\r\n)*+")


# Members of an Enum are slow to look up on the hot path (Python 3.11).
_HEAD: Final = State.HEAD
_BETWEEN_MESSAGES: Final = (State.HEAD, State.CLOSED)
_AGAIN: Final = Move.AGAIN
_CLOSE: Final = Move.CLOSE
_CHUNK: Final = Move.CHUNK
_EMPTY: Final = Move.EMPTY

#: The state after a head without a body.
_BODILESS: Final = advance(State.HEAD, Move.EMPTY)

_SLASH: Final = 0x2F

# What the fields of a request say: to users, about what follows the head, and whether
# every engine reads such fields in the same way.
_Reading: TypeAlias = tuple[RequestFacts, Move, bool]


def _read_fields(fields: bytes, http_version: str, *, insecure: bool) -> _Reading:
    """Return what checked fields say.

    Raises:
        HTTPParserError: If they leave the length of the body open.
    """
    lowered = fields.lower()
    ruling = ruling_fields(lowered)
    framing = request_framing(lowered, ruling, http_version, insecure=insecure)
    options: list[bytes] = []
    if b"connection" in ruling:
        options = list_elements(ruling[b"connection"])
    wrong_host = host_error(ruling.get(b"host"), http_version)
    upgrade = b"upgrade" in options and b"upgrade" in ruling
    # The engines have rules of their own about that, and h11 about Host. llhttp
    # takes Proxy-Connection for Connection.
    plain = not upgrade and wrong_host is None and b"proxy-connection" not in ruling
    expect = None
    if http_version == "1.0":  # it knows neither Upgrade nor Expect
        upgrade = False
    elif b"expect" in ruling:
        expect = b", ".join(ruling[b"expect"]).decode("latin-1")
    body = request_body(framing)
    facts = (
        http_version,
        wants_keep_alive(http_version, options),
        framing.length,
        body is _CHUNK,
        upgrade,
        expect,
        wrong_host,
        FieldViews(),
    )
    return facts, body, plain and framing.plain


class RequestParser(MessageParser[RequestHead]):
    """Parses what a client sends; one parser serves a whole connection.

    Args:
        engine: ``"llhttp"``, ``"h11"``, or ``"auto"``: what the environment variable
            ``HEADRACE_HTTP_PARSER`` says, else llhttp if it is installed.
        max_head_size: Bytes a head may have, and a trailer section.
        max_headers_count: Fields kept of each; 0 keeps all.
        insecure: Accept folded lines, bare LF and odd transfer codings (X-016).
        limits: All limits at once, in the place of the two above.

    Raises:
        EngineChoiceError: If the engine does not exist or is not installed.

    Source: H-013, H-026, H-126, H-130.
    """

    __slots__ = ("_blank_bytes", "_fields", "_minor", "_reading", "_undecided")

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
            make_engine(engine, "requests"),
            State.HEAD,
            limits or limits_with(max_head_size, max_headers_count),
            insecure,
            check_request_line,
        )
        # Per connection: the fields of the last request, its minor version, and what
        # they said. Clients repeat themselves, and comparing is cheaper than reading.
        self._fields = b""
        self._minor = b""
        self._reading: _Reading | None = None
        # Per message.
        self._blank_bytes = 0  # of blank lines before it
        self._undecided: tuple[RequestHead, Move] | None = None

    def renew(self) -> bool:
        """Get ready for another connection, if the last one ended between messages.

        Nothing of it is left but what equal field sections say.

        Returns:
            Whether the parser is as good as a new one. If not, drop it.
        """
        if self._error is not None or self._state not in _BETWEEN_MESSAGES:
            return False
        self._state = _HEAD
        self.buffer = b""
        self._position = self._head_end = self._left = self._blank_bytes = 0
        self._finished = False
        self._section.forget()
        self._after = _CLOSE
        self._engine.renew()
        return True

    def accept_upgrade(self) -> None:
        """Leave HTTP after this request.

        The rest of the request comes first: its body, but none after CONNECT, and its
        end. `take_leftover` then has the first bytes of the other protocol.

        Raises:
            IllegalMoveError: If the last event was no head with `upgrade`.

        Source: H-025, H-026.
        """
        head, body = self._decide(Move.SWITCH)
        self._enter_body(
            _EMPTY if head.method == "CONNECT" else body, head.content_length
        )

    def decline_upgrade(self) -> None:
        """Read this request as if it had not asked to leave HTTP.

        Nothing may follow a declined CONNECT: the client may have sent what it has to
        say to the other end, and that must not be read as requests.

        Raises:
            IllegalMoveError: If the last event was no head with `upgrade`.

        Source: H-026.
        """
        head, body = self._decide(_AGAIN)
        if head.method == "CONNECT" or not head.keep_alive:
            self._after = _CLOSE
        self._enter_body(body, head.content_length)

    def _decide(self, after: Move) -> tuple[RequestHead, Move]:
        if self._undecided is None:
            raise IllegalMoveError(self._state, after, "no upgrade was asked for")
        undecided = self._undecided
        self._undecided = None
        self._after = after
        return undecided

    def _read_head(self) -> RequestHead | Signal:
        raw: bytes | bytearray | None = self.buffer
        end = len(self.buffer)
        if (
            type(raw) is bytes
            and 3 < end == raw.find(b"\r\n\r\n") + 4
            and not self._position
            and not self._insecure
        ):
            self._head_end = end  # all that has come is one head, as most often
        else:
            raw = self._find_head()
            end = self._head_end
        line = raw and _REQUEST_LINE.match(raw)
        if not raw or not line or end - self._position > self._max_head_size:
            return self._read_odd_head(raw)
        name, target, minor, fields = line.groups()
        method = METHOD_BY_BYTES.get(name)
        is_path = target[0] == _SLASH and method != "CONNECT"
        if method is None or not (is_path or is_valid_target(method, target)):
            self._refuse_head(raw)
        reading = self._reading
        if reading is None or fields != self._fields or minor != self._minor:
            reading = self._read_new_fields(raw, fields, minor)
        facts, body, plain = reading
        head = RequestHead(raw, self._max_count, method, target.decode(), facts)
        # Also when only the request line is new: a second opinion that is not asked
        # each time is none. Targets of other forms are read in many ways.
        if not (plain and is_path):
            raw = plain_head(b"POST / HTTP/1.1", raw, head.content_length, head.chunked)
        self._engine.read_head(raw, body is not _EMPTY)
        if end == len(self.buffer) and not self._section.seen:
            self.buffer = b""  # `_pass_head`, without a call
            self._position = 0
        else:
            self._pass_head(end)
        self._blank_bytes = 0
        self._after = _AGAIN if head.keep_alive else _CLOSE
        if head.upgrade or method == "CONNECT":
            head.upgrade = True
            self._undecided = head, body
            body = Move.ASK
        if body is _EMPTY:
            self._state = _BODILESS
        else:
            self._enter_body(body, head.content_length)
        return head

    def _read_odd_head(self, raw: bytes | None) -> RequestHead | Signal:
        """Go on when there is no head that could be right."""
        if self._skip_blank_lines():
            return self._read_head()
        if raw is None:
            return self._await_head()
        self._refuse_head(raw)

    def _read_new_fields(self, raw: bytes, fields: bytes, minor: bytes) -> _Reading:
        if not _FIELDS.fullmatch(fields):
            self._refuse_head(raw)
        version = "1.1" if minor == b"1" else "1.0"
        try:
            reading = _read_fields(fields, version, insecure=self._insecure)
        except HTTPParserError as error:
            error.bytes_parsed += len(raw) - len(fields)
            raise
        if len(fields) <= MAX_REMEMBERED_BYTES:
            self._fields, self._minor, self._reading = fields, minor, reading
        return reading

    def _skip_blank_lines(self) -> bool:
        """Be done with blank lines in front of a request (RFC 9112 section 2.2)."""
        start = self._position
        match = _BLANK_LINES.match(self.buffer, start)
        end = match.end() if match else start
        if self._insecure:
            while (line_end := blank_line_end(self.buffer, end)) > end:
                end = line_end
        if end == start:
            return False
        self._blank_bytes += end - start
        if self._blank_bytes > self._limits.max_leading_crlf_bytes:
            raise HTTPParserError("HPE_HEADER_OVERFLOW", "Too many blank lines")
        self._pass_head(end)
        return True
