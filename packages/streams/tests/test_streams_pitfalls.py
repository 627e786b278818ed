"""The pitfalls of Node's streams that this design must not fall into (beyond.md 7)."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from headrace.events import loop
from headrace.streams import (
    PassThrough,
    PrematureCloseError,
    Readable,
    Stream,
    Transform,
    Writable,
    duplex_pair,
    finished,
    pipeline,
)
from headrace.streams.testing import EventLog, closed

Done = Callable[..., None]
ENDS = ("end", "finish", "error", "close")


def source(*chunks: bytes | None) -> Readable:
    stream = Readable(read=lambda size: None)
    for chunk in chunks:
        stream.push(chunk)
    return stream


class Sink(Writable):
    def __init__(self) -> None:
        super().__init__()
        self.got: list[bytes] = []

    def _write(self, chunk: bytes, encoding: str, callback: Done) -> None:
        self.got.append(chunk)
        callback()


async def test_3_a_truncated_body_never_ends() -> None:
    """3: `end` does not come for a part of the data, however the rest got lost."""
    for error in (None, OSError("cut off")):
        origin, sink = source(b"half of it"), Sink()
        logs = [EventLog(stream, *ENDS) for stream in (origin, sink)]
        joined = pipeline(origin, sink)
        loop.call_soon(origin.destroy, error)
        with pytest.raises((PrematureCloseError, OSError)):
            await joined
        await closed(sink)
        for log in logs:
            assert log.names[-1] == "close"
            assert log.names.count("close") == 1
            assert not {"end", "finish"} & set(log.names)


async def test_3_a_peer_that_breaks_off_is_told_from_one_that_ends() -> None:
    """3: reading a whole body and half of one do not look alike."""
    whole, half = duplex_pair(), duplex_pair()
    for near, _ in (whole, half):
        near.write(b"data")
    whole[0].end()
    assert b"".join([chunk async for chunk in whole[1].iterator()]) == b"data"
    iterator = half[1].iterator()
    await anext(iterator)
    half[0].destroy()
    with pytest.raises(PrematureCloseError):
        await anext(iterator)


@pytest.mark.parametrize("ending", ["finish", "error", "destroy", "write error"])
async def test_4_each_callback_exactly_once(ending: str) -> None:
    """4: whatever happens, each callback comes once and `error` at most once."""
    held: list[Done] = []
    stream = Writable(write=lambda chunk, encoding, callback: held.append(callback))
    log, told = EventLog(stream, "error", "close"), list[Any]()
    for number in range(3):
        stream.write(b"x", lambda error, number=number: told.append(number))  # type: ignore[misc]
    stream.end(lambda error: told.append("end"))
    finished(stream, lambda error: told.append("finished"))
    if ending == "finish":
        while held:
            held.pop(0)()
    elif ending == "write error":
        held.pop(0)(OSError("no"))
    else:
        stream.destroy(OSError("no") if ending == "error" else None)
    for callback in held:
        callback(OSError("again"))
    await closed(stream)
    stream.destroy(OSError("much later"))
    await loop.checkpoint()
    assert sorted(map(str, told)) == ["0", "1", "2", "end", "finished"]
    assert log.names.count("error") == (1 if "error" in ending else 0)
    assert log.names.count("close") == 1


async def test_6_errors_after_destroy_do_not_surface() -> None:
    """6: after `destroy()` only the given error comes, whatever fails later."""
    late: list[Done] = []
    stream = Transform(transform=lambda *args: late.append(args[2]))
    log = EventLog(stream, "error", "close")
    stream.write(b"x")
    given = OSError("given")
    stream.destroy(given)
    late[0](OSError("late"))
    stream.push(7)
    stream.push(None)
    stream.push(b"after the end")
    stream.unshift(b"x")
    stream.write(b"y")
    stream.end(b"z")
    await closed(stream)
    late[0](OSError("later"))
    await loop.checkpoint()
    assert log.entries == [("error", given), ("close",)]


async def test_7_nobody_waits_for_a_stream_that_is_gone() -> None:
    """7: writing, draining, finishing, piping into it: all end at once."""
    sink, told = Sink(), list[Any]()
    sink.destroy()
    sink.write(b"x", told.append)
    sink.end(told.append)
    for wait in (sink.drain(), finished(sink), pipeline([b"x"], sink)):
        with pytest.raises(RuntimeError):
            await wait
    assert [error.code for error in told] == ["ERR_STREAM_DESTROYED"] * 2


async def test_8_pipe_leaves_what_pipeline_cleans_up() -> None:
    """8: `pipe` forwards no error and destroys nothing; `pipeline` does both."""
    for joined_by_pipeline in (False, True):
        origin, middle, sink = source(b"a"), PassThrough(), Sink()
        told: list[Any] = []
        if joined_by_pipeline:
            pipeline(origin, middle, sink, told.append)
        else:
            origin.pipe(middle).pipe(sink)
        middle.on("error", lambda error: None)
        await loop.checkpoint()
        error = OSError("no")
        middle.destroy(error)
        await loop.checkpoint()
        assert origin.destroyed is sink.destroyed is joined_by_pipeline
        assert told == ([error] if joined_by_pipeline else [])


def destroy(stream: Any) -> None:
    stream.destroy()


def fail(stream: Any) -> None:
    stream.destroy(OSError("no"))


def end(stream: Any) -> None:
    stream.end()


def write(stream: Any) -> None:
    stream.write(b"more")


def pause_and_resume(stream: Any) -> None:
    stream.pause()
    stream.resume()


def read(stream: Any) -> None:
    stream.read()


def put_back(stream: Any) -> None:
    stream.unshift(b"again")


def unpipe(stream: Any) -> None:
    stream.unpipe()


def listen(stream: Any) -> None:
    stream.on("data", print)
    stream.off("data", print)


def strip(stream: Any) -> None:
    stream.remove_all_listeners("data")
    stream.remove_all_listeners("readable")


ACTIONS = [
    destroy,
    fail,
    end,
    write,
    pause_and_resume,
    read,
    put_back,
    unpipe,
    listen,
    strip,
]
EVENTS = [
    "data",
    "readable",
    "end",
    "drain",
    "prefinish",
    "finish",
    "pause",
    "resume",
    "pipe",
    "unpipe",
    "error",
    "close",
]


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("action", ACTIONS)
async def test_27_anything_inside_any_event(
    event: str, action: Callable[[Stream], None]
) -> None:
    """27: state is updated before it is told, so a listener may do anything."""
    stream, before, sink = PassThrough(high_water_mark=2), source(b"abc"), Sink()
    log = EventLog(stream, *ENDS)
    done = 0

    def listener(*_: object) -> None:
        nonlocal done
        done += 1
        if done <= 3:
            action(stream)

    stream.custom.on(event, listener)
    stream.on("error", lambda error: None)
    before.pipe(stream)
    stream.pipe(sink)
    await loop.checkpoint()
    before.push(None)
    await loop.checkpoint()
    stream.unpipe(sink)
    stream.end()
    stream.remove_all_listeners("readable")
    stream.resume()
    await loop.checkpoint()
    stream.destroy()
    await closed(stream)
    assert log.names[-1] == "close"
    assert [log.names.count(name) <= 1 for name in ENDS] == [True] * 4
    if "error" in log.names:
        assert log.names[-2:] == ["error", "close"]
    assert (stream.readable_length, stream.writable_length) == (0, 0)
    sink.destroy()
    before.destroy()
    await loop.checkpoint()


def noted(order: list[str], name: str) -> Callable[..., None]:
    """Return a hook that notes its name and calls back with what it was given."""

    def hook(*args: Any) -> None:
        *given, callback = args
        order.append(name)
        callback(*given)

    return hook


async def test_28_the_order_of_a_whole_life() -> None:
    """28: callbacks and events of writing and reading, from the first to the last."""
    order: list[str] = []
    stream = PassThrough(
        construct=noted(order, "_construct"),
        flush=noted(order, "_flush"),
        destroy=noted(order, "_destroy"),
        high_water_mark=1,
    )
    for event in ("resume", "drain", "prefinish", "finish", "end", "close"):
        stream.custom.on(event, partial(order.append, event))
    stream.on("data", lambda chunk: order.append("data"))
    stream.write(b"ab", lambda error: order.append("write callback"))
    await loop.checkpoint()
    stream.end(lambda error: order.append("end callback"))
    await closed(stream)
    assert order == [
        "_construct",
        "resume",
        "data",
        "write callback",
        "drain",
        "prefinish",
        "_flush",
        "end callback",
        "finish",
        "end",
        "_destroy",
        "close",
    ]


async def test_28_the_order_of_a_failure() -> None:
    """28: `_destroy`, the callbacks in order, `error`, `close`."""
    order: list[str] = []
    stream = PassThrough(
        transform=lambda *args: args[2](OSError("no")),
        destroy=noted(order, "_destroy"),
    )
    for event in ("prefinish", "finish", "end", "error", "close"):
        stream.custom.on(event, lambda *_, event=event: order.append(event))
    stream.cork()
    stream.write(b"a", lambda error: order.append("first"))
    stream.write(b"b", lambda error: order.append("second"))
    stream.end(lambda error: order.append("end callback"))
    await closed(stream)
    assert order == ["_destroy", "first", "second", "end callback", "error", "close"]
