"""Running the implementer's hooks: plain ones with a callback, or `async def` ones.

An `async def` hook is run as a task of the stream. That it returns, or raises, is its
callback; it need not call the one it is given. The task ends with the stream.
"""

from collections.abc import Callable, Coroutine
from inspect import CORO_CREATED, getcoroutinestate, iscoroutine
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from headrace.events.loop import Task
    from headrace.streams._stream import Stream

__all__ = ["Callback", "HookTask", "adopt", "run_hook"]

Callback = Callable[..., None]


def run_hook(
    stream: "Stream", hook: Callable[[Callback], object], callback: Callback
) -> None:
    """Call `hook(callback)`; what it raises goes to `callback` as well."""
    try:
        result = hook(callback)
    except Exception as error:
        callback(error)
    else:
        if result is not None and iscoroutine(result):
            adopt(stream, result, callback)


def adopt(
    stream: "Stream", coroutine: Coroutine[Any, Any, object], callback: Callback
) -> None:
    """Run the coroutine of a hook; then call `callback(error)`, or `callback(None)`.

    A value that the coroutine returns is a second argument of the callback.
    """
    task = HookTask(stream, coroutine, callback)
    stream._hook_tasks().append(task)
    task.start()


class HookTask:
    """One `async def` hook that runs."""

    __slots__ = ("_callback", "_coroutine", "_stream", "_task")

    def __init__(
        self,
        stream: "Stream",
        coroutine: Coroutine[Any, Any, object],
        callback: Callback,
    ) -> None:
        self._stream = stream
        self._coroutine = coroutine
        self._callback: Callback | None = callback
        self._task: Task | None = None

    def start(self) -> None:
        """Run the coroutine on the stream's loop."""
        stream = self._stream
        task = stream.loop().spawn(self._run(), owner=stream._owner)
        if self._callback is not None:
            self._task = task

    async def _run(self) -> None:
        try:
            value = await self._coroutine
        except Exception as error:
            self._finish(error)
        else:
            if value is None:
                self._finish(None)
            else:
                self._finish(None, value)

    def _finish(self, *result: object) -> None:
        # Out of the list first: what the callback does may cancel all that is in it.
        tasks = self._stream._hook_tasks()
        if self in tasks:
            tasks.remove(self)
        callback, self._callback = self._callback, None
        self._task = None
        if callback is not None:
            callback(*result)

    def cancel(self) -> None:
        """Give up the hook; its callback will not be called."""
        self._callback = None
        if self._task is not None:
            self._task.cancel()

    def __del__(self) -> None:
        # Cancelled before its first step: nobody else closes it then.
        if getcoroutinestate(self._coroutine) == CORO_CREATED:
            self._coroutine.close()
