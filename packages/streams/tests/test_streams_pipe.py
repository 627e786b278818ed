"""`pipe` and `unpipe` (H-160)."""

from collections.abc import Callable
from typing import Any

import pytest

from headrace.events import loop
from headrace.streams import PassThrough, Readable, Stream, Writable
from headrace.streams.testing import EventLog

Done = Callable[..., None]


def source(*chunks: bytes | None) -> Readable:
    stream = Readable(read=lambda size: None)
    for chunk in chunks:
        stream.push(chunk)
    return stream


class Slow(Writable):
    """Keeps each chunk until `go_on` is called."""

    def __init__(self, mark: int = 1) -> None:
        super().__init__(high_water_mark=mark)
        self.got: list[bytes] = []
        self.waiting: list[Done] = []

    def _write(self, chunk: bytes, encoding: str, callback: Done) -> None:
        self.got.append(chunk)
        self.waiting.append(callback)

    def go_on(self) -> None:
        self.waiting.pop(0)()


class Quick(Writable):
    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.got: list[bytes] = []

    def _write(self, chunk: bytes, encoding: str, callback: Done) -> None:
        self.got.append(chunk)
        callback()


class Owner:
    """Takes the exceptions that nobody catches."""

    def __init__(self) -> None:
        self.taken: list[Exception] = []

    def take_exception(self, error: Exception, source: object) -> bool:
        self.taken.append(error)
        return True


def listeners(stream: Stream) -> int:
    return sum(stream.listener_count(name) for name in stream.event_names())


async def test_pipe_gives_everything_and_ends() -> None:
    """All data, then `end()`; the destination is returned (H-160)."""
    origin, destination = source(b"a", b"b", None), Quick()
    assert origin.pipe(destination) is destination
    assert destination.got == []
    await loop.checkpoint()
    assert destination.got == [b"a", b"b"]
    assert destination.writable_finished


async def test_pipe_without_end() -> None:
    """With `end=False` the destination stays open (H-160)."""
    origin, destination = source(b"a", None), Quick()
    origin.pipe(destination, end=False)
    await loop.checkpoint()
    assert origin.readable_ended
    assert destination.writable
    assert listeners(destination) == 0


async def test_standard_output_is_not_ended() -> None:
    """A destination that stands for stdout or stderr is not ended (H-160)."""
    origin, destination = source(b"a", None), Quick()
    destination._is_stdio = True
    origin.pipe(destination)
    await loop.checkpoint()
    assert destination.writable


async def test_source_waits_for_a_full_destination() -> None:
    """`write()` gave False: the source is paused until ``drain`` (H-160)."""
    origin, destination = source(b"a", b"b", b"c"), Slow()
    origin.pipe(destination)
    await loop.checkpoint()
    assert destination.got == [b"a"]
    assert origin.is_paused()
    destination.go_on()
    await loop.checkpoint()
    assert destination.got == [b"a", b"b"]


async def test_source_waits_for_every_destination() -> None:
    """With several slow destinations the slowest sets the pace (N-041)."""
    origin = source(b"a", b"b", b"c")
    one, two, quick = Slow(), Slow(), Quick()
    for destination in (one, two, quick):
        origin.pipe(destination)
    await loop.checkpoint()
    one.go_on()
    await loop.checkpoint()
    assert [len(stream.got) for stream in (one, two, quick)] == [1, 1, 1]
    two.go_on()
    await loop.checkpoint()
    assert [len(stream.got) for stream in (one, two, quick)] == [2, 2, 2]


async def test_destination_that_is_full_at_the_start() -> None:
    """A pipe to a stream that needs to drain begins with its ``drain`` (N-041)."""
    origin, destination = source(b"b"), Slow()
    destination.write(b"a")
    origin.pipe(destination)
    await loop.checkpoint()
    assert destination.got == [b"a"]
    destination.go_on()
    await loop.checkpoint()
    assert destination.got == [b"a", b"b"]


async def test_a_pause_by_the_user_outlasts_the_drain() -> None:
    """`pause()` while the pipe waits holds until `resume()` (H-158).

    Node lets the pipe resume the stream.
    """
    origin, destination = source(b"a", b"b"), Slow()
    origin.pipe(destination)
    await loop.checkpoint()
    origin.pause()
    destination.go_on()
    await loop.checkpoint()
    assert destination.got == [b"a"]
    origin.resume()
    await loop.checkpoint()
    assert destination.got == [b"a", b"b"]


async def test_removing_the_full_destination_lets_the_others_go_on() -> None:
    """After `unpipe` of the slow one the quick one gets the rest (H-160)."""
    origin, slow, quick = source(b"a", b"b"), Slow(), Quick()
    origin.pipe(slow)
    origin.pipe(quick)
    await loop.checkpoint()
    origin.unpipe(slow)
    await loop.checkpoint()
    assert quick.got == [b"a", b"b"]


async def test_unpipe_stops_the_flow() -> None:
    """After `unpipe` the source is paused and loses nothing (N-044)."""
    origin, destination = source(b"a"), Quick()
    origin.pipe(destination)
    await loop.checkpoint()
    assert origin.unpipe(destination) is origin
    assert origin.readable_flowing is False
    origin.push(b"b")
    await loop.checkpoint()
    assert origin.readable_length == 1
    other = Quick()
    origin.pipe(other)
    await loop.checkpoint()
    assert (destination.got, other.got) == ([b"a"], [b"b"])


async def test_unpipe_of_all_and_of_none() -> None:
    """Without argument all destinations go; a stranger changes nothing (H-160)."""
    origin, one, two = source(b"a"), Quick(), Quick()
    assert origin.unpipe() is origin
    origin.pipe(one)
    origin.pipe(two)
    origin.unpipe(Quick())
    assert origin.readable_flowing is True
    origin.unpipe()
    assert listeners(one) == listeners(two) == listeners(origin) == 0


@pytest.mark.parametrize("how", ["end", "source_close", "close", "finish", "unpipe"])
async def test_no_listener_is_left(how: str) -> None:
    """Whichever side ends, no listener of ours stays on either (N-042)."""
    origin, destination = source(b"a"), Slow()
    origin.pipe(destination)
    await loop.checkpoint()
    if how == "end":
        origin.push(None)
        destination.go_on()
    elif how == "source_close":
        origin.destroy()
    elif how == "close":
        destination.destroy()
    elif how == "finish":
        destination.end()
        destination.go_on()
    else:
        origin.unpipe()
    await loop.checkpoint()
    assert (listeners(origin), listeners(destination)) == (0, 0)


async def test_events_of_the_destination() -> None:
    """``pipe`` and ``unpipe`` come with the source, also at its end (N-045)."""
    origin, destination = source(b"a"), Quick()
    log = EventLog(destination, "pipe", "unpipe", "finish")
    origin.pipe(destination)
    assert log.entries == [("pipe", origin)]
    origin.unpipe(destination)
    assert log.entries[1:] == [("unpipe", origin)]
    origin.pipe(destination)
    origin.push(None)
    await loop.checkpoint()
    assert log.names == ["pipe", "unpipe", "pipe", "unpipe", "finish"]


async def test_handled_error_of_the_destination_unpipes() -> None:
    """With a listener of its own the error unpipes and the source lives (N-043)."""
    origin, destination = source(b"a"), Slow()
    log = EventLog(destination, "error", "unpipe")
    origin.pipe(destination)
    await loop.checkpoint()
    destination.destroy(OSError("broken"))
    await loop.checkpoint()
    assert log.names == ["unpipe", "error"]
    assert not origin.destroyed
    assert origin.readable


async def test_unhandled_error_of_the_destination_stays_unhandled() -> None:
    """The pipe is no listener: the error is reported (H-160, N-043)."""
    origin, destination, owner = source(b"a"), Slow(), Owner()
    destination._owner = owner
    origin.pipe(destination)
    await loop.checkpoint()
    error = OSError("broken")
    destination.destroy(error)
    await loop.checkpoint()
    assert owner.taken == [error]
    assert destination.closed
    assert not origin.destroyed


@pytest.mark.parametrize("error", [None, OSError("broken")])
async def test_source_failure_does_not_end_the_destination(
    error: OSError | None,
) -> None:
    """Source error or destroy leaves the destination open (H-160, pitfall 8)."""
    origin, destination = source(b"a"), Quick()
    origin.on("error", lambda error: None)
    origin.pipe(destination)
    await loop.checkpoint()
    origin.destroy(error)
    await loop.checkpoint()
    assert destination.writable
    assert not destination.writable_ended


async def test_pipe_of_an_ended_source() -> None:
    """A source that has ended ends the destination (H-160)."""
    origin, destination = source(None), Quick()
    origin._auto_destroy = False
    origin.resume()
    await loop.checkpoint()
    assert origin.readable_ended
    origin.pipe(destination)
    await loop.checkpoint()
    assert destination.writable_finished


async def test_other_data_listeners_hear_the_same() -> None:
    """A ``data`` listener beside the pipe gets each chunk once (H-160)."""
    origin, destination, heard = source(b"a"), Quick(), list[bytes]()
    origin.pipe(destination)
    origin.on("data", heard.append)
    await loop.checkpoint()
    origin.off("data", heard.append)
    origin.push(b"b")
    assert heard == [b"a"]
    assert destination.got == [b"a", b"b"]


async def test_writable_has_no_pipe() -> None:
    """`pipe` of a stream that is only writable is ERR_STREAM_CANNOT_PIPE (H-057)."""
    stream = Quick()
    log = EventLog(stream, "error")
    stream.pipe(PassThrough())
    await loop.checkpoint()
    assert getattr(log.entries[0][1], "code", None) == "ERR_STREAM_CANNOT_PIPE"


async def test_unpipe_inside_data() -> None:
    """Undoing the pipe from a listener of the same chunk loses nothing (pitfall 27)."""
    origin, destination = source(b"a", b"b", b"c"), Quick()
    origin.on("data", lambda chunk: origin.unpipe(destination))
    origin.pipe(destination)
    await loop.checkpoint()
    assert destination.got in ([], [b"a"])
    assert origin.readable_length == 2


async def test_piping_twice_writes_twice() -> None:
    """The same destination twice gets each chunk twice; `unpipe` undoes one (H-160)."""
    origin, destination = source(b"a"), Quick()
    origin.pipe(destination)
    origin.pipe(destination)
    await loop.checkpoint()
    assert destination.got == [b"a", b"a"]
    origin.unpipe(destination)
    assert origin.readable_flowing is True
    origin.push(b"b")
    assert destination.got == [b"a", b"a", b"b"]


async def test_chain_carries_back_pressure() -> None:
    """A slow end holds back the start through the stages between (H-160)."""
    pushed = 0

    def read(size: int) -> None:
        nonlocal pushed
        pushed += 1
        origin.push(b"x" * 10)

    origin = Readable(read=read, high_water_mark=20)
    middle, end = PassThrough(high_water_mark=20), Slow(mark=20)
    origin.pipe(middle).pipe(end)
    await loop.checkpoint()
    # At most the marks and one chunk a buffer: 4 buffers of 20 bytes, chunks of 10.
    assert pushed <= 4 * 3
    assert len(end.got) == 1
    for stream in (origin, middle, end):
        stream.destroy()
