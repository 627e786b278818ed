"""The coroutines of async listeners, kept by the server or socket they belong to."""

from collections.abc import Callable, Coroutine
from typing import Any, Final

from headrace.events.loop import Loop, Owner, Task

#: Finished tasks are looked for above this number, and then whenever it has doubled.
_PRUNE_ABOVE: Final = 16


class TaskKeeper:
    """Tasks that end with whoever keeps them (spec H-150)."""

    __slots__ = ("_prune_above", "_tasks")

    def __init__(self) -> None:
        self._tasks: list[Task] = []
        self._prune_above = _PRUNE_ABOVE

    def spawn(
        self,
        loop: Loop,
        coroutine: Coroutine[Any, Any, object],
        owner: Owner | None,
        on_error: Callable[[Exception], object],
    ) -> None:
        """Run `coroutine` as a task that is kept until it is done."""
        self._tasks.append(loop.spawn(coroutine, owner=owner, on_error=on_error))
        if len(self._tasks) > self._prune_above:
            self._tasks = [task for task in self._tasks if not task.done]
            self._prune_above = max(_PRUNE_ABOVE, 2 * len(self._tasks))

    def cancel_for(self, is_meant: Callable[[Owner], bool]) -> None:
        """Cancel those that run on behalf of an owner that `is_meant`."""
        for task in self._tasks:
            if task.owner is not None and is_meant(task.owner):
                task.cancel()

    async def wait(self) -> None:
        """Return when all are done."""
        while self._tasks:
            await self._tasks.pop().wait()

    async def cancel(self) -> None:
        """Cancel all and wait until they have cleaned up."""
        for task in self._tasks:
            task.cancel()
        await self.wait()
