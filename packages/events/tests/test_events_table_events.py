"""``new_listener`` and ``remove_listener`` (H-152)."""

from typing import Any

from headrace.events import EventEmitter


def noop(*_: object) -> None:
    """Do nothing."""


def other(*_: object) -> None:
    """Do nothing, too."""


def record(emitter: EventEmitter, event: str) -> list[tuple[Any, ...]]:
    """Return a list that fills with the arguments of `event`."""
    seen: list[tuple[Any, ...]] = []
    emitter.on(event, lambda *args: seen.append(args))
    return seen


def test_new_listener_comes_before_the_listener_is_there() -> None:
    """It gets event and listener, and the list is still the old one (H-152, N-001)."""
    emitter, seen = EventEmitter(), list[Any]()
    emitter.on(
        "new_listener",
        lambda event, listener: seen.append(
            (event, listener, emitter.listener_count(event))
        ),
    )
    emitter.on("a", noop).prepend_listener("a", other)
    assert seen == [("a", noop, 0), ("a", other, 1)]


def test_new_listener_does_not_announce_itself_the_first_time() -> None:
    """The second listener of it is announced to the first (H-152)."""
    emitter = EventEmitter()
    seen = record(emitter, "new_listener")
    assert seen == []
    emitter.on("new_listener", noop)
    assert seen == [("new_listener", noop)]


def test_new_listener_gets_the_function_of_once() -> None:
    """Not the wrapper (H-152)."""
    emitter = EventEmitter()
    seen = record(emitter, "new_listener")
    emitter.once("a", noop).prepend_once_listener("a", other)
    assert seen == [("a", noop), ("a", other)]


def test_listeners_added_inside_new_listener_come_first() -> None:
    """They are in the list when the announced one is appended (H-152)."""
    emitter = EventEmitter()
    emitter.once("new_listener", lambda event, _: emitter.on(event, other))
    assert emitter.on("a", noop).listeners("a") == [other, noop]


def test_removing_inside_new_listener_keeps_the_announced_one() -> None:
    """The announced listener is added whatever happened to the table (H-152)."""
    emitter = EventEmitter().on("a", other)
    emitter.on("new_listener", lambda *_: emitter.remove_all_listeners())
    assert emitter.on("a", noop).listeners("a") == [noop]
    assert emitter.event_names() == ["a"]


def test_remove_listener_comes_after_the_listener_is_gone() -> None:
    """It gets event and listener (H-152, N-011)."""
    emitter, seen = EventEmitter(), list[Any]()
    emitter.on("a", noop).on("a", other)
    emitter.on(
        "remove_listener",
        lambda event, listener: seen.append(
            (event, listener, emitter.listeners(event))
        ),
    )
    emitter.off("a", noop).off("a", other)
    assert seen == [("a", noop, [other]), ("a", other, [])]


def test_remove_listener_gets_the_function_of_once() -> None:
    """When it fires and when it is removed (H-152)."""
    emitter = EventEmitter()
    seen = record(emitter, "remove_listener")
    emitter.once("a", noop).emit("a")
    emitter.once("a", other).off("a", other)
    assert seen == [("a", noop), ("a", other)]


def test_remove_listener_comes_before_the_call_of_once() -> None:
    """A once listener is removed before it is called (H-149, H-152)."""
    emitter, calls = EventEmitter(), list[str]()
    emitter.on("remove_listener", lambda *_: calls.append("removed"))
    emitter.once("a", lambda: calls.append("called"))
    emitter.emit("a")
    assert calls == ["removed", "called"]


def test_remove_all_listeners_announces_in_reverse() -> None:
    """Per listener, the last added first (H-152)."""
    emitter = EventEmitter().on("a", noop).once("a", other).on("a", noop)
    seen = record(emitter, "remove_listener")
    emitter.remove_all_listeners("a")
    assert seen == [("a", noop), ("a", other), ("a", noop)]


def test_remove_all_listeners_announces_every_event() -> None:
    """The listeners of ``remove_listener`` go last, and hear of each other (H-152)."""
    emitter = EventEmitter()
    seen = record(emitter, "remove_listener")
    emitter.on("remove_listener", noop).on("a", noop).on("b", other)
    emitter.remove_all_listeners()
    assert seen == [("a", noop), ("b", other), ("remove_listener", noop)]
    assert emitter.event_names() == []


def test_nobody_is_told_of_the_removal_of_the_last_remove_listener() -> None:
    """It is gone when the event comes (H-152)."""
    emitter, calls = EventEmitter(), list[Any]()
    emitter.on("remove_listener", calls.append)
    emitter.off("remove_listener", calls.append)
    assert calls == []
