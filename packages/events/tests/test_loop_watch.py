"""Watching sockets: level-triggered, stopped from anywhere, safe to close after."""

import asyncio
import gc
import socket
from collections.abc import Callable, Iterator
from contextvars import ContextVar

import pytest
import trio

from headrace.events import loop
from headrace.events.loop import Waiter

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    left, right = socket.socketpair()
    left.setblocking(False)
    right.setblocking(False)
    with left, right:
        yield left, right


def fill(sock: socket.socket) -> None:
    """Write until the other side must read."""
    try:
        while True:
            sock.send(b"x" * 65536)
    except BlockingIOError:
        pass


async def turns() -> None:
    """Let the loop look at its sockets a few times."""
    for _ in range(5):
        await loop.checkpoint()


def empty(sock: socket.socket) -> None:
    """Read all there is."""
    try:
        while True:
            sock.recv(65536)
    except BlockingIOError:
        pass


async def test_loop_watch_calls_while_there_is_something_to_read(pair: Pair) -> None:
    """The callback is called again until everything has been read."""
    left, right = pair
    here, seen = loop.current(), bytearray()
    done: Waiter[None] = Waiter()

    def readable() -> None:
        seen.extend(left.recv(1))
        if seen == b"abc":
            done.set()

    here.watch_readable(left, readable)
    right.send(b"ab")
    await turns()
    right.send(b"c")
    await done.wait()
    here.unwatch_readable(left)


async def test_loop_watch_calls_when_there_is_room_to_write(pair: Pair) -> None:
    """A full socket is not writable; it is as soon as the peer has read."""
    left, right = pair
    here = loop.current()
    fill(left)
    writable: Waiter[None] = Waiter()
    here.watch_writable(left, writable.set)
    await turns()
    assert not writable.is_set
    empty(right)
    await writable.wait()
    here.unwatch_writable(left)


async def test_loop_watch_has_two_directions(pair: Pair) -> None:
    """Reading and writing of one socket are watched apart."""
    left, right = pair
    here = loop.current()
    readable: Waiter[None] = Waiter()
    writable: Waiter[None] = Waiter()
    here.watch_readable(left, readable.set)
    here.watch_writable(left, writable.set)
    await writable.wait()
    here.unwatch_writable(left)
    assert not readable.is_set
    right.send(b"x")
    await readable.wait()
    here.unwatch_readable(left)


async def test_loop_watch_stops_from_inside_the_callback(pair: Pair) -> None:
    """After `unwatch` in the callback it is not called again, though data is there."""
    left, right = pair
    here = loop.current()
    calls: list[int] = []

    def readable() -> None:
        calls.append(1)
        here.unwatch_readable(left)

    here.watch_readable(left, readable)
    right.send(b"x")
    while not calls:
        await loop.checkpoint()
    await turns()
    assert len(calls) == 1


async def test_loop_watch_stops_from_outside(pair: Pair) -> None:
    """`unwatch` works before the watch has begun, while it waits, and when ready."""
    left, right = pair
    here = loop.current()
    calls: list[int] = []
    here.watch_readable(left, lambda: calls.append(1))
    here.unwatch_readable(left)
    here.watch_readable(left, lambda: calls.append(2))
    await turns()
    here.unwatch_readable(left)
    here.unwatch_readable(left)
    right.send(b"x")
    await turns()
    assert calls == []


async def test_loop_watch_goes_on_after_stop_and_start_in_the_callback(
    pair: Pair,
) -> None:
    """A watch that the callback stops and starts again is one watch."""
    left, right = pair
    here, seen = loop.current(), bytearray()
    done: Waiter[None] = Waiter()

    def readable() -> None:
        here.unwatch_readable(left)
        seen.extend(left.recv(1))
        if seen == b"abc":
            done.set()
        else:
            here.watch_readable(left, readable)

    here.watch_readable(left, readable)
    right.send(b"abc")
    await done.wait()


async def test_loop_watch_starts_again_later(pair: Pair) -> None:
    """Between two watches data waits in the socket, as when reading is paused."""
    left, right = pair
    here = loop.current()
    for number in range(3):
        done: Waiter[None] = Waiter()
        right.send(b"x")

        def readable(done: Waiter[None] = done) -> None:
            left.recv(1)
            done.set()

        here.watch_readable(left, readable)
        await done.wait()
        here.unwatch_readable(left)
        for _ in range(number):  # at once, and after the old watch has ended
            await turns()


async def test_loop_watch_starts_again_before_there_is_data(pair: Pair) -> None:
    """A second watch does not meet what the first one left."""
    left, right = pair
    here = loop.current()
    done: Waiter[None] = Waiter()
    here.watch_readable(left, print)
    await turns()
    here.unwatch_readable(left)
    here.watch_readable(left, done.set)
    await turns()
    right.send(b"x")
    await done.wait()
    here.unwatch_readable(left)


@pytest.mark.parametrize("anyio_backend", ["trio"])
@pytest.mark.parametrize("inside", [True, False])
async def test_loop_watch_leaves_no_task_on_trio(
    pair: Pair, anyio_backend: str, inside: bool
) -> None:
    """Stopped in the callback or outside of it, a watch ends its task."""
    left, right = pair
    here = loop.current()
    before = trio.lowlevel.current_statistics().tasks_living
    here.watch_readable(left, lambda: here.unwatch_readable(left))
    await turns()
    assert trio.lowlevel.current_statistics().tasks_living == before + 1
    if inside:
        right.send(b"x")
    else:
        here.unwatch_readable(left)
    await turns()
    assert trio.lowlevel.current_statistics().tasks_living == before


@pytest.mark.parametrize("anyio_backend", ["trio"])
async def test_loop_watch_toggled_in_the_callback_keeps_its_task_on_trio(
    pair: Pair, anyio_backend: str
) -> None:
    """Pausing and resuming within one delivery costs no new task."""
    left, right = pair
    here = loop.current()
    tasks: list[trio.lowlevel.Task] = []
    done: Waiter[None] = Waiter()

    def readable() -> None:
        tasks.append(trio.lowlevel.current_task())
        here.unwatch_readable(left)
        if len(tasks) < 3:
            here.watch_readable(left, readable)
        else:
            done.set()

    here.watch_readable(left, readable)
    right.send(b"x")
    await done.wait()
    assert len(set(tasks)) == 1


async def test_loop_watch_replaces_the_callback(pair: Pair) -> None:
    """Watching a watched socket replaces the callback."""
    left, right = pair
    here = loop.current()
    first: Waiter[None] = Waiter()
    second: Waiter[None] = Waiter()
    here.watch_readable(left, first.set)
    await turns()
    here.watch_readable(left, second.set)
    right.send(b"x")
    await second.wait()
    here.unwatch_readable(left)
    assert not first.is_set


@pytest.mark.parametrize("inside", [True, False])
async def test_loop_watched_socket_may_be_closed_after_unwatch(inside: bool) -> None:
    """Close at once after `unwatch`; the same number may then be watched again."""
    here = loop.current()
    for _ in range(3):
        left, right = socket.socketpair()
        closed: Waiter[None] = Waiter()

        def close(left: socket.socket = left, closed: Waiter[None] = closed) -> None:
            here.unwatch_readable(left)
            here.unwatch_writable(left)
            left.close()
            closed.set()

        here.watch_readable(left, close if inside else print)
        left.setblocking(False)
        fill(left)
        here.watch_writable(left, print)
        await turns()
        if inside:
            right.send(b"x")
            await closed.wait()
        else:
            close()
        right.close()


async def test_loop_watch_may_be_stopped_by_another_ready_one(
    pair: Pair, caplog: pytest.LogCaptureFixture
) -> None:
    """Of two sockets ready in one turn the first may stop and close the second."""
    left, right = pair
    here = loop.current()
    calls: list[int] = []

    def readable(number: int) -> Callable[[], None]:
        def callback() -> None:
            calls.append(number)
            here.unwatch_readable(left)
            here.unwatch_readable(right)

        return callback

    left.send(b"x")
    right.send(b"x")
    here.watch_readable(left, readable(1))
    here.watch_readable(right, readable(2))
    while not calls:
        await loop.checkpoint()
    await turns()
    assert len(calls) == 1
    assert not caplog.records


async def test_loop_watch_sees_the_context_of_its_start(pair: Pair) -> None:
    """The callback runs with the context variables of `watch_readable` (X-097)."""
    left, right = pair
    here = loop.current()
    variable: ContextVar[str] = ContextVar("variable", default="unset")
    seen: Waiter[str] = Waiter()
    variable.set("at watch")
    here.watch_readable(left, lambda: seen.set(variable.get()))
    variable.set("later")
    right.send(b"x")
    assert await seen.wait() == "at watch"
    here.unwatch_readable(left)


@pytest.mark.parametrize("anyio_backend", ["trio"])
async def test_loop_watch_survives_its_callback_on_trio(
    pair: Pair, anyio_backend: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A callback that raises is logged, called again, and ends no system task."""
    left, right = pair
    here = loop.current()
    calls: list[int] = []
    done: Waiter[None] = Waiter()

    def readable() -> None:
        calls.append(1)
        if len(calls) == 3:
            here.unwatch_readable(left)
            done.set()
        raise ZeroDivisionError

    here.watch_readable(left, readable)
    right.send(b"x")
    await done.wait()
    assert [record.levelname for record in caplog.records] == ["CRITICAL"] * 3


@pytest.mark.parametrize("anyio_backend", ["trio"])
async def test_loop_watch_that_cannot_wait_is_logged_on_trio(
    pair: Pair, anyio_backend: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever else waits for the same socket keeps it; the watch ends, logged."""
    left, right = pair
    here = loop.current()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.lowlevel.wait_readable, left)
        await turns()
        here.watch_readable(left, print)
        await turns()
        right.send(b"x")
    (record,) = caplog.records
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], trio.BusyResourceError)


def test_loop_watch_is_not_there_on_every_loop(pair: Pair) -> None:
    """A native loop that cannot watch sockets says so."""

    class Proactor(asyncio.SelectorEventLoop):
        def add_reader(self, *_: object) -> None:
            raise NotImplementedError

    async def main() -> None:
        with pytest.raises(NotImplementedError):
            loop.current().watch_readable(pair[0], print)

    with asyncio.Runner(loop_factory=Proactor) as runner:
        runner.run(main())
    gc.collect()
