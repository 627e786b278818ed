"""The implementer's hooks: `_construct`, `async def`, callbacks twice, exceptions."""

from collections.abc import Callable
from typing import Any

import anyio
import pytest

from headrace.events import loop
from headrace.streams import (
    Duplex,
    MethodNotImplementedError,
    PassThrough,
    Readable,
    Stream,
    Transform,
    Writable,
    finished,
)
from headrace.streams.testing import EventLog, closed

Done = Callable[..., None]


def code_of(error: object) -> object:
    return getattr(error, "code", None)


class Held(Duplex):
    """Its `_construct` waits until `release` is called."""

    def __init__(self) -> None:
        super().__init__()
        self.release: list[Done] = []
        self.calls: list[str] = []

    def _construct(self, callback: Done) -> None:
        self.calls.append("construct")
        self.release.append(callback)

    def _read(self, size: int) -> None:
        self.calls.append("read")

    def _write(self, chunk: bytes, encoding: str, callback: Done) -> None:
        self.calls.append("write")
        callback()

    def _final(self, callback: Done) -> None:
        self.calls.append("final")
        callback()

    def _destroy(self, error: BaseException | None, callback: Done) -> None:
        self.calls.append("destroy")
        callback(error)


async def test_everything_waits_for_construct() -> None:
    """Neither `_read` nor `_write` nor `_final` before it has called back (H-162)."""
    stream = Held()
    assert stream.readable
    assert stream.writable
    assert not stream.destroyed
    stream.resume()
    assert stream.write(b"a") is True
    stream.end(b"b")
    assert stream.calls == []
    await loop.checkpoint()
    assert stream.calls == ["construct"]
    stream.release[0]()
    await loop.checkpoint()
    assert sorted(stream.calls) == ["construct", "final", "read", "write", "write"]
    assert stream.calls[-1] == "final" or "final" in stream.calls[3:]
    stream.destroy()


async def test_data_pushed_before_construct_flow() -> None:
    """What an implementation pushes early is given away (H-162)."""
    stream, got = Held(), list[bytes]()
    stream.on("data", got.append)
    stream.push(b"a")
    await loop.checkpoint()
    assert got == [b"a"]
    stream.destroy()
    stream.release[0]()
    await loop.checkpoint()


async def test_error_of_construct() -> None:
    """It fails the stream, and the writes that waited (H-162)."""
    stream, error, told = Held(), OSError("no"), list[Any]()
    log = EventLog(stream, "error", "close")
    stream.write(b"a", told.append)
    await loop.checkpoint()
    stream.release[0](error)
    await loop.checkpoint()
    assert log.entries == [("error", error), ("close",)]
    assert told == [error]


async def test_destroy_waits_for_construct() -> None:
    """`_destroy` runs when `_construct` has called back, not before (H-164)."""
    stream, error = Held(), OSError("no")
    log = EventLog(stream, "error", "close")
    stream.destroy(error)
    await loop.checkpoint()
    assert stream.calls == ["construct"]
    assert log.names == []
    stream.release[0]()
    await loop.checkpoint()
    assert stream.calls == ["construct", "destroy"]
    assert log.entries == [("error", error), ("close",)]


async def test_construct_called_back_twice() -> None:
    """It is ERR_MULTIPLE_CALLBACK (H-162)."""
    stream = Held()
    log = EventLog(stream, "error", "close")
    await loop.checkpoint()
    stream.release[0]()
    stream.release[0]()
    await loop.checkpoint()
    assert [code_of(entry[1]) for entry in log.entries[:1]] == ["ERR_MULTIPLE_CALLBACK"]
    assert log.names == ["error", "close"]


async def test_construct_as_option_and_coroutine() -> None:
    """`construct=` may be plain, `async def`, or raise (H-162)."""

    async def opening(callback: Done) -> None:
        await loop.checkpoint()

    async def failing(callback: Done) -> None:
        raise ZeroDivisionError

    stream = Writable(construct=opening, write=lambda *args: args[2]())
    stream.end(b"x")
    await finished(stream)
    with pytest.raises(ZeroDivisionError):
        await finished(Writable(construct=failing))


async def wait(stream: Stream) -> None:
    """Give way to other tasks for a turn."""
    waiter = stream.loop().waiter()
    stream.loop().call_soon(waiter.set)
    await waiter.wait()


class AsyncHooks(Duplex):
    """All hooks are coroutines that really wait."""

    def __init__(self, chunks: list[bytes]) -> None:
        super().__init__(high_water_mark=4)
        self.chunks = chunks
        self.calls: list[Any] = []

    async def _construct(self, callback: Done) -> None:
        await wait(self)
        self.calls.append("construct")

    async def _read(self, size: int) -> None:
        await wait(self)
        self.push(self.chunks.pop(0) if self.chunks else None)

    async def _write(self, chunk: bytes, encoding: str, callback: Done) -> None:
        await wait(self)
        self.calls.append(chunk)

    async def _final(self, callback: Done) -> None:
        await wait(self)
        self.calls.append("final")

    async def _destroy(self, error: BaseException | None, callback: Done) -> None:
        await wait(self)
        self.calls.append("destroy")
        if error is not None:
            raise error


async def test_async_hooks_in_place_of_callbacks() -> None:
    """To return is to call back; the order is the same (H-162)."""
    stream = AsyncHooks([b"ab", b"cd", b"ef"])
    told: list[Any] = []
    for chunk in (b"1", b"2"):
        stream.write(chunk, told.append)
    stream.end()
    got = b"".join([chunk async for chunk in stream])
    await closed(stream)
    assert got == b"abcdef"
    assert stream.calls == ["construct", b"1", b"2", "final", "destroy"]
    assert told == [None, None]


@pytest.mark.parametrize("hook", ["read", "write", "final", "transform", "flush"])
async def test_async_hook_that_raises(hook: str) -> None:
    """What it raises is the error of the stream, once (H-162, H-164)."""

    async def failing(*args: object) -> None:
        await loop.checkpoint()
        raise ZeroDivisionError

    hooks: dict[str, Any] = {"transform": lambda *args: args[2]()}
    stream = Transform({**hooks, hook: failing})
    log = EventLog(stream, "finish", "end", "error", "close")
    stream.resume()
    if hook != "read":
        stream.end(b"x")
    await closed(stream)
    assert log.names == ["error", "close"]
    assert isinstance(stream.errored, ZeroDivisionError)


async def test_async_destroy_swallows_or_replaces() -> None:
    """One that returns swallows the error, one that raises replaces it (N-022)."""

    async def swallow(error: object, callback: Done) -> None:
        await loop.checkpoint()

    async def replace(error: object, callback: Done) -> None:
        raise ZeroDivisionError

    quiet, loud = Readable(destroy=swallow), Readable(destroy=replace)
    logs = [EventLog(stream, "error", "close") for stream in (quiet, loud)]
    for stream in (quiet, loud):
        stream.destroy(OSError("given"))
        await closed(stream)
    assert [log.names for log in logs] == [["close"], ["error", "close"]]
    assert isinstance(loud.errored, ZeroDivisionError)


async def test_async_transform() -> None:
    """What `_transform` and `_flush` return is output (H-165)."""

    class Slow(Transform):
        async def _transform(self, chunk: bytes, encoding: str, callback: Done) -> Any:
            await wait(self)
            return chunk.upper()

        async def _flush(self, callback: Done) -> Any:
            await wait(self)
            return b"!"

    stream = Slow()
    stream.write(b"a")
    stream.end(b"b")
    assert b"".join([chunk async for chunk in stream]) == b"AB!"


@pytest.mark.parametrize("begun", [False, True])
async def test_destroying_cancels_async_hooks(begun: bool) -> None:
    """No task outlives its stream, even one that has not begun (H-164)."""
    steps: list[str] = []

    async def stuck(chunk: bytes, encoding: str, callback: Done) -> None:
        steps.append("begun")
        try:
            await anyio.sleep_forever()
        finally:
            steps.append("left")

    stream, told = Writable(write=stuck), list[Any]()
    stream.write(b"x", told.append)
    if begun:
        await anyio.wait_all_tasks_blocked()
    stream.destroy()
    await closed(stream)
    await anyio.wait_all_tasks_blocked()
    assert steps in (["begun", "left"], [] if not begun else None)
    assert [code_of(error) for error in told] == ["ERR_STREAM_DESTROYED"]


async def test_async_hook_that_destroys_its_stream() -> None:
    """The task that destroys is not a victim of it (pitfall 27)."""
    steps: list[str] = []

    class Own(Writable):
        async def _write(self, chunk: bytes, encoding: str, callback: Done) -> None:
            self.destroy(OSError("no"))
            steps.append("went on")

    stream = Own()
    log = EventLog(stream, "error", "close")
    stream.write(b"x")
    await closed(stream)
    assert steps == ["went on"]
    assert log.names == ["error", "close"]


# Bad implementations: each mistake ends in its documented error, once.


@pytest.mark.parametrize(
    ("make", "use"),
    [
        (Readable, lambda stream: stream.resume()),
        (Writable, lambda stream: stream.write(b"x")),
        (Duplex, lambda stream: stream.resume()),
        (Duplex, lambda stream: stream.write(b"x")),
        (Transform, lambda stream: stream.write(b"x")),
    ],
    ids=["readable", "writable", "duplex read", "duplex write", "transform"],
)
async def test_missing_hooks(make: type[Stream], use: Callable[[Any], object]) -> None:
    """A class without its hook fails with ERR_METHOD_NOT_IMPLEMENTED (H-011)."""
    stream = make()
    log = EventLog(stream, "error", "close")
    use(stream)
    await loop.checkpoint()
    assert log.names == ["error", "close"]
    assert isinstance(stream.errored, MethodNotImplementedError)
    assert stream.errored.code == "ERR_METHOD_NOT_IMPLEMENTED"


def twice(*args: Any) -> None:
    args[-1]()
    args[-1]()


def twice_later(*args: Any) -> None:
    args[-1]()
    loop.call_soon(args[-1])


HOOKS: dict[str, Any] = {"write": lambda *args: args[2]()}


@pytest.mark.parametrize("hook", ["write", "writev", "final"])
async def test_callback_twice(hook: str) -> None:
    """The second call is ERR_MULTIPLE_CALLBACK; the stream closes (H-162)."""
    stream = Writable({**HOOKS, hook: twice})
    log = EventLog(stream, "finish", "error", "close")
    stream.cork()
    stream.write(b"x")
    stream.write(b"y")
    stream.end()
    await closed(stream)
    assert log.names == ["error", "close"]
    assert code_of(stream.errored) == "ERR_MULTIPLE_CALLBACK"


@pytest.mark.parametrize("hook", ["transform", "flush"])
async def test_callback_of_a_transform_twice(hook: str) -> None:
    """The same for `_transform` and `_flush` (H-162)."""
    stream = Transform({"transform": lambda *args: args[2](), hook: twice})
    log = EventLog(stream, "finish", "end", "error", "close")
    stream.end(b"x")
    await closed(stream)
    assert log.names == ["error", "close"]
    assert code_of(stream.errored) == "ERR_MULTIPLE_CALLBACK"


@pytest.mark.parametrize("hook", ["write", "writev", "transform"])
async def test_callback_twice_a_turn_later(hook: str) -> None:
    """It counts whenever it comes, while the stream lives (pitfall 4)."""
    if hook == "transform":
        stream: Writable = Transform(transform=twice_later)
    else:
        stream = Writable({**HOOKS, hook: twice_later})
    stream.on("error", lambda error: None)
    stream.cork()
    stream.write(b"x")
    stream.write(b"y")
    stream.uncork()
    await closed(stream)
    assert code_of(stream.errored) == "ERR_MULTIPLE_CALLBACK"


@pytest.mark.parametrize("after", [False, True])
async def test_write_that_raises(after: bool) -> None:
    """Before or after its callback: ``error`` once, the callback is told (H-164)."""

    def write(chunk: bytes, encoding: str, callback: Done) -> None:
        if after:
            callback()
        raise ZeroDivisionError

    stream, told = Writable(write=write), list[Any]()
    log = EventLog(stream, "error", "close")
    assert stream.write(b"x", told.append) is False
    await loop.checkpoint()
    assert log.names == ["error", "close"]
    assert [type(error) for error in told] == [
        type(None) if after else ZeroDivisionError
    ]


async def test_read_that_raises() -> None:
    """``error`` once, then ``close``; no ``end`` (H-164)."""
    stream = Readable(read=lambda size: 1 / 0)
    log = EventLog(stream, "end", "error", "close")
    assert stream.read() is None
    await loop.checkpoint()
    assert log.names == ["error", "close"]
    assert isinstance(stream.errored, ZeroDivisionError)


@pytest.mark.parametrize("event", ["data", "readable", "end", "resume", "close"])
async def test_listeners_that_raise(event: str) -> None:
    """The owner gets the exception, the stream goes on (pitfall 27, H-010)."""
    taken: list[Exception] = []

    class Owner:
        def take_exception(self, error: Exception, source: object) -> bool:
            taken.append(error)
            return True

    stream = PassThrough()
    stream._owner = Owner()
    calls = 0

    def failing(*args: object) -> None:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise ZeroDivisionError

    log = EventLog(stream, "finish", "end", "close")
    stream.custom.on(event, failing)
    stream.write(b"a")
    stream.end(b"b")
    if event == "readable":
        await loop.checkpoint()
        stream.remove_all_listeners("readable")
    stream.resume()
    await loop.checkpoint()
    assert [type(error) for error in taken] == [ZeroDivisionError]
    assert log.names == ["finish", "end", "close"]


async def test_callbacks_of_writes_that_raise() -> None:
    """The others come all the same, and so do ``drain`` and ``finish`` (pitfall 27)."""
    taken: list[Exception] = []

    class Owner:
        def take_exception(self, error: Exception, source: object) -> bool:
            taken.append(error)
            return True

    def failing(error: Exception | None) -> None:
        raise ZeroDivisionError

    stream, told = Writable(write=lambda *args: args[2]()), list[Any]()
    stream._owner = Owner()
    stream.write(b"a", failing)
    stream.write(b"b", told.append)
    stream.end(failing)
    stream.end(told.append)
    await loop.checkpoint()
    assert told == [None, None]
    assert len(taken) == 2
    assert stream.closed
