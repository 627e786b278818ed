"""`await once(emitter, event)` (X-090)."""

import gc
import weakref
from collections.abc import Hashable
from functools import partial
from typing import Any

import anyio
import pytest

from headrace.events import EventEmitter, UnhandledError, once


async def test_it_gives_the_arguments() -> None:
    """All of them, as a tuple, and no listener is left (X-090, N-016)."""
    emitter = EventEmitter()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(emit_soon, emitter, "e", 1, "two")
        assert await once(emitter, "e") == (1, "two")
    assert emitter.event_names() == []


async def emit_soon(emitter: EventEmitter, event: Hashable, *args: object) -> None:
    await anyio.wait_all_tasks_blocked()
    emitter.emit(event, *args)


async def test_it_listens_from_the_call_on() -> None:
    """What is emitted before the `await` counts; only the first one (X-090)."""
    emitter = EventEmitter()
    waiting = once(emitter, "e")
    emitter.emit("e", "first")
    assert emitter.event_names() == []
    emitter.emit("e", "second")
    assert await waiting == ("first",)


async def test_an_error_raises() -> None:
    """'error' first: the exception itself, and no listener is left (X-090, N-016)."""
    emitter, error = EventEmitter(), OSError("broken")
    waiting = once(emitter, "e")
    assert emitter.emit("error", error) is True
    assert emitter.event_names() == []
    with pytest.raises(OSError, match="broken") as caught:
        await waiting
    assert caught.value is error


async def test_an_error_after_the_event_is_not_heard() -> None:
    """The listener of 'error' goes with the event (X-090)."""
    emitter = EventEmitter()
    waiting = once(emitter, "e")
    emitter.emit("e")
    with pytest.raises(OSError, match="unheard"):
        emitter.emit("error", OSError("unheard"))
    assert await waiting == ()


async def test_an_error_that_is_no_exception_is_wrapped() -> None:
    """As `emit` would have done (X-090, H-151)."""
    emitter = EventEmitter()
    waiting = once(emitter, "e")
    emitter.emit("error", 42)
    with pytest.raises(UnhandledError) as caught:
        await waiting
    assert caught.value.context == 42


async def test_waiting_for_the_error_itself() -> None:
    """It is returned, not raised (X-090, N-016)."""
    emitter, error = EventEmitter(), OSError("broken")
    waiting = once(emitter, "error")
    emitter.emit("error", error)
    assert await waiting == (error,)
    assert emitter.event_names() == []


async def test_cancelling_removes_both_listeners() -> None:
    """Nothing is left on the emitter (X-090, N-016)."""
    emitter = EventEmitter()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(once, emitter, "e")
        await anyio.wait_all_tasks_blocked()
        assert emitter.event_names() == ["e", "error"]
        tasks.cancel_scope.cancel()
    assert emitter.event_names() == []


def test_a_coroutine_that_is_dropped_removes_both_listeners() -> None:
    """Python warns of it, and nothing is left on the emitter (X-090)."""
    emitter = EventEmitter()
    waiting = once(emitter, "e")
    assert emitter.listener_count("e") == 1
    with pytest.warns(RuntimeWarning, match="never awaited"):
        del waiting
    assert emitter.event_names() == []


async def test_any_number_of_tasks_can_wait() -> None:
    """Each gets the same arguments (X-090)."""
    emitter, seen = EventEmitter(), list[tuple[Any, ...]]()

    async def wait() -> None:
        seen.append(await once(emitter, "e"))

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        emitter.emit("e", 1)
    assert seen == [(1,)] * 3


async def test_the_wait_keeps_the_emitter() -> None:
    """And lets go of it when the wait is over (X-090)."""
    emitter = EventEmitter()
    waiting, gone = once(emitter, "e"), weakref.ref(emitter)
    del emitter
    gc.collect()
    held = gone()
    assert held is not None
    held.emit("e", "late")
    del held
    assert await waiting == ("late",)
    assert gone() is None


@pytest.mark.parametrize("wrong", [None, {}, EventEmitter, "emitter"], ids=repr)
async def test_it_wants_an_emitter(wrong: Any) -> None:
    """ERR_INVALID_ARG_TYPE (X-090)."""
    with pytest.raises(TypeError) as caught:
        await once(wrong, "e")
    assert getattr(caught.value, "code", None) == "ERR_INVALID_ARG_TYPE"


def test_wrong_arguments_raise_from_the_call() -> None:
    """Not from the `await`, and nothing is left on the emitter (X-090, H-011)."""
    wrong: Any = []
    emitter, call = EventEmitter(), partial(once, event=wrong)
    with pytest.raises(TypeError) as caught:
        _ = call(emitter)
    assert getattr(caught.value, "code", None) == "ERR_INVALID_ARG_TYPE"
    assert emitter.event_names() == []
