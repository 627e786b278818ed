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
from headrace.events._symbols import ErrorMonitor

#: The events that come with an error.
ErrorEvent: TypeAlias = Literal["error"] | ErrorMonitor
#: The events that tell of listeners.
TableEvent: TypeAlias = Literal["new_listener", "remove_listener"]
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

    class TypedEmitter(EventEmitter):
        """An emitter that takes by name only what every emitter emits.

        At run time it is `EventEmitter`. Its other events are `Event` attributes; a
        name that no checker can know goes through `custom`.
        """

        @overload  # type: ignore[override]  # known names only, on purpose
        def on(self, event: ErrorEvent, listener: ErrorListener) -> Self: ...
        @overload
        def on(self, event: TableEvent, listener: TableListener) -> Self: ...
        @overload
        def on(self, event: ErrorEvent) -> Callable[[E], E]: ...
        @overload
        def on(self, event: TableEvent) -> Callable[[T], T]: ...
        def on(self, event: Hashable, listener: Listener = ...) -> Any: ...

        once = prepend_listener = on  # type: ignore[assignment]
        add_listener = prepend_once_listener = on  # type: ignore[assignment]

else:
    TypedEmitter = EventEmitter
