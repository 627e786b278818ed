"""Events whose arguments a type checker knows.

`Event` attributes are for a user's own classes: they need no overloads. The classes of
headrace that many people use have Literal overloads instead; docs/events.md shows both.
"""

from collections.abc import Callable, Coroutine, Hashable, Iterable
from typing import (
    TYPE_CHECKING,
    Any,
    Generic,
    Literal,
    Self,
    TypeAlias,
    TypeVar,
    TypeVarTuple,
    overload,
)

from headrace.events._awaitable import EventIterator, on, once
from headrace.events._emitter import EventEmitter, Listener
from headrace.events._errors import InvalidArgTypeError

if TYPE_CHECKING:
    from headrace.events._symbols import ErrorMonitor

#: A listener of an event without arguments.
Signal: TypeAlias = Callable[[], object]
#: A listener of ``error``.
ErrorListener: TypeAlias = Callable[[Exception], object]
#: A listener of ``new_listener`` or ``remove_listener``.
TableListener: TypeAlias = Callable[[Hashable, Listener], object]

Ts = TypeVarTuple("Ts")
R = TypeVar("R")


class Event(Generic[*Ts]):
    """Declares one event of an emitter class, with the types of its arguments.

    The attribute of an instance is the event bound to that emitter, a `BoundEvent`::

        class Download(EventEmitter):
            progress = Event[int, int]()
            done = Event[()]()


        download.progress.on(lambda received, total: ...)

    It is an ordinary event with the name of the attribute: a listener of
    ``download.on("progress", ...)`` hears the same.

    Args:
        name: The event, if the attribute is to have another name.

    Attributes:
        name: The event.
    """

    __slots__ = ("name",)

    def __init__(self, name: str = "") -> None:
        if not isinstance(name, str):
            raise InvalidArgTypeError("name", "a str", name)
        self.name = name

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = self.name or name

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: EventEmitter, owner: type) -> "BoundEvent[*Ts]": ...
    def __get__(
        self, instance: EventEmitter | None, owner: type
    ) -> "Self | BoundEvent[*Ts]":
        return self if instance is None else BoundEvent(instance, self.name)

    def __repr__(self) -> str:
        return f"Event({self.name!r})"


class BoundEvent(Generic[*Ts]):
    """One event of one emitter; see `Event`.

    Attributes:
        emitter: The emitter.
        name: The event.
    """

    __slots__ = ("emitter", "name")

    def __init__(self, emitter: EventEmitter, name: str) -> None:
        self.emitter, self.name = emitter, name

    def on(self, listener: Callable[[*Ts], R]) -> Callable[[*Ts], R]:
        """Add `listener` behind the others and return it, so this is a decorator."""
        self.emitter.on(self.name, listener)
        return listener

    def once(self, listener: Callable[[*Ts], R]) -> Callable[[*Ts], R]:
        """Do as `on` for one call."""
        self.emitter.once(self.name, listener)
        return listener

    def off(self, listener: Callable[[*Ts], object]) -> None:
        """Remove the most recently added instance of `listener`, if there is one."""
        self.emitter.off(self.name, listener)

    def emit(self, *args: *Ts) -> bool:
        """Call the listeners in order; return whether there was any."""
        return self.emitter.emit(self.name, *args)

    def wait(self) -> "Coroutine[Any, Any, tuple[*Ts]]":
        """Wait for the next one, as `headrace.events.once` does."""
        return once(self.emitter, self.name)

    def iterate(
        self,
        *,
        close: Iterable[Hashable] = (),
        high_water_mark: int | None = None,
        low_water_mark: int = 1,
    ) -> "EventIterator[tuple[*Ts]]":
        """Iterate over the arguments of each one, as `headrace.events.on` does."""
        return on(
            self.emitter,
            self.name,
            close=close,
            high_water_mark=high_water_mark,
            low_water_mark=low_water_mark,
        )

    def __repr__(self) -> str:
        return f"<event {self.name!r} of {self.emitter!r}>"


if TYPE_CHECKING:
    E = TypeVar("E", bound=ErrorListener)
    T = TypeVar("T", bound=TableListener)
    _Table = Literal["new_listener", "remove_listener"]

    class TypedEmitter(EventEmitter):
        """An emitter whose `on` and `once` take the documented events only.

        At run time it is `EventEmitter`. Declare the events as `Event` attributes; an
        event that is known at run time only goes through `custom`.
        """

        @overload  # type: ignore[override]  # known names only, on purpose
        def on(
            self, event: Literal["error"] | ErrorMonitor, listener: ErrorListener
        ) -> Self: ...
        @overload
        def on(self, event: _Table, listener: TableListener) -> Self: ...
        @overload
        def on(self, event: Literal["error"] | ErrorMonitor) -> Callable[[E], E]: ...
        @overload
        def on(self, event: _Table) -> Callable[[T], T]: ...
        def on(self, event: Hashable, listener: Listener = ...) -> Any: ...

        @overload  # type: ignore[override]  # known names only, on purpose
        def once(
            self, event: Literal["error"] | ErrorMonitor, listener: ErrorListener
        ) -> Self: ...
        @overload
        def once(self, event: _Table, listener: TableListener) -> Self: ...
        @overload
        def once(self, event: Literal["error"] | ErrorMonitor) -> Callable[[E], E]: ...
        @overload
        def once(self, event: _Table) -> Callable[[T], T]: ...
        def once(self, event: Hashable, listener: Listener = ...) -> Any: ...

else:
    TypedEmitter = EventEmitter
