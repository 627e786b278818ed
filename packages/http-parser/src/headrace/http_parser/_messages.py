"""Records of what was parsed."""

from enum import Enum
from typing import Final, Literal, TypeAlias

from headrace.http_parser._fields import distinct_headers, merge_headers, parse_fields

#: Why a request must be answered 400 for its Host field (H-126).
HostError = Literal["missing", "repeated", "invalid"]


class Signal(Enum):
    """What `next_event` returns when there is no event."""

    NEED_DATA = "need data"  #: the peer has to send, or close
    PAUSED = "paused"  #: the caller has to act, or HTTP is over


NEED_DATA: Final = Signal.NEED_DATA
PAUSED: Final = Signal.PAUSED


class FieldViews:
    """The decoded views of a field section, made when first asked for.

    Heads whose fields are the same to the byte share one: a client repeats itself.
    """

    __slots__ = ("merged", "raw")

    def __init__(self) -> None:
        self.raw: list[str] | None = None
        self.merged: dict[str, str | list[str]] | None = None


class _Head:
    """What request and response heads share; fields are decoded when asked for."""

    __slots__ = (
        "_block",
        "_max_count",
        "_views",
        "chunked",
        "content_length",
        "http_version",
        "keep_alive",
        "upgrade",
    )

    # The whole head, already checked, from its start line to its blank line.
    _block: bytes
    _max_count: int
    _views: FieldViews
    http_version: str
    keep_alive: bool
    content_length: int | None
    chunked: bool
    upgrade: bool

    @property
    def raw_headers(self) -> list[str]:
        """Names and values in turn, as received; a fresh list (H-109)."""
        views = self._views
        if views.raw is None:
            block = self._block
            section = block[block.index(b"\r\n") + 2 : -2]
            views.raw = parse_fields(section, self._max_count)
        return views.raw.copy()

    @property
    def headers(self) -> dict[str, str | list[str]]:
        """Lower-case names and merged values; a fresh dictionary (H-108)."""
        views = self._views
        if views.merged is None:
            views.merged = merge_headers(self.raw_headers)
        merged = views.merged.copy()
        if "set-cookie" in merged:
            merged["set-cookie"] = list(merged["set-cookie"])
        return merged

    @property
    def headers_distinct(self) -> dict[str, list[str]]:
        """Lower-case names, each with all its values (X-065)."""
        return distinct_headers(self.raw_headers)

    def first(self, name: str) -> str | None:
        """Return the first value of one field, without decoding the others.

        Args:
            name: The name, in lower case.
        """
        block = self._block
        mark = b"\r\n%b:" % name.encode("latin-1")
        start = block.lower().find(mark)
        if start < 0:
            return None
        start += len(mark)
        value = block[start : block.index(b"\r\n", start)]
        return value.strip(b" \t").decode("latin-1")


#: What the version and the fields of a request say: the attributes of `RequestHead`
#: from `http_version` to `host_error`. A plain tuple: making a NamedTuple would cost as
#: much as all the rest of a head.
RequestFacts: TypeAlias = tuple[
    str, bool, int | None, bool, bool, str | None, HostError | None, FieldViews
]


class RequestHead(_Head):
    """A request line and its fields.

    Attributes:
        method: One of `METHODS`.
        target: The request target exactly as sent.
        http_version: ``"1.1"`` or ``"1.0"``.
        keep_alive: The client wants the connection to persist (H-124).
        content_length: The length of the body, when it is announced.
        chunked: The body comes in chunks.
        upgrade: The client asks to leave HTTP: by CONNECT, or in HTTP/1.1 by Upgrade
            together with the connection option ``upgrade`` (H-026). The parser waits
            for `RequestParser.accept_upgrade` or `RequestParser.decline_upgrade`.
        expect: The value of Expect; None without one and in HTTP/1.0 (H-024).
        host_error: Why the request must be answered 400 for its Host field: it is
            ``"missing"`` (in HTTP/1.1), ``"repeated"`` or ``"invalid"`` (H-126).
    """

    __slots__ = ("expect", "host_error", "method", "target")

    def __init__(
        self,
        block: bytes,
        max_count: int,
        method: str,
        target: str,
        facts: RequestFacts,
    ) -> None:
        self._block = block
        self._max_count = max_count
        self.method = method
        self.target = target
        (
            self.http_version,
            self.keep_alive,
            self.content_length,
            self.chunked,
            self.upgrade,
            self.expect,
            self.host_error,
            self._views,
        ) = facts

    def __repr__(self) -> str:
        return f"<RequestHead {self.method} {self.target} HTTP/{self.http_version}>"


class ResponseHead(_Head):
    """A status line and its fields.

    Attributes:
        status_code: The status, 100 to 999.
        status_message: The reason phrase; ``""`` when absent (H-114).
        http_version: ``"1.1"`` or ``"1.0"``.
        keep_alive: The server lets the connection persist, and the body has an end of
            its own (H-125).
        content_length: The announced length, which an answer to HEAD and a 304 may
            have without a body.
        chunked: The transfer coding is chunked.
        body_until_close: The body ends with the connection.
        upgrade: HTTP ends after this head: a 101, or any answer to CONNECT (H-075).
    """

    __slots__ = ("body_until_close", "status_code", "status_message")

    def __init__(
        self,
        block: bytes,
        max_count: int,
        status_code: int,
        status_message: str,
        http_version: str,
        keep_alive: bool,
        content_length: int | None,
        chunked: bool,
        body_until_close: bool,
        upgrade: bool,
    ) -> None:
        self._views = FieldViews()
        self._block = block
        self._max_count = max_count
        self.status_code = status_code
        self.status_message = status_message
        self.http_version = http_version
        self.keep_alive = keep_alive
        self.content_length = content_length
        self.chunked = chunked
        self.body_until_close = body_until_close
        self.upgrade = upgrade

    @property
    def interim(self) -> bool:
        """No end of message follows: the answer to the request is still to come."""
        return self.status_code < 200 and not self.upgrade

    def __repr__(self) -> str:
        return f"<ResponseHead HTTP/{self.http_version} {self.status_code}>"


class EndOfMessage:
    """A message is complete; a chunked one may have brought trailers."""

    __slots__ = ("_max_count", "_section")

    def __init__(self, section: bytes, max_count: int) -> None:
        self._section = section
        self._max_count = max_count

    @property
    def raw_trailers(self) -> list[str]:
        """Names and values in turn, as received; a fresh list (H-110)."""
        return parse_fields(self._section[:-2], self._max_count)

    @property
    def trailers(self) -> dict[str, str | list[str]]:
        """Lower-case names and merged values; a fresh dictionary (H-110)."""
        return merge_headers(self.raw_trailers)

    @property
    def trailers_distinct(self) -> dict[str, list[str]]:
        """Lower-case names, each with all its values (X-065)."""
        return distinct_headers(self.raw_trailers)

    def __repr__(self) -> str:
        return f"<EndOfMessage {self.raw_trailers}>"


#: The end of every message without trailers.
END_OF_MESSAGE: Final = EndOfMessage(b"\r\n", 0)
