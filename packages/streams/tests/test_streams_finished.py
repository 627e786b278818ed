"""`finished` and `drain()`: learning what a stream came to (X-111)."""

from collections.abc import Callable
from typing import Any

import anyio
import pytest

from headrace.events import loop
from headrace.streams import (
    Duplex,
    InvalidArgTypeError,
    PrematureCloseError,
    Readable,
    Stream,
    StreamDestroyedError,
    Writable,
    duplex_pair,
    finished,
)

Done = Callable[..., None]


def readable(**options: Any) -> Readable:
    return Readable({"read": lambda size: None, **options})


def writable(**options: Any) -> Writable:
    return Writable({"write": lambda *args: args[2](), **options})


async def test_end() -> None:
    """Called at ``end``, once, with None; no listener is left (N-056)."""
    stream, told = readable(), list[Any]()
    finished(stream, told.append)
    stream.push(None)
    stream.resume()
    await loop.checkpoint()
    assert told == [None]
    assert stream.event_names() == []


async def test_finish() -> None:
    """Called at ``finish`` (N-056)."""
    stream, told = writable(), list[Any]()
    finished(stream, told.append)
    stream.end()
    await loop.checkpoint()
    assert told == [None]
    assert stream.event_names() == []


@pytest.mark.parametrize("make", [readable, writable])
async def test_error(make: Callable[[], Stream]) -> None:
    """Called with the error, which counts as heard (N-056)."""
    stream, told, error = make(), list[Any](), OSError("no")
    finished(stream, told.append)
    stream.destroy(error)
    await loop.checkpoint()
    assert told == [error]


@pytest.mark.parametrize("make", [readable, writable])
async def test_premature_close(make: Callable[[], Stream]) -> None:
    """A close before the end is ERR_STREAM_PREMATURE_CLOSE (N-056)."""
    stream, told = make(), list[Any]()
    finished(stream, told.append)
    stream.destroy()
    await loop.checkpoint()
    assert [error.code for error in told] == ["ERR_STREAM_PREMATURE_CLOSE"]


@pytest.mark.parametrize("make", [readable, writable])
@pytest.mark.parametrize("how", ["well", "error", "close"])
async def test_what_has_happened_already(make: Callable[[], Stream], how: str) -> None:
    """A stream that is done already calls back, too, on a later tick (N-056)."""
    stream, told, error = make(), list[Any](), OSError("no")
    stream.on("error", lambda error: None)
    if how != "well":
        stream.destroy(error if how == "error" else None)
    elif isinstance(stream, Writable):
        stream.end()
    elif isinstance(stream, Readable):
        stream.push(None)
        stream.resume()
    await loop.checkpoint()
    finished(stream, told.append)
    assert told == []
    await loop.checkpoint()
    expected: dict[str, Any] = {"well": None, "error": error}
    if how == "close":
        assert isinstance(told[0], PrematureCloseError)
    else:
        assert told == [expected[how]]


async def test_error_without_auto_destroy() -> None:
    """A stream that failed and lives on is done as well (N-056)."""
    stream = readable(auto_destroy=False)
    stream.on("error", lambda error: None)
    stream.push(7)
    await loop.checkpoint()
    with pytest.raises(TypeError):
        await finished(stream)


async def test_duplex_needs_both_sides() -> None:
    """By default both sides must be done; each can be left out (N-056)."""
    stream, told = Duplex(read=lambda size: None, write=lambda *args: args[2]()), []
    finished(stream, lambda error: told.append("both"))
    finished(stream, lambda error: told.append("written"), readable=False)
    finished(stream, lambda error: told.append("read"), writable=False)
    stream.end()
    await loop.checkpoint()
    assert told == ["written"]
    stream.push(None)
    stream.resume()
    await loop.checkpoint()
    assert told == ["written", "read", "both"]  # the last one waits for ``close``


async def test_an_absent_side_is_not_waited_for() -> None:
    """A Duplex without a readable side is done when it has finished (N-056)."""
    stream = Duplex(readable=False, write=lambda *args: args[2]())
    stream.end()
    await finished(stream)


async def test_clean_up() -> None:
    """The returned function removes the listeners; nothing is called (X-111)."""
    stream, told = readable(), list[Any]()
    stop = finished(stream, told.append)
    stop()
    stop()
    assert stream.event_names() == []
    stream.destroy()
    await loop.checkpoint()
    assert told == []


async def test_clean_up_before_the_tick() -> None:
    """Stopping also takes back a call that is due (X-111)."""
    stream, told = readable(), list[Any]()
    stream.destroy()
    await loop.checkpoint()
    finished(stream, told.append)()
    await loop.checkpoint()
    assert told == []


async def test_awaiting() -> None:
    """`await finished(stream)` returns, or raises the error (X-111)."""
    good, bad, error = writable(), readable(), OSError("no")
    good.end()
    assert await finished(good) is None  # type: ignore[func-returns-value]
    bad.destroy(error)
    with pytest.raises(OSError, match="no") as caught:
        await finished(bad)
    assert caught.value is error


async def test_cancelled_wait_leaves_nothing() -> None:
    """Cancelling stops the waiting and leaves the stream alone (DESIGN 3)."""
    stream = readable()
    with anyio.move_on_after(0):
        await finished(stream)
    assert stream.event_names() == []
    assert not stream.destroyed


async def test_wrong_arguments() -> None:
    """What is no stream, or not callable, raises at once (H-003)."""
    with pytest.raises(InvalidArgTypeError):
        finished(5, print)  # type: ignore[call-overload]
    with pytest.raises(InvalidArgTypeError):
        finished(readable(), 5)  # type: ignore[call-overload]


class Slow(Writable):
    def __init__(self) -> None:
        super().__init__(high_water_mark=1)
        self.waiting: list[Done] = []

    def _write(self, chunk: bytes, encoding: str, callback: Done) -> None:
        self.waiting.append(callback)


async def outcome_of_drain(stream: Writable) -> object:
    try:
        await stream.drain()
    except Exception as error:
        return error
    return "went on"


@pytest.mark.parametrize("how", ["drain", "end", "error", "close"])
async def test_drain_while_waiting(how: str) -> None:
    """Whatever happens wakes it: ``drain``, end, error, close (DESIGN 3)."""
    stream, error, outcomes = Slow(), OSError("no"), list[object]()
    stream.on("error", lambda error: None)
    stream.write(b"x")

    async def wait() -> None:
        outcomes.append(await outcome_of_drain(stream))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        tasks.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        if how == "end":
            stream.end()
        if how in ("drain", "end"):
            stream.waiting.pop()()
        else:
            stream.destroy(error if how == "error" else None)
    if how == "close":
        assert [type(one) for one in outcomes] == [PrematureCloseError] * 2
    else:
        assert outcomes == [error if how == "error" else "went on"] * 2
    assert stream.event_names() == ["error"]


async def test_drain_of_streams_that_are_done() -> None:
    """Finished: returns. Destroyed: raises its error, or that it is (DESIGN 3)."""
    done, failed, gone = writable(), Slow(), Slow()
    failed.on("error", lambda error: None)
    error = OSError("no")
    done.end()
    failed.destroy(error)
    gone.destroy()
    assert await outcome_of_drain(failed) is error
    await loop.checkpoint()
    assert await outcome_of_drain(done) == "went on"
    assert await outcome_of_drain(failed) is error
    assert isinstance(await outcome_of_drain(gone), StreamDestroyedError)


async def test_cancelled_drain_leaves_nothing() -> None:
    """Cancelling removes the listeners; the data stay accepted (DESIGN 3)."""
    stream = Slow()
    stream.write(b"x")
    with anyio.move_on_after(0):
        await stream.drain()
    assert stream.event_names() == []
    assert stream.writable_length == 1


async def test_drain_sees_the_other_end_of_a_pair_go() -> None:
    """A writer that waits learns that its reader has gone (pitfall 7)."""
    near, far = duplex_pair(high_water_mark=1)
    near.on("error", lambda error: None)
    near.write(b"abc")
    loop.call_soon(far.destroy)
    with pytest.raises(PrematureCloseError):
        await near.drain()
