"""Event names that nobody can use by accident."""

from typing import Final, final

__all__ = ["Symbol", "error_monitor"]


@final
class Symbol:
    """An event name that is equal to nothing but itself.

    Two symbols with the same description are two different events, so a library can
    offer an event of its own on other people's emitters.

    Args:
        description: Shown by `repr`; it has no other meaning.

    Source: H-001.
    """

    __slots__ = ("description",)

    def __init__(self, description: str) -> None:
        self.description: Final = description

    def __repr__(self) -> str:
        return f"Symbol({self.description!r})"

    def __copy__(self) -> "Symbol":
        return self

    def __deepcopy__(self, memo: object) -> "Symbol":
        return self


#: Its listeners see each ``error`` first and do not count as handlers (X-093).
error_monitor: Final = Symbol("events.error_monitor")
