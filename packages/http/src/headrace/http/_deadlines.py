"""The deadlines of all connections of a server, kept by one timer.

A deadline is a number on the connection. The timer is armed for the earliest one that
is known and is never moved back when a deadline moves on: it fires, looks, and is armed
again. So a request costs no timer, and a server at rest costs no time (X-003).
"""

from __future__ import annotations

from math import ceil, inf
from typing import TYPE_CHECKING, Final, Protocol

from headrace.events.loop import Owner

if TYPE_CHECKING:
    from collections.abc import Iterable

    from headrace.events.loop import Loop, Timer

#: Deadlines are kept within this many seconds: several share one wake-up.
GRAIN: Final = 0.25


class Watched(Owner, Protocol):
    """A connection with a deadline."""

    deadline: float

    def expire(self, now: float) -> None:
        """Act on a deadline that has passed; set the next one."""


class Deadlines:
    """One timer for the earliest deadline of many connections."""

    __slots__ = ("_connections", "_timer", "covered", "loop")

    def __init__(self, loop: Loop, connections: Iterable[Watched]) -> None:
        self.loop = loop
        self._connections = connections
        self._timer: Timer | None = None
        #: For deadlines later than this the timer need not be told of them.
        self.covered = inf

    def watch(self, deadline: float) -> None:
        """See to it that the timer fires when `deadline` has passed."""
        if deadline <= self.covered:
            self._arm(deadline)

    def stop(self) -> None:
        """Disarm the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.covered = inf

    def _arm(self, deadline: float) -> None:
        self.stop()
        if deadline == inf:
            return
        # Rounded up, so that deadlines close to one another share a wake-up.
        at = ceil(deadline / GRAIN) * GRAIN
        delay = max(at - self.loop.time(), 0.0)
        # The timer was rounded up: a deadline in the same grain changes nothing.
        self.covered = at - GRAIN
        # Nobody's: it would keep the connection alive that happens to be served now.
        owner, self.loop.owner = self.loop.owner, None
        self._timer = self.loop.call_later(delay, self._fire)
        self.loop.owner = owner
        self._timer.unref()

    def _fire(self) -> None:
        self._timer = None
        self.covered = inf
        now = self.loop.time()
        for connection in list(self._connections):
            if connection.deadline <= now:
                self.loop.deliver(connection, connection.expire, now)
        self._arm(min((c.deadline for c in self._connections), default=inf))
