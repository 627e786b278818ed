"""EventEmitter: the listener table and the rules of `emit`.

The table maps an event to a tuple of listeners, and a change replaces the tuple. So the
snapshot that `emit` promises costs nothing, and `emit` is one look-up and one loop.
"""

import sys
import warnings
from collections.abc import Callable, Coroutine, Hashable
from functools import partial
from pathlib import Path
from types import CoroutineType
from typing import (
    TYPE_CHECKING,
    Any,
    ClassVar,
    Final,
    Self,
    TypeAlias,
    TypeVar,
    overload,
)
from weakref import ref

from headrace.events import loop
from headrace.events._errors import (
    InvalidArgTypeError,
    MaxListenersExceededWarning,
    OutOfRangeError,
    UnhandledError,
)
from headrace.events._symbols import ErrorMonitor, error_monitor

Listener: TypeAlias = Callable[..., object]
_L = TypeVar("_L", bound=Listener)
_Table: TypeAlias = dict[Hashable, tuple[Listener, ...]]

# The table of all emitters without listeners, so that making one costs nothing. Never
# written to: the first listener replaces it.
_NO_LISTENERS: Final[_Table] = {}
# The default of `listener`: an explicit None is an error, not a decorator.
_NOT_GIVEN: Final = object()
_HOOKS: Final = frozenset(("_listener_added", "_listener_removed"))
_PACKAGE: Final = str(Path(__file__).parent)


class EventEmitter:
    """Calls listeners, in order and at once, when a named event is emitted.

    An event is any hashable value. A listener is any callable; its arguments are those
    of `emit`, its return value is ignored. Only a coroutine, what an ``async def``
    listener returns, is run on the loop of that `emit`.

    A subclass may define

    - ``__rejection__(error, event, *args)``: gets the exceptions of async listeners
      instead of ``error``;
    - ``_listener_added(event)`` and ``_listener_removed(event)``, and
      ``_observed_events``: see there;
    - ``_owner``: who answers for the tasks of async listeners.

    Attributes:
        default_max_listeners: The limit of emitters that set none.
        error_monitor: The same as `headrace.events.error_monitor`.

    Events:
        new_listener (event, listener): Before a listener is added. Listeners that are
            added meanwhile come first.
        remove_listener (event, listener): After a listener was removed.
        error (error): Something failed. `emit` raises it if nobody listens.

    Source: H-149 to H-154.
    """

    default_max_listeners: ClassVar[float] = 10
    error_monitor: ClassVar[ErrorMonitor] = error_monitor

    _owner: loop.Owner | None = None
    #: Of which events the two hooks hear: names, or True for all. A class that defines
    #: a hook may say it beside the hook; by default a hook hears of all.
    _observed_events: ClassVar[frozenset[Hashable] | bool] = False

    # Defaults of the class instead of an __init__: with one, Python takes twice as long
    # to make an emitter.
    _listeners: _Table = _NO_LISTENERS
    _emitter_settings: "_Settings | None" = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for base in cls.__mro__:
            defined = base.__dict__.keys()
            if "_observed_events" in defined:
                break
            if not _HOOKS.isdisjoint(defined):
                cls._observed_events = True
                break

    @property
    def custom(self) -> "EventEmitter":
        """This emitter, typed so that it takes any event.

        The types of many emitters know the documented events only, so that a wrong name
        or listener is an error; this is the door for events of your own.
        """
        return self

    # Emitting

    def emit(self, event: Hashable, *args: Any) -> bool:
        """Call the listeners of `event` in order with `args`.

        Listeners that are added or removed meanwhile count from the next `emit` on. An
        exception goes through to the caller; the remaining listeners are not called.

        Returns:
            Whether anybody listened.

        Raises:
            InvalidArgTypeError: If `event` is not hashable.
            UnhandledError: If `event` is ``error``, nobody listens, and the argument is
                no exception; an exception is raised itself.
            RuntimeError: If a listener returned a coroutine and no loop runs.

        Source: H-150, H-151.
        """
        try:
            listeners = self._listeners.get(event)
        except TypeError as error:
            raise InvalidArgTypeError("event", "hashable", event) from error
        if event == "error":
            self._begin_error(listeners is not None, args)
        if listeners is None:
            return False
        for listener in listeners:
            result = listener(*args)
            # The exact type: what merely can be awaited is none of our business.
            if result is not None and type(result) is CoroutineType:
                self._adopt(result, event, args)
        return True

    def _begin_error(self, is_heard: bool, args: tuple[Any, ...]) -> None:
        if error_monitor in self._listeners:
            self.emit(error_monitor, *args)
        if not is_heard:
            raise exception_from(args)

    def _adopt(
        self,
        coroutine: Coroutine[Any, Any, object],
        event: Hashable,
        args: tuple[Any, ...],
    ) -> None:
        """Run the coroutine of an async listener of `event`.

        The task belongs to the emitter's `_owner`, else to whoever owns the code that
        runs now, else to the loop, which cancels it when it ends.
        """
        try:
            running = loop.current()
        except RuntimeError:
            coroutine.close()
            raise
        on_error = partial(self._reject, event, args)
        running.spawn(coroutine, owner=self._owner, on_error=on_error)

    def _reject(self, event: Hashable, args: tuple[Any, ...], error: Exception) -> None:
        """Route the exception of an async listener of `event`."""
        # Whoever fails while an error is handled must not be asked to handle that, too.
        if event == "error" or event is error_monitor:
            loop.report(error, self)
            return
        try:
            hook = getattr(self, "__rejection__", None)
            if hook is None:
                self.emit("error", error)
            elif type(result := hook(error, event, *args)) is CoroutineType:
                self._adopt(result, "error", (error,))
        except Exception as raised:
            loop.report(raised, self)

    # Adding

    @overload
    def on(self, event: Hashable, listener: Listener) -> Self: ...
    @overload
    def on(self, event: Hashable) -> Callable[[_L], _L]: ...
    def on(self, event: Hashable, listener: Any = _NOT_GIVEN) -> Any:
        """Add `listener` behind the others; with the event alone, be a decorator.

        The same listener added twice is called twice. `add_listener` is the same
        method; `once` adds for one call, `prepend_listener` in front of the others, and
        `prepend_once_listener` does both.

        Returns:
            The emitter. The decorator returns the function.

        Raises:
            InvalidArgTypeError: If `listener` is not callable or `event` not hashable.

        Source: H-149, X-098.
        """
        if not callable(listener):
            return _decorator(self.on, event, listener)
        table = self._listeners
        try:
            existing = table.get(event)
        except TypeError as error:
            raise InvalidArgTypeError("event", "hashable", event) from error
        if existing is not None or "new_listener" in table:
            self._add(event, listener)
            return self
        # What `_add` does for most listeners, without a call.
        if table is _NO_LISTENERS:
            self._listeners = {event: (listener,)}
        else:
            table[event] = (listener,)
        if (seen := self._observed_events) and (seen is True or event in seen):
            self._listener_added(event)
        return self

    add_listener = on

    if TYPE_CHECKING:
        # For checkers all ways of adding are `on`. A class with typed events then
        # writes its overloads once and says this line, too; pyright would hold it to
        # the signature of a method that is defined here.
        once = prepend_listener = prepend_once_listener = on
    else:

        def once(self, event: Hashable, listener: Any = _NOT_GIVEN) -> Any:
            """Do as `on` for one call: the listener is removed before it is called.

            Source: H-149, X-098.
            """
            if not callable(listener):
                return _decorator(self.once, event, listener)
            self._add(event, _Once(self, event, listener))
            return self

        def prepend_listener(self, event: Hashable, listener: Any = _NOT_GIVEN) -> Any:
            """Do as `on`, but add `listener` in front of the others.

            Source: H-149.
            """
            if not callable(listener):
                return _decorator(self.prepend_listener, event, listener)
            self._add(event, listener, first=True)
            return self

        def prepend_once_listener(
            self, event: Hashable, listener: Any = _NOT_GIVEN
        ) -> Any:
            """Do as `once`, but add `listener` in front of the others.

            Source: H-149.
            """
            if not callable(listener):
                return _decorator(self.prepend_once_listener, event, listener)
            self._add(event, _Once(self, event, listener), first=True)
            return self

    def _add(self, event: Hashable, listener: Listener, first: bool = False) -> None:
        table, added = self._listeners, (listener,)
        try:
            existing = table.get(event)
        except TypeError as error:
            raise InvalidArgTypeError("event", "hashable", event) from error
        if "new_listener" in table:
            self.emit("new_listener", event, _original(listener))
            existing = table.get(event)
        if existing is not None:
            table[event] = added + existing if first else existing + added
        elif table is _NO_LISTENERS:
            self._listeners = {event: added}
        else:
            table[event] = added
        if (seen := self._observed_events) and (seen is True or event in seen):
            self._listener_added(event)
        if existing is not None and (
            len(existing) >= self.default_max_listeners
            or self._emitter_settings is not None
        ):
            self._check_for_leak(event, len(existing) + 1)

    def _listen(self, table: _Table) -> None:
        """Add one listener, or several, of each of several events.

        It is quick where nobody listens yet, as to an object that was just made.
        """
        seen = self._observed_events
        if not self._listeners and (
            not seen or (seen is not True and seen.isdisjoint(table))
        ):
            self._listeners = table.copy()
            return
        for event, listeners in table.items():
            for listener in listeners:
                self._add(event, listener)

    def _unlisten(self, table: _Table) -> None:
        """Remove what `_listen` has added; it is quick where that is all there is."""
        seen = self._observed_events
        if self._listeners == table and (
            not seen or (seen is not True and seen.isdisjoint(table))
        ):
            self._listeners = _NO_LISTENERS
            return
        for event, listeners in table.items():
            for listener in listeners:
                self.remove_listener(event, listener)

    def _check_for_leak(self, event: Hashable, count: int) -> None:
        if not 0 < self.get_max_listeners() < count:
            return
        settings = self._own_settings()
        if event not in settings.warned:
            settings.warned.add(event)
            warning = MaxListenersExceededWarning(self, event, count)
            warnings.warn(warning, stacklevel=_level_of_caller())

    # Removing

    def remove_listener(self, event: Hashable, listener: Listener) -> Self:
        """Remove the most recently added instance of `listener`, if there is one.

        A listener of `once` is found by the function it was given. An `emit` that is
        under way still calls the removed listener.

        Raises:
            InvalidArgTypeError: If `listener` is not callable or `event` not hashable.

        Source: H-149.
        """
        if not callable(listener):
            raise InvalidArgTypeError("listener", "callable", listener)
        try:
            existing = self._listeners.get(event, ())
        except TypeError as error:
            raise InvalidArgTypeError("event", "hashable", event) from error
        index = len(existing)
        while index:
            index -= 1
            found = existing[index]
            # Equality, not identity: two look-ups of a bound method are two objects.
            if found == listener or (
                type(found) is _Once and found.listener == listener
            ):
                self._remove_at(event, existing, index)
                break
        return self

    off = remove_listener

    def _forget(self, event: Hashable, wrapper: "_Once") -> None:
        existing = self._listeners.get(event, ())
        index = len(existing)
        while index:
            index -= 1
            if existing[index] is wrapper:
                self._remove_at(event, existing, index)
                break

    def _remove_at(
        self, event: Hashable, existing: tuple[Listener, ...], index: int
    ) -> None:
        last = len(existing) - 1
        if not last:
            del self._listeners[event]
        elif index == last:  # the usual case, and two copies cheaper
            self._listeners[event] = existing[:-1]
        else:
            self._listeners[event] = existing[:index] + existing[index + 1 :]
        if (seen := self._observed_events) and (seen is True or event in seen):
            self._listener_removed(event)
        if "remove_listener" in self._listeners:
            self.emit("remove_listener", event, _original(existing[index]))

    def remove_all_listeners(self, event: Hashable = None) -> Self:
        """Remove all listeners of `event`, or of all events.

        Each ``remove_listener`` comes in reverse order of adding; its own listeners go
        last.

        Raises:
            InvalidArgTypeError: If `event` is not hashable.

        Source: H-149, H-152.
        """
        if event is not None:
            self._remove_all(event)
            return self
        for name in self.event_names():
            if name != "remove_listener":
                self._remove_all(name)
        self._remove_all("remove_listener")
        return self

    def _remove_all(self, event: Hashable) -> None:
        existing = self._of(event)
        if "remove_listener" in self._listeners:
            for listener in reversed(existing):
                self.remove_listener(event, listener)
        elif existing:
            del self._listeners[event]
            if (seen := self._observed_events) and (seen is True or event in seen):
                self._listener_removed(event)

    # Hooks for subclasses

    def _listener_added(self, event: Hashable) -> None:
        """React to a new listener of `event`, before `on` or `once` returns.

        Called only if the class defines one of the two hooks, and for the events in
        `_observed_events`.
        """

    def _listener_removed(self, event: Hashable) -> None:
        """React to removed listeners of `event`, before ``remove_listener``.

        Called whichever way they go: `off`, the call of a `once` listener, or, once for
        each event, `remove_all_listeners`.
        """

    # Looking

    def _of(self, event: Hashable) -> tuple[Listener, ...]:
        try:
            return self._listeners.get(event, ())
        except TypeError as error:
            raise InvalidArgTypeError("event", "hashable", event) from error

    def listeners(self, event: Hashable) -> list[Listener]:
        """Return a copy of the listeners of `event`, as they were given.

        Source: H-153.
        """
        return [_original(listener) for listener in self._of(event)]

    def raw_listeners(self, event: Hashable) -> list[Listener]:
        """Return a copy of the listeners of `event`, with the wrappers of `once`.

        Calling a wrapper removes it and calls its `listener`; once.

        Source: H-153.
        """
        return list(self._of(event))

    def listener_count(self, event: Hashable, listener: Listener | None = None) -> int:
        """Return how many listeners `event` has, or how often `listener` is there.

        Source: H-153.
        """
        if listener is None:
            return len(self._of(event))
        return self.listeners(event).count(listener)

    def event_names(self) -> list[Hashable]:
        """Return the events that somebody listens to, in the order of first adding.

        Source: H-153.
        """
        return list(self._listeners)

    # The leak warning

    def set_max_listeners(self, n: float) -> Self:
        """Warn when one event gets more than `n` listeners; 0 or infinity: never.

        Raises:
            InvalidArgTypeError: If `n` is not a number.
            OutOfRangeError: If `n` is negative or NaN.

        Source: H-153, H-154.
        """
        self._own_settings().max_listeners = _checked_maximum(n)
        return self

    def get_max_listeners(self) -> float:
        """Return this emitter's limit, or the default of its class.

        Source: H-153.
        """
        settings = self._emitter_settings
        if settings is None or settings.max_listeners is None:
            return self.default_max_listeners
        return settings.max_listeners

    def _own_settings(self) -> "_Settings":
        if self._emitter_settings is None:
            self._emitter_settings = _Settings()
        return self._emitter_settings


class _Once:
    """A listener of `once`: leaves the emitter, then calls; nothing the next time."""

    __slots__ = ("_emitter", "_event", "listener")

    def __init__(self, emitter: EventEmitter, event: Hashable, listener: Any) -> None:
        # Weak, so that an emitter that dies with this unfired is freed at once and not
        # when the cycle collector comes by.
        self._emitter: ref[EventEmitter] | None = ref(emitter)
        self._event = event
        self.listener: Listener = listener

    def __call__(self, *args: Any) -> object:
        if self._emitter is None:
            return None
        emitter = self._emitter()
        self._emitter = None
        if emitter is not None:
            emitter._forget(self._event, self)
        return self.listener(*args)

    def __repr__(self) -> str:
        return f"<once {self.listener!r}>"


class _Settings:
    """What few emitters need: a limit of their own, and which events were warned of."""

    __slots__ = ("max_listeners", "warned")

    def __init__(self) -> None:
        self.max_listeners: float | None = None
        self.warned: set[Hashable] = set()


def _original(listener: Listener) -> Listener:
    return listener.listener if type(listener) is _Once else listener


def _decorator(
    add: Callable[[Hashable, Listener], object], event: Hashable, given: object
) -> Callable[[_L], _L]:
    if given is not _NOT_GIVEN:
        raise InvalidArgTypeError("listener", "callable", given)

    def decorate(listener: _L) -> _L:
        add(event, listener)
        return listener

    return decorate


def exception_from(args: tuple[Any, ...]) -> BaseException:
    """Return the exception that the arguments of an ``error`` stand for (H-151)."""
    error = args[0] if args else None
    return error if isinstance(error, BaseException) else UnhandledError(error)


def _checked_maximum(n: float) -> float:
    if isinstance(n, bool) or not isinstance(n, int | float):
        raise InvalidArgTypeError("n", "a number", n)
    if not n >= 0:  # catches NaN, too
        raise OutOfRangeError("n", "0 or more", n)
    return n


def _level_of_caller() -> int:
    """Return the `stacklevel` of the code that called into this package."""
    level, frame = 0, sys._getframe()
    while frame.f_back and frame.f_code.co_filename.startswith(_PACKAGE):
        level, frame = level + 1, frame.f_back
    return level


def check_emitter(emitter: object) -> None:
    if not isinstance(emitter, EventEmitter):
        raise InvalidArgTypeError("emitter", "an EventEmitter", emitter)


def get_event_listeners(emitter: EventEmitter, event: Hashable) -> list[Listener]:
    """Return a copy of the listeners of `event`, as they were given.

    Raises:
        InvalidArgTypeError: If `emitter` is not an EventEmitter.

    Source: X-095.
    """
    check_emitter(emitter)
    return emitter.listeners(event)


def get_max_listeners(emitter: EventEmitter) -> float:
    """Return the number of listeners above which `emitter` warns.

    Raises:
        InvalidArgTypeError: If `emitter` is not an EventEmitter.

    Source: X-095.
    """
    check_emitter(emitter)
    return emitter.get_max_listeners()


def set_max_listeners(n: float, *emitters: EventEmitter) -> None:
    """Set the limit of all `emitters`; without any, the default of all emitters.

    Raises:
        InvalidArgTypeError: If `n` is not a number or one of `emitters` none.
        OutOfRangeError: If `n` is negative or NaN.

    Source: X-095.
    """
    _checked_maximum(n)
    for emitter in emitters:
        check_emitter(emitter)
    for emitter in emitters:
        emitter.set_max_listeners(n)
    if not emitters:
        EventEmitter.default_max_listeners = n
