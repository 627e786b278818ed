"""The loop on asyncio, and on whatever speaks its language (uvloop)."""

import asyncio
from typing import TYPE_CHECKING, Any

from headrace.events.loop._loop import Loop

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from headrace.events.loop._protocols import Callback, Owner
    from headrace.events.loop._task import Task
    from headrace.events.loop._timer import Cancellable, Timer


class AsyncioLoop(Loop):
    """The `Loop` of one asyncio event loop."""

    __slots__ = ("_keeper", "_native", "_parked_keeper")

    def __init__(self, native: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._native = native
        self._keeper: asyncio.Task[None] | None = None
        self._parked_keeper: asyncio.Future[None] | None = None

    def time(self) -> float:
        return self._native.time()

    def _schedule_drain(self) -> None:
        self._native.call_soon(self.run_scheduled)

    def _call_soon(
        self, owner: "Owner | None", callback: "Callback", args: tuple[Any, ...]
    ) -> None:
        self._native.call_soon(self.run_immediate, owner, callback, args)

    def _arm(self, delay: float, timer: "Timer") -> "Cancellable":
        return self._native.call_later(delay, timer.fire)

    # Tasks

    def _start(self, task: "Task") -> None:
        self._keep()
        native = self._native.create_task(task.run())
        task.handle = native
        # Not a `finally` in run(): a task cancelled before its first step runs nothing.
        native.add_done_callback(lambda _: task.finish())

    async def checkpoint(self) -> None:
        await asyncio.sleep(0)
        self.drain()

    async def _park(self, parked: list[Any]) -> None:
        future = self._native.create_future()
        parked.append(future)
        try:
            await future
        finally:
            if future in parked:
                parked.remove(future)

    def _wake(self, parked: list[Any]) -> None:
        for future in parked:
            if not future.done():
                future.set_result(None)
        parked.clear()

    # Exceptions

    def _report_natively(self, error: Exception, source: object) -> None:
        context = {"message": f"unhandled {type(error).__name__}", "exception": error}
        if source is not None:
            context["source"] = source
        self._native.call_exception_handler(context)

    # The keeper

    def _keep(self) -> None:
        if self._keeper is None:
            self._keeper = self._native.create_task(
                self._keep_open(), name="headrace keeper"
            )

    def forget(self, task: "Task") -> None:
        super().forget(task)
        self._maybe_end()

    def _maybe_end(self) -> None:
        parked = self._parked_keeper
        if parked is not None and not parked.done() and not self._has_something():
            parked.set_result(None)

    def _has_something(self) -> bool:
        return bool(self._closers or self._tasks)

    async def _keep_open(self) -> None:
        try:
            while self._has_something():
                self._parked_keeper = self._native.create_future()
                await self._parked_keeper
        finally:
            self._parked_keeper = None
            try:
                while self._has_something():
                    self._abort_closers()
                    for task in list(self._tasks):
                        task.cancel()
                    await asyncio.sleep(0)
                self.drain()
            finally:
                self._keeper = None

    # Sockets

    def watch_readable(
        self, sock: "socket.socket", callback: "Callable[[], object]"
    ) -> None:
        self._native.add_reader(sock, callback)

    def unwatch_readable(self, sock: "socket.socket") -> None:
        self._native.remove_reader(sock)

    def watch_writable(
        self, sock: "socket.socket", callback: "Callable[[], object]"
    ) -> None:
        self._native.add_writer(sock, callback)

    def unwatch_writable(self, sock: "socket.socket") -> None:
        self._native.remove_writer(sock)
