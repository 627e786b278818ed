"""The methods of `Loop` as functions for the loop that runs now."""

from typing import TYPE_CHECKING, Any, TypeVarTuple

from headrace.events.loop._current import current

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Hashable

    from headrace.events.loop._protocols import Owner
    from headrace.events.loop._task import Task
    from headrace.events.loop._timer import Timer

Ts = TypeVarTuple("Ts")


def running() -> "Hashable":
    """Return an identity of the loop that runs now, for keys.

    Raises:
        NoRunningLoopError: If there is none.
    """
    return current()


def next_tick(callback: "Callable[[*Ts], object]", *args: *Ts) -> None:
    """Call `callback` when the code that runs now has returned to the loop.

    Source: H-008.
    """
    current().next_tick(callback, *args)


def call_soon(callback: "Callable[[*Ts], object]", *args: *Ts) -> None:
    """Call `callback` in the next turn of the loop: Node's `setImmediate`."""
    current().call_soon(callback, *args)


def call_later(
    delay: float, callback: "Callable[[*Ts], object]", *args: *Ts
) -> "Timer":
    """Call `callback` after `delay` seconds.

    Raises:
        InvalidArgTypeError: If `delay` is not a real number, or a `bool`.
        OutOfRangeError: If `delay` is negative, infinite or not a number.

    Source: H-005, H-009.
    """
    return current().call_later(delay, callback, *args)


def spawn(
    coroutine: "Coroutine[Any, Any, object]",
    *,
    owner: "Owner | None" = None,
    on_error: "Callable[[Exception], object] | None" = None,
) -> "Task":
    """Run `coroutine` beside everything else; see `Loop.spawn`.

    Source: H-009, H-150.
    """
    return current().spawn(coroutine, owner=owner, on_error=on_error)


def report(
    error: Exception, source: object = None, owner: "Owner | None" = None
) -> None:
    """Bring out an exception that nobody caught; see `Loop.report`.

    Source: H-010.
    """
    current().report(error, source, owner)


async def checkpoint() -> None:
    """Give way for one turn; ticks that wait have run when this returns."""
    await current().checkpoint()
