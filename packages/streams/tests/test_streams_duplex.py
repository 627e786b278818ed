"""Duplex, Transform, PassThrough: two sides in one (H-165)."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from headrace.events import loop
from headrace.streams import Duplex, PassThrough, Readable, Transform, Writable
from headrace.streams.testing import EventLog

Done = Callable[..., None]


def duplex(**options: Any) -> Duplex:
    hooks = {"read": lambda size: None, "write": lambda *args: args[2]()}
    return Duplex({**hooks, **options})


async def test_duplex_is_both() -> None:
    """It is a Readable and a Writable, whose sides do not touch each other (H-165)."""
    stream = duplex()
    assert isinstance(stream, Readable)
    assert isinstance(stream, Writable)
    stream.write(b"there")
    stream.push(b"back")
    assert stream.read() == b"back"


async def test_close_after_both_sides() -> None:
    """``close`` waits for ``end`` and ``finish`` (H-165)."""
    stream = duplex()
    log = EventLog(stream, "end", "finish", "close")
    stream.resume()
    stream.push(None)
    await loop.checkpoint()
    assert log.names == ["end"]
    assert stream.writable
    stream.end()
    await loop.checkpoint()
    assert log.names == ["end", "finish", "close"]


async def test_finish_first() -> None:
    """The order of the sides does not matter (H-165)."""
    stream = duplex()
    log = EventLog(stream, "end", "finish", "close")
    stream.end()
    await loop.checkpoint()
    assert stream.readable
    stream.push(None)
    stream.resume()
    await loop.checkpoint()
    assert log.names == ["finish", "end", "close"]


@pytest.mark.parametrize("half_open", [True, False])
async def test_allow_half_open(half_open: bool) -> None:
    """With False the end of reading ends writing; with True it does not (N-055)."""
    stream = duplex(allow_half_open=half_open)
    log = EventLog(stream, "finish", "close")
    stream.resume()
    stream.push(None)
    await loop.checkpoint()
    assert stream.writable is half_open
    assert log.names == ([] if half_open else ["finish", "close"])


async def test_half_open_writes_what_waits_first() -> None:
    """The automatic end comes behind the writes before it (N-055)."""
    held: list[Done] = []
    stream = duplex(allow_half_open=False, write=lambda *args: held.append(args[2]))
    stream.write(b"a")
    stream.resume()
    stream.push(None)
    await loop.checkpoint()
    assert stream.writable_ended
    assert not stream.writable_finished
    held[0]()
    await loop.checkpoint()
    assert stream.closed


async def test_options_for_one_side() -> None:
    """Object mode and mark can differ; the common option sets both (H-165)."""
    stream = duplex(readable_object_mode=True, writable_high_water_mark=5)
    assert (stream.readable_object_mode, stream.writable_object_mode) == (True, False)
    assert stream.readable_high_water_mark == 16
    assert stream.writable_high_water_mark == 5
    common = duplex(high_water_mark=7, readable_high_water_mark=9)
    assert common.readable_high_water_mark == common.writable_high_water_mark == 7


async def test_absent_sides() -> None:
    """`readable=False` and `writable=False` leave a side out (H-165)."""
    read_only, write_only = duplex(writable=False), duplex(readable=False)
    assert (read_only.writable, write_only.readable) == (False, False)
    read_only.push(None)
    read_only.resume()
    write_only.end()
    await loop.checkpoint()
    assert read_only.closed
    assert write_only.closed
    assert read_only.errored is write_only.errored is None


class Doubler(Transform):
    def _transform(self, chunk: bytes, encoding: str, callback: Done) -> None:
        self.push(chunk)
        callback(None, chunk)


async def test_transform_gives_what_it_makes() -> None:
    """`push` and the callback's value both are output, in order (H-165)."""
    stream = Doubler()
    stream.write(b"a")
    stream.end(b"b")
    assert b"".join([chunk async for chunk in stream]) == b"aabb"


async def test_transform_order_of_the_end() -> None:
    """Last write, `_flush`, ``finish``, ``end``, ``close`` (N-054)."""
    order: list[str] = []

    def transform(chunk: bytes, encoding: str, callback: Done) -> None:
        order.append("transform")
        callback(None, chunk)

    def flush(callback: Done) -> None:
        order.append("flush")
        callback(None, b"rest")

    stream = Transform(transform=transform, flush=flush)
    stream.on("data", lambda chunk: order.append(chunk.decode()))
    for event in ("prefinish", "finish", "end", "close"):
        stream.custom.on(event, partial(order.append, event))
    stream.end(b"last", lambda error: order.append("callback"))
    await loop.checkpoint()
    assert order == [
        "transform",
        "last",
        "prefinish",
        "flush",
        "rest",
        "callback",
        "finish",
        "end",
        "close",
    ]


async def test_transform_holds_the_writer_back() -> None:
    """When nobody reads, writing stops after the marks are reached (H-161)."""
    stream = PassThrough(high_water_mark=4)
    count = 0
    while stream.write(b"xx"):
        count += 1
        assert count < 10
    await loop.checkpoint()
    assert stream.readable_length >= 4
    assert stream.writable_need_drain
    log = EventLog(stream, "drain")
    assert b"".join([stream.read(2) for _ in range(count + 1)]) == b"xx" * (count + 1)
    await loop.checkpoint()
    assert log.names == ["drain"]


@pytest.mark.parametrize("way", ["callback", "push"])
async def test_transform_that_gives_much(way: str) -> None:
    """A writer waits however the output was given, by value or by `push` (H-161)."""

    def transform(chunk: bytes, encoding: str, callback: Done) -> None:
        if way == "push":
            stream.push(chunk * 10)
            callback()
        else:
            callback(None, chunk * 10)

    stream = Transform(transform=transform, high_water_mark=4)
    for _ in range(100):
        stream.write(b"x")
    await loop.checkpoint()
    assert stream.readable_length == 10
    stream.end()
    assert len(b"".join([chunk async for chunk in stream])) == 1000


async def test_transform_with_a_mark_of_zero() -> None:
    """Without a buffer each chunk waits for its reader, and none is stuck (H-161)."""
    halves = iter([b"", b"a", b"", b"b"])
    stream = Transform(
        high_water_mark=0,
        transform=lambda chunk, encoding, callback: callback(None, next(halves)),
    )
    for _ in range(4):
        stream.write(b"x")
    stream.end()
    assert b"".join([chunk async for chunk in stream]) == b"ab"


async def test_transform_that_gives_nothing() -> None:
    """A chunk without output does not stop the next one (H-165)."""
    stream = Transform(transform=lambda *args: args[2](), high_water_mark=1)
    for _ in range(5):
        stream.write(b"x")
    stream.end()
    assert [chunk async for chunk in stream] == []
    assert stream.writable_finished


async def test_finish_waits_for_the_reader_of_a_full_transform() -> None:
    """The last write is done when its output has room; then ``finish`` (N-054)."""
    stream = PassThrough(high_water_mark=1)
    log = EventLog(stream, "finish", "end")
    stream.end(b"abc")
    await loop.checkpoint()
    assert log.names == []
    assert stream.read() == b"abc"
    assert stream.read() is None
    await loop.checkpoint()
    assert log.names == ["finish", "end"]


@pytest.mark.parametrize("hook", ["transform", "flush"])
@pytest.mark.parametrize("how", ["callback", "raise"])
async def test_errors_of_the_hooks(hook: str, how: str) -> None:
    """They fail the stream once; neither ``finish`` nor ``end`` come (H-164)."""
    error = ZeroDivisionError()

    def fail(*args: Any) -> None:
        if how == "raise":
            raise error
        args[-1](error)

    hooks: dict[str, Any] = {"transform": lambda *args: args[2](None, args[0])}
    stream = Transform({**hooks, hook: fail})
    log = EventLog(stream, "finish", "end", "error", "close")
    stream.resume()
    stream.end(b"x")
    await loop.checkpoint()
    assert log.entries == [("error", error), ("close",)]


async def test_object_mode_transform() -> None:
    """Bytes in, objects out (H-161)."""
    stream = Transform(
        readable_object_mode=True,
        transform=lambda chunk, encoding, callback: callback(None, len(chunk)),
    )
    stream.write(b"abc")
    stream.end(b"")
    assert [chunk async for chunk in stream] == [3, 0]


async def test_super_write_with_a_callback_of_its_own() -> None:
    """A subclass may wrap the callback of `_write` (H-162)."""
    seen: list[str] = []

    class Wrapped(PassThrough):
        def _write(self, chunk: bytes, encoding: str, callback: Done) -> None:
            def done(error: Exception | None = None) -> None:
                seen.append("done")
                callback(error)

            super()._write(chunk, encoding, done)

    stream = Wrapped()
    stream.end(b"x")
    stream.resume()
    await loop.checkpoint()
    assert seen == ["done"]
    assert stream.closed


async def test_subclass_attributes_and_constructors() -> None:
    """Users' classes have attributes; even plain streams take them (DESIGN 8)."""
    stream = PassThrough()
    stream.custom_name = "x"  # type: ignore[attr-defined]

    class Mine(Duplex):
        def __init__(self, name: str) -> None:
            super().__init__(allow_half_open=False)
            self.name = name

    assert Mine("a").name == "a"
    assert not Mine("a").allow_half_open
