"""What `async with server` and `async with socket` have in common.

trio has no handler for exceptions that nobody catches, so while somebody is inside such
a block, an exception of a callback that the server or socket owns ends the block and is
raised out of it (spec H-010). asyncio has a handler; there the block goes on.
"""

import logging
import sys
from collections.abc import Awaitable, Callable

import anyio

from headrace.events.loop import Loop

logger = logging.getLogger("headrace.net")


class Guard:
    """One `async with` block of a server or a socket; made in the task that enters it.

    Args:
        loop: The running loop.
        close: Closes gracefully and waits for it.
        abort: Closes at once.
    """

    __slots__ = ("_abort", "_close", "_error", "_loop", "_scope")

    def __init__(
        self,
        loop: Loop,
        close: Callable[[], Awaitable[object]],
        abort: Callable[[], Awaitable[object]],
    ) -> None:
        self._loop = loop
        self._close = close
        self._abort = abort
        self._error: Exception | None = None
        self._scope = anyio.CancelScope()
        self._scope.__enter__()

    def take(self, error: Exception) -> bool:
        """End the block with `error`, where that is this runtime's way.

        Returns:
            Whether it was taken. A second one is logged.
        """
        if self._loop.runner is not None or not _on_trio():
            return False
        if self._error is None:
            self._error = error
            self._scope.cancel()
        else:
            logger.error("one more exception in a callback", exc_info=error)
        return True

    async def leave(self, error: BaseException | None) -> None:
        """Close what the block was for: gracefully if the block has not failed.

        Raises:
            BaseException: What `take` was given; what went wrong while closing.
        """
        present = error
        if present is None:
            try:
                await self._close()
            except BaseException as raised:
                present = raised
        if present is not None:
            with anyio.CancelScope(shield=True):
                await self._abort()
        ours = self._leave_scope(present)
        if self._error is not None:
            if present is None or ours:
                raise self._error
            logger.error("an exception in a callback", exc_info=self._error)
        if present is not None and present is not error:
            raise present

    def _leave_scope(self, error: BaseException | None) -> bool:
        """Return whether `error` was only our own cancellation."""
        if error is None:
            return bool(self._scope.__exit__(None, None, None))
        return bool(self._scope.__exit__(type(error), error, error.__traceback__))


def _on_trio() -> bool:
    trio = sys.modules.get("trio")
    return trio is not None and bool(trio.lowlevel.in_trio_run())
