"""The published checks notice what is wrong: each one fails on a broken stream."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import anyio
import pytest

from headrace.streams import Duplex, Readable, Writable, duplex_pair
from headrace.streams.testing import PAIR_CHECKS, READABLE_CHECKS, WRITABLE_CHECKS

Check = Callable[[Any], Awaitable[None]]
#: A check that waits for what never comes has noticed it, too.
PATIENCE = 0.5


class Chunks(Readable):
    """Works; the classes below break one rule each."""

    def __init__(self, chunks: Sequence[bytes]) -> None:
        super().__init__()
        self.chunks = list(chunks)

    def _read(self, size: int) -> None:
        self.push(self.chunks.pop(0) if self.chunks else None)


class LosesAChunk(Chunks):
    def _read(self, size: int) -> None:
        del self.chunks[1:2]
        super()._read(size)


class ReadsAnyLength(Chunks):
    def read(self, size: int | None = None) -> Any:
        return super().read(None if size else size)


class KeepsAListener(Chunks):
    def iterator(self, *, destroy_on_return: bool = True) -> Any:
        self.on("end", lambda: None)
        return super().iterator(destroy_on_return=destroy_on_return)


class NeverDestroysItself(Chunks):
    def iterator(self, *, destroy_on_return: bool = True) -> Any:
        return super().iterator(destroy_on_return=False)


class GivesWhilePaused(Chunks):
    def pause(self) -> Any:
        super().pause()
        self.loop().next_tick(self.emit, "data", b"late")
        return self


class EndsUnread(Chunks):
    def push(self, chunk: Any, encoding: str | None = None) -> bool:
        room = super().push(chunk, encoding)
        self.emit("end")
        return room


class UnshiftsBehind(Chunks):
    def unshift(self, chunk: Any, encoding: str | None = None) -> bool:
        return self.push(chunk, encoding)


class TearsCharacters(Chunks):
    def push(self, chunk: Any, encoding: str | None = None) -> bool:
        if isinstance(chunk, bytes) and self.readable_encoding:
            chunk = chunk.decode(errors="replace").encode()
        return super().push(chunk, encoding)


class ClosesTwice(Chunks):
    def _emit_close(self) -> None:
        self.emit("close")
        self.emit("close")


class ClosesAtOnce(Chunks):
    def destroy(self, error: BaseException | None = None) -> Any:
        self.emit("close")
        return super().destroy(error)


class Forgets(Chunks):
    @property
    def readable_ended(self) -> bool:
        return False


BROKEN_READABLES = {
    "_all_data_flow": LosesAChunk,
    "_read_gives_exactly": ReadsAnyLength,
    "_iteration_gives_all": KeepsAListener,
    "_iteration_left_early_destroys": NeverDestroysItself,
    "_no_data_while_paused": GivesWhilePaused,
    "_end_waits_for_reader": EndsUnread,
    "_unshift_puts_in_front": UnshiftsBehind,
    "_text_is_whole": TearsCharacters,
    "_destroy_ends_reading": ClosesAtOnce,
    "_destroy_inside_events": ClosesTwice,
    "_finished_knows_the_past": Forgets,
}


class Sink(Writable):
    """Works; the classes below break one rule each."""

    def __init__(self) -> None:
        super().__init__()
        self.arrived = b""

    def _write(
        self, chunk: bytes, encoding: str, callback: Callable[..., None]
    ) -> None:
        self.arrived += chunk
        self.loop().call_soon(callback)


class LosesAWrite(Sink):
    def _write(
        self, chunk: bytes, encoding: str, callback: Callable[..., None]
    ) -> None:
        super()._write(chunk[1:], encoding, callback)


class CallsBackInside(Sink):
    def write(self, chunk: Any, encoding: Any = None, callback: Any = None) -> bool:
        if callable(encoding):
            encoding(None)
        return super().write(chunk)


class AlwaysHasRoom(Sink):
    def write(self, chunk: Any, encoding: Any = None, callback: Any = None) -> bool:
        return super().write(chunk, encoding, callback) or True


class CannotCork(Sink):
    def cork(self) -> None:
        """Go on writing."""


class TakesAnything(Sink):
    def write(self, chunk: Any, encoding: Any = None, callback: Any = None) -> bool:
        return chunk is None or super().write(chunk, encoding, callback)


class FailsInSilence(Sink):
    def _drop_buffers(self) -> None:
        """Tell nobody."""


class DrainsForNothing(Sink):
    async def drain(self) -> None:
        """Return at once, whatever has happened."""


BROKEN_WRITABLES = {
    "_all_is_written": LosesAWrite,
    "_callbacks_in_order": CallsBackInside,
    "_drain_after_false": AlwaysHasRoom,
    "_corked_writes_wait": CannotCork,
    "_wrong_chunks_raise": TakesAnything,
    "_write_after_end_fails": AlwaysHasRoom,
    "_destroy_fails_writes": FailsInSilence,
    "_drain_of_the_destroyed_raises": DrainsForNothing,
}


def loses_one_way(near: Any, far: Any) -> None:
    far._write = lambda chunk, encoding, callback: callback()


def ends_together(near: Any, far: Any) -> None:
    far.on("end", far.end)


def has_endless_room(near: Any, far: Any) -> None:
    near._write = lambda chunk, encoding, callback: callback()


def closes_twice(near: Any, far: Any) -> None:
    far.once("close", lambda: far.emit("close"))


def dies_alone(near: Any, far: Any) -> None:
    near._destroy = lambda error, callback: callback(error)


def keeps_a_listener(near: Any, far: Any) -> None:
    near.on("pipe", lambda source: near.on("drain", lambda: None))
    near.on("drain", lambda: None).remove_all_listeners("drain")


BROKEN_PAIRS: dict[str, Callable[[Any, Any], None]] = {
    "_both_ways_at_once": loses_one_way,
    "_half_open": ends_together,
    "_nobody_reads": has_endless_room,
    "_ping_pong": loses_one_way,
    "_close_comes_once": closes_twice,
    "_destroy_is_seen": dies_alone,
    "_piping_leaves_nothing": keeps_a_listener,
}


async def notices(check: Check, make: Any) -> bool:
    with anyio.move_on_after(PATIENCE) as scope:
        try:
            await check(make)
        except Exception:
            return True
    return scope.cancelled_caught


@pytest.mark.parametrize("check", READABLE_CHECKS, ids=lambda check: check.__name__)
async def test_checks_notice_broken_readables(check: Any) -> None:
    """And pass the same class without the fault (H-155 to H-162)."""

    async def broken(chunks: Sequence[bytes]) -> Readable:
        return BROKEN_READABLES[check.__name__](chunks)

    async def whole(chunks: Sequence[bytes]) -> Readable:
        return Chunks(chunks)

    await check(whole)
    assert await notices(check, broken)


@pytest.mark.parametrize("check", WRITABLE_CHECKS, ids=lambda check: check.__name__)
async def test_checks_notice_broken_writables(check: Any) -> None:
    """And pass the same class without the fault (H-163)."""

    def maker(kind: type[Sink]) -> Any:
        async def make() -> tuple[Writable, Callable[[], bytes]]:
            stream = kind()
            return stream, lambda: stream.arrived

        return make

    await check(maker(Sink))
    assert await notices(check, maker(BROKEN_WRITABLES[check.__name__]))


@pytest.mark.parametrize("check", PAIR_CHECKS, ids=lambda check: check.__name__)
async def test_checks_notice_broken_pairs(check: Any) -> None:
    """And pass the same pair without the fault (H-165)."""

    async def broken() -> tuple[Duplex, Duplex]:
        near, far = duplex_pair()
        BROKEN_PAIRS[check.__name__](near, far)
        return near, far

    async def whole() -> tuple[Duplex, Duplex]:
        return duplex_pair()

    await check(whole)
    assert await notices(check, broken)
