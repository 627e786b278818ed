"""What exactly is wrong with a head, and where: the slow path of a refusal.

The one expression that checks a head says only yes or no. When it says no, or when a head
is still incomplete, the lines are looked at one by one from the left. The verdict on a
byte depends on what stands before it and never on what follows, so it is the same
however the bytes were split.
"""

import re
from collections.abc import Callable
from typing import Final

from headrace.http_parser._errors import HTTPParserError
from headrace.http_parser._fields import TOKEN_CHAR, VALUE_CHAR
from headrace.http_parser._methods import METHODS

Buffer = bytes | bytearray

#: Judges the content of a start line from the left; `complete` says that its end is there.
StartLineCheck = Callable[[bytes, bool], None]

_LINE_BREAK: Final = re.compile(rb"[\r\n]")
_TOKEN: Final = re.compile(TOKEN_CHAR + rb"*")
_VALUE: Final = re.compile(VALUE_CHAR + rb"*")
_TARGET: Final = re.compile(rb"[\x21-\x7e]*")
_REASON: Final = _VALUE
_LONGEST_METHOD: Final = max(map(len, METHODS))

#: A byte that is wrong wherever it stands in a head: a control character, CR without LF,
#: LF without CR.
SUSPECT: Final = re.compile(
    rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\r[^\n]|(?:[^\r]|\A)\n", re.DOTALL
)


def _fault(code: str, reason: str, position: int) -> HTTPParserError:
    return HTTPParserError(code, reason, bytes_parsed=position)


def check_lines(
    data: Buffer, position: int, check_start_line: StartLineCheck | None
) -> int:
    """Judge lines from `position` and return where the first incomplete line begins.

    Args:
        data: A head or trailer section, or the first part of one.
        position: The beginning of a line.
        check_start_line: For a head's first line, when `position` is 0.

    Raises:
        HTTPParserError: For the first byte from the left that breaks a rule.
    """
    while position < len(data):
        stop = _LINE_BREAK.search(data, position)
        end = stop.start() if stop else len(data)
        content = bytes(data[position:end])
        check = check_field_line
        if position == 0 and check_start_line is not None:
            check = check_start_line
        try:
            check(content, False)
            ended = _check_line_end(data, end)
            if ended and content:
                check(content, True)
        except HTTPParserError as error:
            error.bytes_parsed += position
            raise
        if not ended or not content:
            return position
        position = end + 2
    return position


def _check_line_end(data: Buffer, end: int) -> bool:
    """Tell whether CRLF stands at `end`; False means that bytes are missing."""
    found = bytes(data[end : end + 2])
    if found in (b"", b"\r"):
        return False
    if found[:1] == b"\n":
        raise _fault("HPE_CR_EXPECTED", "Missing expected CR before LF", 0)
    if found != b"\r\n":
        raise _fault("HPE_LF_EXPECTED", "Missing expected LF after CR", 0)
    return True


def check_field_line(content: bytes, complete: bool) -> None:
    """Judge ``name: value``, without its CRLF."""
    code = "HPE_INVALID_HEADER_TOKEN"
    if content[:1] in (b" ", b"\t"):
        raise _fault(code, "Unexpected space at the start of a field line", 0)
    name_end = _TOKEN.match(content).end()  # type: ignore[union-attr]
    if name_end == len(content):
        if complete:
            raise _fault(code, "Missing colon in a field line", name_end)
        return
    if content[name_end] != ord(":") or name_end == 0:
        raise _fault(code, "Invalid character in a field name", name_end)
    value_end = _VALUE.match(content, name_end + 1).end()  # type: ignore[union-attr]
    if value_end < len(content):
        raise _fault(code, "Invalid character in a field value", value_end)


def check_request_line(content: bytes, complete: bool) -> None:
    """Judge ``method SP target SP HTTP/1.x``, without its CRLF."""
    method_end = _TOKEN.match(content).end()  # type: ignore[union-attr]
    method = content[:method_end].decode()
    ended = method_end < len(content) or complete
    if method_end > _LONGEST_METHOD or (ended and method not in METHODS):
        raise _fault("HPE_INVALID_METHOD", "Invalid method encountered", method_end)
    if method_end == len(content):
        if complete:
            raise _fault("HPE_INVALID_URL", "Missing request target", method_end)
        return
    if content[method_end] != ord(" "):
        raise _fault("HPE_INVALID_METHOD", "Expected space after method", method_end)
    target_end = _TARGET.match(content, method_end + 1).end()  # type: ignore[union-attr]
    if target_end == len(content) and not complete:
        return
    if target_end == method_end + 1 or content[target_end : target_end + 1] > b" ":
        raise _fault("HPE_INVALID_URL", "Invalid request target", target_end)
    if content[target_end : target_end + 1] not in (b" ", b""):
        raise _fault("HPE_INVALID_URL", "Invalid character in target", target_end)
    _check_version(content, target_end + 1, complete)


def _check_version(content: bytes, start: int, complete: bool) -> None:
    """Judge ``HTTP/1.0`` or ``HTTP/1.1`` from `start` to the end of `content`."""
    found = content[start:]
    if not b"HTTP/".startswith(found[:5]) or (complete and len(found) < 5):
        raise _fault("HPE_INVALID_CONSTANT", "Expected HTTP/", start)
    version = found[5:]
    right = (b"1.1", b"1.0")
    if version not in right and (
        complete or not any(known.startswith(version) for known in right)
    ):
        raise _fault("HPE_INVALID_VERSION", "Invalid HTTP version", start + 5)


def check_status_line(content: bytes, complete: bool) -> None:
    """Judge ``HTTP/1.x SP status [SP reason]``, without its CRLF."""
    version, space, rest = content.partition(b" ")
    _check_version(version, 0, complete or bool(space))
    if not space:
        if complete:
            raise _fault("HPE_INVALID_STATUS", "Missing status code", len(content))
        return
    status, space, reason = rest[:3], rest[3:4], rest[4:]
    start = len(version) + 1
    wrong = (status and not status.isdigit()) or status[:1] == b"0"
    if wrong or (complete and len(status) < 3) or space not in (b"", b" "):
        raise _fault("HPE_INVALID_STATUS", "Invalid status code", start)
    reason_end = _REASON.match(reason).end()  # type: ignore[union-attr]
    if reason_end < len(reason):
        raise _fault(
            "HPE_INVALID_HEADER_TOKEN", "Invalid character in reason phrase", reason_end
        )
