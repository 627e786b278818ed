"""Bytes in, message events out: the parser of each side of a connection."""

import re
from typing import Final, Generic, TypeVar

from headrace.http_parser import _framing as framing
from headrace.http_parser._chunked import ChunkScanner, Part
from headrace.http_parser._diagnosis import (
    SUSPECT,
    StartLineCheck,
    check_lines,
    check_request_line,
    check_status_line,
)
from headrace.http_parser._engine import Engine, EngineName, choose
from headrace.http_parser._errors import HTTPParserError
from headrace.http_parser._fields import FIELD_LINES, TOKEN_CHAR
from headrace.http_parser._limits import MAX_HEADER_SIZE, MAX_HEADERS_COUNT, Limits
from headrace.http_parser._messages import (
    END_OF_MESSAGE,
    NEED_DATA,
    PAUSED,
    EndOfMessage,
    HostError,
    RequestHead,
    ResponseHead,
    Signal,
)
from headrace.http_parser._methods import ASTERISK_METHODS, METHOD_BY_BYTES
from headrace.http_parser._state import IllegalMoveError, Move, State, advance

HeadT = TypeVar("HeadT", RequestHead, ResponseHead)

_HEAD_END: Final = b"\r\n\r\n"

_REQUEST: Final = re.compile(
    rb"("
    + TOKEN_CHAR
    + rb"++) ([\x21-\x7e]++) HTTP/1\.([01])(\r\n)"
    + FIELD_LINES
    + rb"\r\n"
)
_RESPONSE: Final = re.compile(
    rb"HTTP/1\.([01]) ([1-9][0-9][0-9])(?: ([\t\x20-\x7e\x80-\xff]*+))?+(\r\n)"
    + FIELD_LINES
    + rb"\r\n"
)
_ABSOLUTE: Final = re.compile(rb"[A-Za-z][A-Za-z0-9+.\-]*://[\x21-\x7e]+")
_AUTHORITY: Final = re.compile(
    rb"(?:\[[0-9a-fA-F:.]+\]|(?:[A-Za-z0-9\-._~!$&'()*+,;=]|%[0-9a-fA-F]{2})+):[0-9]+"
)
_REWRITTEN: Final = re.compile(
    rb"\r\n(?:host|upgrade|content-length|transfer-encoding):[^\r]*", re.IGNORECASE
)


class _Parser(Generic[HeadT]):
    """What both sides share: the buffer, the bodies and the ends of messages."""

    def __init__(
        self,
        engine: EngineName | None = None,
        *,
        max_head_size: int = MAX_HEADER_SIZE,
        max_headers_count: int = MAX_HEADERS_COUNT,
        insecure: bool = False,
        limits: Limits | None = None,
    ) -> None:
        self._limits = limits or Limits(
            max_header_size=max_head_size, max_headers_count=max_headers_count
        )
        self._max_head_size = self._limits.max_header_size
        self._max_count = self._limits.max_headers_count
        self._insecure = insecure
        self._engine = self._make_engine(engine)
        self._state = State.HEAD
        self._buffer: bytes | bytearray = b""
        self._position = 0
        self._searched = 0
        self._checked = 0
        self._eof = False
        self._error: HTTPParserError | None = None
        self._left = 0
        self._scanner = ChunkScanner(self._limits)
        self._after = Move.AGAIN
        self._pending: HeadT | None = None
        self._end = END_OF_MESSAGE

    def _make_engine(self, name: EngineName | None) -> Engine:
        raise NotImplementedError

    _check_start_line: StartLineCheck

    @property
    def engine(self) -> str:
        """The engine at work: ``"llhttp"`` or ``"h11"``."""
        return self._engine.name

    @property
    def state(self) -> State:
        """What the next bytes are."""
        return self._state

    @property
    def started(self) -> bool:
        """A byte of a head has come that is not complete."""
        return self._state is State.HEAD and len(self._buffer) > self._position

    @property
    def has_unparsed(self) -> bool:
        """Bytes have come that no event has delivered."""
        return len(self._buffer) > self._position

    def receive(self, data: bytes | bytearray | memoryview) -> None:
        """Take bytes from the peer; what is kept is copied."""
        if not self._buffer:
            self._buffer = data if type(data) is bytes else bytes(data)
            return
        self._own_buffer()
        assert isinstance(self._buffer, bytearray)
        self._buffer += data

    def _own_buffer(self) -> None:
        if type(self._buffer) is bytearray:
            del self._buffer[: self._position]
        else:
            self._buffer = bytearray(self._buffer[self._position :])
        self._position = 0

    def finish(self) -> None:
        """Say that the peer closed its side."""
        self._eof = True

    def take_leftover(self) -> bytes:
        """Return and forget the bytes that were not parsed."""
        leftover = bytes(self._buffer[self._position :])
        self._buffer = b""
        self._position = 0
        return leftover

    def next_event(self) -> HeadT | bytes | EndOfMessage | Signal:
        """Return the next event, or why there is none."""
        try:
            return self._next_event()
        except HTTPParserError as error:
            if self._error is None:
                self._error = error
                error.raw_packet = bytes(self._buffer[self._position :])
                self._state = advance(self._state, Move.FAIL)
            raise

    def _next_event(self) -> HeadT | bytes | EndOfMessage | Signal:
        state = self._state
        if state is State.HEAD:
            return self._read_head()
        if state is State.COMPLETE:
            self._state = advance(state, self._after)
            end, self._end = self._end, END_OF_MESSAGE
            return end
        if state is State.FIXED:
            return self._read_fixed()
        if state is State.CHUNKED:
            return self._read_chunked()
        if state is State.UNTIL_CLOSE:
            return self._read_rest()
        if state is State.FAILED:
            assert self._error is not None
            raise self._error
        if state is State.CLOSED and self.has_unparsed:
            raise HTTPParserError(
                "HPE_CLOSED_CONNECTION", "Data after `Connection: close`"
            )
        return PAUSED

    def _find_head(self) -> bytes | None:
        buffer = self._buffer
        start = self._position
        end = buffer.find(_HEAD_END, start + self._searched)
        if end < 0:
            self._await_head()
            return None
        end += 4
        if end - start > self._max_head_size:
            self._overflow(bytes(buffer[start : start + self._max_head_size]))
        self._searched = self._checked = 0
        head = bytes(buffer[start:end])
        self._consume(end)
        return head

    def _consume(self, end: int) -> None:
        if end == len(self._buffer):
            self._buffer = b""
            self._position = 0
        else:
            self._position = end

    def _overflow(self, start: bytes) -> None:
        check_lines(start, 0, self._check_start_line)
        raise HTTPParserError("HPE_HEADER_OVERFLOW", "Header overflow")

    def _await_head(self) -> None:
        if not self.has_unparsed:
            return
        self._own_buffer()
        partial = self._buffer
        if self._eof:
            raise HTTPParserError("HPE_INVALID_EOF_STATE", "Invalid EOF state")
        if len(partial) >= self._max_head_size:
            self._overflow(bytes(partial[: self._max_head_size]))
        seen = self._searched
        if partial.find(b"\n", seen) >= 0 or SUSPECT.search(partial, max(seen - 1, 0)):
            self._checked = check_lines(partial, self._checked, self._check_start_line)
        self._searched = max(len(partial) - 3, 0)

    def _read_head(self) -> HeadT | Signal:
        raise NotImplementedError

    def _read_fixed(self) -> bytes | Signal:
        data = self._buffer
        if not data:
            return self._missing()
        start = self._position
        size = len(data) - start
        if size <= self._left:
            if start or type(data) is not bytes:
                data = bytes(data[start:])
            self._buffer = b""
            self._position = 0
        else:
            size = self._left
            data = bytes(data[start : start + size])
            self._position = start + size
        self._left -= size
        if not self._left:
            self._state = advance(State.FIXED, Move.FINISH)
        return data

    def _missing(self) -> Signal:
        if self._eof:
            raise HTTPParserError("HPE_INVALID_EOF_STATE", "Invalid EOF state")
        return NEED_DATA

    def _read_rest(self) -> bytes | EndOfMessage | Signal:
        if self._buffer:
            return self.take_leftover()
        if not self._eof:
            return NEED_DATA
        self._state = advance(State.UNTIL_CLOSE, Move.FINISH)
        return self._next_event()  # type: ignore[return-value]

    def _read_chunked(self) -> bytes | EndOfMessage | Signal:
        scanner = self._scanner
        content = b""
        if self._buffer:
            end, clean = scanner.scan(self._buffer, self._position)
            self._consume(end)
            if clean:
                content = self._engine.decode(clean)
        if scanner.part is Part.DONE:
            if not self._engine.is_complete():
                raise HTTPParserError("HPE_INTERNAL", "the engine expects more chunks")
            self._state = advance(State.CHUNKED, Move.FINISH)
            if scanner.trailers != b"\r\n":
                self._end = EndOfMessage(scanner.trailers, self._max_count)
            if not content:
                return self._next_event()  # type: ignore[return-value]
        if content:
            return content
        if self._buffer and end == self._position and clean:
            return self._read_chunked()
        return self._missing()

    def _begin_body(self, move: Move, length: int) -> None:
        if move is Move.FIX:
            self._left = length
        elif move is Move.CHUNK:
            self._scanner = ChunkScanner(self._limits)
        self._state = advance(self._state, move)

    def _rewrite(
        self, start_line: bytes, head: bytes, fields: int, extra: bytes
    ) -> bytes:
        """Return a head that says the same with plain framing fields."""
        rest = _REWRITTEN.sub(b"", head[fields - 2 : -2])
        return start_line + b"\r\nHost: a" + extra + rest + b"\r\n"


def _body_move(length: int | None, chunked: bool) -> Move:
    if chunked:
        return Move.CHUNK
    return Move.FIX if length else Move.EMPTY


class RequestParser(_Parser[RequestHead]):
    """Parses the requests of a client, one after the other."""

    _check_start_line = staticmethod(check_request_line)

    def _make_engine(self, name: EngineName | None) -> Engine:
        if choose(name) == "h11":
            from headrace.http_parser._h11 import request_engine as h11_engine

            return h11_engine()
        from headrace.http_parser._llhttp import request_engine

        return request_engine()

    def accept_upgrade(self) -> None:
        """Leave HTTP after this request, whose body still comes as events."""
        if self._state is not State.CHOICE:
            raise IllegalMoveError(self._state, Move.SWITCH)
        head = self._pending
        assert head is not None
        self._after = Move.SWITCH
        if head.method == "CONNECT":
            self._begin_body(Move.EMPTY, 0)
        else:
            self._settle(head)

    def decline_upgrade(self) -> None:
        """Go on as if the request had not asked to leave HTTP."""
        if self._state is not State.CHOICE:
            raise IllegalMoveError(self._state, Move.AGAIN)
        head = self._pending
        assert head is not None
        if head.method == "CONNECT" or not head.keep_alive:
            self._after = Move.CLOSE
        else:
            self._after = Move.AGAIN
        self._settle(head)

    def _settle(self, head: RequestHead) -> None:
        length = head.content_length
        self._begin_body(_body_move(length, head.chunked), length or 0)

    def _read_head(self) -> RequestHead | Signal:
        raw = self._find_head()
        while raw is not None and raw.startswith(b"\r\n"):
            rest = bytes(self._buffer[self._position :])
            self._buffer = raw.lstrip(b"\r\n") + rest
            self._position = 0
            raw = self._find_head()
        if raw is None:
            return NEED_DATA
        match = _REQUEST.fullmatch(raw)
        if match is None:
            check_lines(raw, 0, check_request_line)
            raise HTTPParserError("HPE_INTERNAL", "invalid head")
        method, target, minor, _ = match.groups()
        known = METHOD_BY_BYTES.get(method)
        if known is None:
            raise HTTPParserError("HPE_INVALID_METHOD", "Invalid method encountered")
        self._check_target(known, target)
        head = RequestHead()
        head._block = raw
        head._start = match.end(4)
        head._tail = 2
        head._max_count = self._max_count
        head.method = known
        head.target = target.decode()
        head.http_version = "1.1" if minor == b"1" else "1.0"
        self._read_fields(head, raw, minor)
        return head

    def _check_target(self, method: str, target: bytes) -> None:
        if method == "CONNECT":
            valid = _AUTHORITY.fullmatch(target) is not None
        elif target[:1] == b"/":
            return
        elif target == b"*":
            valid = method in ASTERISK_METHODS
        else:
            valid = _ABSOLUTE.fullmatch(target) is not None
        if not valid:
            raise HTTPParserError("HPE_INVALID_URL", "Invalid request target")

    def _read_fields(self, head: RequestHead, raw: bytes, minor: bytes) -> None:
        low = raw.lower()
        plain = head.target[0] == "/"
        length: int | None = None
        transfer = framing.Transfer.ABSENT
        if framing.CONTENT_LENGTH in low or framing.TRANSFER_ENCODING in low:
            length, transfer = framing.read_framing(low, insecure=self._insecure)
            values = framing.field_values(low, framing.TRANSFER_ENCODING)
            plain = plain and values in ([], [b"chunked"])
            if transfer is framing.Transfer.OTHER or (values and minor == b"0"):
                raise HTTPParserError(
                    "HPE_INVALID_TRANSFER_ENCODING",
                    "Request has invalid Transfer-Encoding",
                )
        head.content_length = length
        head.chunked = transfer is framing.Transfer.CHUNKED
        tokens = framing.list_tokens(framing.field_values(low, b"\r\nconnection:"))
        head.keep_alive = framing.wants_keep_alive(minor, tokens)
        head.upgrade = head.method == "CONNECT" or (
            minor == b"1" and b"upgrade" in tokens and b"\r\nupgrade:" in low
        )
        head.expect = self._expect(low, raw) if minor == b"1" else None
        head.host_error = self._host_error(low, minor)
        self._after = Move.AGAIN if head.keep_alive else Move.CLOSE
        if not plain or head.upgrade or head.host_error:
            raw = self._canonical(head, raw)
        self._engine.read_head(raw, bool(length) or head.chunked)
        if head.upgrade:
            self._pending = head
            self._state = advance(self._state, Move.ASK)
        else:
            self._settle(head)

    def _canonical(self, head: RequestHead, raw: bytes) -> bytes:
        extra = b""
        if head.chunked:
            extra = b"\r\nTransfer-Encoding: chunked"
        elif head.content_length is not None:
            extra = b"\r\nContent-Length: %d" % head.content_length
        return self._rewrite(b"POST / HTTP/1.1", raw, head._start, extra)

    def _expect(self, low: bytes, raw: bytes) -> str | None:
        start = low.find(b"\r\nexpect:")
        if start < 0:
            return None
        value = raw[start + 9 : raw.index(b"\r", start + 9)]
        return value.decode("latin-1").strip(" \t")

    def _host_error(self, low: bytes, minor: bytes) -> HostError | None:
        values = framing.field_values(low, b"\r\nhost:")
        if not values:
            return "missing" if minor == b"1" else None
        if len(values) > 1:
            return "repeated"
        return None if framing.is_valid_host(values[0]) else "invalid"


class ResponseParser(_Parser[ResponseHead]):
    """Parses the responses of a server, each expected before it comes."""

    _check_start_line = staticmethod(check_status_line)

    def __init__(
        self,
        engine: EngineName | None = None,
        *,
        max_head_size: int = MAX_HEADER_SIZE,
        max_headers_count: int = MAX_HEADERS_COUNT,
        insecure: bool = False,
        limits: Limits | None = None,
    ) -> None:
        super().__init__(
            engine,
            max_head_size=max_head_size,
            max_headers_count=max_headers_count,
            insecure=insecure,
            limits=limits,
        )
        self._state = State.IDLE
        self._method = ""

    def _make_engine(self, name: EngineName | None) -> Engine:
        if choose(name) == "h11":
            from headrace.http_parser._h11 import response_engine as h11_engine

            return h11_engine()
        from headrace.http_parser._llhttp import response_engine

        return response_engine()

    def expect(self, method: str) -> None:
        """Say that a request with `method` was sent."""
        self._state = advance(self._state, Move.EXPECT)
        self._method = method

    def _read_head(self) -> ResponseHead | Signal:
        raw = self._find_head()
        if raw is None:
            return NEED_DATA
        match = _RESPONSE.fullmatch(raw)
        if match is None:
            check_lines(raw, 0, check_status_line)
            raise HTTPParserError("HPE_INTERNAL", "invalid head")
        minor, status, reason, _ = match.groups()
        head = ResponseHead()
        head._block = raw
        head._start = match.end(4)
        head._tail = 2
        head._max_count = self._max_count
        head.status_code = int(status)
        head.status_message = (reason or b"").decode("latin-1")
        head.http_version = "1.1" if minor == b"1" else "1.0"
        self._read_fields(head, raw, minor)
        return head

    def _read_fields(self, head: ResponseHead, raw: bytes, minor: bytes) -> None:
        low = raw.lower()
        status = head.status_code
        interim = 100 <= status < 200 and status != 101
        tunnel = self._method == "CONNECT" and not interim
        length: int | None = None
        transfer = framing.Transfer.ABSENT
        plain = True
        # RFC 9110 section 9.3.6: a client must ignore framing fields of a tunnel.
        if not (tunnel and 200 <= status < 300) and (
            framing.CONTENT_LENGTH in low or framing.TRANSFER_ENCODING in low
        ):
            length, transfer = framing.read_framing(low, insecure=self._insecure)
            values = framing.field_values(low, framing.TRANSFER_ENCODING)
            plain = values in ([], [b"chunked"])
        tokens = framing.list_tokens(framing.field_values(low, b"\r\nconnection:"))
        bodiless = self._method == "HEAD" or status < 200 or status in (204, 304)
        head.upgrade = tunnel or status == 101
        head.content_length = length
        head.chunked = transfer is framing.Transfer.CHUNKED
        head.body_until_close = not (
            bodiless or head.upgrade or head.chunked or length is not None
        )
        head.keep_alive = (
            framing.wants_keep_alive(minor, tokens)
            and not head.body_until_close
            and not (minor == b"0" and transfer)
        )
        if not plain or head.upgrade:
            raw = self._canonical(head, raw)
        self._engine.read_head(raw, False)
        if interim:
            self._state = advance(self._state, Move.INTERIM)
            return
        self._after = Move.REST if head.keep_alive else Move.CLOSE
        if head.upgrade:
            self._after = Move.SWITCH
        move = _body_move(length, head.chunked)
        if bodiless or head.upgrade:
            move = Move.EMPTY
        elif head.body_until_close:
            move = Move.FLOW
        self._begin_body(move, length or 0)

    def _canonical(self, head: ResponseHead, raw: bytes) -> bytes:
        extra = b""
        if head.chunked:
            extra = b"\r\nTransfer-Encoding: chunked"
        elif head.content_length is not None:
            extra = b"\r\nContent-Length: %d" % head.content_length
        return self._rewrite(b"HTTP/1.1 200 OK", raw, head._start, extra)
