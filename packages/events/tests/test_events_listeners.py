"""Adding and removing listeners (H-149)."""

from typing import Any

import pytest

from headrace.events import EventEmitter, InvalidArgTypeError

ADDERS = ["on", "add_listener", "once", "prepend_listener", "prepend_once_listener"]
LOOKERS = ["listeners", "raw_listeners", "listener_count"]


def noop(*_: object) -> None:
    """Do nothing."""


def test_listeners_are_called_in_the_order_of_adding() -> None:
    """`on` appends; all have run when `emit` returns (H-008, H-149)."""
    emitter, calls = EventEmitter(), list[str]()
    emitter.on("e", lambda: calls.append("first"))
    emitter.on("e", lambda: calls.append("second"))
    emitter.emit("e")
    assert calls == ["first", "second"]


def test_a_listener_added_twice_is_called_twice() -> None:
    """The same listener can be added any number of times (H-149)."""
    emitter, calls = EventEmitter(), list[int]()
    emitter.on("e", calls.append).on("e", calls.append)
    emitter.emit("e", 1)
    assert calls == [1, 1]


@pytest.mark.parametrize("name", ADDERS)
def test_adding_returns_the_emitter(name: str) -> None:
    """All that add return self (H-149, N-001)."""
    emitter = EventEmitter()
    assert getattr(emitter, name)("e", noop) is emitter


@pytest.mark.parametrize("name", ["off", "remove_listener"])
def test_removing_returns_the_emitter(name: str) -> None:
    """All that remove return self, also when there is nothing to remove (H-149)."""
    emitter = EventEmitter()
    assert getattr(emitter, name)("e", noop) is emitter
    assert emitter.remove_all_listeners("e") is emitter
    assert emitter.remove_all_listeners() is emitter


@pytest.mark.parametrize("name", [*ADDERS, "off", "remove_listener"])
@pytest.mark.parametrize("wrong", [None, 1, "listener", object()])
def test_a_listener_that_is_not_callable_raises(name: str, wrong: object) -> None:
    """ERR_INVALID_ARG_TYPE, also for an explicit None (H-149, N-001, N-015)."""
    emitter = EventEmitter()
    with pytest.raises(TypeError) as caught:
        getattr(emitter, name)("e", wrong)
    assert isinstance(caught.value, InvalidArgTypeError)
    assert caught.value.code == "ERR_INVALID_ARG_TYPE"
    assert emitter.event_names() == []


@pytest.mark.parametrize("is_used", [False, True])
@pytest.mark.parametrize(
    ("name", "args"),
    [(name, ([], noop)) for name in [*ADDERS, "off", "remove_listener"]]
    + [(name, ([],)) for name in ["emit", "remove_all_listeners", *LOOKERS]],
)
def test_an_event_that_is_not_hashable_raises(
    name: str, args: tuple[Any, ...], is_used: bool
) -> None:
    """An event is any hashable value, so a list is a wrong type (H-001, H-011)."""
    emitter = EventEmitter()
    if is_used:
        emitter.on("e", noop)
    with pytest.raises(InvalidArgTypeError, match="event must be hashable"):
        getattr(emitter, name)(*args)


def test_prepended_listeners_run_first_and_in_reverse() -> None:
    """Both prepending methods put in front of what is there (H-149, N-010, X-094)."""
    emitter, calls = EventEmitter(), list[str]()
    emitter.on("e", lambda: calls.append("on"))
    emitter.prepend_listener("e", lambda: calls.append("prepended"))
    emitter.prepend_once_listener("e", lambda: calls.append("prepended once"))
    emitter.emit("e")
    emitter.emit("e")
    assert calls == ["prepended once", "prepended", "on", "prepended", "on"]


@pytest.mark.parametrize("name", ["once", "prepend_once_listener"])
def test_a_once_listener_is_removed_before_it_is_called(name: str) -> None:
    """The listener already sees itself gone, and cannot call itself again (H-149)."""
    emitter, counts = EventEmitter(), list[int]()

    def listener() -> None:
        counts.append(emitter.listener_count("e"))
        emitter.emit("e")

    getattr(emitter, name)("e", listener)
    assert emitter.emit("e") is True
    assert emitter.emit("e") is False
    assert counts == [0]


def test_once_listeners_of_one_emit_run_once_despite_a_nested_emit() -> None:
    """What a nested emit called, the outer one does not call again (H-149)."""
    emitter, calls = EventEmitter(), list[str]()

    def first() -> None:
        calls.append("first")
        emitter.emit("e")

    emitter.once("e", first)
    emitter.once("e", lambda: calls.append("second"))
    emitter.emit("e")
    assert calls == ["first", "second"]


def test_off_removes_the_most_recently_added_instance() -> None:
    """Of equal listeners the last added goes, not the last called (H-149, N-011)."""
    emitter, calls = EventEmitter(), list[str]()
    listener = calls.append
    emitter.on("e", listener)
    emitter.on("e", lambda _: calls.append("between"))
    emitter.on("e", listener)
    emitter.off("e", listener)
    emitter.emit("e", "x")
    assert calls == ["x", "between"]


def test_off_finds_a_bound_method() -> None:
    """Each look-up of a method is a new object: equality decides (H-149)."""

    class Heard:
        def hear(self) -> None:
            """Listen."""

    heard, emitter = Heard(), EventEmitter()
    emitter.on("e", heard.hear).once("e", heard.hear)
    assert emitter.off("e", Heard().hear).listener_count("e") == 2
    assert emitter.off("e", heard.hear).off("e", heard.hear).event_names() == []


@pytest.mark.parametrize("name", ["once", "prepend_once_listener"])
def test_off_finds_a_once_listener_by_its_function(name: str) -> None:
    """The function that was given is enough (H-149, N-011)."""
    emitter = EventEmitter()
    getattr(emitter, name)("e", noop)
    emitter.off("e", noop)
    assert emitter.event_names() == []
    assert emitter.emit("e") is False


def test_off_finds_a_once_listener_by_its_wrapper() -> None:
    """What `raw_listeners` gives can be removed as well (H-149, N-007)."""
    emitter = EventEmitter().once("e", noop)
    emitter.off("e", emitter.raw_listeners("e")[0])
    assert emitter.event_names() == []


def test_removing_what_is_not_there_has_no_effect() -> None:
    """An unknown listener or event is no error and tells nobody (H-149, N-011)."""
    emitter, removed = EventEmitter(), list[Any]()
    emitter.on("e", noop).on("remove_listener", lambda *args: removed.append(args))
    emitter.off("e", print).off("other", noop)
    assert emitter.listeners("e") == [noop]
    assert removed == []


def test_remove_all_listeners_of_one_event() -> None:
    """The other events keep theirs (H-149)."""
    emitter = EventEmitter().on("a", noop).once("a", noop).on("b", noop)
    assert emitter.remove_all_listeners("a").event_names() == ["b"]


def test_remove_all_listeners_of_all_events() -> None:
    """Without an event, everything goes (H-149)."""
    emitter = EventEmitter().on("a", noop).on("b", noop).on("remove_listener", noop)
    assert emitter.remove_all_listeners().event_names() == []
    assert emitter.emit("a") is False


@pytest.mark.parametrize("name", ADDERS)
def test_with_the_event_alone_it_is_a_decorator(name: str) -> None:
    """The decorator registers the function and returns it (H-149, X-098)."""
    emitter, calls = EventEmitter(), list[int]()

    @getattr(emitter, name)("e")  # type: ignore[untyped-decorator]
    def listener(value: int) -> str:
        calls.append(value)
        return "called"

    assert emitter.listeners("e") == [listener]
    emitter.emit("e", 1)
    emitter.emit("e", 2)
    assert calls == ([1] if "once" in name else [1, 2])
    assert listener(3) == "called"


def test_a_decorated_object_must_be_callable() -> None:
    """The decorator checks as the method does (H-149)."""
    with pytest.raises(InvalidArgTypeError):
        EventEmitter().on("e")(None)  # type: ignore[type-var]


def test_instances_do_not_share_listeners() -> None:
    """Neither do instances of subclasses with a constructor of their own (N-013)."""

    class Child(EventEmitter):
        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name
            self.on("e", noop)

    first, second = Child("first"), Child("second")
    first.on("e", print)
    assert second.listeners("e") == [noop]
    assert EventEmitter().event_names() == []


def test_a_constructor_that_raises_leaves_nothing_behind() -> None:
    """Listeners of an instance that never came to be are nowhere (N-013)."""

    class Broken(EventEmitter):
        def __init__(self) -> None:
            super().__init__()
            self.on("e", noop)
            self.emit("error", OSError("broken"))

    with pytest.raises(OSError, match="broken"):
        Broken()
    assert EventEmitter().event_names() == []
    assert EventEmitter.default_max_listeners == 10


def test_a_subclass_need_not_call_the_constructor() -> None:
    """An emitter is one as soon as it is made, with slots of its own or not (N-013)."""

    class Forgetful(EventEmitter):
        __slots__ = ("size",)

        def __init__(self) -> None:
            self.on("e", noop)
            self.size = 1

    one, other = Forgetful(), Forgetful().on("f", noop)
    assert (one.event_names(), other.event_names()) == (["e"], ["e", "f"])
    assert EventEmitter().event_names() == []


def test_the_constructor_leads_on_to_other_bases() -> None:
    """An emitter does not end the chain of cooperating constructors (N-013)."""

    class Named:
        def __init__(self) -> None:
            self.name = "named"

    class Both(EventEmitter, Named):
        def __init__(self) -> None:
            super().__init__()

    assert Both().on("e", noop).name == "named"
