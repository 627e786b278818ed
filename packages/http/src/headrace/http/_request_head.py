"""The head of a request: how its body is framed and which lines we add (H-065, H-121).

Plain decisions without a socket. A body always has a frame of its own, whatever the
method and whatever headers were removed: bytes that a server does not take for the body
it would take for the next request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from headrace.http._errors import (
    InvalidArgTypeError,
    InvalidHeaderValueError,
    TrailerInvalidError,
)
from headrace.http._framing import (
    BODILESS_METHODS,
    Framing,
    declared_length,
    ends_chunked,
)
from headrace.http._headers import (
    Fields,
    Headers,
    HeaderValue,
    check_value,
    has_token,
    is_list_form,
    lower_name,
    pairs,
)

if TYPE_CHECKING:
    from collections.abc import Set

#: In place of the size of a body: the head goes out before anybody wrote one.
HEAD_ONLY: Final = -1

CLOSE_LINE: Final = "Connection: close\r\n"
KEEP_ALIVE_LINE: Final = "Connection: keep-alive\r\n"

# Said twice, each of these could be read in two ways by two readers of one message
# (CVE-2026-1525), so a request that says one twice is refused.
_SINGLE: Final = frozenset({"content-length", "host"})


class BodyFrame(NamedTuple):
    """How the end of a request's body is marked.

    Attributes:
        framing: The way.
        line: The header line that we add for it, or nothing.
        declared: What the user's Content-Length says.
        without: The user's header that must not go out beside the others.
    """

    framing: Framing
    line: str = ""
    declared: int | None = None
    without: str = ""


_NO_BODY: Final = BodyFrame(Framing.NONE)
_CHUNKED: Final = BodyFrame(Framing.CHUNKED, "Transfer-Encoding: chunked\r\n")


def frame_request(
    method: str, fields: Fields, removed: Set[str], body_size: int | None
) -> BodyFrame:
    """Decide how a request's body is framed.

    Args:
        method: The request's method.
        fields: The user's headers.
        removed: Lower-case names of automatic headers that the user does not want.
        body_size: Bytes of the whole body, None if a body of unknown size begins, or
            `HEAD_ONLY`.

    Raises:
        InvalidHeaderValueError: If a Content-Length is no number, or a
            Transfer-Encoding does not end in chunked.
        TrailerInvalidError: If there is a Trailer header and the body is not chunked.

    Source: H-121, H-120 rules 2 to 5; RFC 9112 section 6.
    """
    frame = _choose(method, fields, removed, body_size)
    if "trailer" in fields and frame.framing is not Framing.CHUNKED:
        raise TrailerInvalidError("a Trailer header needs a chunked message")
    return frame


def _choose(
    method: str, fields: Fields, removed: Set[str], body_size: int | None
) -> BodyFrame:
    if method == "CONNECT":
        return _NO_BODY
    coding = fields.get("transfer-encoding")
    if coding is not None:
        if not ends_chunked(coding[1]):
            raise InvalidHeaderValueError(*coding, "must end in chunked")
        return BodyFrame(Framing.CHUNKED, without="content-length")
    length = declared_length(fields)
    if length is not None:
        return BodyFrame(Framing.LENGTH, declared=length)
    if method in BODILESS_METHODS and (body_size == 0 or body_size == HEAD_ONLY):
        return _NO_BODY
    if body_size is not None and body_size >= 0 and "trailer" not in fields:
        if "content-length" not in removed:
            return BodyFrame(Framing.LENGTH, f"Content-Length: {body_size}\r\n")
        if not body_size:
            return _NO_BODY
    # Without either field a request has no body (RFC 9112 section 6.3).
    return _NO_BODY if "transfer-encoding" in removed else _CHUNKED


def read_headers(
    headers: Headers,
) -> tuple[Fields, list[tuple[str, HeaderValue]] | None]:
    """Check the ``headers`` option.

    Returns:
        The fields by lower-case name, and for a list the lines in their order.

    Raises:
        InvalidArgTypeError: If it has no form of headers, or Host has a list value.
        InvalidHeaderValueError: If a field is given twice that must be there once.
        InvalidTokenError, InvalidCharError: For a bad name, a bad value.

    Source: H-065, X-037.
    """
    fields: Fields = {}
    lines: list[tuple[str, HeaderValue]] = []
    for name, value in pairs(headers):
        lowered = lower_name(name)
        check_field(lowered, name, value)
        if lowered in fields and lowered in _SINGLE:
            raise InvalidHeaderValueError(name, value, "is given twice")
        fields[lowered] = (name, value)
        lines.append((name, value))
    return fields, lines if is_list_form(headers) else None


def check_field(lowered: str, name: str, value: HeaderValue) -> None:
    """Check one field of a request.

    Raises:
        InvalidArgTypeError: If Host has a list value.
        InvalidHeaderValueError, InvalidCharError: For a bad value.
    """
    if lowered == "host" and isinstance(value, (list, tuple)):
        raise InvalidArgTypeError("the Host header", "one value", value)
    check_value(name, value)


def persistence(fields: Fields, removed: Set[str], keep: bool) -> tuple[bool, str]:
    """Decide whether the connection is to persist; return that and the line to add.

    Args:
        fields: The user's headers; their Connection is obeyed.
        removed: Lower-case names of automatic headers that the user does not want.
        keep: What the agent can make use of.

    Source: H-067, H-068, H-122, H-125.
    """
    field = fields.get("connection")
    if field is not None:
        if has_token(field[1], "close"):
            return False, ""
        return keep or has_token(field[1], "keep-alive"), ""
    if "connection" in removed:
        return keep, ""
    return keep, KEEP_ALIVE_LINE if keep else CLOSE_LINE
