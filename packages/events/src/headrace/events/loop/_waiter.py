"""A one-shot outcome that any number of tasks can await, before it comes or after."""

from typing import TYPE_CHECKING, Any, Generic, TypeVar

from headrace.events.loop._current import current

if TYPE_CHECKING:
    from headrace.events.loop._loop import Loop

T = TypeVar("T")


class Waiter(Generic[T]):
    """A value or an error that comes once; `wait` gives it, whenever it is called.

    The first `set` or `fail` wins, later ones do nothing. Creating one and setting it
    costs no future: only a `wait` that really has to wait makes one. All of it belongs
    on the thread of the loop.

    Args:
        loop: The loop where it is awaited; by default the one that runs then.

    Attributes:
        is_set: Whether the outcome is there.
    """

    __slots__ = ("__weakref__", "_error", "_loop", "_parked", "_value", "is_set")

    def __init__(self, loop: "Loop | None" = None) -> None:
        self.is_set = False
        self._value: Any = None
        self._error: BaseException | None = None
        self._loop = loop
        self._parked: list[Any] = []

    def __repr__(self) -> str:
        state = "waiting" if not self.is_set else "failed" if self._error else "set"
        return f"<Waiter {state}, {len(self._parked)} parked>"

    def set(self, value: T | None = None) -> None:
        """Give the value to everybody who waits or will wait."""
        if not self.is_set:
            self.is_set = True
            self._value = value
            self._wake()

    def fail(self, error: BaseException) -> None:
        """Raise `error` for everybody who waits or will wait."""
        if not self.is_set:
            self.is_set = True
            self._error = error
            self._wake()

    async def wait(self) -> T:
        """Return the value as soon as it is there.

        Returns at once, without giving way to other tasks, when it is there already.
        Cancelling the wait changes nothing for others.

        Raises:
            BaseException: What `fail` was given.
        """
        if not self.is_set:
            if self._loop is None:
                self._loop = current()
            await self._loop.park(self._parked)
        if self._error is not None:
            raise self._error
        value: T = self._value
        return value

    def _wake(self) -> None:
        if self._parked and self._loop is not None:
            self._loop.wake(self._parked)
