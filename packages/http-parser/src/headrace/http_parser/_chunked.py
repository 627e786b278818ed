"""The framing of a chunked body: sizes, limits and the trailer section.

This module finds out which bytes are in order; an engine then takes the content out of
them. Source: RFC 9112 section 7.1, H-123, H-130.
"""

import re
from typing import Final

from headrace.http_parser._diagnosis import Buffer, Section
from headrace.http_parser._errors import HTTPParserError
from headrace.http_parser._fields import TOKEN_CHAR, TRAILER_SECTION, VALUE_CHAR
from headrace.http_parser._framing import refuse_framing_trailers
from headrace.http_parser._insecure import (
    blank_line_end,
    find_section_end,
    mend_trailers,
)
from headrace.http_parser._limits import MAX_CHUNK_SIZE_DIGITS, Limits
from headrace.http_parser._state import STEPS, Part, Step

# The CRLF that ends a chunk's data, and the next chunk's size line without extensions.
_NEXT_CHUNK: Final = re.compile(rb"\r\n([0-9A-Fa-f]{1,16})\r\n")
_SIZE: Final = re.compile(rb"[0-9A-Fa-f]*+")
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")

# chunk-ext     = *( BWS ";" BWS chunk-ext-name [ BWS "=" BWS chunk-ext-val ] )
# chunk-ext-val = token / quoted-string
_EXTENSIONS: Final = re.compile(
    rb"(?:[\t ]*+;[\t ]*+T++(?:[\t ]*+=[\t ]*+(?:T++|Q))?+)*+".replace(
        b"Q", rb'"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\V)*+"'
    )
    .replace(b"T", TOKEN_CHAR)
    .replace(b"V", VALUE_CHAR)
)


_DATA: Final = Part.DATA  # members of an Enum are slow to look up on the hot path


class ChunkScanner:
    """Walks over one chunked body, however it is split.

    Attributes:
        part: What comes next.
        trailers: The trailer section with its blank line, once `part` is DONE.
    """

    __slots__ = (
        "_extension_room",
        "_insecure",
        "_left",
        "_max_trailers",
        "_section",
        "_seen",
        "part",
        "trailers",
    )

    def __init__(self, limits: Limits, *, insecure: bool) -> None:
        self._insecure = insecure
        self._max_trailers = limits.max_head_size
        self._extension_room = limits.max_chunk_extensions_bytes
        self._section = Section("Trailers", limits.max_head_size, None)
        self._left = 0  # content bytes the current chunk has yet to bring
        self._seen = 0  # bytes of the current size line looked at
        self.part = Part.SIZE
        self.trailers = b"\r\n"

    def scan(self, data: Buffer, position: int) -> tuple[int, list[bytes]]:
        """Return where the bytes in order end, and what to hand to an engine.

        The engine gets the same chunks without extensions and with CRLF everywhere.

        Raises:
            HTTPParserError: If the first fault stands at `position`. A later one ends
                what is in order, and is raised when it is come back to.
        """
        pieces: list[bytes] = []
        start = position
        while True:
            position = self._skip_chunks(data, position)
            try:
                end, replacement = self._read_line(data, position)
            except HTTPParserError:
                if position > start or pieces:
                    break
                raise
            if end == position:
                break
            if replacement is not None:
                if position > start:
                    pieces.append(bytes(data[start:position]))
                pieces.append(replacement)
                start = end
            position = end
        if position > start:
            # The whole of a `bytes` is the same object: no copy of a long piece.
            pieces.append(bytes(data[start:position]))
        return position, pieces

    def _skip_chunks(self, data: Buffer, position: int) -> int:
        """Skip content and plain size lines; the hot path of many small chunks."""
        size = len(data)
        next_chunk = _NEXT_CHUNK.match
        while self.part is _DATA:
            end = position + self._left
            if end > size:
                self._left = end - size
                return size
            match = next_chunk(data, end)
            if match is None:
                self._left = 0
                self._go(Step.CONTENT)
                return end
            position = match.end()
            self._left = int(match[1], 16)
            if not self._left:  # three steps at once, like the expression
                self._go(Step.CONTENT)
                self._go(Step.LINE_END)
                self._go(Step.LAST_SIZE)
        return position

    def _go(self, step: Step) -> None:
        self.part = STEPS[self.part, step]

    def _read_line(self, data: Buffer, position: int) -> tuple[int, bytes | None]:
        """Read what stands between two chunks' contents.

        Returns:
            Where it ends, which is `position` when bytes are missing; and what the
            engine gets in its place, if it is not as it should be.
        """
        if self.part is Part.SIZE:
            return self._read_size_line(data, position)
        if self.part is Part.DATA_END:
            return self._read_data_end(data, position)
        if self.part is Part.TRAILERS:
            return self._read_trailers(data, position)
        return position, None

    def _read_size_line(self, data: Buffer, position: int) -> tuple[int, bytes | None]:
        end = data.find(b"\n", position + self._seen) + 1
        if not end:
            self._take_part_of_line(data, position)
            return position, None
        line = bytes(data[position:end])
        digits = self._judge_size_line(line)
        self._seen = 0
        self._left = int(line[:digits], 16)
        self._go(Step.SIZE if self._left else Step.LAST_SIZE)
        plain = line[:digits] + b"\r\n"
        if line == plain:
            return end, None
        self._extension_room -= len(line.rstrip(b"\r\n")) - digits
        return end, plain

    def _take_part_of_line(self, data: Buffer, position: int) -> None:
        """Judge a line whose end has not come, each byte of it about once."""
        size = len(data) - position
        fresh = position + max(self._seen - 1, 0)
        if (
            self._seen <= MAX_CHUNK_SIZE_DIGITS + 1
            or size > self._extension_room
            or _CONTROL.search(data, fresh)
        ):
            self._judge_size_line(bytes(data[position:]))
        self._seen = size

    def _judge_size_line(self, line: bytes) -> int:
        """Return the number of digits in ``chunk-size [ chunk-ext ] CRLF``.

        Args:
            line: The line with its end, or the first part of it.

        Raises:
            HTTPParserError: For the first byte from the left that breaks a rule.
        """
        match = _SIZE.match(line)
        digits = match.end() if match else 0
        if digits > MAX_CHUNK_SIZE_DIGITS:
            raise _fault("HPE_INVALID_CHUNK_SIZE", "Chunk size overflow", 16)
        if digits == len(line):
            return digits
        if line[digits] not in b";\t \r\n" or digits == 0:
            code = "HPE_CR_EXPECTED" if line[:1] == b"\n" else "HPE_INVALID_CHUNK_SIZE"
            raise _fault(code, "Invalid character in chunk size", digits)
        control = _CONTROL.search(line, digits)
        end = control.start() if control else len(line)
        if end - digits > self._extension_room:
            raise _fault(
                "HPE_CHUNK_EXTENSIONS_OVERFLOW",
                "Chunk extensions overflow",
                digits + self._extension_room,
            )
        if self._ends_line(line, end):
            self._judge_extensions(line[digits:end], digits)
        return digits

    def _ends_line(self, line: bytes, end: int) -> bool:
        found = line[end : end + 2]
        if found == b"\r\n" or (found == b"\n" and self._insecure):
            return True
        if found in (b"", b"\r"):
            return False
        if found == b"\n":
            raise _fault("HPE_CR_EXPECTED", "Missing expected CR before LF", end)
        if found[:1] == b"\r":
            raise _fault("HPE_LF_EXPECTED", "Missing expected LF after CR", end + 1)
        raise _fault("HPE_STRICT", "Invalid character in chunk extensions", end)

    def _judge_extensions(self, extensions: bytes, digits: int) -> None:
        match = _EXTENSIONS.match(extensions)
        end = match.end() if match else 0
        if end == len(extensions):
            return
        if b";" not in extensions:
            raise _fault("HPE_INVALID_CHUNK_SIZE", "Space after chunk size", digits)
        raise _fault(
            "HPE_STRICT", "Invalid character in chunk extensions", digits + end
        )

    def _read_data_end(self, data: Buffer, position: int) -> tuple[int, bytes | None]:
        found = bytes(data[position : position + 2])
        if found == b"\r\n":
            self._go(Step.LINE_END)
            return position + 2, None
        if found in (b"", b"\r"):
            return position, None
        if found[:1] == b"\n" and self._insecure:
            self._go(Step.LINE_END)
            return position + 1, b"\r\n"
        if found[:1] == b"\n":
            raise _fault("HPE_CR_EXPECTED", "Missing expected CR after chunk data", 0)
        if found[:1] == b"\r":
            raise _fault("HPE_LF_EXPECTED", "Missing expected LF after chunk data", 1)
        raise _fault("HPE_STRICT", "Expected CRLF after chunk data", 0)

    def _read_trailers(self, data: Buffer, position: int) -> tuple[int, bytes | None]:
        insecure = self._insecure
        begin = position + self._section.searched
        if data.startswith(b"\r\n", position):
            end = position + 2
        elif insecure and blank_line_end(data, position) > position:
            end = blank_line_end(data, position)
        elif insecure:
            end = find_section_end(data, begin)
        else:
            end = data.find(b"\r\n\r\n", begin)
            end = end + 4 if end >= 0 else -1
        if end < 0:
            self._section.take_part(data, position, mendable=insecure)
            return position, None
        section = bytes(data[position:end])
        if insecure:
            section = mend_trailers(section)
        too_long = end - position > self._max_trailers
        if too_long and insecure:
            section = b""  # as when it comes in pieces, which cannot be mended
        if too_long or not TRAILER_SECTION.fullmatch(section):
            self._section.refuse(section, too_long=too_long)
        refuse_framing_trailers(section)
        self.trailers = section
        self._go(Step.TRAILERS)
        return end, section if insecure else None


def _fault(code: str, reason: str, position: int) -> HTTPParserError:
    return HTTPParserError(code, reason, bytes_parsed=position)
