"""How long a body is, and what both engines must refuse.

Works on the lower-case copy of a checked head. Source: RFC 9112 sections 6 and 9.3, H-130.
"""

import re
from enum import IntEnum
from typing import Final

from headrace.http_parser._errors import HTTPParserError
from headrace.http_parser._fields import TOKEN_CHAR
from headrace.http_parser._limits import MAX_CONTENT_LENGTH

CONTENT_LENGTH: Final = b"\r\ncontent-length:"
TRANSFER_ENCODING: Final = b"\r\ntransfer-encoding:"

_FRAMING_FIELD: Final = re.compile(
    rb"\r\n(content-length|transfer-encoding):[ \t]*([^\r]*?)[ \t]*(?=\r)"
)

# transfer-coding = token *( OWS ";" OWS transfer-parameter ). A quoted parameter could
# hide a comma, so only tokens are accepted as values.
_TRANSFER_CODING: Final = re.compile(
    TOKEN_CHAR
    + rb"+(?:[ \t]*;[ \t]*"
    + TOKEN_CHAR
    + rb"+[ \t]*=[ \t]*"
    + TOKEN_CHAR
    + rb"+)*"
)

# Host = uri-host [ ":" port ] (RFC 9110 section 7.2, RFC 3986 section 3.2.2); an empty
# one is legal: the target had no authority.
_HOST: Final = re.compile(
    rb"(?:\[(?:[0-9a-fA-F:.]+|[vV][0-9a-fA-F]+\.[A-Za-z0-9\-._~!$&'()*+,;=:]+)\]"
    rb"|(?:[A-Za-z0-9\-._~!$&'()*+,;=]|%[0-9a-fA-F]{2})*)"
    rb"(?::[0-9]*)?"
)


class Transfer(IntEnum):
    """What Transfer-Encoding says."""

    ABSENT = 0  #: there is no such field
    CHUNKED = 1  #: the last coding is chunked, and only the last
    OTHER = 2  #: codings, but not chunked: the body ends with the connection


def field_values(lowered: bytes, name: bytes) -> list[bytes]:
    """Return the values of a field in order, without outer blanks.

    Args:
        lowered: A checked head in lower case.
        name: The name between CRLF and colon, in lower case.
    """
    values: list[bytes] = []
    start = lowered.find(name)
    while start >= 0:
        start += len(name)
        end = lowered.index(b"\r\n", start)
        values.append(lowered[start:end].strip(b" \t"))
        start = lowered.find(name, end)
    return values


def list_tokens(values: list[bytes]) -> list[bytes]:
    """Return the elements of comma-separated lists, without outer blanks."""
    return [token.strip(b" \t") for value in values for token in value.split(b",")]


def content_length(value: bytes) -> int:
    """Return the one number that Content-Length may be.

    Raises:
        HTTPParserError: ``HPE_INVALID_CONTENT_LENGTH`` if it is not made of ASCII digits
            or does not fit in 64 bits; ``HPE_UNEXPECTED_CONTENT_LENGTH`` if it is a list
            of numbers.
    """
    # bytes.isdigit knows ASCII digits only; int() would take signs, blanks and "_".
    if not value.isdigit():
        if b"," in value and all(map(bytes.isdigit, list_tokens([value]))):
            raise HTTPParserError(
                "HPE_UNEXPECTED_CONTENT_LENGTH", "Content-Length is a list"
            )
        raise HTTPParserError(
            "HPE_INVALID_CONTENT_LENGTH", "Content-Length is not a number"
        )
    digits = value.lstrip(b"0")
    length = int(digits or b"0") if len(digits) <= 20 else MAX_CONTENT_LENGTH + 1
    if length > MAX_CONTENT_LENGTH:
        raise HTTPParserError("HPE_INVALID_CONTENT_LENGTH", "Content-Length overflow")
    return length


def transfer_encoding(codings: list[bytes], *, insecure: bool) -> Transfer:
    """Return what the codings of all Transfer-Encoding fields say about framing.

    Args:
        codings: The list elements in order, in lower case.
        insecure: Take chunked wherever it stands, and skip what is no coding.

    Raises:
        HTTPParserError: ``HPE_INVALID_TRANSFER_ENCODING`` if an element is not a coding,
            or chunked is not the last one, or comes twice.
    """
    if insecure:
        return Transfer.CHUNKED if b"chunked" in codings else Transfer.OTHER
    for coding in codings:
        if not _TRANSFER_CODING.fullmatch(coding):
            raise HTTPParserError(
                "HPE_INVALID_TRANSFER_ENCODING", "Transfer-Encoding is malformed"
            )
        if coding.startswith(b"chunked") and coding[7:8] in (b";", b" ", b"\t"):
            raise HTTPParserError(
                "HPE_INVALID_TRANSFER_ENCODING", "chunked takes no parameters"
            )
    if b"chunked" not in codings:
        return Transfer.OTHER
    if codings.index(b"chunked") != len(codings) - 1:
        raise HTTPParserError(
            "HPE_INVALID_TRANSFER_ENCODING", "chunked is not the last transfer coding"
        )
    return Transfer.CHUNKED


def read_framing(lowered: bytes, *, insecure: bool) -> tuple[int | None, Transfer]:
    """Return Content-Length and Transfer-Encoding of a head that has one of them.

    Raises:
        HTTPParserError: If they are malformed, repeated or both there. The first field
            that makes the head wrong names the code.
    """
    length: int | None = None
    codings: list[bytes] = []
    for match in _FRAMING_FIELD.finditer(lowered):
        name, value = match.groups()
        if name == b"transfer-encoding":
            if length is not None:
                raise HTTPParserError(
                    "HPE_INVALID_TRANSFER_ENCODING",
                    "Transfer-Encoding after Content-Length",
                )
            codings += list_tokens([value])
        elif codings:
            raise HTTPParserError(
                "HPE_INVALID_CONTENT_LENGTH", "Content-Length after Transfer-Encoding"
            )
        elif length is not None:
            raise HTTPParserError(
                "HPE_UNEXPECTED_CONTENT_LENGTH", "Content-Length is repeated"
            )
        else:
            length = content_length(value)
    if not codings:
        return length, Transfer.ABSENT
    return None, transfer_encoding(codings, insecure=insecure)


def wants_keep_alive(minor: bytes, tokens: list[bytes]) -> bool:
    """Tell whether the peer wants the connection to persist (RFC 9112 section 9.3).

    Args:
        minor: The digit after ``HTTP/1.``.
        tokens: What the Connection fields list, in lower case.
    """
    if b"close" in tokens:
        return False
    return minor == b"1" or b"keep-alive" in tokens


def is_valid_host(value: bytes) -> bool:
    """Tell whether `value` may stand in a Host field."""
    return _HOST.fullmatch(value) is not None
