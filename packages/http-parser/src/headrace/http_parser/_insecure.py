"""The lenient mode: old peers' lines are put in order before they are judged.

What is mended here is judged by the same strict rules afterwards, so that the mode
accepts line folding and bare LF and nothing else. Source: X-016.
"""

import re
from typing import Final

from headrace.http_parser._diagnosis import Buffer

_SECTION_END: Final = re.compile(rb"\n\r?\n")
_BARE_LF: Final = re.compile(rb"(?<!\r)\n")
# obs-fold = OWS CRLF RWS, to be read as blanks (RFC 9112 section 5.2).
_FOLD: Final = re.compile(rb"[\t ]*\r\n[\t ]+")
_BLANK_LINE: Final = re.compile(rb"\r?\n")


def find_section_end(data: Buffer, start: int) -> int:
    """Return where the first blank line from `start` ends, or -1."""
    match = _SECTION_END.search(data, start)
    return match.end() if match else -1


def blank_line_end(data: Buffer, start: int) -> int:
    """Return where the blank line at `start` ends, or `start` if there is none."""
    match = _BLANK_LINE.match(data, start)
    return match.end() if match else start


def mend_head(head: bytes) -> bytes:
    """Return a head with CRLF at the line ends and without folding.

    A fold of the start line stays and is refused: it would make a field a part of it.
    """
    start_line, line_end, fields = _BARE_LF.sub(b"\r\n", head).partition(b"\r\n")
    return start_line + line_end + _unfold(fields)


def mend_trailers(section: bytes) -> bytes:
    """Return a trailer section with CRLF at the line ends and without folding."""
    return _unfold(_BARE_LF.sub(b"\r\n", section))


def _unfold(fields: bytes) -> bytes:
    first_line, line_end, rest = fields.partition(b"\r\n")
    if fields[:1] in (b" ", b"\t"):
        return fields  # nothing to be folded to
    return _FOLD.sub(b" ", first_line + line_end + rest)
