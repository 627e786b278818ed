"""Idle timers of sockets: one timer of the loop for all that have the same time.

Activity only notes the time. Sockets wait in the order in which they were set, and none
that is still in that line can be due before the one in front; so a socket that lives
for a short while costs an entry in a dictionary and no timer at all. A socket that is
in front and was active meanwhile is looked at again when its own time has come: from
then on it waits in a heap, with one entry at most.
"""

import heapq
from itertools import count
from math import inf
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from headrace.events.loop import Loop

_KEY: Final = "headrace.net idle timers"


class Idler(Protocol):
    """Who is told that nothing has happened for a while."""

    def idled(self) -> None: ...


class IdleTimer:
    """Tells when nothing has happened for a while, and again after new activity.

    Args:
        loop: The running loop.
        seconds: The while.
        idler: Whose `idled` is called when it has passed; inside a delivery.
    """

    __slots__ = ("_clock", "idler", "last", "line", "waits")

    def __init__(self, loop: "Loop", seconds: float, idler: Idler) -> None:
        self._clock = clock = loop.time
        self.idler: Idler | None = idler
        try:
            line: _Line = loop.locals[_KEY][seconds]
        except KeyError:
            line = _new_line(loop, seconds)
        self.line = line
        #: When there was activity last.
        self.last = line.waiting[self] = clock()
        #: Whether it is in the line, or in its heap.
        self.waits = True
        if line.is_idle:
            line.start()

    def touch(self) -> None:
        """Note activity: the while begins anew."""
        self.last = self._clock()
        if not self.waits:
            self.waits = True
            self.line.waiting[self] = self.last
            if self.line.is_idle:
                self.line.start()

    def cancel(self) -> None:
        """Stop; a cancelled timer must not be touched again."""
        self.idler = None
        # One in the heap stays there until it comes up.
        self.line.waiting.pop(self, None)


class _Line:
    """All idle timers of a loop with the same time."""

    __slots__ = ("_loop", "_numbers", "_revived", "_seconds", "is_idle", "waiting")

    def __init__(self, loop: "Loop", seconds: float) -> None:
        self._loop = loop
        self._seconds = seconds
        self.waiting: dict[IdleTimer, float] = {}  # and since when
        self._revived: list[tuple[float, int, IdleTimer]] = []  # a heap, by deadline
        self._numbers = count()
        self.is_idle = True  # no timer of the loop is set

    def start(self) -> None:
        """Wait for the first one."""
        self._arm(self._seconds)

    def _arm(self, delay: float) -> None:
        self.is_idle = False
        loop = self._loop
        # Nobody's: else it would keep alive whoever happens to be served now.
        owner, loop.owner = loop.owner, None
        timer = loop.call_later(delay, self._look)
        loop.owner = owner
        timer.unref()  # a socket counts for run(), its timer never does (H-145)

    def _look(self) -> None:
        """Call back one that is due; what is due as well gets its own turn (H-008)."""
        self.is_idle = True
        now = self._loop.time()
        expired = self._next_due(now)
        delay = self._earliest() - now
        if delay < inf:
            self._arm(max(delay, 0.0))
        else:
            self._loop.locals[_KEY].pop(self._seconds, None)
        if expired is not None and expired.idler is not None:
            expired.waits = False
            expired.idler.idled()

    def _next_due(self, now: float) -> IdleTimer | None:
        seconds, waiting, revived = self._seconds, self.waiting, self._revived
        while self._earliest() <= now:
            if revived and revived[0][0] <= now:
                timer = heapq.heappop(revived)[2]
            else:
                timer = next(iter(waiting))
                del waiting[timer]
            if timer.idler is None:
                continue  # cancelled
            due = timer.last + seconds
            if due <= now:
                return timer
            heapq.heappush(revived, (due, next(self._numbers), timer))
        return None

    def _earliest(self) -> float:
        first = inf
        for since in self.waiting.values():
            first = since + self._seconds
            break
        return min(first, self._revived[0][0]) if self._revived else first


def _new_line(loop: "Loop", seconds: float) -> _Line:
    line = _Line(loop, seconds)
    loop.locals.setdefault(_KEY, {})[seconds] = line
    return line
