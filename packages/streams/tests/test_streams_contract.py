"""Our own streams pass the checks that we publish for any stream."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from headrace.streams import (
    Duplex,
    PassThrough,
    Readable,
    Transform,
    Writable,
    duplex_pair,
)
from headrace.streams.testing import (
    PAIR_CHECKS,
    READABLE_CHECKS,
    WRITABLE_CHECKS,
    PairMaker,
    ReadableMaker,
    WritableMaker,
)


class Chunks(Readable):
    """Pushes one chunk for each `_read`, from inside it."""

    def __init__(self, chunks: Sequence[bytes]) -> None:
        super().__init__()
        self._chunks = list(chunks)

    def _read(self, size: int) -> None:
        self.push(self._chunks.pop(0) if self._chunks else None)


class LateChunks(Chunks):
    """Pushes in a later turn of the loop."""

    def _read(self, size: int) -> None:
        self.loop().call_soon(super()._read, size)


class AsyncChunks(Chunks):
    """Has an `async def` hook."""

    async def _read(self, size: int) -> None:  # type: ignore[override]
        waiter = self.loop().waiter()
        self.loop().call_soon(waiter.set)
        await waiter.wait()
        Chunks._read(self, size)


async def at_once(chunks: Sequence[bytes]) -> Readable:
    return Chunks(chunks)


async def later(chunks: Sequence[bytes]) -> Readable:
    return LateChunks(chunks)


async def by_coroutine(chunks: Sequence[bytes]) -> Readable:
    return AsyncChunks(chunks)


async def from_iterable(chunks: Sequence[bytes]) -> Readable:
    return Readable.from_(chunks, object_mode=False, high_water_mark=100)


async def from_generator(chunks: Sequence[bytes]) -> Readable:
    async def generate() -> Any:
        for chunk in chunks:
            yield chunk

    return Readable.from_(generate(), object_mode=False, high_water_mark=100)


async def pushed_before(chunks: Sequence[bytes]) -> Readable:
    stream = Readable(read=lambda size: None)
    for chunk in chunks:
        stream.push(chunk)
    stream.push(None)
    return stream


async def through_a_transform(chunks: Sequence[bytes]) -> Readable:
    return Chunks(chunks).pipe(PassThrough())


async def far_end_of_a_pair(chunks: Sequence[bytes]) -> Readable:
    near, far = duplex_pair(allow_half_open=False)
    Chunks(chunks).pipe(near)
    near.on("error", lambda error: None)
    return far


@pytest.mark.parametrize("check", READABLE_CHECKS)
@pytest.mark.parametrize(
    "make",
    [
        at_once,
        later,
        by_coroutine,
        from_iterable,
        from_generator,
        pushed_before,
        through_a_transform,
        far_end_of_a_pair,
    ],
)
async def test_readable_contract(
    make: ReadableMaker, check: Callable[[ReadableMaker], Awaitable[None]]
) -> None:
    """Each kind of Readable keeps each rule (H-155 to H-162, H-164)."""
    await check(make)


async def written_at_once() -> tuple[Writable, Callable[[], bytes]]:
    parts: list[bytes] = []

    def write(chunk: bytes, encoding: str, callback: Callable[[], None]) -> None:
        parts.append(chunk)
        callback()

    return Writable(write=write), lambda: b"".join(parts)


async def written_later() -> tuple[Writable, Callable[[], bytes]]:
    parts: list[bytes] = []

    class Later(Writable):
        def _write(
            self, chunk: bytes, encoding: str, callback: Callable[..., None]
        ) -> None:
            parts.append(chunk)
            self.loop().call_soon(callback)

    return Later(), lambda: b"".join(parts)


async def written_in_batches() -> tuple[Writable, Callable[[], bytes]]:
    parts: list[bytes] = []

    class Batches(Writable):
        def _writev(
            self, chunks: list[tuple[Any, str]], callback: Callable[..., None]
        ) -> None:
            parts.extend(chunk for chunk, _ in chunks)
            self.loop().call_soon(callback)

        def _write(
            self, chunk: bytes, encoding: str, callback: Callable[..., None]
        ) -> None:
            self._writev([(chunk, encoding)], callback)

    return Batches(), lambda: b"".join(parts)


async def written_by_coroutine() -> tuple[Writable, Callable[[], bytes]]:
    parts: list[bytes] = []

    async def write(chunk: bytes, encoding: str, callback: object) -> None:
        parts.append(chunk)

    return Writable(write=write), lambda: b"".join(parts)


async def into_a_transform() -> tuple[Writable, Callable[[], bytes]]:
    parts: list[bytes] = []

    def transform(chunk: bytes, encoding: str, callback: Callable[..., None]) -> None:
        callback(None, chunk)

    stream = Transform(transform=transform)
    stream.on("data", parts.append)
    return stream, lambda: b"".join(parts)


@pytest.mark.parametrize("check", WRITABLE_CHECKS)
@pytest.mark.parametrize(
    "make",
    [
        written_at_once,
        written_later,
        written_in_batches,
        written_by_coroutine,
        into_a_transform,
    ],
)
async def test_writable_contract(
    make: WritableMaker, check: Callable[[WritableMaker], Awaitable[None]]
) -> None:
    """Each kind of Writable keeps each rule (H-163, H-164)."""
    await check(make)


async def pair() -> tuple[Duplex, Duplex]:
    return duplex_pair()


async def crossed_streams() -> tuple[Duplex, Duplex]:
    there, back = PassThrough(), PassThrough()
    return (
        Duplex.from_({"readable": back, "writable": there}),
        Duplex.from_({"readable": there, "writable": back}),
    )


@pytest.mark.parametrize("check", PAIR_CHECKS)
@pytest.mark.parametrize("make", [pair, crossed_streams])
async def test_pair_contract(
    make: PairMaker, check: Callable[[PairMaker], Awaitable[None]]
) -> None:
    """What joins two streams keeps each rule of a pair (H-164, H-165)."""
    await check(make)
