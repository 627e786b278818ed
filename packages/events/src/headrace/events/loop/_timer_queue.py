"""Timers in the order of their deadlines, for a runtime without timers of its own."""

import heapq
import itertools
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headrace.events.loop._timer import Timer

#: Below this many cancelled entries the heap is not worth rebuilding.
_CANCELLED_MIN = 64


class Entry:
    """One timer in the queue.

    Attributes:
        deadline: When it is due, on the loop's clock.
    """

    __slots__ = ("deadline", "number", "queue", "timer")

    def __init__(
        self, queue: "TimerQueue", deadline: float, number: int, timer: "Timer"
    ) -> None:
        self.queue, self.deadline, self.number = queue, deadline, number
        self.timer: Timer | None = timer

    def __lt__(self, other: "Entry") -> bool:
        # Equal deadlines are due in the order in which they were set.
        return (self.deadline, self.number) < (other.deadline, other.number)

    def cancel(self) -> None:
        """Take the timer out."""
        self.timer = None
        self.queue.note_cancelled()


class TimerQueue:
    """A heap of timers; cancelled ones leave it when they come up, or are too many."""

    __slots__ = ("_cancelled", "_heap", "_numbers")

    def __init__(self) -> None:
        self._heap: list[Entry] = []
        self._cancelled = 0
        self._numbers = itertools.count()

    def __len__(self) -> int:
        return len(self._heap) - self._cancelled

    def add(self, deadline: float, timer: "Timer") -> Entry:
        """Put `timer` in; the entry takes it out again."""
        entry = Entry(self, deadline, next(self._numbers), timer)
        heapq.heappush(self._heap, entry)
        return entry

    def earliest(self) -> float:
        """Return the next deadline; infinity if no timer waits."""
        heap = self._heap
        while heap and heap[0].timer is None:
            heapq.heappop(heap)
            self._cancelled -= 1
        return heap[0].deadline if heap else math.inf

    def fire_due(self, now: float) -> None:
        """Fire what is due; what these timers set is looked at the next time."""
        due: list[Entry] = []
        while self.earliest() <= now:
            due.append(heapq.heappop(self._heap))
        for entry in due:
            timer, entry.timer = entry.timer, None
            if timer is not None:
                timer.fire()

    def note_cancelled(self) -> None:
        """Count an entry whose timer is gone; rebuild when most are."""
        self._cancelled += 1
        if self._cancelled > max(_CANCELLED_MIN, len(self._heap) // 2):
            self._heap = [entry for entry in self._heap if entry.timer is not None]
            heapq.heapify(self._heap)
            self._cancelled = 0
