"""The end of a loop: everything open is aborted, nothing is left behind."""

import asyncio
import gc
import logging
import threading
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any

import anyio
import pytest
import trio

from headrace.events import loop
from headrace.events.loop import Waiter

Main = Callable[[], Awaitable[Any]]
Run = Callable[[Main], Any]


def run_asyncio(main: Main) -> Any:
    async def wrapped() -> Any:
        return await main()

    return asyncio.run(wrapped())


def run_uvloop(main: Main) -> Any:
    return anyio.run(main, backend_options={"use_uvloop": True})


def run_trio(main: Main) -> Any:
    return trio.run(main)


@pytest.fixture(params=[run_asyncio, run_uvloop, run_trio])
def run(request: pytest.FixtureRequest) -> Run:
    """One way to start a loop, and to end it."""
    runner: Run = request.param
    return runner


class Open:
    """Something open that notes how it is closed."""

    def __init__(self, log: list[str], name: str = "abort") -> None:
        self.log, self.name = log, name

    def abort(self) -> None:
        self.log.append(self.name)
        loop.next_tick(self.log.append, f"tick of {self.name}")


async def forever(log: list[str]) -> None:
    try:
        await Waiter[None]().wait()
    finally:
        log.append("cancelled")


async def end(log: list[str]) -> None:
    """Wait until the loop ends, then clean up over several turns."""
    try:
        await anyio.sleep_forever()
    finally:
        with anyio.CancelScope(shield=True):
            for _ in range(3):
                await loop.checkpoint()
        log.append("cleaned up")


def test_loop_end_aborts_what_is_attached(run: Run) -> None:
    """When main has returned, each closer is aborted, the newest first, with ticks."""
    log: list[str] = []

    async def main() -> None:
        loop.current().attach(Open(log, "server"))
        loop.current().attach(Open(log, "connection"))
        await loop.checkpoint()
        log.append("main")

    run(main)
    assert log == [
        "main",
        "connection",
        "tick of connection",
        "server",
        "tick of server",
    ]


def test_loop_end_aborts_what_was_attached_in_the_last_moment(run: Run) -> None:
    """A keeper that has not taken its first step does its work all the same."""
    log: list[str] = []

    async def main() -> None:
        # Not by main itself: asyncio would go on for one more turn.
        loop.next_tick(loop.current().attach, Open(log))

    run(main)
    assert log == ["abort", "tick of abort"]


def test_loop_end_belongs_to_nobodys_context(run: Run) -> None:
    """The end does not run with the context variables of whoever came first."""
    variable: ContextVar[str] = ContextVar("variable", default="unset")
    seen: list[str] = []

    class Looking(Open):
        def abort(self) -> None:
            seen.append(variable.get())

    async def main() -> None:
        variable.set("of main")
        loop.current().attach(Looking([]))

    run(main)
    assert seen == ["unset"]


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt, SystemExit])
def test_loop_end_by_exception_aborts_too(run: Run, error: type[BaseException]) -> None:
    """However main ends, what is attached is aborted, and its exception comes out."""
    log: list[str] = []

    async def main() -> None:
        loop.current().attach(Open(log))
        await loop.checkpoint()
        raise error

    with pytest.raises(error):
        run(main)
    assert log == ["abort", "tick of abort"]


def test_loop_end_does_not_abort_what_was_detached(run: Run) -> None:
    """`detach` takes `attach` back; detaching twice is harmless."""
    log: list[str] = []

    async def main() -> None:
        here, closer = loop.current(), Open(log, "detached")
        here.attach(Open(log, "attached"))
        here.attach(closer)
        here.detach(closer)
        here.detach(closer)
        await loop.checkpoint()

    run(main)
    assert log == ["attached", "tick of attached"]


def test_loop_end_aborts_what_an_abort_attaches(run: Run) -> None:
    """Things opened while the end is under way are aborted as well."""
    log: list[str] = []

    class Reopening(Open):
        def abort(self) -> None:
            super().abort()
            loop.next_tick(loop.current().attach, Open(log, "late"))

    async def main() -> None:
        loop.current().attach(Reopening(log, "early"))

    run(main)
    assert log == ["early", "tick of early", "late", "tick of late"]


def test_loop_end_aborts_what_a_cleanup_attaches(run: Run) -> None:
    """A coroutine that opens something while it is being cancelled leaves no trace."""
    log: list[str] = []

    async def reopen() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                await loop.checkpoint()
                loop.current().attach(Open(log))

    async def main() -> None:
        loop.spawn(reopen())
        await loop.checkpoint()
        await loop.checkpoint()

    run(main)
    assert log == ["abort", "tick of abort"]


def test_loop_end_goes_on_after_an_abort_that_fails(
    run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    """An exception of one `abort` is reported, the others are still aborted."""
    log: list[str] = []

    class Failing(Open):
        def abort(self) -> None:
            raise ZeroDivisionError

    async def main() -> None:
        loop.current().attach(Open(log))
        loop.current().attach(Failing(log))

    run(main)
    assert log == ["abort", "tick of abort"]
    assert [type(r.exc_info[1]) for r in caplog.records if r.exc_info] == [
        ZeroDivisionError
    ]


def test_loop_end_cancels_spawned_coroutines(run: Run) -> None:
    """A coroutine never outlives its loop, and may take turns to clean up (H-150)."""
    log: list[str] = []

    async def main() -> None:
        loop.spawn(forever(log))
        loop.spawn(end(log))
        for _ in range(3):
            await loop.checkpoint()
        log.append("main")

    run(main)
    assert sorted(log) == ["cancelled", "cleaned up", "main"]
    assert log[0] == "main"


def test_loop_end_closes_coroutines_that_never_began(run: Run) -> None:
    """What is spawned in the last moment leaves no warning and no task behind."""
    log: list[str] = []

    async def main() -> None:
        loop.spawn(forever(log))

    run(main)
    gc.collect()


def test_loop_end_takes_coroutines_spawned_by_an_abort(
    run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    """An async listener of `close` may be spawned while the loop ends (H-150)."""
    log: list[str] = []

    class Spawning(Open):
        def abort(self) -> None:
            loop.spawn(forever(log))

    async def main() -> None:
        loop.current().attach(Spawning(log))
        await loop.checkpoint()

    run(main)
    gc.collect()
    assert not caplog.records


def test_loop_end_does_not_interrupt_a_cleanup(run: Run) -> None:
    """A coroutine that cleans up after its cancellation is not cancelled again."""
    log: list[str] = []

    async def cleans_up() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            for _ in range(3):
                try:
                    await loop.checkpoint()
                    log.append("turn")
                except trio.Cancelled:  # trio repeats itself, by design
                    log.append("turn")

    async def main() -> None:
        loop.spawn(cleans_up())
        loop.current().attach(Open([]))
        for _ in range(3):
            await loop.checkpoint()

    run(main)
    assert log == ["turn"] * 3


def test_loop_end_runs_ticks_that_wait(run: Run) -> None:
    """Ticks scheduled by the last code of main still run."""
    log: list[str] = []

    async def main() -> None:
        loop.current().attach(Open([]))
        await loop.checkpoint()
        loop.next_tick(log.append, "tick")

    run(main)
    assert log == ["tick"]


def test_loop_end_ends_watches_and_timers(run: Run) -> None:
    """Timers that wait for long do not delay the end, and never run."""
    log: list[str] = []

    async def main() -> None:
        loop.call_later(1000, log.append, "timer")
        loop.call_soon(loop.call_soon, log.append, "never")
        await loop.checkpoint()

    run(main)
    assert "timer" not in log


def test_loop_that_is_dead_takes_calls_in_silence(run: Run) -> None:
    """Who destroys an object of a finished loop has done nothing wrong."""
    log: list[str] = []

    async def main() -> tuple[loop.Loop, Waiter[None], loop.Timer]:
        waiter: Waiter[None] = Waiter()
        loop.spawn(waiter.wait())
        await loop.checkpoint()
        return loop.current(), waiter, loop.call_later(1000, print)

    async def other() -> None:
        dead.next_tick(log.append, "in another loop")
        await loop.checkpoint()

    dead, waiter, timer = run(main)
    dead.next_tick(log.append, "tick")
    dead.next_tick(log.append, "tick")
    waiter.set()
    timer.cancel()
    dead.detach(Open(log))
    run(other)
    assert log == []
    assert not dead.ticks


def test_loop_that_is_dead_takes_nothing_new(run: Run) -> None:
    """What needs a running loop raises RuntimeError on one that has ended."""

    async def main() -> loop.Loop:
        return loop.current()

    dead = run(main)
    with pytest.raises(RuntimeError):
        dead.call_later(1, print)
    with pytest.raises(RuntimeError):
        dead.call_soon(print)
    with pytest.raises(RuntimeError):
        dead.attach(Open([]))


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_loop_keeper_ends_when_nothing_is_attached(anyio_backend: str) -> None:
    """`asyncio.all_tasks()` is clean a turn after the last `detach`."""
    here, closer = loop.current(), Open([])
    before = asyncio.all_tasks()
    for _ in range(2):
        here.attach(closer)
        (keeper,) = asyncio.all_tasks() - before
        assert keeper.get_name() == "headrace keeper"
        await loop.checkpoint()
        here.detach(closer)
        await loop.checkpoint()
        await loop.checkpoint()
        assert keeper.done()
        assert asyncio.all_tasks() == before


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_loop_keeper_stays_when_something_is_attached_again(
    anyio_backend: str,
) -> None:
    """Between one connection and the next the keeper does not change."""
    here, first, second = loop.current(), Open([]), Open([])
    before = asyncio.all_tasks()
    here.attach(first)
    (keeper,) = asyncio.all_tasks() - before
    await loop.checkpoint()
    here.detach(first)
    here.attach(second)
    await loop.checkpoint()
    await loop.checkpoint()
    assert asyncio.all_tasks() - before == {keeper}
    here.detach(second)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_loop_keeper_ends_after_the_last_coroutine(anyio_backend: str) -> None:
    """A spawned coroutine leaves no task behind, neither its own nor the keeper."""
    before = asyncio.all_tasks()
    await loop.spawn(asyncio.sleep(0)).wait()
    await loop.checkpoint()
    await loop.checkpoint()
    assert asyncio.all_tasks() == before


def test_loop_keeper_lets_a_task_shut_down_the_others() -> None:
    """A spawned coroutine may cancel every other task and wait for them."""
    log: list[str] = []

    async def shut_down(main: object) -> None:
        others = asyncio.all_tasks() - {main, asyncio.current_task()}
        for other in others:
            other.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        log.append("done")

    async def main() -> None:
        loop.current().attach(Open(log))
        loop.spawn(forever(log))
        await loop.checkpoint()
        await loop.spawn(shut_down(asyncio.current_task())).wait()

    asyncio.run(main())
    assert sorted(log[:-1]) == ["abort", "cancelled", "tick of abort"]
    assert log[-1] == "done"


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("where", ["tick", "call_soon", "timer", "coroutine"])
def test_loop_exit_ends_the_program(
    run: Run, where: str, error: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    """KeyboardInterrupt and SystemExit end main, natively; trio knows only the first.

    On trio they would become a TrioInternalError in a system task (H-010).
    """
    log: list[str] = []

    def stop() -> None:
        raise error

    async def stop_later() -> None:
        await anyio.lowlevel.checkpoint()
        raise error

    async def main() -> None:
        loop.current().attach(Open(log))
        if where == "tick":
            loop.next_tick(stop)
        elif where == "call_soon":
            loop.call_soon(stop)
        elif where == "timer":
            loop.call_later(0, stop)
        else:
            loop.spawn(stop_later())
        await anyio.sleep(5)
        log.append("not reached")

    with pytest.raises(KeyboardInterrupt if run is run_trio else error):
        run(main)
    assert log == ["abort", "tick of abort"]
    if run is run_trio:
        assert [record.levelno for record in caplog.records] == [logging.CRITICAL]


def test_loop_exit_on_trio_in_a_thread_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Only the main thread can be interrupted; elsewhere the log must do (H-010)."""
    ended: list[str] = []

    def stop() -> None:
        raise SystemExit

    async def main() -> None:
        loop.call_soon(stop)
        await loop.current().wait_idle()
        ended.append("main")

    thread = threading.Thread(target=trio.run, args=(main,))
    thread.start()
    thread.join()
    assert ended == ["main"]
    assert [record.levelno for record in caplog.records] == [logging.CRITICAL]


def test_loop_exit_goes_to_the_runner_on_trio() -> None:
    """Under `run()` the runner decides how a SystemExit ends the program (H-010)."""
    errors: list[BaseException] = []

    class Runner:
        def fail(self, error: BaseException) -> None:
            errors.append(error)
            failed.set()

    async def stop() -> None:
        raise SystemExit(3)

    async def main() -> None:
        loop.current().runner = Runner()
        loop.spawn(stop())
        await failed.wait()

    failed: Waiter[None] = Waiter()
    trio.run(main)
    assert [type(error) for error in errors] == [SystemExit]


def test_loop_group_of_exceptions_is_reported_on_trio(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Of a group the cancellations are left out, and the rest is not lost (H-010)."""

    async def fail_at_the_end() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise ZeroDivisionError

    async def work() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            nursery.start_soon(fail_at_the_end)

    async def main() -> None:
        loop.spawn(work())
        await trio.testing.wait_all_tasks_blocked()

    trio.run(main)
    (record,) = caplog.records
    assert record.exc_info is not None
    group = record.exc_info[1]
    assert isinstance(group, ExceptionGroup)
    assert [type(error) for error in group.exceptions] == [ZeroDivisionError]


def test_loop_call_from_a_thread(run: Run) -> None:
    """`call_soon_threadsafe` wakes a loop that sleeps, and runs in its thread."""

    async def main() -> list[object]:
        seen: list[object] = []
        done: Waiter[None] = Waiter()

        def note(value: object) -> None:
            seen.extend([value, threading.get_ident()])
            done.set()

        here = loop.current()
        thread = threading.Thread(
            target=lambda: here.call_soon_threadsafe(note, "called")
        )
        thread.start()
        with anyio.fail_after(10):
            await done.wait()
        thread.join()
        return seen

    assert run(main) == ["called", threading.get_ident()]


def test_loop_call_from_a_thread_after_the_end(run: Run) -> None:
    """A loop that has ended calls nothing, and nothing is raised."""
    seen: list[str] = []

    async def main() -> loop.Loop:
        return loop.current()

    run(main).call_soon_threadsafe(seen.append, "called")
    assert seen == []
