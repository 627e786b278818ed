"""What keeps a program going: the count behind `run()` (H-009)."""

from collections.abc import Callable

import anyio
import pytest
from anyio.lowlevel import checkpoint as native_checkpoint

from headrace.events import loop
from headrace.events.loop import Waiter


async def is_idle() -> bool:
    """Say whether `wait_idle` returns without anything happening."""
    with anyio.move_on_after(0):
        await loop.current().wait_idle()
        return True
    return False


async def test_loop_is_idle_when_nothing_counts() -> None:
    """`wait_idle` returns at once when nothing is held."""
    assert await is_idle()


async def test_loop_hold_and_release_count() -> None:
    """Each `hold` needs its `release`."""
    here = loop.current()
    here.hold()
    here.hold()
    here.release()
    assert not await is_idle()
    here.release()
    assert await is_idle()


async def test_loop_waits_for_ticks() -> None:
    """Ticks that wait have run when `wait_idle` returns."""
    here = loop.current()
    seen: list[str] = []
    here.next_tick(here.next_tick, seen.append, "tick")
    await here.wait_idle()
    assert seen == ["tick"]


@pytest.mark.parametrize(
    "schedule",
    [
        lambda done: loop.call_soon(done.set),
        lambda done: loop.call_later(0.001, done.set),
        lambda done: loop.spawn(set_later(done)),
    ],
    ids=["call_soon", "call_later", "spawn"],
)
async def test_loop_waits_for_what_was_scheduled(
    schedule: Callable[[Waiter[None]], object],
) -> None:
    """What `call_soon`, `call_later` and `spawn` start is done when it returns."""
    done: Waiter[None] = Waiter()
    schedule(done)
    assert not done.is_set
    await loop.current().wait_idle()
    assert done.is_set


async def set_later(done: Waiter[None]) -> None:
    await native_checkpoint()
    done.set()


async def test_loop_that_is_held_again_is_not_idle() -> None:
    """Going through zero is not enough: what runs then may begin something new."""
    here = loop.current()
    seen: list[str] = []

    def first() -> None:
        here.call_later(0, seen.append, "second")

    here.call_later(0, first)
    await here.wait_idle()
    assert seen == ["second"]


async def test_loop_tells_everybody_who_waits_for_it() -> None:
    """Several tasks may wait for the end; a cancelled one changes nothing."""
    here = loop.current()
    here.hold()
    seen: list[int] = []

    async def wait(number: int) -> None:
        await here.wait_idle()
        seen.append(number)

    async with anyio.create_task_group() as group:
        for number in range(2):
            group.start_soon(wait, number)
        assert not await is_idle()
        here.release()
    assert sorted(seen) == [0, 1]


async def test_loop_timer_that_is_unref_does_not_count() -> None:
    """`unref` takes a timer out of the count, `ref` puts it back; both repeat."""
    timer = loop.call_later(60, print)
    assert timer.unref().unref() is timer
    assert await is_idle()
    assert timer.ref().ref() is timer
    assert not await is_idle()
    timer.cancel()
    assert await is_idle()


async def test_loop_timer_that_is_done_does_not_count() -> None:
    """After the end `ref`, `unref` and `cancel` change no count."""
    timer = loop.call_later(60, print)
    timer.unref()
    timer.cancel()
    timer.ref()
    assert await is_idle()
    timer.unref()
    timer.cancel()
    loop.current().hold()
    assert not await is_idle()
    loop.current().release()


async def test_loop_shows_what_it_holds() -> None:
    """The repr of a loop counts what is open."""
    here = loop.current()
    here.hold()
    assert repr(here).endswith("Loop ticks=0 holds=1 tasks=0 closers=0>")
    here.release()
