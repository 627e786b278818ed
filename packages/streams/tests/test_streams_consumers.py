"""Whole bodies, with limits (X-114)."""

from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest

from headrace.events import loop
from headrace.streams import (
    ContentTooLargeError,
    InvalidArgTypeError,
    OutOfRangeError,
    PassThrough,
    Readable,
    consumers,
)


def stream(*chunks: Any) -> Readable:
    return Readable.from_(chunks)


async def test_buffer() -> None:
    """All bytes in one piece; text counts as UTF-8 (X-114)."""
    assert await consumers.buffer(stream(b"ab", bytearray(b"c"), "é")) == b"abc\xc3\xa9"
    assert await consumers.buffer(stream()) == b""


async def test_text() -> None:
    """Characters split across chunks are whole; any codec (X-114)."""
    data = "a€😀".encode()
    halves = stream(data[:2], data[2:5], data[5:])
    assert await consumers.text(halves) == "a€😀"
    assert await consumers.text(stream(b"\xe9"), encoding="latin-1") == "é"
    assert await consumers.text(stream()) == ""
    assert await consumers.text(stream("a", "b")) == "ab"


async def test_text_of_a_stream_with_an_encoding() -> None:
    """What comes as text stays as it is (X-114)."""
    source = PassThrough(encoding="hex")
    source.end(b"hi")
    assert await consumers.text(source) == "6869"


async def test_bad_text_raises() -> None:
    """Bytes that are no text raise, they are not replaced (DESIGN 3)."""
    with pytest.raises(UnicodeDecodeError):
        await consumers.text(stream(b"\xff"))
    with pytest.raises(LookupError):
        await consumers.text(stream(b"a"), encoding="nope")


async def test_json() -> None:
    """The value of the text; what is no JSON raises ValueError (X-114)."""
    assert await consumers.json(stream(b'{"a": ', b"[1]}")) == {"a": [1]}
    with pytest.raises(ValueError, match="Expecting"):
        await consumers.json(stream(b"nope"))


async def test_array() -> None:
    """All chunks as they are (X-116)."""
    assert await consumers.array(stream(1, "a", b"b")) == [1, "a", b"b"]
    assert await stream(1, 2).to_array() == [1, 2]


@pytest.mark.parametrize("name", ["buffer", "text", "json"])
async def test_limit(name: str) -> None:
    """One byte over the limit raises and destroys; exactly the limit is fine."""
    consume = getattr(consumers, name)
    await consume(stream(b"12", b"34"), limit=4)
    await consume(stream(b"12", b"34"), limit=None)
    source = stream(b"12", b"34", b"5")
    with pytest.raises(ContentTooLargeError) as caught:
        await consume(source, limit=4)
    assert caught.value.code == "ERR_CONTENT_TOO_LARGE"
    assert (caught.value.limit, caught.value.status_hint) == (4, 413)
    del caught
    await loop.checkpoint()
    assert source.destroyed


async def test_limit_counts_bytes_of_text() -> None:
    """Text counts what it takes as UTF-8 (X-114)."""
    with pytest.raises(ContentTooLargeError):
        await consumers.text(stream("€"), limit=2)


async def test_limit_of_chunks() -> None:
    """`array` counts chunks (X-116)."""
    assert await consumers.array(stream(1, 2), limit=2) == [1, 2]
    with pytest.raises(ContentTooLargeError, match="2 chunks"):
        await consumers.array(stream(1, 2, 3), limit=2)


async def test_wrong_limits() -> None:
    """A limit is an integer of 0 or more (H-011)."""
    with pytest.raises(OutOfRangeError):
        await consumers.buffer(stream(), limit=-1)
    with pytest.raises(InvalidArgTypeError):
        await consumers.text(stream(), limit="5")  # type: ignore[arg-type]


async def test_wrong_chunks() -> None:
    """What is neither text nor bytes raises (H-011)."""
    with pytest.raises(InvalidArgTypeError):
        await consumers.buffer(stream(5))


async def test_errors_come_through() -> None:
    """The error of the stream is raised (X-114)."""
    source = Readable(read=lambda size: source.destroy(OSError("no")))
    with pytest.raises(OSError, match="no"):
        await consumers.buffer(source)


async def test_cancelling_destroys() -> None:
    """A consumer that is cancelled destroys the stream (DESIGN 3)."""
    source = Readable(read=lambda size: None)
    with anyio.move_on_after(0):
        await consumers.text(source)
    assert source.destroyed
    assert source.event_names() == []
    await loop.checkpoint()


async def test_any_async_iterable() -> None:
    """They work for more than streams (X-114)."""

    async def chunks() -> AsyncIterator[bytes]:
        yield b"a"
        yield b"b"

    assert await consumers.buffer(chunks()) == b"ab"
