"""`async for` and `Readable.from_` (X-112, X-113)."""

import gc
from collections.abc import AsyncIterator, Iterator
from typing import Any

import anyio
import pytest

from headrace.events import loop
from headrace.streams import (
    InvalidArgTypeError,
    NullValuesError,
    PassThrough,
    PrematureCloseError,
    Readable,
)
from headrace.streams.testing import EventLog, closed


def source(*chunks: bytes | None, **options: Any) -> Readable:
    stream = Readable({"read": lambda size: None, **options})
    for chunk in chunks:
        stream.push(chunk)
    return stream


async def test_loop_ends_at_end() -> None:
    """The loop gives all chunks and stops; the stream has ended (N-058)."""
    stream = source(b"a", object_mode=True)
    got: list[bytes] = []
    async for chunk in stream:
        got.append(chunk)
        if len(got) == 1:
            stream.push(b"b")
            stream.push(None)
    assert got == [b"a", b"b"]
    assert stream.readable_ended
    assert stream.event_names() == []


async def test_loop_raises_the_error() -> None:
    """The error of the stream comes out of the loop, once (N-058)."""
    stream, error = source(b"a"), OSError("no")
    iterator = aiter(stream)
    assert await anext(iterator) == b"a"
    stream.destroy(error)
    with pytest.raises(OSError, match="no") as caught:
        await anext(iterator)
    assert caught.value is error
    with pytest.raises(StopAsyncIteration):
        await anext(iterator)
    assert stream.event_names() == []


async def test_destroy_without_error_is_a_premature_close() -> None:
    """A stream that closes before its end must not look complete (N-058)."""
    stream = source(b"a")
    iterator = aiter(stream)
    await anext(iterator)
    stream.destroy()
    with pytest.raises(PrematureCloseError):
        await anext(iterator)


@pytest.mark.parametrize("way", ["break", "raise", "return"])
async def test_leaving_early_destroys_at_once(way: str) -> None:
    """`break`, an exception or `return` destroys the stream there and then (N-058)."""
    stream = source(b"a")

    async def leave() -> None:
        async for _ in stream:
            if way == "raise":
                raise ZeroDivisionError
            if way == "return":
                return
            break

    if way == "raise":
        with pytest.raises(ZeroDivisionError):
            await leave()
        gc.collect()  # the traceback has kept the frame
    else:
        await leave()
    assert stream.destroyed
    assert stream.event_names() == []
    await loop.checkpoint()


async def test_leaving_without_destroying() -> None:
    """`iterator(destroy_on_return=False)` leaves the stream open (X-112)."""
    stream = source(b"a")
    async for _ in stream.iterator(destroy_on_return=False):
        break
    assert not stream.destroyed
    stream.push(b"b")
    stream.push(None)
    assert [chunk async for chunk in stream] == [b"b"]


async def test_one_step_waits_and_then_lets_go() -> None:
    """`anext(aiter(stream))` gives the next chunk, then it is a loop left early.

    Python does not tell the two apart; an iterator that does not destroy takes one
    chunk and leaves the rest to others (X-112).
    """
    stream = source()
    loop.call_soon(stream.push, b"late")
    assert await anext(aiter(stream)) == b"late"
    assert stream.destroyed
    stream = source(b"a", object_mode=True)
    stream.push(b"b")
    for chunk in (b"a", b"b"):
        assert await anext(stream.iterator(destroy_on_return=False)) == chunk
    assert not stream.destroyed
    assert stream.event_names() == []


async def test_cancelling_destroys() -> None:
    """A cancelled loop destroys the stream and leaves no listener (DESIGN 3)."""
    stream = source()
    with anyio.move_on_after(0):
        async for _ in stream:
            raise AssertionError("there is nothing to give")
    assert stream.destroyed
    assert stream.event_names() == []
    await loop.checkpoint()


async def test_aclose() -> None:
    """Closing an iterator by hand destroys, unless the stream has ended (X-112)."""
    early, done = source(b"a"), source(None)
    iterator = early.iterator()
    await anext(iterator)
    await iterator.aclose()
    assert early.destroyed
    with pytest.raises(StopAsyncIteration):
        await anext(iterator)
    iterator = done.iterator()
    assert [chunk async for chunk in iterator] == []
    await iterator.aclose()
    assert done.errored is None
    await loop.checkpoint()


async def test_an_iterator_that_was_not_begun_changes_nothing() -> None:
    """Making one and dropping it leaves the stream as it was (X-112)."""
    stream = source(b"a")
    stream.iterator()
    gc.collect()
    assert stream.readable_flowing is None
    assert not stream.destroyed


async def test_past_events_count() -> None:
    """A stream that ended, failed or closed before the loop is told (DESIGN 3)."""
    ended, failed, closed = source(None), source(), source()
    error = OSError("no")
    failed.on("error", lambda error: None)
    ended.resume()
    failed.destroy(error)
    closed.destroy()
    await loop.checkpoint()
    assert [chunk async for chunk in ended] == []
    with pytest.raises(OSError, match="no"):
        await anext(aiter(failed))
    with pytest.raises(PrematureCloseError):
        await anext(aiter(closed))


async def test_iterating_a_paused_stream() -> None:
    """A paused stream can be iterated; it is paused afterwards (N-032)."""
    stream = source(b"a", b"b", None)
    stream.pause()
    assert b"".join([chunk async for chunk in stream]) == b"ab"


async def test_two_steps_at_once() -> None:
    """Two tasks that wait for the next chunk both go on (X-112)."""
    stream = source(object_mode=True)
    iterator, got = aiter(stream), list[bytes]()

    async def step() -> None:
        got.append(await anext(iterator))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(step)
        tasks.start_soon(step)
        await anyio.wait_all_tasks_blocked()
        stream.push(b"a")
        await anyio.wait_all_tasks_blocked()
        stream.push(b"b")
    assert got == [b"a", b"b"]
    stream.destroy()


async def test_error_in_the_middle_of_a_pipe_reaches_the_loop() -> None:
    """What destroys a transform is raised by the loop over it (N-058)."""
    stream = source(b"a").pipe(PassThrough())
    iterator = aiter(stream)
    await anext(iterator)
    stream.destroy(OSError("no"))
    with pytest.raises(OSError, match="no"):
        await anext(iterator)


# Readable.from_


async def test_from_iterables() -> None:
    """Plain and async iterables give their items, one chunk each (X-113)."""

    def plain() -> Iterator[object]:
        yield b"a"
        yield {"b": 1}

    async def later() -> AsyncIterator[object]:
        for item in plain():
            await loop.checkpoint()
            yield item

    for iterable in ([b"a", {"b": 1}], plain(), later()):
        stream = Readable.from_(iterable)
        assert stream.readable_object_mode
        assert [item async for item in stream] == [b"a", {"b": 1}]


@pytest.mark.parametrize("whole", ["text", b"bytes", bytearray(b"more")])
async def test_from_text_and_bytes(whole: Any) -> None:
    """Text and bytes are one chunk, not one for each character (X-113)."""
    assert [chunk async for chunk in Readable.from_(whole)] == [whole]


async def test_from_in_byte_mode() -> None:
    """Options reach the stream; in byte mode text is encoded (X-113)."""
    stream = Readable.from_(["a", "é"], object_mode=False)
    assert b"".join([chunk async for chunk in stream]) == "aé".encode()


async def test_from_is_not_ahead_of_its_reader() -> None:
    """What nobody asks for is not made (X-113)."""
    made: list[int] = []

    def numbers() -> Iterator[int]:
        for number in range(100):
            made.append(number)
            yield number

    stream = Readable.from_(numbers())
    assert made == []
    async for number in stream:
        if number == 2:
            break
    assert len(made) <= 5
    await loop.checkpoint()


async def test_from_raises_what_the_iterator_raises() -> None:
    """An exception in the iterator is the error of the stream (X-113)."""

    def plain() -> Iterator[bytes]:
        yield b"a"
        raise ZeroDivisionError

    async def later() -> AsyncIterator[bytes]:
        yield b"a"
        raise ZeroDivisionError

    for iterable in (plain(), later()):
        iterator = aiter(Readable.from_(iterable))
        assert await anext(iterator) == b"a"
        with pytest.raises(ZeroDivisionError):
            await anext(iterator)


async def test_from_refuses_none() -> None:
    """None would be the end; it is an error instead (X-113)."""

    async def later() -> AsyncIterator[None]:
        yield None

    for iterable in ([None], later()):
        with pytest.raises(NullValuesError):
            await anext(aiter(Readable.from_(iterable)))


async def test_from_what_is_no_iterable() -> None:
    """It raises at once (H-011)."""
    with pytest.raises(InvalidArgTypeError):
        Readable.from_(5)  # type: ignore[arg-type]


async def test_destroying_closes_the_iterator() -> None:
    """Generators run their `finally` when the stream is destroyed (X-113)."""
    steps: list[str] = []

    def plain() -> Iterator[bytes]:
        try:
            while True:
                yield b"a"
        finally:
            steps.append("plain")

    async def later() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"a"
        finally:
            await loop.checkpoint()
            steps.append("later")

    for iterable in (plain(), later()):
        stream = Readable.from_(iterable)
        async for _ in stream:
            break
        log = EventLog(stream, "close")
        while not log.names:
            await loop.checkpoint()
    assert steps == ["plain", "later"]


async def test_generator_that_fails_while_it_is_closed() -> None:
    """Its exception is the error of the stream, once, unless that has one (X-113)."""

    async def generate() -> AsyncIterator[bytes]:
        try:
            yield b"a"
            yield b"b"
        finally:
            raise KeyError("on closing")

    for reason in (None, OSError("reason")):
        stream = Readable.from_(generate())
        log = EventLog(stream, "end", "error", "close")
        await anext(stream.iterator(destroy_on_return=False))
        stream.destroy(reason)
        await closed(stream)
        assert log.names == ["error", "close"]
        assert isinstance(stream.errored, KeyError if reason is None else OSError)


async def test_generator_is_left_in_the_task_it_was_entered_in() -> None:
    """A cancel scope held open over a `yield` is closed by the same task (X-113)."""

    async def careful() -> AsyncIterator[bytes]:
        with anyio.CancelScope():
            async with anyio.create_task_group():
                yield b"a"
                yield b"b"

    stream = Readable.from_(careful())
    async for _ in stream:
        break
    while not stream.closed:
        await loop.checkpoint()
    assert stream.errored is None


async def test_destroying_interrupts_a_waiting_generator() -> None:
    """One that waits for something is cancelled; then comes ``close`` (X-113)."""
    steps: list[str] = []

    async def stuck() -> AsyncIterator[bytes]:
        try:
            await anyio.sleep_forever()
            yield b"never"
        finally:
            steps.append("left")

    stream = Readable.from_(stuck())
    log = EventLog(stream, "end", "error", "close")
    stream.resume()
    await anyio.wait_all_tasks_blocked()
    stream.destroy()
    while not stream.closed:
        await loop.checkpoint()
    assert steps == ["left"]
    assert log.names == ["close"]


async def test_generator_that_destroys_its_own_stream() -> None:
    """It is not closed while it runs (pitfall 27)."""

    def plain() -> Iterator[bytes]:
        yield b"a"
        stream.destroy()
        yield b"b"

    stream = Readable.from_(plain())
    log = EventLog(stream, "data", "end", "close")
    await loop.checkpoint()
    assert log.entries == [("data", b"a"), ("close",)]


async def test_never_read_generator_is_closed() -> None:
    """A stream that is destroyed before anybody reads closes its iterator (X-113)."""

    async def later() -> AsyncIterator[bytes]:
        yield b"a"

    generator = later()
    stream = Readable.from_(generator)
    stream.destroy()
    while not stream.closed:
        await loop.checkpoint()
    with pytest.raises(StopAsyncIteration):
        await anext(generator)
