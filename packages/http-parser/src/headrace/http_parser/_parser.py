"""Feed bytes, get events: what the parsers of both sides share.

A parser does no I/O and starts nothing by itself. Bytes wait unparsed until they are
asked for, so a caller decides between any two events what comes next.
"""

from typing import Final, Generic, NoReturn, TypeVar

from headrace.http_parser._chunked import ChunkScanner
from headrace.http_parser._diagnosis import LineCheck, Section
from headrace.http_parser._engine import Engine, disagreement
from headrace.http_parser._errors import HTTPParserError
from headrace.http_parser._insecure import find_section_end, mend_head
from headrace.http_parser._limits import Limits
from headrace.http_parser._messages import (
    END_OF_MESSAGE,
    NEED_DATA,
    PAUSED,
    EndOfMessage,
    RequestHead,
    ResponseHead,
    Signal,
)
from headrace.http_parser._state import Move, Part, State, advance, moves_from

# Members of an Enum are slow to look up on the hot path (Python 3.11).
_HEAD: Final = State.HEAD
_COMPLETE: Final = State.COMPLETE
_FIXED: Final = State.FIXED
_FIX: Final = Move.FIX
_CHUNK: Final = Move.CHUNK

_CR: Final = 0x0D

#: The state after the last byte of a body of known length.
_WHOLE: Final = advance(State.FIXED, Move.FINISH)

# Parts of the table for the moves of every message.
_AFTER_HEAD: Final = moves_from(State.HEAD)
_AFTER_END: Final = moves_from(State.COMPLETE)

HeadT = TypeVar("HeadT", RequestHead, ResponseHead)


class MessageParser(Generic[HeadT]):
    """The buffer, the bodies and the ends of messages."""

    __slots__ = (
        "_after",
        "_end",
        "_engine",
        "_error",
        "_finished",
        "_head_end",
        "_insecure",
        "_left",
        "_limits",
        "_max_count",
        "_max_head_size",
        "_position",
        "_scanner",
        "_section",
        "_state",
        "buffer",
    )

    def __init__(
        self,
        engine: Engine,
        state: State,
        limits: Limits,
        insecure: bool,
        check_start_line: LineCheck,
    ) -> None:
        # Configuration.
        self._engine = engine
        self._limits = limits
        self._max_head_size = limits.max_head_size
        self._max_count = limits.max_headers_count
        self._insecure = insecure
        # Per connection. Bytes before `_position` are done with.
        #: What was received, to be read only: a `bytes` as it came, or a `bytearray`
        #: once pieces had to be joined; empty when nothing is left to be parsed.
        self.buffer: bytes | bytearray = b""
        self._position = 0
        self._state = state
        self._finished = False
        self._error: HTTPParserError | None = None
        # Per message.
        self._section = Section("Header", limits.max_head_size, check_start_line)
        self._head_end = 0  # where the head ends that is being read
        self._left = 0  # bytes of a body of known length that have yet to come
        self._scanner: ChunkScanner | None = None
        self._end = END_OF_MESSAGE
        self._after = Move.CLOSE  # what follows the end of the message

    @property
    def engine(self) -> str:
        """The engine at work: ``"llhttp"`` or ``"h11"``."""
        return self._engine.name

    @property
    def state(self) -> State:
        """Whose the next bytes are."""
        return self._state

    @property
    def started(self) -> bool:
        """The next message has begun to arrive, but its head is not complete.

        Blank lines in front of it, and half of one, are no beginning.
        """
        buffer, start = self.buffer, self._position
        return (
            self._state is _HEAD
            and len(buffer) > start
            and (len(buffer) > start + 1 or buffer[start] != _CR)
        )

    @property
    def has_unparsed(self) -> bool:
        """Bytes have come that no event has delivered.

        After the end of a response they belong to nobody: the connection must not be
        used for another request.
        """
        return len(self.buffer) > self._position

    @property
    def missing(self) -> int:
        """Bytes of a body of known length that have yet to be received."""
        if self._state is not _FIXED:
            return 0
        return max(0, self._left - len(self.buffer) + self._position)

    def __repr__(self) -> str:
        unparsed = len(self.buffer) - self._position
        return (
            f"<{type(self).__name__} {self._state.name} engine={self.engine}"
            f" unparsed={unparsed}>"
        )

    def receive(self, data: bytes | bytearray | memoryview) -> None:
        """Take what the peer sent; everything but `bytes` is copied."""
        if not self.buffer:
            self.buffer = data if type(data) is bytes else bytes(data)
            return
        self._join(data)

    def _join(self, data: bytes | bytearray | memoryview) -> None:
        """Append to what is left of the buffer; costs as much as `data` is long."""
        buffer = self.buffer
        if isinstance(buffer, bytearray):
            del buffer[: self._position]
        else:
            self.buffer = buffer = bytearray(buffer[self._position :])
        self._position = 0
        buffer += data

    def finish(self) -> None:
        """Say that the peer has closed its side.

        `next_event` then gives the end of a body that ends with the connection, and
        raises ``HPE_INVALID_EOF_STATE`` in the middle of any other message. Between
        messages it goes on to return NEED_DATA.
        """
        self._finished = True

    def take_leftover(self) -> bytes:
        """Return and forget all bytes that were not parsed.

        After an upgrade or CONNECT these are the first bytes of the other protocol.
        """
        leftover = bytes(self.buffer[self._position :])
        self.buffer = b""
        self._position = 0
        self._section.forget()
        return leftover

    def take_rest(self) -> bytes | None:
        """Return the whole rest of the body, if it and the message's end are here.

        For the many messages that come in one piece: the end counts as delivered. It
        had no trailers.

        Returns:
            The rest of the body, perhaps empty; None if it is not all here, or not of
            known length. Then nothing is done, and `next_event` goes on.
        """
        state = self._state
        data = b""
        if state is _FIXED:
            buffer, start = self.buffer, self._position
            end = start + self._left
            if len(buffer) < end:
                return None
            data = bytes(buffer[start:end])
            self._left = 0
            if end == len(buffer):
                self.buffer = b""
                self._position = 0
            else:
                self._position = end
        elif state is not _COMPLETE or self._end is not END_OF_MESSAGE:
            return None
        self._state = _AFTER_END[self._after]
        return data

    def next_event(self) -> HeadT | bytes | EndOfMessage | Signal:
        """Return the next event, or why there is none.

        Returns:
            A head; a part of a body, never empty; the end of the message; NEED_DATA
            when `receive` or `finish` must come first; PAUSED when the caller must act
            first, or the parser's work is over.

        Raises:
            HTTPParserError: If the peer broke a rule, at once and at every later call.
        """
        try:
            state = self._state
            if state is _HEAD:
                return self._read_head() if self.buffer else NEED_DATA
            if state is _COMPLETE:  # `_read_end`, without a call
                self._state = _AFTER_END[self._after]
                end = self._end
                self._end = END_OF_MESSAGE
                return end
            if state is _FIXED:
                return self._read_fixed()
            return self._read_other(state)
        except HTTPParserError as error:
            if error is not self._error:
                self._fail(error)
            raise

    def _read_other(self, state: State) -> bytes | EndOfMessage | Signal:
        if state is State.CHUNKED:
            return self._read_chunked()
        if state is State.UNTIL_CLOSE:
            return self._read_until_close()
        if self._error is not None:
            self.take_leftover()  # nobody will ever want it
            raise self._error
        if state is State.CLOSED:
            # Blank lines after a message are tolerated, as before one.
            if bytes(self.buffer[self._position :]).strip(b"\r\n"):
                raise HTTPParserError(
                    "HPE_CLOSED_CONNECTION", "Data after `Connection: close`"
                )
            self.take_leftover()
        return PAUSED

    def _fail(self, error: HTTPParserError) -> None:
        self._error = error
        error.raw_packet = self.take_leftover()
        self._state = advance(self._state, Move.FAIL)

    # Heads.

    def _read_head(self) -> HeadT | Signal:
        raise NotImplementedError

    def _find_head(self) -> bytes | None:
        """Return the next head, or None when its end has not come.

        The bytes stay in the buffer, where an error needs them, up to `_pass_head`.
        """
        buffer = self.buffer
        start = self._position
        if self._insecure:
            return self._find_odd_head(start)
        self._head_end = end = (
            buffer.find(b"\r\n\r\n", start + self._section.searched) + 4
        )
        if end < 4:
            return None
        head = buffer[start:end]
        return head if type(head) is bytes else bytes(head)

    def _find_odd_head(self, start: int) -> bytes | None:
        end = find_section_end(self.buffer, start + self._section.searched)
        if end < 0:
            return None
        self._head_end = end
        return mend_head(bytes(self.buffer[start:end]))

    def _await_head(self) -> Signal:
        """Judge the part of a head that has come."""
        if len(self.buffer) > self._position:
            if self._position:
                self._join(b"")  # do not hold a long read for the sake of its end
            self._section.take_part(self.buffer, 0, mendable=self._insecure)
            return self._need_data()
        return NEED_DATA

    def _refuse_head(self, head: bytes) -> NoReturn:
        too_long = self._head_end - self._position > self._max_head_size
        if too_long and self._insecure:
            head = b""  # as when it comes in pieces, which cannot be mended
        self._section.refuse(head, too_long=too_long)

    def _pass_head(self, end: int) -> None:
        """Be done with the bytes up to `end`."""
        if end == len(self.buffer):  # `_consume`, without a call
            self.buffer = b""
            self._position = 0
        else:
            self._position = end
        if self._section.seen:
            self._section.forget()

    def _consume(self, end: int) -> None:
        if end == len(self.buffer):
            self.buffer = b""
            self._position = 0
        else:
            self._position = end

    # Bodies.

    def _enter_body(self, move: Move, length: int | None) -> None:
        """Get ready for what follows a head."""
        state = self._state
        self._state = _AFTER_HEAD[move] if state is _HEAD else advance(state, move)
        if move is _FIX:
            self._left = length or 0
        elif move is _CHUNK:
            self._scanner = ChunkScanner(self._limits, insecure=self._insecure)

    def _need_data(self) -> Signal:
        if self._finished:
            raise HTTPParserError(
                "HPE_INVALID_EOF_STATE", "The connection ended inside a message"
            )
        return NEED_DATA

    def _read_fixed(self) -> bytes | Signal:
        buffer = self.buffer
        if not buffer:
            return self._need_data()
        start = self._position
        size = len(buffer) - start
        if size <= self._left:
            # The usual case in a long body: one whole read, which `bytes` and the
            # slice return as the same object.
            data = bytes(buffer[start:])
            self.buffer = b""
            self._position = 0
        else:
            size = self._left
            data = bytes(buffer[start : start + size])
            self._position = start + size
        self._left -= size
        if not self._left:
            self._state = _WHOLE
        return data

    def _read_until_close(self) -> bytes | EndOfMessage | Signal:
        if self.buffer:
            return self.take_leftover()
        if not self._finished:
            return NEED_DATA
        self._state = advance(State.UNTIL_CLOSE, Move.FINISH)
        return self._read_end()

    def _read_chunked(self) -> bytes | EndOfMessage | Signal:
        scanner = self._scanner
        assert scanner is not None
        while self.buffer:
            end, pieces = scanner.scan(self.buffer, self._position)
            if not pieces:
                if self._position:
                    self._join(b"")
                break
            self._consume(end)
            content = self._engine.decode(pieces)
            if scanner.part is Part.DONE:
                self._finish_chunked(scanner)
            if content:
                return content
            if scanner.part is Part.DONE:
                return self._read_end()
        return self._need_data()

    def _finish_chunked(self, scanner: ChunkScanner) -> None:
        if not self._engine.is_complete():
            raise disagreement(self.engine, "the chunked body is not complete")
        self._state = advance(State.CHUNKED, Move.FINISH)
        self._scanner = None
        if scanner.trailers != b"\r\n":
            self._end = EndOfMessage(scanner.trailers, self._max_count)

    def _read_end(self) -> EndOfMessage:
        self._state = _AFTER_END[self._after]
        end = self._end
        self._end = END_OF_MESSAGE
        return end
