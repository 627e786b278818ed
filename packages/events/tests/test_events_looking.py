"""Looking at the listeners: H-153 and the module functions of X-095."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from headrace.events import (
    EventEmitter,
    get_event_listeners,
    get_max_listeners,
    set_max_listeners,
)


def noop(*_: object) -> None:
    """Do nothing."""


def other(*_: object) -> None:
    """Do nothing, too."""


@pytest.fixture
def default_max_listeners() -> Iterator[None]:
    """Bring the class default back."""
    before = EventEmitter.default_max_listeners
    yield
    EventEmitter.default_max_listeners = before


@pytest.mark.parametrize("name", ["listeners", "raw_listeners"])
def test_the_list_of_listeners_is_a_copy(name: str) -> None:
    """Changing it changes nothing (H-153, N-007)."""
    emitter = EventEmitter().on("e", noop)
    getattr(emitter, name)("e").clear()
    assert getattr(emitter, name)("e") == [noop]


def test_listeners_unwraps_once() -> None:
    """The functions as they were given, in the order of calling (H-153, N-007)."""
    emitter = EventEmitter().once("e", noop).on("e", other)
    emitter.prepend_once_listener("e", print)
    assert emitter.listeners("e") == [print, noop, other]


def test_raw_listeners_shows_the_wrapper() -> None:
    """A wrapper knows its listener; calling it fires and removes (H-153, N-007)."""
    emitter, calls = EventEmitter(), list[int]()
    wrapper: Any = emitter.once("e", calls.append).raw_listeners("e")[0]
    assert wrapper != calls.append
    assert wrapper.listener == calls.append
    assert repr(calls.append) in repr(wrapper)
    wrapper(1)
    wrapper(2)
    assert calls == [1]
    assert emitter.event_names() == []


def test_listener_count() -> None:
    """All of an event, or how often one function is there (H-153, N-006, X-094)."""
    emitter = EventEmitter().on("e", noop).once("e", noop).on("e", other)
    emitter.on("f", noop)
    assert emitter.listener_count("e") == 3
    assert emitter.listener_count("e", noop) == 2
    assert emitter.listener_count("e", print) == 0
    assert emitter.listener_count("unknown") == 0


def test_event_names_are_in_the_order_of_first_adding() -> None:
    """Only events somebody listens to (H-153)."""
    emitter = EventEmitter().on("b", noop).on("a", noop).on("b", other).once("c", noop)
    assert emitter.event_names() == ["b", "a", "c"]
    emitter.emit("c")
    emitter.off("b", noop).off("b", other).on("b", noop)
    assert emitter.event_names() == ["a", "b"]


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("listeners", ["e"]),
        ("raw_listeners", ["e"]),
        ("listener_count", ["e"]),
        ("emit", ["e"]),
        ("off", ["e", noop]),
        ("remove_all_listeners", ["e"]),
        ("set_max_listeners", [5]),
        ("get_max_listeners", []),
    ],
)
def test_looking_creates_nothing(name: str, args: list[Any]) -> None:
    """Neither asking nor setting the maximum registers anything (N-004, N-008)."""
    emitter = EventEmitter()
    getattr(emitter, name)(*args)
    assert emitter.event_names() == []
    assert EventEmitter().event_names() == []


def test_the_maximum_of_an_emitter() -> None:
    """The class default until it sets its own (H-153, N-002, N-019)."""
    emitter = EventEmitter()
    assert emitter.get_max_listeners() == get_max_listeners(emitter) == 10
    assert emitter.set_max_listeners(3) is emitter
    assert emitter.get_max_listeners() == get_max_listeners(emitter) == 3
    assert EventEmitter().get_max_listeners() == 10


@pytest.mark.usefixtures("default_max_listeners")
def test_the_class_default_is_looked_up_when_needed() -> None:
    """Instances that set nothing follow it at once (H-153, N-002)."""
    plain, own = EventEmitter(), EventEmitter().set_max_listeners(7)
    EventEmitter.default_max_listeners = 2
    assert (plain.get_max_listeners(), own.get_max_listeners()) == (2, 7)


def test_a_subclass_can_have_a_default_of_its_own() -> None:
    """`default_max_listeners` is an ordinary class attribute (H-153)."""

    class Busy(EventEmitter):
        default_max_listeners = 100

    assert Busy().get_max_listeners() == 100
    assert EventEmitter().get_max_listeners() == 10


@pytest.mark.parametrize("wrong", ["10", None, True, [], 1j], ids=repr)
@pytest.mark.parametrize(
    "function",
    [EventEmitter().set_max_listeners, set_max_listeners],
    ids=["method", "function"],
)
def test_a_maximum_that_is_no_number_raises(
    function: Callable[[Any], object], wrong: object
) -> None:
    """ERR_INVALID_ARG_TYPE, at once (H-153)."""
    with pytest.raises(TypeError) as caught:
        function(wrong)
    assert getattr(caught.value, "code", None) == "ERR_INVALID_ARG_TYPE"


@pytest.mark.parametrize("wrong", [-1, -0.5, -math.inf, math.nan])
@pytest.mark.parametrize(
    "function",
    [EventEmitter().set_max_listeners, set_max_listeners],
    ids=["method", "function"],
)
def test_a_maximum_below_zero_raises(
    function: Callable[[Any], object], wrong: float
) -> None:
    """ERR_OUT_OF_RANGE, at once (H-153)."""
    with pytest.raises(ValueError, match="0 or more") as caught:
        function(wrong)
    assert getattr(caught.value, "code", None) == "ERR_OUT_OF_RANGE"


def test_set_max_listeners_of_many_emitters() -> None:
    """The module function sets all of them, or none if one is wrong (X-095)."""
    first, second = EventEmitter(), EventEmitter()
    set_max_listeners(5, first, second)
    assert (first.get_max_listeners(), second.get_max_listeners()) == (5, 5)
    wrong: Any = object()
    with pytest.raises(TypeError) as caught:
        set_max_listeners(6, first, wrong)
    assert getattr(caught.value, "code", None) == "ERR_INVALID_ARG_TYPE"
    assert first.get_max_listeners() == 5


@pytest.mark.usefixtures("default_max_listeners")
def test_set_max_listeners_without_emitters_sets_the_default() -> None:
    """As in Node (X-095)."""
    set_max_listeners(20)
    assert EventEmitter().get_max_listeners() == 20


def test_get_event_listeners() -> None:
    """A copy of the listeners, as they were given (X-095)."""
    emitter = EventEmitter().on("e", noop).once("e", other)
    assert get_event_listeners(emitter, "e") == [noop, other]
    assert get_event_listeners(emitter, "unknown") == []


@pytest.mark.parametrize(
    "function",
    [get_max_listeners, lambda wrong: get_event_listeners(wrong, "e")],
)
def test_the_functions_want_an_emitter(function: Callable[[Any], object]) -> None:
    """ERR_INVALID_ARG_TYPE for anything else (X-095)."""
    with pytest.raises(TypeError) as caught:
        function({})
    assert getattr(caught.value, "code", None) == "ERR_INVALID_ARG_TYPE"


def test_custom_is_the_same_emitter() -> None:
    """The door for a user's own events is the object itself (house style 8)."""
    emitter = EventEmitter()
    assert emitter.custom is emitter
