"""Streams take listeners of their own events only, with the right arguments.

Only checkers read this file; each `type: ignore` marks an error that both must find.
"""

from typing import Any, assert_type

from headrace.events import error_monitor
from headrace.streams import (
    Duplex,
    PassThrough,
    Readable,
    Stream,
    Transform,
    Writable,
)


def hear(chunk: bytes) -> int:
    return len(chunk)


async def hear_later(chunk: bytes) -> None:
    hear(chunk)


def nothing() -> None:
    """Be a listener without arguments."""


def two(one: object, other: object) -> None:
    """Be a listener of too many arguments."""


def any_stream(stream: Stream) -> None:
    assert_type(stream.on("close", nothing), Stream)
    assert_type(stream.once("error", lambda error: error.args), Stream)
    stream.on(error_monitor, lambda error: error.args)
    stream.on("data", hear)  # type: ignore[call-overload]
    stream.on("close", hear)  # type: ignore[call-overload]
    stream.custom.on("anything", hear)


def readables(stream: Readable) -> None:
    assert_type(stream.on("data", hear).on("end", nothing), Readable)
    stream.on("data", hear_later)
    stream.on("readable", nothing).once("pause", nothing).once("resume", nothing)
    stream.prepend_listener("data", hear)
    stream.on("data", two)  # type: ignore[call-overload]
    stream.on("end", hear)  # type: ignore[call-overload]
    stream.on("drain", nothing)  # type: ignore[call-overload]
    stream.once("finish", nothing)  # type: ignore[call-overload]
    stream.on("error", two)  # type: ignore[call-overload]


def writables(stream: Writable) -> None:
    assert_type(stream.on("drain", nothing).once("finish", nothing), Writable)
    stream.on("prefinish", nothing)
    stream.on("pipe", lambda source: source.pause())
    stream.on("unpipe", lambda source: source.resume())
    stream.on("pipe", nothing)  # type: ignore[call-overload]
    stream.on("drain", hear)  # type: ignore[call-overload]
    stream.on("data", hear)  # type: ignore[call-overload]


def duplexes(stream: Duplex) -> None:
    assert_type(stream.on("data", hear).once("drain", nothing), Duplex)
    stream.on("pipe", lambda source: source.pause())
    stream.on("end", nothing).on("finish", nothing).on("close", nothing)
    stream.on("data", two)  # type: ignore[call-overload]
    stream.on("nope", nothing)  # type: ignore[call-overload]


def decorators(stream: Transform) -> None:
    @stream.on("data")
    def heard(chunk: bytes) -> int:
        return hear(chunk)

    assert_type(heard(b""), int)

    @stream.on("close")  # type: ignore[type-var]
    def wrong(chunk: bytes) -> None:
        hear(chunk)


def subclasses(stream: "Mine") -> None:
    assert_type(stream.on("data", hear), Mine)
    stream.on("mine", hear)  # type: ignore[call-overload]
    stream.custom.on("mine", hear)


class Mine(PassThrough):
    """A user's class inherits the types."""

    def _transform(self, chunk: Any, encoding: str, callback: Any) -> None:
        callback(None, chunk)
