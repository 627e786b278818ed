"""Whole bodies: everything a stream gives, with a limit on how much that may be.

Source: X-114.
"""

import json as _json
from collections.abc import AsyncIterable
from typing import Any, Final

from headrace.streams._errors import ContentTooLargeError, InvalidArgTypeError
from headrace.streams._high_water_mark import check_high_water_mark

__all__ = ["DEFAULT_LIMIT", "array", "buffer", "json", "text"]

#: Bytes that are held unless the caller says otherwise.
DEFAULT_LIMIT: Final = 64 * 1024 * 1024


async def buffer(
    readable: AsyncIterable[Any], *, limit: int | None = DEFAULT_LIMIT
) -> bytes:
    """Return all the bytes of `readable`; text counts, and comes, as UTF-8.

    Args:
        readable: A Readable, or any async iterable of bytes or text.
        limit: The most bytes to hold; None for any number.

    Raises:
        ContentTooLargeError: If there is more. The stream is destroyed then, as it is
            when this is cancelled.
        InvalidArgTypeError: If a chunk is neither text nor bytes-like.
        BaseException: The error of the stream.
    """
    return _join([_to_bytes(chunk) for chunk in await _collect(readable, limit)])


async def _collect(readable: AsyncIterable[Any], limit: int | None) -> list[Any]:
    """Return the chunks of `readable`, which are at most `limit` bytes."""
    if limit is not None:
        check_high_water_mark(limit, "limit")
    chunks: list[Any] = []
    size = 0
    async for chunk in readable:
        size += len(_to_bytes(chunk))
        if limit is not None and size > limit:
            raise ContentTooLargeError(limit)
        chunks.append(chunk)
    return chunks


def _join(parts: list[bytes]) -> bytes:
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _to_bytes(chunk: object) -> bytes:
    if isinstance(chunk, str):
        return chunk.encode()
    if isinstance(chunk, bytes | bytearray | memoryview):
        return bytes(chunk)
    raise InvalidArgTypeError("chunk", "bytes-like or str", chunk)


async def text(
    readable: AsyncIterable[Any],
    *,
    encoding: str = "utf-8",
    limit: int | None = DEFAULT_LIMIT,
) -> str:
    """Return all the text of `readable`.

    Args:
        readable: As for `buffer`.
        encoding: A codec of Python's; not used for chunks that are text already.
        limit: As for `buffer`, in bytes.

    Raises:
        UnicodeDecodeError: If the bytes are no text in this encoding.
        LookupError: If there is no such encoding.
        ContentTooLargeError: As for `buffer`.
    """
    chunks = await _collect(readable, limit)
    if chunks and all(isinstance(chunk, str) for chunk in chunks):
        return "".join(chunks)
    return _join([_to_bytes(chunk) for chunk in chunks]).decode(encoding)


async def json(
    readable: AsyncIterable[Any], *, limit: int | None = DEFAULT_LIMIT
) -> Any:
    """Return the value of the JSON text that `readable` gives.

    Raises:
        ValueError: If it is no JSON.
        ContentTooLargeError: As for `buffer`.
    """
    return _json.loads(await buffer(readable, limit=limit))


async def array(readable: AsyncIterable[Any], *, limit: int | None = None) -> list[Any]:
    """Return all the chunks of `readable`.

    Args:
        readable: A Readable, or any async iterable.
        limit: The most chunks to hold; None for any number.

    Raises:
        ContentTooLargeError: If there are more.

    Source: X-116.
    """
    if limit is not None:
        check_high_water_mark(limit, "limit")
    chunks: list[Any] = []
    async for chunk in readable:
        if limit is not None and len(chunks) == limit:
            raise ContentTooLargeError(limit, "chunks")
        chunks.append(chunk)
    return chunks
