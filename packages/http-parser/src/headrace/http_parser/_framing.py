"""How long a body is, and what both engines must refuse.

All functions work on heads that have passed the grammar; `lowered` is such a head in
lower case. Source: RFC 9112 sections 6 and 9.3, H-130.
"""

import re
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Final

from headrace.http_parser._errors import HTTPParserError
from headrace.http_parser._fields import TOKEN_CHAR
from headrace.http_parser._limits import MAX_CONTENT_LENGTH
from headrace.http_parser._messages import HostError
from headrace.http_parser._state import Move
from headrace.http_parser._target import is_valid_host

# One pass for all fields that rule over messages and connections: cheaper than a search
# for each of them, which has to read to the end when there is none.
_RULING_FIELD: Final = re.compile(
    rb"\r\n(host|con(?:nection|tent-length)|transfer-encoding|upgrade|expect"
    rb"|proxy-connection):[\t ]*+([^\r]*+)"
)
_FRAMING_FIELD: Final = re.compile(
    rb"\r\n(content-length|transfer-encoding):[\t ]*+([^\r]*+)"
)

# llhttp does not know all blanks around the values, and h11 takes up to 20 digits even
# when the first ones are zeros.
_PLAIN_FIELD: Final = re.compile(
    rb"\r\n(?:content-length: ?[0-9]{1,20}|transfer-encoding: ?chunked)"
)

# transfer-coding = token *( OWS ";" OWS token BWS "=" BWS ( token / quoted-string ) )
# A quoted string could hide a comma from another reader, so only tokens are accepted.
_TRANSFER_CODING: Final = re.compile(
    (rb"T++(?:[\t ]*+;[\t ]*+T++[\t ]*+=[\t ]*+T++)*+").replace(b"T", TOKEN_CHAR)
)


class Transfer(Enum):
    """What Transfer-Encoding says."""

    ABSENT = auto()  #: there is no such field
    CHUNKED = auto()  #: chunked is the last coding
    OTHER = auto()  #: there are codings without chunked: their end is not marked


# Members of an Enum are slow to look up on the hot path (Python 3.11).
_EMPTY: Final = Move.EMPTY
_FIX: Final = Move.FIX
_CHUNK: Final = Move.CHUNK
_FLOW: Final = Move.FLOW
_ABSENT: Final = Transfer.ABSENT
_CHUNKED: Final = Transfer.CHUNKED
_OTHER: Final = Transfer.OTHER


@dataclass(slots=True)
class Framing:
    """What the framing fields of a head say.

    Attributes:
        length: The value of Content-Length.
        transfer: What Transfer-Encoding says.
        plain: Every engine reads these fields in the same way.
    """

    length: int | None
    transfer: Transfer
    plain: bool


NO_FRAMING: Final = Framing(None, Transfer.ABSENT, True)


def ruling_fields(lowered: bytes) -> dict[bytes, list[bytes]]:
    """Return the values of the fields that rule over messages and connections.

    Args:
        lowered: A head in lower case, or the fields of one after a CRLF.

    Returns:
        Name to values, in order and without outer blanks; no key for absent fields.
    """
    found: dict[bytes, list[bytes]] = {}
    for name, value in _RULING_FIELD.findall(lowered):
        found.setdefault(name, []).append(value.rstrip(b"\t "))
    return found


def list_elements(values: list[bytes]) -> list[bytes]:
    """Return the elements of comma-separated lists, without outer blanks."""
    return [part.strip(b"\t ") for value in values for part in value.split(b",")]


def content_length(value: bytes) -> int:
    """Return the number that a Content-Length is.

    Raises:
        HTTPParserError: ``HPE_INVALID_CONTENT_LENGTH`` if it is not made of ASCII
            digits alone or does not fit in 64 bits; ``HPE_UNEXPECTED_CONTENT_LENGTH``
            if it is a list of numbers, which is how a repeated field may arrive.
    """
    # bytes.isdigit knows no digits but 0 to 9; int() would take signs, blanks and "_".
    if not value.isdigit():
        if all(map(bytes.isdigit, list_elements([value]))):
            raise HTTPParserError(
                "HPE_UNEXPECTED_CONTENT_LENGTH", "Content-Length is a list"
            )
        raise HTTPParserError(
            "HPE_INVALID_CONTENT_LENGTH", "Invalid character in Content-Length"
        )
    digits = value.lstrip(b"0") or b"0"
    # int() refuses thousands of digits with an error of its own.
    length = int(digits) if len(digits) <= 20 else MAX_CONTENT_LENGTH + 1
    if length > MAX_CONTENT_LENGTH:
        raise HTTPParserError("HPE_INVALID_CONTENT_LENGTH", "Content-Length overflow")
    return length


def transfer_encoding(codings: list[bytes], *, insecure: bool) -> Transfer:
    """Return what all Transfer-Encoding fields of a head say together.

    Args:
        codings: Their list elements in order, in lower case.
        insecure: Find chunked wherever it stands, and overlook what is no coding.

    Raises:
        HTTPParserError: ``HPE_INVALID_TRANSFER_ENCODING`` if an element is no coding,
            or chunked has parameters, comes twice or is not the last one.
    """
    code = "HPE_INVALID_TRANSFER_ENCODING"
    if not insecure:
        for coding in codings:
            if not _TRANSFER_CODING.fullmatch(coding):
                raise HTTPParserError(code, "Invalid transfer coding")
            name = coding.partition(b";")[0].rstrip(b"\t ")
            if name == b"chunked" and coding != name:
                raise HTTPParserError(code, "chunked has no parameters")
        if b"chunked" in codings[:-1]:
            raise HTTPParserError(code, "chunked is not the last transfer coding")
    return Transfer.CHUNKED if b"chunked" in codings else Transfer.OTHER


def read_framing(
    lowered: bytes, ruling: dict[bytes, list[bytes]], *, insecure: bool
) -> Framing:
    """Return what the framing fields say.

    Args:
        lowered: A head in lower case, or the fields of one after a CRLF.
        ruling: Its `ruling_fields`.
        insecure: Find chunked wherever it stands.

    Raises:
        HTTPParserError: If they are malformed, repeated or of both kinds. The field
            that makes the head wrong, the second one of a pair, names the code.
    """
    lengths = ruling.get(b"content-length")
    if lengths is None:
        if b"transfer-encoding" not in ruling:
            return NO_FRAMING
    elif len(lengths) == 1 and b"transfer-encoding" not in ruling:
        # The usual case, without looking for the fields once more. 19 digits fit.
        value = lengths[0]
        plain = b"\r\ncontent-length: %b\r\n" % value
        if len(value) < 20 and value.isdigit() and lowered.find(plain) >= 0:
            return Framing(int(value), _ABSENT, True)
    return _read_framing_fields(lowered, insecure=insecure)


def _read_framing_fields(lowered: bytes, *, insecure: bool) -> Framing:
    """Read the framing fields in their order."""
    length: int | None = None
    codings: list[bytes] = []
    field = None
    try:
        for field in _FRAMING_FIELD.finditer(lowered):
            name, value = field.groups()
            if name == b"transfer-encoding":
                _refuse_second(name, length is not None)
                codings += list_elements([value])
            else:
                _refuse_second(name, bool(codings))
                _refuse_repeat(length is not None)
                length = content_length(value.rstrip(b"\t "))
        transfer = _ABSENT
        if codings:
            transfer = transfer_encoding(codings, insecure=insecure)
    except HTTPParserError as error:
        error.bytes_parsed = field.start(2) if field else 0
        raise
    plain = field is not None and _PLAIN_FIELD.fullmatch(field[0]) is not None
    return Framing(length, transfer, plain and len(codings) <= 1)


def _refuse_second(name: bytes, refused: bool) -> None:
    """Refuse a field of one kind after a field of the other kind."""
    if not refused:
        return
    if name == b"transfer-encoding":
        raise HTTPParserError(
            "HPE_INVALID_TRANSFER_ENCODING", "Transfer-Encoding after Content-Length"
        )
    raise HTTPParserError(
        "HPE_INVALID_CONTENT_LENGTH", "Content-Length after Transfer-Encoding"
    )


def _refuse_repeat(refused: bool) -> None:
    if refused:
        raise HTTPParserError(
            "HPE_UNEXPECTED_CONTENT_LENGTH", "Content-Length is repeated"
        )


def refuse_framing_trailers(section: bytes) -> None:
    """Refuse trailers that belong into a head.

    No sender may send them (RFC 9110 section 6.5.1): they would be a second word about
    where the message ends.

    Raises:
        HTTPParserError: If Content-Length or Transfer-Encoding is among them.
    """
    field = _FRAMING_FIELD.search(b"\r\n" + section.lower())
    if field:
        wrong = "TRANSFER_ENCODING" if field[1][:1] == b"t" else "CONTENT_LENGTH"
        raise HTTPParserError(
            f"HPE_INVALID_{wrong}",
            f"{field[1].decode()} among the trailers",
            bytes_parsed=field.start(),
        )


def request_framing(
    lowered: bytes,
    ruling: dict[bytes, list[bytes]],
    http_version: str,
    *,
    insecure: bool,
) -> Framing:
    """Return how a request is framed.

    Raises:
        HTTPParserError: As `read_framing`, and if the codings do not mark the end of
            the body, or the version does not know codings (RFC 9112 section 6.1): both
            would leave the length of the body open to two readings.
    """
    framing = read_framing(lowered, ruling, insecure=insecure)
    if framing.transfer is _ABSENT:
        return framing
    code = "HPE_INVALID_TRANSFER_ENCODING"
    if framing.transfer is _OTHER:
        raise HTTPParserError(code, "The last transfer coding is not chunked")
    if http_version == "1.0":
        if not insecure:
            raise HTTPParserError(code, "Transfer-Encoding in HTTP/1.0")
        return replace(framing, plain=False)
    return framing


def request_body(framing: Framing) -> Move:
    """Return what follows a request head (RFC 9112 section 6.3)."""
    if framing is NO_FRAMING:
        return _EMPTY
    if framing.transfer is _CHUNKED:
        return _CHUNK
    return _FIX if framing.length else _EMPTY


def response_body(method: str, status: int, framing: Framing) -> Move:
    """Return what follows a response head (RFC 9112 section 6.3).

    Args:
        method: The method of the request it answers.
        status: Its status code.
        framing: What its framing fields say.
    """
    if method == "CONNECT" or method == "HEAD" or status < 200 or status in (204, 304):
        return _EMPTY
    if framing.transfer is _CHUNKED:
        return _CHUNK
    if framing.transfer is _OTHER or framing.length is None:
        return _FLOW
    return _FIX if framing.length else _EMPTY


def wants_keep_alive(http_version: str, options: list[bytes]) -> bool:
    """Tell whether the peer lets the connection persist (RFC 9112 section 9.3).

    Args:
        http_version: ``"1.1"`` or ``"1.0"``.
        options: The elements of Connection, in lower case.
    """
    if b"close" in options:
        return False
    return http_version == "1.1" or b"keep-alive" in options


def host_error(values: list[bytes] | None, http_version: str) -> HostError | None:
    """Return why the Host fields of a request are not acceptable.

    Source: RFC 9112 section 3.2, H-126.
    """
    if not values:
        return "missing" if http_version == "1.1" else None
    if len(values) > 1:
        return "repeated"
    return None if is_valid_host(values[0]) else "invalid"
