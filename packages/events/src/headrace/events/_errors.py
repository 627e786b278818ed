"""The errors and the warning of this package, each with the `code` of Node.

There is no common root: a caller catches the builtin he expects, or looks at `code`.

Source: H-011.
"""

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Hashable


class InvalidArgTypeError(TypeError):
    """An argument had the wrong type."""

    code: ClassVar[str] = "ERR_INVALID_ARG_TYPE"

    def __init__(self, name: str, expected: str, got: object) -> None:
        super().__init__(f"{name} must be {expected}; got {got!r}")
        self.name, self.expected, self.got = name, expected, got


class OutOfRangeError(ValueError):
    """An argument was outside its allowed range."""

    code: ClassVar[str] = "ERR_OUT_OF_RANGE"

    def __init__(self, name: str, allowed: str, got: object) -> None:
        super().__init__(f"{name} must be {allowed}; got {got!r}")
        self.name, self.allowed, self.got = name, allowed, got


class UnhandledError(RuntimeError):
    """Something that is no exception was emitted as ``error`` and nobody listened.

    Attributes:
        context: What was emitted.

    Source: H-151.
    """

    code: ClassVar[str] = "ERR_UNHANDLED_ERROR"

    def __init__(self, context: object) -> None:
        super().__init__(f"unhandled error: {context!r}")
        self.context = context


class MaxListenersExceededWarning(ResourceWarning):
    """One event of one emitter has so many listeners that it looks like a leak.

    Attributes:
        emitter: The emitter.
        type: The event.
        count: How many listeners the event has.

    Source: H-154.
    """

    def __init__(self, emitter: object, event: "Hashable", count: int) -> None:
        super().__init__(
            f"possible listener leak: {count} {event!r} listeners on a "
            f"{type(emitter).__qualname__}; set_max_listeners() raises the limit"
        )
        self.emitter, self.type, self.count = emitter, event, count
