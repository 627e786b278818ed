"""The loop on trio: a keeper that runs ticks and timers, a task per watched socket.

An exception that leaves a system task, or a KeyboardInterrupt in it, would become a
TrioInternalError and cancel the user's main. So each system task here ends in
`_contain`.
"""

import contextvars
import signal
import threading
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVarTuple

import trio
from trio.lowlevel import (
    Abort,
    RunVar,
    current_task,
    current_trio_token,
    in_trio_run,
    reschedule,
    spawn_system_task,
    wait_readable,
    wait_task_rescheduled,
    wait_writable,
)

from headrace.events.loop._loop import Loop, logger
from headrace.events.loop._timer_queue import TimerQueue

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable

    from headrace.events.loop._protocols import Callback, Owner
    from headrace.events.loop._task import Task
    from headrace.events.loop._timer import Cancellable, Timer

    Immediate: TypeAlias = tuple[
        contextvars.Context, Owner | None, Callback, tuple[Any, ...]
    ]

Ts = TypeVarTuple("Ts")

_loops: RunVar["TrioLoop"] = RunVar("headrace_loop")


def find() -> "TrioLoop":
    """Return the loop of the trio run we are in."""
    try:
        return _loops.get()
    except LookupError:
        loop = TrioLoop()
        _loops.set(loop)
        return loop


class TrioLoop(Loop):
    """The `Loop` of one `trio.run`.

    The keeper is a system task: nobody sees it, trio cancels it when main has ended,
    and so it stays for the whole run. What asyncio does with `call_soon` and
    `call_later` goes through it: rescheduling a parked task needs no write to a wake-up
    socket.
    """

    __slots__ = (
        "_afters",
        "_drain_context",
        "_immediates",
        "_keeper",
        "_nap",
        "_parked",
        "_readers",
        "_timers",
        "_token",
        "_wanted",
        "_writers",
    )

    def __init__(self) -> None:
        super().__init__()
        self._keeper: trio.lowlevel.Task | None = None
        self._parked = False  # the keeper sleeps, and only a reschedule wakes it
        self._wanted = False  # something was scheduled since the keeper last looked
        self._nap: trio.CancelScope | None = None  # ends at the earliest timer
        self._timers = TimerQueue()
        self._token = current_trio_token()
        # As on asyncio, what is scheduled sees the context variables of that moment;
        # for ticks, of the moment when the first of them asked for a drain.
        self._drain_context = contextvars.Context()
        self._immediates: deque[Immediate] = deque()
        # And whether the turn has come after which they are to run.
        self._afters: deque[tuple[contextvars.Context, Callable[[], object], bool]] = (
            deque()
        )
        self._readers: dict[int, _Watch] = {}
        self._writers: dict[int, _Watch] = {}

    def time(self) -> float:
        return trio.current_time()

    def _schedule_drain(self) -> None:
        self._drain_context = contextvars.copy_context()
        try:
            self._rouse()
        except RuntimeError:  # the run has ended
            self.ticks.clear()
            self._scheduled = False

    def call_soon_threadsafe(
        self, callback: "Callable[[*Ts], object]", *args: *Ts
    ) -> None:
        with suppress(trio.RunFinishedError):
            self._token.run_sync_soon(self.deliver, None, callback, *args)

    def _call_soon(
        self, owner: "Owner | None", callback: "Callback", args: tuple[Any, ...]
    ) -> None:
        self._rouse()
        context = contextvars.copy_context()
        self._immediates.append((context, owner, callback, args))

    def after_turn(self, callback: "Callable[[], object]") -> None:
        self._rouse()
        self._afters.append((contextvars.copy_context(), callback, False))

    def _arm(self, delay: float, timer: "Timer") -> "Cancellable":
        self._keep()
        entry = self._timers.add(self.time() + delay, timer)
        if self._nap is not None and entry.deadline < self._nap.deadline:
            self._nap.deadline = entry.deadline
        return entry

    # The keeper

    def _keep(self) -> None:
        if self._keeper is None:
            self._keeper = self._spawn_native(self._run_keeper, name="headrace keeper")

    def _rouse(self) -> None:
        if self._parked and self._keeper is not None:
            self._parked = False
            reschedule(self._keeper)
        else:
            self._keep()
        self._wanted = True

    def _spawn_native(
        self,
        function: "Callable[[*Ts], Awaitable[object]]",
        *args: *Ts,
        name: str,
        context: contextvars.Context | None = None,
    ) -> trio.lowlevel.Task:
        # Without this a loop whose run has ended would go on inside the next run.
        if not in_trio_run() or find() is not self:
            raise RuntimeError("the trio run has ended")
        return spawn_system_task(function, *args, name=name, context=context)

    async def _run_keeper(self) -> None:
        try:
            while True:
                with trio.CancelScope(deadline=self._timers.earliest()) as self._nap:
                    while True:
                        await self._keeper_turn()
                for entry in self._timers.due(self.time()):
                    entry.context.run(self._guard, entry.timer.fire)
        except trio.Cancelled:
            pass  # main has ended; `_end` follows, and after it nothing
        finally:
            self._nap = None
            await self._end()
            self._keeper = None

    async def _keeper_turn(self) -> None:
        if self._wanted:
            self._wanted = False
            afters = len(self._afters)  # what comes now waits for the next turn
            self._drain_context.run(self._guard, self.run_scheduled)
            # A snapshot: what an immediate schedules runs a turn later.
            for _ in range(len(self._immediates)):
                context, owner, callback, args = self._immediates.popleft()
                context.run(self._guard, self.run_immediate, owner, callback, args)
            for _ in range(afters):
                context, function, is_next = self._afters.popleft()
                if is_next:
                    context.run(self._guard, function)
                else:
                    self._afters.append((context, function, True))
                    self._wanted = True
        if self._wanted:
            await trio.lowlevel.checkpoint()
        else:
            self._parked = True
            await wait_task_rescheduled(self._abort_park)

    def _abort_park(self, _: object) -> Abort:
        self._parked = False
        return Abort.SUCCEEDED

    async def _end(self) -> None:
        with trio.CancelScope(shield=True):
            while True:
                self._guard(self._abort_closers)
                self._guard(self.run_scheduled)
                await trio.lowlevel.checkpoint()
                if not self._closers and not self.ticks:
                    return

    def _guard(self, callback: "Callable[[*Ts], object]", *args: *Ts) -> None:
        """Call what may only raise what `deliver` lets through."""
        try:
            callback(*args)
        except BaseException as error:
            self._contain(error)

    def _contain(self, error: BaseException) -> None:
        """Deal with what would otherwise leave a system task."""
        rest: BaseException | None = error
        if isinstance(error, BaseExceptionGroup):
            rest = error.split(trio.Cancelled)[1]
        if rest is None or isinstance(rest, trio.Cancelled):
            return  # the task ends here: nobody is left who has to know
        if isinstance(rest, Exception):
            self.report(rest)
        elif self.runner is not None:
            self.runner.fail(rest)
        else:
            logger.critical("%s in a callback", type(rest).__name__, exc_info=rest)
            # trio turns the signal into a KeyboardInterrupt of the main task.
            if threading.current_thread() is threading.main_thread():
                signal.raise_signal(signal.SIGINT)

    # Tasks

    def _start(self, task: "Task") -> None:
        scope = trio.CancelScope()
        self._spawn_native(
            self._run_task,
            task,
            scope,
            name=task.name,
            context=contextvars.copy_context(),
        )
        task.handle = scope

    async def _run_task(self, task: "Task", scope: trio.CancelScope) -> None:
        try:
            with scope:
                await task.run()
        except BaseException as error:
            self._contain(error)
        finally:
            task.finish()

    async def checkpoint(self) -> None:
        await trio.lowlevel.checkpoint()
        self.drain()

    async def park(self, parked: list[Any]) -> None:
        task = current_task()
        parked.append(task)

        def abort(_: object) -> Abort:
            # Woken already, perhaps by a tick that ran before trio took the task off:
            # it goes on, and its cancellation comes with the next `await`.
            if task not in parked:
                return Abort.FAILED
            parked.remove(task)
            return Abort.SUCCEEDED

        await wait_task_rescheduled(abort)

    def wake(self, parked: list[Any]) -> None:
        for task in parked:
            reschedule(task)
        parked.clear()

    def _report_natively(self, error: Exception, source: object) -> None:
        name = type(error).__name__
        if source is None:
            logger.critical("unhandled %s", name, exc_info=error)
        else:
            logger.critical("unhandled %s in %r", name, source, exc_info=error)

    # Sockets

    def watch_readable(
        self, sock: "socket.socket", callback: "Callable[[], object]"
    ) -> None:
        self._watch(self._readers, wait_readable, sock, callback)

    def unwatch_readable(self, sock: "socket.socket") -> None:
        self._unwatch(self._readers, sock)

    def watch_writable(
        self, sock: "socket.socket", callback: "Callable[[], object]"
    ) -> None:
        self._watch(self._writers, wait_writable, sock, callback)

    def unwatch_writable(self, sock: "socket.socket") -> None:
        self._unwatch(self._writers, sock)

    def _watch(
        self,
        table: "dict[int, _Watch]",
        ready: "Callable[[int], Awaitable[None]]",
        sock: "socket.socket",
        callback: "Callable[[], object]",
    ) -> None:
        fd = sock.fileno()
        watch = table.get(fd)
        if watch is not None:
            watch.callback = callback
            return
        watch = _Watch(fd, callback)
        self._spawn_native(
            self._run_watch,
            table,
            ready,
            watch,
            name="headrace watch",
            context=contextvars.copy_context(),
        )
        table[fd] = watch

    def _maybe_end(self) -> None:
        """Do nothing: the keeper is a system task, invisible, and stays."""

    def _unwatch(self, table: "dict[int, _Watch]", sock: "socket.socket") -> None:
        watch = table.get(sock.fileno())
        if watch is not None:
            watch.callback = None
            if watch.waiting:
                del table[watch.fd]
                watch.scope.cancel()

    async def _run_watch(
        self,
        table: "dict[int, _Watch]",
        ready: "Callable[[int], Awaitable[None]]",
        watch: "_Watch",
    ) -> None:
        try:
            with watch.scope:
                while watch.callback is not None:
                    watch.waiting = True
                    await ready(watch.fd)
                    watch.waiting = False
                    if watch.callback is not None:
                        self._guard(watch.callback)
        except BaseException as error:
            self._contain(error)
        finally:
            if table.get(watch.fd) is watch:
                del table[watch.fd]


class _Watch:
    """One direction of one socket that is watched.

    Between two waits a watch can be stopped and started again without a new task: the
    callback is taken away and put back. During a wait the scope has to be cancelled,
    which takes the socket out of trio's poll at once: it can be closed right after.
    """

    __slots__ = ("callback", "fd", "scope", "waiting")

    def __init__(self, fd: int, callback: "Callable[[], object]") -> None:
        self.fd = fd
        self.callback: Callable[[], object] | None = callback
        self.scope = trio.CancelScope()
        self.waiting = False
