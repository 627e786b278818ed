"""An emitter that declares nothing takes any event and any listener.

Only checkers read this file; each `type: ignore` marks an error that both must find.
"""

from collections.abc import Callable, Hashable
from typing import Any, assert_type

from headrace.events import EventEmitter, error_monitor, on, once


class Child(EventEmitter):
    """A subclass; chained calls keep its type."""

    def own(self) -> None:
        """Be no method of the parent."""


def hear(data: bytes) -> int:
    return len(data)


async def hear_later(data: bytes) -> None:
    hear(data)


def adding(emitter: Child) -> None:
    assert_type(emitter.on("data", hear).once(("tuple", 1), hear_later), Child)
    assert_type(emitter.prepend_listener(error_monitor, hear), Child)
    assert_type(emitter.prepend_once_listener(None, print).off("data", hear), Child)
    emitter.add_listener("data", hear).own()
    emitter.on("data", 1)  # type: ignore[call-overload]
    emitter.on("data", None)  # type: ignore[call-overload]
    emitter.once([], hear)  # type: ignore[call-overload]
    emitter.off("data")  # type: ignore[call-arg]


def decorating(emitter: EventEmitter) -> None:
    @emitter.on("data")
    def heard(data: bytes) -> int:
        return hear(data)

    @emitter.once("data")
    async def heard_later(data: bytes) -> None:
        await hear_later(data)

    assert_type(heard(b""), int)
    heard("")  # type: ignore[arg-type]


def looking(emitter: EventEmitter) -> None:
    assert_type(emitter.emit("data", b"", 1), bool)
    assert_type(emitter.listeners("data"), list[Callable[..., object]])
    assert_type(emitter.event_names(), list[Hashable])
    assert_type(emitter.get_max_listeners(), float)
    emitter.set_max_listeners("ten")  # type: ignore[arg-type]


async def awaiting(emitter: EventEmitter) -> None:
    assert_type(await once(emitter, "data"), tuple[Any, ...])
    async for args in on(emitter, "data", close=["end"]):
        assert_type(args, tuple[Any, ...])
    await once("data", emitter)  # type: ignore[arg-type]
