"""Listeners that are `async def`: who runs them, who hears of failures (H-150)."""

import gc
from collections.abc import Callable, Coroutine, Hashable
from contextvars import ContextVar
from typing import Any

import anyio
import pytest

from headrace.events import EventEmitter, error_monitor, loop, once


class Answerer:
    """An owner that takes every exception."""

    def __init__(self) -> None:
        self.taken: list[Exception] = []

    def take_exception(self, error: Exception, source: object) -> bool:
        self.taken.append(error)
        return True


class Owned(EventEmitter):
    """An emitter with an owner, as a server's socket has one."""

    def __init__(self) -> None:
        super().__init__()
        self._owner = self.answerer = Answerer()


async def fail(*_: object) -> None:
    raise ZeroDivisionError


def failing(error: Exception) -> Callable[..., Coroutine[Any, Any, None]]:
    async def listener(*_: object) -> None:
        await anyio.lowlevel.checkpoint()
        raise error

    return listener


async def test_an_async_listener_runs_on_the_loop_of_the_emit() -> None:
    """`emit` hands it over and does not wait for it (H-150)."""
    emitter, calls = EventEmitter(), list[str]()

    async def listener(value: str) -> None:
        await anyio.lowlevel.checkpoint()
        calls.append(value)

    emitter.on("e", listener).on("e", lambda value: calls.append("plain " + value))
    assert emitter.emit("e", "x") is True
    assert calls == ["plain x"]
    await anyio.wait_all_tasks_blocked()
    assert calls == ["plain x", "x"]


async def test_once_can_be_async() -> None:
    """The wrapper hands the coroutine on (H-149, H-150)."""
    emitter, calls = EventEmitter(), list[int]()

    @emitter.once("e")
    async def listener(value: int) -> None:
        calls.append(value)

    emitter.emit("e", 1)
    emitter.emit("e", 2)
    await anyio.wait_all_tasks_blocked()
    assert calls == [1]


async def test_a_coroutine_from_a_plain_listener_is_adopted() -> None:
    """What counts is what came back, not how the function was written (H-150)."""
    emitter, calls = EventEmitter(), list[int]()

    async def work(value: int) -> None:
        calls.append(value)

    emitter.on("e", lambda value: work(value))
    emitter.emit("e", 1)
    await anyio.wait_all_tasks_blocked()
    assert calls == [1]


async def test_the_exception_goes_to_error() -> None:
    """To the 'error' of the same emitter (H-150, X-092, N-018)."""
    emitter, error = EventEmitter(), OSError("late")
    emitter.on("e", failing(error))
    failed = once(emitter, "error")
    emitter.emit("e")
    assert await failed == (error,)


async def test_the_exception_goes_to_the_rejection_hook() -> None:
    """With the event and its arguments, and then not to 'error' (H-150, X-092)."""
    seen, error = list[object](), OSError("late")

    class Hooked(EventEmitter):
        def __rejection__(self, *args: object) -> None:
            seen.append(args)

    emitter = Hooked().on("e", failing(error)).on("error", seen.append)
    emitter.emit("e", 1, "two")
    await anyio.wait_all_tasks_blocked()
    assert seen == [(error, "e", 1, "two")]


async def test_without_an_error_listener_the_owner_hears_of_it() -> None:
    """Nobody listens to 'error': the exception itself is reported (H-150, H-010)."""
    emitter, error = Owned(), OSError("late")
    emitter.on("e", failing(error))
    emitter.emit("e")
    await anyio.wait_all_tasks_blocked()
    assert emitter.answerer.taken == [error]


@pytest.mark.parametrize("event", ["error", error_monitor])
async def test_a_failing_error_listener_is_reported_straight_away(
    event: Hashable,
) -> None:
    """It is not asked to handle its own failure, so there is no loop (H-150, N-018)."""
    emitter, error, calls = Owned(), OSError("late"), list[object]()

    async def listener(given: object) -> None:
        calls.append(given)
        raise error

    emitter.on("error", lambda _: None).on(event, listener)
    emitter.emit("error", "first")
    await anyio.wait_all_tasks_blocked()
    assert calls == ["first"]
    assert emitter.answerer.taken == [error]


async def test_a_failing_async_error_listener_ends_the_chain() -> None:
    """Listener fails, 'error' listener fails: two calls, one report (N-018)."""
    emitter, second = Owned(), OSError("second")
    emitter.on("e", fail).on("error", failing(second))
    emitter.emit("e")
    await anyio.wait_all_tasks_blocked()
    assert emitter.answerer.taken == [second]


async def test_a_plain_error_listener_that_raises_is_reported() -> None:
    """There is no emitter left that could hear it (H-150)."""
    emitter = Owned().on("e", failing(OSError("first")))

    @emitter.on("error")
    def handle(error: Exception) -> None:
        raise LookupError from error

    emitter.emit("e")
    await anyio.wait_all_tasks_blocked()
    assert [type(error) for error in emitter.answerer.taken] == [LookupError]


@pytest.mark.parametrize("is_async", [False, True])
async def test_a_failing_rejection_hook_is_reported(is_async: bool) -> None:
    """Plain or async (H-150, X-092)."""
    second = OSError("second")

    class Hooked(Owned):
        def __rejection__(self, *_: object) -> object:
            if is_async:
                return failing(second)()
            raise second

    emitter = Hooked().on("e", fail)
    emitter.emit("e")
    await anyio.wait_all_tasks_blocked()
    assert emitter.answerer.taken == [second]


def test_without_a_loop_the_coroutine_is_closed() -> None:
    """And RuntimeError raised; a coroutine left open would warn (H-150)."""
    emitter, coroutines = EventEmitter(), list[Coroutine[Any, Any, None]]()

    def listener() -> Coroutine[Any, Any, None]:
        coroutines.append(fail())
        return coroutines[0]

    emitter.on("e", listener)
    with pytest.raises(RuntimeError) as caught:
        emitter.emit("e")
    assert getattr(caught.value, "code", None) == "ERR_NO_RUNNING_LOOP"
    with pytest.raises(RuntimeError, match="cannot reuse"):
        coroutines[0].send(None)


async def test_nothing_is_collected_half_way() -> None:
    """The loop keeps the task, although nobody else does (H-150)."""
    calls = list[str]()

    async def listener(release: anyio.Event) -> None:
        await release.wait()
        calls.append("done")

    release = anyio.Event()
    EventEmitter().on("e", listener).emit("e", release)
    await anyio.wait_all_tasks_blocked()
    gc.collect()
    release.set()
    await anyio.wait_all_tasks_blocked()
    assert calls == ["done"]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_no_async_listener_outlives_its_loop(backend: str) -> None:
    """It is cancelled when the loop ends (H-150)."""
    ends = list[str]()

    async def listener() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            ends.append("ended")

    async def main() -> None:
        EventEmitter().on("e", listener).emit("e")
        await anyio.wait_all_tasks_blocked()
        assert ends == []

    anyio.run(main, backend=backend)
    assert ends == ["ended"]


async def test_listeners_run_in_the_context_of_the_emit() -> None:
    """Context variables are those of whoever emits, for async ones a copy (X-097)."""
    variable = ContextVar("variable", default="outside")
    emitter, seen = EventEmitter(), list[str]()

    async def listener() -> None:
        seen.append(variable.get())
        variable.set("listener")

    emitter.on("e", lambda: seen.append(variable.get())).on("e", listener)
    token = variable.set("emit")
    emitter.emit("e")
    variable.reset(token)
    await anyio.wait_all_tasks_blocked()
    assert seen == ["emit", "emit"]
    assert variable.get() == "outside"


async def test_without_an_owner_of_its_own_the_present_one_answers() -> None:
    """A plain emitter in a server's callback is the server's business (H-150)."""
    answerer, error = Answerer(), OSError("late")
    emitter = EventEmitter().on("e", failing(error))
    loop.current().deliver(answerer, emitter.emit, "e")
    await anyio.wait_all_tasks_blocked()
    assert answerer.taken == [error]


async def test_a_subclass_can_keep_the_coroutine() -> None:
    """`_adopt` gets the coroutine, the event and its arguments (H-150)."""
    adopted = list[tuple[Hashable, tuple[Any, ...]]]()

    class Keeps(EventEmitter):
        def _adopt(
            self,
            coroutine: Coroutine[Any, Any, object],
            event: Hashable,
            args: tuple[Any, ...],
        ) -> None:
            coroutine.close()
            adopted.append((event, args))

    emitter = Keeps().on("e", fail).on("e", lambda *_: "a plain value")
    emitter.emit("e", 1, 2)
    assert adopted == [("e", (1, 2))]
