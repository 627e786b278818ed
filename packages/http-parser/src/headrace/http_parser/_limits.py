"""Each limit of the parser, with the reason for its value."""

from dataclasses import dataclass
from typing import Final

#: Node's value since 2018: larger than what browsers send, small enough that many
#: connections in the middle of a head cost little. Caps the trailer section too.
MAX_HEADER_SIZE: Final = 16_384

#: Fields kept for `headers` and `raw_headers`; Node keeps as many.
MAX_HEADERS_COUNT: Final = 1_000

#: Blank lines before a request line are tolerated (RFC 9112 section 2.2), but they carry
#: nothing, so a peer that sends only them is cut off.
MAX_LEADING_CRLF_BYTES: Final = 16_384

#: Extensions are read and dropped; without a total for the whole body a peer could keep
#: a server reading for ever at no gain (CVE-2024-22019).
MAX_CHUNK_EXTENSIONS_BYTES: Final = 16_384

#: 64 bits, leading zeros included. More would overflow where others count in 64 bits.
MAX_CHUNK_SIZE_DIGITS: Final = 16

#: The largest Content-Length: what fits in 64 bits, for the same reason.
MAX_CONTENT_LENGTH: Final = 2**64 - 1

#: What httptools is given at once. Its copy of a larger piece beside the read buffer
#: makes the allocator give pages back and take them again: five times the cost.
MAX_ENGINE_BYTES: Final = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a peer may make the parser hold.

    Attributes:
        max_header_size: Bytes of a head from its first byte to its blank line, both
            included; bytes of a trailer section likewise.
        max_headers_count: Fields kept per head and per trailer section; 0 keeps all.
            Fields beyond it are left out of `headers` and `raw_headers`, but they still
            decide framing.
        max_leading_crlf_bytes: Bytes of blank lines before one request.
        max_chunk_extensions_bytes: Bytes of chunk extensions in one body.

    Source: H-036, H-123, X-006.
    """

    max_header_size: int = MAX_HEADER_SIZE
    max_headers_count: int = MAX_HEADERS_COUNT
    max_leading_crlf_bytes: int = MAX_LEADING_CRLF_BYTES
    max_chunk_extensions_bytes: int = MAX_CHUNK_EXTENSIONS_BYTES
