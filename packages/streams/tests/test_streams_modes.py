"""Who gets the data, and when: flowing, paused, `readable`."""

from typing import Any

import pytest

from headrace.events import loop
from headrace.streams import PassThrough, Readable, Writable
from headrace.streams.testing import EventLog


def pushed(*chunks: Any, **options: Any) -> Readable:
    """A Readable that was given `chunks` and nothing more."""
    stream = Readable(read=lambda size: None, **options)
    for chunk in chunks:
        stream.push(chunk)
    return stream


def sink(parts: list[Any]) -> Writable:
    def write(chunk: Any, encoding: str, callback: Any) -> None:
        parts.append(chunk)
        callback()

    return Writable(write=write)


async def test_flow_begins_with_a_data_listener() -> None:
    """`readable_flowing` is None, then True; data come later (H-155, H-156)."""
    stream, got = pushed(b"a"), list[bytes]()
    assert stream.readable_flowing is None
    stream.on("data", got.append)
    assert stream.readable_flowing is True
    assert got == []
    await loop.checkpoint()
    assert got == [b"a"]


@pytest.mark.parametrize("start", ["on", "resume", "pipe"])
async def test_what_starts_the_flow(start: str) -> None:
    """`on("data")`, `resume()` and `pipe()` start it, `pause()` stops it (H-155)."""
    stream = pushed()
    if start == "on":
        stream.on("data", lambda chunk: None)
    elif start == "resume":
        assert stream.resume() is stream
    else:
        stream.pipe(PassThrough())
    assert stream.readable_flowing is True
    assert not stream.is_paused()
    assert stream.pause() is stream
    assert stream.readable_flowing is False
    assert stream.is_paused()


async def test_data_listener_does_not_undo_pause() -> None:
    """`on("data")` after an explicit `pause()` does not start the flow (H-155)."""
    stream, got = pushed(b"a"), list[bytes]()
    stream.pause()
    stream.on("data", got.append)
    await loop.checkpoint()
    assert got == []
    stream.resume()
    await loop.checkpoint()
    assert got == [b"a"]


async def test_removing_data_listeners_does_not_pause() -> None:
    """Without a listener a flowing stream drops its data (H-155, H-158)."""
    stream = pushed(b"a")
    stream.on("data", print)
    stream.off("data", print)
    assert stream.readable_flowing is True
    stream.push(b"b")
    stream.push(None)
    log = EventLog(stream, "end")
    await loop.checkpoint()
    assert log.names == ["end"]


async def test_readable_listener_keeps_the_flow_off() -> None:
    """Under a ``readable`` listener `resume()` and `on("data")` wait (H-155)."""
    stream, got = pushed(b"a"), list[bytes]()
    stream.on("readable", lambda: None)
    stream.on("data", got.append)
    stream.resume()
    await loop.checkpoint()
    assert got == []
    assert stream.readable_flowing is False


async def test_waiting_flow_goes_on_when_the_readable_listener_goes() -> None:
    """Removing the last ``readable`` listener lets the flow go on (N-033)."""
    stream, got = pushed(b"a", b"b", None), list[bytes]()
    log = EventLog(stream, "end")

    def listener() -> None:
        """Read nothing."""

    stream.on("readable", listener)
    stream.on("data", got.append)
    stream.resume()
    stream.off("readable", listener)
    await loop.checkpoint()
    assert got == [b"a", b"b"]
    assert log.names == ["end"]


async def test_removing_all_listeners_lets_a_waiting_flow_go_on() -> None:
    """`remove_all_listeners("readable")` counts as removing the last one (N-033)."""
    stream, got = pushed(b"a"), list[bytes]()
    stream.on("readable", lambda: None)
    stream.on("data", got.append)
    await loop.checkpoint()
    stream.remove_all_listeners("readable")
    await loop.checkpoint()
    assert got == [b"a"]


async def test_exchanging_the_readable_listener_starts_no_flow() -> None:
    """A new ``readable`` listener in the same tick keeps the flow off (H-155)."""
    stream, got = pushed(b"a"), list[bytes]()
    stream.on("data", got.append)
    stream.on("readable", print)
    stream.off("readable", print)
    stream.on("readable", lambda: None)
    await loop.checkpoint()
    assert got == []


async def test_pause_survives_a_readable_listener() -> None:
    """A stream paused before or under ``readable`` is paused after it (H-155)."""
    stream, got = pushed(b"a"), list[bytes]()
    stream.on("data", got.append)
    stream.on("readable", print)
    stream.pause()
    stream.off("readable", print)
    await loop.checkpoint()
    assert got == []
    assert stream.readable_flowing is False


async def test_readable_for_data_that_were_there_before() -> None:
    """``readable`` comes for data pushed before the listener was added (N-029)."""
    stream = pushed(b"a")
    log = EventLog(stream, "readable")
    await loop.checkpoint()
    assert log.names == ["readable"]


async def test_pushes_of_one_tick_give_one_readable() -> None:
    """``readable`` is coalesced (H-156, N-030)."""
    stream = pushed()
    log = EventLog(stream, "readable")
    await loop.checkpoint()
    for _ in range(3):
        stream.push(b"x")
    assert log.names == []
    await loop.checkpoint()
    assert log.names == ["readable"]
    assert stream.read() == b"xxx"
    stream.push(b"y")
    await loop.checkpoint()
    assert log.names == ["readable", "readable"]


async def test_readable_tells_of_the_end() -> None:
    """``readable`` comes when the end is reached, then `read()` gives None (H-156)."""
    stream = pushed()
    log = EventLog(stream, "readable", "end")
    await loop.checkpoint()
    stream.push(None)
    assert stream.read() is None
    await loop.checkpoint()
    assert log.names == ["readable", "end"]


async def test_reading_inside_data_does_not_grow_the_stack() -> None:
    """10,000 chunks, with a `read` inside each ``data``, need no stack (N-031)."""
    left = 10_000

    def read(size: int) -> None:
        nonlocal left
        left -= 1
        stream.push(b"x" if left >= 0 else None)

    stream = Readable(read=read, high_water_mark=10)
    stream.on("data", lambda chunk: stream.read(0))
    ended = EventLog(stream, "end")
    await loop.checkpoint()
    assert ended.names == ["end"]


async def test_a_large_read_asks_once() -> None:
    """`read(5000)` of a stream with a mark of 2 asks for it in one go (N-031)."""
    asked: list[int] = []

    def read(size: int) -> None:
        asked.append(size)
        stream.push(b"x" * 5000 if len(asked) == 1 else None)

    stream = Readable(read=read, high_water_mark=2)
    assert stream.read(5000) == b"x" * 5000
    await loop.checkpoint()
    assert asked == [8192, 8192]


async def test_no_data_after_pause_has_returned() -> None:
    """`pause()` inside ``data`` holds back what is buffered (H-158)."""
    stream, got = pushed(b"a", b"b", b"c"), list[bytes]()

    def take(chunk: bytes) -> None:
        got.append(chunk)
        stream.pause()

    stream.on("data", take)
    await loop.checkpoint()
    assert got == [b"a"]
    stream.push(b"d")
    await loop.checkpoint()
    assert got == [b"a"]
    assert stream.readable_length == 3


async def test_pause_and_resume_events() -> None:
    """Each change of the flow is told once (H-156)."""
    stream = pushed()
    log = EventLog(stream, "pause", "resume")
    stream.resume().resume()
    await loop.checkpoint()
    stream.pause().pause()
    stream.resume()
    await loop.checkpoint()
    assert log.names == ["resume", "pause", "resume"]


async def test_pause_before_anybody_listens() -> None:
    """A stream can be paused before it has a consumer (H-158, N-032)."""
    stream = pushed(b"a")
    stream.pause()
    assert stream.is_paused()
    stream.resume()
    assert not stream.is_paused()


async def test_data_listener_removed_and_added_again() -> None:
    """The flow goes on for a listener that comes back (N-032)."""
    stream, got = pushed(), list[bytes]()
    stream.on("data", got.append)
    stream.push(b"a")
    await loop.checkpoint()
    stream.pause()
    stream.off("data", got.append)
    stream.push(b"b")
    stream.on("data", got.append)
    stream.resume()
    await loop.checkpoint()
    assert got == [b"a", b"b"]


async def test_read_after_pause_then_pipe() -> None:
    """Read a part, pipe the rest: each byte comes once (N-040)."""
    stream, parts = pushed(b"abc", b"def"), list[bytes]()
    stream.pause()
    first = stream.read(2)
    destination = sink(parts)
    stream.pipe(destination)
    stream.push(b"ghi")
    stream.push(None)
    await loop.checkpoint()
    assert first == b"ab"
    assert b"".join(parts) == b"cdefghi"
    assert destination.writable_finished


async def test_read_emits_data() -> None:
    """What `read()` returns is emitted, too (H-157)."""
    stream, got = pushed(b"abc"), list[bytes]()
    stream.on("readable", lambda: None)
    stream.on("data", got.append)
    await loop.checkpoint()
    assert stream.read(2) == b"ab"
    assert got == [b"ab"]


async def test_end_waits_while_paused() -> None:
    """``end`` does not come while paused, and comes after `resume()` (N-046)."""
    stream = pushed(b"a")
    log = EventLog(stream, "end")
    stream.pause()
    stream.push(None)
    await loop.checkpoint()
    assert log.names == []
    assert not stream.readable_ended
    stream.resume()
    await loop.checkpoint()
    assert log.names == ["end"]
    assert stream.readable_ended


async def test_no_end_without_a_reader() -> None:
    """An ended stream that nobody reads does not emit ``end`` (H-156)."""
    stream = pushed(b"a", None)
    log = EventLog(stream, "end", "close")
    await loop.checkpoint()
    assert log.names == []


async def test_ended_turns_true_with_end() -> None:
    """`readable_ended` is False until ``end`` is emitted, True inside it (N-026)."""
    stream, seen = pushed(b"a", None), list[bool]()
    stream.on("end", lambda: seen.append(stream.readable_ended))
    stream.on("data", lambda chunk: seen.append(stream.readable_ended))
    stream.on("close", lambda: seen.append(stream.readable_ended))
    await loop.checkpoint()
    assert seen == [False, True, True]


async def test_late_resume_after_end_is_harmless() -> None:
    """Nothing follows ``end`` and ``close`` (H-156)."""
    stream = pushed(None)
    log = EventLog(stream, "end", "close", "data", "resume")
    stream.resume()
    await loop.checkpoint()
    stream.resume()
    stream.on("data", print)
    await loop.checkpoint()
    assert log.names == ["resume", "end", "close"]
