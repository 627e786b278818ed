"""Copies of functions for single classes."""

import pytest

from headrace.events import EventEmitter, specialized


def greet(name: str = "you", *, mark: str = "!") -> str:
    """Greet."""
    return f"hello {name}{mark}"


def test_a_copy_does_the_same() -> None:
    """Defaults, keywords, name and text are those of the original."""
    copy = specialized(greet)
    assert copy is not greet
    assert copy.__code__ is not greet.__code__
    assert copy() == greet()
    assert copy("all", mark=".") == "hello all."
    assert (copy.__name__, copy.__doc__) == (greet.__name__, greet.__doc__)


def test_a_class_can_keep_a_copy_of_what_it_inherits() -> None:
    """The copy is a method like any other."""

    class Quick(EventEmitter):
        emit = specialized(EventEmitter.emit)

    heard: list[int] = []
    emitter = Quick()
    emitter.on("number", heard.append)
    assert emitter.emit("number", 7)
    assert heard == [7]


def test_only_plain_functions_have_copies() -> None:
    """A closure's cells, and anything that is no function, are refused."""
    with pytest.raises(TypeError, match="plain function"):
        specialized(len)
    number = 1
    with pytest.raises(TypeError, match="plain function"):
        specialized(lambda: number)
