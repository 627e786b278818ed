"""Coroutines run by `spawn`: their ends, errors, ticks and context (H-009, H-150)."""

import asyncio
import gc
import weakref
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from anyio.lowlevel import checkpoint as native_checkpoint

from headrace.events import loop
from headrace.events.loop import Waiter

if TYPE_CHECKING:
    from collections.abc import Callable


class Runner:
    """A runner that only notes what it is told."""

    def __init__(self) -> None:
        self.errors: list[BaseException] = []

    def fail(self, error: BaseException) -> None:
        self.errors.append(error)


async def forever(log: list[str] | None = None) -> None:
    try:
        await Waiter[None]().wait()
    finally:
        if log is not None:
            log.append("cleaned up")


async def fail() -> None:
    await native_checkpoint()
    raise ZeroDivisionError


async def test_loop_task_is_done_when_its_coroutine_is() -> None:
    """`done` and `wait` follow the coroutine; waiting again returns at once."""
    go: Waiter[None] = Waiter()
    task = loop.spawn(go.wait())
    assert not task.done
    assert repr(task) == "<Task running Waiter.wait>"
    go.set()
    await task.wait()
    await task.wait()
    assert task.done
    assert repr(task) == "<Task done Waiter.wait>"


async def test_loop_task_does_not_begin_inside_spawn() -> None:
    """The coroutine's first step comes a turn later (H-150)."""
    seen: list[str] = []

    async def note() -> None:
        seen.append("coroutine")

    task = loop.spawn(note())
    seen.append("after spawn")
    await task.wait()
    assert seen == ["after spawn", "coroutine"]


async def test_loop_task_needs_nobody_to_keep_it() -> None:
    """A coroutine runs to its end although nobody holds the task."""
    done: Waiter[None] = Waiter()

    async def work() -> None:
        await native_checkpoint()
        gc.collect()
        done.set()

    loop.spawn(work())
    gc.collect()
    await done.wait()


async def test_loop_task_is_cancelled_at_its_await() -> None:
    """`cancel` ends the coroutine where it waits, and `wait` returns."""
    log: list[str] = []
    task = loop.spawn(forever(log))
    await anyio.wait_all_tasks_blocked()
    task.cancel()
    await task.wait()
    task.cancel()
    assert log == ["cleaned up"]


async def test_loop_task_is_cancelled_between_two_turns() -> None:
    """`cancel` also ends a coroutine that only gives way and waits for nothing."""

    async def spin() -> None:
        while True:
            await native_checkpoint()

    task = loop.spawn(spin())
    await loop.checkpoint()
    task.cancel()
    await task.wait()


async def test_loop_task_may_be_cancelled_before_it_begins() -> None:
    """The task ends, its coroutine raises no warning, and nothing counts any more."""
    here = loop.current()
    task = here.spawn(forever())
    task.cancel()
    await task.wait()
    await here.wait_idle()
    assert task.done
    gc.collect()


async def test_loop_task_survives_a_cancelled_wait() -> None:
    """Cancelling a `wait` leaves the coroutine alone."""
    task = loop.spawn(forever())
    with anyio.move_on_after(0):
        await task.wait()
    assert not task.done
    task.cancel()
    await task.wait()


async def test_loop_task_gives_its_exception_to_on_error() -> None:
    """With `on_error` nothing is reported."""
    here = loop.current()
    here.runner = runner = Runner()
    errors: list[Exception] = []
    await here.spawn(fail(), on_error=errors.append).wait()
    here.runner = None
    assert [type(error) for error in errors] == [ZeroDivisionError]
    assert not runner.errors


async def test_loop_task_reports_what_on_error_raises() -> None:
    """An exception of `on_error` itself is reported (H-010)."""
    here = loop.current()
    here.runner = runner = Runner()

    def on_error(error: Exception) -> None:
        raise KeyError from error

    await here.spawn(fail(), on_error=on_error).wait()
    here.runner = None
    assert [type(error) for error in runner.errors] == [KeyError]


async def test_loop_task_reports_its_exception() -> None:
    """Without `on_error` an exception is reported, a cancellation is not (H-010)."""
    here = loop.current()
    here.runner = runner = Runner()
    await here.spawn(fail()).wait()
    cancelled = here.spawn(forever())
    await anyio.wait_all_tasks_blocked()
    cancelled.cancel()
    await cancelled.wait()
    here.runner = None
    assert [type(error) for error in runner.errors] == [ZeroDivisionError]


async def test_loop_task_drains_ticks_after_each_step() -> None:
    """A step of a coroutine is a delivery: its ticks run when it gives way (H-008)."""
    seen: list[str] = []

    async def work() -> None:
        loop.next_tick(seen.append, "tick 1")
        seen.append("step 1")
        loop.current().drain()
        await native_checkpoint()
        assert seen[-1] == "tick 1"
        loop.next_tick(seen.append, "tick 2")
        seen.append("step 2")

    loop.next_tick(seen.append, "tick 0")
    await loop.spawn(work()).wait()
    assert seen == ["tick 0", "step 1", "tick 1", "step 2", "tick 2"]


async def test_loop_task_lets_ticks_go_first() -> None:
    """A step that is ready does not overtake a tick scheduled meanwhile (H-008)."""
    for _ in range(10):  # trio wakes tasks of one batch in random order
        seen: list[str] = []
        ready: Waiter[None] = Waiter()

        async def work(ready: Waiter[None] = ready, seen: list[str] = seen) -> None:
            await ready.wait()
            seen.append("step")

        task = loop.spawn(work())
        await anyio.wait_all_tasks_blocked()
        ready.set()
        loop.next_tick(seen.append, "tick")
        await task.wait()
        assert seen == ["tick", "step"]


async def test_loop_task_drains_ticks_after_a_step_that_raises() -> None:
    """Ticks of the last step run before its exception is dealt with."""
    seen: list[object] = []

    async def work() -> None:
        loop.next_tick(seen.append, "tick")
        await native_checkpoint()
        loop.next_tick(seen.append, "last tick")
        raise ZeroDivisionError

    task = loop.spawn(work(), on_error=lambda error: seen.append(type(error)))
    await task.wait()
    assert seen == ["tick", "last tick", ZeroDivisionError]


async def test_loop_task_passes_exceptions_into_its_coroutine() -> None:
    """What an `await` raises arrives in the coroutine and can be caught there."""
    failing: Waiter[None] = Waiter()
    caught: list[BaseException] = []

    async def work() -> None:
        try:
            await failing.wait()
        except ZeroDivisionError as error:
            caught.append(error)
        with anyio.move_on_after(0):
            await anyio.sleep_forever()
        await native_checkpoint()
        caught.append(KeyError())

    task = loop.spawn(work())
    await anyio.wait_all_tasks_blocked()
    failing.fail(ZeroDivisionError())
    await task.wait()
    assert [type(error) for error in caught] == [ZeroDivisionError, KeyError]


async def test_loop_task_runs_in_a_copy_of_the_context() -> None:
    """It sees the variables of the `spawn`, and its changes stay its own (X-097)."""
    variable: ContextVar[str] = ContextVar("variable")
    seen: list[str] = []

    async def work() -> None:
        seen.append(variable.get())
        variable.set("changed")

    variable.set("at spawn")
    task = loop.spawn(work())
    variable.set("later")
    await task.wait()
    assert seen == ["at spawn"]
    assert variable.get() == "later"


async def test_loop_task_can_be_spawned_from_a_plain_callback() -> None:
    """`spawn` needs no task around it: ticks, timers and I/O call it."""
    done: Waiter[None] = Waiter()

    async def work() -> None:
        done.set()

    schedulers: list[Callable[..., object]] = [
        loop.next_tick,
        loop.call_soon,
        lambda callback: loop.call_later(0, callback),
    ]
    for schedule in schedulers:
        done = Waiter()
        schedule(lambda: loop.spawn(work()))
        await done.wait()


async def test_loop_task_may_use_the_runtime_fully() -> None:
    """Task groups, timeouts and cancel scopes work inside a spawned coroutine."""
    seen: list[str] = []

    async def note(name: str) -> None:
        await native_checkpoint()
        seen.append(name)

    async def work() -> None:
        with anyio.move_on_after(0.001):
            await anyio.sleep_forever()
        async with anyio.create_task_group() as group:
            group.start_soon(note, "child")
        seen.append("after")

    await loop.spawn(work()).wait()
    assert seen == ["child", "after"]


@pytest.mark.skipif(
    not hasattr(asyncio, "eager_task_factory"), reason="needs Python 3.12"
)
def test_loop_task_may_be_eager() -> None:
    """With an eager task factory the first step runs in `spawn`, its ticks do not."""
    seen: list[str] = []

    async def work() -> None:
        loop.next_tick(seen.append, "tick")
        seen.append("step")

    async def main() -> None:
        factory: Any = vars(asyncio)["eager_task_factory"]
        asyncio.get_running_loop().set_task_factory(factory)
        task = loop.spawn(work())
        seen.append("after spawn")
        await task.wait()
        assert task.done
        await loop.checkpoint()

    asyncio.run(main())
    assert seen == ["step", "after spawn", "tick"]


def test_loop_task_that_cannot_be_made_leaves_nothing() -> None:
    """When the task factory fails, `spawn` raises that, and nothing counts."""

    def factory(*_: object, **__: object) -> Any:
        raise RuntimeError("no more tasks")

    async def main() -> None:
        here = loop.current()
        asyncio.get_running_loop().set_task_factory(factory)
        coroutine = forever()
        with pytest.raises(RuntimeError, match="no more tasks"):
            here.spawn(coroutine)
        gc.collect()
        assert "holds=0 tasks=0" in repr(here)
        asyncio.get_running_loop().set_task_factory(None)

    asyncio.run(main())


def test_loop_task_on_a_dead_loop_is_refused() -> None:
    """`spawn` on a loop that has ended raises and closes the coroutine (H-150)."""

    async def main() -> loop.Loop:
        return loop.current()

    for backend in ("asyncio", "trio"):
        dead = anyio.run(main, backend=backend)
        coroutine = forever()
        with pytest.raises(RuntimeError, match=r"closed|ended"):
            dead.spawn(coroutine)
        with pytest.raises(RuntimeError, match="already"):
            coroutine.send(None)
        assert "holds=0 tasks=0" in repr(dead)


async def test_loop_task_that_returns_leaves_no_ring() -> None:
    """Its coroutine goes without the collector (DESIGN 8)."""
    coroutine = native_checkpoint()
    left = weakref.ref(coroutine)
    gc.collect()
    gc.disable()
    try:
        task = loop.spawn(coroutine)
        del coroutine
        await task.wait()
        del task
        for _ in range(3):
            await native_checkpoint()
        assert left() is None
    finally:
        gc.enable()
