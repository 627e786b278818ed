"""Who answers for an exception: owners, the runner, the runtime (H-010)."""

import asyncio
import logging
from typing import Any

import pytest

from headrace.events import loop
from headrace.events.loop import Owner, Waiter


class Answerer:
    """An owner that takes every exception, or none."""

    def __init__(self, *, takes: bool = True) -> None:
        self.takes = takes
        self.asked: list[tuple[Exception, object]] = []

    def take_exception(self, error: Exception, source: object) -> bool:
        self.asked.append((error, source))
        return self.takes

    @property
    def taken(self) -> list[Exception]:
        return [error for error, _ in self.asked]


class Runner:
    """A runner that only notes what it is told."""

    def __init__(self) -> None:
        self.errors: list[BaseException] = []

    def fail(self, error: BaseException) -> None:
        self.errors.append(error)


class Boom(Exception):
    """What goes wrong in these tests."""


def fail() -> None:
    raise Boom


def owner_now() -> Owner | None:
    return loop.current().owner


async def test_loop_delivery_runs_on_behalf_of_its_owner() -> None:
    """The owner holds during the delivery and not after it, at any depth."""
    here, outer, inner = loop.current(), Answerer(), Answerer()
    seen: list[Owner | None] = []

    def note() -> None:
        seen.append(owner_now())

    def nested() -> None:
        here.deliver(inner, note)
        note()
        here.deliver(None, note)

    here.deliver(outer, nested)
    note()
    assert seen == [inner, outer, None, None]


async def test_loop_delivery_restores_the_owner_after_an_exception() -> None:
    """An exception inside a nested delivery leaves the outer owner in charge."""
    here, outer, inner = loop.current(), Answerer(), Answerer()

    def fail_twice() -> None:
        here.deliver(inner, fail)
        fail()

    here.deliver(outer, fail_twice)
    assert [type(error) for error in inner.taken] == [Boom]
    assert [type(error) for error in outer.taken] == [Boom]
    assert owner_now() is None


async def test_loop_tick_belongs_to_the_owner_that_scheduled_it() -> None:
    """`next_tick` keeps the present owner, `next_tick_for` names one (H-010)."""
    here, one, other = loop.current(), Answerer(), Answerer()

    def schedule() -> None:
        here.next_tick(fail)
        here.next_tick_for(other, fail)

    here.deliver(one, schedule)
    assert len(one.taken) == len(other.taken) == 1
    assert owner_now() is None


async def test_loop_call_soon_and_timers_belong_to_the_owner_that_set_them() -> None:
    """`call_soon` and `call_later` keep the owner for what they run (H-010)."""
    here, owner = loop.current(), Answerer()
    seen: list[Owner | None] = []
    done: Waiter[None] = Waiter()

    def note() -> None:
        seen.append(owner_now())
        if len(seen) == 2:
            done.set()

    def schedule() -> None:
        here.call_soon(note)
        here.call_later(0, note)

    here.deliver(owner, schedule)
    await done.wait()
    assert seen == [owner, owner]


async def test_loop_coroutine_belongs_to_the_owner_that_spawned_it() -> None:
    """Each step of a coroutine runs for its owner, code between the steps does not."""
    here, owner = loop.current(), Answerer()
    seen: list[Owner | None] = []

    async def note_twice() -> None:
        seen.append(owner_now())
        await loop.checkpoint()
        seen.append(owner_now())

    task = here.spawn(note_twice(), owner=owner)
    seen.append(owner_now())
    await task.wait()
    seen.append(owner_now())
    assert seen == [None, owner, owner, None]


async def test_loop_spawn_keeps_the_present_owner() -> None:
    """Without an `owner` the coroutine belongs to whoever runs now."""
    here, owner = loop.current(), Answerer()
    tasks: list[loop.Task] = []

    async def boom() -> None:
        raise Boom

    here.deliver(owner, lambda: tasks.append(here.spawn(boom())))
    await tasks[0].wait()
    ((error, source),) = owner.asked
    assert isinstance(error, Boom)
    assert source is tasks[0]
    assert "boom" in repr(source)


async def test_loop_report_asks_the_owner_with_the_source() -> None:
    """`report` names what raised, and by default asks who owns the code now."""
    here, owner = loop.current(), Answerer()
    error = Boom()
    here.deliver(owner, loop.report, error, "the source")
    here.report(error, "another", owner)
    assert owner.asked == [(error, "the source"), (error, "another")]


async def test_loop_runner_gets_what_no_owner_takes() -> None:
    """Under `run()` an exception that the owner declines ends the program (H-010)."""
    here = loop.current()
    here.runner = runner = Runner()
    owner = Answerer(takes=False)
    here.deliver(owner, fail)
    here.runner = None
    assert runner.errors == owner.taken
    assert len(runner.errors) == 1


async def test_loop_owner_that_fails_loses_no_exception() -> None:
    """When an owner raises, both exceptions are reported (H-010)."""

    class Broken:
        def take_exception(self, error: Exception, source: object) -> bool:
            raise ZeroDivisionError

    here = loop.current()
    here.runner = runner = Runner()
    here.deliver(Broken(), fail)
    here.runner = None
    assert [type(error) for error in runner.errors] == [ZeroDivisionError, Boom]


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("source", ["the source", None])
async def test_loop_report_uses_the_exception_handler_of_asyncio(
    source: str | None, anyio_backend: str
) -> None:
    """On asyncio the loop's exception handler gets what nobody takes (H-010)."""
    contexts: list[dict[str, Any]] = []
    native = asyncio.get_running_loop()
    previous = native.get_exception_handler()
    native.set_exception_handler(lambda _, context: contexts.append(context))
    error = Boom()
    loop.report(error, source)
    native.set_exception_handler(previous)
    (context,) = contexts
    assert context["exception"] is error
    assert context.get("source") == source
    assert "Boom" in context["message"]


@pytest.mark.parametrize("anyio_backend", ["trio"])
async def test_loop_report_logs_on_trio(
    anyio_backend: str, caplog: pytest.LogCaptureFixture
) -> None:
    """On trio what nobody takes is logged as CRITICAL, with its traceback (H-010)."""
    loop.current().deliver(None, fail)
    loop.report(Boom())
    for record in caplog.records:
        assert (record.name, record.levelno) == ("headrace", logging.CRITICAL)
        assert record.exc_info is not None
        assert isinstance(record.exc_info[1], Boom)
    first, second = (record.getMessage() for record in caplog.records)
    assert first == f"unhandled Boom in {fail!r}"
    assert second == "unhandled Boom"
