"""The rules of `emit` (H-150)."""

import gc
import weakref
from collections.abc import Hashable

import pytest

from headrace.events import EventEmitter


class Recorder(list[str]):
    """Makes listeners that note their name."""

    def named(self, name: str) -> "Listener":
        return Listener(self, name)


class Listener:
    def __init__(self, recorder: Recorder, name: str) -> None:
        self.recorder, self.name = recorder, name

    def __call__(self, *_: object) -> None:
        self.recorder.append(self.name)


@pytest.mark.parametrize("count", range(6))
def test_arguments_arrive_unchanged_and_in_order(count: int) -> None:
    """Any number of arguments, the very objects (H-150, N-009)."""
    emitter, seen = EventEmitter(), list[tuple[object, ...]]()
    given = tuple(object() for _ in range(count))
    emitter.on("e", lambda *args: seen.append(args))
    emitter.emit("e", *given)
    assert len(seen[0]) == count
    assert all(got is sent for got, sent in zip(seen[0], given, strict=True))


def test_emit_tells_whether_anybody_listened() -> None:
    """True if there was any listener, whatever it returned (H-150)."""
    emitter = EventEmitter()
    assert emitter.emit("e") is False
    emitter.once("e", lambda: False)
    assert emitter.emit("e") is True
    assert emitter.emit("e") is False


def test_a_listener_added_during_emit_waits_for_the_next() -> None:
    """The list is fixed when `emit` begins (H-150)."""
    emitter, calls = EventEmitter(), Recorder()
    emitter.on("e", lambda: emitter.on("e", calls.named("late")))
    emitter.on("e", lambda: emitter.prepend_listener("e", calls.named("early")))
    emitter.emit("e")
    assert calls == []
    emitter.emit("e")
    assert calls == ["early", "late"]


def test_a_listener_removed_during_emit_is_still_called() -> None:
    """The list is fixed when `emit` begins (H-150)."""
    emitter, calls = EventEmitter(), Recorder()
    last = calls.named("last")
    emitter.once("e", lambda: emitter.off("e", last)).on("e", last)
    emitter.emit("e")
    emitter.emit("e")
    assert calls == ["last"]


def test_remove_all_listeners_during_emit() -> None:
    """It shows in the next `emit`, also for `once` listeners (H-150)."""
    emitter, calls = EventEmitter(), Recorder()
    emitter.on("e", lambda: emitter.remove_all_listeners())
    emitter.on("e", calls.named("on")).once("e", calls.named("once"))
    assert emitter.emit("e") is True
    assert emitter.emit("e") is False
    assert calls == ["on", "once"]


def test_an_exception_stops_emit_and_propagates() -> None:
    """The remaining listeners are not called, and the table is intact (H-150)."""
    emitter, calls = EventEmitter(), Recorder()

    def fail() -> None:
        raise ZeroDivisionError

    emitter.once("e", calls.named("first")).once("e", fail)
    emitter.on("e", calls.named("last"))
    with pytest.raises(ZeroDivisionError):
        emitter.emit("e")
    assert calls == ["first"]
    emitter.emit("e")
    assert calls == ["first", "last"]


def test_return_values_are_ignored() -> None:
    """Only a real coroutine is more than a return value (H-150)."""

    class Awaitable:
        def __await__(self) -> object:
            raise AssertionError("nobody may await this")

    emitter = EventEmitter()
    for value in (0, False, "text", emitter, Awaitable(), (x for x in "generator")):
        emitter.on("e", lambda value=value: value)
    assert emitter.emit("e") is True


@pytest.mark.parametrize(
    "event",
    [
        "__proto__", "toString", "hasOwnProperty", "__class__", "_listeners", "",
        0, None, (1, "two"), frozenset({3}), EventEmitter, object(),
    ],
)  # fmt: skip
def test_any_hashable_value_is_an_event(event: Hashable) -> None:
    """No name is special, `event_names` lists them all (H-001, N-012, N-014)."""
    emitter, calls = EventEmitter(), Recorder()
    emitter.on(event, calls.named("called"))
    assert emitter.event_names() == [event]
    assert emitter.emit(event) is True
    assert emitter.emit("other") is False
    assert calls == ["called"]


def test_events_are_told_apart_by_equality() -> None:
    """Two objects that look the same are two events if they are unequal (N-014)."""

    class Symbol:
        def __repr__(self) -> str:
            return "Symbol()"

    emitter, one, two = EventEmitter(), Symbol(), Symbol()
    emitter.on(one, print)
    assert emitter.emit(two) is False
    assert emitter.listener_count((1, 2)) == 0
    assert emitter.on((1, 2), print).listener_count((1, 2)) == 1


@pytest.mark.parametrize("name", ["on", "once"])
def test_an_emitter_with_listeners_is_freed_at_once(name: str) -> None:
    """The table makes no reference cycle, so nothing waits for the collector."""
    emitter = EventEmitter()
    getattr(emitter, name)("e", print)
    gone = weakref.ref(emitter)
    gc.disable()
    try:
        del emitter
        assert gone() is None
    finally:
        gc.enable()


def test_a_once_wrapper_outlives_its_emitter() -> None:
    """Calling what `raw_listeners` gave still calls the listener, once (N-007)."""
    emitter, calls = EventEmitter(), Recorder()
    (wrapper,) = emitter.once("e", calls.named("called")).raw_listeners("e")
    del emitter
    wrapper()
    wrapper()
    assert calls == ["called"]
