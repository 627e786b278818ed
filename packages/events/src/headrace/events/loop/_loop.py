"""One running event loop: its tick queue, owners, timers, tasks, what keeps it alive.

Ticks are Node's `process.nextTick`, and their order is a promise (H-008):

- A tick runs after the code that scheduled it has returned to the loop, before any
  later I/O or timer is delivered, in the order of scheduling.
- Whatever enters from outside (I/O, timers, steps of a task) enters through `deliver`:
  it drains the queue, calls, and drains again. Draining only at the end would let I/O
  that is already waiting overtake ticks of user code.
- A drain never nests: a delivery inside a delivery or inside a tick only calls.
- `next_tick` outside a delivery wakes the loop once, however many ticks follow.
- An exception in a tick is reported to the tick's owner, and the drain goes on.
- A task that a `Waiter` wakes in a delivery or a drain goes on behind the last tick,
  where the runtime allows it: as in Node, where promises come behind `nextTick`. That
  saves a turn of the loop, and its own ticks run in the same drain. A drain lets a few
  tasks go on and no more, so that I/O and other tasks get their turn.
"""

import logging
from abc import ABC, abstractmethod
from collections import deque
from typing import TYPE_CHECKING, Any, Final, TypeVarTuple

from headrace.events.loop._task import Task
from headrace.events.loop._timer import Timer, check_delay
from headrace.events.loop._waiter import Waiter

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable, Coroutine, Hashable, Sized

    from headrace.events.loop._protocols import (
        Callback,
        Closer,
        Owner,
        Runner,
        Sleeper,
        Tick,
    )
    from headrace.events.loop._timer import Cancellable

Ts = TypeVarTuple("Ts")

logger = logging.getLogger("headrace")

#: How many tasks go on in one drain. Enough for those that one event wakes; tasks that
#: wake each other again and again must not shut out everything else.
_STEPS_MAX: Final = 16


class Loop(ABC):
    """The running event loop, the same on asyncio and trio; get it with `current()`.

    Not thread-safe, and meant for the thread of the loop alone, but for
    `call_soon_threadsafe`. There is one object per native loop, so it can serve as a
    key.

    Attributes:
        ticks: The tick queue: owner, callback, arguments.
        owner: On whose behalf code runs now. `next_tick`, `call_soon`, `call_later` and
            `spawn` keep it for the code they schedule.
        runner: What runs the whole program, set by `net.run`; exceptions that nobody
            takes go to it.
        due: Its length is how many callbacks of others wait in this turn of the loop,
            as far as that is known: a hint.
        locals: Values that belong to this loop and end with it, by keys of your own.
    """

    __slots__ = (
        "__weakref__",
        "_busy",
        "_closers",
        "_holds",
        "_idle",
        "_scheduled",
        "_tasks",
        "_woken",
        "due",
        "locals",
        "owner",
        "runner",
        "ticks",
    )

    def __init__(self) -> None:
        self.ticks: deque[Tick] = deque()
        self.owner: Owner | None = None
        self.runner: Runner | None = None
        self.locals: dict[Hashable, Any] = {}
        self.due: Sized = ()
        self._busy = False  # a delivery or a drain runs: the ticks run at its end
        self._scheduled = False  # the native loop will call `run_scheduled`
        self._holds = 0
        self._idle: Waiter[None] | None = None
        self._tasks: set[Task] = set()
        self._woken: deque[Sleeper] = deque()  # they go on behind the last tick
        self._closers: dict[Closer, None] = {}  # a set that keeps its order

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__} ticks={len(self.ticks)} holds={self._holds} "
            f"tasks={len(self._tasks)} closers={len(self._closers)}>"
        )

    # Ticks and deliveries

    def next_tick(self, callback: "Callable[[*Ts], object]", *args: *Ts) -> None:
        """Call `callback` when the code that runs now has returned to the loop.

        It runs for the present owner, and sees the context variables of whatever drains
        the queue: one copy of them for each tick would cost more than the tick.

        Source: H-008.
        """
        self.ticks.append((self.owner, callback, args))
        if not self._busy and not self._scheduled:
            self._scheduled = True
            self._schedule_drain()

    def next_tick_for(
        self, owner: "Owner | None", callback: "Callable[[*Ts], object]", *args: *Ts
    ) -> None:
        """Do as `next_tick` on behalf of `owner` instead of the present one."""
        self.ticks.append((owner, callback, args))
        if not self._busy and not self._scheduled:
            self._scheduled = True
            self._schedule_drain()

    def deliver(
        self, owner: "Owner | None", callback: "Callable[[*Ts], object]", *args: *Ts
    ) -> None:
        """Run `callback` on behalf of `owner`: how everything from outside enters.

        Ticks that wait run first, ticks that `callback` causes run before this returns.
        Inside another delivery or a tick it only calls. An exception is reported.
        """
        previous = self.owner
        if self._busy:
            self.owner = owner
            try:
                callback(*args)
            except Exception as error:
                self.report(error, callback, owner)
            finally:
                self.owner = previous
            return
        ticks = self.ticks
        self._busy = True
        try:
            if ticks:
                self._run_ticks()
            self.owner = owner
            try:
                callback(*args)
            except Exception as error:
                self.report(error, callback, owner)
            if ticks or self._woken:
                self._run_ticks()
        finally:
            self._busy = False
            self.owner = previous
            if ticks or self._woken:  # a KeyboardInterrupt is on its way out
                self._see_to_ticks()

    def drain(self) -> None:
        """Run all ticks now, unless a delivery or a drain is running already."""
        if (self.ticks or self._woken) and not self._busy:
            previous = self.owner
            self._busy = True
            try:
                self._run_ticks()
            finally:
                self._busy = False
                self.owner = previous
                self._see_to_ticks()

    def run_scheduled(self) -> None:
        """Drain because `next_tick` asked for it; the native loop calls this."""
        self._scheduled = False
        self.drain()

    def _run_ticks(self) -> None:
        ticks, woken = self.ticks, self._woken
        popleft = ticks.popleft
        callback: Callback | None = None
        steps_left = _STEPS_MAX
        while True:
            try:
                while ticks:
                    self.owner, callback, args = popleft()
                    if args:
                        callback(*args)
                    else:  # most ticks have none, and this call is the cheaper one
                        callback()
            except Exception as error:
                self.report(error, callback)
                continue
            if not woken:
                return
            if not steps_left:
                self._put_off()
                return
            steps_left -= 1
            self.owner = None
            woken.popleft().go_on()

    def _put_off(self) -> None:
        """Have the tasks that were woken go on in the next turn."""
        while self._woken:
            self._woken.popleft().go_on_later()

    def _see_to_ticks(self) -> None:
        """Have the ticks that wait run, if nothing else will run them."""
        if self._busy:
            return
        self._put_off()
        if self.ticks and not self._scheduled:
            self._scheduled = True
            self._schedule_drain()

    @abstractmethod
    def _schedule_drain(self) -> None:
        """Have the native loop call `run_scheduled`, or drop the ticks if it is dead.

        Nothing can run on a dead loop, and whatever is open was aborted at its end; who
        destroys such an object later has done nothing wrong.
        """

    # Later

    @abstractmethod
    def time(self) -> float:
        """Return the loop's own clock, in seconds."""

    def call_soon(self, callback: "Callable[[*Ts], object]", *args: *Ts) -> None:
        """Call `callback` in the next turn of the loop: Node's `setImmediate`.

        It keeps `net.run` going, and what is scheduled by it runs a turn later.
        """
        self._call_soon(self.owner, callback, args)
        self.hold()

    @abstractmethod
    def after_turn(self, callback: "Callable[[], object]") -> None:
        """Call `callback` when all that is ready now has run: as late as I/O would.

        For who knows that something will have happened by then and need not watch for
        it. It is not delivered and does not keep `net.run` going.
        """

    def run_immediate(
        self, owner: "Owner | None", callback: "Callback", args: tuple[Any, ...]
    ) -> None:
        """Run what `call_soon` was given; the native loop calls this."""
        self.release()
        self.deliver(owner, callback, *args)

    def call_later(
        self, delay: float, callback: "Callable[[*Ts], object]", *args: *Ts
    ) -> Timer:
        """Call `callback` after `delay` seconds.

        Raises:
            InvalidArgTypeError: If `delay` is not a real number, or a `bool`.
            OutOfRangeError: If `delay` is negative, infinite or not a number.

        Source: H-005, H-009.
        """
        check_delay(delay)
        timer = Timer(self, callback, args)
        timer.start(self._arm(delay, timer))
        return timer

    @abstractmethod
    def call_soon_threadsafe(
        self, callback: "Callable[[*Ts], object]", *args: *Ts
    ) -> None:
        """Have the loop call `callback` soon; from any thread, and from a finaliser.

        Nothing happens if the loop has ended. It does not keep `net.run` going.
        """

    @abstractmethod
    def _call_soon(
        self, owner: "Owner | None", callback: "Callback", args: tuple[Any, ...]
    ) -> None:
        """Have the native loop call `run_immediate` in its next turn."""

    @abstractmethod
    def _arm(self, delay: float, timer: Timer) -> "Cancellable":
        """Have the native loop call `timer.fire` after `delay` seconds."""

    # Tasks

    def spawn(
        self,
        coroutine: "Coroutine[Any, Any, object]",
        *,
        owner: "Owner | None" = None,
        on_error: "Callable[[Exception], object] | None" = None,
    ) -> Task:
        """Run `coroutine` beside everything else, in a copy of the present context.

        It is cancelled when the loop ends, and keeps `net.run` going until it is done.
        Nothing has to keep the returned object.

        Args:
            coroutine: What to run.
            owner: Who answers for it; by default whoever owns the code that runs now.
            on_error: Gets its exception, instead of `report`.

        Source: H-009, H-150.
        """
        task = Task(self, coroutine, self.owner if owner is None else owner, on_error)
        self.hold()
        self._tasks.add(task)
        try:
            self._start(task)
        except RuntimeError:  # the loop is dead
            task.finish()
            raise
        return task

    def forget(self, task: Task) -> None:
        """Let go of a task that is done; the task calls this once."""
        self._tasks.discard(task)
        self.release()

    def waiter(self) -> Waiter[Any]:
        """Return a new one-shot `Waiter`."""
        return Waiter(self)

    @abstractmethod
    def _start(self, task: Task) -> None:
        """Have the runtime await `task.run()`, then call `task.finish()`."""

    @abstractmethod
    async def checkpoint(self) -> None:
        """Give way for one turn; ticks that wait have run when this returns."""

    @abstractmethod
    def park(self, parked: list[Any]) -> "Awaitable[None]":
        """Sleep until `wake(parked)`; a cancelled sleeper is removed.

        For who waits for one of many changes and looks again after each; a `Waiter`
        has an outcome that stays.
        """

    @abstractmethod
    def wake(self, parked: list[Any]) -> None:
        """Wake everybody who sleeps in `parked`, and empty it."""

    # Exceptions

    def report(
        self, error: Exception, source: object = None, owner: "Owner | None" = None
    ) -> None:
        """Bring out an exception that nobody caught; never raises it here.

        The owner is asked first. Else, under `net.run`, the program ends with it. Else
        asyncio's exception handler gets it, or on trio the log (`headrace`, CRITICAL).

        Args:
            error: The exception.
            source: What raised it, for the log.
            owner: Who answers for it; by default whoever owns the code that runs now.

        Source: H-010.
        """
        answering = self.owner if owner is None else owner
        if answering is not None:
            try:
                if answering.take_exception(error, source):
                    return
            except Exception as second:
                # An owner that fails cannot be asked about its own failure.
                self._report_to_nobody(second, answering)
        self._report_to_nobody(error, source)

    def _report_to_nobody(self, error: Exception, source: object) -> None:
        if self.runner is not None:
            self.runner.fail(error)
        else:
            self._report_natively(error, source)

    @abstractmethod
    def _report_natively(self, error: Exception, source: object) -> None:
        """Hand an exception without owner and runner to the runtime."""

    # What keeps `net.run` going

    def hold(self) -> None:
        """Keep `net.run` going until the `release` that belongs to it."""
        self._holds += 1

    def release(self) -> None:
        """Take back one `hold`."""
        self._holds -= 1
        if not self._holds and self._idle is not None:
            # `wait_idle` looks again a turn later: the code that runs now may go on to
            # hold the loop for something new.
            self._idle.set()
            self._idle = None

    async def wait_idle(self) -> None:
        """Return when nothing holds the loop and no tick waits; for `net.run`."""
        while True:
            if self._busy:  # this task was woken in a drain, which has to end first
                await self.checkpoint()
            self.drain()
            if not self._holds:
                return
            if self._idle is None:
                self._idle = Waiter(self)
            await self._idle.wait()

    # What is open

    def attach(self, closer: "Closer") -> None:
        """Have `closer.abort()` called when the loop ends; keeps `closer` alive."""
        self._closers[closer] = None
        self._keep()

    def detach(self, closer: "Closer") -> None:
        """Take back `attach`; unknown closers are ignored."""
        self._closers.pop(closer, None)
        if not self._closers:
            self._maybe_end()

    @abstractmethod
    def _keep(self) -> None:
        """Start the keeper unless it runs."""

    @abstractmethod
    def _maybe_end(self) -> None:
        """Let the keeper look whether anything is left to keep."""

    def _abort_closers(self) -> None:
        while self._closers:
            # The newest first: connections before the server that accepted them.
            closer, _ = self._closers.popitem()
            self.deliver(None, closer.abort)

    # Sockets

    @abstractmethod
    def watch_readable(
        self, sock: "socket.socket", callback: "Callable[[], object]"
    ) -> None:
        """Call `callback` again and again while `sock` has something to read.

        The callback is no delivery by itself: it calls `deliver`. Watching again
        replaces the callback. Stop watching before the socket is closed.

        Raises:
            NotImplementedError: If the native loop cannot watch sockets.
        """

    @abstractmethod
    def unwatch_readable(self, sock: "socket.socket") -> None:
        """Stop `watch_readable`; without effect if it is not watched."""

    @abstractmethod
    def watch_writable(
        self, sock: "socket.socket", callback: "Callable[[], object]"
    ) -> None:
        """Do as `watch_readable` while `sock` can take bytes."""

    @abstractmethod
    def unwatch_writable(self, sock: "socket.socket") -> None:
        """Stop `watch_writable`; without effect if it is not watched."""
