"""The framing of a chunked body: sizes, limits and the trailer section.

This module finds out which bytes are in order; an engine then takes the content out of
them. Source: RFC 9112 section 7.1, H-123, H-130.
"""

import re
from enum import IntEnum
from typing import Final

from headrace.http_parser._diagnosis import SUSPECT, Buffer, check_lines
from headrace.http_parser._errors import HTTPParserError
from headrace.http_parser._fields import TOKEN_CHAR, TRAILER_SECTION, VALUE_CHAR
from headrace.http_parser._limits import MAX_CHUNK_SIZE_DIGITS, Limits

# chunk = chunk-size CRLF chunk-data CRLF, from the CRLF of the chunk before.
_NEXT_CHUNK: Final = re.compile(rb"\r\n([0-9A-Fa-f]{1,16})\r\n")
_SIZE: Final = re.compile(rb"[0-9A-Fa-f]*+")

# chunk-ext = *( BWS ";" BWS chunk-ext-name [ BWS "=" BWS chunk-ext-val ] )
# chunk-ext-val = token / quoted-string
_QUOTED: Final = rb'"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\' + VALUE_CHAR + rb')*+"'
_EXTENSIONS: Final = re.compile(
    rb"(?:[ \t]*+;[ \t]*+"
    + TOKEN_CHAR
    + rb"++(?:[ \t]*+=[ \t]*+(?:"
    + TOKEN_CHAR
    + rb"++|"
    + _QUOTED
    + rb"))?+)*+"
)


class Part(IntEnum):
    """Which part of a chunked body comes next."""

    SIZE = 0  #: the line with the first chunk's size
    DATA = 1  #: the content of a chunk
    DATA_END = 2  #: the CRLF after it, and the next size line
    TRAILERS = 3  #: the trailer section
    DONE = 4  #: nothing: the body is complete


class ChunkScanner:
    """Walks over one chunked body, however it was split.

    Attributes:
        part: What comes next.
        trailers: The trailer section, when `part` is DONE.
    """

    __slots__ = ("_extension_bytes", "_left", "_limits", "_seen", "part", "trailers")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.part = Part.SIZE
        self.trailers = b"\r\n"
        self._left = 0  # content bytes the current chunk still has to bring
        self._extension_bytes = 0
        self._seen = 0  # bytes of the current line or section already looked at

    def scan(self, data: Buffer, position: int) -> tuple[int, bytes]:
        """Return where the bytes in order end, and the same bytes for an engine.

        The engine's bytes have no extensions and end in front of the first fault or
        incomplete line.

        Raises:
            HTTPParserError: If the fault stands at `position` itself.
        """
        clean: list[bytes] = []
        start = position
        while self.part is not Part.DONE:
            before = position
            try:
                if self.part is Part.DATA:
                    position = self._skip_content(data, position)
                elif self.part is Part.TRAILERS:
                    position = self._read_trailers(data, position)
                else:
                    position, line = self._read_size_line(data, position)
                    if line:  # differs from what stands there: hand over a clean copy
                        clean += (bytes(data[start:before]), line)
                        start = position
            except HTTPParserError:
                if clean or position > start:
                    break  # first deliver what is in order
                raise
            if position == before:
                break
        clean.append(bytes(data[start:position]))
        return position, clean[0] if len(clean) == 1 else b"".join(clean)

    def _skip_content(self, data: Buffer, position: int) -> int:
        taken = min(self._left, len(data) - position)
        self._left -= taken
        if not self._left:
            self.part = Part.DATA_END
        return position + taken

    def _read_size_line(self, data: Buffer, position: int) -> tuple[int, bytes]:
        if self.part is Part.DATA_END:
            match = _NEXT_CHUNK.match(data, position)
            if match:
                self._set_size(int(match[1], 16))
                return match.end(), b""
            return self._end_chunk(data, position), b""
        end = data.find(b"\r\n", max(position, position + self._seen - 1))
        line = bytes(data[position : end if end >= 0 else len(data)])
        digits = _SIZE.match(line).end()  # type: ignore[union-attr]
        self._check_size_line(line, digits, complete=end >= 0)
        if end < 0:
            self._seen = len(line)
            return position, b""
        self._seen = 0
        self._extension_bytes += len(line) - digits
        self._set_size(int(line[:digits], 16))
        return end + 2, line[:digits] + b"\r\n" if digits < len(line) else b""

    def _end_chunk(self, data: Buffer, position: int) -> int:
        found = bytes(data[position : position + 2])
        if found == b"\r\n":
            self.part = Part.SIZE
            return position + 2
        if found[:1] == b"\n":
            raise HTTPParserError("HPE_CR_EXPECTED", "Expected CR after chunk data")
        if found[:1] not in (b"", b"\r"):
            raise HTTPParserError("HPE_STRICT", "Expected CRLF after chunk data")
        if len(found) == 2:
            raise HTTPParserError("HPE_LF_EXPECTED", "Expected LF after chunk data")
        return position

    def _set_size(self, size: int) -> None:
        self._left = size
        self.part = Part.DATA if size else Part.TRAILERS

    def _check_size_line(self, line: bytes, digits: int, *, complete: bool) -> None:
        if digits > MAX_CHUNK_SIZE_DIGITS:
            raise HTTPParserError("HPE_INVALID_CHUNK_SIZE", "Chunk size overflow")
        if (complete or digits < len(line)) and not digits:
            code = "HPE_CR_EXPECTED" if line[:1] == b"\n" else "HPE_INVALID_CHUNK_SIZE"
            raise HTTPParserError(code, "Invalid character in chunk size")
        if digits < len(line) and line[digits] not in b"; \t\r\n":
            raise HTTPParserError(
                "HPE_INVALID_CHUNK_SIZE", "Invalid character in chunk size"
            )
        extension = line[digits:]
        if match := SUSPECT.search(extension):
            code = "HPE_STRICT"
            if b"\n" in match[0]:
                code = "HPE_CR_EXPECTED"
            elif b"\r" in match[0]:
                code = "HPE_LF_EXPECTED"
            raise HTTPParserError(code, "Invalid character in chunk extensions")
        total = self._extension_bytes + len(extension)
        if total > self._limits.max_chunk_extensions_bytes:
            raise HTTPParserError(
                "HPE_CHUNK_EXTENSIONS_OVERFLOW", "Chunk extensions overflow"
            )
        if complete and not _EXTENSIONS.fullmatch(extension):
            code = "HPE_STRICT" if b";" in extension else "HPE_INVALID_CHUNK_SIZE"
            raise HTTPParserError(code, "Invalid character in chunk extensions")

    def _read_trailers(self, data: Buffer, position: int) -> int:
        if data.startswith(b"\r\n", position):
            end = position + 2
        else:
            found = data.find(b"\r\n\r\n", position + max(self._seen - 3, 0))
            end = found + 4 if found >= 0 else -1
        limit = position + self._limits.max_header_size
        if end < 0 or end > limit:
            section = bytes(data[position:limit])
            check_lines(section, 0, None)
            if len(section) == self._limits.max_header_size:
                raise HTTPParserError("HPE_HEADER_OVERFLOW", "Trailers overflow")
            self._seen = len(section)
            return position
        section = bytes(data[position:end])
        if not TRAILER_SECTION.fullmatch(section):
            check_lines(section, 0, None)
        self.trailers = section
        self.part = Part.DONE
        return end
