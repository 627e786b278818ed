"""How the end of a message that we send is marked (RFC 9112 6, H-120, H-121)."""

from __future__ import annotations

from enum import Enum, auto
from typing import Final

from headrace.http._errors import InvalidHeaderValueError
from headrace.http._headers import Fields, HeaderValue, value_text


class Framing(Enum):
    """The way in which the receiver finds the end of the body."""

    UNDECIDED = auto()  #: the head is not composed yet
    NONE = auto()  #: the message has no body, whatever is written
    LENGTH = auto()  #: Content-Length says how many bytes follow
    CHUNKED = auto()  #: chunked transfer coding
    CLOSE = auto()  #: the end of the connection is the end of the body


#: The largest Content-Length that receivers understand: what fits in 64 bits.
MAX_CONTENT_LENGTH: Final = 2**64 - 1

#: Response statuses that never have a body (RFC 9110 section 6.4.1).
BODILESS_STATUSES: Final = frozenset({204, 304})

#: Methods whose requests have no body unless one is written (H-121).
BODILESS_METHODS: Final = frozenset(
    {"GET", "HEAD", "DELETE", "OPTIONS", "TRACE", "CONNECT"}
)


def ends_chunked(value: HeaderValue) -> bool:
    """Tell whether chunked is the last coding of a Transfer-Encoding value.

    Raises:
        InvalidHeaderValueError: If chunked is there twice (RFC 9112 section 6.1).
    """
    if value == "chunked":
        return True
    name = "Transfer-Encoding"
    items = value if isinstance(value, (list, tuple)) else (value,)
    text = ",".join(value_text(name, item) for item in items)
    codings = [coding.strip().lower() for coding in text.split(",")]
    if codings.count("chunked") > 1:
        raise InvalidHeaderValueError(name, value, "must say chunked once")
    return codings[-1] == "chunked"


def declared_length(fields: Fields) -> int | None:
    """Return the user's Content-Length as a number, None if there is none.

    Raises:
        InvalidHeaderValueError: If it is not one number of plain digits, or too large.
    """
    field = fields.get("content-length")
    if field is None:
        return None
    name, value = field
    if isinstance(value, (list, tuple)):
        if len(value) != 1:
            raise InvalidHeaderValueError(name, value, "must be one number")
        value = value[0]
    text = value_text(name, value)
    if not (text.isascii() and text.isdigit()):
        raise InvalidHeaderValueError(name, value, "must be a number of digits")
    length = int(text) if len(text) <= 20 else MAX_CONTENT_LENGTH + 1
    if length > MAX_CONTENT_LENGTH:
        raise InvalidHeaderValueError(name, value, "must fit in 64 bits")
    return length
