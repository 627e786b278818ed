"""The two hooks for subclasses: a listener was added, listeners were removed."""

from collections.abc import Hashable

from headrace.events import EventEmitter, Listener


def noop(*_: object) -> None:
    """Do nothing."""


class Watched(EventEmitter):
    """Notes each change with the number of listeners it sees."""

    def __init__(self) -> None:
        super().__init__()
        self.changes: list[tuple[str, Hashable, int]] = []

    def _listener_added(self, event: Hashable) -> None:
        self.changes.append(("added", event, self.listener_count(event)))

    def _listener_removed(self, event: Hashable) -> None:
        self.changes.append(("removed", event, self.listener_count(event)))


def test_every_way_of_adding_calls_the_hook() -> None:
    """After the listener is in the table (H-149)."""
    emitter = Watched().on("e", noop).once("e", noop)
    emitter.prepend_listener("e", noop).prepend_once_listener("e", noop)
    emitter.on("e")(noop)
    assert emitter.changes == [("added", "e", count) for count in range(1, 6)]


def test_every_way_of_removing_calls_the_hook() -> None:
    """After the listener is out of the table (H-149)."""
    emitter = Watched().on("e", noop).on("e", noop).on("e", noop).once("e", noop)
    emitter.changes.clear()
    emitter.emit("e")
    emitter.off("e", noop)
    emitter.remove_all_listeners("e")
    assert emitter.changes == [
        ("removed", "e", 3),
        ("removed", "e", 2),
        ("removed", "e", 0),
    ]


def test_removing_everything_calls_the_hook_for_each_event() -> None:
    """`remove_all_listeners()` names each event (H-149)."""
    emitter = Watched().on("a", noop).on("b", noop)
    emitter.changes.clear()
    emitter.remove_all_listeners()
    assert emitter.changes == [("removed", "a", 0), ("removed", "b", 0)]


def test_nothing_changed_calls_no_hook() -> None:
    """Removing what is not there is no change (H-149)."""
    emitter = Watched().off("e", noop).remove_all_listeners("e").remove_all_listeners()
    assert emitter.changes == []


def test_the_hook_comes_before_remove_listener() -> None:
    """Listeners find the subclass in its new state (H-152)."""
    emitter, seen = Watched(), list[int]()
    emitter.on("remove_listener", lambda *_: seen.append(len(emitter.changes)))
    emitter.on("e", noop).off("e", noop)
    assert emitter.changes[-1] == ("removed", "e", 0)
    assert seen == [3]


def test_one_hook_alone_is_enough() -> None:
    """A class, or a class below it, may define only one of them."""

    class Adds(EventEmitter):
        __slots__ = ("added",)

        def _listener_added(self, event: Hashable) -> None:
            self.added = event

    class Below(Adds):
        __slots__ = ()

    emitter = Below().on("e", noop)
    assert emitter.added == "e"
    assert emitter.off("e", noop).event_names() == []


def test_a_class_can_say_which_events_its_hooks_hear() -> None:
    """Other events cost it nothing; a class below it inherits both."""

    class Choosy(Watched):
        _observed_events = frozenset(("e",))

        def _listener_added(self, event: Hashable) -> None:
            super()._listener_added(event)

    class Below(Choosy):
        pass

    for emitter in (Choosy(), Below()):
        emitter.on("e", noop).on("f", noop).once("f", noop).off("f", noop)
        emitter.remove_all_listeners()
        assert emitter.changes == [("added", "e", 1), ("removed", "e", 0)]


def test_a_class_that_replaces_a_hook_hears_of_all_again() -> None:
    """The names belong to the hooks beside them, wherever these come from."""

    class Choosy(EventEmitter):
        _observed_events = frozenset(("e",))

        def _listener_added(self, event: Hashable) -> None:
            """Hear of e."""

    class Mixin:
        heard: Hashable = None

        def _listener_added(self, event: Hashable) -> None:
            self.heard = event

    class Replaced(Mixin, Choosy):
        pass

    class Unchanged(Choosy, Mixin):
        pass

    assert Replaced().on("f", noop).heard == "f"
    assert Unchanged().on("f", noop).heard is None


def test_several_listeners_at_once() -> None:
    """They are as if added by `on`, behind what is there, and removed by `off`."""
    calls: list[str] = []
    table: dict[Hashable, tuple[Listener, ...]] = {
        "a": (lambda: calls.append("a"),),
        "b": (lambda: calls.append("b1"), lambda: calls.append("b2")),
    }
    for own in (False, True):
        emitter = EventEmitter()
        if own:
            emitter.on("b", lambda: calls.append("own"))
        emitter._listen(table)
        emitter.emit("a")
        emitter.emit("b")
        assert calls == ["a", *(["own"] if own else []), "b1", "b2"]
        calls.clear()
        emitter.on("c", noop)  # the table stays as it was
        assert list(table) == ["a", "b"]
        emitter.off("c", noop)
        emitter._unlisten(table)
        assert emitter.event_names() == (["b"] if own else [])
        emitter.on("d", noop)
        assert EventEmitter().event_names() == []


def test_several_listeners_at_once_are_heard_of() -> None:
    """The hooks and the events of the table learn of each of them (H-152)."""
    watched = Watched()
    watched._listen({"a": (noop,), "b": (noop,)})
    watched._unlisten({"a": (noop,), "b": (noop,)})
    assert watched.changes == [
        ("added", "a", 1),
        ("added", "b", 1),
        ("removed", "a", 0),
        ("removed", "b", 0),
    ]
    emitter = EventEmitter()
    told: list[tuple[str, Hashable]] = []
    emitter.on("new_listener", lambda event, _: told.append(("new", event)))
    emitter.on("remove_listener", lambda event, _: told.append(("removed", event)))
    emitter._listen({"a": (noop,)})
    emitter._unlisten({"a": (noop,)})
    assert told == [("new", "remove_listener"), ("new", "a"), ("removed", "a")]
