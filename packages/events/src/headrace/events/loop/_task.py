"""Coroutines that run on somebody's behalf."""

import types
from typing import TYPE_CHECKING, Any

from headrace.events.loop._waiter import Waiter

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator

    from headrace.events.loop._loop import Loop
    from headrace.events.loop._protocols import Owner
    from headrace.events.loop._timer import Cancellable


class Task:
    """A coroutine that runs beside everything else; made by `Loop.spawn`.

    It keeps `net.run` going, and its loop cancels it at the end. An exception goes to
    `on_error`, or is reported with the owner; nobody has to await the task.

    Source: H-009, H-150.
    """

    __slots__ = (
        "__weakref__",
        "_begun",
        "_coroutine",
        "_done",
        "_on_error",
        "_waiter",
        "handle",
        "loop",
        "owner",
    )

    def __init__(
        self,
        loop: "Loop",
        coroutine: "Coroutine[Any, Any, object]",
        owner: "Owner | None",
        on_error: "Callable[[Exception], object] | None",
    ) -> None:
        self.loop = loop
        self.owner = owner
        self.handle: Cancellable | None = None
        self._coroutine = coroutine
        self._on_error = on_error
        self._waiter: Waiter[None] | None = None
        self._begun = False
        self._done = False

    def __repr__(self) -> str:
        return f"<Task {'done' if self._done else 'running'} {self.name}>"

    @property
    def name(self) -> str:
        """The name of the coroutine's function, for logs."""
        name: str = getattr(self._coroutine, "__qualname__", "coroutine")
        return name

    @property
    def done(self) -> bool:
        """Whether the coroutine has ended, by return, exception or cancellation."""
        return self._done

    def cancel(self) -> None:
        """Cancel the coroutine at its next (or present) `await`."""
        if self.handle is not None and not self._done:
            self.handle.cancel()

    async def wait(self) -> None:
        """Return when the coroutine has ended, however it did.

        Cancelling the wait leaves the coroutine alone.
        """
        if not self._done:
            if self._waiter is None:
                self._waiter = Waiter()
            await self._waiter.wait()

    async def run(self) -> None:
        """Run the coroutine to its end; the runtime's own task awaits this."""
        self._begun = True
        try:
            await self._steps()
        except Exception as error:
            if self._on_error is None:
                self.loop.report(error, self, self.owner)
            else:
                self.loop.deliver(self.owner, self._on_error, error)

    @types.coroutine
    def _steps(self) -> "Generator[Any, Any, None]":
        """Await the coroutine so that each of its steps runs as a delivery.

        Ticks that a step causes run at its end, in the same turn of the loop, and what
        a step schedules is scheduled on behalf of the owner. Written out here instead
        of calling `deliver`, because a step returns or raises what the runtime needs.
        """
        loop, owner, coroutine = self.loop, self.owner, self._coroutine
        step: Callable[[Any], Any] = coroutine.send
        value: Any = None
        while True:
            trap: Any = None
            raised: BaseException | None = None
            if loop.ticks:
                loop.drain()
            # Busy already: an eager task begins inside the delivery that spawned it.
            busy, previous = loop._busy, loop.owner
            loop._busy, loop.owner = True, owner
            try:
                trap = step(value)
            except BaseException as error:
                raised = error
            loop._busy, loop.owner = busy, previous
            if loop.ticks or loop._woken:
                loop.drain()
            if raised is not None:
                try:
                    if isinstance(raised, StopIteration):
                        return
                    raise raised
                finally:
                    del raised, value  # their tracebacks refer to this frame
            try:
                value = yield trap
                step = coroutine.send
            except BaseException as error:
                value = error
                step = coroutine.throw

    def finish(self) -> None:
        """Take note of the end; the runtime calls this."""
        if self._done:
            return
        self._done = True
        self._on_error = self.handle = self.owner = None
        self.loop.forget(self)
        if self._waiter is not None:
            self._waiter.set()
        if not self._begun:  # cancelled before its first step
            self._coroutine.close()
