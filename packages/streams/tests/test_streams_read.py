"""`read(n)`, `unshift`, encodings and the high-water mark."""

from typing import Any

import pytest

from headrace.events import loop
from headrace.streams import (
    InvalidArgTypeError,
    OutOfRangeError,
    Readable,
    UnknownEncodingError,
    get_default_high_water_mark,
    set_default_high_water_mark,
)
from headrace.streams.testing import EventLog


def pushed(*chunks: Any, **options: Any) -> Readable:
    stream = Readable(read=lambda size: None, **options)
    for chunk in chunks:
        stream.push(chunk)
    return stream


async def test_read_takes_exactly_what_is_asked() -> None:
    """`read(n)` gives n bytes across chunks, or None; `read()` all (H-157)."""
    stream = pushed(b"abc", b"def")
    assert stream.read(2) == b"ab"
    assert stream.read(3) == b"cde"
    assert stream.read(2) is None
    assert stream.readable_length == 1
    assert stream.read() == b"f"
    assert stream.read() is None


async def test_read_gives_the_rest_at_the_end() -> None:
    """After the end `read(n)` gives what is left (H-157)."""
    stream = pushed(b"abc", None)
    assert stream.read(10) == b"abc"
    assert stream.read(10) is None


async def test_read_0_only_fetches() -> None:
    """`read(0)` calls `_read` and takes nothing (H-157)."""
    sizes: list[int] = []
    stream = Readable(read=sizes.append, high_water_mark=5)
    assert stream.read(0) is None
    assert sizes == [5]
    stream.push(b"ab")
    assert stream.read(0) is None
    assert stream.readable_length == 2


@pytest.mark.parametrize("size", [-1, -100])
async def test_negative_sizes_read_nothing(size: int) -> None:
    """As in Node, a negative size takes nothing (H-157)."""
    stream = pushed(b"abc")
    assert stream.read(size) is None
    assert stream.readable_length == 3


@pytest.mark.parametrize("size", ["1", 1.5, True])
async def test_wrong_sizes_raise(size: Any) -> None:
    """A size that is no integer raises at once (H-011)."""
    with pytest.raises(InvalidArgTypeError) as caught:
        pushed(b"abc").read(size)
    assert caught.value.code == "ERR_INVALID_ARG_TYPE"


async def test_huge_size_raises() -> None:
    """Over 1 GiB the stream would have to buffer too much (H-161)."""
    with pytest.raises(OutOfRangeError):
        pushed(b"abc").read(1 << 31)


async def test_read_above_the_mark_does_not_stall() -> None:
    """`read(n)` with n above the high-water mark raises the mark (N-039)."""
    chunks = [b"x" * 3] * 10
    stream = Readable(
        high_water_mark=4,
        read=lambda size: stream.push(chunks.pop() if chunks else None),
    )
    got: list[bytes] = []

    def take() -> None:
        while (part := stream.read(10)) is not None:
            got.append(part)

    stream.on("readable", take)
    await loop.checkpoint()
    assert got == [b"x" * 10] * 3
    assert stream.readable_high_water_mark == 16


async def test_object_mode_reads_one_at_a_time() -> None:
    """In object mode each chunk counts 1, whatever size is asked (H-161)."""
    stream = pushed({"a": 1}, 0, "", [], object_mode=True)
    assert stream.readable_length == 4
    assert [stream.read(5) for _ in range(5)] == [{"a": 1}, 0, "", [], None]


async def test_push_says_when_the_mark_is_reached() -> None:
    """`push` gives False at the mark; `_read` comes again after draining (N-038)."""
    calls: list[int] = []
    stream = Readable(read=calls.append, high_water_mark=4)
    stream.read(0)
    assert stream.push(b"abc") is True
    assert stream.push(b"d") is False
    await loop.checkpoint()
    assert len(calls) == 1
    assert stream.read() == b"abcd"
    assert len(calls) == 2


async def test_filling_stops_at_the_mark() -> None:
    """Never more than the mark and one chunk is buffered ahead (H-161)."""
    stream = Readable(read=lambda size: stream.push(b"x" * 10), high_water_mark=25)
    stream.read(0)
    await loop.checkpoint()
    assert stream.readable_length == 30
    stream.destroy()


async def test_mark_of_zero_is_legal() -> None:
    """With a mark of 0 each chunk is fetched when it is asked for (H-161)."""
    chunks = [b"a", b"b", b"c"]
    stream = Readable(
        read=lambda size: stream.push(chunks.pop(0) if chunks else None),
        high_water_mark=0,
    )
    assert [chunk async for chunk in stream] == [b"a", b"b", b"c"]


async def test_default_marks() -> None:
    """64 KiB, or 16 objects (H-161); the defaults can be changed (X-118)."""
    assert pushed().readable_high_water_mark == 65536
    assert pushed(object_mode=True).readable_high_water_mark == 16
    before = get_default_high_water_mark()
    try:
        set_default_high_water_mark(False, 1000)
        assert pushed().readable_high_water_mark == 1000
    finally:
        set_default_high_water_mark(False, before)


@pytest.mark.parametrize(
    ("mark", "code"), [(-1, "ERR_OUT_OF_RANGE"), ("1", "ERR_INVALID_ARG_TYPE")]
)
async def test_wrong_marks_raise(mark: Any, code: str) -> None:
    """A mark is an integer of 0 or more (H-011, H-161)."""
    with pytest.raises((TypeError, ValueError)) as caught:
        Readable(high_water_mark=mark)
    assert getattr(caught.value, "code", None) == code
    with pytest.raises((TypeError, ValueError)):
        set_default_high_water_mark(False, mark)


async def test_unshift_puts_in_front_in_reverse_order() -> None:
    """The last one put back comes first; text is encoded (N-034)."""
    stream = pushed(b"abc")
    assert stream.read(1) == b"a"
    stream.unshift(b"2")
    stream.unshift("é", "latin1")
    assert stream.read() == b"\xe92bc"


async def test_unshift_of_nothing_changes_nothing() -> None:
    """An empty chunk is no data; None ends them (H-162)."""
    stream = pushed(b"a")
    stream.unshift(b"")
    assert stream.readable_length == 1
    stream.unshift(None)
    assert stream.read() == b"a"
    log = EventLog(stream, "end")
    await loop.checkpoint()
    assert log.names == ["end"]


async def test_unshift_while_the_end_is_due() -> None:
    """Data put back after the last ones were read come before ``end`` (H-162)."""
    stream = pushed(b"abc", None)
    log = EventLog(stream, "end")
    assert stream.read() == b"abc"
    stream.unshift(b"c")
    await loop.checkpoint()
    assert log.names == []
    assert stream.read() == b"c"
    await loop.checkpoint()
    assert log.names == ["end"]


async def test_unshift_after_end_fails() -> None:
    """After ``end`` it is an error, unless the stream has closed already (H-162)."""
    stream = pushed(None, auto_destroy=False)
    errors: list[Any] = []
    stream.on("error", errors.append)
    stream.resume()
    await loop.checkpoint()
    assert stream.unshift(b"x") is False
    await loop.checkpoint()
    assert [error.code for error in errors] == ["ERR_STREAM_UNSHIFT_AFTER_END_EVENT"]


async def test_pushed_text_comes_out_as_bytes() -> None:
    """Text is encoded, empty text does not end the stream (N-035)."""
    stream, got = Readable(read=lambda size: None), list[bytes]()
    for text in ("chunk 1", "", "6368", "", "Y2g="):
        encoding = {"6368": "hex", "Y2g=": "base64"}.get(text, "utf8")
        stream.push(text, encoding)
    stream.push(None)
    stream.on("data", got.append)
    await loop.checkpoint()
    assert got == [b"chunk 1", b"ch", b"ch"]


@pytest.mark.parametrize("chunk", [1, {}, 1.5, object()])
async def test_wrong_chunk_is_an_error_event(chunk: Any) -> None:
    """Pushing what is no data ends in ``error`` ERR_INVALID_ARG_TYPE (N-036)."""
    stream = Readable(read=lambda size: None)
    log = EventLog(stream, "error", "close")
    assert stream.push(chunk) is False
    await loop.checkpoint()
    assert log.names == ["error", "close"]
    assert getattr(log.entries[0][1], "code", None) == "ERR_INVALID_ARG_TYPE"


async def test_push_after_the_end_is_an_error_event() -> None:
    """After the end comes ERR_STREAM_PUSH_AFTER_EOF; None again is fine (H-162)."""
    stream = pushed(b"a", None, None)
    log = EventLog(stream, "error", "end")
    assert stream.push(b"b") is False
    await loop.checkpoint()
    assert log.names == ["error"]
    assert getattr(log.entries[0][1], "code", None) == "ERR_STREAM_PUSH_AFTER_EOF"


async def test_bytes_like_chunks_are_copied() -> None:
    """The one who pushes may change its buffer at once (H-006)."""
    stream, data = Readable(read=lambda size: None), bytearray(b"abc")
    stream.push(data)
    stream.push(memoryview(data))
    data[:] = b"xyz"
    assert stream.read() == b"abcabc"


TEXT = "café — ☕ 😀 日本語"


@pytest.mark.parametrize(
    "encoding", ["utf8", "utf16le", "UCS-2", "ISO-8859-15", "utf-32"]
)
@pytest.mark.parametrize("size", [1, 2, 3, 5, 100])
async def test_characters_are_whole_at_any_split(encoding: str, size: int) -> None:
    """Characters split across chunks are put together (H-159, N-037)."""
    text = "caf\xe9" if encoding == "ISO-8859-15" else TEXT
    codec = {"utf16le": "utf-16-le", "UCS-2": "utf-16-le"}.get(encoding, encoding)
    data = text.encode(codec)
    stream = Readable(read=lambda _: None).set_encoding(encoding)
    for at in range(0, len(data), size):
        stream.push(data[at : at + size])
    stream.push(None)
    assert "".join([chunk async for chunk in stream]) == text


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [
        ("hex", "68656c6c6f3f3e"),
        ("base64", "aGVsbG8/Pg=="),
        ("base64url", "aGVsbG8_Pg"),
    ],
)
@pytest.mark.parametrize("size", [1, 2, 3, 4, 100])
async def test_hex_and_base64_are_encoded(
    encoding: str, expected: str, size: int
) -> None:
    """Base64 comes in multiples of 3 bytes but for the end (H-007, H-159)."""
    data = b"hello?>"
    stream = Readable(read=lambda _: None, encoding=encoding)
    for at in range(0, len(data), size):
        stream.push(data[at : at + size])
    stream.push(None)
    got = [chunk async for chunk in stream]
    assert "".join(got) == expected
    assert all(isinstance(chunk, str) for chunk in got)


async def test_incomplete_character_at_the_end() -> None:
    """It is delivered as U+FFFD before ``end``; so are bad bytes (H-159)."""
    stream = pushed(b"a\xff", "€".encode()[:2]).set_encoding()
    stream.push(None)
    assert "".join([chunk async for chunk in stream]) == "a\ufffd\ufffd"


async def test_encoding_applies_to_what_is_buffered() -> None:
    """`set_encoding` after the pushes, and after the end, decodes them (H-159)."""
    euro = "€".encode()
    stream = pushed(euro[:1], euro[1:], b"\xe2", None)
    assert stream.set_encoding() is stream
    assert stream.readable_encoding == "utf-8"
    assert stream.readable_length == 2
    assert stream.read() == "€\ufffd"


async def test_read_counts_characters_of_text() -> None:
    """With an encoding, sizes are characters (H-157, H-159)."""
    stream = pushed("äöü".encode()).set_encoding()
    assert stream.read(2) == "äö"
    assert stream.readable_length == 1


async def test_unshift_with_an_encoding() -> None:
    """Bytes and text that are put back are read as text (H-159, H-162)."""
    stream = pushed(b"\xe2").set_encoding()  # the first third of a euro sign
    stream.unshift("ab")
    stream.unshift("c€".encode())
    stream.push(b"\x82\xac")
    assert stream.read() == "c€ab€"


async def test_unknown_encoding_raises() -> None:
    """It raises at once and changes nothing (H-007)."""
    stream = pushed(b"a")
    for name in ("nope", "rot13", "bz2", 7):
        with pytest.raises(UnknownEncodingError) as caught:
            stream.set_encoding(name)  # type: ignore[arg-type]
        assert caught.value.code == "ERR_UNKNOWN_ENCODING"
    assert stream.read() == b"a"


async def test_text_pushed_to_a_stream_with_an_encoding() -> None:
    """Text goes through the bytes it stands for (H-159)."""
    stream = Readable(read=lambda size: None, encoding="hex")
    stream.push("hi")
    assert stream.read() == "6869"


async def test_options_as_mapping_and_keywords() -> None:
    """Keywords win over the mapping; None is not given; unknown names raise (H-002)."""
    options = {"high_water_mark": 5, "encoding": None}
    stream = Readable(options, high_water_mark=7)
    assert stream.readable_high_water_mark == 7
    assert options == {"high_water_mark": 5, "encoding": None}
    with pytest.raises(TypeError, match="highWaterMark"):
        Readable({"highWaterMark": 5})
    with pytest.raises(TypeError, match="write"):
        Readable(write=print)  # type: ignore[call-arg]
    with pytest.raises(InvalidArgTypeError):
        Readable(5)  # type: ignore[arg-type]
    with pytest.raises(InvalidArgTypeError):
        Readable(read=5)  # type: ignore[arg-type]
