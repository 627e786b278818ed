"""What checkers know of options, results and callbacks.

Only checkers read this file; each `type: ignore` marks an error that both must find.
"""

from collections.abc import Callable
from typing import Any, assert_type

from headrace.streams import (
    Duplex,
    PassThrough,
    Readable,
    Transform,
    Writable,
    as_byte_stream,
    as_receive_stream,
    consumers,
    duplex_pair,
    finished,
)


def options() -> None:
    Readable(high_water_mark=5, object_mode=True, read=print, encoding="utf8")
    Readable(high_water_mark="5")  # type: ignore[arg-type]
    Readable(write=print)  # type: ignore[call-arg]
    Writable(writev=print, final=print, decode_strings=False)
    Writable(encoding="utf8")  # type: ignore[call-arg]
    Duplex(allow_half_open=False, readable_object_mode=True)
    Duplex(transform=print)  # type: ignore[call-arg]
    Transform(transform=print, flush=print, high_water_mark=None)
    Readable({"high_water_mark": 5})


def chains(source: Readable, middle: PassThrough, end: Writable) -> None:
    assert_type(source.pipe(middle), PassThrough)
    assert_type(source.pipe(end), Writable)
    assert_type(source.pause().resume(), Readable)
    assert_type(end.end(b"x"), Writable)
    assert_type(end.destroy(), Writable)
    source.pipe(5)  # type: ignore[type-var]


def state(stream: Duplex) -> None:
    assert_type(stream.readable_flowing, bool | None)
    assert_type(stream.writable_length, int)
    assert_type(stream.errored, BaseException | None)
    stream.readable_length = 5  # type: ignore[misc]


def callbacks(stream: Writable) -> None:
    def done(error: Exception | None) -> None:
        assert error is None

    stream.write(b"x", done)
    stream.write("x", "latin1", done)
    stream.end(done)
    stream.end(b"x", callback=done)
    stream.write(b"x", "utf8", 5)  # type: ignore[arg-type]


async def awaiting(stream: Duplex) -> None:
    assert_type(await finished(stream), None)
    assert_type(finished(stream, print), Callable[[], None])
    assert_type(await stream.drain(), None)
    assert_type(await consumers.buffer(stream, limit=None), bytes)
    assert_type(await consumers.text(stream), str)
    assert_type(await stream.to_array(), list[Any])
    assert_type(await as_receive_stream(stream).receive(), bytes)
    await as_byte_stream(stream).send(b"x")
    finished(5)  # type: ignore[call-overload]


def pairs() -> None:
    assert_type(duplex_pair(high_water_mark=5), tuple[Duplex, Duplex])
    duplex_pair(nope=5)  # type: ignore[call-arg]
