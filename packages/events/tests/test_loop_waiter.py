"""`Waiter`: one outcome for any number of tasks, before it comes or after."""

import gc

import anyio
import pytest
from anyio.lowlevel import checkpoint as native_checkpoint

from headrace.events import loop
from headrace.events.loop import Waiter


async def collect(waiter: Waiter[str], seen: list[str]) -> None:
    seen.append(await waiter.wait())


async def test_loop_waiter_gives_a_value_that_is_there() -> None:
    """`wait` is state-based: it works after `set`, and as often as one likes."""
    waiter: Waiter[int] = loop.current().waiter()
    assert not waiter.is_set
    waiter.set(5)
    assert waiter.is_set
    assert [await waiter.wait(), await waiter.wait()] == [5, 5]


async def test_loop_waiter_wakes_everybody() -> None:
    """All tasks that wait get the value."""
    waiter: Waiter[str] = Waiter()
    seen: list[str] = []
    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(collect, waiter, seen)
        await anyio.wait_all_tasks_blocked()
        assert repr(waiter) == "<Waiter waiting, 3 parked>"
        waiter.set("value")
    assert seen == ["value"] * 3
    assert repr(waiter) == "<Waiter set, 0 parked>"


async def test_loop_waiter_raises_what_it_was_failed_with() -> None:
    """`fail` raises for those who wait and for those who come later."""
    waiter: Waiter[None] = Waiter()
    error = ZeroDivisionError()
    loop.next_tick(waiter.fail, error)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError) as raised:
            await waiter.wait()
        assert raised.value is error
    assert repr(waiter) == "<Waiter failed, 0 parked>"


async def test_loop_waiter_keeps_its_first_outcome() -> None:
    """The first `set` or `fail` wins, later ones do nothing."""
    waiter: Waiter[int] = Waiter()
    waiter.set(1)
    waiter.set(2)
    waiter.fail(ZeroDivisionError())
    assert await waiter.wait() == 1
    failed: Waiter[int] = Waiter()
    failed.fail(ZeroDivisionError())
    failed.fail(KeyError())
    failed.set(1)
    with pytest.raises(ZeroDivisionError):
        await failed.wait()


async def test_loop_waiter_survives_a_cancelled_wait() -> None:
    """A cancelled wait is forgotten; others still get the value."""
    waiter: Waiter[str] = Waiter()
    seen: list[str] = []
    async with anyio.create_task_group() as group:
        group.start_soon(collect, waiter, seen)
        with anyio.move_on_after(0):
            await waiter.wait()
        await anyio.wait_all_tasks_blocked()
        assert repr(waiter) == "<Waiter waiting, 1 parked>"
        waiter.set("value")
    assert seen == ["value"]


@pytest.mark.parametrize("cancel_first", [False, True])
async def test_loop_waiter_may_be_set_and_its_wait_cancelled_at_once(
    cancel_first: bool,
) -> None:
    """A value that comes together with a cancellation is not lost for others."""
    waiter: Waiter[str] = Waiter()
    seen: list[str] = []
    async with anyio.create_task_group() as group:
        with anyio.CancelScope() as scope:
            group.start_soon(collect, waiter, seen)

            def set_and_cancel() -> None:
                if cancel_first:
                    scope.cancel()
                waiter.set("value")
                scope.cancel()

            loop.call_soon(set_and_cancel)
            await waiter.wait()
    assert seen == ["value"]


async def test_loop_waiter_nobody_waited_for_is_silent() -> None:
    """An error that nobody awaits raises no warning about a lost exception."""
    waiter: Waiter[None] = Waiter()
    waiter.fail(ZeroDivisionError())
    del waiter
    gc.collect()
    await native_checkpoint()


async def test_loop_waiter_may_be_set_by_a_tick_before_its_task_sleeps() -> None:
    """Ticks run between a task's step and its sleep, and may cancel it, too.

    On trio the runtime takes the task off only behind those ticks, when it is awake
    again: the wait has its value, and the next one is cancelled. On asyncio the first
    one is.
    """
    waiter: Waiter[str] = Waiter()
    seen: list[str] = []

    async def wait() -> None:
        loop.next_tick(waiter.set, "value")
        loop.next_tick(task.cancel)
        seen.append(await waiter.wait())
        await anyio.sleep_forever()

    task = loop.spawn(wait())
    await task.wait()
    assert seen in (["value"], [])
    assert task.done
    await native_checkpoint()


async def test_a_woken_task_goes_on_behind_the_ticks() -> None:
    """As Node's promises come behind `nextTick`, and before any later event."""
    running = loop.current()
    seen: list[str] = []
    waiter: Waiter[None] = Waiter()

    async def sleep() -> None:
        await waiter.wait()
        seen.append("woken")
        running.next_tick(seen.append, "its tick")

    def wake() -> None:
        running.next_tick(seen.append, "tick")
        waiter.set()
        running.next_tick(seen.append, "later tick")

    async with anyio.create_task_group() as group:
        group.start_soon(sleep)
        await anyio.wait_all_tasks_blocked()
        running.deliver(None, wake)
        seen.append("delivered")
    await running.checkpoint()
    seen.remove("delivered")
    assert seen == ["tick", "later tick", "woken", "its tick"]


async def test_tasks_that_wake_each_other_shut_nobody_out() -> None:
    """Everybody else gets a turn, however long two tasks play ping-pong."""
    running = loop.current()
    waiters: list[Waiter[None]] = [Waiter(), Waiter()]
    over = False

    async def play(number: int) -> None:
        while not over:
            await waiters[number].wait()
            waiters[number] = Waiter()
            running.next_tick(waiters[1 - number].set)

    async with anyio.create_task_group() as group:
        group.start_soon(play, 0)
        group.start_soon(play, 1)
        await anyio.wait_all_tasks_blocked()
        running.deliver(None, waiters[0].set)
        for _ in range(20):
            await native_checkpoint()
        over = True
        group.cancel_scope.cancel()


async def test_a_task_cancelled_when_it_was_woken_keeps_the_outcome() -> None:
    """Set and cancelled in one delivery, the next wait still gives the value."""
    running = loop.current()
    waiter: Waiter[int] = Waiter()
    scope = anyio.CancelScope()

    async def sleep() -> None:
        with scope:
            await waiter.wait()

    def wake() -> None:
        waiter.set(7)
        scope.cancel()

    async with anyio.create_task_group() as group:
        group.start_soon(sleep)
        await anyio.wait_all_tasks_blocked()
        running.deliver(None, wake)
    assert await waiter.wait() == 7


async def test_a_step_may_set_what_another_task_waits_for() -> None:
    """A task in the middle of a step is not interrupted by the one it wakes."""
    running = loop.current()
    waiter: Waiter[None] = Waiter()
    seen: list[str] = []

    async def sleep() -> None:
        await waiter.wait()
        seen.append("woken")

    async with anyio.create_task_group() as group:
        group.start_soon(sleep)
        await anyio.wait_all_tasks_blocked()
        running.next_tick(waiter.set)
        running.drain()
        seen.append("drained")
    assert seen == ["drained", "woken"]
