"""The event ``error`` and its monitor (H-151, X-093)."""

import copy
import pickle

import pytest

from headrace.events import EventEmitter, UnhandledError, error_monitor


def test_an_exception_nobody_listens_for_is_raised_itself() -> None:
    """`emit('error', exc)` without listener raises `exc` (H-151, N-005)."""
    error = OSError("broken")
    with pytest.raises(OSError, match="broken") as caught:
        EventEmitter().emit("error", error)
    assert caught.value is error


@pytest.mark.parametrize("context", [42, "text", None, {"a": 1}, ValueError], ids=repr)
def test_anything_else_is_wrapped(context: object) -> None:
    """What is no exception arrives as `.context` (H-151, N-005)."""
    with pytest.raises(RuntimeError) as caught:
        EventEmitter().emit("error", context)
    assert isinstance(caught.value, UnhandledError)
    assert caught.value.code == "ERR_UNHANDLED_ERROR"
    assert caught.value.context is context


def test_an_error_without_argument_is_wrapped() -> None:
    """There is always something to raise (H-151)."""
    with pytest.raises(UnhandledError) as caught:
        EventEmitter().emit("error")
    assert caught.value.context is None


def test_a_listener_makes_error_an_ordinary_event() -> None:
    """With a listener nothing is raised (H-151)."""
    emitter, seen = EventEmitter(), list[object]()
    emitter.once("error", lambda *args: seen.append(args))
    assert emitter.emit("error", 1, 2) is True
    assert seen == [(1, 2)]
    with pytest.raises(UnhandledError):
        emitter.emit("error", 1)


def test_the_monitor_sees_an_error_first() -> None:
    """Also when it was added last, and with all arguments (X-093)."""
    emitter, calls = EventEmitter(), list[tuple[object, ...]]()
    emitter.on("error", lambda *args: calls.append(("handler", *args)))
    emitter.on(error_monitor, lambda *args: calls.append(("monitor", *args)))
    assert emitter.emit("error", 1, 2) is True
    assert calls == [("monitor", 1, 2), ("handler", 1, 2)]


def test_the_monitor_is_no_handler() -> None:
    """The error is raised all the same (X-093)."""
    emitter, seen = EventEmitter(), list[object]()
    emitter.on(EventEmitter.error_monitor, seen.append)
    error = OSError()
    with pytest.raises(OSError) as caught:  # noqa: PT011  # identity is checked
        emitter.emit("error", error)
    assert caught.value is error
    assert seen == [error]
    assert emitter.listener_count("error") == 0


def test_emitting_the_monitor_itself_is_harmless() -> None:
    """It is an event of its own: nothing raises, no handler is called (X-093)."""
    emitter, seen = EventEmitter(), list[object]()
    emitter.on("error", seen.append).once(error_monitor, seen.append)
    assert emitter.emit(error_monitor, 42) is True
    assert emitter.emit(error_monitor, 43) is False
    assert seen == [42]


def test_the_monitor_is_an_event_of_its_own() -> None:
    """No text equals it, so nobody listens to it by accident (X-093)."""
    emitter = EventEmitter().on(error_monitor, print)
    assert emitter.event_names() == [error_monitor]
    assert emitter.emit(repr(error_monitor)) is False


@pytest.mark.parametrize(
    "clone", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))]
)
def test_a_copy_of_the_monitor_is_the_monitor(clone: type) -> None:
    """Otherwise copied options would listen to another event (X-093)."""
    assert clone(error_monitor) is error_monitor
