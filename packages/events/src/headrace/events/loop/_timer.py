"""Timers as the user holds them, and which delays are allowed."""

import math
from typing import TYPE_CHECKING, Any, Protocol, Self

from headrace.events._errors import InvalidArgTypeError, OutOfRangeError

if TYPE_CHECKING:
    from headrace.events.loop._loop import Loop
    from headrace.events.loop._protocols import Callback, Owner


class Cancellable(Protocol):
    """What the runtime gives for a timer or a task."""

    def cancel(self) -> object: ...


class Timer:
    """A callback that will run once, after a delay; made by `Loop.call_later`.

    While it waits it keeps `net.run` going, unless `unref` took it out of that count.
    The callback runs as a delivery: ticks first, then the callback on behalf of whoever
    owned the code that set the timer, then the ticks it caused.

    Source: H-009.
    """

    __slots__ = (
        "__weakref__",
        "_active",
        "_args",
        "_callback",
        "_counted",
        "_handle",
        "_loop",
        "_owner",
    )

    _handle: Cancellable

    def __init__(
        self, loop: "Loop", callback: "Callback", args: tuple[Any, ...]
    ) -> None:
        self._loop = loop
        self._owner: Owner | None = loop.owner
        self._callback = callback
        self._args = args
        self._active = False
        self._counted = False

    def __repr__(self) -> str:
        state = "done" if not self._active else "active" if self._counted else "unref'd"
        return f"<Timer {state}>"

    def start(self, handle: Cancellable) -> None:
        """Begin to count; the loop calls this once, when `handle` waits."""
        self._handle = handle
        self._active = self._counted = True
        self._loop.hold()

    @property
    def active(self) -> bool:
        """Whether the callback is still to come."""
        return self._active

    def cancel(self) -> None:
        """Never run the callback. Without effect once it has run."""
        if self._active:
            self._handle.cancel()
            self._finish()

    def ref(self) -> Self:
        """Keep `net.run` going until the callback has run; the default."""
        if self._active and not self._counted:
            self._counted = True
            self._loop.hold()
        return self

    def unref(self) -> Self:
        """Let `net.run` end although the callback has not run."""
        if self._active and self._counted:
            self._counted = False
            self._loop.release()
        return self

    def fire(self) -> None:
        """Run the callback; the runtime calls this at the time."""
        callback, args, owner = self._callback, self._args, self._owner
        self._finish()
        self._loop.deliver(owner, callback, *args)

    def _finish(self) -> None:
        self._active = False
        self._callback, self._args, self._owner = _nothing, (), None
        del self._handle  # it refers to this timer
        if self._counted:
            self._counted = False
            self._loop.release()


def _nothing() -> None:
    """Stand where a callback was."""


def check_delay(delay: float) -> None:
    """Refuse what is not a duration.

    Raises:
        InvalidArgTypeError: If `delay` is not a real number, or a `bool`.
        OutOfRangeError: If `delay` is negative, infinite or not a number.

    Source: H-005.
    """
    if not isinstance(delay, int | float) or isinstance(delay, bool):
        raise InvalidArgTypeError("delay", "a number of seconds", delay)
    # The comparison is exact for an int of any size, where isfinite() would overflow.
    if not 0 <= delay <= _LONGEST:
        raise OutOfRangeError("delay", "finite and not negative", delay)


_LONGEST = math.nextafter(math.inf, 0)
