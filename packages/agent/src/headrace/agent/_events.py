"""The events of an Agent, with the types of their arguments.

Only a type checker sees the class with the overloads; at run time it is its parent. An
event of the user's own goes through `custom`.
"""

from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar, overload

from headrace.events import EventEmitter

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping

    from headrace.events import (
        ErrorEvent,
        ErrorListener,
        Listener,
        TableEvent,
        TableListener,
    )
    from headrace.net import Socket

    FreeListener = Callable[[Socket, Mapping[str, Any]], object]

    E = TypeVar("E", bound=ErrorListener)
    F = TypeVar("F", bound=FreeListener)
    T = TypeVar("T", bound=TableListener)

    class AgentEvents(EventEmitter):
        """An emitter whose `on` takes the events of an agent only."""

        @overload  # type: ignore[override]  # known names only, on purpose
        def on(self, event: Literal["free"], listener: FreeListener) -> Self: ...
        @overload
        def on(self, event: ErrorEvent, listener: ErrorListener) -> Self: ...
        @overload
        def on(self, event: TableEvent, listener: TableListener) -> Self: ...
        @overload
        def on(self, event: Literal["free"]) -> Callable[[F], F]: ...
        @overload
        def on(self, event: ErrorEvent) -> Callable[[E], E]: ...
        @overload
        def on(self, event: TableEvent) -> Callable[[T], T]: ...
        def on(self, event: Hashable, listener: Listener = ...) -> Any: ...

        once = prepend_listener = on  # type: ignore[assignment]
        add_listener = prepend_once_listener = on  # type: ignore[assignment]

else:
    AgentEvents = EventEmitter

__all__ = ["AgentEvents"]
