"""The parser of a server: requests, one after the other."""

import re
from typing import Final

from headrace.http_parser._diagnosis import check_request_line
from headrace.http_parser._engine import (
    EngineName,
    disagreement,
    make_engine,
    plain_head,
)
from headrace.http_parser._errors import HTTPParserError, IllegalMoveError
from headrace.http_parser._fields import FIELD_LINES, TOKEN_CHAR
from headrace.http_parser._framing import (
    CONNECTION,
    CONTENT_LENGTH,
    EXPECT,
    HOST,
    IP_LITERAL,
    NO_FRAMING,
    REG_NAME,
    TRANSFER_ENCODING,
    UPGRADE,
    Transfer,
    field_values,
    host_error,
    list_elements,
    request_body,
    request_framing,
    wants_keep_alive,
)
from headrace.http_parser._insecure import blank_line_end
from headrace.http_parser._limits import (
    MAX_HEADER_SIZE,
    MAX_HEADERS_COUNT,
    Limits,
    limits_with,
)
from headrace.http_parser._messages import HostError, RequestHead, Signal
from headrace.http_parser._methods import ASTERISK_METHODS, METHOD_BY_BYTES
from headrace.http_parser._parser import MessageParser
from headrace.http_parser._state import MOVES, Move, State

# request-line = method SP request-target SP HTTP-version, then fields and a blank line
# (RFC 9112 sections 2.1 and 3).
_HEAD: Final = re.compile(
    rb"(T++) ([\x21-\x7e]++) HTTP/1\.([01])\r\n".replace(b"T", TOKEN_CHAR)
    + FIELD_LINES
    + rb"\r\n"
)
_BLANK_LINES: Final = re.compile(rb"(?:\r\n)*+")

# absolute-form: an absolute URI of a hierarchical scheme, without a fragment.
_ABSOLUTE_FORM: Final = re.compile(rb"[A-Za-z][A-Za-z0-9+.\-]*+://[\x21-\x7e]++")
# authority-form = uri-host ":" port
_AUTHORITY_FORM: Final = re.compile(
    rb"(?:" + IP_LITERAL + rb"|" + REG_NAME + rb"++):[0-9]++"
)

_HTTP_VERSIONS: Final = {b"0": "1.0", b"1": "1.1"}


def is_valid_target(method: str, target: bytes) -> bool:
    """Tell whether `target` has a form that `method` may have.

    Source: RFC 9112 section 3.2.
    """
    if method == "CONNECT":
        return _AUTHORITY_FORM.fullmatch(target) is not None
    if target.startswith(b"/"):
        return True
    if target == b"*":
        return method in ASTERISK_METHODS
    return _ABSOLUTE_FORM.fullmatch(target) is not None


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

    __slots__ = ("_blank_bytes", "_host", "_undecided")

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
        self._blank_bytes = 0  # of blank lines before this request
        self._host = b""  # the last Host line that was found to be right
        self._undecided: RequestHead | None = None

    def accept_upgrade(self) -> None:
        """Leave HTTP after this request.

        The rest of the request comes first: its body, but none after CONNECT, and its
        end. `take_leftover` then has the first bytes of the other protocol.

        Raises:
            IllegalMoveError: If the last event was no head with `upgrade`.

        Source: H-025, H-026.
        """
        head = self._decide(Move.SWITCH)
        if head.method == "CONNECT":
            self._enter_body(Move.EMPTY, None)
        else:
            self._enter_request_body(head)

    def decline_upgrade(self) -> None:
        """Read this request as if it had not asked to leave HTTP.

        Nothing may follow a declined CONNECT: the client may have sent what it has to
        say to the other end, and that must not be read as requests.

        Raises:
            IllegalMoveError: If the last event was no head with `upgrade`.

        Source: H-026.
        """
        head = self._decide(Move.AGAIN)
        if head.method == "CONNECT" or not head.keep_alive:
            self._after = Move.CLOSE
        self._enter_request_body(head)

    def _enter_request_body(self, head: RequestHead) -> None:
        length = head.content_length
        self._enter_body(request_body(length, head.chunked), length)

    def _decide(self, after: Move) -> RequestHead:
        head = self._undecided
        if head is None:
            raise IllegalMoveError(self._state, after, "no upgrade was asked for")
        self._undecided = None
        self._after = after
        return head

    def _read_head(self) -> RequestHead | Signal:
        raw = self._find_head()
        match = raw and _HEAD.fullmatch(raw)
        while not match or self._head_end - self._position > self._max_head_size:
            if not self._skip_blank_lines():
                if raw is None:
                    return self._await_head()
                self._refuse_head(raw)
            raw = self._find_head()
            match = raw and _HEAD.fullmatch(raw)
        assert raw
        method, target, minor = match.groups()
        name = METHOD_BY_BYTES.get(method)
        if name is None:
            self._refuse_head(raw)
        if target[0] != 47 and not is_valid_target(name, target):
            raise HTTPParserError(
                "HPE_INVALID_URL", "Invalid request target", bytes_parsed=len(name) + 1
            )
        head = self._read_fields(raw, name, target.decode(), _HTTP_VERSIONS[minor])
        self._blank_bytes = 0
        self._pass_head()
        return head

    def _skip_blank_lines(self) -> bool:
        """Be done with blank lines in front of a request (RFC 9112 section 2.2)."""
        start = self._position
        match = _BLANK_LINES.match(self._buffer, start)
        end = match.end() if match else start
        if self._insecure:
            while (line_end := blank_line_end(self._buffer, end)) > end:
                end = line_end
        if end == start:
            return False
        self._blank_bytes += end - start
        if self._blank_bytes > self._limits.max_leading_crlf_bytes:
            raise HTTPParserError("HPE_HEADER_OVERFLOW", "Too many blank lines")
        self._head_end = end
        self._pass_head()
        return True

    def _read_fields(
        self, raw: bytes, method: str, target: str, http_version: str
    ) -> RequestHead:
        lowered = raw.lower()
        find = lowered.find
        framing = NO_FRAMING
        if find(CONTENT_LENGTH) >= 0 or find(TRANSFER_ENCODING) >= 0:
            framing = request_framing(lowered, http_version, insecure=self._insecure)
        keep_alive = http_version == "1.1"
        upgrade = method == "CONNECT"
        start = find(CONNECTION)
        if start >= 0:
            options = list_elements(field_values(lowered, CONNECTION, start))
            keep_alive = wants_keep_alive(http_version, options)
            if b"upgrade" in options and http_version == "1.1" and find(UPGRADE) >= 0:
                upgrade = True
        expect = None
        start = find(EXPECT)
        if start >= 0 and http_version == "1.1":
            expectations = field_values(lowered, EXPECT, start)
            expect = b", ".join(expectations).decode("latin-1")
        head = RequestHead(
            raw,
            self._max_count,
            method,
            target,
            http_version,
            keep_alive,
            framing.length,
            framing.transfer is Transfer.CHUNKED,
            upgrade,
            expect,
            self._judge_host(lowered, http_version),
        )
        self._ask_engine(head, framing.plain)
        self._after = Move.AGAIN if keep_alive else Move.CLOSE
        if upgrade:
            self._undecided = head
            self._state = MOVES[State.HEAD, Move.ASK]
        else:
            self._enter_request_body(head)
        return head

    def _judge_host(self, lowered: bytes, http_version: str) -> HostError | None:
        start = lowered.find(HOST)
        if start >= 0:
            end = lowered.find(b"\r\n", start + 7)
            line = lowered[start:end]
            # A connection is mostly used for one host.
            if line == self._host and lowered.find(HOST, end) < 0:
                return None
            error = host_error(lowered, http_version)
            if error is None:
                self._host = line
            return error
        return "missing" if http_version == "1.1" else None

    def _ask_engine(self, head: RequestHead, plain: bool) -> None:
        """Let the engine judge a head, and make it ready for a chunked body."""
        length = head.content_length
        has_body = head.chunked or bool(length)
        engine = self._engine
        # The engines have rules of their own about upgrades and Host.
        if (
            plain
            and not head.upgrade
            and head.host_error is None
            and engine.read_head(head._block, has_body)
        ):
            return
        rewritten = plain_head(b"POST / HTTP/1.1", head._block, length, head.chunked)
        if not engine.read_head(rewritten, has_body):
            raise disagreement(engine.name, "the head is refused")
