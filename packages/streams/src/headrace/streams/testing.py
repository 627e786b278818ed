"""Contract checks that any stream implementation can be put through.

Each check is an `async def` of one argument, an `async def` that makes what it checks.
Parametrise a test with them::

    @pytest.mark.parametrize("check", PAIR_CHECKS)
    async def test_my_pair(check):
        await check(make_pair)

The checks wait for events and never for time, so they suit streams in memory and
sockets alike. Whatever they make, they destroy.

Source: H-155 to H-165.
"""

from collections.abc import Awaitable, Callable, Hashable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from headrace.events import loop, once
from headrace.streams._duplex import Duplex
from headrace.streams._end_of_stream import finished
from headrace.streams._errors import InvalidArgTypeError, NullValuesError
from headrace.streams._readable import Readable
from headrace.streams._stream import Stream
from headrace.streams._writable import Writable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

__all__ = [
    "PAIR_CHECKS",
    "READABLE_CHECKS",
    "WRITABLE_CHECKS",
    "EventLog",
    "PairMaker",
    "ReadableMaker",
    "WritableMaker",
    "closed",
]

#: Makes a stream that gives these chunks, in any grouping, and then ends.
ReadableMaker = Callable[[Sequence[bytes]], Awaitable[Readable]]
#: Makes a stream, and a function that tells which bytes have arrived behind it.
WritableMaker = Callable[[], Awaitable[tuple[Writable, Callable[[], bytes]]]]
#: Makes two streams; what one is given, the other gives.
PairMaker = Callable[[], Awaitable[tuple[Duplex, Duplex]]]

_CHUNKS: Final = (b"one", b"two and a half", b"3" * 1000)
_DATA: Final = b"".join(_CHUNKS)
#: More than the buffers of both sides and of the system between them ever hold.
_TOO_MUCH: Final = 64 * 1024 * 1024
_READING_ENDS: Final = ("end", "error", "close")
_WRITING_ENDS: Final = ("finish", "error", "close")
_ALL_ENDS: Final = ("end", "finish", "error", "close")


class EventLog:
    """Writes down the events of a stream in their order.

    Listening to ``data`` makes a stream flow and listening to ``error`` counts as a
    listener, so only the named events are heard.

    Args:
        stream: Whom to listen to.
        *events: What to write down.

    Attributes:
        entries: Event and arguments, oldest first.
    """

    def __init__(self, stream: Stream, *events: str) -> None:
        self.entries: list[tuple[Hashable, ...]] = []
        for event in events:
            stream.custom.on(event, self._recorder(event))

    def _recorder(self, event: str) -> Callable[..., None]:
        def record(*args: Hashable) -> None:
            self.entries.append((event, *args))

        return record

    @property
    def names(self) -> list[Hashable]:
        """The events without their arguments."""
        return [entry[0] for entry in self.entries]


async def closed(stream: Stream) -> None:
    """Wait until ``close`` was emitted, and one turn more for what must not follow."""
    if not stream.closed:
        waiter = stream.loop().waiter()
        stream.custom.once("close", lambda *_: waiter.set())
        await waiter.wait()
    await loop.checkpoint()


def _listener_counts(stream: Stream) -> dict[Hashable, int]:
    return {name: stream.listener_count(name) for name in stream.event_names()}


def _check_listeners(stream: Stream, before: dict[Hashable, int]) -> None:
    for event, count in _listener_counts(stream).items():
        assert count <= before.get(event, 0), f"a listener of {event!r} is left"


async def _discard(*streams: Stream) -> None:
    for stream in streams:
        stream.on("error", _ignore)
        stream.destroy()
    for stream in streams:
        await closed(stream)


def _ignore(error: BaseException) -> None:
    """Count as a listener of ``error``."""


# Readable ---------------------------------------------------------------------------


async def _all_data_flow(make: ReadableMaker) -> None:
    """Flowing gives all bytes in order, then ``end``, then ``close``."""
    stream = await make(_CHUNKS)
    log = EventLog(stream, "end", "error", "close")
    parts: list[bytes] = []
    stream.on("data", parts.append)
    assert parts == [], "data came from inside on()"
    await closed(stream)
    assert b"".join(parts) == _DATA
    assert log.names == ["end", "close"]


async def _read_gives_exactly(make: ReadableMaker) -> None:
    """`read(n)` gives n bytes or nothing, and the shorter rest at the end."""
    stream = await make(_CHUNKS)
    parts: list[bytes] = []

    def take() -> None:
        while (part := stream.read(7)) is not None:
            parts.append(part)

    stream.on("readable", take)
    await closed(stream)
    assert b"".join(parts) == _DATA
    assert {len(part) for part in parts[:-1]} == {7}
    assert 0 < len(parts[-1]) <= 7


async def _iteration_gives_all(make: ReadableMaker) -> None:
    """`async for` gives all bytes and leaves no listener."""
    stream = await make(_CHUNKS)
    before = _listener_counts(stream)
    assert b"".join([chunk async for chunk in stream]) == _DATA
    assert stream.readable_ended
    _check_listeners(stream, before)
    await _discard(stream)


async def _iteration_left_early_destroys(make: ReadableMaker) -> None:
    """A `break` destroys the stream; ``end`` does not come."""
    stream = await make(_CHUNKS)
    log = EventLog(stream, *_READING_ENDS)
    async for _ in stream:
        break
    assert stream.destroyed
    await closed(stream)
    assert log.names in (["close"], ["end", "close"])
    assert stream.readable_ended == ("end" in log.names)


async def _no_data_while_paused(make: ReadableMaker) -> None:
    """After `pause()` has returned nothing comes until `resume()`; nothing is lost."""
    stream = await make(_CHUNKS)
    parts: list[bytes] = []
    late: list[bytes] = []
    ended = once(stream, "end")

    def take(chunk: bytes) -> None:
        # No assertion here: what a listener raises is reported and fails no check.
        if stream.is_paused():
            late.append(chunk)
            return
        parts.append(chunk)
        stream.pause()
        stream.loop().call_soon(stream.resume)

    stream.on("data", take)
    await ended
    assert late == [], "data while paused"
    assert b"".join(parts) == _DATA
    await _discard(stream)


async def _end_waits_for_reader(make: ReadableMaker) -> None:
    """``end`` does not come while data are unread."""
    stream = await make(_CHUNKS)
    log = EventLog(stream, "end")
    stream.pause()
    stream.read(0)
    while not stream.readable_length:
        await loop.checkpoint()
    await loop.checkpoint()
    assert log.names == []
    stream.resume()
    await finished(stream, writable=False)
    assert log.names == ["end"]
    await _discard(stream)


async def _unshift_puts_in_front(make: ReadableMaker) -> None:
    """What is put back is read first, the last one put back before the others."""
    stream = await make(_CHUNKS)
    stream.unshift(b"B")
    stream.unshift(b"A")
    assert b"".join([chunk async for chunk in stream]) == b"AB" + _DATA
    await _discard(stream)


async def _text_is_whole(make: ReadableMaker) -> None:
    """With an encoding no character is torn, wherever the chunks are cut."""
    text = "aä€😀" * 20
    data = text.encode()
    stream = await make([data[at : at + 1] for at in range(len(data))])
    stream.set_encoding("utf-8")
    assert "".join([chunk async for chunk in stream]) == text
    await _discard(stream)


async def _destroy_ends_reading(make: ReadableMaker) -> None:
    """`destroy(error)`: ``error``, then ``close``, each once; nothing else."""
    stream = await make(_CHUNKS)
    log = EventLog(stream, "data", *_READING_ENDS)
    error = OSError("on purpose")
    assert stream.destroy(error) is stream
    stream.destroy(OSError("too late"))
    assert stream.destroyed
    assert log.names == [], "destroy() emitted at once"
    await closed(stream)
    assert log.entries[0] == ("error", error)
    assert log.names == ["error", "close"]
    assert stream.errored is error
    assert stream.read() is None


async def _destroy_inside_events(make: ReadableMaker) -> None:
    """Destroying from inside any event gives one ``close`` and nothing after it."""
    for event in ("data", "readable", "end", "resume"):
        stream = await make(_CHUNKS)
        log = EventLog(stream, *_READING_ENDS)
        stream.custom.on(event, lambda *_, stream=stream: stream.destroy())
        if event == "readable":
            stream.on("readable", stream.read)
        stream.resume()
        await closed(stream)
        assert log.names in (["close"], ["end", "close"]), (event, log.names)


async def _finished_knows_the_past(make: ReadableMaker) -> None:
    """Awaiting the end of a stream that has ended returns at once."""
    stream = await make(_CHUNKS)
    stream.resume()
    await finished(stream, writable=False)
    await finished(stream, writable=False)
    await _discard(stream)


READABLE_CHECKS: Final = (
    _all_data_flow,
    _read_gives_exactly,
    _iteration_gives_all,
    _iteration_left_early_destroys,
    _no_data_while_paused,
    _end_waits_for_reader,
    _unshift_puts_in_front,
    _text_is_whole,
    _destroy_ends_reading,
    _destroy_inside_events,
    _finished_knows_the_past,
)

# Writable ---------------------------------------------------------------------------


async def _all_is_written(make: WritableMaker) -> None:
    """Everything arrives in order; then ``prefinish``, ``finish``, ``close``."""
    stream, arrived = await make()
    log = EventLog(stream, "prefinish", "finish", "error", "close")
    for chunk in _CHUNKS:
        stream.write(chunk)
    assert stream.end() is stream
    assert stream.writable_ended
    assert not stream.writable_finished
    await finished(stream, readable=False)
    assert stream.writable_finished
    assert arrived() == _DATA
    await _discard(stream)
    assert log.names == ["prefinish", "finish", "close"]


async def _callbacks_in_order(make: WritableMaker) -> None:
    """Callbacks come in order, never from inside `write()`, before ``finish``."""
    stream, _ = await make()
    order: list[Any] = []
    stream.on("finish", lambda: order.append("finish"))
    for number in range(5):
        stream.write(b"x", partial(_note, order, number))
    assert order == [], "a callback ran inside write()"
    stream.end(b"y", partial(_note, order, "end"))
    await finished(stream, readable=False)
    await loop.checkpoint()
    assert order[:5] == [(number, None) for number in range(5)]
    assert sorted(map(str, order[5:])) == ["('end', None)", "finish"]
    await _discard(stream)


def _note(order: list[Any], name: object, error: BaseException | None) -> None:
    order.append((name, error))


async def _drain_after_false(make: WritableMaker) -> None:
    """`write()` gives False at the mark; ``drain`` comes once, when all is out."""
    stream, arrived = await make()
    mark = stream.writable_high_water_mark
    log = EventLog(stream, "drain")
    assert stream.write(b"x" * mark) is False
    assert stream.writable_need_drain
    assert log.names == [], "drain came from inside write()"
    await stream.drain()
    assert log.names == ["drain"]
    assert not stream.writable_need_drain
    assert stream.writable_length == 0
    await stream.drain()  # returns at once
    stream.end()
    await finished(stream, readable=False)
    assert arrived() == b"x" * mark
    assert log.names == ["drain"]
    await _discard(stream)


async def _corked_writes_wait(make: WritableMaker) -> None:
    """What is written while corked leaves with the last `uncork()`."""
    stream, arrived = await make()
    stream.cork()
    stream.cork()
    stream.write(b"a")
    stream.write(b"b")
    stream.uncork()
    await loop.checkpoint()
    assert arrived() == b""
    assert stream.writable_length == 2
    stream.uncork()
    stream.end(b"c")
    await finished(stream, readable=False)
    assert arrived() == b"abc"
    await _discard(stream)


async def _wrong_chunks_raise(make: WritableMaker) -> None:
    """None and what is no data raise at once and change nothing."""
    stream, arrived = await make()
    for wrong, expected in ((None, NullValuesError), (7, InvalidArgTypeError)):
        try:
            stream.write(wrong)
        except expected:
            continue
        raise AssertionError(f"write({wrong!r}) did not raise {expected.__name__}")
    stream.end(b"good")
    await finished(stream, readable=False)
    assert arrived() == b"good"
    await _discard(stream)


async def _write_after_end_fails(make: WritableMaker) -> None:
    """A write after `end()` gives False; callback and ``error`` tell why."""
    stream, _ = await make()
    codes: list[Any] = []
    stream.on("error", lambda error: codes.append(getattr(error, "code", None)))
    stream.end(b"x")
    late = stream.write(
        b"late", lambda error: codes.append(getattr(error, "code", None))
    )
    assert late is False
    assert codes == []
    await closed(stream)
    assert codes == ["ERR_STREAM_WRITE_AFTER_END"] * 2


async def _destroy_fails_writes(make: WritableMaker) -> None:
    """Destroying fails what was not written; ``finish`` does not come."""
    stream, _ = await make()
    log = EventLog(stream, *_WRITING_ENDS)
    told: list[Any] = []
    stream.cork()
    stream.write(b"held", told.append)
    error = OSError("on purpose")
    stream.destroy(error)
    assert told == []
    await closed(stream)
    assert told == [error]
    assert log.names == ["error", "close"]
    assert stream.write(b"late", told.append) is False
    await loop.checkpoint()
    assert getattr(told[1], "code", None) == "ERR_STREAM_DESTROYED"
    assert log.names == ["error", "close"]


async def _drain_of_the_destroyed_raises(make: WritableMaker) -> None:
    """`drain()` raises the error of a destroyed stream."""
    stream, _ = await make()
    error = OSError("on purpose")
    stream.on("error", _ignore)
    stream.destroy(error)
    outcome: BaseException | None = None
    try:
        await stream.drain()
    except OSError as raised:
        outcome = raised
    assert outcome is error
    await _discard(stream)


WRITABLE_CHECKS: Final = (
    _all_is_written,
    _callbacks_in_order,
    _drain_after_false,
    _corked_writes_wait,
    _wrong_chunks_raise,
    _write_after_end_fails,
    _destroy_fails_writes,
    _drain_of_the_destroyed_raises,
)

# Pairs ------------------------------------------------------------------------------


@asynccontextmanager
async def _made(make: PairMaker) -> "AsyncIterator[tuple[Duplex, Duplex]]":
    near, far = await make()
    try:
        yield near, far
    finally:
        await _discard(near, far)


async def _both_ways_at_once(make: PairMaker) -> None:
    """Both directions carry their bytes in order, independently."""
    async with _made(make) as (near, far):
        for chunk in _CHUNKS:
            near.write(chunk)
            far.write(chunk[::-1])
        near.end()
        far.end()
        there = b"".join([chunk async for chunk in far.iterator()])
        back = b"".join([chunk async for chunk in near.iterator()])
        assert there == _DATA
        assert back == b"".join(chunk[::-1] for chunk in _CHUNKS)


async def _half_open(make: PairMaker) -> None:
    """After `end()` of one side the other one can still write, if it allows that."""
    async with _made(make) as (near, far):
        if not far.allow_half_open:
            return
        near.end(b"question")
        question = b"".join([chunk async for chunk in far.iterator()])
        assert question == b"question"
        assert far.writable
        assert near.readable
        far.end(b"answer")
        assert b"".join([chunk async for chunk in near]) == b"answer"
        await closed(near)
        await closed(far)


async def _nobody_reads(make: PairMaker) -> None:
    """Back-pressure reaches the writer; when somebody reads, nothing was lost."""
    async with _made(make) as (near, far):
        chunk = b"x" * 16384
        sent = 0
        while near.write(chunk):
            sent += len(chunk)
            assert sent < _TOO_MUCH, "no back-pressure"
            await loop.checkpoint()
        sent += len(chunk)
        assert near.writable_need_drain
        assert far.readable_length <= far.readable_high_water_mark + 65536
        near.end()
        assert sum([len(chunk) async for chunk in far.iterator()]) == sent


async def _ping_pong(make: PairMaker) -> None:
    """A hundred messages alternate without growing a stack."""
    async with _made(make) as (near, far):
        far.on("data", far.write)
        count = 0

        def again(chunk: bytes) -> None:
            nonlocal count
            count += 1
            if count < 100:
                near.write(chunk)
            else:
                near.end()
                far.end()

        near.on("data", again)
        near.write(b"x")
        await finished(near, writable=False)
        assert count == 100


async def _close_comes_once(make: PairMaker) -> None:
    """After both ends each side closes by itself, once, and last."""
    async with _made(make) as (near, far):
        logs = [EventLog(stream, *_ALL_ENDS) for stream in (near, far)]
        near.resume()
        far.resume()
        near.end(b"x")
        far.end(b"y")
        await closed(near)
        await closed(far)
        for log in logs:
            assert sorted(map(str, log.names)) == ["close", "end", "finish"]
            assert log.names[-1] == "close"


async def _destroy_is_seen(make: PairMaker) -> None:
    """Destroying one side ends or fails the other one, which closes, too."""
    async with _made(make) as (near, far):
        far.on("error", _ignore)
        far.resume()
        far.on("end", far.end)
        near.destroy()
        await closed(near)
        await closed(far)


async def _piping_leaves_nothing(make: PairMaker) -> None:
    """A pipe to the other side carries all and leaves no listener behind."""
    async with _made(make) as (near, far):
        source = Readable.from_(_CHUNKS)
        before = _listener_counts(near)
        source.pipe(near)
        assert b"".join([chunk async for chunk in far.iterator()]) == _DATA
        await finished(near, readable=False)
        _check_listeners(near, before)


PAIR_CHECKS: Final = (
    _both_ways_at_once,
    _half_open,
    _nobody_reads,
    _ping_pong,
    _close_comes_once,
    _destroy_is_seen,
    _piping_leaves_nothing,
)
