"""Events declared as attributes: a wrong listener or argument is an error.

Only checkers read this file; each `type: ignore` marks an error that both must find.
"""

from typing import assert_type

from headrace.events import BoundEvent, Event, EventEmitter, TypedEmitter, error_monitor


class Download(TypedEmitter):
    """Knows its events, and takes no others."""

    progress = Event[int, str]()
    done = Event[()]("finish")


class Resumed(Download):
    """Inherits the events and adds one."""

    resumed = Event[float]()


def hear(received: int, unit: str) -> bool:
    return unit != f"{received}"


async def hear_later(received: int, unit: str) -> None:
    hear(received, unit)


def hear_nothing() -> None:
    """Take no arguments."""


def hear_bytes(data: bytes) -> None:
    data.hex()


def adding(download: Resumed) -> None:
    assert_type(Download.progress, Event[int, str])
    assert_type(download.progress, BoundEvent[int, str])
    assert_type(download.progress.on(hear)(1, ""), bool)
    download.progress.on(hear_later)
    download.progress.once(lambda received, unit: unit * received)
    download.progress.on(print)
    download.done.on(hear_nothing)
    download.resumed.on(lambda offset: offset.is_integer())
    download.progress.off(hear)


def adding_wrongly(download: Resumed) -> None:
    download.progress.on(hear_bytes)  # type: ignore[arg-type]
    download.progress.once(hear_nothing)  # type: ignore[arg-type]
    download.progress.off(hear_bytes)  # type: ignore[arg-type]
    download.progress.on(lambda received: received)  # type: ignore[misc,arg-type]
    download.progress.on(lambda received, unit: unit - 1)  # type: ignore[operator]
    download.done.on(hear)  # type: ignore[arg-type]
    download.unknown.on(hear)  # type: ignore[attr-defined]


def decorating(download: Download) -> None:
    @download.progress.on
    def heard(received: int, unit: str) -> bool:
        return hear(received, unit)

    @download.progress.once
    async def heard_later(received: int, unit: str) -> None:
        await hear_later(received, unit)

    @download.progress.on  # type: ignore[arg-type]
    def wrong(received: bytes, unit: str) -> None:
        received.hex()

    assert_type(heard(1, "B"), bool)


def emitting(download: Download) -> None:
    assert_type(download.progress.emit(1, "B"), bool)
    download.done.emit()
    download.progress.emit(1)  # type: ignore[call-arg]
    download.progress.emit(1, 2)  # type: ignore[arg-type]
    download.done.emit(1)  # type: ignore[call-arg]


async def awaiting(download: Download) -> None:
    assert_type(await download.progress.wait(), tuple[int, str])
    assert_type(await download.done.wait(), tuple[()])
    async for received, unit in download.progress.iterate(close=["finish"]):
        assert_type(received, int)
        assert_type(unit, str)


def failed(error: Exception) -> None:
    raise error


def names(download: Download) -> None:
    """A TypedEmitter takes names only that every emitter has."""
    assert_type(download.on("error", failed).once(error_monitor, failed), Download)
    download.on("remove_listener", lambda event, listener: listener(event))
    download.on("progress", hear)  # type: ignore[call-overload]
    download.once("unknown", hear)  # type: ignore[call-overload]
    download.on("error", hear)  # type: ignore[call-overload]
    download.custom.on("unknown", hear)

    @download.on("error")
    def handle(error: Exception) -> str:
        return str(error)

    @download.once("error")  # type: ignore[type-var]
    def handle_wrongly(error: bytes) -> str:
        return error.hex()

    assert_type(handle(OSError()), str)


def passing(download: Download) -> EventEmitter:
    """It is an EventEmitter for everybody who wants one."""
    return download
