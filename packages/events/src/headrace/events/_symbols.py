"""Event names that nobody can use by accident."""

from typing import Final, final


@final
class ErrorMonitor:
    """The type of `error_monitor`, so that typed events can name it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "headrace.events.error_monitor"

    def __reduce__(self) -> str:
        # Copies and pickles must give the one object: it is equal to itself only.
        return "error_monitor"


#: The event whose listeners see each ``error`` first and do not count as handlers.
error_monitor: Final = ErrorMonitor()
