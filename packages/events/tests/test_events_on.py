"""`async for args in on(emitter, event)` (X-091)."""

from collections.abc import Callable
from typing import Any

import anyio
import pytest

from headrace.events import EventEmitter, UnhandledError, on


class Source(EventEmitter):
    """An emitter that can be paused, as a stream can."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []

    def pause(self) -> None:
        self.calls.append("pause")

    def resume(self) -> None:
        self.calls.append("resume")


async def test_events_between_two_steps_are_not_lost() -> None:
    """They wait, in order, from the call on (X-091, N-017)."""
    emitter, seen = EventEmitter(), list[tuple[Any, ...]]()
    events = on(emitter, "e", close=["end"])
    emitter.emit("e", 1)
    emitter.emit("e", 2, "two")
    async for args in events:
        seen.append(args)
        if args == (1,):
            emitter.emit("e", 3)
            emitter.emit("end")
    assert seen == [(1,), (2, "two"), (3,)]
    assert emitter.event_names() == []


async def test_it_waits_for_the_next_event() -> None:
    """A step sleeps until something is emitted (X-091)."""
    emitter, seen = EventEmitter(), list[tuple[Any, ...]]()

    async def iterate() -> None:
        async for args in on(emitter, "e", close=["end"]):
            seen.append(args)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(iterate)
        for number in range(3):
            await anyio.wait_all_tasks_blocked()
            emitter.emit("e", number)
        await anyio.wait_all_tasks_blocked()
        assert seen == [(0,), (1,), (2,)]
        emitter.emit("end")


async def test_an_error_raises_in_the_loop() -> None:
    """After what was emitted before it; then the listeners are gone (X-091, N-017)."""
    emitter, error = EventEmitter(), OSError("broken")
    events = on(emitter, "e")
    emitter.emit("e", 1)
    assert emitter.emit("error", error) is True
    assert emitter.emit("e", 2) is False
    assert await anext(events) == (1,)
    with pytest.raises(OSError, match="broken") as caught:
        await anext(events)
    assert caught.value is error
    assert emitter.event_names() == []


async def test_an_error_raises_once() -> None:
    """After it the iteration has ended (X-091)."""
    emitter = EventEmitter()
    events = on(emitter, "e")
    emitter.emit("error", "no exception")
    with pytest.raises(UnhandledError):
        await anext(events)
    assert [args async for args in events] == []


async def test_an_error_wakes_a_sleeping_step() -> None:
    """It raises where the loop waits (X-091)."""
    emitter = EventEmitter()

    async def iterate() -> None:
        with pytest.raises(OSError, match="broken"):
            await anext(on(emitter, "e"))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(iterate)
        await anyio.wait_all_tasks_blocked()
        emitter.emit("error", OSError("broken"))


async def test_iterating_over_the_error_itself() -> None:
    """It is an ordinary event then (X-091)."""
    emitter, error = EventEmitter(), OSError("broken")
    events = on(emitter, "error", close=["end"])
    emitter.emit("error", error)
    emitter.emit("end")
    assert [args async for args in events] == [(error,)]


async def test_break_removes_the_listeners() -> None:
    """At once, not when the collector comes by (X-091, N-017)."""
    emitter = EventEmitter()
    async for _ in emit_into(on(emitter, "e", close=["end"]), emitter):
        assert emitter.event_names() == ["e", "error", "end"]
        break
    assert emitter.event_names() == []


def emit_into(events: Any, emitter: EventEmitter) -> Any:
    emitter.emit("e")
    return events


async def test_an_exception_in_the_body_removes_the_listeners() -> None:
    """Leaving the loop is leaving the loop (X-091, N-017)."""
    emitter = EventEmitter()

    async def iterate() -> None:
        async for _ in emit_into(on(emitter, "e"), emitter):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await iterate()
    assert emitter.event_names() == []


async def test_cancelling_removes_the_listeners() -> None:
    """A cancelled loop lets go of its iterator (X-091)."""
    emitter = EventEmitter()

    async def iterate() -> None:
        async for _ in on(emitter, "e"):
            pass

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(iterate)
        await anyio.wait_all_tasks_blocked()
        assert emitter.event_names() == ["e", "error"]
        tasks.cancel_scope.cancel()
    assert emitter.event_names() == []


async def test_cancelling_a_step_loses_no_event() -> None:
    """The iterator goes on after a time limit around one step (X-091)."""
    emitter = EventEmitter()
    events = on(emitter, "e")
    with anyio.CancelScope() as scope:
        scope.cancel()
        await anext(events)
    assert scope.cancelled_caught
    emitter.emit("e", 1)
    with anyio.CancelScope() as scope:
        scope.cancel()
        await anext(events)
    assert scope.cancelled_caught
    assert await anext(events) == (1,)


async def test_aclose_ends_the_iteration() -> None:
    """Listeners go, waiting events are forgotten, a sleeping step ends (X-091)."""
    emitter, ends = EventEmitter(), list[str]()
    events = on(emitter, "e")

    async def iterate() -> None:
        async for _ in events:
            pass
        ends.append("ended")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(iterate)
        await anyio.wait_all_tasks_blocked()
        await events.aclose()
        assert emitter.event_names() == []
    assert ends == ["ended"]
    await events.aclose()


async def test_aclose_forgets_what_waits() -> None:
    """Nothing comes out of a closed iterator (X-091)."""
    emitter = EventEmitter()
    async with on(emitter, "e") as events:
        emitter.emit("e", 1)
        emitter.emit("error", OSError("forgotten"))
    assert [args async for args in events] == []


def test_an_iterator_that_is_dropped_removes_its_listeners() -> None:
    """Also one that was never stepped (X-091)."""
    emitter = EventEmitter()
    events = on(emitter, "e")
    assert emitter.listener_count("e") == 1
    del events
    assert emitter.event_names() == []


async def test_two_tasks_share_an_iterator() -> None:
    """Each event goes to one of them, none is lost (X-091)."""
    emitter, seen = EventEmitter(), list[int]()
    events = on(emitter, "e", close=["end"])

    async def iterate() -> None:
        async for (number,) in events:
            seen.append(number)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(iterate)
        tasks.start_soon(iterate)
        for number in range(6):
            emitter.emit("e", number)
            if number % 2:
                await anyio.wait_all_tasks_blocked()
        emitter.emit("end")
    assert sorted(seen) == [0, 1, 2, 3, 4, 5]


async def test_a_source_that_is_always_ahead_shuts_nobody_out() -> None:
    """Each step gives way, so the loop can be cancelled (X-091)."""
    emitter = EventEmitter()
    with anyio.CancelScope() as scope:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(cancel_soon, scope)
            events = on(emitter, "e")
            emitter.emit("e")
            async for _ in events:
                emitter.emit("e")
    assert scope.cancelled_caught


async def cancel_soon(scope: anyio.CancelScope) -> None:
    scope.cancel()


async def test_water_marks_pause_and_resume_the_source() -> None:
    """More than the high mark: pause; fewer than the low mark: resume (X-091)."""
    source = Source()
    events = on(source, "data", high_water_mark=2, low_water_mark=2)
    source.emit("data", 1)
    source.emit("data", 2)
    assert source.calls == []
    source.emit("data", 3)
    source.emit("data", 4)
    assert source.calls == ["pause"]
    await anext(events)
    await anext(events)
    assert source.calls == ["pause"]
    await anext(events)
    assert source.calls == ["pause", "resume"]


async def test_without_marks_the_source_is_left_alone() -> None:
    """Any number of events may wait (X-091)."""
    source = Source()
    events = on(source, "data", close=["end"])
    for number in range(1000):
        source.emit("data", number)
    assert source.calls == []
    await events.aclose()


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda: on({}, "e"), "ERR_INVALID_ARG_TYPE"),  # type: ignore[arg-type]
        (lambda: on(Source(), []), "ERR_INVALID_ARG_TYPE"),  # type: ignore[arg-type]
        (lambda: on(Source(), "e", close="end"), "ERR_INVALID_ARG_TYPE"),
        (lambda: on(Source(), "e", close=[[]]), "ERR_INVALID_ARG_TYPE"),  # type: ignore[list-item]
        (lambda: on(Source(), "e", high_water_mark=True), "ERR_INVALID_ARG_TYPE"),
        (lambda: on(Source(), "e", high_water_mark=0), "ERR_OUT_OF_RANGE"),
        (lambda: on(Source(), "e", low_water_mark=-1), "ERR_OUT_OF_RANGE"),
        (lambda: on(EventEmitter(), "e", high_water_mark=1), "ERR_INVALID_ARG_TYPE"),
    ],
    ids=["emitter", "event", "text", "close", "bool", "zero", "negative", "no pause"],
)
def test_wrong_arguments_raise_at_once(make: Callable[[], object], code: str) -> None:
    """From the call, with the documented code (X-091, H-011)."""
    with pytest.raises((TypeError, ValueError)) as caught:
        make()
    assert getattr(caught.value, "code", None) == code


def test_a_call_that_raises_leaves_nothing() -> None:
    """The event's listener goes when a close event is wrong (X-091)."""
    emitter = EventEmitter()
    with pytest.raises(TypeError):
        on(emitter, "e", close=[[]])  # type: ignore[list-item]
    assert emitter.event_names() == []
