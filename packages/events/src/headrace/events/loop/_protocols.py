"""The shapes of what the loop works with: owners, closers, the runner."""

from collections.abc import Callable
from typing import Any, Protocol, TypeAlias


class Owner(Protocol):
    """Who answers for code that runs on its behalf: a server, a socket."""

    def take_exception(self, error: Exception, source: object) -> bool:
        """Deal with an exception that nobody caught.

        Args:
            error: The exception.
            source: What raised it, if known; for the log.

        Returns:
            True if it is dealt with (logged, connection destroyed), False to have it
            reported as if there were no owner.

        Source: H-010.
        """
        ...


class Closer(Protocol):
    """Something open that must not outlive its loop."""

    def abort(self) -> None:
        """Close at once, without waiting and without flushing."""
        ...


class Runner(Protocol):
    """What runs the whole program, as `net.run` does."""

    def fail(self, error: BaseException) -> None:
        """End the program with `error`; called for each exception that nobody took.

        The first one wins, later ones are logged.

        Source: H-010.
        """
        ...


class Sleeper(Protocol):
    """A task that was woken and has not gone on."""

    def go_on(self) -> None:
        """Run its next step now, or in the next turn where that cannot be."""
        ...

    def go_on_later(self) -> None:
        """Run its next step in the next turn."""
        ...


Callback: TypeAlias = Callable[..., object]
Tick: TypeAlias = tuple[Owner | None, Callback, tuple[Any, ...]]
