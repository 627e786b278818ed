"""A socket's idle timer, re-armed lazily.

Activity only notes the time. The timer looks at that note when it fires and sleeps on
for what is missing, so a busy socket costs one timer per timeout, not one per read.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headrace.events.loop import Loop, Timer


class IdleTimer:
    """Calls back when nothing has happened for a while, and again after new activity.

    Args:
        loop: The running loop.
        seconds: The while.
        expired: Called when it has passed, on behalf of the timer's creator.
    """

    __slots__ = ("_expired", "_last", "_loop", "_seconds", "_timer")

    def __init__(
        self, loop: "Loop", seconds: float, expired: Callable[[], object]
    ) -> None:
        self._loop = loop
        self._seconds = seconds
        self._expired = expired
        self._last = loop.time()
        self._timer: Timer | None = None
        self._arm(seconds)

    def touch(self) -> None:
        """Note activity: the while begins anew."""
        self._last = self._loop.time()
        if self._timer is None:
            self._arm(self._seconds)

    def _arm(self, delay: float) -> None:
        self._timer = timer = self._loop.call_later(delay, self._look)
        timer.unref()  # the socket counts for run(), its timer never does (H-145)

    def _look(self) -> None:
        missing = self._last + self._seconds - self._loop.time()
        if missing > 0:
            self._arm(missing)
        else:
            self._timer = None
            self._expired()

    def cancel(self) -> None:
        """Stop until the next activity; a cancelled timer must not be touched again."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
