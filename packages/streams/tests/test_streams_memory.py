"""Streams that are done need no cycle collector (DESIGN 8: nothing leaks)."""

import gc
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any
from weakref import ref

import pytest

from headrace.events import loop
from headrace.streams import (
    PassThrough,
    Readable,
    Stream,
    Writable,
    compose,
    consumers,
    duplex_pair,
    finished,
    pipeline,
)

Keep = Callable[..., None]


@pytest.fixture
def no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def sink() -> Writable:
    return Writable(write=lambda chunk, encoding, callback: callback())


async def by_pipeline(keep: Keep) -> None:
    streams = Readable.from_([b"a", b"b"]), PassThrough(), sink()
    keep(*streams)
    await pipeline(*streams)


async def by_pipe(keep: Keep) -> None:
    origin, middle, end = Readable.from_([b"a", b"b"]), PassThrough(), sink()
    keep(origin, middle, end)
    origin.pipe(middle).pipe(end)
    await finished(end)


async def by_iteration(keep: Keep) -> None:
    whole, part = Readable.from_([b"a"]), Readable.from_([b"a", b"b"])
    keep(whole, part)
    assert await consumers.buffer(whole) == b"a"
    async for _ in part:
        break


async def by_pair(keep: Keep) -> None:
    near, far = duplex_pair()
    keep(near, far)
    near.end(b"a")
    far.end()
    near.resume()
    far.resume()
    await finished(near)
    await finished(far)


async def by_composition(keep: Keep) -> None:
    whole = compose(PassThrough(), PassThrough())
    keep(whole)
    whole.end(b"a")
    assert await consumers.buffer(whole) == b"a"


async def by_coroutines(keep: Keep) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"a"

    async def write(chunk: bytes, encoding: str, callback: object) -> None:
        await loop.checkpoint()

    streams = Readable.from_(chunks()), Writable(write=write)
    keep(*streams)
    await pipeline(*streams)


async def by_failure(keep: Keep) -> None:
    stream = Writable(write=lambda chunk, encoding, callback: callback(OSError("no")))
    keep(stream)
    stream.on("error", lambda error: None)
    stream.write(b"a", lambda error: None)


async def by_neglect(keep: Keep) -> None:
    stream = Readable(read=lambda size: None)
    keep(stream)
    stream.push(b"a")
    stream.on("data", lambda chunk: None)
    await loop.checkpoint()


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize(
    "use",
    [
        by_pipeline,
        by_pipe,
        by_iteration,
        by_pair,
        by_composition,
        by_coroutines,
        by_failure,
        by_neglect,
    ],
)
async def test_streams_are_freed_at_once(
    use: Callable[[Keep], Awaitable[None]],
) -> None:
    """When its life is over and nobody holds it, a stream is gone (pitfall 12)."""
    kept: list[ref[Stream]] = []

    def keep(*streams: Any) -> None:
        kept.extend(ref(stream) for stream in streams)

    await use(keep)
    await loop.checkpoint()
    await loop.checkpoint()
    assert [one() for one in kept] == [None] * len(kept)
