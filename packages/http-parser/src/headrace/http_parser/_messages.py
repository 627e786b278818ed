"""Records of what was parsed."""

from enum import Enum
from typing import Final, Literal

from headrace.http_parser._fields import distinct_headers, merge_headers, parse_fields

HostError = Literal["missing", "repeated", "invalid"]


class Signal(Enum):
    """What `next_event` returns when there is no event."""

    NEED_DATA = "need data"  #: call `receive` or `finish` first
    PAUSED = "paused"  #: the caller has to act first, or HTTP is over


NEED_DATA: Final = Signal.NEED_DATA
PAUSED: Final = Signal.PAUSED


class _FieldSection:
    """The views of a block of field lines; they are made when asked for."""

    __slots__ = ("_block", "_max_count", "_start", "_tail")

    _block: bytes  # what holds the lines, already checked
    _start: int  # where the first line begins
    _tail: int  # how many bytes of the block follow the last line
    _max_count: int

    def _raw(self) -> list[str]:
        return parse_fields(self._block[self._start : -self._tail], self._max_count)


class _Head(_FieldSection):
    """What request and response heads share."""

    __slots__ = ("chunked", "content_length", "http_version", "keep_alive", "upgrade")

    http_version: str
    keep_alive: bool
    content_length: int | None
    chunked: bool
    upgrade: bool

    @property
    def raw_headers(self) -> list[str]:
        """Names and values in turn, as received; a fresh list (H-109)."""
        return self._raw()

    @property
    def headers(self) -> dict[str, str | list[str]]:
        """Lower-case names with merged values; a fresh dictionary (H-108)."""
        return merge_headers(self._raw())

    @property
    def headers_distinct(self) -> dict[str, list[str]]:
        """Lower-case names, each with all its values (X-065)."""
        return distinct_headers(self._raw())


class RequestHead(_Head):
    """A request line and its fields.

    Attributes:
        method: One of `METHODS`.
        target: The request target exactly as sent.
        http_version: ``"1.1"`` or ``"1.0"``.
        keep_alive: The client wants the connection to persist (H-124).
        content_length: The length of the body when it was announced.
        chunked: The body comes in chunks.
        upgrade: The client asks to leave HTTP: by CONNECT, or by Upgrade together with
            the connection option ``upgrade`` (H-026). The parser waits for
            `accept_upgrade` or `decline_upgrade`.
        expect: The value of Expect; None when absent and for HTTP/1.0, which does not
            know it (H-024).
        host_error: Why the request must be answered 400 for its Host field: it is
            ``"missing"`` in HTTP/1.1, ``"repeated"`` or ``"invalid"`` (H-126).
    """

    __slots__ = ("expect", "host_error", "method", "target")

    method: str
    target: str
    expect: str | None
    host_error: HostError | None

    def __repr__(self) -> str:
        return f"<RequestHead {self.method} {self.target} HTTP/{self.http_version}>"


class ResponseHead(_Head):
    """A status line and its fields.

    Attributes:
        status_code: The status. Below 200 (but not 101) it is an interim response: no
            end of message follows it, and the parser goes on with the same exchange.
        status_message: The reason phrase; ``""`` when absent (H-114).
        http_version: ``"1.1"`` or ``"1.0"``.
        keep_alive: The server lets the connection persist and the body has an end of its
            own (H-125).
        content_length: The announced length. An answer to HEAD and a 304 may announce
            one without having a body.
        chunked: The body comes in chunks.
        body_until_close: The body ends with the connection.
        upgrade: HTTP ends after this head: a 101, or any answer to CONNECT.
    """

    __slots__ = ("body_until_close", "status_code", "status_message")

    status_code: int
    status_message: str
    body_until_close: bool

    def __repr__(self) -> str:
        return f"<ResponseHead HTTP/{self.http_version} {self.status_code}>"


class EndOfMessage(_FieldSection):
    """A message is complete; a chunked one may have brought trailers."""

    __slots__ = ()

    def __init__(self, block: bytes = b"\r\n", max_count: int = 0) -> None:
        self._block = block
        self._start = 0
        self._tail = 2  # the blank line
        self._max_count = max_count

    @property
    def raw_trailers(self) -> list[str]:
        """Names and values in turn, as received; a fresh list (H-110)."""
        return self._raw()

    @property
    def trailers(self) -> dict[str, str | list[str]]:
        """Lower-case names with merged values; a fresh dictionary."""
        return merge_headers(self._raw())

    @property
    def trailers_distinct(self) -> dict[str, list[str]]:
        """Lower-case names, each with all its values."""
        return distinct_headers(self._raw())

    def __repr__(self) -> str:
        return f"<EndOfMessage {self.raw_trailers}>"


#: The end of every message without trailers.
END_OF_MESSAGE: Final = EndOfMessage()
