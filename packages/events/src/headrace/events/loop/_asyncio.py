"""The loop on asyncio, and on whatever speaks its language (uvloop)."""

import asyncio
import contextvars
import types
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVarTuple

from headrace.events.loop._loop import Loop

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable, Generator

    from headrace.events.loop._protocols import Callback, Owner
    from headrace.events.loop._task import Task
    from headrace.events.loop._timer import Cancellable, Timer


Ts = TypeVarTuple("Ts")


@types.coroutine
def _one_turn() -> "Generator[None, None, None]":
    """Yield bare, which asyncio takes as "go on in the next turn"."""
    yield


async def _run(task: "Task") -> None:
    """Run `task`; meant to be begun by hand.

    A native task that is cancelled before its first step runs nothing of its coroutine,
    not even a `finally`, unless the coroutine is in it already.
    """
    try:
        await _one_turn()
        await task.run()
    finally:
        task.finish()


class SleepingTask(asyncio.Future[None]):
    """What a task awaits that sleeps in a list of a `Waiter`.

    A Future of asyncio has the loop wake its task in the next turn. This one lets our
    `Loop` do that, behind the last tick of the present delivery.
    """

    __slots__ = ("_context", "_wake_up", "parked")

    def __init__(self, native: asyncio.AbstractEventLoop, parked: list[Any]) -> None:
        super().__init__(loop=native)
        self.parked = parked
        self._wake_up: Callable[[Any], object] | None = None
        self._context: contextvars.Context | None = None

    def add_done_callback(
        self,
        fn: "Callable[[Any], object]",
        /,
        *,
        context: contextvars.Context | None = None,
    ) -> None:
        """Take the task's call, which is the first one.

        Any further one is asyncio's affair, and all are when this was set already: the
        ticks between a step of our `Task` and this call may have done that.
        """
        if self._wake_up is None and context is not None and not self.done():
            self._wake_up, self._context = fn, context
        else:
            super().add_done_callback(fn, context=context)

    def cancel(self, msg: "Any | None" = None) -> bool:
        """Sleep no more; asyncio calls this when the task is cancelled."""
        if not super().cancel(msg):
            return False
        if self in self.parked:
            self.parked.remove(self)
        self.go_on_later()
        return True

    def go_on(self) -> None:
        """Run the next step of the task now, if no other task is in the middle of one.

        Ticks can run inside a step, as in `Loop.checkpoint`; there it has to wait.
        """
        wake_up, context = self._wake_up, self._context
        if wake_up is None or context is None:
            return
        if asyncio.current_task(self._loop) is not None:
            self.go_on_later()
            return
        self._wake_up = None  # it refers to the task, which refers to this
        try:
            context.run(wake_up, self)
        except RuntimeError:  # something else runs in this context now
            self._wake_up = wake_up
            self.go_on_later()

    def go_on_later(self) -> None:
        """Run the next step of the task in the next turn, as asyncio itself would."""
        wake_up, self._wake_up = self._wake_up, None
        if wake_up is not None:
            self._loop.call_soon(wake_up, self, context=self._context)


def _is_cancelled(task: "Task") -> bool:
    native = task.handle
    return isinstance(native, asyncio.Task) and native.cancelling() > 0


class AsyncioLoop(Loop):
    """The `Loop` of one asyncio event loop."""

    __slots__ = ("_ending", "_is_plain", "_keeper", "_native", "_parked_keeper", "time")

    def __init__(self, native: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._native = native
        # Asked several times a request: where asyncio's clock is only a method around
        # the system's, that one is called directly.
        self._is_plain = own = type(native).time is asyncio.BaseEventLoop.time
        self.time: Callable[[], float] = monotonic if own else native.time
        # asyncio's own queue of this turn, where there is one; it is only looked at.
        self.due = getattr(native, "_ready", ())
        self._ending = False  # the keeper was cancelled and is cleaning up
        self._keeper: asyncio.Task[None] | None = None
        self._parked_keeper: asyncio.Future[None] | None = None

    def _schedule_drain(self) -> None:
        if self._native.is_closed():
            self.ticks.clear()
            self._scheduled = False
        else:
            self._native.call_soon(self.run_scheduled)

    def call_soon_threadsafe(
        self, callback: "Callable[[*Ts], object]", *args: *Ts
    ) -> None:
        with suppress(RuntimeError):  # the loop is closed
            self._native.call_soon_threadsafe(self.deliver, None, callback, *args)

    def _call_soon(
        self, owner: "Owner | None", callback: "Callback", args: tuple[Any, ...]
    ) -> None:
        self._native.call_soon(self.run_immediate, owner, callback, args)

    def after_turn(self, callback: "Callable[[], object]") -> None:
        native = self._native
        if self._is_plain:
            native.call_at(0.0, callback)  # asyncio puts timers behind all I/O
        else:
            native.call_soon(native.call_soon, callback)

    def _arm(self, delay: float, timer: "Timer") -> "Cancellable":
        return self._native.call_later(delay, timer.fire)

    # Tasks

    def _start(self, task: "Task") -> None:
        self._keep()
        run = _run(task)
        run.send(None)
        # Entered, so that what an eager task schedules does not run inside this call.
        nested, self._busy = self._busy, True
        try:
            native = self._native.create_task(run, name=task.name)
        finally:
            self._busy = nested
            self._see_to_ticks()
        task.handle = native
        if self._ending:
            native.cancel()

    async def checkpoint(self) -> None:
        await asyncio.sleep(0)
        self.drain()

    def park(self, parked: list[Any]) -> "Awaitable[None]":
        sleeper = SleepingTask(self._native, parked)
        parked.append(sleeper)
        return sleeper

    def wake(self, parked: list[Any]) -> None:
        for sleeper in parked:
            sleeper.set_result(None)
            self._woken.append(sleeper)
        parked.clear()
        if not self._busy:
            self._put_off()

    # Exceptions

    def _report_natively(self, error: Exception, source: object) -> None:
        context: dict[str, Any] = {
            "message": f"unhandled {type(error).__name__}",
            "exception": error,
        }
        if source is not None:
            context["source"] = source
        self._native.call_exception_handler(context)

    # The keeper

    def _keep(self) -> None:
        if self._keeper is not None:
            return
        if self._native.is_closed():
            raise RuntimeError("the event loop is closed")
        keeper = self._keep_open()
        # Into its `try`: a task cancelled before its first step would run nothing.
        keeper.send(None)
        # Not create_task(): no task factory, no eager start, no context of whoever
        # happens to come first.
        self._keeper = asyncio.Task(
            keeper,
            loop=self._native,
            name="headrace keeper",
            context=contextvars.Context(),
        )

    def forget(self, task: "Task") -> None:
        super().forget(task)
        if not self._tasks:
            self._maybe_end()

    def _maybe_end(self) -> None:
        parked = self._parked_keeper
        if parked is not None and not parked.done() and not self._has_something():
            parked.set_result(None)

    def _has_something(self) -> bool:
        return bool(self._closers or self._tasks)

    async def _keep_open(self) -> None:
        """Sleep while there is something to keep; when cancelled, end it all.

        That is how a loop's end shows on asyncio: `asyncio.run` cancels every task.
        """
        try:
            await _one_turn()
            while self._has_something():
                self._parked_keeper = self._native.create_future()
                await self._parked_keeper
        except asyncio.CancelledError:
            self._ending = True
            await self._end()
            raise
        finally:
            self._ending = False
            self._keeper = self._parked_keeper = None

    async def _end(self) -> None:
        """Abort what is open, and wait for the tasks that are being cancelled.

        Others are left alone: one of them may be the one that cancelled all the rest.
        """
        while True:
            self._abort_closers()
            await self.checkpoint()
            dying = [task for task in self._tasks if _is_cancelled(task)]
            for task in dying:
                await task.wait()
            if not dying and not self._closers:
                return

    # Sockets, by number: asyncio raises and drops a KeyError for each that is new to
    # it, and puts the repr in, which for a socket object takes two system calls.

    def watch_readable(
        self, sock: "socket.socket", callback: "Callable[[], object]"
    ) -> None:
        self._native.add_reader(sock.fileno(), callback)

    def unwatch_readable(self, sock: "socket.socket") -> None:
        self._native.remove_reader(sock.fileno())

    def watch_writable(
        self, sock: "socket.socket", callback: "Callable[[], object]"
    ) -> None:
        self._native.add_writer(sock.fileno(), callback)

    def unwatch_writable(self, sock: "socket.socket") -> None:
        self._native.remove_writer(sock.fileno())
