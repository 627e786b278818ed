"""What is wrong with a head or a trailer section, and where.

The one expression that checks a section says only yes or no. When it says no, and while
a section is still incomplete, its lines are judged here one by one, from the left. The
verdict on a byte depends on what stands before it and never on what follows, so it is
the same however the bytes were split.
"""

import re
from collections.abc import Callable
from typing import Final, NoReturn

from headrace.http_parser._errors import HTTPParserError
from headrace.http_parser._fields import TOKEN_CHAR, VALUE_CHAR
from headrace.http_parser._methods import METHODS
from headrace.http_parser._target import is_valid_target

Buffer = bytes | bytearray

#: Judges a line without its CRLF. The flag says whether the line ends there; if not,
#: only what no continuation could mend is wrong.
LineCheck = Callable[[bytes, bool], None]

# A byte that ends a line, or is wrong wherever it stands.
_NOTABLE: Final = re.compile(rb"[\x00-\x08\x0a-\x0c\x0e-\x1f\x7f]|\r[^\n]")
_LINE_BREAK: Final = re.compile(rb"[\r\n]")
_TOKEN: Final = re.compile(TOKEN_CHAR + rb"*+")
_VALUE: Final = re.compile(VALUE_CHAR + rb"*+")
_TARGET: Final = re.compile(rb"[\x21-\x7e]*+")
_LONGEST_METHOD: Final = max(map(len, METHODS))


def _fault(code: str, reason: str, position: int) -> HTTPParserError:
    return HTTPParserError(code, reason, bytes_parsed=position)


def _end_of(expression: re.Pattern[bytes], line: bytes, start: int = 0) -> int:
    """Return where the longest match from `start` ends; the expression may be empty."""
    match = expression.match(line, start)
    return match.end() if match else start


class Section:
    """A head or a trailer section that arrives in pieces; looks at each byte once.

    Attributes:
        seen: Bytes looked at.
        searched: Bytes in which its end need not be searched for again.
    """

    __slots__ = ("_check_first", "_judged", "_limit", "_what", "searched", "seen")

    def __init__(self, what: str, limit: int, check_first: LineCheck | None) -> None:
        self._what = what
        self._limit = limit
        self._check_first = check_first
        self.forget()

    def forget(self) -> None:
        """Get ready for the next section."""
        self.seen = 0
        self.searched = 0
        self._judged = 0  # bytes of complete lines found to be right

    def take_part(self, data: Buffer, start: int, *, mendable: bool) -> None:
        """Look at a section whose end has not come.

        Args:
            data: Holds all of it that has come.
            start: Where it begins in `data`.
            mendable: Its lines cannot be judged before they are mended.

        Raises:
            HTTPParserError: If it is wrong already, or too long.
        """
        size = len(data) - start
        if size >= self._limit:
            self.refuse(b"" if mendable else bytes(data[start:]), too_long=True)
        # A CR seen last time may now turn out to stand alone.
        fresh = start + max(self.seen - 1, 0)
        if not mendable and _NOTABLE.search(data, fresh):
            part = bytes(data[start + self._judged :])
            check_first = None if self._judged else self._check_first
            self._judged += check_lines(
                part, self._judged, check_first, to_the_end=False
            )
        self.seen = size
        self.searched = max(size - 3, 0)

    def refuse(self, section: bytes, *, too_long: bool) -> NoReturn:
        """Refuse a section for its first fault within the limit, else for its length.

        Raises:
            HTTPParserError: Always.
        """
        check_lines(section[: self._limit], 0, self._check_first, to_the_end=True)
        if too_long:
            raise _fault("HPE_HEADER_OVERFLOW", f"{self._what} overflow", self._limit)
        # Cannot happen: the expression and the line checks are the same grammar.
        raise _fault("HPE_INTERNAL", f"{self._what} is invalid", 0)


def check_lines(
    data: bytes, offset: int, check_first: LineCheck | None, *, to_the_end: bool
) -> int:
    """Judge lines, and return where the first one begins that has no end.

    Args:
        data: Begins with a line.
        offset: What to add to positions in errors.
        check_first: Judges the first line, if it is not a field line.
        to_the_end: Judge a line without an end too. Else it is left alone, as it would
            be if it came byte by byte, up to a byte that no line may have.

    Raises:
        HTTPParserError: For the first byte from the left that breaks a rule.
    """
    start = 0
    check = check_first or check_field_line
    while start < len(data):
        line_break = _LINE_BREAK.search(data, start)
        end = line_break.start() if line_break else len(data)
        line = data[start:end]
        found = data[end : end + 2]
        has_end = found not in (b"", b"\r")
        try:
            if has_end or to_the_end or _NOTABLE.search(line):
                check(line, False)
            if not has_end:
                return start
            _check_line_end(found, end - start)
            if line or check is not check_field_line:
                check(line, True)
        except HTTPParserError as error:
            error.bytes_parsed += offset + start
            raise
        start = end + 2
        check = check_field_line
    return start


def _check_line_end(found: bytes, position: int) -> None:
    if found[:1] == b"\n":
        raise _fault("HPE_CR_EXPECTED", "Missing expected CR before LF", position)
    if found != b"\r\n":
        raise _fault("HPE_LF_EXPECTED", "Missing expected LF after CR", position + 1)


def check_field_line(line: bytes, ends: bool) -> None:
    """Judge ``field-name ":" field-value``."""
    code = "HPE_INVALID_HEADER_TOKEN"
    if line[:1] in (b" ", b"\t"):
        raise _fault(code, "Unexpected space at the start of a field line", 0)
    name_end = _end_of(_TOKEN, line)
    if name_end == len(line):
        if ends:
            raise _fault(code, "Missing colon in a field line", name_end)
        return
    if line[name_end] != ord(":") or name_end == 0:
        raise _fault(code, "Invalid character in a field name", name_end)
    value_end = _end_of(_VALUE, line, name_end + 1)
    if value_end < len(line):
        raise _fault(code, "Invalid character in a field value", value_end)


def check_request_line(line: bytes, ends: bool) -> None:
    """Judge ``method SP request-target SP HTTP-version`` (RFC 9112 section 3)."""
    method_end = _end_of(_TOKEN, line)
    if method_end == len(line) and not ends:
        if method_end > _LONGEST_METHOD:
            raise _fault("HPE_INVALID_METHOD", "Invalid method", _LONGEST_METHOD)
        return
    method = line[:method_end].decode()
    if method not in METHODS:
        raise _fault(
            "HPE_INVALID_METHOD", "Invalid method", min(method_end, _LONGEST_METHOD)
        )
    if line[method_end : method_end + 1] != b" ":
        raise _fault("HPE_INVALID_METHOD", "Expected space after method", method_end)
    target_end = _end_of(_TARGET, line, method_end + 1)
    if target_end == len(line) and not ends:
        return
    if target_end == method_end + 1:
        raise _fault("HPE_INVALID_URL", "Missing request target", target_end)
    if line[target_end : target_end + 1] not in (b" ", b""):
        raise _fault(
            "HPE_INVALID_URL", "Invalid character in request target", target_end
        )
    if not is_valid_target(method, line[method_end + 1 : target_end]):
        raise _fault("HPE_INVALID_URL", "Invalid request target", method_end + 1)
    _check_version(line[target_end + 1 :], target_end + 1, ends)


def _check_version(found: bytes, start: int, ends: bool) -> None:
    """Judge ``HTTP/1.0`` or ``HTTP/1.1``."""
    if found[:5] != b"HTTP/"[: len(found)] or (ends and len(found) < 5):
        raise _fault("HPE_INVALID_CONSTANT", "Expected HTTP/", start)
    known = (b"HTTP/1.1", b"HTTP/1.0")
    if found not in known and (ends or not any(k.startswith(found) for k in known)):
        raise _fault("HPE_INVALID_VERSION", "Invalid HTTP version", start + 5)


def check_status_line(line: bytes, ends: bool) -> None:
    """Judge ``HTTP-version SP status-code [ SP reason-phrase ]`` (section 4)."""
    version, space, rest = line.partition(b" ")
    _check_version(version, 0, ends or bool(space))
    if not space and not ends:
        return
    code, reason = "HPE_INVALID_STATUS", "Invalid status code"
    start = len(version) + 1
    status = rest[:3]
    if status.strip(b"0123456789") or status[:1] == b"0":
        raise _fault(code, reason, start)
    if len(status) < 3:
        if ends:
            raise _fault(code, reason, start)
        return
    if rest[3:4] not in (b" ", b""):
        raise _fault(code, reason, start + 3)
    phrase_end = _end_of(_VALUE, rest, 4)
    if phrase_end < len(rest):
        raise _fault(
            "HPE_INVALID_HEADER_TOKEN",
            "Invalid character in reason phrase",
            start + phrase_end,
        )
