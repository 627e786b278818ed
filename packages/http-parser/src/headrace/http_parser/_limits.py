"""Each limit of the parser, with the reason for its value."""

from dataclasses import dataclass
from functools import cache
from typing import Final

#: Node's value since 2018: more than browsers send, and little enough that many
#: connections in the middle of a head cost little. Caps trailer sections too (X-006).
MAX_HEADER_SIZE: Final = 16_384

#: Fields kept for `headers` and `raw_headers`; Node keeps as many (H-036).
MAX_HEADERS_COUNT: Final = 1_000

#: Blank lines before a request line are tolerated (RFC 9112 section 2.2), but they
#: carry nothing, so a peer that sends only them is cut off.
MAX_LEADING_CRLF_BYTES: Final = 16_384

#: Extensions are read and dropped. The total is for a whole body, else a peer could
#: keep a server reading for ever with many small ones (CVE-2024-22019).
MAX_CHUNK_EXTENSIONS_BYTES: Final = 16_384

#: 64 bits, leading zeros included; more would overflow where others count in 64 bits.
MAX_CHUNK_SIZE_DIGITS: Final = 16

#: The largest Content-Length: what fits in 64 bits, for the same reason.
MAX_CONTENT_LENGTH: Final = 2**64 - 1

#: What httptools is given at once. Its copy of a larger piece beside the read buffer
#: makes the allocator give pages back and take them again: five times the cost.
MAX_ENGINE_BYTES: Final = 65_536

#: The fields of a request, and the head of a response, are remembered with what was
#: read from them, for the next one that has the same. A connection that only waits
#: shall not hold more than this.
MAX_REMEMBERED_BYTES: Final = 4_096


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a peer may make the parser hold or look at.

    Attributes:
        max_head_size: Bytes of a head from its first byte to its blank line, both
            included, and bytes of a trailer section.
        max_headers_count: Fields kept per head and per trailer section; 0 keeps all.
            Later fields are missing in `headers` and `raw_headers`, but they still
            decide framing.
        max_leading_crlf_bytes: Bytes of blank lines before one request.
        max_chunk_extensions_bytes: Bytes of chunk extensions in one body.

    Source: H-036, H-123, X-006.
    """

    max_head_size: int = MAX_HEADER_SIZE
    max_headers_count: int = MAX_HEADERS_COUNT
    max_leading_crlf_bytes: int = MAX_LEADING_CRLF_BYTES
    max_chunk_extensions_bytes: int = MAX_CHUNK_EXTENSIONS_BYTES


@cache
def limits_with(max_head_size: int, max_headers_count: int) -> Limits:
    """Return limits that are the usual ones but for these two; parsers share them."""
    return Limits(max_head_size=max_head_size, max_headers_count=max_headers_count)
