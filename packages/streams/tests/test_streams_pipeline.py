"""`pipeline`: one end, one error, nothing left (X-110)."""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import anyio
import pytest

from headrace.events import loop
from headrace.streams import (
    Duplex,
    InvalidArgTypeError,
    MissingArgsError,
    PassThrough,
    PrematureCloseError,
    Readable,
    Stream,
    StreamDestroyedError,
    Transform,
    Writable,
    WriteAfterEndError,
    duplex_pair,
    pipeline,
)

Done = Callable[..., None]


def source(*chunks: bytes | None) -> Readable:
    stream = Readable(read=lambda size: None)
    for chunk in chunks:
        stream.push(chunk)
    return stream


class Sink(Writable):
    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.got: list[Any] = []

    def _write(self, chunk: Any, encoding: str, callback: Done) -> None:
        self.got.append(chunk)
        callback()


def upper() -> Transform:
    return Transform(transform=lambda *args: args[2](None, args[0].upper()))


def listeners(*streams: Stream) -> int:
    return sum(
        stream.listener_count(name)
        for stream in streams
        for name in stream.event_names()
    )


async def test_streams_are_joined() -> None:
    """All data pass and the last stream ends (N-057)."""
    origin, middle, sink = source(b"a", b"b", None), upper(), Sink()
    assert await pipeline(origin, middle, sink) is None
    assert sink.got == [b"A", b"B"]
    assert sink.writable_finished
    await loop.checkpoint()
    assert listeners(origin, middle, sink) == 0


async def test_callback_form() -> None:
    """It returns the last stream and calls back once, later (X-110)."""
    sink, told = Sink(), list[Any]()
    assert pipeline(source(b"a", None), sink, told.append) is sink
    assert (
        pipeline([source(b"b", None), sink2 := Sink()], callback=told.append) is sink2
    )
    assert told == []
    await loop.checkpoint()
    assert told == [None, None]


@pytest.mark.parametrize("failing", [0, 1, 2])
async def test_one_failure_destroys_all(failing: int) -> None:
    """The first error is told once and destroys every stream (N-057)."""
    stages: list[Any] = [source(b"a"), PassThrough(), Sink()]
    told: list[Any] = []
    pipeline(*stages, told.append)
    await loop.checkpoint()
    error = OSError("no")
    stages[failing].destroy(error)
    await loop.checkpoint()
    assert told == [error]
    assert all(stage.closed for stage in stages)
    assert listeners(*stages) == 0


@pytest.mark.parametrize("closing", [0, 1, 2])
async def test_premature_close_is_an_error(closing: int) -> None:
    """A stream that closes before its end fails the whole (N-057)."""
    stages: list[Any] = [source(b"a"), PassThrough(), Sink()]
    told: list[Any] = []
    pipeline(*stages, told.append)
    await loop.checkpoint()
    stages[closing].destroy()
    await loop.checkpoint()
    assert [type(error) for error in told] == [PrematureCloseError]
    assert all(stage.closed for stage in stages)


async def test_await_raises_the_error() -> None:
    """The error itself, not a wrapper (X-110)."""
    error = OSError("no")
    origin = Readable(read=lambda size: origin.destroy(error))
    with pytest.raises(OSError, match="no") as caught:
        await pipeline(origin, Sink())
    assert caught.value is error


async def test_iterables_as_source() -> None:
    """Lists, generators and async generators, also as functions (N-057)."""

    def plain() -> Iterator[bytes]:
        yield b"a"
        yield b"b"

    async def later() -> AsyncIterator[bytes]:
        for chunk in plain():
            await loop.checkpoint()
            yield chunk

    for stage in ([b"a", b"b"], plain(), plain, later(), later):
        sink = Sink()
        await pipeline(stage, sink)
        assert b"".join(sink.got) == b"ab"


async def test_async_generators_as_stages() -> None:
    """In any place; a coroutine function in the last gives the result (N-057)."""

    async def doubled(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for chunk in chunks:
            yield chunk * 2

    async def collect(chunks: AsyncIterator[bytes]) -> bytes:
        return b"".join([chunk async for chunk in chunks])

    assert await pipeline([b"ab"], doubled, upper(), doubled, collect) == b"AB" * 4
    sink = Sink()
    await pipeline(source(b"x", None), doubled, sink)
    assert sink.got == [b"xx"]


async def test_async_generator_as_the_last_stage() -> None:
    """It is run to its end (N-057)."""
    seen: list[bytes] = []

    async def last(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        seen.extend([chunk async for chunk in chunks])
        yield b"nobody reads this"

    await pipeline([b"a", b"b"], last)
    assert b"".join(seen) == b"ab"


@pytest.mark.parametrize("place", ["source", "middle", "last"])
async def test_exceptions_of_functions(place: str) -> None:
    """What a function raises fails the whole (N-057)."""

    async def failing(*args: Any) -> AsyncIterator[bytes]:
        yield b"x"
        raise ZeroDivisionError

    async def failing_last(chunks: AsyncIterator[bytes]) -> None:
        async for _ in chunks:
            raise ZeroDivisionError

    origin, sink = source(b"a"), Sink()
    stages: dict[str, list[Any]] = {
        "source": [failing, sink],
        "middle": [origin, failing, sink],
        "last": [origin, failing_last],
    }
    with pytest.raises(ZeroDivisionError):
        await pipeline(*stages[place])
    assert all(one.destroyed for one in stages[place] if isinstance(one, Stream))
    await loop.checkpoint()


async def test_generator_clean_up_runs_on_failure() -> None:
    """A generator's `finally` has run when all has closed (N-057)."""
    steps: list[str] = []

    async def careful(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        try:
            async for chunk in chunks:
                yield chunk
        finally:
            await loop.checkpoint()
            steps.append("cleaned")

    sink = Writable(write=lambda *args: args[2](OSError("no")))
    with pytest.raises(OSError, match="no"):
        await pipeline([b"a"] * 100, careful, sink)
    for _ in range(5):
        await loop.checkpoint()
    assert steps == ["cleaned"]


async def test_function_that_stops_early() -> None:
    """Returning before the source has ended destroys what stands before (X-110)."""
    origin, middle = source(b"a", b"b"), PassThrough()

    async def first(chunks: AsyncIterator[bytes]) -> bytes:
        async for chunk in chunks:
            return chunk[:1]
        return b""

    assert await pipeline(origin, middle, first) == b"a"
    await loop.checkpoint()
    assert origin.closed
    assert middle.closed
    assert listeners(origin, middle) == 0


async def test_generator_that_stops_early() -> None:
    """A middle function may take a part; the rest of the pipeline ends well (X-110)."""
    origin, sink = source(b"abc"), Sink()

    async def take_one(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for chunk in chunks:
            yield chunk[:1]
            break

    await pipeline(origin, take_one, sink)
    assert sink.got == [b"a"]
    assert sink.writable_finished
    assert origin.destroyed
    await loop.checkpoint()


async def test_without_ending_the_last() -> None:
    """With `end=False` it is over when the source has ended (X-110)."""
    sink = Sink()
    await pipeline([b"a"], sink, end=False)
    assert sink.writable
    await pipeline([b"b"], sink)
    assert sink.got == [b"a", b"b"]
    assert sink.writable_finished


async def test_destination_that_goes_without_end() -> None:
    """With `end=False` a destination that fails still fails the whole (pitfall 7)."""
    sink, told = Sink(), list[Any]()
    pipeline(source(b"a"), sink, end=False, callback=told.append)
    await loop.checkpoint()
    sink.destroy()
    await loop.checkpoint()
    assert [type(error) for error in told] == [PrematureCloseError]


async def test_destination_that_is_gone_already() -> None:
    """It fails at once, it does not hang (pitfall 7)."""
    destroyed, ended, failed = Sink(), Sink(), Sink()
    failed.on("error", lambda error: None)
    destroyed.destroy()
    ended.end()
    failed.destroy(OSError("no"))
    await loop.checkpoint()
    for sink, expected in (
        (destroyed, StreamDestroyedError),
        (ended, StreamDestroyedError),
        (failed, OSError),
    ):
        origin = source(b"a")
        with pytest.raises(expected):
            await pipeline(origin, sink)
        assert origin.destroyed
    await loop.checkpoint()


async def test_destination_that_was_ended() -> None:
    """Another `end()` came first: ERR_STREAM_WRITE_AFTER_END (pitfall 7)."""
    sink = Sink()
    sink.end()
    with pytest.raises(WriteAfterEndError):
        await pipeline(source(b"a"), sink)
    await loop.checkpoint()


async def test_destination_that_is_ended_by_somebody_else() -> None:
    """The source still has data: that is a premature close (N-057)."""
    origin, sink, told = source(b"a"), Sink(), list[Any]()
    pipeline(origin, sink, told.append)
    await loop.checkpoint()
    sink.end()
    await loop.checkpoint()
    assert [type(error) for error in told] == [PrematureCloseError]
    assert origin.destroyed


async def test_source_that_is_gone_already() -> None:
    """A destroyed source fails, an ended one ends the rest (pitfall 7)."""
    gone, done, sink = source(b"a"), source(None), Sink()
    gone.destroy()
    done.resume()
    await loop.checkpoint()
    with pytest.raises(PrematureCloseError):
        await pipeline(gone, Sink())
    await pipeline(done, sink)
    assert sink.writable_finished
    await loop.checkpoint()


async def test_peer_of_the_destination_goes_away() -> None:
    """A pipeline into a connection whose peer leaves ends with an error (pitfall 7)."""
    near, far = duplex_pair()
    near.resume()

    async def leave() -> None:
        await far.loop().checkpoint()
        far.destroy()

    async def never() -> AsyncIterator[bytes]:
        while True:
            await loop.checkpoint()
            yield b"x" * 100

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(leave)
        with pytest.raises(PrematureCloseError):
            await pipeline(never, near)
    await loop.checkpoint()


async def test_cancelling_destroys_all() -> None:
    """A cancelled `await pipeline()` leaves no stream open, no listener (DESIGN 3)."""
    origin, sink = source(b"a"), Sink()
    with anyio.move_on_after(0):
        await pipeline(origin, sink)
    await loop.checkpoint()
    assert origin.closed
    assert sink.closed
    assert listeners(origin, sink) == 0


async def test_cancelling_ends_generators() -> None:
    """A generator inside an `await` is cancelled and cleaned up (DESIGN 3)."""
    steps: list[str] = []

    async def stuck(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        try:
            async for chunk in chunks:
                yield chunk
        finally:
            steps.append("cleaned")

    with anyio.move_on_after(0.01):
        await pipeline(source(b"a"), stuck, Sink())
    for _ in range(5):
        await loop.checkpoint()
    assert steps == ["cleaned"]


async def test_user_listeners_hear_the_error() -> None:
    """Each stage is destroyed with the error; listeners of the user hear it (N-057)."""
    origin, sink, heard = source(b"a"), Sink(), list[Any]()
    origin.on("error", heard.append)
    sink.on("error", heard.append)
    told: list[Any] = []
    pipeline(origin, sink, told.append)
    await loop.checkpoint()
    error = OSError("no")
    sink.destroy(error)
    await loop.checkpoint()
    assert heard == [error, error]
    assert told == [error]


async def test_callback_that_raises() -> None:
    """It is called once; the owner gets its exception; all close (pitfall 27)."""
    sink, calls, taken = Sink(), list[Any](), list[Exception]()

    class Owner:
        def take_exception(self, error: Exception, source: object) -> bool:
            taken.append(error)
            return True

    def callback(error: Exception | None) -> None:
        calls.append(error)
        raise ZeroDivisionError

    sink._owner = Owner()
    pipeline([b"a"], sink, callback)
    await loop.checkpoint()
    assert calls == [None]
    assert [type(error) for error in taken] == [ZeroDivisionError]
    assert sink.closed


async def test_duplex_in_the_middle_and_at_the_end() -> None:
    """A connection at the end is done when it has finished writing (N-057)."""
    near, far = duplex_pair()
    echoed = Sink()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(pipeline, far, far)
        await pipeline([b"abc"], near)
        await pipeline(near, echoed)
    assert b"".join(echoed.got) == b"abc"
    assert near.closed
    assert far.closed


@pytest.mark.parametrize(
    "stages",
    [
        (),
        (Readable,),
        ([b"a"],),
    ],
)
async def test_too_few_stages(stages: tuple[Any, ...]) -> None:
    """Fewer than two raise at once (H-011)."""
    with pytest.raises(MissingArgsError) as caught:
        pipeline(*stages, callback=lambda error: None)
    assert caught.value.code == "ERR_MISSING_ARGS"


async def test_wrong_stages() -> None:
    """What is no stage raises at once, and nothing was started (H-011)."""
    origin = source(b"a")
    wrong: list[tuple[Any, ...]] = [
        (origin, 5),
        (5, Sink()),
        (origin, Sink(), Sink()),
        (origin, origin),
        (origin, "text"),
    ]
    for stages in wrong:
        with pytest.raises(InvalidArgTypeError):
            pipeline(*stages, callback=lambda error: None)
    with pytest.raises(InvalidArgTypeError):
        pipeline(origin, Sink(), callback=5)  # type: ignore[arg-type]
    assert listeners(origin) == 0


async def test_function_that_is_no_generator() -> None:
    """A coroutine function in the middle is refused (H-011)."""

    async def not_a_generator(chunks: Any) -> None:
        """Give nothing."""

    with pytest.raises(InvalidArgTypeError):
        await pipeline([b"a"], not_a_generator, Sink())


async def test_error_events_of_the_duplex_type() -> None:
    """A Duplex as the source counts by its readable side only (N-057)."""
    origin = Duplex(read=lambda size: None, write=lambda *args: args[2]())
    origin.push(b"a")
    origin.push(None)
    sink = Sink()
    await pipeline(origin, sink)
    assert sink.got == [b"a"]
    assert origin.writable
    origin.destroy()
