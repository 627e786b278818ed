"""Random data, splits and actions: nothing lost, doubled, out of order or left over."""

from collections.abc import Callable
from functools import partial
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from headrace.events import loop
from headrace.streams import (
    PassThrough,
    Readable,
    Transform,
    Writable,
    duplex_pair,
    pipeline,
)

Done = Callable[..., None]
CHUNKS = st.lists(st.binary(min_size=1, max_size=12), max_size=12)
MARKS = st.integers(0, 20)


def chunked(data: bytes, sizes: list[int]) -> list[bytes]:
    """Cut `data` into pieces of these sizes, over and over."""
    pieces = list[bytes]()
    at = 0
    while at < len(data):
        size = sizes[len(pieces) % len(sizes)]
        pieces.append(data[at : at + size])
        at += size
    return pieces


class Script(Readable):
    """Gives these chunks, at once or when `deliver` is called; notes what it emits."""

    def __init__(self, chunks: list[bytes], mark: int, *, now: bool) -> None:
        super().__init__(high_water_mark=mark)
        self.left = list(chunks)
        self.now = now
        self.asked = False
        self.given = bytearray()  # what has left the buffer, in order
        self.events: list[str] = []
        self._emitting = False

    def _read(self, size: int) -> None:
        assert not self.asked, "asked again before something was pushed"
        self.asked = True
        if self.now:
            self.deliver()

    def deliver(self) -> None:
        if self.asked:
            self.asked = False
            self.push(self.left.pop(0) if self.left else None)

    def emit(self, event: Any, *args: Any) -> bool:
        if event == "data":
            self.given += args[0]
            self.events.append("data")
        elif event in ("end", "error", "close", "readable"):
            self.events.append(event)
        outer, self._emitting = self._emitting, event == "data" or self._emitting
        try:
            return super().emit(event, *args)
        finally:
            self._emitting = outer

    def piped(self, chunk: bytes) -> None:
        """Note what a pipe got without an event."""
        if not self._emitting:
            self.given += chunk
            self.events.append("data")


class Slow(Writable):
    """Keeps each write until it is let go."""

    def __init__(self, source: Script, mark: int) -> None:
        super().__init__(high_water_mark=mark)
        self.source = source
        self.got = bytearray()
        self.waiting: list[Done] = []

    def write(self, chunk: Any, *rest: Any) -> bool:
        self.source.piped(chunk)
        return super().write(chunk, *rest)

    def _write(self, chunk: bytes, encoding: str, callback: Done) -> None:
        self.got += chunk
        self.waiting.append(callback)


class World:
    """A source, a destination, a user who does anything."""

    def __init__(self, chunks: list[bytes], mark: int, *, now: bool) -> None:
        self.whole = b"".join(chunks)
        self.largest = max(map(len, chunks), default=0)
        self.source = Script(chunks, mark, now=now)
        self.sink = Slow(self.source, mark)
        self.source.on("error", self.ignore)
        self.sink.on("error", self.ignore)
        self.error = OSError("on purpose")

    def ignore(self, *args: object) -> None:
        """Listen."""

    def act(self, action: tuple[str, int]) -> None:
        name, number = action
        getattr(self, name)(number)

    def read(self, size: int) -> None:
        self.source.read(size)

    def read_all(self, _: int) -> None:
        self.source.read()

    def put_back(self, size: int) -> None:
        given = self.source.given
        back = bytes(given[-size:]) if size else b""
        if back and self.source.readable and not self.source.readable_ended:
            del given[-len(back) :]
            self.source.unshift(back)
            self.largest = max(self.largest, self.source.readable_length)

    def pause(self, _: int) -> None:
        self.source.pause()

    def resume(self, _: int) -> None:
        self.source.resume()

    def listen(self, _: int) -> None:
        self.source.on("data", self.ignore)

    def leave(self, _: int) -> None:
        self.source.off("data", self.ignore)

    def listen_readable(self, _: int) -> None:
        self.source.on("readable", self.ignore)

    def leave_readable(self, _: int) -> None:
        self.source.off("readable", self.ignore)

    def pipe(self, _: int) -> None:
        if not self.source.readable_ended and self.sink.writable:
            self.source.pipe(self.sink)

    def unpipe(self, _: int) -> None:
        self.source.unpipe(self.sink)

    def deliver(self, _: int) -> None:
        self.source.deliver()

    def let_go(self, _: int) -> None:
        if self.sink.waiting:
            self.sink.waiting.pop(0)()

    def destroy(self, kind: int) -> None:
        if not self.source.destroyed:
            self.source.events.append("destroy")
        self.source.destroy(self.error if kind % 2 else None)

    def destroy_sink(self, kind: int) -> None:
        self.sink.destroy(self.error if kind % 2 else None)

    def check(self) -> None:
        """Look at what must hold at every moment."""
        source = self.source
        assert self.whole.startswith(bytes(source.given)), "lost, doubled or mixed up"
        assert source.readable_length <= source.readable_high_water_mark + self.largest
        check_order(source.events)
        if "end" in source.events:
            assert bytes(source.given) == self.whole

    def check_listeners(self) -> None:
        """Look whether somebody has left a listener behind."""
        for stream in (self.source, self.sink):
            for name in stream.event_names():
                assert all(one == self.ignore for one in stream.listeners(name)), name


def check_order(events: list[str]) -> None:
    """The order of events that is frozen (H-156, H-164, pitfall 28)."""
    for name in ("end", "error", "close", "destroy"):
        assert events.count(name) <= 1, f"{name} came twice"
    if "close" in events:
        assert events[-1] == "close", "something came after close"
    for last in ("destroy", "error", "end"):
        if last in events:
            rest = set(events[events.index(last) + 1 :])
            assert not rest & {"data", "end", "readable"}, f"{rest} after {last}"
    if "error" in events:
        assert "end" not in events, "error and end"


NAMES = [
    "read",
    "read_all",
    "put_back",
    "pause",
    "resume",
    "listen",
    "leave",
    "listen_readable",
    "leave_readable",
    "pipe",
    "unpipe",
    "deliver",
    "deliver",
    "let_go",
    "tick",
    "tick",
]
FINAL_NAMES = [*NAMES, "destroy", "destroy_sink"]


def actions(names: list[str]) -> st.SearchStrategy[list[tuple[str, int]]]:
    return st.lists(st.tuples(st.sampled_from(names), st.integers(0, 9)), max_size=40)


async def run(world: World, steps: list[tuple[str, int]]) -> None:
    for step in steps:
        if step[0] == "tick":
            await loop.checkpoint()
        else:
            world.act(step)
        world.check()


@given(CHUNKS, MARKS, st.booleans(), actions(FINAL_NAMES))
async def test_any_actions_keep_the_order(
    chunks: list[bytes], mark: int, now: bool, steps: list[tuple[str, int]]
) -> None:
    """Bytes, bounds and the order of events hold after every step (H-155 to H-164)."""
    world = World(chunks, mark, now=now)
    await run(world, steps)
    world.act(("destroy", 0))
    world.act(("destroy_sink", 0))
    await loop.checkpoint()
    world.check()
    assert world.source.events[-1] == "close"
    assert world.source.closed
    assert world.sink.closed
    world.check_listeners()


@given(CHUNKS, MARKS, st.booleans(), actions(NAMES))
async def test_whatever_was_done_the_rest_can_be_read(
    chunks: list[bytes], mark: int, now: bool, steps: list[tuple[str, int]]
) -> None:
    """After any actions but destroying, all bytes come, once, then ``end`` (H-156)."""
    world = World(chunks, mark, now=now)
    await run(world, steps)
    source = world.source
    source.unpipe()
    for event in ("data", "readable"):
        while source.listener_count(event):
            source.off(event, world.ignore)
    await loop.checkpoint()
    source.resume()
    for _ in range(2 * len(chunks) + 3):
        await loop.checkpoint()
        source.deliver()
    world.check()
    assert bytes(source.given) == world.whole
    assert source.events[-2:] == ["end", "close"]
    world.sink.destroy()
    await loop.checkpoint()
    world.check_listeners()


@given(
    st.binary(max_size=300),
    st.lists(st.integers(1, 40), min_size=1, max_size=5),
    st.lists(st.integers(1, 40), min_size=1, max_size=5),
    st.integers(1, 64),
)
async def test_any_split_of_writes_and_reads(
    data: bytes, writes: list[int], reads: list[int], mark: int
) -> None:
    """The same bytes in the same order, never more buffered than mark and chunk."""
    near, far = duplex_pair(high_water_mark=mark)
    pieces, got, turn = chunked(data, writes), bytearray(), 0
    largest = max(writes)
    while not far.readable_ended:
        while pieces and not near.writable_need_drain:
            near.write(pieces.pop(0))
        if not pieces and not near.writable_ended:
            near.end()
        await loop.checkpoint()
        assert near.writable_length <= mark + largest
        assert far.readable_length <= far.readable_high_water_mark + largest
        size = min(reads[turn % len(reads)], far.readable_length)
        turn += 1
        got += (far.read(size) if size else far.read()) or b""
    assert bytes(got) == data
    far.end()
    near.resume()
    await loop.checkpoint()
    assert near.closed
    assert far.closed


class Worker(Writable):
    """Takes its time with each write, by script; sometimes many at once."""

    def __init__(self, mark: int, delays: list[bool], *, batches: bool) -> None:
        super().__init__(high_water_mark=mark)
        self.delays = delays
        self.calls = 0
        self.busy = False
        self.got = bytearray()
        if batches:
            self.__dict__["_writev"] = self.write_many

    def _write(self, chunk: bytes, encoding: str, callback: Done) -> None:
        assert not self.busy, "two writes at a time"
        self.busy = True
        self.got += chunk
        self.calls += 1
        if self.delays and self.delays[self.calls % len(self.delays)]:
            self.loop().call_soon(self.done, callback)
        else:
            self.done(callback)

    def write_many(self, chunks: list[tuple[bytes, str]], callback: Done) -> None:
        self._write(b"".join(chunk for chunk, _ in chunks), "buffer", callback)

    def done(self, callback: Done) -> None:
        self.busy = False
        callback()


def note(told: list[Any], number: int, error: Exception | None) -> None:
    assert error is None
    told.append(number)


@given(
    CHUNKS,
    MARKS,
    st.lists(st.booleans(), min_size=1, max_size=4),
    st.booleans(),
    st.lists(st.integers(0, 3)),
)
async def test_writes_and_callbacks_in_order(
    chunks: list[bytes], mark: int, delays: list[bool], batches: bool, extras: list[int]
) -> None:
    """Whatever is corked, delayed or batched: each byte and callback once, in order."""
    stream, told = Worker(mark, delays, batches=batches), list[Any]()
    drains = 0

    def drained() -> None:
        nonlocal drains
        drains += 1
        assert stream.writable_length == 0

    stream.on("drain", drained)
    stream.on("finish", lambda: told.append("finish"))
    owed = False
    for number, chunk in enumerate(chunks):
        extra = extras[number % len(extras)] if extras else 0
        if extra == 1:
            stream.cork()
        room = stream.write(chunk, partial(note, told, number))
        owed = owed or not room
        assert room or stream.writable_need_drain
        if extra == 2:
            stream.uncork()
        if extra == 3:
            await loop.checkpoint()
    for _ in range(stream.writable_corked):
        stream.uncork()
    while stream.writable_length or stream.writable_need_drain:
        await loop.checkpoint()
    assert (drains > 0) == owed
    stream.end()
    await loop.checkpoint()
    assert bytes(stream.got) == b"".join(chunks)
    assert told == [*range(len(chunks)), "finish"]


@given(CHUNKS, MARKS, MARKS, st.lists(st.booleans()))
async def test_pipelines_carry_everything(
    chunks: list[bytes], mark: int, middle: int, delays: list[bool]
) -> None:
    """Any marks, any pace: what goes in comes out, and nothing stays behind (X-110)."""
    source = Script(chunks, mark, now=True)
    split = Transform(
        high_water_mark=middle,
        transform=lambda chunk, encoding, callback: [
            *(split.push(chunk[at : at + 1]) for at in range(len(chunk))),
            callback(),
        ],
    )
    passing = PassThrough(high_water_mark=middle)
    worker = Worker(mark, delays, batches=False)
    await pipeline(source, split, passing, worker)
    assert bytes(worker.got) == b"".join(chunks)
    for stream in (source, split, passing, worker):
        assert stream.closed
        assert stream.event_names() == []
