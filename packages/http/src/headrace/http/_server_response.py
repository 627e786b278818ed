"""ServerResponse: the answer to one request."""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine, Hashable, Iterable, Mapping
from email.utils import formatdate
from time import time
from typing import TYPE_CHECKING, Any, Final, Self

from headrace.http._checks import check_callback, check_duration
from headrace.http._errors import (
    HeadersSentError,
    InvalidArgTypeError,
    InvalidArgValueError,
    InvalidHeaderValueError,
    InvalidStatusCodeError,
    OutOfRangeError,
    TrailerInvalidError,
)
from headrace.http._exchange import Exchange
from headrace.http._framing import (
    BODILESS_STATUSES,
    MAX_CONTENT_LENGTH,
    Framing,
    declared_length,
    ends_chunked,
)
from headrace.http._header_queue import FINISHED, FIXED, NO_FIELDS, NO_NAMES, OPEN
from headrace.http._headers import (
    Headers,
    HeaderValue,
    check_text,
    check_value,
    field_lines,
    has_token,
    lower_name,
    pairs,
    plain,
)
from headrace.http._listeners import adopt_listener
from headrace.http._message_events import ResponseEvents
from headrace.http._outgoing import OutgoingMessage
from headrace.http_parser import STATUS_CODES
from headrace.streams import StreamDestroyedError

if TYPE_CHECKING:
    from headrace.http._connection import ServerConnection
    from headrace.http._incoming import IncomingMessage
    from headrace.http._wire import Wire
    from headrace.net import Socket

_STATUS_LINES: Final[dict[int, str]] = {
    code: f"HTTP/1.1 {code} {phrase}\r\n" for code, phrase in STATUS_CODES.items()
}

# Those of answers that may have a body.
_USUAL_STATUS_LINES: Final = {
    code: line
    for code, line in _STATUS_LINES.items()
    if code >= 200 and code not in BODILESS_STATUSES
}

CLOSE_LINE: Final = "Connection: close\r\n"
KEEP_ALIVE_LINE: Final = "Connection: keep-alive\r\n"


class _DateLine:
    """The Date header's line, made once a second.

    Attributes:
        line: The line for the time from `since` until `until`.
    """

    __slots__ = ("line", "since", "until")

    def __init__(self) -> None:
        self.line = ""
        self.since = self.until = 0.0

    def renew(self) -> str:
        second = int(time())
        self.since, self.until = float(second), second + 1.0
        self.line = f"Date: {formatdate(second, usegmt=True)}\r\n"
        return self.line


_DATE: Final = _DateLine()

# link-value = "<" URI-Reference ">" *( OWS ";" OWS link-param )
# link-param = token BWS [ "=" BWS ( token / quoted-string ) ]   (RFC 8288 section 3)
_LINK: Final = re.compile(
    r"""
    [ \t]* <[^<>]*>
    (?: [ \t]*;[ \t]* [^\s;,="<>]+
        (?: [ \t]*=[ \t]* (?: "(?:[^"\\]|\\.)*" | [^\s;,"<>]+ ) )?
    )*
    [ \t]*
    """,
    re.VERBOSE,
)


def check_status_code(code: object) -> int:
    """Return a status code as a number.

    Raises:
        InvalidStatusCodeError: If it is not an integer from 100 to 999.
    """
    if isinstance(code, str) and code.isascii() and code.isdigit():
        code = int(code)
    if isinstance(code, bool) or not isinstance(code, int) or not 100 <= code <= 999:
        raise InvalidStatusCodeError(code)
    return int(code)


# Headers of the user's that decide about framing, and about the connection.
_FRAMING_NAMES: Final = frozenset({"content-length", "transfer-encoding", "trailer"})
_CONNECTION_NAMES: Final = frozenset({"connection", "keep-alive"})
_DECISIVE_NAMES: Final = _FRAMING_NAMES | _CONNECTION_NAMES | {"date"}

# Members of an Enum are slow to look up on the hot path (Python 3.11).
_RECEIVING: Final = Exchange.RECEIVING
_NONE: Final = Framing.NONE
_LENGTH: Final = Framing.LENGTH
_CHUNKED: Final = Framing.CHUNKED
_CLOSE: Final = Framing.CLOSE


def checked_phrase(phrase: object) -> str:
    """Return a reason phrase that may go on the wire.

    Raises:
        InvalidArgTypeError: If it is no ``str``.
        InvalidCharError: If it holds a control character, or one outside latin-1.
    """
    if not isinstance(phrase, str):
        raise InvalidArgTypeError("status_message", "a str", phrase)
    check_text("the status message", phrase)
    return plain(phrase)


class ServerResponse(ResponseEvents):
    """The answer to one request; created by the server only.

    Events:
        timeout: ``(socket)`` when the socket was idle while the response was in flight.
        Besides, those of `OutgoingMessage`. ``close`` follows ``finish``; it comes
        without ``finish`` if the connection was lost first.

    Source: H-041 to H-057, H-118 to H-124.
    """

    __slots__ = (
        "_connection",
        "_exchange",
        "_expects_continue",
        "_keep",
        "_phrase",
        "_status",
        "_to_1_1",
        "req",
    )

    # ``close`` follows ``finish`` (H-041).
    _closes_by_itself = True
    #: What `set_timeout` was told before the response had the socket.
    _timeout_wanted: float | None = None

    def __init__(
        self, req: IncomingMessage, connection: ServerConnection | None = None
    ) -> None:
        OutgoingMessage.__init__(self)
        #: The request that this response answers.
        self.req = req
        self._status = 200
        self._phrase: str | None = None  # the reason phrase that the user wants
        self._connection = connection
        self._exchange = _RECEIVING
        # Whether the connection may carry another exchange after this one.
        self._keep = False
        # Whether the client speaks HTTP/1.1.
        self._to_1_1 = True
        # Whether the client waits for a 100 that it has not got yet (H-024).
        self._expects_continue = False

    def __rejection__(self, error: Exception, event: Hashable, *args: object) -> None:
        """Take an async listener's exception; unheard, it is answered 500 (H-010)."""
        self.emit("error", error)

    def __repr__(self) -> str:
        stage = ("open", "fixed", "sent", "ended", "finished")[self._stage]
        return f"<{type(self).__name__} {self._status} {stage}>"

    @property
    def socket(self) -> Socket | None:
        """The socket while this response owns it.

        None before, behind the answers to earlier requests, and when it is finished.
        """
        if self._wire is None or self._connection is None:
            return None
        net_socket: Socket = self._connection.net_socket
        return net_socket

    @property
    def status_code(self) -> int:
        """The status of the implicit head, 200 if it is not set (H-047).

        Once the head is fixed, what is sent; setting it is without effect then.
        """
        return self._status

    @status_code.setter
    def status_code(self, code: int) -> None:
        if self._stage == OPEN:
            self._status = code

    @property
    def status_message(self) -> str | None:
        """The reason phrase; None or empty means the standard one (H-048).

        Once the head is fixed, what is sent; setting it is without effect then.
        """
        if not self._phrase and self._stage != OPEN:
            return STATUS_CODES.get(self._status, "unknown")
        return self._phrase

    @status_message.setter
    def status_message(self, phrase: str | None) -> None:
        if self._stage == OPEN:
            self._phrase = phrase

    @property
    def send_date(self) -> bool:
        """Whether a Date header is added; `remove_header` turns it off, too (H-051)."""
        return "date" not in self._removed

    @send_date.setter
    def send_date(self, wanted: bool) -> None:
        self._removed = self._removed - {"date"} if wanted else self._removed | {"date"}

    @property
    def should_keep_alive(self) -> bool:
        """Whether the connection will be kept after this response."""
        return self._keep

    @should_keep_alive.setter
    def should_keep_alive(self, keep: bool) -> None:
        self._keep = keep

    # The head --------------------------------------------------------------------

    def write_head(
        self,
        status_code: int,
        status_message: str | Headers | None = None,
        headers: Headers | None = None,
    ) -> Self:
        """Fix the status line and the headers; they leave with the first body bytes.

        Args:
            status_code: An integer from 100 to 999.
            status_message: The reason phrase, or the headers.
            headers: A mapping, a flat list ``[name, value, …]`` or a list of pairs;
                lists are sent in exactly that order and may repeat a name.

        Raises:
            HeadersSentError: If the head is fixed already.
            InvalidStatusCodeError: If `status_code` is no status code.
            InvalidCharError: If the phrase or a value holds a control character.
            InvalidArgValueError: If a flat list has an odd length.
            InvalidHeaderValueError: If a value is None, or a Content-Length no number.
            Nothing is changed when it raises.

        Source: H-044.
        """
        if self._stage != OPEN:
            raise HeadersSentError("write the head")
        code = status_code
        if type(code) is not int or not 100 <= code <= 999:
            code = check_status_code(code)
        if status_message is not None and not isinstance(status_message, str):
            headers, status_message = status_message, None
        phrase = status_message or self._phrase
        if phrase:
            phrase = checked_phrase(phrase)
        if headers is not None and not self._take_known(headers):
            self._merge_checked(headers)
        self._status = code
        self._phrase = phrase
        self._stage = FIXED
        return self

    def _merge_checked(self, headers: Headers) -> None:
        """Merge headers, and refuse a length that is none while nothing is fixed."""
        fields, removed = self._fields, self._removed
        self._merge_headers(headers)
        length = self._fields.get("content-length")
        if length is not None and not (
            type(length[1]) is int and 0 <= length[1] <= MAX_CONTENT_LENGTH
        ):
            try:
                declared_length(self._fields)
            except InvalidHeaderValueError:
                self._fields, self._removed = fields, removed
                self._lines = self._text = None
                raise

    def _status_line(self) -> str:
        code = check_status_code(self._status)
        self._status = code
        phrase = self._phrase
        if not phrase:
            return _STATUS_LINES.get(code) or f"HTTP/1.1 {code} unknown\r\n"
        phrase = self._phrase = checked_phrase(phrase)
        return f"HTTP/1.1 {code} {phrase}\r\n"

    def _compose_head(self, body_size: int | None) -> bytes:
        fields = self._fields
        code = self._status
        line = _USUAL_STATUS_LINES.get(code) if type(code) is int else None
        if (
            line is None
            or self._phrase
            or self._removed
            or self._trailers
            or (body_size is None and not self._to_1_1)
            or self.req.method == "HEAD"
            or not _DECISIVE_NAMES.isdisjoint(fields)
        ):
            return self._compose_unusual_head(body_size)
        if body_size is None:
            self._framing = _CHUNKED
            framing = "Transfer-Encoding: chunked\r\n"
        else:
            self._framing = _LENGTH
            framing = f"Content-Length: {body_size}\r\n"
        connection = self._connection
        promise = None
        if (
            connection is not None
            and self._keep
            and self._to_1_1
            and not self._expects_continue
        ):
            promise = connection.usual_promise
        if promise is None:
            promise = self._connection_lines()
        text = self._text
        if text is None:
            text = self._user_lines()
        date = _DATE.line if _DATE.since <= time() < _DATE.until else _DATE.renew()
        return f"{line}{text}{date}{promise}{framing}\r\n".encode("latin-1")

    def _compose_unusual_head(self, body_size: int | None) -> bytes:
        """Compose a head in which a user, the status or the peer decides something."""
        line = self._status_line()
        code = self._status
        if code in BODILESS_STATUSES or code < 200 or self.req.method == "HEAD":
            self._framing = _NONE
            self._frame_bodiless()
            framing = ""
        else:
            framing = self._choose_framing(body_size)
        date = ""
        if "date" not in self._fields and "date" not in self._removed:
            date = _DATE.line if _DATE.since <= time() < _DATE.until else _DATE.renew()
        head = f"{line}{self._user_lines()}{date}{self._connection_lines()}{framing}"
        return f"{head}\r\n".encode("latin-1")

    def _choose_framing(self, body_size: int | None) -> str:
        """Decide how a body ends (H-120 rules 2 to 6); return the line that says so."""
        fields = self._fields
        if "transfer-encoding" in fields or "content-length" in fields:
            return self._frame_as_told()
        removed = self._removed
        if (
            body_size is not None
            and not self._trailers_follow()
            and "trailer" not in fields
            and "content-length" not in removed
        ):
            self._framing = _LENGTH
            return f"Content-Length: {body_size}\r\n"
        if "transfer-encoding" not in removed and self._peer_takes_chunks():
            self._framing = _CHUNKED
            return "Transfer-Encoding: chunked\r\n"
        return self._frame_by_close()

    def _trailers_follow(self) -> bool:
        """Tell whether trailers need chunks: after `write_head` they were not late."""
        return bool(
            self._trailers and self._stage == FIXED and self._peer_takes_chunks()
        )

    def _frame_as_told(self) -> str:
        """Frame the body by the user's own Transfer-Encoding or Content-Length."""
        fields = self._fields
        coding = fields.get("transfer-encoding")
        if coding is None:
            self._refuse_trailer()
            self._declared = declared_length(fields)
            self._framing = _LENGTH
            return ""
        # Never both: the receiver could not know which one holds (RFC 9112 6.2).
        self._drop_field("content-length")
        if ends_chunked(coding[1]):
            self._framing = _CHUNKED
            return ""
        return self._frame_by_close()

    def _frame_by_close(self) -> str:
        self._refuse_trailer()
        self._framing = _CLOSE
        self._keep = False
        return ""

    def _frame_bodiless(self) -> None:
        """Keep the peer from waiting for a body that a user's header announces."""
        self._refuse_trailer()
        status = self._status
        has_coding = "transfer-encoding" in self._fields
        if status < 200 or (status in BODILESS_STATUSES and has_coding):
            # After a 1xx the client waits for another answer, which will not come.
            self._keep = False
        if status < 200 or status == 204:
            self._drop_field("transfer-encoding")
            self._drop_field("content-length")
        elif has_coding:
            ends_chunked(self._fields["transfer-encoding"][1])
            self._drop_field("content-length")
        else:
            declared_length(self._fields)  # what GET would refuse is no HEAD either

    def _refuse_trailer(self) -> None:
        if "trailer" in self._fields:
            raise TrailerInvalidError("a Trailer header needs a chunked message")

    def _drop_field(self, lowered: str) -> None:
        if lowered not in self._fields:
            return
        self._fields = {k: v for k, v in self._fields.items() if k != lowered}
        self._text = None
        if self._lines is not None:
            self._lines = [line for line in self._lines if line[0].lower() != lowered]

    def _peer_takes_chunks(self) -> bool:
        """HTTP/1.1 peers do; HTTP/1.0 ones if they say ``TE: chunked`` (H-120)."""
        if self._to_1_1:
            return True
        return has_token(self.req.headers.get("te", ""), "chunked")

    def _connection_lines(self) -> str:
        """Decide whether the connection persists; return the lines about it (H-124)."""
        fields = self._fields
        if not (self._to_1_1 and self._keep) or self._expects_continue:
            self._keep = self._keep and self._may_keep()
        promise = CLOSE_LINE
        if self._keep and self._connection is not None:
            promise = self._connection.promise(self)
            self._keep = promise is not CLOSE_LINE
        if _CONNECTION_NAMES.isdisjoint(fields) and not self._removed:
            return promise
        if "connection" in fields:
            value = fields["connection"][1]
            self._keep = self._keep and not has_token(value, "close")
            return ""
        if "connection" in self._removed:
            self._keep = self._keep and self._to_1_1
            return ""
        return KEEP_ALIVE_LINE if self._keep and "keep-alive" in fields else promise

    def _may_keep(self) -> bool:
        """Tell whether an unusual peer may keep the connection."""
        if self._expects_continue:
            return False  # whether the body will be sent cannot be known
        # An HTTP/1.0 peer needs to know beforehand where the body ends.
        return "content-length" in self._fields or (
            self._framing is _CHUNKED and self._peer_takes_chunks()
        )

    def _give_up_persistence(self) -> None:
        self._keep = False

    # Informational responses -------------------------------------------------------

    def write_continue(self, callback: Callable[..., object] | None = None) -> None:
        """Send ``100 Continue`` at once, as often as it is called (H-043).

        Raises:
            HeadersSentError: If the final head is fixed already.
        """
        self.write_information(100, None, callback)
        self._expects_continue = False

    def write_processing(self, callback: Callable[..., object] | None = None) -> None:
        """Send ``102 Processing`` (X-032)."""
        self.write_information(102, None, callback)

    def write_early_hints(
        self,
        hints: Mapping[str, Any],
        callback: Callable[..., object] | None = None,
    ) -> None:
        """Send ``103 Early Hints`` (X-031).

        Args:
            hints: ``link`` with one link or a list of links, and any other headers.
                Without a link nothing is sent.
            callback: Called when the hints are with the operating system.

        Raises:
            InvalidArgValueError: If a link does not look like ``<target>; rel=…``.
        """
        if not isinstance(hints, Mapping):
            raise InvalidArgTypeError("hints", "a mapping", hints)
        fields = {lower_name(name): (name, value) for name, value in hints.items()}
        links = fields.pop("link", ("", None))[1]
        if links is None or links == "" or links in ([], ()):
            return
        link = ", ".join(
            map(check_link, links if isinstance(links, (list, tuple)) else [links])
        )
        self.write_information(103, [("Link", link), *fields.values()], callback)

    def write_information(
        self,
        status_code: int,
        headers: Headers | None = None,
        callback: Callable[..., object] | None = None,
    ) -> None:
        """Send an informational response, any 1xx but 101 (X-033).

        An HTTP/1.0 client is sent nothing: it does not know them (RFC 9110 15.2).
        Fields about framing are left out: there is no body (RFC 9110 8.6).

        Raises:
            HeadersSentError: If the final head is fixed already.
            OutOfRangeError: If `status_code` is not from 100 to 199.
            InvalidStatusCodeError: If it is 101.
        """
        if self._stage != OPEN:
            raise HeadersSentError("send an informational response")
        if isinstance(status_code, bool) or not isinstance(status_code, int):
            raise InvalidArgTypeError("status_code", "an int", status_code)
        if not 100 <= status_code <= 199:
            raise OutOfRangeError("status_code", "from 100 to 199", status_code)
        if status_code == 101:
            raise InvalidStatusCodeError(status_code)
        lines = "".join(_checked_lines(pairs(headers if headers is not None else {})))
        check_callback(callback)
        if self._gone:
            self._refuse_write(callback)
            return
        phrase = STATUS_CODES.get(status_code, "unknown")
        if self._to_1_1:
            self._put(
                f"HTTP/1.1 {status_code} {phrase}\r\n{lines}\r\n".encode("latin-1")
            )
        if callback is not None:
            self._after_flush(callback)

    # The end -----------------------------------------------------------------------

    def _all_flushed(self, error: Exception | None) -> None:
        if error is not None or self._gone:
            return
        self._stage = FINISHED
        try:
            if self._listeners or self._end_callbacks is not None:
                self._emit_finish()
        finally:
            connection = self._connection
            # A listener may have cut the connection, which then tells of the end.
            if connection is not None and not self._gone:
                connection.response_finished(self)

    def set_timeout(
        self, timeout: float, callback: Callable[..., object] | None = None
    ) -> Self:
        """Set the socket's inactivity timeout; `callback` hears ``timeout`` (H-046).

        Args:
            timeout: Seconds without traffic; 0 turns the timer off.
            callback: Added as a listener of this response's ``timeout``.
        """
        check_duration("timeout", timeout)
        if callback is not None:
            self.on("timeout", callback)
        if self._wire is None:
            self._timeout_wanted = timeout
        elif self._connection is not None:
            self._connection.set_timeout(timeout)
        return self

    def _attach(self, wire: Wire) -> None:
        super()._attach(wire)
        if self._timeout_wanted is not None and self._connection is not None:
            self._connection.set_timeout(self._timeout_wanted)

    def _hold_back(self, data: bytes) -> None:
        super()._hold_back(data)
        if self._connection is not None:
            self._connection.response_waits(len(data))

    def _fail(self, status: int) -> None:
        """Answer with a bare status, and drop what is queued (H-010)."""
        self._stage = OPEN
        self._fields = NO_FIELDS
        self._lines = self._text = self._declared = None
        self._removed = NO_NAMES
        self._trailers = ""
        self._drop_corked(StreamDestroyedError("write"))
        self._phrase = None
        # What is left of a request that its handler did not understand is not read.
        self._keep = self._keep and not self.req._lacks_body
        self.write_head(status, {"Content-Type": "text/plain"})
        self.end(STATUS_CODES[status])

    def _adopt(
        self,
        coroutine: Coroutine[Any, Any, object],
        event: Hashable,
        args: tuple[Any, ...],
    ) -> None:
        adopt_listener(self, self._owner, coroutine, event, args)

    def destroy(self, error: BaseException | None = None) -> Self:
        """Destroy the connection; what the system does not take now is lost (H-057).

        Args:
            error: Emitted as ``error`` on this response.
        """
        if self._gone or self._close_emitted:
            return self
        if error is not None and self._errored is None:
            self._errored = error
            self._next_tick(self.emit, "error", error)
        if self._connection is not None:
            self._connection.destroy()
        else:
            self._lose(error)
            self._next_tick(self._emit_close)
        return self


def check_link(link: object) -> str:
    """Return a ``Link`` value of the form ``<target>; name=value; name; …``.

    Raises:
        InvalidArgValueError: If it has another form.
    """
    if not isinstance(link, str):
        raise InvalidArgTypeError("link", "a str", link)
    if _LINK.fullmatch(link) is None:
        raise InvalidArgValueError("link", "must look like '<target>; rel=…'", link)
    check_text("link", link)
    return link


def _checked_lines(headers: Iterable[tuple[str, HeaderValue]]) -> Iterable[str]:
    for name, value in headers:
        lowered = lower_name(name)
        check_value(name, value)
        if lowered not in _FRAMING_NAMES:
            yield field_lines(name, value)
