"""Timers: order, cancelling, what keeps `run()` going, and which delays (H-005)."""

import math
from contextvars import ContextVar
from fractions import Fraction
from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from headrace.events import InvalidArgTypeError, OutOfRangeError, loop
from headrace.events.loop import Waiter


async def test_loop_timer_runs_once_with_its_arguments() -> None:
    """The callback gets the arguments, and the timer is active until then."""
    done: Waiter[str] = Waiter()
    timer = loop.call_later(0, done.set, "value")
    assert timer.active
    assert await done.wait() == "value"
    assert not timer.active


async def test_loop_timers_run_in_the_order_of_their_deadlines() -> None:
    """An earlier deadline comes first, whenever it was set."""
    seen: list[str] = []
    done: Waiter[None] = Waiter()
    loop.call_later(0.03, done.set)
    loop.call_later(0.02, seen.append, "later")
    loop.call_later(0, seen.append, "now")
    loop.call_later(0.01, seen.append, "sooner")
    await done.wait()
    assert seen == ["now", "sooner", "later"]


async def test_loop_timer_does_not_run_early() -> None:
    """The delay is measured on the loop's own clock."""
    here = loop.current()
    done: Waiter[float] = Waiter()
    start = here.time()
    here.call_later(0.02, lambda: done.set(here.time()))
    # A millisecond is uvloop's resolution.
    assert await done.wait() - start >= 0.02 - 0.001


async def test_loop_timer_set_by_a_timer_runs_too() -> None:
    """A timer may set the next one, also without delay."""
    done: Waiter[None] = Waiter()
    seen: list[int] = []

    def again(left: int) -> None:
        seen.append(left)
        if left:
            loop.call_later(0, again, left - 1)
        else:
            done.set()

    loop.call_later(0, again, 3)
    await done.wait()
    assert seen == [3, 2, 1, 0]


async def test_loop_cancelled_timer_never_runs() -> None:
    """`cancel` works until the callback runs, also from a timer of the same moment."""
    seen: list[str] = []
    done: Waiter[None] = Waiter()

    def first() -> None:
        seen.append("first")
        second.cancel()
        loop.call_later(0, done.set)

    timer = loop.call_later(0, first)
    second = loop.call_later(0, seen.append, "second")
    third = loop.call_later(0, seen.append, "third")
    third.cancel()
    third.cancel()
    assert not third.active
    await done.wait()
    timer.cancel()
    assert seen == ["first"]


async def test_loop_timer_is_a_delivery() -> None:
    """Ticks of a timer's callback run before anything else (H-008)."""
    seen: list[str] = []
    done: Waiter[None] = Waiter()

    def first() -> None:
        loop.next_tick(seen.append, "tick")
        seen.append("first")

    def second() -> None:
        seen.append("second")
        done.set()

    loop.call_later(0, first)
    loop.call_later(0, second)
    await done.wait()
    assert seen == ["first", "tick", "second"]


async def test_loop_timer_may_schedule_anything() -> None:
    """A timer's callback can use `call_soon`, set timers and spawn coroutines."""
    seen: list[str] = []

    async def work() -> None:
        seen.append("coroutine")

    def first() -> None:
        loop.call_soon(seen.append, "soon")
        loop.call_later(0, seen.append, "timer")
        loop.spawn(work())

    loop.call_later(0.001, first)
    await loop.current().wait_idle()
    assert sorted(seen) == ["coroutine", "soon", "timer"]


async def test_loop_timer_sees_the_context_of_the_moment_it_was_set() -> None:
    """Context variables are those of the code that scheduled the call (X-097)."""
    variable: ContextVar[str] = ContextVar("variable", default="unset")
    seen: list[str] = []
    done: Waiter[None] = Waiter()

    def note() -> None:
        seen.append(variable.get())
        if len(seen) == 2:
            done.set()

    variable.set("timer")
    loop.call_later(0, note)
    variable.set("soon")
    loop.call_soon(note)
    variable.set("later")
    await done.wait()
    assert sorted(seen) == ["soon", "timer"]


async def test_loop_timer_shows_its_state() -> None:
    """The repr says whether the timer waits and counts."""
    timer = loop.call_later(60, print)
    assert repr(timer) == "<Timer active>"
    assert repr(timer.unref()) == "<Timer unref'd>"
    timer.cancel()
    assert repr(timer) == "<Timer done>"


@pytest.mark.parametrize(
    "delay", [True, "1", None, 1j, Fraction(1, 2)], ids=lambda delay: repr(delay)
)
async def test_loop_delay_must_be_a_number(delay: Any) -> None:
    """A delay that is no real number, or a `bool`, is a TypeError (H-005)."""
    with pytest.raises(InvalidArgTypeError) as raised:
        loop.call_later(delay, print)
    assert raised.value.code == "ERR_INVALID_ARG_TYPE"


@pytest.mark.parametrize("delay", [-1, -0.001, math.nan, math.inf, 10**400])
async def test_loop_delay_must_be_finite_and_not_negative(delay: float) -> None:
    """A negative, infinite or undefined delay is a ValueError (H-005)."""
    with pytest.raises(OutOfRangeError) as raised:
        loop.call_later(delay, print)
    assert raised.value.code == "ERR_OUT_OF_RANGE"
    await loop.current().wait_idle()


@given(
    delays=st.lists(st.integers(0, 5), max_size=30),
    cancelled=st.sets(st.integers(0, 29)),
)
def test_loop_timers_on_trio_fire_in_order(
    delays: list[int], cancelled: set[int]
) -> None:
    """By deadline, then by the order of setting; the cancelled ones never."""

    async def main() -> None:
        seen: list[int] = []
        timers = [
            loop.call_later(delay, seen.append, number)
            for number, delay in enumerate(delays)
        ]
        for number in cancelled:
            for timer in timers[number : number + 1]:
                timer.cancel()
        await loop.current().wait_idle()
        kept = set(range(len(delays))) - cancelled
        assert seen == sorted(kept, key=lambda number: (delays[number], number))

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


def test_loop_timers_on_trio_leave_room_for_others() -> None:
    """A timer without delay that sets itself again starves nobody, if time stands."""
    rounds: list[int] = []

    async def main() -> None:
        def again() -> None:
            rounds.append(1)
            if not stopped.is_set:
                loop.call_later(0, again)

        stopped: Waiter[None] = Waiter()
        loop.call_later(0, again)
        for _ in range(5):
            await trio.lowlevel.checkpoint()
        stopped.set()
        await loop.current().wait_idle()

    trio.run(main, clock=trio.testing.MockClock())
    assert 2 <= len(rounds) <= 10


async def test_loop_many_cancelled_timers_leave_no_trace() -> None:
    """Timers that are set and cancelled again and again do not pile up."""
    here = loop.current()
    kept = here.call_later(60, print)
    for _ in range(1000):
        here.call_later(30, print).cancel()
    timers = getattr(here, "_timers", [kept])
    assert len(timers) == 1
    assert len(getattr(timers, "_heap", [])) < 200
    kept.cancel()


def test_loop_timers_that_passed_are_not_counted() -> None:
    """A cancelled timer whose time has come leaves the queue like one that fired."""
    seen: list[str] = []

    async def main() -> int:
        kept = loop.call_later(100, print)
        loop.call_later(1, print).cancel()
        loop.call_later(2, seen.append, "fired")
        await trio.sleep(3)
        waiting: int = len(getattr(loop.current(), "_timers", ()))
        kept.cancel()
        return waiting

    assert trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0)) == 1
    assert seen == ["fired"]
