"""Writing: order, callbacks, `drain`, `cork`, the end (H-163)."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from headrace.events import loop
from headrace.streams import (
    InvalidArgTypeError,
    InvalidArgValueError,
    NullValuesError,
    UnknownEncodingError,
    Writable,
)
from headrace.streams.testing import EventLog

Done = Callable[..., None]


def code_of(error: Exception | None) -> object:
    return getattr(error, "code", None)


class Slow(Writable):
    """Keeps each write until `go_on` is called."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.got: list[Any] = []
        self.waiting: list[Done] = []

    def _write(self, chunk: Any, encoding: str, callback: Done) -> None:
        self.got.append(chunk)
        self.waiting.append(callback)

    def go_on(self, error: BaseException | None = None) -> None:
        self.waiting.pop(0)(error)


class Batches(Slow):
    def _writev(self, chunks: list[tuple[Any, str]], callback: Done) -> None:
        self.got.append(chunks)
        self.waiting.append(callback)


class Quick(Writable):
    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.got: list[Any] = []

    def _write(self, chunk: Any, encoding: str, callback: Done) -> None:
        self.got.append((chunk, encoding))
        callback()


async def test_write_gives_false_at_the_mark() -> None:
    """False when `writable_length` has reached the mark; accepted all the same."""
    stream = Slow(high_water_mark=3)
    assert stream.write(b"ab") is True
    assert stream.write(b"c") is False
    assert (stream.writable_length, stream.writable_need_drain) == (3, True)
    stream.go_on()
    stream.go_on()
    assert stream.got == [b"ab", b"c"]


async def test_one_write_at_a_time() -> None:
    """Chunks are written in order, one `_write` at a time (H-163)."""
    stream = Slow()
    for chunk in (b"a", b"b", b"c"):
        stream.write(chunk)
    assert stream.got == [b"a"]
    stream.go_on()
    assert stream.got == [b"a", b"b"]
    assert stream.writable_length == 2


async def test_false_and_drain_even_if_written_at_once() -> None:
    """What counts is the length when `write` was called, as in Node (H-163)."""
    stream = Quick(high_water_mark=2)
    log = EventLog(stream, "drain")
    assert stream.write(b"ab") is False
    assert stream.writable_length == 0
    assert log.names == []
    await loop.checkpoint()
    assert log.names == ["drain"]


async def test_drain_comes_once_when_all_is_flushed() -> None:
    """``drain`` after a False, not before the buffer is empty, and once (H-163)."""
    stream = Slow(high_water_mark=2)
    log = EventLog(stream, "drain")
    stream.write(b"ab")
    stream.write(b"cd")
    stream.go_on()
    await loop.checkpoint()
    assert log.names == []
    stream.go_on()
    await loop.checkpoint()
    assert log.names == ["drain"]


async def test_no_drain_without_a_false() -> None:
    """A stream that never was full does not drain (H-163)."""
    stream = Slow(high_water_mark=10)
    log = EventLog(stream, "drain")
    stream.write(b"ab")
    stream.go_on()
    await loop.checkpoint()
    assert log.names == []


@pytest.mark.parametrize("how", ["end", "destroy"])
async def test_no_drain_when_ended_or_destroyed(how: str) -> None:
    """``drain`` does not come if the stream was ended or destroyed (H-163)."""
    stream = Slow(high_water_mark=1)
    log = EventLog(stream, "drain")
    stream.write(b"ab")
    if how == "end":
        stream.end()
        stream.go_on()
    else:
        stream.destroy()
    assert not stream.writable_need_drain
    await loop.checkpoint()
    assert log.names == []


@pytest.mark.parametrize("count", [1, 7, 50])
@pytest.mark.parametrize("kind", [Quick, Slow])
async def test_all_sizes_in_order(count: int, kind: type[Writable]) -> None:
    """Chunks of 1 to 50 bytes, callbacks in order, ``finish`` last (N-047)."""
    stream, order = kind(high_water_mark=16), list[Any]()
    stream.on("finish", partial(order.append, "finish"))
    for number in range(count):
        stream.write(b"x" * (number + 1), lambda _, number=number: order.append(number))  # type: ignore[misc]
    stream.end()
    if isinstance(stream, Slow):
        while stream.waiting:
            stream.go_on()
    await loop.checkpoint()
    assert order == [*range(count), "finish"]


async def test_callbacks_come_before_drain() -> None:
    """A chunk's callback runs before the ``drain`` it makes possible (H-163)."""
    for stream in (Quick(high_water_mark=1), Slow(high_water_mark=1)):
        order: list[str] = []
        stream.on("drain", partial(order.append, "drain"))
        stream.write(b"a", lambda error, order=order: order.append("callback"))  # type: ignore[misc]
        assert order == []
        if isinstance(stream, Slow):
            stream.go_on()
        await loop.checkpoint()
        assert order == ["callback", "drain"]


async def test_callback_in_the_place_of_the_encoding() -> None:
    """`write(chunk, callback)` and `end(callback)` are understood (H-003, H-056)."""
    stream, told = Quick(), list[Any]()
    stream.write(b"a", told.append)
    stream.end(told.append)
    await loop.checkpoint()
    assert told == [None, None]
    with pytest.raises(InvalidArgTypeError) as caught:
        Quick().write(b"a", None, 5)  # type: ignore[arg-type]
    assert caught.value.code == "ERR_INVALID_ARG_TYPE"
    with pytest.raises(InvalidArgTypeError):
        Quick().end(None, None, 5)  # type: ignore[arg-type]


async def test_end_with_data() -> None:
    """`end(data, encoding, callback)` writes, then ends (H-163)."""
    stream, told = Quick(), list[Any]()
    assert stream.end("6869", "hex", told.append) is stream
    await loop.checkpoint()
    assert stream.got == [(b"hi", "buffer")]
    assert told == [None]


async def test_order_of_the_end() -> None:
    """``prefinish``, `_final`, callback, ``finish``, ``close`` (H-163).

    Node calls `_final` before ``prefinish``; the contract has it the other way.
    """
    order: list[str] = []

    def final(callback: Done) -> None:
        order.append("_final")
        callback()

    stream = Writable(write=lambda chunk, encoding, callback: callback(), final=final)
    for event in ("prefinish", "finish", "close"):
        stream.custom.on(event, partial(order.append, event))
    stream.end(b"x", lambda error: order.append("callback"))
    assert order == []
    await loop.checkpoint()
    assert order == ["prefinish", "_final", "callback", "finish", "close"]


async def test_final_runs_after_the_last_write() -> None:
    """`_final` waits for what is in flight (N-050)."""
    called: list[Done] = []
    stream = Slow(final=called.append)
    log = EventLog(stream, "finish")
    stream.end(b"x")
    await loop.checkpoint()
    assert called == []
    stream.go_on()
    await loop.checkpoint()
    assert len(called) == 1
    assert log.names == []
    called[0]()
    await loop.checkpoint()
    assert log.names == ["finish"]


async def test_error_of_final() -> None:
    """It goes to the callback of `end()` and to ``error``; no ``finish`` (N-050)."""
    error, told = OSError("no"), list[Any]()
    stream = Quick(final=lambda callback: callback(error))
    log = EventLog(stream, "error", "finish", "close")
    stream.end(told.append)
    await loop.checkpoint()
    assert log.entries == [("error", error), ("close",)]
    assert told == [error]


async def test_ended_and_finished() -> None:
    """`writable_ended` at `end()`, `writable_finished` only with ``finish`` (N-052)."""
    stream, seen = Slow(), list[bool]()
    stream.on("prefinish", lambda: seen.append(stream.writable_finished))
    stream.on("finish", lambda: seen.append(stream.writable_finished))
    assert (stream.writable, stream.writable_ended) == (True, False)
    stream.end(b"x")
    assert (stream.writable, stream.writable_ended) == (False, True)
    assert not stream.writable_finished
    stream.go_on()
    await loop.checkpoint()
    assert seen == [False, True]


async def test_second_end() -> None:
    """Without data it is ignored; its callback hears of ``finish`` (H-056)."""
    stream, told = Slow(), list[Any]()
    stream.end(b"x")
    assert stream.end(told.append) is stream
    stream.go_on()
    await loop.checkpoint()
    assert told == [None]
    stream.end(told.append)
    await loop.checkpoint()
    assert told[1].code == "ERR_STREAM_ALREADY_FINISHED"


async def test_second_end_with_data() -> None:
    """It is a write after end, for the callback and as ``error`` (H-056)."""
    stream, codes = Slow(), list[Any]()
    stream.on("error", lambda error: codes.append(code_of(error)))
    stream.end(b"x")
    stream.end(b"y", lambda error: codes.append(code_of(error)))
    assert codes == []
    await loop.checkpoint()
    assert codes == ["ERR_STREAM_WRITE_AFTER_END"] * 2


async def test_write_after_end() -> None:
    """False, then callback and ``error`` ERR_STREAM_WRITE_AFTER_END (H-054)."""
    stream, codes = Slow(), list[Any]()
    stream.on("error", lambda error: codes.append(code_of(error)))
    stream.end()
    assert stream.write(b"x", lambda error: codes.append(code_of(error))) is False
    assert codes == []
    await loop.checkpoint()
    assert codes == ["ERR_STREAM_WRITE_AFTER_END"] * 2
    assert stream.got == []


async def test_cork_holds_until_the_last_uncork() -> None:
    """Corks are counted; too many `uncork()` do no harm (N-048)."""
    stream = Quick()
    stream.cork()
    stream.cork()
    assert stream.writable_corked == 2
    assert stream.write(b"a") is True
    stream.write(b"b")
    stream.uncork()
    assert stream.got == []
    stream.uncork()
    assert [chunk for chunk, _ in stream.got] == [b"a", b"b"]
    stream.uncork()
    assert stream.writable_corked == 0


async def test_end_uncorks() -> None:
    """`end()` lets go of what was corked, however deep (N-048)."""
    stream = Quick()
    stream.cork()
    stream.cork()
    stream.write(b"a")
    stream.end(b"b")
    await loop.checkpoint()
    assert [chunk for chunk, _ in stream.got] == [b"a", b"b"]
    assert stream.writable_finished


async def test_corked_chunks_reach_writev_as_one() -> None:
    """`_writev` gets a list with the encodings kept; callbacks in order (N-049)."""
    stream, told = Batches(decode_strings=False), list[Any]()
    stream.cork()
    for chunk, encoding in (("a", "latin1"), (b"b", None), ("63", "hex")):
        stream.write(chunk, encoding, partial(told.append))
    stream.uncork()
    assert stream.got == [[("a", "latin1"), (b"b", "buffer"), ("63", "hex")]]
    assert stream.writable_length == 4
    stream.go_on()
    await loop.checkpoint()
    assert told == [None, None, None]
    assert stream.writable_length == 0


async def test_chunks_that_waited_are_written_together() -> None:
    """Behind a slow write the others gather for `_writev` (N-049)."""
    stream = Batches()
    for chunk in (b"a", b"b", b"c"):
        stream.write(chunk)
    stream.go_on()
    assert stream.got == [b"a", [(b"b", "buffer"), (b"c", "buffer")]]


async def test_writev_as_an_option() -> None:
    """`writev=` works like the method (H-162)."""
    batches: list[Any] = []

    def writev(chunks: list[Any], callback: Done) -> None:
        batches.append(chunks)
        callback()

    stream = Writable(write=lambda *_: None, writev=writev)
    stream.cork()
    stream.write(b"a")
    stream.write(b"b")
    stream.uncork()
    assert batches == [[(b"a", "buffer"), (b"b", "buffer")]]


async def test_text_is_encoded() -> None:
    """Text becomes bytes, UTF-8 unless told otherwise (H-006, H-007)."""
    stream = Quick()
    stream.write("é")
    stream.write("é", "LATIN1")
    stream.set_default_encoding("hex")
    stream.write("6869zz")
    assert [chunk for chunk, _ in stream.got] == [b"\xc3\xa9", b"\xe9", b"hi"]
    assert {encoding for _, encoding in stream.got} == {"buffer"}


async def test_bytes_like_chunks_are_copied() -> None:
    """The caller may change its buffer at once (H-006)."""
    stream, data = Slow(), bytearray(b"ab")
    stream.write(b"first")
    stream.write(data)
    stream.write(memoryview(data))
    data[:] = b"xy"
    stream.go_on()
    stream.go_on()
    assert stream.got == [b"first", b"ab", b"ab"]
    assert stream.writable_length == 2


@pytest.mark.parametrize("wrong", [1, 1.5, {}, [], object()])
async def test_wrong_chunks_raise(wrong: Any) -> None:
    """They raise at once, and the stream goes on (H-006)."""
    stream = Quick()
    with pytest.raises(InvalidArgTypeError) as caught:
        stream.write(wrong)
    assert caught.value.code == "ERR_INVALID_ARG_TYPE"
    with pytest.raises(InvalidArgTypeError):
        stream.end(wrong)
    stream.end(b"a")
    await loop.checkpoint()
    assert stream.writable_finished


@pytest.mark.parametrize("object_mode", [False, True])
async def test_none_cannot_be_written(object_mode: bool) -> None:
    """`write(None)` raises ERR_STREAM_NULL_VALUES, in object mode, too (N-051)."""
    stream = Quick(object_mode=object_mode)
    with pytest.raises(NullValuesError) as caught:
        stream.write(None)
    assert caught.value.code == "ERR_STREAM_NULL_VALUES"
    assert not stream.destroyed


async def test_wrong_encodings_raise() -> None:
    """An unknown name, or text it cannot express, raises at once (H-007)."""
    stream = Quick()
    with pytest.raises(UnknownEncodingError):
        stream.write("a", "nope")
    with pytest.raises(UnknownEncodingError):
        stream.set_default_encoding("nope")
    with pytest.raises(InvalidArgValueError) as caught:
        stream.write("€", "latin1")
    assert caught.value.code == "ERR_INVALID_ARG_VALUE"
    assert stream.got == []


async def test_object_mode() -> None:
    """Any object but None, each counting 1; the mark is 16 (H-161)."""
    stream = Slow(object_mode=True)
    assert stream.writable_object_mode
    for number in range(15):
        assert stream.write({"number": number}) is True
    assert stream.write("text") is False
    assert stream.writable_length == 16
    stream.end(())
    while stream.waiting:
        stream.go_on()
    assert stream.got[15:] == ["text", ()]


async def test_empty_chunks_are_written() -> None:
    """An empty chunk has its turn and its callback (H-163)."""
    stream, told = Quick(), list[Any]()
    stream.write(b"", told.append)
    stream.end()
    await loop.checkpoint()
    assert told == [None]
    assert stream.writable_finished


async def test_writing_from_inside_a_callback() -> None:
    """What a callback writes comes behind what waits (pitfall 27)."""
    stream = Slow()
    stream.write(b"a", lambda error: stream.write(b"c"))
    stream.write(b"b")
    stream.go_on()
    await loop.checkpoint()
    stream.go_on()
    stream.go_on()
    assert stream.got == [b"a", b"b", b"c"]


async def test_writing_after_the_callback_inside_write() -> None:
    """A `_write` that goes on writing itself does not overtake the queue (H-163)."""
    order: list[bytes] = []

    def write(chunk: bytes, encoding: str, callback: Done) -> None:
        order.append(chunk)
        callback()
        if chunk == b"a":
            stream.write(b"c")

    stream = Writable(write=write)
    stream.cork()
    stream.write(b"a")
    stream.write(b"b")
    stream.uncork()
    assert order == [b"a", b"b", b"c"]


async def test_end_inside_drain_and_callbacks() -> None:
    """Ending from a callback finishes once (pitfall 27)."""
    stream = Quick(high_water_mark=1)
    log = EventLog(stream, "drain", "finish", "close")
    stream.write(b"a", lambda error: stream.end())
    await loop.checkpoint()
    assert log.names == ["finish", "close"]


async def test_drain_waits_and_returns() -> None:
    """`await drain()` returns when writing may go on, or at once (DESIGN 3)."""
    stream = Slow(high_water_mark=1)
    await stream.drain()
    stream.write(b"a")
    stream.loop().call_soon(stream.go_on)
    await stream.drain()
    assert not stream.writable_need_drain
    assert stream.event_names() == []
