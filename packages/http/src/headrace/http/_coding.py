"""From what users write to the bytes that are sent (H-006, H-007)."""

from __future__ import annotations

from headrace.http._errors import InvalidArgTypeError
from headrace.streams import NullValuesError, encode_text

Chunk = bytes | bytearray | memoryview | str


def to_bytes(chunk: object, encoding: object = None) -> bytes:
    """Return a chunk as bytes.

    Raises:
        NullValuesError: If `chunk` is None.
        InvalidArgTypeError: If it is neither text nor bytes-like.
        UnknownEncodingError: If `encoding` is not known.
    """
    if isinstance(chunk, str):
        if encoding is None:
            return chunk.encode()
        return encode_text(chunk, encoding)  # it refuses what is no name
    if isinstance(chunk, (bytes, bytearray, memoryview)):
        return bytes(chunk)
    if chunk is None:
        raise NullValuesError
    raise InvalidArgTypeError("chunk", "str, bytes, bytearray or memoryview", chunk)
