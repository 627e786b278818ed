"""Events declared as attributes, at run time; typing/ has what checkers see."""

from typing import Any

import pytest

from headrace.events import BoundEvent, Event, EventEmitter, TypedEmitter


class Download(TypedEmitter):
    """An emitter that declares its events."""

    progress = Event[int, int]()
    done = Event[()]()
    closing = Event[()]("close")


def test_an_event_has_the_name_of_its_attribute() -> None:
    """Unless it was given one."""
    assert Download.progress.name == "progress"
    assert Download.closing.name == "close"
    assert repr(Download.closing) == "Event('close')"


def test_a_declared_event_is_an_ordinary_one() -> None:
    """The name of the event and the attribute are two ways to the same listeners."""
    download, calls = Download(), list[object]()
    download.progress.on(lambda *args: calls.append(args))
    assert download.emit("progress", 1, 2) is True
    download.custom.on("progress", lambda *args: calls.append(args))
    assert download.progress.emit(3, 4) is True
    assert calls == [(1, 2), (3, 4), (3, 4)]


def test_instances_have_events_of_their_own() -> None:
    """Declaring is for the class, listening for the instance."""
    first, second = Download(), Download()
    first.done.on(print)
    assert first.done.emitter is first
    assert second.done.emit() is False
    assert second.event_names() == []


def test_on_and_once_are_decorators() -> None:
    """They return the listener."""
    download, calls = Download(), list[str]()

    @download.done.on
    def always() -> None:
        calls.append("always")

    @download.done.once
    def first() -> None:
        calls.append("first")

    download.done.emit()
    download.done.emit()
    download.done.off(always)
    assert download.done.emit() is False
    assert calls == ["always", "first", "always"]


async def test_waiting_for_a_declared_event() -> None:
    """`wait` is `once` with the types of the arguments (X-090)."""
    download = Download()
    waiting = download.progress.wait()
    download.progress.emit(1, 2)
    assert await waiting == (1, 2)


async def test_iterating_over_a_declared_event() -> None:
    """`iterate` is `on` with the types of the arguments (X-091)."""
    download = Download()
    events = download.progress.iterate(close=["close"])
    download.progress.emit(1, 2)
    download.closing.emit()
    assert [received + total async for received, total in events] == [3]


def test_a_typed_emitter_is_an_emitter() -> None:
    """Only checkers see the difference."""
    known: Any = TypedEmitter
    assert known is EventEmitter


def test_a_bound_event_tells_what_it_is() -> None:
    """Its repr names event and emitter."""
    download = Download()
    assert isinstance(download.done, BoundEvent)
    assert repr(download.done) == f"<event 'done' of {download!r}>"


def test_the_name_is_text() -> None:
    """ERR_INVALID_ARG_TYPE: most likely an argument type in the wrong brackets."""
    wrong: Any = int
    with pytest.raises(TypeError) as caught:
        Event(wrong)
    assert getattr(caught.value, "code", None) == "ERR_INVALID_ARG_TYPE"
