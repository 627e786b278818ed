"""The leak warning (H-154)."""

import gc
import math
import warnings
import weakref
from pathlib import Path

import pytest

from headrace.events import EventEmitter, MaxListenersExceededWarning


def noop(*_: object) -> None:
    """Do nothing."""


def add(emitter: EventEmitter, count: int, event: str = "e") -> list[Warning]:
    """Add `count` listeners; return the warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(count):
            emitter.on(event, noop)
    return [each.message for each in caught if isinstance(each.message, Warning)]


def test_the_eleventh_listener_warns() -> None:
    """The tenth does not; the warning carries its facts (H-154, N-002, N-003)."""
    emitter = EventEmitter()
    assert add(emitter, 10) == []
    (warning,) = add(emitter, 1)
    assert isinstance(warning, MaxListenersExceededWarning)
    assert isinstance(warning, ResourceWarning)
    assert warning.emitter is emitter
    assert (warning.type, warning.count) == ("e", 11)
    assert "11 'e' listeners" in str(warning)


def test_it_warns_once_for_an_event_of_an_emitter() -> None:
    """Also after listeners went and came back (H-154, N-002, N-003)."""
    emitter = EventEmitter()
    assert len(add(emitter, 30)) == 1
    emitter.remove_all_listeners()
    assert add(emitter, 30) == []


def test_each_event_and_each_emitter_warns_for_itself() -> None:
    """One warning per emitter and event (H-154, N-002)."""
    emitter = EventEmitter()
    assert len(add(emitter, 11, "a") + add(emitter, 11, "b")) == 2
    assert len(add(EventEmitter(), 11, "a")) == 1


@pytest.mark.parametrize("name", ["once", "prepend_listener", "prepend_once_listener"])
def test_all_ways_of_adding_count(name: str) -> None:
    """The listeners of an event are counted together (H-154)."""
    emitter = EventEmitter().set_max_listeners(1).on("e", noop)
    with pytest.warns(MaxListenersExceededWarning):
        getattr(emitter, name)("e", noop)


@pytest.mark.parametrize("unlimited", [0, math.inf])
def test_zero_and_infinity_are_no_limit(unlimited: float) -> None:
    """`set_max_listeners(0)` silences (H-154, N-002)."""
    assert add(EventEmitter().set_max_listeners(unlimited), 50) == []


def test_a_limit_of_its_own() -> None:
    """The emitter's limit counts, not the default (H-154)."""
    assert add(EventEmitter().set_max_listeners(1), 1) == []
    assert len(add(EventEmitter().set_max_listeners(1), 2)) == 1


def test_adding_works_when_warnings_are_errors() -> None:
    """The listener is there before the warning comes (H-154)."""
    emitter = EventEmitter().set_max_listeners(1).on("e", noop)
    with pytest.raises(MaxListenersExceededWarning):
        emitter.on("e", print)
    assert emitter.listeners("e") == [noop, print]


@pytest.mark.parametrize("name", ["on", "once", "prepend_listener"])
def test_the_warning_names_the_line_that_adds(name: str) -> None:
    """Whichever method was called (H-154)."""
    emitter = EventEmitter().set_max_listeners(1).on("e", noop)
    with pytest.warns(MaxListenersExceededWarning) as caught:
        getattr(emitter, name)("e", noop)
    assert Path(caught[0].filename) == Path(__file__)


def test_the_warning_names_the_line_that_decorates() -> None:
    """The decorator's inner function is ours, too (H-154)."""
    emitter = EventEmitter().set_max_listeners(1).on("e", noop)
    with pytest.warns(MaxListenersExceededWarning) as caught:
        emitter.on("e")(noop)
    assert Path(caught[0].filename) == Path(__file__)


def test_a_warning_keeps_no_emitter_alive() -> None:
    """Python's registry of shown warnings keeps the text only (H-154)."""
    emitter = EventEmitter()
    gone = weakref.ref(emitter)
    assert len(add(emitter, 11)) == 1
    del emitter
    gc.collect()
    assert gone() is None
