"""Closing and failing: what is emitted, in which order, how often (H-164)."""

from collections.abc import Callable
from typing import Any

import anyio
import pytest

from headrace.events import loop
from headrace.streams import (
    Duplex,
    InvalidArgTypeError,
    PassThrough,
    Readable,
    Stream,
    Writable,
    finished,
)
from headrace.streams.testing import EventLog

Done = Callable[..., None]
ENDS = ("data", "end", "prefinish", "finish", "error", "close")


def readable(**options: Any) -> Readable:
    return Readable({"read": lambda size: None, **options})


def writable(**options: Any) -> Writable:
    """A Writable that never calls back."""
    return Writable({"write": lambda chunk, encoding, callback: None, **options})


def duplex(**options: Any) -> Duplex:
    hooks = {"read": lambda size: None, "write": lambda *args: args[2]()}
    return Duplex({**hooks, **options})


ALL = pytest.mark.parametrize("make", [readable, writable, duplex, PassThrough])
Make = Callable[..., Stream]


def code_of(error: object) -> object:
    return getattr(error, "code", None)


@ALL
async def test_destroy_without_an_error(make: Make) -> None:
    """Only ``close``, on a later tick, and once (N-022, H-008)."""
    stream = make()
    log = EventLog(stream, *ENDS)
    assert stream.destroy() is stream
    assert (stream.destroyed, stream.closed, log.names) == (True, False, [])
    stream.destroy()
    await loop.checkpoint()
    assert log.names == ["close"]
    assert (stream.closed, stream.errored) == (True, None)


@ALL
async def test_destroy_with_an_error(make: Make) -> None:
    """``error`` strictly before ``close`` (N-021)."""
    stream, error = make(), OSError("no")
    log = EventLog(stream, *ENDS)
    stream.destroy(error)
    assert stream.errored is error
    await loop.checkpoint()
    assert log.entries == [("error", error), ("close",)]


@ALL
async def test_only_the_first_error_counts(make: Make) -> None:
    """``error`` at most once whatever happens later (N-025, pitfalls 4 and 6)."""
    stream, first = make(), OSError("first")
    log = EventLog(stream, "error", "close")
    stream.destroy(first)
    stream.destroy(OSError("second"))
    await loop.checkpoint()
    stream.destroy(OSError("third"))
    if isinstance(stream, Readable):
        stream.push(b"late")
        stream.push(7)
        stream.push(None)
    if isinstance(stream, Writable):
        stream.write(b"late")
        stream.end(b"late")
    await loop.checkpoint()
    assert log.entries == [("error", first), ("close",)]


@ALL
async def test_wrong_errors_raise(make: Make) -> None:
    """What is no exception is refused at once and changes nothing (H-011)."""
    stream = make()
    for wrong in ("text", 1, True):
        with pytest.raises(InvalidArgTypeError):
            stream.destroy(wrong)  # type: ignore[arg-type]
    assert not stream.destroyed


@ALL
async def test_unheard_error_is_reported_and_the_stream_closes(make: Make) -> None:
    """Without a listener the error goes to the owner; ``close`` comes (pitfall 5)."""
    stream, error, taken = make(), OSError("no"), list[object]()

    class Owner:
        def take_exception(self, error: Exception, source: object) -> bool:
            taken.append(error)
            return True

    stream._owner = Owner()
    log = EventLog(stream, "close")
    stream.destroy(error)
    await loop.checkpoint()
    assert taken == [error]
    assert log.names == ["close"]


@ALL
async def test_error_listener_that_raises(make: Make) -> None:
    """What it raises is reported; ``close`` comes all the same (pitfall 27)."""
    stream, taken = make(), list[object]()

    class Owner:
        def take_exception(self, error: Exception, source: object) -> bool:
            taken.append(error)
            return True

    def listener(error: Exception) -> None:
        raise ZeroDivisionError

    stream._owner = Owner()
    stream.on("error", listener)
    log = EventLog(stream, "close")
    stream.destroy(OSError("no"))
    await loop.checkpoint()
    assert [type(error) for error in taken] == [ZeroDivisionError]
    assert log.names == ["close"]


@ALL
@pytest.mark.parametrize("outcome", [None, OSError("replaced")])
async def test_destroy_hook_decides_about_the_error(
    make: Make, outcome: OSError | None
) -> None:
    """A custom `_destroy` may swallow or replace the error (N-022)."""
    stream = make(destroy=lambda error, callback: callback(outcome))
    log = EventLog(stream, "error", "close")
    stream.destroy(OSError("given"))
    await loop.checkpoint()
    expected: list[Any] = [("error", outcome)] if outcome else []
    assert log.entries == [*expected, ("close",)]


@ALL
async def test_destroy_hook_takes_its_time(make: Make) -> None:
    """``close`` waits for the callback of `_destroy`; a second call is ignored."""
    held: list[Done] = []
    stream = make(destroy=lambda error, callback: held.append(callback))
    log = EventLog(stream, "error", "close")
    stream.destroy()
    await loop.checkpoint()
    assert log.names == []
    held[0]()
    held[0](OSError("too late"))
    await loop.checkpoint()
    assert log.names == ["close"]


@ALL
async def test_destroy_hook_that_raises(make: Make) -> None:
    """What `_destroy` raises is the error (H-164)."""

    def destroy(error: object, callback: Done) -> None:
        raise ZeroDivisionError

    stream = make(destroy=destroy)
    log = EventLog(stream, "error", "close")
    stream.destroy()
    await loop.checkpoint()
    assert log.names == ["error", "close"]
    assert isinstance(stream.errored, ZeroDivisionError)


async def test_readable_closes_after_end() -> None:
    """``close`` follows ``end`` by itself (N-020)."""
    stream = readable()
    log = EventLog(stream, *ENDS)
    stream.push(None)
    await loop.checkpoint()
    assert log.names == ["end", "close"]
    assert not stream.readable
    assert not stream.readable_aborted


async def test_writable_closes_after_finish() -> None:
    """``close`` follows ``finish`` by itself (N-020)."""
    stream = writable()
    log = EventLog(stream, *ENDS)
    stream.end()
    await loop.checkpoint()
    assert log.names == ["prefinish", "finish", "close"]
    assert not stream.writable_aborted


@pytest.mark.parametrize("make", [readable, writable])
async def test_auto_destroy_off(make: Make) -> None:
    """With `auto_destroy=False` neither the end nor an error destroys (H-164)."""
    ended, failed = make(auto_destroy=False), make(auto_destroy=False)
    logs = [EventLog(stream, *ENDS) for stream in (ended, failed)]
    for stream in (ended, failed):
        if isinstance(stream, Readable):
            stream.push(None)
            await loop.checkpoint()
            if stream is failed:
                stream.unshift(b"late")
        elif isinstance(stream, Writable):
            stream.end()
            if stream is failed:
                stream.write(b"late")
    await loop.checkpoint()
    assert "close" not in logs[0].names
    assert not ended.destroyed
    assert logs[1].names.count("error") == 1
    assert not failed.destroyed
    assert failed.errored is not None
    failed.destroy(OSError("second"))
    await loop.checkpoint()
    assert logs[1].names.count("error") == 1
    assert logs[1].names[-1] == "close"


async def test_push_after_destroy_is_ignored() -> None:
    """It returns False; no ``data``, no error (N-022)."""
    stream = readable()
    log = EventLog(stream, *ENDS)
    stream.destroy()
    assert stream.push(b"x") is False
    assert stream.push("x", "nope") is False
    assert stream.unshift(b"x") is False
    assert stream.push(None) is False
    assert stream.read() is None
    await loop.checkpoint()
    assert log.names == ["close"]


async def test_end_is_cut_off_by_destroy() -> None:
    """Data and end are queued, then `destroy(err)`: no ``end`` (N-027, N-028)."""
    for error in (None, OSError("no")):
        stream = readable()
        stream.push(b"x")
        stream.push(None)
        log = EventLog(stream, *ENDS)
        stream.destroy(error)
        await loop.checkpoint()
        assert "end" not in log.names
        assert "data" not in log.names
        assert not stream.readable_ended
        assert stream.readable_aborted


async def test_destroy_between_the_last_read_and_end() -> None:
    """``end`` is due and does not come any more (N-027)."""
    stream = readable()
    stream.push(b"x")
    stream.push(None)
    log = EventLog(stream, "end", "close")
    assert stream.read() == b"x"
    stream.destroy()
    await loop.checkpoint()
    assert log.names == ["close"]


async def test_destroy_drops_the_buffers() -> None:
    """Nothing is held after `destroy()` (H-164)."""
    stream = duplex(write=lambda *args: None)
    stream.push(b"abc")
    stream.write(b"abc")
    stream.write(b"def")
    stream.destroy()
    assert (stream.readable_length, stream.writable_length) == (0, 0)
    await loop.checkpoint()


async def test_pending_callbacks_get_the_error_in_order() -> None:
    """All that was not written is told, in order, before ``error`` (N-023)."""
    stream, error, order = writable(), OSError("no"), list[Any]()
    stream.on("error", lambda error: order.append("error"))
    for number in range(3):
        stream.write(b"x", lambda error, number=number: order.append((number, error)))  # type: ignore[misc]
    stream.end(lambda error: order.append(("end", error)))
    stream.destroy(error)
    assert order == []
    await loop.checkpoint()
    assert order == [(0, error), (1, error), (2, error), ("end", error), "error"]


async def test_pending_callbacks_without_an_error() -> None:
    """They get ERR_STREAM_DESTROYED (N-023, H-163)."""
    stream, codes = writable(), list[object]()
    stream.write(b"x", lambda error: codes.append(code_of(error)))
    stream.cork()
    stream.write(b"y", lambda error: codes.append(code_of(error)))
    stream.destroy()
    await loop.checkpoint()
    assert codes == ["ERR_STREAM_DESTROYED"] * 2


async def test_written_chunks_are_told_so_even_if_destroyed() -> None:
    """A chunk that was written before `destroy()` gets None (H-163)."""
    stream, told = Writable(write=lambda *args: args[2]()), list[Any]()
    stream.write(b"x", told.append)
    stream.destroy(OSError("no"))
    stream.on("error", lambda error: None)
    await loop.checkpoint()
    assert told == [None]


async def test_write_after_destroy() -> None:
    """It only calls back, with ERR_STREAM_DESTROYED (N-023)."""
    stream, codes = writable(), list[object]()
    log = EventLog(stream, *ENDS)
    stream.destroy()
    for _ in range(2):
        assert stream.write(b"x", lambda error: codes.append(code_of(error))) is False
        stream.end(lambda error: codes.append(code_of(error)))
        await loop.checkpoint()
    assert codes == ["ERR_STREAM_DESTROYED"] * 4
    assert log.names == ["close"]


async def test_late_callback_of_a_write_is_ignored() -> None:
    """An implementation that calls back after `destroy()` does no harm (pitfall 6)."""
    held: list[Done] = []
    stream = Writable(write=lambda chunk, encoding, callback: held.append(callback))
    log = EventLog(stream, *ENDS)
    stream.write(b"x")
    stream.destroy()
    held[0]()
    await loop.checkpoint()
    held[0](OSError("late"))
    await loop.checkpoint()
    assert log.names == ["close"]


async def test_destroy_after_end_and_before_final_has_finished() -> None:
    """Neither ``prefinish`` nor ``finish`` (N-053).

    ``prefinish`` comes before `_final` (H-163), so it is left out only if the destroy
    comes before that.
    """
    held: list[Done] = []
    early, late = writable(final=held.append), writable(final=held.append)
    logs = [EventLog(stream, *ENDS) for stream in (early, late)]
    early.end()
    early.destroy()
    late.end()
    await loop.checkpoint()
    late.destroy()
    held[0]()
    await loop.checkpoint()
    assert len(held) == 1
    assert logs[0].names == ["close"]
    assert logs[1].names == ["prefinish", "close"]


async def test_error_of_a_write() -> None:
    """Callback first, then ``error``, then ``close``; the queue gets the same."""
    error, order = OSError("no"), list[Any]()
    held: list[Done] = []
    stream = Writable(write=lambda chunk, encoding, callback: held.append(callback))
    stream.on("error", lambda error: order.append("error"))
    stream.on("close", lambda: order.append("close"))
    stream.write(b"a", lambda error: order.append(("a", error)))
    stream.write(b"b", lambda error: order.append(("b", error)))
    held[0](error)
    assert stream.write(b"late") is False
    await loop.checkpoint()
    assert order == [("a", error), ("b", error), "error", "close"]


async def test_duplex_closes_once_for_both_sides() -> None:
    """One ``close``, one ``error`` (N-024)."""
    stream, error = duplex(), OSError("no")
    log = EventLog(stream, *ENDS)
    stream.write(b"x")
    stream.destroy(error)
    stream.push(None)
    stream.end()
    await loop.checkpoint()
    assert log.entries == [("error", error), ("close",)]
    assert not stream.readable
    assert not stream.writable


async def test_async_with_destroys() -> None:
    """`async with stream` destroys it at the end (X-121)."""
    async with readable() as stream:
        assert not stream.destroyed
    assert stream.destroyed
    await loop.checkpoint()
    assert stream.closed


async def test_a_cancelled_scope_destroys_its_streams() -> None:
    """`async with stream` ties it to a cancel scope (X-117, X-121)."""
    stream = readable()
    with anyio.CancelScope() as scope:
        async with stream:
            scope.cancel()
            await finished(stream)
    assert scope.cancelled_caught
    assert stream.destroyed
    await loop.checkpoint()
    assert stream.closed
    assert stream.event_names() == []


@pytest.mark.parametrize("event", ["data", "end", "readable", "pause", "resume"])
@pytest.mark.parametrize("error", [None, OSError("no")])
async def test_destroy_inside_events_of_reading(
    event: str, error: OSError | None
) -> None:
    """From inside any event: one ``close``, nothing but ``error`` before it."""
    stream = readable()
    log = EventLog(stream, "error", "close")
    stream.custom.on(event, lambda *_: stream.destroy(error))
    stream.push(b"a")
    stream.push(b"b")
    stream.push(None)
    if event == "pause":
        stream.pause()
    elif event != "readable":
        stream.resume()
    await loop.checkpoint()
    assert log.names == (["error", "close"] if error else ["close"])
    assert stream.readable_length == 0


@pytest.mark.parametrize("event", ["drain", "prefinish", "finish", "pipe", "unpipe"])
@pytest.mark.parametrize("error", [None, OSError("no")])
async def test_destroy_inside_events_of_writing(
    event: str, error: OSError | None
) -> None:
    """From inside any event: one ``close``; ``finish`` only if that was the event."""
    stream = Writable(write=lambda *args: args[2](), high_water_mark=1)
    log = EventLog(stream, "finish", "error", "close")
    stream.custom.on(event, lambda *_: stream.destroy(error))
    source = readable()
    source.pipe(stream)
    source.push(b"abc")
    await loop.checkpoint()
    source.push(None)
    await loop.checkpoint()
    expected = ["error", "close"] if error else ["close"]
    assert log.names == (["finish", *expected] if event == "finish" else expected)


async def test_close_is_frozen_between_callbacks_and_events() -> None:
    """callbacks, ``error``, ``close``: no other tick comes between (pitfall 28)."""
    stream, order = writable(), list[str]()
    stream.on("error", lambda error: order.append("error"))
    stream.on("close", lambda: order.append("close"))
    stream.write(b"x", lambda error: order.append("callback"))
    loop.next_tick(order.append, "before")
    stream.destroy(OSError("no"))
    loop.next_tick(order.append, "after")
    await loop.checkpoint()
    assert order == ["before", "callback", "error", "close", "after"]


async def test_repr_shows_the_state() -> None:
    """One line says what there is to know (house-style 9)."""
    stream = duplex(high_water_mark=10)
    stream.push(b"abc")
    assert repr(stream) == (
        "<Duplex open readable=open/undecided 3/10 writable=open 0/10>"
    )
    stream.destroy(OSError("no"))
    assert "destroyed" not in repr(Readable())
    assert "errored=OSError('no')" in repr(stream)
    stream.on("error", lambda error: None)
    await loop.checkpoint()


@ALL
async def test_an_async_listener_that_raises_destroys_the_stream(make: Make) -> None:
    """Its exception is the stream's one ``error``, however often it raises (H-150)."""
    stream = make()
    log = EventLog(stream, *ENDS)

    async def fail() -> None:
        raise ValueError("in a listener")

    stream.custom.on("now", fail)
    stream.emit("now")
    stream.emit("now")
    while not stream.closed:
        await loop.checkpoint()
    assert log.names == ["error", "close"]
    assert isinstance(stream.errored, ValueError)
