"""The emitter against a model of it, with listeners that change it while it emits."""

from collections.abc import Callable
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from headrace.events import EventEmitter

METHODS = ["on", "once", "prepend_listener", "prepend_once_listener", "off"]
EVENTS = ["a", "b"]
NAMES = ["one", "two", "three"]


@dataclass(eq=False)
class Entry:
    """One registration of a listener."""

    listener: Callable[[], None]
    is_once: bool
    is_fired: bool = False


class Model:
    """H-149 and H-150 in the plainest words: lists of entries, copied to emit."""

    def __init__(self) -> None:
        self.table: dict[str, list[Entry]] = {}

    def on(self, event: str, listener: Callable[[], None]) -> None:
        self.table.setdefault(event, []).append(Entry(listener, False))

    def once(self, event: str, listener: Callable[[], None]) -> None:
        self.table.setdefault(event, []).append(Entry(listener, True))

    def prepend_listener(self, event: str, listener: Callable[[], None]) -> None:
        self.table.setdefault(event, []).insert(0, Entry(listener, False))

    def prepend_once_listener(self, event: str, listener: Callable[[], None]) -> None:
        self.table.setdefault(event, []).insert(0, Entry(listener, True))

    def off(self, event: str, listener: Callable[[], None]) -> None:
        for entry in reversed(self.table.get(event, [])):
            if entry.listener == listener:
                self.forget(event, entry)
                break

    def forget(self, event: str, entry: Entry) -> None:
        if entry in self.table.get(event, []):
            self.table[event].remove(entry)
            if not self.table[event]:
                del self.table[event]

    def remove_all_listeners(self, event: str | None = None) -> None:
        if event is None:
            self.table.clear()
        else:
            self.table.pop(event, None)

    def emit(self, event: str) -> bool:
        entries = list(self.table.get(event, []))
        for entry in entries:
            if entry.is_fired:
                continue
            if entry.is_once:
                entry.is_fired = True
                self.forget(event, entry)
            entry.listener()
        return bool(entries)

    def listeners(self, event: str) -> list[Callable[[], None]]:
        return [entry.listener for entry in self.table.get(event, [])]

    def event_names(self) -> list[str]:
        return list(self.table)


class Boom(Exception):
    """What a listener raises."""


Step = tuple[str, str, str]
steps = st.tuples(
    st.sampled_from([*METHODS, "emit", "emit", "remove all", "clear", "raise"]),
    st.sampled_from(EVENTS),
    st.sampled_from(NAMES),
)


class Play:
    """Does a script to an emitter; each listener that is called does the next step."""

    def __init__(self, emitter: EventEmitter | Model, script: list[Step]) -> None:
        self.emitter, self.script = emitter, iter(script)
        self.log: list[object] = []
        self.listeners = {name: self.listener(name) for name in NAMES}

    def listener(self, name: str) -> Callable[[], None]:
        def listener() -> None:
            self.log.append(name)
            for step in self.script:
                self.do(*step)
                break

        return listener

    def do(self, action: str, event: str, name: str) -> None:
        if action in METHODS:
            getattr(self.emitter, action)(event, self.listeners[name])
        elif action == "emit":
            self.log.append(self.emitter.emit(event))
        elif action == "remove all":
            self.emitter.remove_all_listeners(event)
        elif action == "clear":
            self.emitter.remove_all_listeners()
        else:
            raise Boom

    def run(self) -> list[object]:
        for step in self.script:
            try:
                self.do(*step)
            except Boom:
                self.log.append("boom")
        names: dict[object, str] = {
            listener: name for name, listener in self.listeners.items()
        }
        for event in self.emitter.event_names():
            self.log.append(event)
            listeners = self.emitter.listeners(str(event))
            self.log.extend(names[listener] for listener in listeners)
        return self.log


@given(st.lists(steps, max_size=60))
def test_the_emitter_is_its_model(script: list[Step]) -> None:
    """Order, snapshot, once, removal and exceptions, nested at will (H-149, H-150)."""
    emitter = EventEmitter().set_max_listeners(0)
    assert Play(emitter, script).run() == Play(Model(), script).run()
