"""The tick queue: when ticks run, in which order, and what interrupts them (H-008)."""

import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from contextvars import ContextVar

import anyio
import pytest
from anyio.lowlevel import checkpoint as native_checkpoint
from hypothesis import given
from hypothesis import strategies as st

from headrace.events import loop
from headrace.events.loop import Loop, Waiter


class Reports(list[BaseException]):
    """A runner that only notes what is reported."""

    def fail(self, error: BaseException) -> None:
        self.append(error)


@pytest.fixture
async def reported() -> AsyncIterator[list[BaseException]]:
    """What nobody took, instead of the runtime's own way out."""
    here = loop.current()
    here.runner = reports = Reports()
    yield reports
    here.runner = None


def stop(*_: object) -> None:
    raise KeyboardInterrupt


async def test_loop_tick_runs_after_the_code_that_scheduled_it() -> None:
    """A tick never runs inside `next_tick`, and it runs in the order of scheduling."""
    seen: list[object] = []
    for number in range(3):
        loop.next_tick(seen.append, number)
    seen.append("code")
    await loop.checkpoint()
    assert seen == ["code", 0, 1, 2]


async def test_loop_ticks_run_without_any_delivery() -> None:
    """Outside a delivery one native wake-up drains the queue, however long it is."""
    seen: list[int] = []
    done: Waiter[None] = Waiter()
    loop.next_tick(seen.append, 1)
    loop.next_tick(seen.append, 2)
    loop.next_tick(done.set)
    await done.wait()
    assert seen == [1, 2]


async def test_loop_ticks_run_again_after_a_drain() -> None:
    """The wake-up is asked for anew once the queue has been drained."""
    for _ in range(3):
        done: Waiter[None] = Waiter()
        loop.next_tick(done.set)
        await done.wait()


async def test_loop_tick_for_somebody_runs_without_any_delivery() -> None:
    """`next_tick_for` wakes the loop just so."""
    done: Waiter[None] = Waiter()
    loop.current().next_tick_for(None, done.set)
    assert not done.is_set
    await done.wait()


async def test_loop_delivery_drains_before_and_after() -> None:
    """Ticks that wait come before a delivery, its own before it returns (H-008)."""
    here = loop.current()
    seen: list[str] = []

    def deliver_data() -> None:
        here.next_tick(seen.append, "tick of the data")
        seen.append("data")

    here.next_tick(seen.append, "tick of user code")
    here.deliver(None, deliver_data)
    assert seen == ["tick of user code", "data", "tick of the data"]


async def test_loop_ready_io_does_not_overtake_ticks() -> None:
    """A tick runs before I/O that was ready when it was scheduled (H-008)."""
    here = loop.current()
    seen: list[str] = []
    done: Waiter[None] = Waiter()
    left, right = socket.socketpair()
    with left, right:
        right.send(b"x")

        def readable() -> None:
            here.unwatch_readable(left)
            here.deliver(None, seen.append, "data")
            done.set()

        here.watch_readable(left, readable)
        here.next_tick(seen.append, "tick")
        await done.wait()
    assert seen == ["tick", "data"]


async def test_loop_due_timer_does_not_overtake_ticks() -> None:
    """A tick runs before a timer that is due already (H-008)."""
    seen: list[str] = []
    done: Waiter[None] = Waiter()

    def timeout() -> None:
        seen.append("timer")
        done.set()

    loop.call_later(0, timeout)
    loop.next_tick(seen.append, "tick")
    await done.wait()
    assert seen == ["tick", "timer"]


async def test_loop_delivery_inside_a_delivery_only_calls() -> None:
    """A drain never nests: ticks wait until the outermost delivery has called."""
    here = loop.current()
    seen: list[str] = []

    def outer() -> None:
        here.next_tick(seen.append, "tick")
        here.deliver(None, seen.append, "inner")
        here.drain()
        seen.append("outer")

    here.deliver(None, outer)
    assert seen == ["inner", "outer", "tick"]


async def test_loop_tick_in_a_tick_runs_in_the_same_drain() -> None:
    """What a tick schedules comes after what was scheduled before, without nesting."""
    here = loop.current()
    seen: list[str] = []

    def first() -> None:
        here.next_tick(seen.append, "third")
        here.deliver(None, seen.append, "first")

    here.next_tick(first)
    here.next_tick(seen.append, "second")
    here.drain()
    assert seen == ["first", "second", "third"]
    assert not here.ticks


async def test_loop_exception_in_a_tick_does_not_stop_the_drain(
    reported: list[BaseException],
) -> None:
    """An exception in a tick is reported, and the drain goes on (H-010)."""
    here = loop.current()
    seen: list[int] = []
    here.next_tick(seen.append, 1)
    here.next_tick(bytes.fromhex, "one")
    here.next_tick(seen.append, 2)
    here.next_tick(here.ticks.remove, (None, stop, ()))
    here.next_tick(seen.append, 3)
    here.drain()
    assert seen == [1, 2, 3]
    assert [type(error) for error in reported] == [ValueError, ValueError]


async def test_loop_exception_in_a_delivery_still_runs_its_ticks(
    reported: list[BaseException],
) -> None:
    """`deliver` reports what its callback raises and drains all the same (H-010)."""
    here = loop.current()
    seen: list[str] = []

    def fail() -> None:
        here.next_tick(seen.append, "tick")
        raise ZeroDivisionError

    here.deliver(None, fail)
    assert seen == ["tick"]
    assert [type(error) for error in reported] == [ZeroDivisionError]


@pytest.mark.parametrize("nested", [False, True])
async def test_loop_keyboard_interrupt_goes_through_a_delivery(nested: bool) -> None:
    """What is no `Exception` passes, and the ticks left behind run a turn later."""
    here = loop.current()
    seen: list[str] = []

    def interrupted() -> None:
        here.next_tick(seen.append, "tick")
        if nested:
            here.deliver(None, stop)
        stop()

    with pytest.raises(KeyboardInterrupt):
        here.deliver(None, interrupted)
    assert seen == []
    while not seen:
        await native_checkpoint()
    assert seen == ["tick"]


async def test_loop_keyboard_interrupt_goes_through_a_drain() -> None:
    """An interrupted drain leaves the rest of the queue in order, for the next one."""
    here = loop.current()
    seen: list[str] = []
    here.next_tick(stop)
    here.next_tick(seen.append, "left behind")
    with pytest.raises(KeyboardInterrupt):
        here.drain()
    here.next_tick(seen.append, "new")
    await loop.checkpoint()
    assert seen == ["left behind", "new"]


@pytest.mark.parametrize("anyio_backend", ["trio"])
async def test_loop_keyboard_interrupt_leaves_no_tick_behind_on_trio(
    anyio_backend: str, reported: list[BaseException]
) -> None:
    """The keeper outlives what it cannot let through, and runs the other ticks."""
    done: Waiter[None] = Waiter()
    loop.next_tick(stop)
    loop.next_tick(done.set)
    await done.wait()
    assert [type(error) for error in reported] == [KeyboardInterrupt]


async def test_loop_call_soon_runs_a_turn_later() -> None:
    """`call_soon` comes after all ticks, and what it schedules a turn later still."""
    seen: list[str] = []
    done: Waiter[None] = Waiter()

    def again() -> None:
        seen.append("again")
        done.set()

    def soon() -> None:
        loop.call_soon(again)
        loop.next_tick(seen.append, "tick of soon")
        seen.append("soon")

    loop.call_soon(soon)
    loop.call_soon(seen.append, "also soon")
    loop.next_tick(seen.append, "tick")
    await done.wait()
    assert seen == ["tick", "soon", "tick of soon", "also soon", "again"]


async def test_loop_after_turn_comes_behind_all_that_is_ready() -> None:
    """Ticks, what `call_soon` was given and tasks that go on come first."""
    seen: list[str] = []
    done, woken = anyio.Event(), anyio.Event()

    async def sleep() -> None:
        await woken.wait()
        seen.append("task")

    async with anyio.create_task_group() as group:
        group.start_soon(sleep)
        await native_checkpoint()
        for _ in range(2):
            loop.current().after_turn(lambda: seen.append("after"))
        loop.current().after_turn(done.set)
        woken.set()
        loop.call_soon(seen.append, "soon")
        loop.next_tick(seen.append, "tick")
        await done.wait()
    assert sorted(seen[:3]) == ["soon", "task", "tick"]
    assert seen[3:] == ["after", "after"]


async def test_loop_after_turn_may_be_asked_for_again() -> None:
    """From inside its callback, and after it; nothing waits for it (H-009)."""
    seen: list[int] = []
    done = anyio.Event()

    def again() -> None:
        seen.append(len(seen))
        if len(seen) == 3:
            done.set()
        else:
            loop.current().after_turn(again)

    loop.current().after_turn(again)
    await loop.current().wait_idle()
    assert len(seen) < 3
    await done.wait()
    assert seen == [0, 1, 2]


async def test_loop_call_soon_leaves_room_for_others() -> None:
    """An immediate that schedules itself again and again starves nobody."""
    rounds: list[int] = []
    stopped: Waiter[None] = Waiter()

    def again() -> None:
        rounds.append(1)
        if not stopped.is_set:
            loop.call_soon(again)

    loop.call_soon(again)
    for _ in range(5):
        await native_checkpoint()
    stopped.set()
    await loop.current().wait_idle()
    assert 2 <= len(rounds) <= 10


async def test_loop_ticks_see_the_context_of_the_first_of_them() -> None:
    """A drain that `next_tick` asked for runs in the context of that moment."""
    variable: ContextVar[str] = ContextVar("variable", default="unset")
    done: Waiter[str] = Waiter()
    variable.set("at next_tick")
    loop.next_tick(lambda: done.set(variable.get()))
    variable.set("later")
    assert await done.wait() == "at next_tick"


async def test_loop_checkpoint_runs_the_ticks_that_wait() -> None:
    """When `checkpoint()` returns, ticks scheduled before it have run."""
    for _ in range(20):  # trio wakes tasks of one batch in random order
        seen: list[str] = []
        loop.next_tick(seen.append, "tick")
        await loop.checkpoint()
        assert seen == ["tick"]


class Program:
    """Runs a random tree of ticks and deliveries, and checks the rules on the way."""

    def __init__(self, here: Loop) -> None:
        self.here = here
        self.here.runner = self
        self.scheduled: list[int] = []
        self.ran: list[int] = []
        self.in_tick = False
        self.failures = 0

    def fail(self, error: BaseException) -> None:
        assert isinstance(error, ZeroDivisionError), error
        self.failures += 1

    def perform(self, plan: "list[Action]", *, outside: bool = False) -> None:
        for kind, inner in plan:
            if kind == "tick":
                self.scheduled.append(len(self.scheduled))
                self.here.next_tick(self.tick, self.scheduled[-1], inner)
                assert self.scheduled[-1] not in self.ran
            elif kind == "deliver":
                self.here.deliver(None, self.delivery, inner, outside)
                assert not outside or self.ran == self.scheduled
            else:
                raise ZeroDivisionError

    def tick(self, number: int, inner: "list[Action]") -> None:
        assert not self.in_tick, "a drain nests"
        self.ran.append(number)
        self.in_tick = True
        try:
            self.perform(inner)
        finally:
            self.in_tick = False

    def delivery(self, inner: "list[Action]", outside: bool) -> None:
        assert not outside or self.ran == self.scheduled, "a delivery overtook a tick"
        self.perform(inner)


Action = tuple[str, list["Action"]]
plans: st.SearchStrategy[list[Action]] = st.recursive(
    st.just([]),
    lambda inner: st.lists(
        st.tuples(st.sampled_from(["tick", "deliver", "raise"]), inner), max_size=4
    ),
    max_leaves=30,
)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@given(plan=plans)
def test_loop_ticks_keep_their_rules_in_any_program(
    backend: str, plan: list[Action]
) -> None:
    """Whatever is nested and raises: each tick once, in order, none inside another."""

    async def main() -> None:
        program = Program(loop.current())
        with suppress(ZeroDivisionError):
            program.perform(plan, outside=True)
        await loop.checkpoint()
        assert program.ran == program.scheduled

    anyio.run(main, backend=backend)
