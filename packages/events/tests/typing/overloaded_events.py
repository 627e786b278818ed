"""Literal overloads, the way of headrace's own classes: names stay plain text.

Only checkers read this file; each `type: ignore` marks an error that both must find.
"""

from typing import assert_type

from headrace.events import EventEmitter, error_monitor, once

from ._declarations import Socket, Source


def hear(data: bytes) -> int:
    return len(data)


async def hear_later(data: bytes) -> None:
    hear(data)


def hear_text(text: str) -> None:
    text.upper()


def adding(source: Source) -> None:
    assert_type(source.on("data", hear).on("end", lambda: None), Source)
    source.on("data", hear_later)
    source.on("data", lambda data: data.hex())
    source.on("error", lambda error: error.with_traceback(None))
    source.on(error_monitor, lambda error: error.args)
    source.on("new_listener", lambda event, listener: listener(event))
    source.on("data", hear_text)  # type: ignore[call-overload]
    source.on("end", hear)  # type: ignore[call-overload]
    source.on("connect", lambda: None)  # type: ignore[call-overload]
    source.custom.on("connect", lambda: None)


def adding_in_other_ways(source: Source, socket: Socket) -> None:
    assert_type(source.once("data", hear).prepend_listener("data", hear), Source)
    source.once("data", hear_text)  # type: ignore[call-overload]
    source.add_listener("data", hear_text)  # type: ignore[call-overload]
    source.prepend_listener("data", hear_text)  # type: ignore[call-overload]
    source.prepend_once_listener("data", hear_text)  # type: ignore[call-overload]
    assert_type(socket.once("lookup", print).add_listener("data", hear), Socket)
    socket.once("lookup", hear)  # type: ignore[call-overload]
    socket.prepend_once_listener("lookup", hear)  # type: ignore[call-overload]


def adding_to_a_child(socket: Socket) -> None:
    assert_type(socket.on("connect", lambda: None).on("data", hear), Socket)
    socket.on("lookup", lambda host, family: host * family)
    socket.on("lookup", hear)  # type: ignore[call-overload]
    socket.on("data", hear_text)  # type: ignore[call-overload]
    socket.on("unknown", hear)  # type: ignore[call-overload]


def decorating(socket: Socket) -> None:
    @socket.on("data")
    def heard(data: bytes) -> int:
        return hear(data)

    @socket.once("data")  # type: ignore[type-var]
    def heard_wrongly(data: str) -> None:
        hear_text(data)

    assert_type(heard(b""), int)


async def passing(socket: Socket) -> EventEmitter:
    """It is an EventEmitter for everybody who wants one."""
    await once(socket, "connect")
    return socket
