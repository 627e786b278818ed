"""Timers in the order of their deadlines, for a runtime without timers of its own."""

import contextvars
import heapq
import itertools
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headrace.events.loop._timer import Timer

#: Below this many cancelled entries the heap is not worth rebuilding.
_CANCELLED_MIN = 64


class Entry:
    """One timer in the queue.

    Attributes:
        deadline: When it is due, on the loop's clock.
        number: Its place among timers with the same deadline.
        timer: The timer.
        context: The context variables at the time it was set.
        cancelled: Whether it is only still here because nobody has come by.
    """

    __slots__ = ("cancelled", "context", "deadline", "number", "queue", "timer")

    def __init__(
        self, queue: "TimerQueue", deadline: float, number: int, timer: "Timer"
    ) -> None:
        self.queue, self.deadline, self.number = queue, deadline, number
        self.timer = timer
        self.cancelled = False
        self.context = contextvars.copy_context()

    def __lt__(self, other: "Entry") -> bool:
        return (self.deadline, self.number) < (other.deadline, other.number)

    def cancel(self) -> None:
        """Take the timer out."""
        self.cancelled = True
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
        while heap and heap[0].cancelled:
            heapq.heappop(heap)
            self._cancelled -= 1
        return heap[0].deadline if heap else math.inf

    def due(self, now: float) -> "Iterator[Entry]":
        """Take out what is due, one by one; what is added meanwhile has to wait."""
        limit = next(self._numbers)
        while self.earliest() <= now and self._heap[0].number < limit:
            yield heapq.heappop(self._heap)

    def note_cancelled(self) -> None:
        """Count an entry whose timer is gone; rebuild when most are."""
        self._cancelled += 1
        if self._cancelled > max(_CANCELLED_MIN, len(self._heap) // 2):
            self._heap = [entry for entry in self._heap if not entry.cancelled]
            heapq.heapify(self._heap)
            self._cancelled = 0
