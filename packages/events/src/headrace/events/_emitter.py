"""EventEmitter: the listener table and the rules of `emit`."""

import sys
import warnings
from collections.abc import Callable, Coroutine, Hashable
from functools import partial
from types import CoroutineType
from typing import Any, ClassVar, Final, Self, TypeVar, overload
from weakref import ref

from headrace.events._errors import (
    InvalidArgTypeError,
    MaxListenersExceededWarning,
    OutOfRangeError,
    UnhandledError,
)
from headrace.events._symbols import Symbol, error_monitor

__all__ = ["EventEmitter", "Listener", "MaxListeners"]

Listener = Callable[..., object]
MaxListeners = int | float
_Table = dict[Hashable, tuple[Listener, ...]]
_L = TypeVar("_L", bound=Listener)

# Shared by every emitter until its first listener, so that constructing one allocates
# no table. Never written to.
_NO_LISTENERS: Final[_Table] = {}


class _NotGiven:
    """The default of `listener`: an explicit None is an error, not a decorator."""


_NOT_GIVEN: Final = _NotGiven()


class _Once:
    """Remove a listener from its emitter, then call it; do nothing the next time."""

    __slots__ = ("_emitter", "_event", "listener")

    def __init__(
        self, emitter: "EventEmitter", event: Hashable, listener: Listener
    ) -> None:
        # Weak: an emitter that dies with an unfired listener must not wait for the
        # cycle collector.
        self._emitter: ref[EventEmitter] | None = ref(emitter)
        self._event = event
        self.listener = listener

    def __call__(self, *args: object) -> object:
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
    """What few emitters need: a limit of their own, the events already warned of."""

    __slots__ = ("max_listeners", "warned")

    def __init__(self) -> None:
        self.max_listeners: MaxListeners | None = None
        self.warned: set[Hashable] = set()


def _original(listener: Listener) -> Listener:
    return listener.listener if type(listener) is _Once else listener


def _check_max_listeners(count: object) -> MaxListeners:
    if isinstance(count, bool) or not isinstance(count, int | float):
        raise InvalidArgTypeError("max_listeners", "a number", count)
    if not count >= 0:
        raise OutOfRangeError("max_listeners", "0 or more", count)
    return count


def _frames_inside() -> int:
    """Return the `stacklevel` that names the caller of this module."""
    level, frame = 0, sys._getframe()
    while frame.f_back is not None and frame.f_code.co_filename == __file__:
        level, frame = level + 1, frame.f_back
    return level


class EventEmitter:
    """Calls listeners, in order and at once, when a named event is emitted.

    An event is any hashable value. A listener is any callable; one that returns a
    coroutine is run on the loop of that `emit`.

    Events:
        new_listener (event, listener): before a listener is added.
        remove_listener (event, listener): after a listener was removed.
        error (error): something failed; raises from `emit` if nobody listens.

    Source: H-149 to H-154.
    """

    __slots__ = ("__weakref__", "_emitter_settings", "_listeners")

    #: The limit of emitters that set none; 0 or infinity is no limit.
    default_max_listeners: ClassVar[MaxListeners] = 10
    error_monitor: ClassVar[Symbol] = error_monitor

    _observes_listeners: ClassVar[bool] = False
    _owner: Any = None

    def __init__(self) -> None:
        self._listeners = _NO_LISTENERS
        self._emitter_settings: _Settings | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._observes_listeners = (
            cls._listener_added is not EventEmitter._listener_added
            or cls._listener_removed is not EventEmitter._listener_removed
        )

    @property
    def custom(self) -> "EventEmitter":
        """Return the same emitter for events that its type does not know."""
        return self

    def emit(self, event: Hashable, *args: Any) -> bool:
        """Call the listeners of `event` in order with `args`.

        Adding and removing listeners meanwhile shows in the next `emit` only.

        Returns:
            Whether anybody listened.

        Raises:
            BaseException: What a listener raised; the rest is not called. The emitted
                exception itself if `event` is ``error`` and nobody listens to it.
            UnhandledError: The same for an ``error`` that is no exception.
            RuntimeError: If a listener returned a coroutine and no loop runs.

        Source: H-150, H-151.
        """
        try:
            listeners = self._listeners.get(event)
        except TypeError as error:
            raise InvalidArgTypeError("event", "hashable", event) from error
        if event == "error":
            self._meet_error(listeners, args)
        if listeners is None:
            return False
        for listener in listeners:
            result = listener(*args)
            if result is not None and type(result) is CoroutineType:
                self._adopt(result, event, args)
        return True

    def _meet_error(
        self, listeners: tuple[Listener, ...] | None, args: tuple[Any, ...]
    ) -> None:
        if error_monitor in self._listeners:
            self.emit(error_monitor, *args)
        if listeners is None:
            error = args[0] if args else None
            raise error if isinstance(error, BaseException) else UnhandledError(error)

    @overload
    def on(self, event: Hashable, listener: Listener) -> Self: ...
    @overload
    def on(self, event: Hashable) -> Callable[[_L], _L]: ...
    def on(
        self, event: Hashable, listener: Listener | _NotGiven = _NOT_GIVEN
    ) -> Self | Callable[[_L], _L]:
        """Add `listener` behind the others; without `listener`, return a decorator.

        Raises:
            InvalidArgTypeError: If `listener` is not callable.

        Source: H-149, X-098.
        """
        if not callable(listener):
            return self._decorator(self.on, event, listener)
        return self._add(event, listener)

    def add_listener(self, event: Hashable, listener: Listener) -> Self:
        """Add `listener` behind the others; the same as `on`."""
        self.on(event, listener)
        return self

    @overload
    def once(self, event: Hashable, listener: Listener) -> Self: ...
    @overload
    def once(self, event: Hashable) -> Callable[[_L], _L]: ...
    def once(
        self, event: Hashable, listener: Listener | _NotGiven = _NOT_GIVEN
    ) -> Self | Callable[[_L], _L]:
        """Add `listener` for one call; it is removed before it is called.

        Raises:
            InvalidArgTypeError: If `listener` is not callable.

        Source: H-149, X-098.
        """
        if not callable(listener):
            return self._decorator(self.once, event, listener)
        return self._add(event, _Once(self, event, listener))

    def prepend_listener(self, event: Hashable, listener: Listener) -> Self:
        """Add `listener` in front of the others."""
        self._check_listener(listener)
        return self._add(event, listener, first=True)

    def prepend_once_listener(self, event: Hashable, listener: Listener) -> Self:
        """Add `listener` in front of the others, for one call."""
        self._check_listener(listener)
        return self._add(event, _Once(self, event, listener), first=True)

    @staticmethod
    def _check_listener(listener: object) -> None:
        if not callable(listener):
            raise InvalidArgTypeError("listener", "callable", listener)

    @classmethod
    def _decorator(
        cls, add: Callable[[Hashable, Listener], object], event: Hashable, given: object
    ) -> Callable[[_L], _L]:
        if given is not _NOT_GIVEN:
            cls._check_listener(given)

        def decorate(listener: _L) -> _L:
            add(event, listener)
            return listener

        return decorate

    def _add(self, event: Hashable, listener: Listener, *, first: bool = False) -> Self:
        try:
            existing = self._listeners.get(event)
        except TypeError as error:
            raise InvalidArgTypeError("event", "hashable", event) from error
        if "new_listener" in self._listeners:
            self.emit("new_listener", event, _original(listener))
            existing = self._listeners.get(event)
        if existing is None:
            if self._listeners is _NO_LISTENERS:
                self._listeners = {event: (listener,)}
            else:
                self._listeners[event] = (listener,)
        elif first:
            self._listeners[event] = (listener, *existing)
        else:
            self._listeners[event] = (*existing, listener)
        if self._observes_listeners:
            self._listener_added(event)
        if existing is not None and 0 < self.get_max_listeners() <= len(existing):
            self._warn_of_leak(event, len(existing) + 1)
        return self

    def _warn_of_leak(self, event: Hashable, count: int) -> None:
        settings = self._own_settings()
        if event not in settings.warned:
            settings.warned.add(event)
            warning = MaxListenersExceededWarning(self, event, count)
            warnings.warn(warning, stacklevel=_frames_inside())

    def off(self, event: Hashable, listener: Listener) -> Self:
        """Remove the most recently added `listener`; the same as `remove_listener`."""
        return self.remove_listener(event, listener)

    def remove_listener(self, event: Hashable, listener: Listener) -> Self:
        """Remove the most recently added `listener`; do nothing if there is none.

        Raises:
            InvalidArgTypeError: If `listener` is not callable.

        Source: H-149.
        """
        self._check_listener(listener)
        try:
            listeners = self._listeners.get(event, ())
        except TypeError as error:
            raise InvalidArgTypeError("event", "hashable", event) from error
        for index in range(len(listeners) - 1, -1, -1):
            found = listeners[index]
            if found == listener or (
                type(found) is _Once and found.listener == listener
            ):
                self._remove_at(event, listeners, index)
                break
        return self

    def _forget(self, event: Hashable, listener: Listener) -> None:
        listeners = self._listeners.get(event, ())
        if listener in listeners:
            self._remove_at(event, listeners, listeners.index(listener))

    def _remove_at(
        self, event: Hashable, listeners: tuple[Listener, ...], index: int
    ) -> None:
        if len(listeners) == 1:
            del self._listeners[event]
        else:
            self._listeners[event] = listeners[:index] + listeners[index + 1 :]
        if self._observes_listeners:
            self._listener_removed(event)
        if "remove_listener" in self._listeners:
            self.emit("remove_listener", event, _original(listeners[index]))

    def remove_all_listeners(self, event: Hashable | None = None) -> Self:
        """Remove all listeners of `event`, or of all events.

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
        listeners = self._listeners.get(event)
        if listeners is None:
            return
        if "remove_listener" in self._listeners:
            for listener in reversed(listeners):
                self.remove_listener(event, listener)
        else:
            del self._listeners[event]
            if self._observes_listeners:
                self._listener_removed(event)

    def _listener_added(self, event: Hashable) -> None:
        """React to a new listener of `event`; called if a subclass defines it."""

    def _listener_removed(self, event: Hashable) -> None:
        """React to the removal of listeners of `event`, like `_listener_added`."""

    def listeners(self, event: Hashable) -> list[Listener]:
        """Return a copy of the listeners of `event`, as they were given."""
        return [_original(listener) for listener in self._listeners.get(event, ())]

    def raw_listeners(self, event: Hashable) -> list[Listener]:
        """Return a copy of the listeners of `event`, with the wrappers of `once`."""
        return list(self._listeners.get(event, ()))

    def listener_count(self, event: Hashable, listener: Listener | None = None) -> int:
        """Return how many listeners `event` has, or how often `listener` is there."""
        if listener is None:
            return len(self._listeners.get(event, ()))
        return self.listeners(event).count(listener)

    def event_names(self) -> list[Hashable]:
        """Return the events somebody listens to, in the order of first adding."""
        return list(self._listeners)

    def set_max_listeners(self, n: MaxListeners) -> Self:
        """Warn when one event gets more than `n` listeners; 0 or infinity: never.

        Raises:
            InvalidArgTypeError: If `n` is not a number.
            OutOfRangeError: If `n` is negative or not a number (NaN).
        """
        self._own_settings().max_listeners = _check_max_listeners(n)
        return self

    def get_max_listeners(self) -> MaxListeners:
        """Return this emitter's limit, or the default of its class."""
        settings = self._emitter_settings
        if settings is None or settings.max_listeners is None:
            return self.default_max_listeners
        return settings.max_listeners

    def _own_settings(self) -> _Settings:
        if self._emitter_settings is None:
            self._emitter_settings = _Settings()
        return self._emitter_settings

    def _adopt(
        self,
        coroutine: Coroutine[Any, Any, object],
        event: Hashable,
        args: tuple[Any, ...],
    ) -> None:
        """Run the coroutine of an async listener of `event`.

        The task belongs to the emitter's owner, else to whoever's code runs now.
        """
        from headrace.events import loop

        try:
            running = loop.current()
        except RuntimeError:
            coroutine.close()
            raise
        owner = self._owner if self._owner is not None else running.owner
        running.spawn(
            coroutine,
            owner=owner,
            on_error=partial(self._reject, running, owner, event, args),
        )

    def _reject(
        self,
        running: Any,
        owner: Any,
        event: Hashable,
        args: tuple[Any, ...],
        error: Exception,
    ) -> None:
        """Route the exception of an async listener of `event`."""
        if event == "error" or event is error_monitor:
            running.report(error, self, owner)
            return
        hook = getattr(self, "__rejection__", None)
        try:
            if hook is None:
                self.emit("error", error)
            else:
                hook(error, event, *args)
        except Exception as raised:
            running.report(raised, self, owner)
